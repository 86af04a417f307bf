//! Workspaces that share one checkout of their base: what an attempt does in one comes back as the same change that a
//! checkout of its own gives, and nothing that it does reaches another, the shared files, or us.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use loops::spec::{SandboxLimits, Toolchains};
use workers::{
    git::Mirror,
    order::Change,
    sandbox::{Policy, Ran},
    workspace::Workspace,
};

use super::sandbox::sandbox;

/// A repository, its mirror, and a folder for attempts, closed to others as a state folder is.
struct World {
    folder: tempfile::TempDir,
    base: String,
}

const FILES: &str = "mkdir -p src/deep app && echo one > a && echo two > src/b && echo three > src/deep/c && echo four > src/deep/d \
     && printf '#!/bin/sh\\necho ran\\n' > tool && chmod +x tool && ln -s src/b link && echo '*.log' > .gitignore && echo five > app/e";

impl World {
    async fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("repository");
        fs::create_dir(&repository).unwrap();
        let commit = "git add -A && git -c user.name=p -c user.email=p@x commit -q -m first";
        let made = Command::new("sh")
            .args(["-ec", &format!("git init -q -b main . && {script} && {commit}")])
            .current_dir(&repository)
            .status();
        assert!(made.unwrap().success());
        let mirror = folder.path().join("state/mirror");
        let base = Mirror::update(&repository.to_string_lossy(), &mirror, "main")
            .await
            .unwrap();
        Self { folder, base }
    }

    fn mirror(&self) -> PathBuf {
        self.folder.path().join("state/mirror")
    }

    fn scratch(&self, name: &str) -> PathBuf {
        let scratch = self.folder.path().join("state").join(name);
        fs::create_dir_all(&scratch).unwrap();
        scratch
    }

    async fn layered(&self, name: &str, start: Option<&Change>) -> (Workspace, Policy) {
        let scratch = self.scratch(name);
        let workspace = Workspace::create_layered(&self.mirror(), &self.base, start, &scratch)
            .await
            .unwrap();
        let policy = policy(&workspace, &scratch);
        (workspace, policy)
    }

    async fn whole(&self, name: &str, start: Option<&Change>) -> (Workspace, Policy) {
        let scratch = self.scratch(name);
        let workspace = Workspace::create(&self.mirror(), &self.base, start, &scratch)
            .await
            .unwrap();
        let policy = policy(&workspace, &scratch);
        (workspace, policy)
    }
}

fn policy(workspace: &Workspace, scratch: &Path) -> Policy {
    Policy {
        workspace: workspace.root().to_owned(),
        layers: workspace.layers(),
        writable: true,
        mirror_objects: Some(workspace.mirror_objects()),
        relay: None,
        limits: Some(SandboxLimits {
            toolchains: Toolchains::None,
            ..SandboxLimits::default()
        }),
        scratch: scratch.to_owned(),
        env: BTreeMap::new(),
    }
}

async fn run(policy: &Policy, shell: &str) -> Ran {
    sandbox()
        .run(policy, shell, Duration::from_secs(60), 16 << 10)
        .await
        .unwrap()
}

/// What the tree inside is, from where it is seen.
const LOOK: &str = "find . -path ./.git -prune -o -printf '%P %y %m %l\\n' | sort; find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 cat";

/// Everything that a change can be made of.
const DEEDS: &[&str] = &[
    "echo more >> a",
    "echo new > n; mkdir -p x/y; echo z > x/y/z",
    "rm a src/b",
    "rm -r src",
    "rm -r src; echo file > src",
    "rm -r src; mkdir src; echo again > src/b",
    "rm -r src; mkdir -p src/deep; echo again > src/deep/new; mkdir src/empty",
    "rm a; mkdir a; echo in > a/in",
    "mv src moved",
    "mv src/deep src/deeper; mv a src/a",
    "git mv src/b moved && mv src/deep app/ && git add -A && git commit -q -m moved",
    "chmod +x a; chmod -x tool",
    "touch a src/b; cp a copy; mv copy a",
    "ln -sf /etc/passwd link; ln -s nowhere dangling; ln a hard",
    "rm -r src; ln -s /etc src",
    "rm link; mkdir link; echo in > link/in",
    "sed -i s/one/uno/ a; printf x > bin; truncate -s 100 bin",
    "echo noise > x.log; mkdir -p target; echo log > target/y.log",
    "rm -r .git; git init -q .; git add -A",
    "rm -rf .git; echo 'gitdir: /etc' > .git; mkdir -p sub/.git; echo x > sub/.git/config; echo s > sub/s",
    "mkfifo pipe; rm a; mkfifo a",
    "git rm -q -r src && git checkout -q HEAD -- src/b",
    "rm -r app src; mkdir app; mv a app/",
];

/// The tree of what a workspace holds now; none: the base's.
async fn tree(workspace: &Workspace) -> Option<String> {
    workspace.capture().await.unwrap().map(|change| change.tree)
}

#[tokio::test]
async fn whatever_is_done_a_layered_workspace_gives_the_change_of_a_whole_one() {
    let world = World::new(FILES).await;
    let one = async |number: usize, deed: &str| {
        let name = |kind: &str| format!("{kind}-{number}");
        let (layered, in_layered) = world.layered(&name("layered"), None).await;
        let (whole, in_whole) = world.whole(&name("whole"), None).await;
        let script = format!("{deed}\n{LOOK}");
        let (one, other) = (run(&in_layered, &script).await, run(&in_whole, &script).await);
        assert_eq!(
            (&one.output, one.exit_code),
            (&other.output, other.exit_code),
            "{deed}"
        );
        let change = layered.capture().await.unwrap();
        assert_eq!(
            change.as_ref().map(|change| change.tree.clone()),
            tree(&whole).await,
            "{deed}"
        );
        // What begins from it sees what was left, and has the same change again.
        let Some(change) = change else { return };
        let (next, in_next) = world.layered(&name("next"), Some(&change)).await;
        let (_, in_control) = world.whole(&name("control"), Some(&change)).await;
        assert_eq!(
            run(&in_next, LOOK).await.output,
            run(&in_control, LOOK).await.output,
            "{deed}"
        );
        assert_eq!(tree(&next).await, Some(change.tree), "{deed}");
    };
    let all = DEEDS.iter().enumerate().map(|(number, deed)| one(number, deed));
    futures_util::StreamExt::collect::<Vec<()>>(futures_util::StreamExt::buffer_unordered(
        futures_util::stream::iter(all),
        4,
    ))
    .await;
}

#[tokio::test]
async fn whatever_one_attempt_does_the_next_finds_the_base_as_it_was() {
    let world = World::new(FILES).await;
    let (_first, hostile) = world.layered("first", None).await;
    let look = format!("{LOOK}; git status --short; git log --format=%s; cat .git/config .git/HEAD; ls .git");
    let before = run(&hostile, &look).await.output;
    let attack = "chmod -R 777 .; find . -type f -exec sh -c 'echo evil > \"$1\"' - {} \\; ; rm -rf src .git/index; echo '[core]' > .git/config; \
                  mount -o remount,rw /workspace; for n in 3 4 5 6 7 8 9; do echo evil > /proc/self/fd/$n/a; done; true";
    let attacked = format!("({attack}) 2>/dev/null; cat a");
    assert_eq!(run(&hostile, &attacked).await.output, "evil\n");
    let (second, next) = world.layered("second", None).await;
    assert_eq!(run(&next, &look).await.output, before);
    assert_eq!(tree(&second).await, None);
    // The control: in a workspace that is one's own and nobody's else, the same is seen by whoever comes next.
    let (_whole, own) = world.whole("whole", None).await;
    run(&own, &attacked).await;
    assert_eq!(run(&own, "cat a").await.output, "evil\n");
}

#[tokio::test]
async fn attempts_side_by_side_have_each_their_own_change() {
    let world = World::new(FILES).await;
    let one = async |number: u32| {
        let (workspace, policy) = world.layered(&format!("attempt-{number}"), None).await;
        let ran = run(
            &policy,
            &format!("echo {number} > mine; echo {number} >> a; ls; git status --short"),
        )
        .await;
        assert_eq!(ran.output, "a\napp\nlink\nmine\nsrc\ntool\n M a\n?? mine\n");
        let change = workspace.capture().await.unwrap().unwrap();
        let file = workspace.git().show_file(&change.tree, "mine").await.unwrap();
        assert_eq!(file.unwrap(), format!("{number}\n").into_bytes());
    };
    futures_util::future::join_all((0..8).map(one)).await;
}

#[tokio::test]
async fn a_mark_of_what_is_gone_cannot_be_forged() {
    let world = World::new(FILES).await;
    let (workspace, policy) = world.layered("attempt", None).await;
    let script = "import os, stat, errno\n\
        def attempt(what, call):\n\
        \x20   try: call(); print(what, 'done')\n\
        \x20   except OSError as error: print(what, errno.errorcode[error.errno])\n\
        device = stat.S_IFCHR | 0o600\n\
        attempt('in the workspace', lambda: os.mknod('/workspace/forged', device, os.makedev(0, 0)))\n\
        attempt('beside it', lambda: os.mknod('/tmp/forged', device, os.makedev(0, 0)))\n\
        attempt('carried over', lambda: os.rename('/tmp/forged', '/workspace/a'))\n\
        attempt('linked', lambda: os.link('/tmp/forged', '/workspace/forged'))\n\
        attempt('another device', lambda: os.mknod('/tmp/null', device, os.makedev(1, 3)))\n";
    let ran = run(
        &policy,
        &format!("python3 -c \"{script}\"; rm -f /tmp/forged; cat a"),
    )
    .await;
    // Since Linux 5.8 anybody may make this one device; it is the overlay that refuses it, and a mount of its own that
    // keeps it out.
    assert_eq!(
        ran.output,
        "in the workspace EPERM\nbeside it done\ncarried over EXDEV\nlinked EXDEV\nanother device EPERM\none\n"
    );
    assert_eq!(tree(&workspace).await, None);
    // The control: where such a mark stands in the layer, the file is gone, as after `rm`.
    let layer = policy.layers.as_ref().unwrap().upper();
    let mark = Command::new("mknod")
        .arg(layer.join("a"))
        .args(["c", "0", "0"])
        .status();
    assert!(mark.unwrap().success());
    let (removed, other) = world.layered("other", None).await;
    run(&other, "rm a").await;
    assert_eq!(tree(&workspace).await, tree(&removed).await);
}

#[tokio::test]
async fn attributes_that_the_kernel_reads_cannot_be_forged() {
    let world = World::new(FILES).await;
    let (workspace, policy) = world.layered("attempt", None).await;
    let before = run(&policy, LOOK).await.output;
    let script = "import os\n\
        for name in ('opaque', 'redirect', 'metacopy', 'origin', 'impure', 'whiteout', 'xwhiteouts'):\n\
        \x20   for kind in ('user', 'trusted', 'security'):\n\
        \x20       for path in ('src', 'a', '.', 'src/deep', 'app'):\n\
        \x20           for value in (b'y', b'x', b'/etc', b'../../..'):\n\
        \x20               try: os.setxattr(path, kind + '.overlay.' + name, value)\n\
        \x20               except OSError: pass\n";
    let ran = run(&policy, &format!("python3 -c \"{script}\"; {LOOK}")).await;
    assert_eq!(ran.output, before);
    // Neither the kernel nor we take them for marks.
    assert_eq!(run(&policy, LOOK).await.output, before);
    assert_eq!(tree(&workspace).await, None);
    // The control: the kernel's own mark counts for both.
    let layer = policy.layers.as_ref().unwrap().upper();
    let set = format!(
        "import os; os.setxattr('{}/src', 'user.overlay.opaque', b'y')",
        layer.display()
    );
    assert!(
        Command::new("python3")
            .args(["-c", &set])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(run(&policy, "find src").await.output, "src\nsrc/deep\n");
    assert!(tree(&workspace).await.is_some());
}

#[tokio::test]
async fn a_link_swapped_in_while_a_change_is_read_leads_nowhere() {
    let world = World::new(FILES).await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("f"), "THE SECRET\n").unwrap();
    let (workspace, policy) = world.layered("attempt", None).await;
    let swap = format!(
        "mkdir one one/two && echo mine > one/two/f && ln -s {out} link1 && while :; do mv -T one one.d; ln -s {out} one; rm one; mv -T one.d one; \
         mv one/two/f f; ln -s {out}/f one/two/f; rm one/two/f; mv f one/two/f; done",
        out = outside.path().display()
    );
    let layer = policy.layers.as_ref().unwrap().upper();
    let attack = run(&policy, &swap);
    let reading = async {
        // The control: who reads by path is led out, sooner or later.
        let mut fooled = false;
        let mut captured = 0;
        for _ in 0..100_000 {
            fooled |= ["one/f", "one/two/f"]
                .iter()
                .any(|path| fs::read_to_string(layer.join(path)).is_ok_and(|text| text.contains("SECRET")));
            if layer.join("one").symlink_metadata().is_ok() && captured < 10 {
                captured += 1;
                let Ok(Some(change)) = workspace.capture().await else {
                    continue;
                };
                let diff = workspace.git().diff(&world.base, &change.tree).await.unwrap();
                assert!(!diff.contains("SECRET"), "{diff}");
            }
            if fooled && captured >= 10 {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert!(fooled && captured >= 10, "{fooled} {captured}");
    };
    tokio::select! { ran = attack => panic!("{ran:?}"), () = reading => {} }
}

#[tokio::test]
async fn a_folder_of_the_base_is_renamed_by_copying() {
    let world = World::new(FILES).await;
    let (workspace, policy) = world.layered("attempt", None).await;
    let rename = "python3 -c 'import os\ntry: os.rename(\"src\", \"moved\")\nexcept OSError as error: print(error.strerror)'";
    let ran = run(
        &policy,
        &format!(
            "{rename}; git mv a b && mv src moved && ls moved; mkdir new && mv new newer && ls -d newer"
        ),
    )
    .await;
    // A program that does not fall back (`git mv` of a folder is one) is told what `mv` is told, and copies in silence.
    assert_eq!(ran.output, "Invalid cross-device link\nb\ndeep\nnewer\n");
    let (whole, control) = world.whole("whole", None).await;
    run(&control, "git mv a b; git mv src moved").await;
    assert_eq!(tree(&workspace).await, tree(&whole).await);
}

#[tokio::test]
async fn names_that_mislead_are_refused_and_limits_hold_in_layers_too() {
    let world = World::new(FILES).await;
    for (name, why) in [
        (".GIT/x", "git's own"),
        ("A", "upper and lower"),
        ("SRC/c", "upper and lower"),
        ("'x\ny'", "control"),
    ] {
        let (workspace, policy) = world.layered("attempt", None).await;
        run(&policy, &format!("mkdir -p $(dirname {name}); echo x > {name}")).await;
        let error = workspace.capture().await.unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains('\n'), "{error}");
    }
    // The control: that twin is none once the other has gone.
    let (workspace, policy) = world.layered("attempt", None).await;
    run(&policy, "mv a A").await;
    assert!(tree(&workspace).await.is_some());
    let (_workspace, mut policy) = world.layered("large", None).await;
    let fill = "for n in 1 2 3 4 5 6 7 8; do head -c 16M /dev/urandom > f$n; done; sleep 20";
    policy.limits = Some(SandboxLimits {
        disk: loops::spec::Bytes(64 << 20),
        ..SandboxLimits::default()
    });
    let stopped = run(&policy, fill).await.stopped;
    assert_eq!(stopped.as_deref(), Some("it used more than 64MiB of the disk"));
}

#[tokio::test]
async fn a_change_to_begin_from_cannot_write_outside_of_its_layer() {
    let world = World::new(FILES).await;
    let repository = world.folder.path().join("repository");
    let with = |entry: &str| {
        let made = format!(
            "blob=$(echo evil | git hash-object -w --stdin); link=$(printf %s {out} | git hash-object -w --stdin); \
             inner=$(printf '100644 blob %s\tevil\\n' $blob | git mktree); tree=$(printf \"{entry}\" | git mktree --missing); \
             echo $tree; echo $tree | git pack-objects -q --revs --stdout > ../pack",
            out = world.folder.path().display(),
        );
        let made = Command::new("sh")
            .args(["-ec", &made])
            .current_dir(&repository)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Change {
            tree: String::from_utf8(made.stdout).unwrap().trim().to_owned(),
            pack: fs::read(world.folder.path().join("pack")).unwrap(),
        }
    };
    let odd = [
        "040000 tree $inner\t..",
        "040000 tree $inner\t.git",
        "040000 tree $inner\t.GIT",
        "120000 blob $link\tout\n040000 tree $inner\tout",
        "100644 blob $blob\t.git",
    ];
    for entry in odd {
        let change = with(&entry.replace('\t', "\\t").replace('\n', "\\n"));
        let scratch = world.scratch("odd");
        let made = Workspace::create_layered(&world.mirror(), &world.base, Some(&change), &scratch).await;
        assert!(made.is_err(), "{entry}");
        for place in [world.folder.path(), &scratch, &scratch.join("layers")] {
            assert!(!place.join("evil").exists(), "{entry}");
        }
    }
    // The control: the same content under an honest name is laid out.
    let change = with("040000 tree $inner\\tfolder\\n");
    let (_workspace, policy) = world.layered("honest", Some(&change)).await;
    assert_eq!(
        run(
            &policy,
            "find . -path ./.git -prune -o -type f -print; cat folder/evil"
        )
        .await
        .output,
        "./folder/evil\nevil\n"
    );
}

#[tokio::test]
async fn setup_is_not_led_out_by_a_link_in_the_change_that_an_attempt_begins_from() {
    let world = World::new(FILES).await;
    let outside = tempfile::tempdir().unwrap();
    let setup: loops::spec::Setup =
        serde_json::from_value(serde_json::json!({ "run": "mkdir app/made && echo made > app/made/f" }))
            .unwrap();
    let cache = world.folder.path().join("cache");
    let (first, policy) = world.layered("first", None).await;
    run(
        &policy,
        &format!("rm -r app; ln -s {} app", outside.path().display()),
    )
    .await;
    let change = first.capture().await.unwrap().unwrap();
    let (second, policy) = world.layered("second", None).await;
    run(&policy, "rm -r app").await;
    let gone = second.capture().await.unwrap().unwrap();
    for whole in [false, true] {
        let make = async |name: &str, start| {
            if whole {
                world.whole(name, start).await
            } else {
                world.layered(name, start).await
            }
        };
        let (hostile, mut policy) = make("hostile", Some(&change)).await;
        hostile
            .prepare(&setup, &cache, &sandbox(), &mut policy)
            .await
            .unwrap();
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
        // The controls: on the base it is brought, and where its folder went it is made again with nothing else in it.
        let (honest, mut policy) = make("honest", None).await;
        honest
            .prepare(&setup, &cache, &sandbox(), &mut policy)
            .await
            .unwrap();
        assert_eq!(
            run(&policy, "find app | sort").await.output,
            "app\napp/e\napp/made\napp/made/f\n"
        );
        assert_eq!(tree(&honest).await, None);
        let (emptied, mut policy) = make("emptied", Some(&gone)).await;
        emptied
            .prepare(&setup, &cache, &sandbox(), &mut policy)
            .await
            .unwrap();
        assert_eq!(
            run(&policy, "find app | sort").await.output,
            "app\napp/made\napp/made/f\n"
        );
        assert_eq!(tree(&emptied).await.as_ref(), Some(&gone.tree));
    }
}

/// Every file of a folder with its words, in order.
fn files_in(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                let words = fs::read_to_string(entry.path()).unwrap_or_default();
                all.push((entry.path(), words));
            }
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn what_setup_left_is_a_layer_that_no_attempt_can_change_for_another() {
    let world = World::new(FILES).await;
    let setup: loops::spec::Setup = serde_json::from_value(serde_json::json!({
        "run": "mkdir -p lib/x && echo one > lib/x/f && echo two > lib/g && chmod 600 lib/g && ln -s x lib/y"
    }))
    .unwrap();
    let cache = world.scratch("cache");
    let (first, mut policy) = world.layered("first", None).await;
    first
        .prepare(&setup, &cache, &sandbox(), &mut policy)
        .await
        .unwrap();
    let kept = files_in(&cache);
    assert_eq!(kept.len(), 3, "{kept:?}");
    // Nothing of it was copied into the attempt's own folder.
    assert!(!first.written().join("lib").exists());
    let deeds = "cat lib/y/f lib/g; echo more >> lib/x/f; rm lib/g; echo new > lib/new; mkdir lib/z; cat lib/x/f; ls lib";
    assert_eq!(
        run(&policy, deeds).await.output,
        "one\ntwo\none\nmore\nnew\nx\ny\nz\n"
    );
    assert_eq!(tree(&first).await, None, "what setup left is no part of a change");
    assert_eq!(files_in(&cache), kept, "an attempt wrote to what others have");
    let (second, mut policy) = world.layered("second", None).await;
    second
        .prepare(&setup, &cache, &sandbox(), &mut policy)
        .await
        .unwrap();
    let seen = run(&policy, "cat lib/x/f lib/g; ls lib; echo own > own").await;
    assert_eq!(seen.output, "one\ntwo\ng\nx\ny\n");
    let change = second.capture().await.unwrap().unwrap();
    let names = second
        .git()
        .run(&["diff-tree", "-r", "--name-only", &world.base, &change.tree])
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&names), "own\n");

    // Other bases: one with the same files, which is another user's if we are root, and one on which a file of the
    // repository's stands where setup's would: that wins.
    let repository = world.folder.path().join("repository");
    let commit = "git -c user.name=p -c user.email=p@x commit -q";
    for (name, script, expected) in [
        (
            "same",
            format!("{commit} --allow-empty -m second"),
            "one\ntwo\none\nmore\n",
        ),
        (
            "another",
            format!("mkdir lib && echo ours > lib/g && git add -A && {commit} -m third"),
            "one\nours\none\nmore\n",
        ),
    ] {
        let made = Command::new("sh")
            .args(["-ec", &script])
            .current_dir(&repository)
            .status();
        assert!(made.unwrap().success());
        let other = Mirror::update(&repository.to_string_lossy(), &world.mirror(), "main")
            .await
            .unwrap();
        assert_ne!(other, world.base);
        for number in 0..2 {
            let scratch = world.scratch(&format!("{name}-{number}"));
            let third = Workspace::create_layered(&world.mirror(), &other, None, &scratch)
                .await
                .unwrap();
            let mut policy = self::policy(&third, &scratch);
            third
                .prepare(&setup, &cache, &sandbox(), &mut policy)
                .await
                .unwrap();
            assert!(!third.written().join("lib").exists(), "{name}");
            let seen = run(&policy, "cat lib/x/f lib/g; echo more >> lib/x/f; cat lib/x/f").await;
            assert_eq!(seen.output, expected, "{name} {number}");
            assert_eq!(tree(&third).await, None);
        }
    }
    let now = files_in(&cache);
    assert!(kept.iter().all(|file| now.contains(file)), "{now:?}");
}
