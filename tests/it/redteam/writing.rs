//! Writing what is not theirs, from inside a sandbox.

use super::{
    Family,
    jail::{self, Attack, Harm, Wall},
};

pub(crate) fn family() -> Family {
    Family {
        name: "Writing outside",
        how: "Commands in a real sandbox; the harm is a file on the host that is there or changed afterwards.",
        rows: jail::rows(ATTACKS),
    }
}

const ATTACKS: &[Attack] = &[
    Attack {
        tried: "a file beside the workspace, by its path",
        by: "only what is needed is mounted, Landlock",
        off: &[Wall::Mounts, Wall::Landlock],
        script: "echo in > $LEFT",
        harm: Harm::Left,
    },
    Attack {
        tried: "the same through a link to a folder outside",
        by: "a link leads to what is mounted inside, Landlock",
        off: &[Wall::Mounts, Wall::Landlock],
        script: "ln -s $OUT way-$ID && cd way-$ID && echo in > $LEFT",
        harm: Harm::Left,
    },
    Attack {
        tried: "a folder of the host that is mounted and may be written by everybody",
        by: "Landlock, behind the mounts",
        off: &[Wall::Landlock, Wall::Mounts],
        script: "mkdir $OUT/made-$ID && mv $OUT/made-$ID $LEFT",
        harm: Harm::Left,
    },
    Attack {
        tried: "the objects of the repository's mirror, which all attempts share",
        by: "a read-only mount, Landlock",
        off: &[Wall::ReadOnly, Wall::Landlock],
        script: "echo forged > /mirror/objects/known && grep forged /mirror/objects/known",
        harm: Harm::Says("forged\n"),
    },
    Attack {
        tried: "removing those objects",
        by: "a read-only mount, Landlock",
        off: &[Wall::ReadOnly, Wall::Landlock],
        script: "touch /mirror/objects/x-$ID && rm /mirror/objects/x-$ID && echo REMOVED",
        harm: Harm::Says("REMOVED"),
    },
    Attack {
        tried: "our own program, which the host starts next",
        by: "a read-only mount, Landlock",
        off: &[Wall::ReadOnly, Wall::Landlock],
        script: "python3 -c \"import os\nos.utime('/run/loops/loops', None)\nopen('/run/loops/loops', 'r+b').close(); print('OPENED')\"",
        harm: Harm::Says("OPENED"),
    },
    Attack {
        tried: "a file that must be mounted writable (the launcher's mark)",
        by: "Landlock",
        off: &[Wall::Landlock],
        script: "echo forged >> /run/loops/begun && echo WROTE",
        harm: Harm::Says("WROTE"),
    },
    Attack {
        tried: "the same by truncating it, without opening it",
        by: "Landlock",
        off: &[Wall::Landlock],
        script: "python3 -c \"import os; p = '/run/loops/begun'; os.truncate(p, 0); open(p, 'a').write('up'); print('CUT')\"",
        harm: Harm::Says("CUT"),
    },
    Attack {
        tried: "the host's `/tmp`",
        by: "a `/tmp` of the attempt's own",
        off: &[Wall::Tmp],
        script: "echo in > /tmp/$ID-dropped && mv /tmp/$ID-dropped /tmp/$ID && ls -i /tmp/$NAME-secret && echo REACHED",
        harm: Harm::Says("REACHED"),
    },
    Attack {
        tried: "the host's `/dev/shm`",
        by: "a `/dev/shm` of the attempt's own",
        off: &[Wall::Shm],
        script: "echo in > /dev/shm/$ID && ls /dev/shm/$NAME-secret && echo REACHED",
        harm: Harm::Says("REACHED"),
    },
    Attack {
        tried: "a person's `~/.gitconfig` and shell settings",
        by: "a home of the attempt's own",
        off: &[Wall::Home],
        script: "cp ~/.netrc ~/$ID && cp ~/$ID ~/.gitconfig && grep crown ~/.gitconfig",
        harm: Harm::Secret,
    },
    Attack {
        tried: "memory that processes of the host share (System V)",
        by: "a namespace of IPC",
        off: &[Wall::Ipc],
        script: "python3 -c \"import ctypes, os\nlibc = ctypes.CDLL(None)\nprint('SHARED' if libc.shmget(int(os.environ['TCP']), 0, 0) >= 0 else 'none')\"",
        harm: Harm::Says("SHARED"),
    },
    Attack {
        tried: "a message queue of the host (POSIX)",
        by: "a namespace of IPC, Landlock",
        off: &[Wall::Ipc, Wall::Landlock],
        script: "python3 -c \"import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nfd = libc.mq_open(('/' + os.environ['NAME']).encode(), 1)\nprint('OPENED' if fd >= 0 else ctypes.get_errno())\"",
        harm: Harm::Says("OPENED"),
    },
];

#[tokio::test]
async fn what_is_not_theirs_is_not_written() {
    jail::play(ATTACKS).await;
}
