//! Reading what is not theirs, from inside a sandbox.

use super::{
    Family,
    jail::{self, Attack, Harm, Wall},
};

pub(crate) fn family() -> Family {
    Family {
        name: "Reading secrets",
        how: "Commands in a real sandbox, on a host that has a secret in each place where one can be.",
        rows: jail::rows(ATTACKS),
    }
}

const ATTACKS: &[Attack] = &[
    Attack {
        tried: "a file of the host by its path",
        by: "only what is needed is mounted",
        off: &[Wall::Mounts],
        script: "cat $OUT/secret",
        harm: Harm::Secret,
    },
    Attack {
        tried: "the same through a link in the workspace",
        by: "a link leads to what is mounted inside",
        off: &[Wall::Mounts],
        script: "ln -s $OUT/secret link-$ID; cat link-$ID",
        harm: Harm::Secret,
    },
    Attack {
        tried: "a socket of an agent (ssh, Docker, a database) by its path",
        by: "no socket of the host is mounted",
        off: &[Wall::Mounts],
        script: "python3 -c \"import socket, os\ns = socket.socket(socket.AF_UNIX); s.connect(os.environ['OUT'] + '/agent.sock'); s.send(b'hello'); print(s.recv(99))\"",
        harm: Harm::Secret,
    },
    Attack {
        tried: "credentials in a home: `.netrc`, `.ssh`",
        by: "an empty home of the attempt's own",
        off: &[Wall::Home],
        script: "cat ~/.netrc ~/.ssh/id_ed25519",
        harm: Harm::Secret,
    },
    Attack {
        tried: "what others left in `/tmp`",
        by: "a `/tmp` of the attempt's own",
        off: &[Wall::Tmp],
        script: "cat /tmp/$NAME-secret",
        harm: Harm::Secret,
    },
    Attack {
        tried: "shared memory in `/dev/shm`",
        by: "a `/dev/shm` of the attempt's own",
        off: &[Wall::Shm],
        script: "cat /dev/shm/$NAME-secret",
        harm: Harm::Secret,
    },
    Attack {
        tried: "a token in the environment that the service was started with",
        by: "the environment is built from nothing",
        off: &[Wall::Environment],
        script: "env; tr '\\0' '\\n' < /proc/self/environ",
        harm: Harm::Secret,
    },
    Attack {
        tried: "a secret on another process's command line (`ps`)",
        by: "a namespace of processes",
        off: &[Wall::Processes],
        script: "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep crown",
        harm: Harm::Secret,
    },
    Attack {
        tried: "a token in another process's environment (`/proc/*/environ`)",
        by: "namespaces of processes and users, Landlock",
        off: &[Wall::All],
        script: "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep crown",
        harm: Harm::Secret,
    },
    Attack {
        tried: "a file in another process's folder (`/proc/*/cwd`)",
        by: "namespaces of processes and users, Landlock",
        off: &[Wall::All],
        script: "cat /proc/[0-9]*/cwd/secret",
        harm: Harm::Secret,
    },
    Attack {
        tried: "a file through another process's root (`/proc/*/root`)",
        by: "namespaces of processes and users, Landlock",
        off: &[Wall::All],
        script: "for root in /proc/[0-9]*/root; do cat $root$OUT/secret; done",
        harm: Harm::Secret,
    },
    Attack {
        tried: "a removed file that another process still has open (`/proc/*/fd`)",
        by: "namespaces of processes and users, Landlock",
        off: &[Wall::All],
        script: "timeout 2 cat /proc/$VICTIM/fd/3",
        harm: Harm::Secret,
    },
    Attack {
        tried: "another process's memory (`process_vm_readv`)",
        by: "the filter, namespaces of processes and users",
        off: &[Wall::Filter],
        script: "python3 -c \"import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nb = ctypes.create_string_buffer(b'there')\nt = ctypes.create_string_buffer(5)\nclass V(ctypes.Structure): _fields_ = [('b', ctypes.c_void_p), ('l', ctypes.c_size_t)]\nl, r = V(ctypes.addressof(t), 5), V(ctypes.addressof(b), 5)\nn = libc.process_vm_readv(os.getpid(), ctypes.byref(l), 1, ctypes.byref(r), 1, 0)\nprint('READ' if n == 5 else 'no', ctypes.get_errno())\"",
        harm: Harm::Says("READ"),
    },
    Attack {
        tried: "a socket with a hidden (abstract) name",
        by: "a namespace of the network, Landlock",
        off: &[Wall::Network, Wall::Landlock],
        script: "python3 -c \"import socket, os\ns = socket.socket(socket.AF_UNIX); s.connect(chr(0) + os.environ['NAME']); s.send(b'hello'); print(s.recv(99))\"",
        harm: Harm::Secret,
    },
    Attack {
        tried: "the machine's hardware, disks and groups in `/sys`",
        by: "it is not mounted",
        off: &[Wall::Sys],
        script: "ls /sys/class /sys/fs && echo SEEN",
        harm: Harm::Says("SEEN"),
    },
    Attack {
        tried: "the host's connections in `/proc/net/tcp`",
        by: "a namespace of the network",
        off: &[Wall::Network],
        script: "grep -i \":$(printf %04X $TCP) \" /proc/net/tcp && echo SEEN",
        harm: Harm::Says("SEEN"),
    },
];

#[tokio::test]
async fn what_is_not_theirs_is_not_read() {
    jail::play(ATTACKS).await;
}
