//! The same attacks as somebody else: as an ordinary user, whom root's tests would otherwise leave out, and as those who
//! have less than they seem to (root in a container, root of a namespace, a sandbox in a sandbox). There the walls stand, or
//! nothing starts and it is said why.
//!
//! The tests start themselves once more, as that user. Started by an ordinary user they have been played as one already.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::{Command, Output},
};

use loops::spec::SandboxLimits;
use tempfile::TempDir;

use crate::programs;

/// A user that nobody is; it needs no name.
const USER: u32 = 65_432;
/// Set to `whole`, all attacks are played as the user and not a share of them: `./x redteam --user`.
const HOW_MANY: &str = "LOOPS_REDTEAM";
/// Names GitHub's document, which lies where the user may not look.
const DOCUMENT: &str = "LOOPS_GITHUB_OPENAPI";
/// Who is expected to play.
const WHO: &str = "LOOPS_REDTEAM_AS";
/// What is played as the user in any case: whatever attacks the sandbox itself.
const SHARE: &[&str] = &[
    "redteam::reading::",
    "redteam::writing::",
    "redteam::escaping::",
    "redteam::network::",
];
/// What needs a toolchain of the user's own.
const NEEDS_TOOLS: &[&str] = &["the_toolchains_of_the_host", "builds_go_on_behind"];
/// What Docker leaves to root unless it is told otherwise: not the right to mount.
const IN_DOCKER: &str = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap";

/// Copies of the programs that anybody reaches, and a folder of the user's own.
struct Stage(TempDir);

impl Stage {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("ordinary-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for (name, path) in programs::BUILT {
            fs::copy(path, folder.path().join(name)).unwrap();
        }
        fs::copy(std::env::current_exe().unwrap(), folder.path().join("it")).unwrap();
        if let Some(document) = std::env::var_os(DOCUMENT) {
            fs::copy(document, folder.path().join("api.json")).unwrap();
        }
        let own = folder.path().join("own");
        fs::create_dir(&own).unwrap();
        chown(&own, Some(USER), Some(USER)).unwrap();
        Self(folder)
    }

    fn at(&self) -> &Path {
        self.0.path()
    }

    /// Plays tests as whom these words become.
    fn play(&self, become_words: &[&str], who: u32, tests: &[&str]) -> Output {
        let mut command = Command::new(become_words[0]);
        command
            .args(&become_words[1..])
            .arg(self.at().join("it"))
            .args(tests)
            .args(["--test-threads", "2", "--nocapture"])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.at().join("own"))
            .env("TMPDIR", self.at().join("own"))
            .env(programs::COPIES, self.at())
            .env(WHO, who.to_string())
            .current_dir("/");
        let document = self.at().join("api.json");
        if document.exists() {
            command.env(DOCUMENT, document);
        }
        command.output().unwrap()
    }
}

fn words(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn are_we_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn as_user() -> Vec<&'static str> {
    // Not more than a string of USER: a test below holds them together.
    vec!["setpriv", "--reuid=65432", "--regid=65432", "--clear-groups"]
}

/// Played by those who are started here: they are whom they should be.
#[test]
fn whoever_plays_is_who_should() {
    use std::os::unix::fs::MetadataExt as _;
    if let Some(who) = std::env::var_os(WHO) {
        let us = fs::metadata("/proc/self").unwrap().uid();
        assert_eq!(who.to_string_lossy(), us.to_string());
    }
}

/// Played by those who are started here: what they are told of the sandbox.
#[tokio::test]
async fn the_sandbox_comes_up_or_says_why_not() {
    let said = match crate::sandbox::sandbox().check(&SandboxLimits::default()).await {
        Ok(()) => "it is up".to_owned(),
        Err(error) => error.to_string(),
    };
    std::io::Write::write_all(&mut std::io::stderr(), format!("SANDBOX: {said}\n").as_bytes()).unwrap();
}

const THEY: &str = "redteam::ordinary::whoever_plays_is_who_should";
const SAYS: &str = "redteam::ordinary::the_sandbox_comes_up";

#[test]
fn an_ordinary_user_is_held_by_the_same_walls() {
    if !are_we_root() {
        return;
    }
    assert!(as_user()[1].ends_with(&format!("={USER}")));
    let stage = Stage::new();
    let whole = std::env::var_os(HOW_MANY).is_some_and(|word| word == "whole");
    let mut tests = vec![THEY];
    if whole {
        tests.extend([
            "redteam::",
            "sandbox",
            "--skip",
            "an_ordinary_user",
            "--skip",
            "whoever_has_less",
        ]);
        tests.extend(NEEDS_TOOLS.iter().flat_map(|name| ["--skip", *name]));
    } else {
        tests.extend(SHARE);
    }
    let output = stage.play(&as_user(), USER, &tests);
    let said = words(&output);
    assert!(output.status.success(), "{said}");
    let played = said.matches("... ok").count();
    assert!(played > SHARE.len(), "{played} tests were played: {said}");
    if whole {
        std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("{played} tests as user {USER}\n").as_bytes(),
        )
        .unwrap();
    }
}

/// What becomes of a sandbox where less is allowed.
enum Then {
    /// It comes up, and its walls hold.
    Holds,
    /// It does not come up, and says this.
    Says(&'static str),
}

#[test]
fn whoever_has_less_than_it_seems_is_held_or_refused_with_the_reason() {
    if !are_we_root() {
        return;
    }
    let stage = Stage::new();
    let bounding = format!("--bounding-set={IN_DOCKER}");
    let in_sandbox = [
        "bwrap",
        "--unshare-user",
        "--unshare-pid",
        "--bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
    ];
    let cases: [(&str, Vec<&str>, u32, Then); 4] = [
        (
            "root in a container, without the right to mount",
            vec!["setpriv", &bounding],
            0,
            Then::Holds,
        ),
        (
            "a user in another sandbox",
            [as_user(), in_sandbox.to_vec()].concat(),
            USER,
            Then::Holds,
        ),
        (
            "a user in another sandbox that forbids more of them",
            [as_user(), in_sandbox.to_vec(), vec!["--disable-userns"]].concat(),
            USER,
            Then::Says("does not let ordinary users make namespaces"),
        ),
        (
            "root of a namespace that has no other user",
            [as_user(), vec!["unshare", "--user", "--map-root-user"]].concat(),
            0,
            Then::Says("no other user, so the sandbox would be root as well"),
        ),
    ];
    for (name, become_words, who, then) in cases {
        let told = words(&stage.play(&become_words, who, &[THEY, SAYS]));
        assert!(told.contains("2 passed"), "{name}: {told}");
        match then {
            Then::Holds => {
                assert!(told.contains("SANDBOX: it is up"), "{name}: {told}");
                let played = stage.play(&become_words, who, &["redteam::escaping::", "redteam::reading::"]);
                assert!(played.status.success(), "{name}: {}", words(&played));
            }
            Then::Says(why) => assert!(told.contains(why), "{name}: {told}"),
        }
    }
    // What root would have to mount, and may not: a toolchain in a folder of its own.
    let own = stage.at().join("closed");
    let bin = own.join("python/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("python3"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(bin.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o700)).unwrap();
    let path = format!("PATH={}:/usr/bin:/bin:/usr/sbin", bin.display());
    let told = words(&stage.play(&["env", &path, "setpriv", &bounding], 0, &[SAYS]));
    assert!(told.contains("has no right to mount (CAP_SYS_ADMIN)"), "{told}");
    let told = words(&stage.play(&["env", &path], 0, &[SAYS]));
    assert!(
        told.contains("SANDBOX: it is up"),
        "the control: with the right it is: {told}"
    );
}
