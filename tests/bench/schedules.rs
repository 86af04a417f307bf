//! Ten thousand loops by their schedules: whether every tick leaves one receipt, how late, and what it costs to wait.
//! Beside it tokio-cron-scheduler with one job for each loop, over the same time.
//!
//! `cargo bench -p tests --bench schedules` takes ten minutes for each of the two; with `-- --short` it is one. The loops are
//! paused, so that a tick goes all the way to its receipt and no run's own work is measured. Each part is a process of its
//! own, so that memory is its own, too.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    collections::BTreeSet,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use loops::{
    schedule::next_due,
    spec::{self, Known, LoopSpec},
    time::Timestamp,
};
use orchestrator::{
    clock,
    config::Config,
    engine::{Definition, Engine, Home, Service, Specs, Word},
    gateway::Gateway,
    store::{Store, loops as rows, ticks},
};
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;
use workers::Machine;

/// The schedules, in turn: what we read, and for the peer an interval in seconds, or none for once a minute by the clock.
const MIX: [(&str, Option<u64>); 10] = [
    ("{ every: 1m }", Some(60)),
    ("{ every: 2m }", Some(120)),
    ("{ every: 5m }", Some(300)),
    ("{ every: 5m }", Some(300)),
    ("{ every: 10m }", Some(600)),
    ("{ every: 15m }", Some(900)),
    ("{ every: 30m }", Some(1_800)),
    ("{ every: 1h }", Some(3_600)),
    ("{ cron: '* * * * *' }", None),
    ("{ every: 1h }", Some(3_600)),
];

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let seconds = if has("--short") { 60 } else { 600 };
    if let Some(at) = args.iter().position(|arg| arg == "--part") {
        let part = args.get(at + 1).context("which part?")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(self::part(part, Duration::from_secs(seconds)));
    }
    println!("| what | ticks | lost or doubled | late p50 | p99 | most | of a core | resident |");
    println!("|---|---|---|---|---|---|---|---|");
    for part in ["ours", "peer", "hour", "idle-10000", "idle-100"] {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["--part", part])
            .args(has("--short").then_some("--short"));
        anyhow::ensure!(command.status()?.success(), "`{part}` failed");
    }
    Ok(())
}

async fn part(part: &str, span: Duration) -> anyhow::Result<()> {
    let quiet = [("{ every: 4w }", None)];
    match part {
        "ours" => ours("10,000 loops", 10_000, &MIX, span).await,
        "idle-10000" => ours("10,000 loops, nothing due", 10_000, &quiet, span / 2).await,
        "idle-100" => ours("100 loops, nothing due", 100, &quiet, span / 2).await,
        "peer" => peer(span).await,
        "hour" => hour().await,
        other => anyhow::bail!("there is no part `{other}`"),
    }
}

/// The service with loops that are paused.
struct Stage {
    engine: Engine,
    definitions: Vec<Definition>,
    _folder: tempfile::TempDir,
}

async fn stage(count: usize, mix: &[(&str, Option<u64>)]) -> anyhow::Result<Stage> {
    let folder = tempfile::tempdir()?;
    let config = Config::read(&folder.path().join("loops.yaml"), "state: state\n", None, &|_| {
        None
    })?;
    let store = Store::open(&config.state).await?;
    let gateway = Gateway::start(&config.models, store.clone(), None, None).await?;
    let mut tx = store.begin().await?;
    let mut definitions = Vec::with_capacity(count);
    for n in 0..count {
        let name = format!("loop-{n}");
        let definition = define(&name, mix[n % mix.len()].0)?;
        let value = serde_json::to_value(&*definition.spec)?;
        let now = clock::now();
        let path = definition.path.display().to_string();
        rows::upsert(&mut tx, &name, &definition.version, &value, &path, now).await?;
        rows::pause(&mut tx, &name, now).await?;
        definitions.push(definition);
    }
    tx.commit().await?;
    let home = Home::new(store, Arc::new(Machine { sandbox: None }), config.state, None);
    Ok(Stage {
        engine: Engine {
            home,
            gateway: Arc::new(gateway),
        },
        definitions,
        _folder: folder,
    })
}

fn define(name: &str, schedule: &str) -> anyhow::Result<Definition> {
    let yaml = format!(
        "name: {name}\nkind: fix\nrepo: ..\nschedule: {schedule}\nsources: [{{ file: {{ path: f }} }}]\nproposal: {{ as: report }}\n"
    );
    let known = Known {
        models: ["top", "standard", "small"].map(str::to_owned).to_vec(),
    };
    let spec: LoopSpec =
        spec::read(name, &yaml, &known).map_err(|errors| anyhow::anyhow!("{name}: {errors:?}"))?;
    Ok(Definition {
        version: spec::version(&spec),
        spec: Arc::new(spec),
        path: format!("{name}.yaml").into(),
        repository: None,
    })
}

/// Lateness in milliseconds, of all ticks.
type Late = Arc<Mutex<Vec<i64>>>;

impl Stage {
    fn service(&self, late: &Late) -> Service<'_> {
        let mut specs: Specs = Some((self.definitions.clone(), Vec::new()));
        let late = Arc::clone(late);
        Service::new(
            &self.engine,
            move || specs.take(),
            move |word| {
                if let Word::Skipped(_, due, _) = word
                    && let Ok(mut late) = late.lock()
                {
                    late.push(clock::now().0 - due.0);
                }
            },
        )
    }

    /// How many ticks that were due have no receipt, and how many receipts stand for nothing that was due.
    async fn wrong(&self, until: Timestamp) -> anyhow::Result<usize> {
        let store = &self.engine.home.store;
        let mut wrong = 0;
        for definition in &self.definitions {
            let name = &definition.spec.name;
            let row = rows::get(store, name).await?.context("the loop is there")?;
            let mut at = row.served_since.context("it is served")?;
            let mut due = BTreeSet::new();
            let schedule = definition.spec.schedule.as_ref().context("it has a schedule")?;
            while let Some(next) = next_due(schedule, name, at).filter(|next| *next <= until) {
                due.insert(next);
                at = next;
            }
            let all = ticks::list(store, name, 100_000).await?;
            let there: Vec<Timestamp> = all
                .iter()
                .map(|tick| tick.due_at)
                .filter(|due| *due <= until)
                .collect();
            let distinct: BTreeSet<Timestamp> = there.iter().copied().collect();
            wrong += there.len() - distinct.len() + due.symmetric_difference(&distinct).count();
        }
        Ok(wrong)
    }
}

async fn ours(what: &str, count: usize, mix: &[(&str, Option<u64>)], span: Duration) -> anyhow::Result<()> {
    let stage = stage(count, mix).await?;
    let late = Late::default();
    let stop = CancellationToken::new();
    let enough = {
        let stop = stop.clone();
        tokio::spawn(async move {
            // What it does at its start is not waiting.
            tokio::time::sleep(Duration::from_secs(5)).await;
            let before = (cpu(), Instant::now());
            tokio::time::sleep(span).await;
            let share = (cpu() - before.0) / before.1.elapsed().as_secs_f64();
            let resident = resident();
            stop.cancel();
            (share, resident)
        })
    };
    stage.service(&late).serve(&stop, Duration::ZERO).await?;
    let until = clock::now().minus(Duration::from_secs(1));
    let (share, resident) = enough.await?;
    let wrong = stage.wrong(until).await?;
    row(what, &late, &wrong.to_string(), share, resident);
    Ok(())
}

/// An hour of virtual time, as fast as it goes.
async fn hour() -> anyhow::Result<()> {
    static HANDS: AtomicI64 = AtomicI64::new(1_790_000_000_000);
    anyhow::ensure!(
        clock::install(|| Timestamp(HANDS.load(Ordering::SeqCst))),
        "the clock is taken"
    );
    let stage = stage(10_000, &MIX).await?;
    let late = Late::default();
    let mut service = stage.service(&late);
    service.begin().await?;
    let end = clock::now().plus(Duration::from_secs(3_600));
    let began = (cpu(), Instant::now());
    while let Some(next) = service.next().filter(|next| *next <= end) {
        HANDS.store(next.0.max(clock::now().0), Ordering::SeqCst);
        service.ring().await?;
    }
    let took = began.1.elapsed().as_secs_f64();
    let (share, resident) = ((cpu() - began.0) / took, resident());
    drop(service);
    let wrong = stage.wrong(end).await?;
    let what = format!("an hour of virtual time, in {took:.0} s");
    row(&what, &late, &wrong.to_string(), share, resident);
    Ok(())
}

/// tokio-cron-scheduler as its pages show it: one job for each loop.
async fn peer(span: Duration) -> anyhow::Result<()> {
    let late = Late::default();
    let mut scheduler = JobScheduler::new().await?;
    scheduler.start().await?;
    let mut every = Vec::new();
    for n in 0..10_000 {
        let late = Arc::clone(&late);
        let note = move |ms: i64| {
            if let Ok(mut late) = late.lock() {
                late.push(ms);
            }
        };
        let job = match MIX[n % MIX.len()].1 {
            Some(seconds) => {
                let began = Instant::now();
                every.push((began, seconds));
                Job::new_repeated(Duration::from_secs(seconds), move |_, _| {
                    let past = began.elapsed().as_millis() % u128::from(seconds * 1_000);
                    note(i64::try_from(past).unwrap_or(0));
                })?
            }
            None => Job::new("0 * * * * *", move |_, _| note(clock::now().0 % 60_000))?,
        };
        scheduler.add(job).await?;
    }
    if let Ok(mut late) = late.lock() {
        late.clear();
    }
    let (before, began) = (cpu(), Instant::now());
    let minutes = clock::now().0 / 60_000;
    tokio::time::sleep(span).await;
    let share = (cpu() - before) / began.elapsed().as_secs_f64();
    let resident = resident();
    // Half a second is the grain of its own clock; what falls due in the last second may still come.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ended = Instant::now();
    let mut due = usize::try_from((clock::now().0 / 60_000 - minutes) * 1_000)?;
    for (added, seconds) in every {
        let of = |at: Instant| (at - added).as_secs() / seconds;
        due += usize::try_from(of(ended) - of(began))?;
    }
    let fired = late.lock().map_or(0, |late| late.len());
    let lost = format!("{} of {due}", due.abs_diff(fired));
    row(
        "tokio-cron-scheduler, a job a loop",
        &late,
        &lost,
        share,
        resident,
    );
    // Its own end waits for nothing.
    let _ = scheduler.shutdown().await;
    Ok(())
}

fn row(what: &str, late: &Late, wrong: &str, share: f64, resident: u64) {
    let mut late = late.lock().map(|late| late.clone()).unwrap_or_default();
    late.sort_unstable();
    let at = |share: usize| {
        late.get((late.len() * share / 100).min(late.len().saturating_sub(1)))
            .map_or_else(|| "–".to_owned(), |ms| format!("{ms} ms"))
    };
    println!(
        "| {what} | {} | {wrong} | {} | {} | {} | {:.2} % | {resident} MiB |",
        late.len(),
        at(50),
        at(99),
        at(100),
        share * 100.0,
    );
}

/// Seconds of processor time that this process has had, in the kernel's hundredths.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let spent = after_name.split_whitespace().skip(11).take(2);
    spent.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// What this process holds in memory, MiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0)
        / 1_024
}
