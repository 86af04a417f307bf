//! Libraries that do the same, each in a process of its own: how many jobs that do nothing they take and end in a second.
//! They are found where `tests/bench/orders.sh` puts them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) struct Peers {
    /// Where they are installed.
    folder: PathBuf,
}

/// A library: its name with what a commit of it waits for, the program, and the batches that it knows.
struct Peer {
    name: &'static str,
    on_postgres: bool,
    script: &'static str,
    batched: bool,
}

const ALL: [Peer; 4] = [
    Peer {
        name: "graphile-worker (npm), on the disk",
        on_postgres: true,
        script: "graphile.cjs",
        batched: true,
    },
    Peer {
        name: "pg-boss (npm), on the disk",
        on_postgres: true,
        script: "pgboss.cjs",
        batched: true,
    },
    Peer {
        name: "huey (PyPI), on the disk, no acknowledgement",
        on_postgres: false,
        script: "huey_jobs.py",
        batched: false,
    },
    Peer {
        name: "honker (PyPI), not waiting for the disk",
        on_postgres: false,
        script: "honker_jobs.py",
        batched: true,
    },
];

impl Peers {
    /// Those that `--peers FOLDER` names.
    pub(crate) fn asked_for() -> Option<Self> {
        let mut args = std::env::args().skip_while(|arg| arg != "--peers");
        args.next()?;
        let folder = PathBuf::from(args.next()?);
        Some(Self { folder })
    }

    /// Prints what each does with so many jobs in such batches, and how ours compares.
    pub(crate) fn beside(
        &self,
        address: Option<&str>,
        folder: &Path,
        (count, batch): (u32, u32),
        ours: f64,
    ) -> anyhow::Result<()> {
        for peer in ALL {
            let here = peer.on_postgres == address.is_some() && (batch == 1 || peer.batched);
            if !here {
                continue;
            }
            let script = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("bench/orders/peers")
                .join(peer.script);
            let program = match script.extension().and_then(|end| end.to_str()) {
                Some("py") => self.folder.join("venv/bin/python"),
                _ => PathBuf::from("node"),
            };
            let place = match address {
                Some(address) => address.to_owned(),
                None => folder
                    .join(format!("{}-{batch}.db", peer.script))
                    .display()
                    .to_string(),
            };
            let ran = Command::new(program)
                .env("NODE_PATH", self.folder.join("node_modules"))
                .arg(script)
                .args([place, count.to_string(), batch.to_string()])
                .output()?;
            let said = String::from_utf8_lossy(&ran.stdout);
            let said = said
                .lines()
                .rev()
                .find_map(|line| line.trim().parse::<f64>().ok());
            let Some(theirs) = said else {
                let why = String::from_utf8_lossy(&ran.stderr);
                println!(
                    "|   beside {}, batches of {batch} | | could not run: {why} | |",
                    peer.name
                );
                continue;
            };
            println!(
                "|   beside {}, batches of {batch} | {ours:.0} | {theirs:.0} | {:.2} |",
                peer.name,
                ours / theirs
            );
        }
        Ok(())
    }
}
