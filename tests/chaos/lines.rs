//! Killed once at every line that the service names: before and after each statement of the store, each commit, each
//! command of git. Long; `./x chaos` has it.

use std::{collections::BTreeSet, fs};

use harness::postgres::Own;

use super::{
    KILLS,
    seeded::{Deed, Disturbances},
    story::{Keeps, Story},
};

async fn at_every_line(keeps: Keeps<'_>) {
    let mut story = Story::begin(keeps).await;
    story.listens = true;
    // A world goes with its end; what was met there stays.
    let kept = tempfile::tempdir().unwrap();
    let keep = |story: &Story<'_>, file: &str, at: &str| {
        story.world.write(&format!("points/{file}"), "");
        let at = kept.path().join(at);
        fs::hard_link(story.world.path("points").join(file), &at).unwrap();
        at
    };
    let met = keep(&story, "met", "met");
    let expected = story.tell(&mut Disturbances::none()).await;
    let mut left: BTreeSet<String> = fs::read_to_string(&met)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    let all = left.len();
    assert!(all > 200, "{left:#?}");
    let mut told = 0;
    while !left.is_empty() {
        let story = Story::begin(keeps).await;
        // A line that killed is taken out by the service itself: it dies at each only once.
        let deadly: Vec<&str> = left.iter().map(String::as_str).collect();
        story.world.write("points/deadly", &deadly.join("\n"));
        let died = keep(&story, "died", &format!("died-{told}"));
        let mut disturbances = Disturbances::at_named_lines(KILLS);
        let found = story.tell(&mut disturbances).await;
        let died = fs::read_to_string(&died).unwrap();
        assert_eq!(found, expected, "killed at {died}");
        told += 1;
        for line in died.lines() {
            left.remove(line);
        }
        if disturbances.count(|deed| deed == Deed::Kill) == 0 {
            break;
        }
    }
    // Those that are left are come to only when nobody is killed before.
    eprintln!(
        "killed at {} of {all} named lines in {told} stories; not come to again: {left:?}",
        all - left.len()
    );
    assert!(left.len() * 10 < all, "{left:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "many minutes; `./x chaos` runs it"]
async fn killed_at_every_named_line_with_its_state_in_a_file_it_comes_to_the_same() {
    at_every_line(Keeps::File).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "many minutes; `./x chaos` runs it"]
async fn killed_at_every_named_line_with_its_state_in_postgres_it_comes_to_the_same() {
    let own = Own::start();
    at_every_line(Keeps::Postgres(&own)).await;
}
