//! Using the machine up. Each attack is played beside a sibling attempt and the gateway, which must go on answering; the
//! control is the same without the one limit. What was measured stands in docs/security.md.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use loops::spec::{Bytes, SandboxLimits};
use workers::sandbox::{Policy, Ran, Sandbox};

use super::{
    Family, Row,
    door::{Door, key, post},
};

pub(crate) fn family() -> Family {
    let row = |attack: &Attack| Row {
        tried: attack.tried.to_owned(),
        by: attack.by.to_owned(),
        control: attack.control.to_owned(),
    };
    Family {
        name: "Using the machine up",
        how: "Commands in a real sandbox, beside a sibling attempt and the gateway, which must answer all the while.",
        rows: ATTACKS.iter().map(row).collect(),
    }
}

struct Attack {
    tried: &'static str,
    by: &'static str,
    control: &'static str,
    /// For `sh`.
    script: &'static str,
    /// Limits that are smaller than usual.
    limits: fn(&mut SandboxLimits),
    /// Whether the command did harm.
    harm: fn(&Seen<'_>) -> bool,
    /// What is off in the control.
    off: Off,
}

/// What is left out in a control.
#[derive(Clone, Copy, PartialEq)]
enum Off {
    /// The smaller limits.
    Limit,
    /// The sandbox.
    Sandbox,
    /// The bound of what is kept of the output.
    Output,
}

/// What is seen of an attack.
struct Seen<'a> {
    ran: &'a Ran,
    /// The file `alive` went on changing after the command had ended.
    stays: bool,
}

fn says(seen: &Seen<'_>, words: &str) -> bool {
    seen.ran.output.contains(words)
}

const USUAL: fn(&mut SandboxLimits) = |_| {};

const ATTACKS: &[Attack] = &[
    Attack {
        tried: "a thousand and more processes (a fork bomb)",
        by: "a control group, else the user's limit",
        control: "no sandbox: 1,100 are made",
        script: "python3 -c \"import os, signal\nmade = []\ntry:\n  while len(made) < 1100:\n    pid = os.fork()\n    if pid == 0: signal.pause()\n    made.append(pid)\nexcept OSError: pass\nprint('MADE', len(made))\nfor pid in made: os.kill(pid, 9)\"",
        limits: USUAL,
        harm: |seen| says(seen, "MADE 1100"),
        off: Off::Sandbox,
    },
    Attack {
        tried: "a sparse file of 100 GB",
        by: "the limit of a file's size",
        control: "no sandbox: it is made",
        script: "truncate -s 100G huge; stat -c 'SIZE %s' huge; rm -f huge",
        limits: USUAL,
        harm: |seen| says(seen, "SIZE 107374182400"),
        off: Off::Sandbox,
    },
    Attack {
        tried: "ten gigabytes of output",
        by: "what is kept is bounded, the rest is read and let go",
        control: "no bound: all of a shorter one is kept",
        script: "head -c ${BYTES:-10G} /dev/zero | tr '\\0' x",
        limits: USUAL,
        harm: |seen| seen.ran.output.len() > 1 << 20,
        off: Off::Output,
    },
    Attack {
        tried: "many small files, each allowed",
        by: "folders are measured, and the sandbox ends",
        control: "a larger limit: they are made",
        script: "python3 -c \"import os, time\nfor n in range(2000): open('f%d' % n, 'wb').write(b'x' * 32768)\ntime.sleep(int(os.environ.get('WAIT', '40')))\nprint('ALL')\"",
        limits: |limits| limits.disk = Bytes(48 << 20),
        harm: |seen| says(seen, "ALL"),
        off: Off::Limit,
    },
    Attack {
        tried: "a file that has no name any more, and stays open",
        by: "what processes keep open is measured, too",
        control: "a larger limit: it is kept",
        script: "python3 -c \"import os, time\nf = open('gone', 'wb')\nos.unlink('gone')\nfor n in range(60): f.write(b'x' * (1 << 20))\nf.flush()\ntime.sleep(int(os.environ.get('WAIT', '40')))\nprint('ALL')\"",
        limits: |limits| limits.disk = Bytes(32 << 20),
        harm: |seen| says(seen, "ALL"),
        off: Off::Limit,
    },
    Attack {
        tried: "files in a folder that nobody may look into",
        by: "folders are measured; one that stays shut to us ends the sandbox",
        control: "a larger limit, and a shorter while: they are kept",
        script: "python3 -c \"import os, time\nos.mkdir('shut')\nos.chmod('shut', 0o300)\nfor n in range(60): open('shut/f%d' % n, 'wb').write(b'x' * (1 << 20))\ntime.sleep(int(os.environ.get('WAIT', '40')))\nprint('ALL')\"",
        limits: |limits| limits.disk = Bytes(32 << 20),
        harm: |seen| says(seen, "ALL"),
        off: Off::Limit,
    },
    Attack {
        tried: "memory, in three processes that are each below the limit",
        by: "a control group, else looking",
        control: "a larger limit: they go on",
        script: "for n in 1 2 3; do python3 -c 'import os, time; x = bytearray(70 << 20); time.sleep(int(os.environ.get(\"WAIT\", \"40\")))' & done; wait; echo ALL",
        limits: |limits| limits.memory = Bytes(128 << 20),
        harm: |seen| says(seen, "ALL"),
        off: Off::Limit,
    },
    Attack {
        tried: "a process that stays when its command has ended",
        by: "a namespace of processes ends as a whole",
        control: "no sandbox: it goes on",
        script: "(setsid sh -c 'for n in $(seq 60); do date +%s%N > alive; sleep 0.05; done' >/dev/null 2>&1 &); until [ -s alive ]; do sleep 0.05; done",
        limits: USUAL,
        harm: |seen| seen.stays,
        off: Off::Sandbox,
    },
    Attack {
        tried: "folders in folders, too deep for who walks them",
        by: "the sandbox ends when they cannot be measured",
        control: "no sandbox: they are made",
        script: "python3 -c \"import os, time\nfor n in range(400):\n  os.mkdir('d'); os.chdir('d')\ntime.sleep(int(os.environ.get('WAIT', '40')))\nprint('ALL')\"",
        limits: USUAL,
        harm: |seen| says(seen, "ALL"),
        off: Off::Sandbox,
    },
];

fn policy(scratch: &Path, limits: Option<SandboxLimits>) -> Policy {
    let workspace = scratch.join("workspace");
    fs::create_dir_all(&workspace).unwrap();
    Policy {
        workspace,
        limits,
        scratch: scratch.to_owned(),
        ..crate::sandbox::policy(scratch)
    }
}

async fn play(attack: &Attack, scratch: &Path, off: Option<Off>) -> bool {
    let mut limits = SandboxLimits::default();
    if off != Some(Off::Limit) {
        (attack.limits)(&mut limits);
    }
    let mut policy = policy(scratch, (off != Some(Off::Sandbox)).then_some(limits));
    let mut kept = 16 << 10;
    if off.is_some() {
        // What a limit ends need not wait for it.
        let less = [("BYTES", "4M"), ("WAIT", "1")];
        policy.env = BTreeMap::from(less.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    if off == Some(Off::Output) {
        kept = 16 << 20;
    }
    let sandbox = match off {
        Some(Off::Sandbox) => Sandbox::without(crate::programs::built("sandbox-helper")),
        _ => crate::sandbox::sandbox(),
    };
    let ran = sandbox
        .run(&policy, attack.script, Duration::from_secs(60), kept)
        .await
        .unwrap();
    let alive = policy.workspace.join("alive");
    let at_end = fs::read(&alive).ok();
    let mut stays = false;
    let began = Instant::now();
    while at_end.is_some() && !stays && began.elapsed() < Duration::from_millis(700) {
        tokio::task::yield_now().await;
        let now = fs::read(&alive).unwrap_or_default();
        stays = !now.is_empty() && Some(&now) != at_end.as_ref();
    }
    (attack.harm)(&Seen { ran: &ran, stays })
}

/// How long answers took: of a sibling attempt, and of the gateway.
#[derive(Default)]
struct Answers {
    sibling: Vec<Duration>,
    gateway: Vec<Duration>,
}

impl Answers {
    /// The middle one and the longest of each, in words.
    fn words(&mut self) -> String {
        let both = [&mut self.sibling, &mut self.gateway].map(|list| {
            list.sort_unstable();
            let at = |index: usize| list.get(index).copied().unwrap_or_default().as_millis();
            format!("{} / {} ms", at(list.len() / 2), at(list.len().saturating_sub(1)))
        });
        format!(
            "{} times, sibling {}, gateway {}",
            self.sibling.len(),
            both[0],
            both[1]
        )
    }
}

/// Asks a sibling and the gateway for ever.
async fn ask(door: &Door, scratch: &Path, answers: &mut Answers) {
    let sibling = policy(scratch, Some(SandboxLimits::default()));
    let token = door.admit("sibling");
    let header = key(token.expose());
    let body = r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}"#;
    loop {
        let began = Instant::now();
        let ran = crate::sandbox::sandbox()
            .run(&sibling, "echo fine", Duration::from_secs(60), 1000)
            .await
            .unwrap();
        assert_eq!(ran.output, "fine\n");
        answers.sibling.push(began.elapsed());
        let began = Instant::now();
        let (status, said) = post(&door.place(), "/v1/messages", &header, body).await;
        assert_eq!(status, 200, "{said}");
        answers.gateway.push(began.elapsed());
    }
}

/// The longest that a sibling may wait, on whatever machine.
const LONGEST: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_uses_the_machine_up_leaves_others_answering() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open().await;
    let mut figures = Vec::new();
    let mut before = Answers::default();
    let (second, sibling) = (
        tokio::time::sleep(Duration::from_secs(1)),
        folder.path().join("sibling"),
    );
    tokio::select! {
        () = ask(&door, &sibling, &mut before) => {}
        () = second => {}
    }
    figures.push(format!("before: {}", before.words()));
    for (number, attack) in ATTACKS.iter().enumerate() {
        let at = |kind: &str| folder.path().join(format!("{kind}-{number}"));
        let mut during = Answers::default();
        let (sibling, hostile) = (at("sibling"), at("attack"));
        let harm = tokio::select! {
            () = ask(&door, &sibling, &mut during) => unreachable!("it asks for ever"),
            harm = play(attack, &hostile, None) => harm,
        };
        assert!(!harm, "NOT STOPPED: {}", attack.tried);
        assert!(
            during.sibling.iter().all(|took| *took < LONGEST),
            "{}",
            attack.tried
        );
        assert!(
            during.gateway.iter().all(|took| *took < LONGEST),
            "{}",
            attack.tried
        );
        figures.push(format!("{}: {}", attack.tried, during.words()));
        assert!(
            play(attack, &at("control"), Some(attack.off)).await,
            "NO HARM IN THE CONTROL: {}",
            attack.tried
        );
    }
    // `cargo nextest run --no-capture` shows them; docs/security.md has those of one machine.
    std::io::Write::write_all(&mut std::io::stderr(), (figures.join("\n") + "\n").as_bytes()).unwrap();
}
