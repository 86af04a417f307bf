//! The whole service, disturbed again and again at instants that a seed decides: after so many requests at the fake
//! GitHub, so many calls of the model, so many rows of the ledger, so many lines that the service names. It is killed by
//! SIGKILL; its database falls or cuts it off; its disk is full; its clock jumps. Whatever was hit, at the end stands
//! what stands when nobody disturbs it: the same pull requests with the same content, the same answers, nothing twice,
//! nothing lost.
//!
//! `LOOPS_CHAOS_KILLS` says how many kills (twelve for each store if it does not, which is what CI has time for), `LOOPS_CHAOS_SEED` which; `./x chaos`
//! sets both.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod controls;
mod deeds;
mod disk;
mod fleet;
mod lines;
mod outcome;
mod seeded;
mod story;

use harness::postgres::Own;

use self::{
    outcome::Outcome,
    seeded::{Deed, Disturbances, Seeded},
    story::{Keeps, Story},
};

/// So many kills one story bears at most: each call that is cut off costs what was reserved for it.
const KILLS: u64 = 25;

fn said(name: &str) -> Option<u64> {
    std::env::var_os(name)?.into_string().ok()?.parse().ok()
}

/// What there is after each act when nobody disturbs it.
async fn undisturbed(keeps: Keeps<'_>) -> Vec<Outcome> {
    let expected = Story::begin(keeps).await.tell(&mut Disturbances::none()).await;
    assert_eq!(expected[0].pulls.len(), 2, "{expected:#?}");
    expected
}

/// Tells the story as often as it takes for all kills; each time its end must be that of the undisturbed one.
async fn disturbed(keeps: Keeps<'_>) {
    let (count, seed) = (
        said("LOOPS_CHAOS_KILLS").unwrap_or(12),
        said("LOOPS_CHAOS_SEED").unwrap_or(11),
    );
    let expected = undisturbed(keeps).await;
    let mut seeded = Seeded::new(seed);
    let mut done = Vec::new();
    let (mut killed, mut told) = (0, 0);
    while killed < count {
        let story = Story::begin(keeps).await;
        let kills = (count - killed).min(KILLS);
        let mut disturbances = Disturbances::new(seeded.next(), kills, story.reach());
        let found = story.tell(&mut disturbances).await;
        assert_eq!(
            found, expected,
            "{count} kills by seed {seed}; in the story number {told} this was done: {:#?}",
            disturbances.done
        );
        let kills = disturbances.count(|deed| deed == Deed::Kill);
        assert!(kills > 0, "nothing was killed");
        killed += kills;
        told += 1;
        done.extend(disturbances.done);
    }
    let count = |name: &str| {
        let of = |deed: &Deed| format!("{deed:?}").starts_with(name);
        done.iter().filter(|done| of(&done.deed)).count()
    };
    // How much it was, for who reads the figures.
    eprintln!(
        "{killed} kills, {} cuts and {} falls of the database, {} times a full disk, {} jumps of the clock in {told} stories, seed {seed}",
        count("Cut"),
        count("Fall"),
        count("Fill"),
        count("Turn"),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disturbed_at_any_instant_a_service_with_its_state_in_a_file_comes_to_the_same() {
    disturbed(Keeps::SmallDisk).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disturbed_at_any_instant_a_service_with_its_state_in_postgres_comes_to_the_same() {
    let own = Own::start();
    disturbed(Keeps::Postgres(&own)).await;
}
