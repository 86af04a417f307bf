//! Getting out of a sandbox: the kernel's doors, other processes, staying behind.

use super::{
    Family,
    jail::{self, Attack, Harm, Wall},
};

pub(crate) fn family() -> Family {
    Family {
        name: "Escaping",
        how: "Commands in a real sandbox. Where the kernel is asked for something dangerous, the harm is that it does it, or looks at \
              the arguments, instead of refusing the call.",
        rows: jail::rows(ATTACKS),
    }
}

const ATTACKS: &[Attack] = &[
    Attack {
        tried: "being root in a user namespace of its own (`unshare`)",
        by: "the filter, bubblewrap's ban of namespaces, Landlock",
        off: &[Wall::Namespaces, Wall::Landlock, Wall::Filter],
        script: "unshare -Ur id -u | grep -x 0 && echo ROOT",
        harm: Harm::Says("ROOT"),
    },
    Attack {
        tried: "the same by `clone` with the flag of a namespace",
        by: "the filter, bubblewrap's ban of namespaces",
        off: &[Wall::Filter, Wall::Namespaces],
        script: "python3 -c \"import ctypes, platform\nlibc = ctypes.CDLL(None)\nn = {'x86_64': 56, 'aarch64': 220}[platform.machine()]\nd = libc.syscall(*[ctypes.c_long(a) for a in (n, 0x10000000 | 17, 0, 0, 0, 0)])\nif d == 0: libc._exit(0)\nprint('MADE' if d > 0 else 'no')\"",
        harm: Harm::Says("MADE"),
    },
    Attack {
        tried: "the same by `clone3`, whose flags no filter can read",
        by: "the filter says that there is no such call",
        off: &[Wall::Filter, Wall::Namespaces],
        script: "python3 -c \"import ctypes\nlibc = ctypes.CDLL(None)\na = (ctypes.c_uint64 * 8)(0x10000000, 0, 0, 0, 17, 0, 0, 0)\nd = libc.syscall(ctypes.c_long(435), a, ctypes.c_long(64))\nif d == 0: libc._exit(0)\nprint('MADE' if d > 0 else 'no')\"",
        harm: Harm::Says("MADE"),
    },
    Attack {
        tried: "a mount over `/etc` in a namespace of its own",
        by: "the filter, bubblewrap's ban of namespaces, Landlock",
        off: &[Wall::Namespaces, Wall::Landlock, Wall::Filter],
        script: "unshare -Urm sh -c 'mount -t tmpfs none /etc && ls -A /etc | wc -l | grep -x 0 && echo MOUNTED'",
        harm: Harm::Says("MOUNTED"),
    },
    Attack {
        tried: "taking a mount by hand (`open_tree`)",
        by: "the filter",
        off: &[Wall::Filter],
        script: "python3 -c \"import ctypes\nlibc = ctypes.CDLL(None)\nprint('TAKEN' if libc.syscall(ctypes.c_long(428), ctypes.c_long(-100), b'/', ctypes.c_long(0x80000)) >= 0 else 'no')\"",
        harm: Harm::Says("TAKEN"),
    },
    Attack {
        tried: "entering another namespace (`setns`)",
        by: "the filter, no privileges",
        off: &[Wall::Filter],
        script: "python3 -c \"import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\nlibc.setns(-1, 0); print(errno.errorcode[ctypes.get_errno()])\"",
        harm: Harm::Says("EBADF"),
    },
    Attack {
        tried: "tracing another process (`ptrace`)",
        by: "the filter",
        off: &[Wall::Filter],
        script: "python3 -c \"import ctypes\nlibc = ctypes.CDLL(None)\nprint('TRACED' if libc.ptrace(0, 0, 0, 0) == 0 else 'no')\"",
        harm: Harm::Says("TRACED"),
    },
    Attack {
        tried: "taking an open file out of another process (`pidfd_getfd`)",
        by: "the filter",
        off: &[Wall::Filter],
        script: "python3 -c \"import ctypes, os\nlibc = ctypes.CDLL(None)\nfd = os.pidfd_open(os.getpid())\nprint('TAKEN' if libc.syscall(ctypes.c_long(438), ctypes.c_long(fd), ctypes.c_long(0), ctypes.c_long(0)) >= 0 else 'no')\"",
        harm: Harm::Says("TAKEN"),
    },
    Attack {
        tried: "calls past the filter by a ring (`io_uring`)",
        by: "the filter says that there is no such call",
        off: &[Wall::Filter],
        script: "python3 -c \"import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\nlibc.syscall(ctypes.c_long(425), ctypes.c_long(1), ctypes.c_long(0)); print(errno.errorcode[ctypes.get_errno()])\"",
        harm: Harm::Says("EFAULT"),
    },
    Attack {
        tried: "holding the kernel up at a page (`userfaultfd`)",
        by: "the filter",
        off: &[Wall::Filter],
        script: "python3 -c \"import ctypes, platform\nlibc = ctypes.CDLL(None)\nn = {'x86_64': 323, 'aarch64': 282}[platform.machine()]\nprint('HELD' if libc.syscall(ctypes.c_long(n), ctypes.c_long(1)) >= 0 else 'no')\"",
        harm: Harm::Says("HELD"),
    },
    Attack {
        tried: "measuring others through the processor (`perf_event_open`)",
        by: "the filter",
        off: &[Wall::Filter],
        script: "python3 -c \"import ctypes, errno, platform\nlibc = ctypes.CDLL(None, use_errno=True)\nn = {'x86_64': 298, 'aarch64': 241}[platform.machine()]\nlibc.syscall(*[ctypes.c_long(a) for a in (n, 0, 0, -1, -1, 0)]); print(errno.errorcode[ctypes.get_errno()])\"",
        harm: Harm::Says("EFAULT"),
    },
    Attack {
        tried: "leaving a note for the next attempt in the kernel's keyrings (`add_key`)",
        by: "the filter",
        off: &[Wall::Filter],
        script: "python3 -c \"import ctypes, platform\nlibc = ctypes.CDLL(None, use_errno=True)\nn = {'x86_64': 248, 'aarch64': 217}[platform.machine()]\nd = libc.syscall(ctypes.c_long(n), b'user', b'note', b'for you', ctypes.c_long(7), ctypes.c_long(-2))\nprint('LEFT' if d > 0 else ctypes.get_errno())\"",
        harm: Harm::Says("LEFT"),
    },
    Attack {
        tried: "comparing what processes share in the kernel (`kcmp`)",
        by: "the filter",
        off: &[Wall::Filter],
        script: "python3 -c \"import ctypes, os, platform\nlibc = ctypes.CDLL(None)\nn = {'x86_64': 312, 'aarch64': 272}[platform.machine()]\np = os.getpid()\nprint('COMPARED' if libc.syscall(*[ctypes.c_long(a) for a in (n, p, p, 0, 0, 0)]) >= 0 else 'no')\"",
        harm: Harm::Says("COMPARED"),
    },
    Attack {
        tried: "watching every file that others open (`fanotify`)",
        by: "the filter",
        off: &[Wall::Filter],
        script: "python3 -c \"import ctypes, platform\nlibc = ctypes.CDLL(None)\nn = {'x86_64': 300, 'aarch64': 262}[platform.machine()]\nprint('WATCHES' if libc.syscall(ctypes.c_long(n), ctypes.c_long(0x200), ctypes.c_long(0)) >= 0 else 'no')\"",
        harm: Harm::Says("WATCHES"),
    },
    Attack {
        tried: "typing into the terminal that it was started from (`TIOCSTI`)",
        by: "the filter, a session of its own",
        off: &[Wall::Filter],
        script: "cat > type.py <<'END'\nimport errno, fcntl, os, pty, termios\npid, fd = pty.fork()\nif pid == 0:\n    try: fcntl.ioctl(0, termios.TIOCSTI, b'x'); print('REACHED', flush=True)\n    except OSError as error: print('REACHED' if error.errno == errno.EIO else 'no', flush=True)\n    os._exit(0)\nwhile True:\n    try: part = os.read(fd, 100)\n    except OSError: break\n    if not part: break\n    print(part.decode())\nEND\npython3 type.py",
        harm: Harm::Says("REACHED"),
    },
    Attack {
        tried: "killing a process of the host",
        by: "a namespace of processes, Landlock",
        off: &[Wall::Processes, Wall::Landlock],
        script: "kill -9 $VICTIM",
        harm: Harm::Killed,
    },
    Attack {
        tried: "old corners of the kernel by sockets of other families (packets, ciphers)",
        by: "the filter",
        off: &[Wall::Filter],
        script: "python3 -c \"import errno, socket\nfor family in (17, 38):\n  try: socket.socket(family, socket.SOCK_DGRAM); print('REACHED')\n  except OSError as error: print('REACHED' if error.errno == errno.EPERM else 'no')\"",
        harm: Harm::Says("REACHED"),
    },
    Attack {
        tried: "core files of what it crashes",
        by: "a limit of the process",
        off: &[Wall::Ceilings],
        script: "ulimit -H -c | grep -qx 0 || echo MAY",
        harm: Harm::Says("MAY"),
    },
    Attack {
        tried: "the name of the machine",
        by: "a namespace of names",
        off: &[Wall::Name],
        script: "uname -n | grep -qx sandbox || echo NAMED",
        harm: Harm::Says("NAMED"),
    },
];

#[tokio::test]
async fn nobody_gets_out() {
    jail::play(ATTACKS).await;
}
