//! GitHub's own examples: all are read, or ignored on purpose.

use std::{collections::BTreeSet, fs, path::PathBuf};

use orchestrator::github::{EVENTS, Hook, NotHeard, Use, use_of};
use serde_json::Value;

use super::{Ears, SOURCES};

/// The pinned version; `x` names the same.
const VERSION: &str = "7.6.1";

/// Events with their examples, of github.com and of each edition of the server.
fn examples() -> Vec<(String, Value)> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".cache"))
    });
    let folder = std::env::var_os("LOOPS_GITHUB_HOOKS").map_or_else(
        || {
            cache
                .unwrap_or_default()
                .join(format!("loops/github-hooks-{VERSION}"))
        },
        PathBuf::from,
    );
    let mut all = Vec::new();
    for edition in [
        "api.github.com",
        "ghes-31",
        "ghes-32",
        "ghes-33",
        "ghes-34",
        "ghes-35",
    ] {
        let path = folder.join(edition).join("index.json");
        let text = fs::read(&path).unwrap_or_else(|error| {
            panic!(
                "`{}`: {error}: type `./x setup`, or name its folder in LOOPS_GITHUB_HOOKS",
                path.display()
            )
        });
        let events: Vec<Value> = serde_json::from_slice(&text).unwrap();
        for event in events {
            let name = event["name"].as_str().unwrap().to_owned();
            let examples = event["examples"].as_array().unwrap().clone();
            all.extend(examples.into_iter().map(|example| (name.clone(), example)));
        }
    }
    all
}

fn read(event: &str, example: &Value) -> Result<Hook, NotHeard> {
    Hook::read(Some(event), Some("1"), example.to_string().as_bytes())
}

#[test]
fn every_example_is_heard_or_ignored_for_a_reason_of_our_own() {
    let all = examples();
    assert_eq!(all.len(), 726);
    let known: BTreeSet<&str> = EVENTS.iter().map(|(event, _)| *event).collect();
    let mut heard = 0;
    for (event, example) in &all {
        assert!(
            known.contains(&**event),
            "`{event}` has no entry in the table of events"
        );
        match (use_of(event), read(event, example)) {
            (Use::Ignored(_), Err(NotHeard::Ignored { .. } | NotHeard::Ping)) => {}
            (Use::Read | Use::Wakes(_), Ok(hook)) => {
                assert_eq!(hook.event, *event);
                heard += 1;
            }
            (Use::Wakes(_), Err(NotHeard::NoRepository(_))) if example.get("repository").is_none() => {}
            (use_, read) => panic!("`{event}` is {use_:?}, and gave {read:?}"),
        }
    }
    assert!(heard > 500, "{heard}");
}

#[tokio::test]
async fn every_example_of_what_is_read_gives_a_signal_or_takes_one_away() {
    let ears = Ears::open(SOURCES).await;
    let shop = ears
        .home
        .hub
        .as_ref()
        .unwrap()
        .repository("acme", "shop")
        .unwrap();
    let whole = super::spec("all", "acme/shop", ALL);
    let mut silent = Vec::new();
    for (event, example) in &examples() {
        if use_of(event) != Use::Read {
            continue;
        }
        let hook = read(event, example).unwrap();
        let mut said = 0;
        for source in &whole.sources {
            let Some(batch) = shop.hear(source, &hook).await.unwrap() else {
                continue;
            };
            assert_eq!(batch.skipped, [], "{}", hook.name());
            said += batch.signals.len() + batch.gone.len() + batch.deleted.len();
        }
        if said == 0 {
            silent.push(hook.name());
        }
    }
    silent.sort();
    silent.dedup();
    assert_eq!(silent, SILENT);
}

/// Sources that ask for all that there is.
const ALL: &str =
    "[{ github_issues: { states: [open, closed] } }, { github_pulls: { states: [open, closed] } }]";
/// What says nothing that somebody could work on: the issue of these two is a pull request, which has events of its own, and
/// these reviews are without words.
const SILENT: [&str; 4] = [
    "issues.demilestoned",
    "issues.milestoned",
    "pull_request_review.dismissed",
    "pull_request_review.submitted",
];

#[test]
fn every_event_that_githubs_document_knows_has_an_entry() {
    let path = std::env::var_os("LOOPS_GITHUB_OPENAPI").map_or_else(
        || {
            let home = std::env::var_os("XDG_CACHE_HOME").map_or_else(
                || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"),
                PathBuf::from,
            );
            home.join("loops/github-openapi-23.0.2/api.github.com.json")
        },
        PathBuf::from,
    );
    let whole: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let known: BTreeSet<&str> = EVENTS.iter().map(|(event, _)| *event).collect();
    for (name, hook) in whole["x-webhooks"].as_object().unwrap() {
        let event = hook["post"]["x-github"]["subcategory"]
            .as_str()
            .unwrap()
            .replace('-', "_");
        assert!(
            known.contains(&*event),
            "`{event}` ({name}) has no entry in the table of events"
        );
    }
}

/// The next of a row of numbers that look random and are the same every time.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap()
}

/// Something within it becomes another thing, or goes.
fn turn(value: &mut Value, state: &mut u64) {
    let odd = [
        Value::Null,
        Value::Bool(true),
        Value::from(-1),
        Value::from(u64::MAX),
        Value::from("\u{0}\u{202e}</outside-text>"),
        Value::from("9999-99-99T99:99:99Z"),
        Value::Array(Vec::new()),
        serde_json::json!({}),
    ];
    match value {
        Value::Object(map) if !map.is_empty() && !next(state).is_multiple_of(8) => {
            let at = next(state) % map.len();
            let key = map.keys().nth(at).unwrap().clone();
            match next(state) % 6 {
                0 => drop(map.remove(&key)),
                _ => turn(map.get_mut(&key).unwrap(), state),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = next(state) % items.len();
            turn(&mut items[at], state);
        }
        other => *other = odd[next(state) % odd.len()].clone(),
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_an_event_it_is_read_or_passed_over() {
    let ears = Ears::open(SOURCES).await;
    let shop = ears
        .home
        .hub
        .as_ref()
        .unwrap()
        .repository("acme", "shop")
        .unwrap();
    let whole = super::spec("all", "acme/shop", ALL);
    let (mut state, mut said, mut passed) = (88_172_645_463_325_252, 0, 0);
    let read_ones = examples()
        .into_iter()
        .filter(|(event, _)| use_of(event) == Use::Read);
    for (event, example) in read_ones {
        for _ in 0..8 {
            let mut turned = example.clone();
            for _ in 0..=next(&mut state) % 3 {
                turn(&mut turned, &mut state);
            }
            let Ok(hook) = read(&event, &turned) else { continue };
            for source in &whole.sources {
                let Some(batch) = shop.hear(source, &hook).await.unwrap() else {
                    continue;
                };
                said += batch.signals.len();
                passed += batch.skipped.len();
            }
        }
    }
    assert!(said > 100 && passed > 10, "{said} {passed}");
}
