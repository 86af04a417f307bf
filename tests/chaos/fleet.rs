//! Two services and a node on one Postgres, any of which is killed, and the database with them: what stands at the end
//! is what one undisturbed process comes to.

use std::time::{Duration, Instant};

use harness::{
    postgres::{self, Own},
    world::Child,
};

use super::{
    outcome::Outcome,
    said,
    seeded::{Deed, Seeded},
    story::{Keeps, Story},
    undisturbed,
};

/// Some orders are carried out by whoever leads, the others by the node.
const SETTINGS: &str = "node: { places: 1, lease: 2s, save_every: 0s }\n";
/// The processes, each with a state folder of its own.
const PROCESSES: [&[&str]; 3] = [
    &["serve", "--state", "one", "--grace", "0"],
    &["serve", "--state", "two", "--grace", "0"],
    &[
        "worker", "--name", "north", "--places", "4", "--state", "north", "--grace", "0",
    ],
];
/// No act takes longer on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(150);

struct Fleet<'a> {
    story: &'a Story<'a>,
    children: Vec<Child>,
    /// What was done.
    done: Vec<String>,
}

impl<'a> Fleet<'a> {
    fn start(story: &'a Story<'a>) -> Self {
        Self {
            children: PROCESSES.iter().map(|args| story.world.spawn_all(args)).collect(),
            done: Vec::new(),
            story,
        }
    }

    /// Which process leads; the first, if nobody knows.
    fn leader(&self) -> usize {
        if self.ask("SELECT to_regclass('leader') IS NOT NULL") != "t" {
            return 0;
        }
        let holder = self.ask("SELECT holder FROM leader");
        let folder = holder.split('/').next().unwrap_or_default();
        let is_of = |name: &&str| {
            let own = std::fs::read_to_string(self.story.world.path(name).join("node"));
            !folder.is_empty() && own.is_ok_and(|own| own.trim() == folder)
        };
        ["one", "two"].iter().position(is_of).unwrap_or(0)
    }

    fn ask(&self, sql: &str) -> String {
        postgres::sql(self.story.world.database(), sql)
    }

    /// Whoever has ended is started again, as a supervisor would.
    async fn look_after(&mut self) {
        for (at, process) in PROCESSES.iter().enumerate() {
            if self.children[at].has_ended() {
                let ended = self.replace(at);
                let ended = self.story.world.end(ended).await;
                self.done
                    .push(format!("{} ended by itself: {ended}", process.join(" ")));
            }
        }
    }

    fn replace(&mut self, at: usize) -> Child {
        let fresh = self.story.world.spawn_all(PROCESSES[at]);
        std::mem::replace(&mut self.children[at], fresh)
    }

    async fn kill(&mut self, at: usize) {
        self.children[at].kill();
        let killed = self.replace(at);
        self.story.world.end(killed).await;
        self.done.push(format!("killed {}", PROCESSES[at].join(" ")));
    }

    /// Something that happens after a while that the seed says.
    async fn disturb(&mut self, seeded: &mut Seeded) {
        let wait = Duration::from_millis(seeded.within(2500));
        tokio::time::sleep(wait).await;
        match seeded.next() % 8 {
            lot @ 0..6 => self.kill(usize::try_from(lot % 3).unwrap()).await,
            6 => {
                self.done.push("cut off".to_owned());
                self.story.do_it(Deed::Cut);
            }
            _ => {
                self.done.push("the database fell".to_owned());
                self.story.do_it(Deed::Fall);
            }
        }
        self.look_after().await;
    }

    /// Waits until there is what shall be there, and nothing that is not.
    async fn comes_to(&mut self, expected: &Outcome) {
        let end = Instant::now() + PATIENCE;
        loop {
            self.look_after().await;
            if Outcome::is_at_hub(self.story, expected) && self.nothing_waits() {
                let found = Outcome::of(self.story).await;
                if found == *expected {
                    return;
                }
            }
            if Instant::now() > end {
                let found = Outcome::of(self.story).await;
                assert_eq!(found, *expected, "after {:#?}", self.done);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn nothing_waits(&self) -> bool {
        let open = "SELECT (SELECT count(*) FROM runs WHERE ended_at IS NULL) \
                    + (SELECT count(*) FROM outbox WHERE state = 'pending')";
        self.ask(open) == "0"
    }

    /// All of them end in good order.
    async fn end(self) {
        for child in &self.children {
            child.interrupt();
        }
        for child in self.children {
            let ended = self.story.world.end(child).await;
            assert_eq!(ended.code, 0, "{ended}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_services_and_a_node_of_which_any_is_killed_come_to_the_same() {
    let seed = said("LOOPS_CHAOS_SEED").unwrap_or(11);
    // Three for each act; a long form has more.
    let each = said("LOOPS_CHAOS_KILLS").map_or(3, |kills| 3.max(kills / 15));
    let expected = undisturbed(Keeps::File).await;
    let own = Own::start();
    let story = Story::begin_with(Keeps::Postgres(&own), SETTINGS, "1s").await;
    let mut seeded = Seeded::new(seed);
    let mut fleet = Fleet::start(&story);
    let mut done = 0;
    for (act, expected) in Story::ACTS.iter().zip(&expected) {
        act(&story);
        for _ in 0..each {
            fleet.disturb(&mut seeded).await;
            done += 1;
        }
        // Whoever leads next looks at GitHub at once; else that takes half a minute.
        let leader = fleet.leader();
        fleet.kill(leader).await;
        done += 1;
        fleet.comes_to(expected).await;
    }
    eprintln!("{done} disturbances of two services and a node, seed {seed}");
    fleet.end().await;
    story.end().await;
}
