//! The rules of the house that neither cargo nor clippy holds.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::docs::root;

const CRATES: [&str; 4] = ["loops", "workers", "orchestrator", "tests"];

/// No file of ours is longer than this, its tests not counted.
const LINES: usize = 600;

/// A source file: where it is, from the root, and what stands in it.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Whether all of it is there for tests only.
    fn is_test(&self) -> bool {
        let path = Path::new(&self.path);
        path.starts_with("tests")
            || path.components().any(|part| part.as_os_str() == "tests")
            || ["tests.rs", "testing.rs"].contains(
                &path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .unwrap_or_default(),
            )
    }

    /// What is not there for tests, comments left out, with line numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self
            .text
            .lines()
            .position(|line| line == "#[cfg(test)]")
            .unwrap_or(usize::MAX);
        let end = if self.is_test() { 0 } else { end };
        let lines = self.text.lines().enumerate().take(end);
        lines
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(at, line)| (at + 1, line))
    }
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|there| there == extension) {
            found.push(path);
        }
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    files(&root().join(folder), "rs", &mut found);
    found.sort();
    let read = |path: PathBuf| Source {
        path: path.strip_prefix(root()).unwrap().display().to_string(),
        text: fs::read_to_string(&path).unwrap(),
    };
    found.into_iter().map(read).collect()
}

fn all_sources() -> Vec<Source> {
    CRATES.iter().flat_map(|name| sources(name)).collect()
}

/// Every place where one of `words` stands in code of `sources`.
fn places(sources: &[Source], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.code() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                found.push(format!("{}:{number}: `{word}`", source.path));
            }
        }
    }
    found
}

/// The names under `[dependencies]` and the like of a crate's manifest.
fn dependencies(name: &str, tables: &[&str]) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
    let mut within = false;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            within = tables.contains(&line.trim_matches(['[', ']']));
        } else if let Some((left, right)) = line.split_once('=').filter(|_| within) {
            let left = left.trim();
            let dependency = left.strip_suffix(".workspace");
            assert!(
                dependency.is_some() || right.contains("workspace = true"),
                "{name}: `{left}` has a version of its own; versions stand in the workspace's Cargo.toml"
            );
            found.push(dependency.unwrap_or(left).to_owned());
        }
    }
    found
}

const ALL_TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

#[test]
fn crates_depend_downhill_only() {
    for (name, below) in [
        ("loops", &CRATES[..0]),
        ("workers", &CRATES[..1]),
        ("orchestrator", &CRATES[..2]),
    ] {
        let ours: Vec<String> = dependencies(name, &ALL_TABLES)
            .into_iter()
            .filter(|one| CRATES.contains(&one.as_str()))
            .collect();
        assert!(
            ours.iter().all(|one| below.contains(&one.as_str())),
            "`{name}` depends on {ours:?}"
        );
    }
}

#[test]
fn what_waits_is_no_dependency_of_loops_and_what_is_kept_or_asked_none_of_workers() {
    let waits = ["tokio", "hyper", "reqwest", "sqlx", "tempfile", "rand", "nix"];
    let keeps = ["sqlx", "reqwest", "clap", "rustls", "octocrab"];
    for (name, not) in [("loops", &waits[..]), ("workers", &keeps[..])] {
        let bad: Vec<String> = dependencies(name, &ALL_TABLES)
            .into_iter()
            .filter(|one| not.contains(&one.as_str()))
            .collect();
        assert!(bad.is_empty(), "`{name}` depends on {bad:?}");
    }
}

#[test]
fn loops_knows_no_disk_no_network_no_clock_and_never_waits() {
    let words = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "tokio::",
        "reqwest::",
        "async fn",
        ".await",
        "SystemTime",
        "Instant::now",
        "Utc::now",
        "Local::now",
        "rand::random",
    ];
    assert_eq!(places(&sources("loops"), &words), [""; 0]);
}

#[test]
fn sql_is_only_in_the_store() {
    let outside: Vec<Source> = all_sources()
        .into_iter()
        .filter(|source| !source.path.starts_with("orchestrator/src/store/"))
        .collect();
    let words = [
        "sqlx::",
        "use sqlx",
        "\"SELECT ",
        "\"INSERT ",
        "\"UPDATE ",
        "\"DELETE FROM",
    ];
    assert_eq!(places(&outside, &words), [""; 0]);
    let inside = places(&sources("orchestrator/src/store"), &["sqlx::"]);
    assert!(!inside.is_empty(), "the rule does not see what it looks for");
    let sloppy = places(&sources("orchestrator/src/store"), &["SELECT *"]);
    assert_eq!(sloppy, [""; 0], "columns are named");
}

#[test]
fn each_service_outside_is_known_in_one_room() {
    for (word, room) in [
        ("octocrab::", "orchestrator/src/github/"),
        ("slack_morphism::", "orchestrator/src/slack/"),
        ("axum::", "orchestrator/src/web/"),
    ] {
        let all = sources("orchestrator/src");
        let (inside, outside): (Vec<Source>, Vec<Source>) =
            all.into_iter().partition(|source| source.path.starts_with(room));
        assert_eq!(places(&outside, &[word]), [""; 0]);
        assert!(
            !places(&inside, &[word]).is_empty(),
            "the rule does not see `{word}`"
        );
    }
}

#[test]
fn nothing_is_taken_for_granted_outside_of_tests() {
    let words = [
        ".unwrap()",
        ".expect(\"",
        "todo!(",
        "unimplemented!(",
        "dbg!(",
        "TODO",
        "FIXME",
        "#[allow(",
    ];
    let ours: Vec<Source> = ["loops/src", "workers/src", "orchestrator/src"]
        .iter()
        .flat_map(|folder| sources(folder))
        .collect();
    // What parses runners' output knows the word.
    let found: Vec<String> = places(&ours, &words)
        .into_iter()
        .filter(|place| !(place.contains("/output/") && place.ends_with("`TODO`")))
        .collect();
    let found: Vec<String> = found
        .into_iter()
        .filter(|place| !place.contains("store/attempts.rs"))
        .collect();
    assert_eq!(found, [""; 0]);
}

#[test]
fn every_module_begins_with_what_it_is_for() {
    let without: Vec<String> = all_sources()
        .into_iter()
        .filter(|source| {
            !(source.text.starts_with("//! ") || source.is_test() && !source.path.starts_with("tests/"))
        })
        .map(|source| source.path)
        .collect();
    assert_eq!(without, [""; 0]);
}

#[test]
fn no_file_is_longer_than_six_hundred_lines_without_its_tests() {
    for source in all_sources() {
        let lines = source
            .text
            .lines()
            .position(|line| line == "#[cfg(test)]")
            .unwrap_or(source.text.lines().count());
        let most = if source.is_test() { LINES * 2 } else { LINES };
        assert!(
            lines <= most,
            "{} has {lines} lines: it is two things",
            source.path
        );
    }
}

#[test]
fn migrations_go_forward_only() {
    let mut found = Vec::new();
    files(&root().join("migrations"), "sql", &mut found);
    // A migration may have a part for both engines and one for each; all have its name.
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let names: std::collections::BTreeSet<String> = found.iter().map(stem).collect();
    let mut times = Vec::new();
    for name in &names {
        let (time, words) = name.split_once('_').unwrap_or_default();
        let good = time.len() == 14 && time.bytes().all(|b| b.is_ascii_digit());
        let plain = !words.is_empty()
            && words
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(good && plain, "`{name}` is not named like `20261121000000_words`");
        times.push(time.to_owned());
    }
    let count = times.len();
    times.sort();
    times.dedup();
    assert_eq!(times.len(), count, "two migrations have the same time");
    assert!(count > 0);
}

#[test]
fn every_dependency_is_used() {
    // Not used by name: it holds a version of what sqlx uses.
    let pins = ["libsqlite3-sys"];
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut named = Vec::new();
    for name in CRATES {
        let sources = sources(name);
        for dependency in dependencies(name, &ALL_TABLES) {
            let path = dependency.replace('-', "_");
            let used = sources.iter().any(|source| names(&source.text, &path));
            assert!(
                used || pins.contains(&dependency.as_str()),
                "`{name}` does not use `{dependency}`"
            );
            named.push(dependency);
        }
    }
    let (_, table) = manifest.split_once("[workspace.dependencies]\n").unwrap();
    for line in table.lines().take_while(|line| !line.starts_with('[')) {
        let Some((dependency, _)) = line.split_once(" = ") else {
            continue;
        };
        let ours = CRATES.contains(&dependency);
        assert!(
            ours || named.iter().any(|name| name == dependency),
            "nobody uses `{dependency}`"
        );
    }
}

/// Whether `text` names a crate: `name::…`, `use name;`, `name!`.
fn names(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at]
            .chars()
            .next_back()
            .is_none_or(|c| !(c.is_alphanumeric() || c == '_'));
        let after = &text[at + name.len()..];
        before && (after.starts_with("::") || after.starts_with('!') || text[..at].ends_with("use "))
    })
}

#[test]
fn a_rule_sees_what_breaks_it_and_nothing_else() {
    let source = |text: &str| Source {
        path: "loops/src/made_up.rs".into(),
        text: text.into(),
    };
    let broken = [source("//! A room.\nuse std::fs;\n")];
    assert_eq!(
        places(&broken, &["std::fs"]),
        ["loops/src/made_up.rs:2: `std::fs`"]
    );
    let fine = [source(
        "//! Not std::fs.\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n",
    )];
    assert_eq!(places(&fine, &["std::fs"]), [""; 0]);
    assert!(names("use anyhow::Result;", "anyhow"));
    assert!(names("let x = serde_json::json!(1);", "serde_json"));
    assert!(!names("let serde_jsonl = 1; // serde_json", "serde_json"));
}
