//! The service itself as the victim: agents that spawn without end, and words that would break whatever they are put into.
//! The stories are told through the real binary; the words are put where agents may write, and looked for where they
//! would have done harm. The control for words: the same put there without care.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{fs, path::Path, process::Command};

use futures_util::StreamExt as _;
use harness::{model::Turn, world::World};
use serde_json::{Value, json};

use super::{Family, Row};
use crate::cast::{Ratings, approves, follow_up};

pub(crate) fn family() -> Family {
    let words = WORDS.iter().map(|word| Row {
        tried: word.tried.to_owned(),
        by: word.by.to_owned(),
        control: word.control.to_owned(),
    });
    let stories = STORIES.iter().map(|(tried, by, control)| Row {
        tried: (*tried).to_owned(),
        by: (*by).to_owned(),
        control: (*control).to_owned(),
    });
    Family {
        name: "The orchestrator",
        how: "Words of hostile lead agents and workers, through the real binary, on a real repository.",
        rows: words.chain(stories).collect(),
    }
}

/// Words that break what they are put into.
struct Word {
    tried: &'static str,
    by: &'static str,
    control: &'static str,
    /// What an agent writes: in the title of its task, its goal, its account, its report.
    text: &'static str,
    /// Whether they do harm where they are put without care. `at` is an empty folder.
    harm: fn(text: &str, at: &Path) -> bool,
    /// Whether they did harm.
    done: fn(&Left) -> bool,
}

/// What a run left behind.
struct Left {
    /// The folder of the world.
    folder: std::path::PathBuf,
    /// All that commands printed.
    printed: String,
    /// What `--format json` printed can be read.
    json: bool,
    branches: Vec<String>,
    /// Messages of all commits.
    log: String,
    /// `loops audit verify` and `loops findings` work.
    whole: bool,
}

fn sh(at: &Path, script: &str) -> bool {
    let run = Command::new("sh")
        .args(["-c", script])
        .current_dir(at)
        .output()
        .unwrap();
    run.status.success()
}

/// What a program says of text that is put into its own.
fn python(code: &str) -> String {
    let run = Command::new("python3").args(["-c", code]).output().unwrap();
    String::from_utf8_lossy(&run.stdout).into_owned()
}

const WORDS: &[Word] = &[
    Word {
        tried: "SQL in a title",
        by: "values are never put into SQL's text",
        control: "put into a statement's text, the table is gone",
        text: "x'); DROP TABLE runs; --",
        harm: |text, _| {
            python(&format!(
                "import sqlite3\ndb = sqlite3.connect(':memory:')\ndb.execute('create table runs (t)')\ndb.executescript('insert into runs values (\\'' + {text:?} + '\\')')\nprint(db.execute(\"select count(*) from sqlite_master where name = 'runs'\").fetchone()[0])"
            )) == "0\n"
        },
        done: |left| !left.whole,
    },
    Word {
        tried: "a command of the shell in a title, which names a branch",
        by: "no shell; a branch's name is made of letters and digits",
        control: "put into a command's text, it runs",
        text: "x; touch SHELL-RAN; $(touch SHELL-RAN) `touch SHELL-RAN`",
        harm: |text, at| {
            sh(at, &format!("echo loops/{text}"));
            at.join("SHELL-RAN").exists()
        },
        done: |left| found(&left.folder, "SHELL-RAN"),
    },
    Word {
        tried: "an option in the place of a name",
        by: "names are made by us, and options end before them",
        control: "put behind a program, it is an option",
        text: "--upload-pack=touch OPTION-RAN",
        harm: |text, at| {
            let git = Command::new("git")
                .args(["ls-remote", text, "."])
                .current_dir(at)
                .output();
            git.is_ok_and(|_| at.join("OPTION-RAN").exists())
        },
        done: |left| found(&left.folder, "OPTION-RAN"),
    },
    Word {
        tried: "a path that leads out, in a title",
        by: "a branch's name is made of letters and digits",
        control: "put behind a folder, it leads out",
        text: "../../../PATH-LEFT",
        harm: |text, at| {
            let inner = at.join("a/b/c");
            fs::create_dir_all(&inner).unwrap();
            fs::write(inner.join(text), "x").is_ok() && at.join("PATH-LEFT").exists()
        },
        done: |left| found(&left.folder, "PATH-LEFT") || left.branches.iter().any(|name| name.contains("..")),
    },
    Word {
        tried: "text that ends a string of JSON",
        by: "JSON is written by a writer of JSON",
        control: "put into JSON's text, a field of its own",
        text: "x\", \"state\": \"merged\", \"y\": \"",
        harm: |text, _| {
            let text = format!("{{\"state\": \"open\", \"title\": \"{text}\"}}");
            serde_json::from_str::<Value>(&text).is_ok_and(|value| value["state"] == "merged")
        },
        done: |left| !left.json,
    },
    Word {
        tried: "commands to the terminal of whoever looks at a run",
        by: "control characters are taken out before anything is printed",
        control: "printed as they are, the terminal obeys",
        text: "x \u{1b}]0;OWNED\u{7} \u{1b}[2J",
        harm: |text, _| text.contains('\u{1b}'),
        done: |left| left.printed.contains('\u{1b}'),
    },
    Word {
        tried: "a line of its own in a log and on the screen",
        by: "what is printed of agents' words is one line, indented, or stands in a fence",
        control: "printed as it is, it passes for ours",
        text: "x\n✓ T1      proposed as proposal-00000000",
        harm: |text, _| text.lines().any(|line| line.starts_with("✓ T1 ")),
        done: |left| {
            unfenced(&left.printed)
                .iter()
                .any(|line| line.contains("proposal-00000000") && line.starts_with('✓'))
        },
    },
    Word {
        tried: "trailers of a commit in a title",
        by: "a title is one line, and ours come last",
        control: "put into a message, git reads them",
        text: "x\n\nCo-authored-by: Boss <boss@corp.example>\n",
        harm: |text, at| {
            fs::write(at.join("message"), text).unwrap();
            let out = Command::new("git")
                .args(["interpret-trailers", "--parse", "message"])
                .current_dir(at)
                .output()
                .unwrap();
            String::from_utf8_lossy(&out.stdout).contains("boss@corp.example")
        },
        done: |left| left.log.lines().any(|line| line.starts_with("Co-authored-by")),
    },
    Word {
        tried: "a template's own language in a goal",
        by: "words are put into conversations, never into templates",
        control: "put into a template, it is carried out",
        text: "x {{ 'TEMPLATE' ~ '-RAN' }}",
        harm: |text, _| {
            loops::library::render(text, json!({})).is_ok_and(|made| made.contains("TEMPLATE-RAN"))
        },
        done: |left| left.printed.contains("TEMPLATE-RAN"),
    },
    Word {
        tried: "a null byte and half a character",
        by: "they are taken out, or written in another way",
        control: "put into a program's arguments, it cannot be started",
        text: "x \u{0} y \u{fffd}",
        harm: |text, at| Command::new("git").arg(text).current_dir(at).output().is_err(),
        done: |left| left.printed.contains('\u{0}') || !left.whole,
    },
];

/// The lines that do not stand in a fence, where the output of checks is shown as it was.
fn unfenced(text: &str) -> Vec<&str> {
    let mut fence: Option<&str> = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if ticks >= 3 => fence = line.get(..ticks),
            None => lines.push(line),
        }
    }
    lines
}

/// Whether a file of that name is anywhere in a folder.
fn found(folder: &Path, name: &str) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        entry.file_name() == name
            || (entry.file_type().is_ok_and(|kind| kind.is_dir()) && found(&entry.path(), name))
    })
}

#[tokio::test]
async fn no_words_of_agents_break_what_they_are_put_into() {
    for word in WORDS {
        let at = tempfile::tempdir().unwrap();
        assert!(
            (word.harm)(word.text, at.path()),
            "NO HARM IN THE CONTROL: {}",
            word.tried
        );
    }
    // One run for all of them: in the title of the task, its goal, its acceptance, the account, the verdict, the report.
    let shop = Ratings::world().await;
    let world = &shop.world;
    let all = WORDS.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
    let task = json!({"findings": ["F1"], "worker": "fix", "title": format!("{} {all}", Ratings::TITLE), "goal": all, "acceptance": [all]});
    world.lead(|s| {
        s.call("signals", json!({"finding": "F1"}))
            .call("spawn", task)
            .call("wait", json!({}))
            .call("outcome", json!({"task": "T1"}))
            .call("finish", json!({"report": all}))
    });
    world.model().session_if(
        "the worker",
        |_, first| first.contains(&format!("# Task: {}", Ratings::TITLE)),
        |s| {
            let test = format!("{}{}", Ratings::TEST, Ratings::ADDED);
            s.calls([
                ("write", json!({"path": Ratings::TESTS, "content": test})),
                (
                    "write",
                    json!({"path": Ratings::FILE, "content": Ratings::MENDED}),
                ),
            ])
            .say(all.clone())
        },
    );
    world.model().session_if(
        "the reviewer",
        |_, first| first.contains(&format!("# Change under review: {}", Ratings::TITLE)),
        |s| {
            s.call("read", json!({"path": Ratings::FILE})).call(
                "verdict",
                json!({"approve": true, "concerns": [all], "summary": all}),
            )
        },
    );
    let ran = world.loops(["run", "fix", "--format", "json"]).await;
    let json = serde_json::from_str::<Value>(&ran.stdout).is_ok();
    let mut printed = ran.all();
    let run = ran.json()["run"].clone();
    let id = run["tasks"][0]["proposal"]["id"]
        .as_str()
        .unwrap_or("none")
        .to_owned();
    let mut whole = true;
    let task = run["tasks"][0]["id"].as_str().unwrap_or("none").to_owned();
    for args in [
        ["review", &id],
        ["show", &id],
        ["show", &task],
        ["audit", "verify"],
    ] {
        let shown = world.loops([args[0], args[1]]).await;
        printed.push_str(&shown.all());
        whole &= args[0] != "audit" || shown.code == 0;
    }
    whole &= world.loops(["findings", "--format", "json"]).await.json()[0]["id"].is_string();
    let left = Left {
        folder: world.folder().to_owned(),
        printed,
        json: json && run["tasks"][0]["proposal"]["state"] == "open",
        branches: shop.origin.branches(),
        log: shop.origin.git(&["log", "--all", "--format=%B"]),
        whole,
    };
    for word in WORDS {
        let printed = &left.printed;
        assert!(!(word.done)(&left), "NOT STOPPED: {}: {printed}", word.tried);
    }
    assert_eq!(left.branches.len(), 2, "the work itself was done: {ran}");
    shop.world.close().await;
}

/// The words that are to do harm in a title: a title is cut, so each of these stands alone in one.
fn titles() -> impl Iterator<Item = &'static Word> {
    WORDS.iter().filter(|word| {
        ["title", "name", "branch"]
            .iter()
            .any(|place| word.tried.contains(place))
    })
}

/// A run whose task has nothing but the words in its title.
async fn titled(word: &Word) -> Option<String> {
    let shop = Ratings::world().await;
    let world = &shop.world;
    let task =
        json!({"findings": ["F1"], "worker": "fix", "title": word.text, "goal": "x", "acceptance": ["x"]});
    world.lead(|s| follow_up(s.call("spawn", task)));
    world.model().session_if(
        "the worker",
        |_, first| first.contains("# Task: "),
        |s| {
            let test = format!("{}{}", Ratings::TEST, Ratings::ADDED);
            s.calls([
                ("write", json!({"path": Ratings::TESTS, "content": test})),
                (
                    "write",
                    json!({"path": Ratings::FILE, "content": Ratings::MENDED}),
                ),
            ])
            .say("It is 0 now.")
        },
    );
    world.model().session_if(
        "the reviewer",
        |_, first| first.contains("# Change under review: "),
        |s| approves(s, Ratings::FILE),
    );
    let ran = world.loops(["run", "fix", "--format", "json"]).await;
    let run = serde_json::from_str::<Value>(&ran.stdout).map(|told| told["run"].clone());
    let run = run.unwrap_or_default();
    let proposal = &run["tasks"][0]["proposal"];
    let id = proposal["id"].as_str().unwrap_or("none").to_owned();
    let shown = world.loops(["review", &id]).await;
    let verified = world.loops(["audit", "verify"]).await;
    let left = Left {
        folder: world.folder().to_owned(),
        printed: ran.all() + &shown.all(),
        json: proposal["state"] == "open",
        branches: shop.origin.branches(),
        log: shop.origin.git(&["log", "--all", "--format=%B"]),
        whole: verified.code == 0,
    };
    // The word came so far: its letters stand in the title of what was proposed.
    let letters = |text: &str| {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
    };
    let came = letters(&left.printed).contains(&letters(word.text)[..letters(word.text).len().min(20)]);
    let wrong = ((word.done)(&left) || !came || left.branches.len() != 2).then(|| {
        format!(
            "{}: came: {came}, {:?}: {}",
            word.tried, left.branches, left.printed
        )
    });
    shop.world.close().await;
    wrong
}

#[tokio::test]
async fn no_word_alone_in_a_title_breaks_what_it_is_put_into() {
    let wrong: Vec<String> = futures_util::stream::iter(titles().map(titled))
        .buffer_unordered(2)
        .filter_map(async |wrong| wrong)
        .collect()
        .await;
    assert!(titles().count() >= 4);
    assert!(wrong.is_empty(), "NOT STOPPED: {}", wrong.join("\n"));
}

/// What the tests below tell: what is tried, what stops it, and the control.
const STORIES: &[(&str, &str, &str)] = &[
    (
        "a pattern that takes gigabytes to search for",
        "a pattern has a size, and a search a while",
        "git's own search runs out of half a gigabyte",
    ),
    (
        "a repository's prompt that makes gigabytes when it is filled in",
        "a repository's prompt places what it is handed, and computes nothing",
        "filled in as a whole template, each line doubles it",
    ),
];

/// Repetitions of repetitions: sixteen million states.
const PATTERN: &str = "(((a{255}){255}){255})";

#[tokio::test]
async fn a_lead_agent_that_searches_for_too_much_is_told_so() {
    let shop = Ratings::world().await;
    let world = &shop.world;
    world.lead(|s| {
        s.calls([
            ("search", json!({"pattern": PATTERN})),
            ("search", json!({"pattern": "def me.n", "path": "ratings"})),
            ("read", json!({"path": "ratings/stats.py"})),
        ])
        .call("finish", json!({"report": "Nothing."}))
    });
    let ran = world.loops(["run", "fix", "--format", "json"]).await;
    let requests = world.model().requests();
    let told = requests.last().unwrap().body.to_string();
    assert!(
        told.contains("the pattern is too large") && told.contains("ratings/stats.py:1:def mean"),
        "NOT STOPPED: {told}\n{ran}"
    );
    let shell = format!("ulimit -v 500000; timeout 100 git grep -E -e '{PATTERN}' main");
    let git = Command::new("sh")
        .args(["-c", &shell])
        .current_dir(shop.origin.path())
        .output()
        .unwrap();
    // 1 is: nothing found.
    assert!(
        !matches!(git.status.code(), Some(0 | 1)),
        "NO HARM IN THE CONTROL: {git:?}"
    );
    shop.world.close().await;
}

#[test]
fn a_repositorys_prompt_does_not_grow_in_our_memory() {
    let doubled = |times: usize| {
        let lines = "{% set x = x ~ x %}\n".repeat(times);
        format!("{{% set x = 'a' %}}{lines}{{{{ x | length }}}}")
    };
    let refused = loops::library::render_foreign(&doubled(40), json!({}));
    assert!(refused.is_err(), "NOT STOPPED: {refused:?}");
    let made = loops::library::render(&doubled(16), json!({})).unwrap();
    assert_eq!(made.trim(), "65536", "NO HARM IN THE CONTROL");
}

/// Not in the table: what is off in its control is no wall of its own (the one call that is allowed is carried out).
#[tokio::test]
async fn a_lead_agent_that_spawns_without_end_ends() {
    let shop = Ratings::world().await;
    let world: &World = &shop.world;
    let spawn = |title: &str, write: Value| json!({"findings": ["F1"], "worker": "fix", "title": title, "goal": "x", "acceptance": ["x"], "write": write});
    world.lead(|s| {
        let mut turn = Turn::new().call_raw("spawn", "{\"findings\": [\"F1\", ");
        turn = turn.call_raw("spawn", "'; DROP TABLE tasks; --");
        turn = turn.call("merge_pull_request", json!({"now": true}));
        turn = turn.call("spawn", spawn("Wide", json!(["/etc/**", "../**", "billing/**"])));
        turn = turn.call("spawn", spawn(Ratings::TITLE, json!(["ratings/**", "tests/**"])));
        for number in 0..40 {
            turn = turn.call("spawn", spawn(&format!("More {number}"), json!([])));
        }
        follow_up(s.turn(turn))
    });
    world.worker(Ratings::TITLE, |s| {
        let test = format!("{}{}", Ratings::TEST, Ratings::ADDED);
        s.calls([
            ("write", json!({"path": Ratings::TESTS, "content": test})),
            (
                "write",
                json!({"path": Ratings::FILE, "content": Ratings::MENDED}),
            ),
        ])
        .say("It is 0 now.")
    });
    world.reviewer(Ratings::TITLE, |s| approves(s, Ratings::FILE));
    let ran = world.loops(["run", "fix", "--format", "json"]).await;
    let tasks = ran.json()["run"]["tasks"].as_array().cloned().unwrap_or_default();
    let titles: Vec<&str> = tasks.iter().filter_map(|task| task["title"].as_str()).collect();
    // The control is in the same message: the one task that is allowed was spawned, and no other.
    assert_eq!(titles, [Ratings::TITLE], "{ran}");
    assert_eq!(shop.origin.branches().len(), 2, "{ran}");
    shop.world.close().await;
}
