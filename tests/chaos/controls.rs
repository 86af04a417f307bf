//! The walls, each taken away: the same kind of disturbance then does harm. (Leases, tokens and immediate transactions
//! have theirs beside the store, where each is one statement: `store/tests/unguarded.rs`.)

use super::{
    outcome::Outcome,
    seeded::Disturbances,
    story::{Keeps, Story},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_looking_first_the_same_kills_would_double_what_leaves() {
    // Everything that was made at GitHub is hidden from who looks for it, and each kill comes right after something
    // was made there.
    let mut kills = Disturbances::after_writes(5);
    let story = Story::begin(Keeps::File).await;
    story.hub.world().hides_own = true;
    let found: Outcome = story.tell(&mut kills).await.pop().unwrap();
    let titles: std::collections::BTreeSet<&String> = found.pulls.iter().map(|pull| &pull.title).collect();
    let twice = |said: &[String]| said.windows(2).any(|pair| pair[0] == pair[1]);
    let doubled = titles.len() < found.pulls.len()
        || found.boards > 1
        || found.pulls.iter().any(|pull| twice(&pull.said));
    assert!(doubled, "{:#?}\n{found:#?}", kills.done);
}
