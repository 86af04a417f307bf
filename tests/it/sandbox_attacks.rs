//! What a hostile program tries against the sandbox beyond reading files: the kernel's doors, the machine's resources.
//! Each attack has its control, in which the one wall is off (no sandbox, on this machine or with other limits) and the
//! harm is seen.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{fs, path::Path, process::Command, time::Duration};

use loops::spec::{Bytes, Require, SandboxLimits};
use workers::sandbox::{Policy, Ran, Sandbox, SandboxError};

use super::sandbox::{policy, sandbox};

async fn run(policy: &Policy, shell: &str) -> Ran {
    sandbox()
        .run(policy, shell, Duration::from_secs(60), 16 << 10)
        .await
        .unwrap()
}

/// The same without a sandbox.
async fn run_free(policy: &Policy, shell: &str) -> Ran {
    let free = Policy {
        limits: None,
        ..policy.clone()
    };
    let sandbox = Sandbox::without(crate::programs::built("sandbox-helper"));
    sandbox
        .run(&free, shell, Duration::from_secs(60), 16 << 10)
        .await
        .unwrap()
}

fn limited(folder: &Path, limits: SandboxLimits) -> Policy {
    Policy {
        limits: Some(limits),
        ..policy(folder)
    }
}

/// Makes each call with arguments that do no harm and prints what the kernel answered.
const CALLS: &str = r#"
import ctypes, errno, platform, sys
libc = ctypes.CDLL(None, use_errno=True)
column = {'x86_64': 0, 'aarch64': 1}[platform.machine()]
calls = [
    ('unshare', (272, 97), (0,)), ('setns', (308, 268), (-1, 0)), ('ptrace', (101, 117), (16, 0, 0, 0)),
    ('process_vm_readv', (310, 270), (-1, 0, 0, 0, 0, 0)), ('clone3', (435, 435), (0, 0)),
    ('mount', (165, 40), (0, 0, 0, 0, 0)), ('pivot_root', (155, 41), (0, 0)), ('chroot', (161, 51), (0,)),
    ('fsopen', (430, 430), (0, 0)), ('open_tree', (428, 428), (-1, 0, 0)), ('bpf', (321, 280), (-1, 0, 0)),
    ('perf_event_open', (298, 241), (0, 0, 0, 0, 0)), ('userfaultfd', (323, 282), (-1,)),
    ('keyctl', (250, 219), (0, -3, 0)), ('add_key', (248, 217), (0, 0, 0, 0, 0)), ('request_key', (249, 218), (0, 0, 0, 0)),
    ('open_by_handle_at', (304, 265), (-1, 0, 0)), ('io_uring_setup', (425, 425), (0, 0)),
    ('init_module', (175, 105), (0, 0, 0)), ('kexec_load', (246, 104), (0, -1, 0, 0)),
]
if column == 0:
    calls.append(('getpid of the second table', (0x40000027, 0), ()))
for name, numbers, arguments in calls:
    done = libc.syscall(*[ctypes.c_long(n) for n in (numbers[column],) + arguments])
    print(name, 'done' if done >= 0 else errno.errorcode[ctypes.get_errno()])
for family in (40, 38, 17):
    import socket
    try: socket.socket(family, socket.SOCK_DGRAM); print('family', family, 'done')
    except OSError as error: print('family', family, errno.errorcode[error.errno])
CLONE = (56, 220)[column]
for flag in (0x10000000, 0x40000000, 0x20000):
    done = libc.syscall(ctypes.c_long(CLONE), ctypes.c_long(flag | 17), *[ctypes.c_long(0)] * 4)
    if done == 0: libc._exit(0)
    print('clone', hex(flag), 'done' if done > 0 else errno.errorcode[ctypes.get_errno()])
"#;

#[tokio::test]
async fn the_kernels_dangerous_doors_are_shut() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    fs::write(policy.workspace.join("calls.py"), CALLS).unwrap();
    let ran = run(&policy, "python3 calls.py").await;
    let open: Vec<&str> = ran
        .output
        .lines()
        .filter(|line| {
            let missing = ["clone3", "io_uring", "getpid"];
            let expected = if missing.iter().any(|name| line.starts_with(name)) {
                "ENOSYS"
            } else if line.starts_with("family") {
                "EAFNOSUPPORT"
            } else {
                "EPERM"
            };
            !line.ends_with(expected)
        })
        .collect();
    assert!(ran.exit_code == Some(0) && open.is_empty(), "{ran:?}");
    assert!(ran.output.lines().count() >= 26, "{}", ran.output);
    // The control, with calls that anybody may make: without the filter the kernel looks at them.
    let free = run_free(&policy, "python3 calls.py").await.output;
    for line in ["unshare done", "setns EBADF", "ptrace ESRCH", "clone3 EINVAL"] {
        assert!(free.lines().any(|said| said == line), "{line}: {free}");
    }
}

#[tokio::test]
async fn nobody_types_into_a_terminal() {
    let script = "import errno, fcntl, os, pty, termios\n\
        pid, fd = pty.fork()\n\
        if pid == 0:\n\
        \x20   try: fcntl.ioctl(0, termios.TIOCSTI, b'x'); print('TYPED', flush=True)\n\
        \x20   except OSError as error: print(errno.errorcode[error.errno], flush=True)\n\
        \x20   os._exit(0)\n\
        said = b''\n\
        while True:\n\
        \x20   try: part = os.read(fd, 100)\n\
        \x20   except OSError: break\n\
        \x20   if not part: break\n\
        \x20   said += part\n\
        print(said.decode().strip())\n";
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    fs::write(policy.workspace.join("type.py"), script).unwrap();
    let ran = run(&policy, "python3 type.py").await;
    assert_eq!(ran.output.trim(), "EPERM", "{ran:?}");
    // The control: outside the call reaches the kernel, which types, or says that this machine has switched it off.
    let free = run_free(&policy, "python3 type.py").await.output;
    assert!(free.contains("TYPED") || free.contains("EIO"), "{free}");
}

#[tokio::test]
async fn the_second_wall_holds_where_a_mount_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    // This one file is bound writable, for the launcher's mark; its owner is who runs inside.
    let ran = run(&policy, "stat -c %u /run/loops/begun; echo x > /run/loops/begun && echo WROTE; cat /proc/1/maps | head -1; \
                            echo in > /tmp/a && echo in > ~/b && echo in > c && echo in > /dev/shm/d && cat /tmp/a ~/b c /dev/shm/d; echo out > /dev/stdout; echo gone > /dev/null").await;
    assert!(
        ran.output.starts_with("1000\n") && !ran.output.contains("WROTE"),
        "{ran:?}"
    );
    assert!(ran.output.ends_with("in\nin\nin\nin\nout\n"), "{ran:?}");
    let shown = sandbox().show(&policy);
    assert_eq!(
        shown.second_wall,
        ["/workspace", "/home/agent", "/tmp", "/dev/shm"]
    );
}

#[tokio::test]
async fn neither_proc_nor_setuid_files_lead_out() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    fs::write(folder.path().join("beside"), "secret").unwrap();
    let outside = folder.path().join("beside");
    let script = format!(
        "for p in /proc/[0-9]*; do cat $p/root{outside} $p/cwd/../beside 2>/dev/null; done; cat /proc/self/root{outside} 2>/dev/null; \
         ls /proc | grep -c '^[0-9]' | awk '$1 > 9 {{ print \"SEES MANY\" }}'; \
         cp /bin/sh mine && chmod 4755 mine && ./mine -p -c 'id -u'; \
         cut -d' ' -f6 /proc/self/mountinfo | grep -vc nosuid; \
         su -c id </dev/null >/dev/null 2>&1 && echo BECAME; python3 -c 'import os\nos.setuid(0); print(os.getuid())' 2>/dev/null; \
         cat /dev/mem /dev/kmsg /proc/kcore 2>/dev/null | head -c 1; mknod node c 1 1 2>/dev/null && echo MADE; \
         echo 1 > /proc/sys/vm/drop_caches; echo b > /proc/sysrq-trigger",
        outside = outside.display()
    );
    let ran = run(&policy, &script).await;
    let shut: Vec<&str> = ran
        .output
        .lines()
        .filter(|line| !line.starts_with("/bin/sh: "))
        .collect();
    // `proc`, `dev` and the root are nosuid too: every mount is.
    assert_eq!(shut, ["1000", "0"], "{ran:?}");
    // The control: the file is there for who is not in the sandbox, and by way of `/proc` as well.
    let free = run_free(&policy, &format!("cat /proc/self/root{}", outside.display())).await;
    assert_eq!(free.output, "secret");
}

#[tokio::test]
async fn every_mount_is_read_only_but_those_that_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = policy(folder.path());
    let script = "awk '$6 !~ /^ro(,|$)/ { print $5 }' /proc/self/mountinfo | sort -u; awk '$6 !~ /nosuid/ { print \"SETUID\", $5 }' /proc/self/mountinfo";
    let written = async |policy: &Policy| {
        let said = run(policy, script).await.output;
        // The kernel's own: processes, terminals and the few devices that everybody has.
        let own =
            |line: &&str| !["/proc", "/dev/"].iter().any(|own| line.starts_with(own)) || *line == "/dev/shm";
        said.lines()
            .filter(own)
            .map(str::to_owned)
            .collect::<Vec<String>>()
    };
    let asked = [
        "/dev/shm",
        "/home/agent",
        "/run/loops/begun",
        "/tmp",
        "/workspace",
    ];
    assert_eq!(written(&policy).await, asked);
    policy.writable = false;
    assert_eq!(written(&policy).await, asked[..4]);
}

#[tokio::test]
async fn builds_go_on_behind_all_walls() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    let script = r#"set -e
printf '#include <pthread.h>\n#include <stdio.h>\nvoid *f(void *x) { puts("c"); return x; }\nint main(void) { pthread_t t; pthread_create(&t, 0, f, 0); return pthread_join(t, 0); }\n' > a.c
cc -pthread a.c -o a && ./a
python3 -c 'import subprocess, threading, multiprocessing as m
t = threading.Thread(target=lambda: print("python", flush=True)); t.start(); t.join()
with m.Pool(2) as pool: assert pool.map(abs, [-1, 2]) == [1, 2]
subprocess.run(["true"], check=True)'
node -e 'const { Worker } = require("worker_threads"); require("fs").promises.readFile("a.c").then(() => { new Worker("console.log(\"node\")", { eval: true }); require("child_process").execSync("true") })'
git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first && git log --format=git%x20%s
cargo init -q --vcs none --name made made && cd made && cargo run -q --offline
"#;
    let ran = run(&policy, script).await;
    assert_eq!(
        (ran.exit_code, ran.output.as_str()),
        (Some(0), "c\npython\nnode\ngit first\nHello, world!\n")
    );
}

#[tokio::test]
async fn a_thousand_processes_are_the_most() {
    let folder = tempfile::tempdir().unwrap();
    let script = "import os, signal\nmade = []\ntry:\n while len(made) < 1100:\n  pid = os.fork()\n  if pid == 0: signal.pause()\n  made.append(pid)\nexcept OSError: pass\nprint(len(made))\nfor pid in made: os.kill(pid, 9)\n";
    let policy = policy(folder.path());
    fs::write(policy.workspace.join("fork.py"), script).unwrap();
    let ran = run(&policy, "python3 fork.py").await;
    let made: Option<u32> = ran.output.trim().parse().ok();
    assert!(
        ran.stopped.as_deref() == Some("it started more than 1024 processes")
            || made.is_some_and(|made| made < 1024),
        "{ran:?}"
    );
    assert_eq!(sandbox().exact_limits().is_ok(), ran.stopped.is_some());
    assert_eq!(run_free(&policy, "python3 fork.py").await.output, "1100\n");
}

#[tokio::test]
async fn memory_is_limited_with_and_without_control_groups() {
    let folder = tempfile::tempdir().unwrap();
    let small = SandboxLimits {
        memory: Bytes(128 << 20),
        ..SandboxLimits::default()
    };
    let policy = limited(folder.path(), small);
    // Three at once, each below the limit: what counts is all of them together.
    let script = "hog='import time; x = bytearray(70 << 20); print(len(x)); time.sleep(20)'; for n in 1 2 3; do python3 -c \"$hog\" & done; wait; echo END";
    let slow = sandbox().without_groups();
    for sandbox in [sandbox(), slow] {
        let ran = sandbox
            .run(&policy, script, Duration::from_secs(30), 1000)
            .await
            .unwrap();
        assert_eq!(
            ran.stopped.as_deref(),
            Some("it used more than 128MiB of memory"),
            "{ran:?}"
        );
        assert!(!ran.output.contains("END"), "{ran:?}");
    }
    let large = limited(folder.path(), SandboxLimits::default());
    let script = script.replace("sleep(20)", "sleep(1)");
    assert!(run(&large, &script).await.output.ends_with("END\n"));
}

#[tokio::test]
async fn neither_a_huge_file_nor_many_fill_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let huge = "truncate -s 100G huge; stat -c %s huge 2>/dev/null || echo none; rm -f huge";
    let policy = policy(folder.path());
    let ran = run(&policy, huge).await;
    assert!(!ran.output.contains("107374182400"), "{ran:?}");
    assert_eq!(run_free(&policy, huge).await.output, "107374182400\n");
    // Many files, each small enough; the limit is for all of them.
    let many = "i=0; while [ $i -lt 40 ]; do head -c 2M /dev/urandom > f$i; i=$((i+1)); done; sleep ${1:-20}; echo END";
    let small = SandboxLimits {
        disk: Bytes(64 << 20),
        ..SandboxLimits::default()
    };
    let ran = run(&limited(folder.path(), small), many).await;
    assert_eq!(
        ran.stopped.as_deref(),
        Some("it used more than 64MiB of the disk"),
        "{ran:?}"
    );
    assert_eq!(run(&policy, &many.replace("${1:-20}", "2")).await.output, "END\n");
}

#[tokio::test]
async fn a_gigabyte_of_output_costs_us_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    let resident = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let before = resident();
    let ran = run(&policy, "head -c 1G /dev/zero").await;
    assert!(
        ran.cut && ran.exit_code == Some(0) && ran.output.len() < 17 << 10,
        "{:?}",
        ran.output.len()
    );
    assert!(resident() - before < 32 << 10, "{} kB", resident() - before);
    // The control: what fits is kept whole.
    assert!(!run(&policy, "head -c 8K /dev/zero").await.cut);
}

#[tokio::test]
async fn exact_limits_are_had_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let exact = SandboxLimits {
        require: Some(Require::Cgroups),
        cpus: 1,
        ..SandboxLimits::default()
    };
    let policy = limited(folder.path(), exact);
    let error = sandbox()
        .without_groups()
        .run(&policy, "true", Duration::from_secs(20), 100)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SandboxError::NotAvailable(why) if why.contains("`sandbox.require: cgroups`")),
        "{error}"
    );
    let had = sandbox()
        .run(&policy, "echo up", Duration::from_secs(20), 100)
        .await;
    match (sandbox().exact_limits(), had) {
        (Ok(_), Ok(ran)) => assert_eq!(ran.output, "up\n"),
        (Err(_), Err(SandboxError::NotAvailable(_))) => {}
        other => panic!("{other:?}"),
    }
    let approximate = |sandbox: &Sandbox| {
        let caveats = sandbox.caveats(&policy);
        caveats
            .iter()
            .filter(|caveat| caveat.starts_with("memory") || caveat.starts_with("processors"))
            .count()
    };
    assert_eq!(approximate(&sandbox().without_groups()), 2);
    assert_eq!(approximate(&sandbox()) == 0, sandbox().exact_limits().is_ok());
}

#[tokio::test]
async fn no_control_group_outlives_its_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    let ours = || {
        let found = Command::new("find")
            .args(["/sys/fs/cgroup", "-maxdepth", "6", "-name"])
            .arg(format!("loops-*-{}-*", std::process::id()))
            .output()
            .unwrap();
        String::from_utf8(found.stdout).unwrap().lines().count()
    };
    let sandbox = sandbox();
    let during = async {
        while !policy.workspace.join("up").exists() {
            tokio::task::yield_now().await;
        }
        let count = ours();
        fs::write(policy.workspace.join("go"), "").unwrap();
        count
    };
    let script = "touch up; until [ -e go ]; do sleep 0.05; done";
    let (ran, count) = tokio::join!(
        sandbox.run(&policy, script, Duration::from_secs(30), 1000),
        during
    );
    assert_eq!(ran.unwrap().exit_code, Some(0));
    assert_eq!(count > 0, sandbox.exact_limits().is_ok());
    let began = std::time::Instant::now();
    while ours() > 0 {
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
