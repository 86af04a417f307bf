//! The whole service, killed by SIGKILL again and again at instants that a seed decides: after so many requests at the
//! fake GitHub, so many calls of the model, so many rows of the ledger. Whatever was hit, at the end stands what stands
//! when nobody disturbs it: the same pull requests with the same content, the same answers, nothing twice, nothing lost.
//!
//! `LOOPS_CHAOS_KILLS` says how many kills (fifty for each store if it does not), `LOOPS_CHAOS_SEED` which; `./x chaos`
//! sets both.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod kills;
mod outcome;
mod story;

use self::{
    kills::{Kills, Seeded},
    outcome::Outcome,
    story::{Keeps, Story},
};

fn said(name: &str) -> Option<u64> {
    std::env::var_os(name)?.into_string().ok()?.parse().ok()
}

/// Tells the story as often as it takes for all kills; each time its end must be that of the undisturbed one.
async fn killed(keeps: Keeps) {
    let (count, seed) = (
        said("LOOPS_CHAOS_KILLS").unwrap_or(50),
        said("LOOPS_CHAOS_SEED").unwrap_or(11),
    );
    let expected = Story::begin(keeps).await.tell(&mut Kills::none()).await;
    assert_eq!(expected.pulls.len(), 2, "{expected:#?}");
    let mut seeded = Seeded::new(seed);
    let (mut done, mut told) = (0, 0);
    while done < count {
        let mut kills = Kills::new(seeded.next(), (count - done).min(20));
        let found = Story::begin(keeps).await.tell(&mut kills).await;
        assert_eq!(
            found, expected,
            "{count} kills by seed {seed}; in the story number {told} they were {:#?}",
            kills.done
        );
        assert!(!kills.done.is_empty(), "nothing was killed");
        done += kills.done.len() as u64;
        told += 1;
    }
    // How much it was, for who reads the figures.
    eprintln!("{done} kills in {told} stories, seed {seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_instant_a_service_with_its_state_in_a_file_comes_to_the_same() {
    killed(Keeps::File).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_instant_a_service_with_its_state_in_postgres_comes_to_the_same() {
    killed(Keeps::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_looking_first_the_same_kills_would_double_what_leaves() {
    // Everything that was made at GitHub is hidden from who looks for it, and each kill comes right after something
    // was made there.
    let mut kills = Kills::after_writes(5);
    let story = Story::begin(Keeps::File).await;
    story.hub.world().hides_own = true;
    let found: Outcome = story.tell(&mut kills).await;
    let titles: std::collections::BTreeSet<&String> = found.pulls.iter().map(|pull| &pull.title).collect();
    let twice = |said: &[String]| said.windows(2).any(|pair| pair[0] == pair[1]);
    let doubled = titles.len() < found.pulls.len()
        || found.boards > 1
        || found.pulls.iter().any(|pull| twice(&pull.said));
    assert!(doubled, "{:#?}\n{found:#?}", kills.done);
}
