//! What others on the machine see of the service while it works: command lines, environments, limits, and what is kept and
//! shown of an agent that prints secrets. No secret stands anywhere but in the service's own memory and environment.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::json;

use crate::small_story::{RUN, TITLE, lead, reviewer, told, worker};

/// What was seen of processes.
#[derive(Debug, Default)]
struct Seen {
    /// Names of programs that have to do with the world.
    programs: BTreeSet<String>,
    /// Where the secret stood: a process's id, its program, `cmdline` or `environ`.
    secret: BTreeSet<(u32, String, &'static str)>,
    /// Programs that may leave a core file.
    cores: BTreeSet<String>,
}

impl Seen {
    /// Looks at every process once. Those that have gone meanwhile are left out.
    fn look(&mut self, secret: &str, folder: &str, service: u32) {
        let of_service = fs::read(format!("/proc/{service}/cmdline")).unwrap_or_default();
        let of_service = String::from_utf8_lossy(&of_service).into_owned();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            let read = |file: &str| {
                let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let both = [("cmdline", read("cmdline")), ("environ", read("environ"))];
            let program = read("comm").trim().to_owned();
            // A child that has not yet become its program is still the service.
            let who = if both[0].1 == of_service { service } else { pid };
            for (file, text) in &both {
                if text.contains(secret) {
                    self.secret.insert((who, program.clone(), file));
                }
            }
            if both.iter().any(|(_, text)| text.contains(folder)) && pid != std::process::id() {
                let limits = read("limits");
                let core = limits.lines().find(|line| line.starts_with("Max core file size"));
                if core.is_some_and(|line| line.split_whitespace().nth(4) != Some("0")) {
                    self.cores.insert(program.clone());
                }
                self.programs.insert(program);
            }
        }
    }
}

/// Whether any file of a folder has these bytes.
fn holds(folder: &Path, words: &str) -> bool {
    fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            return holds(&entry.path(), words);
        }
        let bytes = fs::read(entry.path()).unwrap_or_default();
        kind.is_file()
            && bytes
                .windows(words.len())
                .any(|window| window == words.as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_stands_where_others_look_and_none_that_an_agent_prints_is_kept() {
    let (world, _origin) = told().await;
    let (key, known) = (
        world.key().to_owned(),
        format!("ghp_{}", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5"),
    );
    let command = format!("echo {key} {known} 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b; sleep 0.3");
    world.lead(lead).reviewer(TITLE, reviewer);
    world.worker(TITLE, |s| worker(s.call("run", json!({ "command": command }))));
    let folder = world.folder().to_string_lossy().into_owned();
    let child = world.spawn(RUN);
    let service = child.pid();
    let done = Arc::new(AtomicBool::new(false));
    let looking = {
        let (done, key) = (Arc::clone(&done), key.clone());
        tokio::task::spawn_blocking(move || {
            let mut seen = Seen::default();
            while !done.load(Ordering::Relaxed) {
                seen.look(&key, &folder, service);
            }
            seen
        })
    };
    let ran = world.end(child).await;
    done.store(true, Ordering::Relaxed);
    let seen = looking.await.unwrap();
    assert_eq!(ran.code, 0, "{ran}");
    // The agent's own command line is its own, inside its sandbox: it was told to write the key there.
    let others: Vec<_> = seen
        .secret
        .iter()
        .filter(|(pid, program, file)| {
            let its_own = *pid == service && *file == "environ";
            let agents = *file == "cmdline" && ["sh", "sleep"].contains(&program.as_str());
            !(its_own || agents)
        })
        .collect();
    assert!(others.is_empty(), "{others:?}");
    // The controls: the search finds what is there, and has seen what was started.
    assert!(seen.secret.iter().any(|(pid, ..)| *pid == service), "{seen:?}");
    assert!(seen.programs.contains("git"), "{seen:?}");
    assert!(seen.programs.len() > 2, "{seen:?}");
    assert!(seen.cores.is_empty(), "{seen:?}");
    let run = ran.json()["run"]["id"].as_str().unwrap().to_owned();
    for format in ["text", "json"] {
        let logs = world.loops(["logs", &run, "--format", format]).await;
        assert_eq!(logs.code, 0, "{logs}");
        let said = logs.all();
        assert!(!said.contains(&key) && !said.contains(&known), "{said}");
        assert!(said.contains("[masked: token of GitHub]"), "{said}");
        assert!(
            said.contains("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"),
            "a commit is no secret: {said}"
        );
    }
    assert!(!holds(&world.state(), &known), "it was kept");
    assert!(!holds(&world.state(), &key), "it was kept");
    assert!(
        holds(&world.state(), "masked: token of GitHub"),
        "the control: what was kept is found"
    );
    world.close().await;
}
