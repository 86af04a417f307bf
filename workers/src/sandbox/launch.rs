//! The launcher, a process of one thread: as root it makes the sources reachable for a user who is nobody, becomes that
//! user and then bubblewrap; inside the new sandbox it sets the ceilings and becomes the program. It reads only the
//! plan that we wrote.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Seek as _, Write as _},
    os::{
        fd::AsRawFd as _,
        unix::{ffi::OsStrExt as _, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::{
        prctl,
        resource::{Resource, getrlimit, setrlimit},
        signal::Signal,
    },
    unistd::{Gid, Pid, Uid, setgroups, setresgid, setresuid},
};

use super::{
    forward, landlock, layers,
    plan::{BEGUN, Ceilings, Plan, Step},
    seccomp, stage,
};

/// The exit code when the sandbox did not come up.
const NOT_UP: u8 = 125;

#[derive(Debug, thiserror::Error)]
pub(super) enum LaunchError {
    #[error("{what}: {error}")]
    System { what: String, error: std::io::Error },
    #[error("the plan cannot be read: {0}")]
    Plan(serde_json::Error),
    #[error(transparent)]
    Wall(#[from] landlock::WallError),
    #[error(transparent)]
    Filter(#[from] seccomp::FilterError),
    #[error(
        "we are root in a user namespace that has no other user, so the sandbox would be root as well; give the namespace \
         more users (`/etc/subuid`, `newuidmap`), or start Loops as an ordinary user"
    )]
    Alone,
    #[error(
        "`{}` cannot be reached by the user that a sandbox runs as, and this root has no right to mount (CAP_SYS_ADMIN), by \
         which it could be shown; put it where everybody may read it, take it from PATH, write `sandbox.toolchains: none`, or \
         give the right",
        _0.display()
    )]
    Unreachable(PathBuf),
    #[error("called wrongly; `sandbox-launch` is for the service's own use")]
    Called,
}

/// Wraps what the system said.
pub(super) fn system<E: Into<std::io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> LaunchError {
    move |error| LaunchError::System {
        what: what.into(),
        error: error.into(),
    }
}

/// `loops sandbox-launch PLAN`, `loops sandbox-launch --inside …` and the two stages of `forward`.
#[must_use]
pub fn launch_main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(2).collect();
    let result = match args.as_slice() {
        [first, rest @ ..] if first == "--inside" => inside(rest),
        [stage] if stage == forward::APART => match forward::leave_apart() {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => Err(error),
        },
        [stage] if stage == forward::SERVE => forward::serve(),
        [plan] => launch(Path::new(plan)),
        _ => Err(LaunchError::Called),
    };
    match result {
        Ok(never) => match never {},
        Err(error) => {
            // If nobody reads it, the exit code still says it.
            let _ = writeln!(std::io::stderr(), "loops: {error}");
            ExitCode::from(NOT_UP)
        }
    }
}

type Never = std::convert::Infallible;

fn launch(path: &Path) -> Result<Never, LaunchError> {
    let text = fs::read(path).map_err(system(path.to_string_lossy()))?;
    fs::remove_file(path).map_err(system(path.to_string_lossy()))?;
    let mut plan: Plan = serde_json::from_slice(&text).map_err(LaunchError::Plan)?;
    for entrance in &plan.entrances {
        fs::write(entrance, "0").map_err(system(format!(
            "entering the control group `{}`",
            entrance.display()
        )))?;
    }
    if let Some(uid) = plan.uid {
        if uid == 0 {
            return Err(LaunchError::Alone);
        }
        stage::lay_out(&mut plan, uid)?;
        become_nobody(uid)?;
        if plan.root.is_none() {
            all_reachable(&plan)?;
        }
    }
    layers::mount_all(&plan.steps)?;
    prctl::set_no_new_privs().map_err(system("giving up privileges"))?;
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(system("tying our life to our parent's"))?;
    let words = words(&plan)?;
    let error = Command::new(&plan.bwrap)
        .env_clear()
        .arg("--args")
        .arg(words.as_raw_fd().to_string())
        .arg("--")
        .args(&plan.argv)
        .exec();
    Err(system(plan.bwrap.to_string_lossy())(error))
}

/// Whether whom we have become reaches what is to be mounted; bubblewrap would only say that it is not there.
fn all_reachable(plan: &Plan) -> Result<(), LaunchError> {
    for source in plan.steps.iter().flat_map(Step::sources) {
        if fs::symlink_metadata(source).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
            return Err(LaunchError::Unreachable(source.clone()));
        }
    }
    Ok(())
}

fn become_nobody(uid: u32) -> Result<(), LaunchError> {
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
    setgroups(&[]).map_err(system("leaving root's groups"))?;
    setresgid(group, group, group).map_err(system("leaving root's group"))?;
    setresuid(user, user, user).map_err(system(format!("becoming user {uid}")))
}

/// What bubblewrap is told, in a file without a name, because a command line can be read by everybody.
fn words(plan: &Plan) -> Result<File, LaunchError> {
    let mut bytes = vec![];
    let mut word = |word: &OsStr| {
        bytes.extend_from_slice(word.as_bytes());
        bytes.push(0);
    };
    if let Some(root) = &plan.root {
        word(OsStr::new("--bind"));
        word(root.as_os_str());
        word(OsStr::new("/"));
    }
    let laid_out = |source: &Path| plan.root.as_ref().is_some_and(|root| source.starts_with(root));
    for step in &plan.steps {
        match step {
            // It lies in the root already.
            Step::Bind { source, .. } | Step::Layered { source, .. } if laid_out(source) => {}
            Step::Tell(words) => words.iter().for_each(|said| word(said)),
            Step::Bind {
                source,
                target,
                writable,
            }
            | Step::Layered {
                source,
                target,
                writable,
                ..
            } => {
                word(OsStr::new(if *writable { "--bind" } else { "--ro-bind" }));
                word(source.as_os_str());
                word(target.as_os_str());
            }
        }
    }
    let mut file: File = nix::sys::memfd::memfd_create("sandbox", nix::sys::memfd::MFdFlags::empty())
        .map_err(system("making a file in memory"))?
        .into();
    file.write_all(&bytes)
        .and_then(|()| file.rewind())
        .map_err(system("writing to memory"))?;
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).map_err(system("keeping a file open"))?;
    Ok(file)
}

/// The second stage, already inside: `PROCESSES FILES BYTES CPUS FIRST-CPU FORWARD PROGRAM ARGS…`.
fn inside(args: &[OsString]) -> Result<Never, LaunchError> {
    let [
        processes,
        open_files,
        file_bytes,
        cpus,
        first_cpu,
        forwards,
        program,
        rest @ ..,
    ] = args
    else {
        return Err(LaunchError::Called);
    };
    let number = |text: &OsString| {
        text.to_str()
            .and_then(|text| text.parse::<u64>().ok())
            .ok_or(LaunchError::Called)
    };
    set_ceilings(&Ceilings {
        processes: number(processes)?,
        open_files: number(open_files)?,
        file_bytes: number(file_bytes)?,
        cpus: usize::try_from(number(cpus)?).unwrap_or(usize::MAX),
        first_cpu: usize::try_from(number(first_cpu)?).unwrap_or(0),
    })?;
    // The file was bound for this one word; that it comes after all walls stand is what makes it true. It is opened
    // before, because the second wall lets nobody write there.
    let mut begun = OpenOptions::new()
        .write(true)
        .open(BEGUN)
        .map_err(system(BEGUN))?;
    landlock::build()?;
    seccomp::install()?;
    if number(forwards)? == 1 {
        forward::begin()?;
    }
    begun.write_all(b"up").map_err(system(BEGUN))?;
    drop(begun);
    let error = Command::new(program).args(rest).exec();
    Err(system(program.to_string_lossy())(error))
}

pub(super) fn set_ceilings(ceilings: &Ceilings) -> Result<(), LaunchError> {
    let limits = [
        (Resource::RLIMIT_NPROC, ceilings.processes),
        (Resource::RLIMIT_NOFILE, ceilings.open_files),
        (Resource::RLIMIT_FSIZE, ceilings.file_bytes),
        (Resource::RLIMIT_CORE, 0),
    ];
    for (resource, most) in limits {
        let (_, hard) = getrlimit(resource).map_err(system("reading limits"))?;
        let most = most.min(hard);
        setrlimit(resource, most, most).map_err(system(format!("setting {resource:?}")))?;
    }
    let ourselves = Pid::from_raw(0);
    let allowed = sched_getaffinity(ourselves).map_err(system("reading processors"))?;
    let all: Vec<usize> = (0..CpuSet::count())
        .filter(|cpu| allowed.is_set(*cpu) == Ok(true))
        .collect();
    if ceilings.cpus < all.len() {
        let mut chosen = CpuSet::new();
        for cpu in all
            .iter()
            .cycle()
            .skip(ceilings.first_cpu % all.len())
            .take(ceilings.cpus)
        {
            chosen.set(*cpu).map_err(system("choosing processors"))?;
        }
        sched_setaffinity(ourselves, &chosen).map_err(system("choosing processors"))?;
    }
    Ok(())
}
