//! How long our sandbox takes to run `true`, beside bubblewrap alone with the same walls of its own (namespaces, no
//! privileges, the system read-only). Both are measured turn by turn; medians are printed with their ratio, and so is
//! the processors' time, which other work on the machine disturbs less.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use loops::spec::{SandboxLimits, Toolchains};
use workers::sandbox::{Policy, Sandbox};

const ROUNDS: usize = 200;
const ALONE: &[&str] = &[
    "--unshare-all",
    "--die-with-parent",
    "--new-session",
    "--clearenv",
    "--cap-drop",
    "ALL",
    "--uid",
    "1000",
    "--gid",
    "1000",
    "--ro-bind",
    "/usr",
    "/usr",
    "--symlink",
    "usr/bin",
    "/bin",
    "--symlink",
    "usr/lib",
    "/lib",
    "--symlink",
    "usr/lib64",
    "/lib64",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--tmpfs",
    "/tmp",
    "--",
    "/usr/bin/true",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let sandbox = Sandbox::find(env!("CARGO_BIN_EXE_sandbox-helper").into())?;
    // As it ships: the launcher is the whole service, whose tables the loader has to fill each time.
    let shipped = Sandbox::find(env!("CARGO_BIN_EXE_service").into())?;
    let folder = tempfile::tempdir()?;
    let workspace = folder.path().join("workspace");
    std::fs::create_dir(&workspace)?;
    let limits = SandboxLimits {
        toolchains: Toolchains::None,
        ..SandboxLimits::default()
    };
    let policy = |limits: &SandboxLimits| Policy {
        workspace: workspace.clone(),
        layers: None,
        writable: true,
        mirror_objects: None,
        relay: None,
        limits: Some(limits.clone()),
        scratch: folder.path().to_owned(),
        env: BTreeMap::new(),
    };
    let (bare, whole) = (policy(&limits), policy(&SandboxLimits::default()));
    let (mut alone, mut ours, mut with_toolchains) = (Vec::new(), Vec::new(), Vec::new());
    let mut by_service = Vec::new();
    let mut spent = [0; 4];
    for _ in 0..ROUNDS {
        let before = spent_by_children()?;
        let began = Instant::now();
        let ended = Command::new("bwrap").args(ALONE).stdout(Stdio::null()).status()?;
        anyhow::ensure!(ended.success(), "bubblewrap alone did not come up");
        alone.push(began.elapsed());
        let first = spent_by_children()?;
        ours.push(once(&sandbox, &bare).await?);
        let second = spent_by_children()?;
        with_toolchains.push(once(&sandbox, &whole).await?);
        let third = spent_by_children()?;
        by_service.push(once(&shipped, &whole).await?);
        let turns = [
            first - before,
            second - first,
            third - second,
            spent_by_children()? - third,
        ];
        spent.iter_mut().zip(turns).for_each(|(all, turn)| *all += turn);
    }
    let base = median(&mut alone);
    let mut out = std::io::stdout().lock();
    // The kernel counts in hundredths of a second.
    let processor = |spent: u64| spent as f64 * 10.0 / ROUNDS as f64;
    let least = processor(spent[0]);
    writeln!(
        out,
        "bubblewrap alone          {:>7.2} ms              processors {least:>6.2} ms",
        ms(base)
    )?;
    for (name, times, spent) in [
        ("ours, system only", &mut ours, spent[1]),
        ("ours, with toolchains", &mut with_toolchains, spent[2]),
        ("the same by the service", &mut by_service, spent[3]),
    ] {
        let (time, spent) = (median(times), processor(spent));
        writeln!(
            out,
            "{name:<25} {:>7.2} ms  {:.2} times  processors {spent:>6.2} ms  {:.2} times",
            ms(time),
            ms(time) / ms(base),
            spent / least
        )?;
    }
    Ok(())
}

async fn once(sandbox: &Sandbox, policy: &Policy) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let ran = sandbox.attend(policy, &[OsString::from("/usr/bin/true")]).await?;
    anyhow::ensure!(ran.exit_code == Some(0), "{ran:?}");
    Ok(began.elapsed())
}

/// What all ended children have taken of the processors, in hundredths of a second.
fn spent_by_children() -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    // `cutime` and `cstime` are fields 16 and 17, the state after the name is field 3.
    let field = |number: usize| {
        fields
            .get(number - 3)
            .and_then(|text| text.parse::<u64>().ok())
            .unwrap_or(0)
    };
    Ok(field(16) + field(17))
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
