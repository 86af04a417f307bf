//! When the service is killed: instants that follow from a seed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use harness::{
    github::{Match, World as There},
    world::World,
};
use orchestrator::store::{Store, ledger};

use super::story::Story;

/// A small generator whose numbers follow from its seed (SplitMix64).
pub(super) struct Seeded(u64);

impl Seeded {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn within(&mut self, most: u64) -> u64 {
        1 + self.next() % most
    }
}

/// An instant, counted from the start of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instant {
    /// After so many requests at GitHub, git's among them.
    Requests(u64),
    /// After so many requests that made something there.
    Writes(u64),
    /// When the model was asked so often.
    Calls(u64),
    /// When the ledger has so many rows more.
    Rows(u64),
}

/// The kills of one story.
pub(super) struct Kills {
    seeded: Seeded,
    left: u64,
    writes_only: bool,
    /// Those that hit.
    pub(super) done: Vec<Instant>,
}

impl Kills {
    pub(super) fn new(seed: u64, left: u64) -> Self {
        Self {
            seeded: Seeded::new(seed),
            left,
            writes_only: false,
            done: Vec::new(),
        }
    }

    pub(super) fn none() -> Self {
        Self::new(0, 0)
    }

    /// So many, each right after something was made at GitHub.
    pub(super) fn after_writes(left: u64) -> Self {
        Self {
            writes_only: true,
            ..Self::new(0, left)
        }
    }

    /// The next one; none: the service is left in peace from here on.
    pub(super) fn next(&mut self) -> Option<Instant> {
        if self.left == 0 {
            return None;
        }
        if self.writes_only {
            return Some(Instant::Writes(1));
        }
        // Near ones and far ones, so that both the first steps of a process and its last ones are hit.
        let reach = 1 << (self.seeded.next() % 5);
        Some(match self.seeded.next() % 3 {
            0 => Instant::Requests(self.seeded.within(3 * reach)),
            1 => Instant::Calls(self.seeded.within(reach)),
            _ => Instant::Rows(self.seeded.within(2 * reach)),
        })
    }

    pub(super) fn hit(&mut self, instant: Instant) {
        self.left -= 1;
        self.done.push(instant);
    }
}

/// Whether the process that is to be killed is still there to be killed.
type Alive = Arc<AtomicBool>;

fn kill(pid: &str, alive: &Alive) {
    if alive.swap(false, Ordering::SeqCst) {
        // It may have ended in this very moment; who waits for it sees how.
        let _ = std::process::Command::new("kill").args(["-KILL", pid]).status();
    }
}

/// Counts requests down, and kills at the last.
fn count_down(there: &mut There, matching: Match, left: u64, pid: String, alive: Alive) {
    let again = matching.clone();
    there.after(matching, move |there| {
        if !alive.load(Ordering::SeqCst) {
            return;
        }
        if left <= 1 {
            return kill(&pid, &alive);
        }
        count_down(there, again, left - 1, pid, alive);
    });
}

/// How many rows the ledger has; none yet, if it cannot be read.
async fn rows(store: Option<&Store>) -> u64 {
    let Some(store) = store else { return 0 };
    ledger::verify(store).await.map_or(0, |verified| verified.rows)
}

async fn open(world: &World) -> Option<Store> {
    if std::fs::read_to_string(world.path("loops.yaml"))
        .ok()?
        .contains("database:")
    {
        return Store::connect(world.database()).await.ok();
    }
    if !world.state().join("loops.db").exists() {
        return None;
    }
    Store::open(&world.state()).await.ok()
}

/// Runs the loop once, killed at `instant`; whether the kill hit, and the exit code.
pub(super) async fn run(story: &Story, instant: Option<Instant>) -> (bool, harness::world::Ran) {
    let world = &story.world;
    let store = match instant {
        Some(Instant::Rows(_)) => open(world).await,
        _ => None,
    };
    let (calls, had) = (world.model().requests().len() as u64, rows(store.as_ref()).await);
    let child = world.spawn(["run", "fix", "--format", "json"]);
    let (pid, alive) = (child.pid().to_string(), Alive::new(AtomicBool::new(true)));
    match instant {
        Some(Instant::Requests(n)) => {
            count_down(
                &mut story.hub.world(),
                Match::new("", "/"),
                n,
                pid.clone(),
                Arc::clone(&alive),
            );
        }
        Some(Instant::Writes(n)) => {
            count_down(
                &mut story.hub.world(),
                Match::new("POST", "/repos/"),
                n,
                pid.clone(),
                Arc::clone(&alive),
            );
        }
        _ => {}
    }
    let watch = async {
        loop {
            let now = match instant {
                Some(Instant::Calls(n)) if world.model().requests().len() as u64 >= calls + n => true,
                Some(Instant::Rows(n)) => rows(store.as_ref()).await >= had + n,
                _ => false,
            };
            if now {
                kill(&pid, &alive);
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    let ran = tokio::select! {
        ran = world.end(child) => ran,
        () = watch => unreachable!("it watches for ever"),
    };
    alive.store(false, Ordering::SeqCst);
    if let Some(store) = store {
        store.close().await;
    }
    (ran.code == 128 + 9, ran)
}
