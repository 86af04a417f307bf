//! Runs the loop once, disturbed: waits for the instant, and does the deed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use harness::{
    github::{Match, World as There},
    world::{Ran, World},
};
use orchestrator::store::{Store, ledger};

use super::{
    seeded::{Deed, Disturbance, Instant},
    story::Story,
};

/// Whether the process that is to be killed is still there to be killed.
type Alive = Arc<AtomicBool>;

fn kill(pid: &str, alive: &Alive) {
    if alive.swap(false, Ordering::SeqCst) {
        // It may have ended in this very moment; who waits for it sees how.
        let _ = std::process::Command::new("kill").args(["-KILL", pid]).status();
    }
}

/// Counts requests down, and does the deed at the last.
fn count_down(there: &mut There, matching: Match, left: u64, deed: impl FnOnce() + Send + 'static) {
    let again = matching.clone();
    there.after(matching, move |there| {
        if left <= 1 {
            return deed();
        }
        count_down(there, again, left - 1, deed);
    });
}

/// How many rows the ledger has; none yet, if it cannot be read.
pub(super) async fn rows(store: Option<&Store>) -> u64 {
    let Some(store) = store else { return 0 };
    ledger::verify(store).await.map_or(0, |verified| verified.rows)
}

/// The state, if there is one.
pub(super) async fn open(world: &World) -> Option<Store> {
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

/// Runs the loop once; whether the disturbance hit, and how the run ended.
pub(super) async fn run(story: &Story<'_>, disturbance: Option<Disturbance>) -> (bool, Ran) {
    let world = &story.world;
    let at = disturbance.map(|disturbance| disturbance.at);
    let store = match at {
        Some(Instant::Rows(_)) => open(world).await,
        _ => None,
    };
    let (calls, had) = (world.model().requests().len() as u64, rows(store.as_ref()).await);
    match at {
        Some(Instant::Lines(n)) => world.write("points/countdown", &n.to_string()),
        _ => world.write("points/countdown", ""),
    }
    let named = matches!(at, Some(Instant::Lines(_) | Instant::Named));
    let child = world.spawn_with(["run", "fix", "--format", "json"], |command| {
        command.env("LOOPS_TEST_CLOCK", world.path("clock"));
        if named || story.listens {
            command.env("LOOPS_TEST_POINTS", world.path("points"));
        }
    });
    let (pid, alive) = (child.pid().to_string(), Alive::new(AtomicBool::new(true)));
    let kills = disturbance.is_none_or(|disturbance| disturbance.deed == Deed::Kill);
    let come = Alive::new(AtomicBool::new(false));
    let requests = match at {
        Some(Instant::Requests(n)) => Some((Match::new("", "/"), n)),
        Some(Instant::Writes(n)) => Some((Match::new("POST", "/repos/"), n)),
        _ => None,
    };
    if let Some((matching, n)) = requests {
        let (pid, alive, come) = (pid.clone(), Arc::clone(&alive), Arc::clone(&come));
        count_down(&mut story.hub.world(), matching, n, move || {
            if kills {
                // Within the request: no answer has left yet.
                kill(&pid, &alive);
            } else if alive.load(Ordering::SeqCst) {
                come.store(true, Ordering::SeqCst);
            }
        });
    }
    let watch = async {
        loop {
            let now = match at {
                Some(Instant::Calls(n)) => world.model().requests().len() as u64 >= calls + n,
                Some(Instant::Rows(n)) => rows(store.as_ref()).await >= had + n,
                _ => come.load(Ordering::SeqCst),
            };
            if now && let Some(disturbance) = disturbance {
                match disturbance.deed {
                    Deed::Kill => kill(&pid, &alive),
                    deed => story.do_it(deed),
                }
                come.store(true, Ordering::SeqCst);
                // Once.
                return std::future::pending::<()>().await;
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
    let hit = if kills {
        ran.code == 128 + 9
    } else {
        come.load(Ordering::SeqCst)
    };
    (hit, ran)
}
