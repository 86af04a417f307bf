//! What it costs to wait at GitHub: the service as a process of its own, with a login and a hundred loops on twenty
//! repositories of the fake GitHub, while nothing changes there. Its memory, its processor time and that of the programs
//! it starts, and what was taken off the rate limit.
//!
//! `cargo bench -p tests --bench idle` measures two minutes of each form; with `-- --short` it is half a minute.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use harness::{
    github::{GitHub, Role},
    world::{BOT, LoopFile, World},
};

const LOOPS: usize = 100;
const REPOSITORIES: usize = 20;

fn main() -> anyhow::Result<()> {
    let short = std::env::args().any(|arg| arg == "--short");
    let span = Duration::from_secs(if short { 30 } else { 120 });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(span))
}

fn repository(n: usize) -> String {
    format!("acme/shop-{}", n % REPOSITORIES)
}

fn define(world: &World, every: &'static str) {
    for n in 0..LOOPS {
        let file = LoopFile::new(&format!("loop-{n}"), "true")
            .on_github(&repository(n))
            .every(every);
        world.define(&file);
    }
}

async fn lay_out(world: &World) -> GitHub {
    let hub = world.github(&[("README.md", "A shop")], "").await;
    let mut there = hub.world();
    for n in 0..REPOSITORIES {
        let name = repository(n);
        there.add_repository(&name);
        there.grant(&name, BOT, Role::Write);
        there.commit(&name, "main", "carol", &[("README.md", Some("A shop"))], "Begin");
        for issue in 0..10 {
            // Of somebody whose word alone starts nothing.
            there.open_issue(
                &name,
                "dave",
                &format!("It is slow ({issue})"),
                "Every page takes a minute.",
            );
        }
    }
    drop(there);
    hub
}

/// Who has asked for which repository's issues so far.
fn asked(hub: &GitHub) -> BTreeSet<String> {
    let issues = hub
        .requests()
        .into_iter()
        .filter(|request| request.path.ends_with("/issues"));
    issues.map(|request| request.path).collect()
}

async fn measure(span: Duration) -> anyhow::Result<()> {
    let world = World::start().await;
    let hub = lay_out(&world).await;
    define(&world, "20s");
    let mut child = world.spawn(["serve", "--grace", "1"]);
    let pid = child.pid();
    tokio::select! {
        // What it says has to be read, or it waits for its reader.
        _ = child.says("nothing that is ever said") => anyhow::bail!("the service has ended"),
        measured = wait(&world, &hub, pid, span) => measured?,
    }
    child.interrupt();
    let ended = world.end(child).await;
    anyhow::ensure!(ended.code == 0, "{ended}");
    hub.check();
    world.close().await;
    Ok(())
}

/// Measures both forms while the service waits.
async fn wait(world: &World, hub: &GitHub, pid: u32, span: Duration) -> anyhow::Result<()> {
    println!(
        "| 100 loops at GitHub, nothing new | of a core, alone | with git | resident, most | looks | off the limit |"
    );
    println!("|---|---|---|---|---|---|");
    // Each loop reads everything once, and once more, so that what follows is what waiting costs.
    tokio::time::sleep(Duration::from_secs(60)).await;
    anyhow::ensure!(
        asked(hub).len() == REPOSITORIES,
        "not all was read: {:?}",
        asked(hub)
    );
    for every in ["1m", "10m"] {
        define(world, every);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (before, began) = (spent(pid)?, Instant::now());
        let requests = hub.requests().len();
        let mut most = 0;
        while began.elapsed() < span {
            tokio::time::sleep(Duration::from_millis(500)).await;
            most = most.max(resident(pid)?);
        }
        let (after, took) = (spent(pid)?, began.elapsed().as_secs_f64());
        let since = hub.requests().split_off(requests);
        let cost = since.iter().filter(|request| request.cost).count();
        println!(
            "| each looks every {every} | {:.2} % | {:.2} % | {:.1} MiB | {} requests | {cost} |",
            (after.0 - before.0) / took * 100.0,
            (after.0 + after.1 - before.0 - before.1) / took * 100.0,
            most as f64 / 1_024.0,
            since.len(),
        );
    }
    Ok(())
}

/// Seconds of processor time that a process has had, and those of the programs it started and that have ended.
fn spent(pid: u32) -> anyhow::Result<(f64, f64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).context("the service has ended")?;
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let ticks: Vec<f64> = after_name
        .split_whitespace()
        .skip(11)
        .take(4)
        .filter_map(|ticks| ticks.parse().ok())
        .collect();
    let [user, system, their_user, their_system] = ticks[..] else {
        anyhow::bail!("the kernel's account cannot be read: {text}")
    };
    // The kernel counts in hundredths.
    Ok(((user + system) / 100.0, (their_user + their_system) / 100.0))
}

/// What a process holds in memory, KiB.
fn resident(pid: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).context("the service has ended")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    kib.context("the kernel does not say what is resident")
}
