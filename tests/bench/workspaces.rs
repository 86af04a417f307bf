//! How long a workspace takes to be made, beside `git worktree add` and `git clone --shared` of the same repository in
//! the same run; how long the first `git status` in it takes, and the reading of a change; and fifty at once.
//!
//! And what `setup` left (20,000 files) brought to an attempt as a layer and as a copy: `-- setup` does that alone.
//!
//! `cargo bench -p tests --bench workspaces [-- FILES…]`; where it may not mount layers it says so and ends.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use loops::spec::{SandboxLimits, Toolchains};
use workers::{
    git::Mirror,
    sandbox::{Policy, Sandbox},
    workspace::Workspace,
};

/// How often each is done where a checkout takes long, and where it does not.
const SLOW: usize = 5;
const QUICK: usize = 51;
const AT_ONCE: usize = 50;

struct World {
    folder: tempfile::TempDir,
    base: String,
}

impl World {
    /// A repository of so many files, each of a few lines, fifty to a folder.
    async fn new(files: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let repository = folder.path().join("repository");
        for number in 0..files {
            let at = repository.join(format!("d{}/s{}", number / 1000, number / 50));
            if number % 50 == 0 {
                fs::create_dir_all(&at)?;
            }
            let text = format!("// file {number}\n").repeat(20);
            fs::write(at.join(format!("f{number}.rs")), text)?;
        }
        git(&repository, &["init", "-q", "-b", "main", "."])?;
        git(&repository, &["add", "-A"])?;
        git(
            &repository,
            &[
                "-c",
                "user.name=p",
                "-c",
                "user.email=p@x",
                "commit",
                "-q",
                "-m",
                "first",
            ],
        )?;
        let mirror = folder.path().join("mirror");
        let base = Mirror::update(&repository.to_string_lossy(), &mirror, "main").await?;
        Ok(Self { folder, base })
    }

    fn mirror(&self) -> PathBuf {
        self.folder.path().join("mirror")
    }

    /// A folder that is not there yet.
    fn scratch(&self, name: &str, number: usize) -> PathBuf {
        self.folder.path().join(format!("{name}-{number}"))
    }

    async fn layered(&self, number: usize) -> anyhow::Result<(Workspace, PathBuf)> {
        let scratch = self.scratch("layered", number);
        fs::create_dir_all(&scratch)?;
        let made = Workspace::create_layered(&self.mirror(), &self.base, None, &scratch).await?;
        Ok((made, scratch))
    }
}

fn git(folder: &Path, args: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("git")
        .args(["-c", "gc.auto=0"])
        .args(args)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    anyhow::ensure!(status.success(), "git {args:?} failed");
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(Duration, T)> {
    let began = Instant::now();
    let done = work()?;
    Ok((began.elapsed(), done))
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let sandbox = Sandbox::find(env!("CARGO_BIN_EXE_sandbox-helper").into())?;
    let asked: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let sizes = if asked.is_empty() {
        vec![5_000, 50_000]
    } else {
        asked
    };
    if let Err(why) = sandbox.layers_in(&std::env::temp_dir()).await {
        say(&format!("workspaces cannot be layered here: {why}"))?;
        return Ok(());
    }
    if !std::env::args().any(|word| word == "setup") {
        for files in sizes {
            one_size(&sandbox, files).await?;
        }
    }
    setup_brought(&sandbox).await
}

/// Copies of twenty thousand files take long.
const FEW: usize = 3;
/// A `node_modules` of so many files.
const SETUP: &str = "python3 -c \"import os\nfor n in range(20000):\n  d = 'node_modules/p%d' % (n // 50)\n  os.makedirs(d, exist_ok=True)\n  open(d + '/f%d.js' % n, 'w').write('module.exports = %d;\\n' % n * 40)\"";

/// From an attempt's begin until its first command has ended, which reads one file of what setup left.
async fn setup_brought(sandbox: &Sandbox) -> anyhow::Result<()> {
    let world = World::new(100).await?;
    let setup: loops::spec::Setup = serde_json::from_value(serde_json::json!({ "run": SETUP }))?;
    let cache = world.folder.path().join("cache");
    let (mut layers, mut copies) = (vec![], vec![]);
    // The first of all runs it, and is not counted.
    for round in 0..=FEW {
        for layered in [true, false] {
            let scratch = world.scratch(if layered { "by-layer" } else { "by-copy" }, round);
            fs::create_dir_all(&scratch)?;
            let began = Instant::now();
            let workspace = if layered {
                Workspace::create_layered(&world.mirror(), &world.base, None, &scratch).await?
            } else {
                Workspace::create(&world.mirror(), &world.base, None, &scratch).await?
            };
            let mut policy = Policy {
                workspace: workspace.root().to_owned(),
                layers: workspace.layers(),
                writable: true,
                mirror_objects: Some(workspace.mirror_objects()),
                relay: None,
                limits: Some(SandboxLimits::default()),
                scratch: scratch.clone(),
                env: BTreeMap::new(),
            };
            workspace.prepare(&setup, &cache, sandbox, &mut policy).await?;
            let shell = "cat node_modules/p399/f19999.js | wc -l";
            let ran = sandbox.run(&policy, shell, Duration::from_secs(60), 4096).await?;
            anyhow::ensure!(ran.output == "40\n", "{ran:?}");
            if round > 0 {
                let times = if layered { &mut layers } else { &mut copies };
                times.push(began.elapsed());
            }
            fs::remove_dir_all(&scratch)?;
        }
    }
    let (layer, copy) = (median(layers), median(copies));
    say("\n20,000 files that setup left, until a first command has ended")?;
    say(&format!("  as a layer                 {layer:>9.1} ms"))?;
    say(&format!(
        "  as a copy                  {copy:>9.1} ms   {:.0} times",
        copy / layer
    ))
}

async fn one_size(sandbox: &Sandbox, files: usize) -> anyhow::Result<()> {
    let world = World::new(files).await?;
    let began = Instant::now();
    drop(world.layered(0).await?);
    let first = began.elapsed().as_secs_f64() * 1000.0;
    let (mirror, commit) = (world.mirror(), world.base.clone());
    let (mut worktrees, mut clones, mut wholes, mut layered) = (vec![], vec![], vec![], vec![]);
    for round in 0..SLOW {
        let at = world.scratch("worktree", round);
        let at_text = at.to_string_lossy().into_owned();
        worktrees.push(timed(|| git(&mirror, &["worktree", "add", "-q", "--detach", &at_text, &commit]))?.0);
        fs::remove_dir_all(&at)?;
        let at = world.scratch("clone", round);
        let at_text = at.to_string_lossy().into_owned();
        clones.push(
            timed(|| {
                git(
                    &mirror,
                    &["clone", "-q", "--shared", "--no-checkout", ".", &at_text],
                )?;
                git(&at, &["checkout", "-q", "--detach", &commit])
            })?
            .0,
        );
        fs::remove_dir_all(&at)?;
        let scratch = world.scratch("whole", round);
        let began = Instant::now();
        let made = Workspace::create(&mirror, &commit, None, &scratch).await?;
        wholes.push(began.elapsed());
        drop(made);
        fs::remove_dir_all(&scratch)?;
        for number in 0..QUICK / SLOW {
            let began = Instant::now();
            let made = world.layered(round * QUICK + number).await?;
            layered.push(began.elapsed());
            drop(made);
        }
    }
    let (status, capture) = in_use(sandbox, &world).await?;
    let at_once = at_once(&world).await?;
    let failed = worktrees_at_once(&world)?;
    let ours = median(layered);
    say(&format!("\n{files} files"))?;
    say(&format!(
        "  layered workspace          {ours:>9.1} ms   (the first, which checks out: {first:.0} ms)"
    ))?;
    for (name, times) in [
        ("git worktree add", worktrees),
        ("git clone --shared", clones),
        ("whole workspace of ours", wholes),
    ] {
        let time = median(times);
        say(&format!("  {name:<26} {time:>9.1} ms   {:.0} times", time / ours))?;
    }
    say(&format!(
        "  first `git status` inside  {status:>9.1} ms   (with the start of git)"
    ))?;
    say(&format!("  a change of 3 files read   {capture:>9.1} ms"))?;
    say(&format!(
        "  {AT_ONCE} layered at once, all     {at_once:>9.1} ms   none failed"
    ))?;
    say(&format!(
        "  {AT_ONCE} `worktree add` at once           {failed} failed"
    ))?;
    Ok(())
}

/// The first `git status` inside, by its own clock, and a change read.
async fn in_use(sandbox: &Sandbox, world: &World) -> anyhow::Result<(f64, f64)> {
    let (mut statuses, mut captures) = (vec![], vec![]);
    for round in 0..SLOW {
        let (workspace, scratch) = world.layered(10_000 + round).await?;
        let policy = Policy {
            workspace: workspace.root().to_owned(),
            layers: workspace.layers(),
            writable: true,
            mirror_objects: Some(workspace.mirror_objects()),
            relay: None,
            limits: Some(SandboxLimits {
                toolchains: Toolchains::None,
                ..SandboxLimits::default()
            }),
            scratch,
            env: BTreeMap::new(),
        };
        let script = "a=$(date +%s%N); git status --short; b=$(date +%s%N); echo $(( (b - a) / 1000 )); \
                      echo x >> d0/s0/f0.rs; rm d0/s1/f50.rs; echo n > new";
        let ran = sandbox
            .run(&policy, script, Duration::from_secs(60), 4096)
            .await?;
        let micros: u64 = ran
            .output
            .trim()
            .parse()
            .map_err(|_| anyhow::anyhow!("{ran:?}"))?;
        statuses.push(Duration::from_micros(micros));
        let began = Instant::now();
        let change = workspace.capture().await?;
        captures.push(began.elapsed());
        anyhow::ensure!(change.is_some(), "the change was not seen");
    }
    Ok((median(statuses), median(captures)))
}

async fn at_once(world: &World) -> anyhow::Result<f64> {
    let world = Arc::new((world.mirror(), world.base.clone(), world.folder.path().to_owned()));
    let began = Instant::now();
    let all: Vec<_> = (0..AT_ONCE)
        .map(|number| {
            let world = world.clone();
            tokio::spawn(async move {
                let scratch = world.2.join(format!("at-once-{number}"));
                fs::create_dir_all(&scratch)?;
                anyhow::Ok(Workspace::create_layered(&world.0, &world.1, None, &scratch).await?)
            })
        })
        .collect();
    for one in all {
        one.await??;
    }
    Ok(began.elapsed().as_secs_f64() * 1000.0)
}

/// How many of as many `worktree add` at once fail; the mirror's own lock is why.
fn worktrees_at_once(world: &World) -> anyhow::Result<usize> {
    let mut children = Vec::new();
    for number in 0..AT_ONCE {
        let at = world.scratch("tree-at-once", number);
        let child = Command::new("git")
            .args(["worktree", "add", "-q", "--no-checkout", "--detach"])
            .arg(&at)
            .arg(&world.base)
            .current_dir(world.mirror())
            .stderr(Stdio::null())
            .spawn()?;
        children.push(child);
    }
    let mut failed = 0;
    for mut child in children {
        failed += usize::from(!child.wait()?.success());
    }
    Ok(failed)
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")?;
    Ok(())
}
