//! What pages show to be copied: loops, parts of loops, settings, and signals.

use std::{fs, path::Path};

use loops::spec::{self, Known, PathSource};
use orchestrator::{
    cli::specs::known,
    config::{Config, builtin},
    local,
};

use super::{Block, pages};

/// What a part of a loop is put on, to be read as a whole.
const REST: [(&str, &str); 5] = [
    ("name", "name: example\n"),
    ("kind", "kind: fix\n"),
    ("repo", "repo: ..\n"),
    ("schedule", "schedule: { every: 10m }\n"),
    ("sources", "sources: [{ file: { path: feedback.jsonl } }]\n"),
];

#[test]
fn every_example_of_yaml_can_be_used_as_it_stands() {
    let settings = Config::read(Path::new("loops.yaml"), "", Some("state".into()), &|_| None).unwrap();
    let known = known(&settings.models);
    assert!(known.models.len() >= builtin::ALIASES.len());
    let (mut loops, mut others) = (0, 0);
    for page in pages() {
        for block in page.parts().0.iter().filter(|block| block.language == "yaml") {
            let place = format!("{}:{}", page.path, block.line);
            if block.text.starts_with("# loops.yaml") {
                let read = Config::read(Path::new("loops.yaml"), &block.text, None, &|_| {
                    Some("a-secret-of-some-length".into())
                });
                read.map(drop).unwrap_or_else(|error| panic!("{place}: {error}"));
                others += 1;
            } else {
                whole(block, &known).unwrap_or_else(|errors| panic!("{place}:\n{errors}"));
                loops += 1;
            }
        }
    }
    assert!(
        loops > 4 && others > 0,
        "{loops} loops and {others} settings were found"
    );
}

/// Reads a loop, or a part of one with the rest put under it.
fn whole(block: &Block, known: &Known) -> Result<(), String> {
    let mut text = block.text.clone();
    for (key, line) in REST {
        let there = |key: &str| {
            block
                .text
                .lines()
                .any(|line| line.starts_with(&format!("{key}:")))
        };
        if !(there(key) || key == "schedule" && there("triggers")) {
            text.push_str(line);
        }
    }
    spec::read("example", &text, known)
        .map(drop)
        .map_err(|errors| spec::render(&errors, &text, false))
}

#[test]
fn a_wrong_example_is_told_from_a_right_one() {
    let known = Known {
        models: vec!["top".into(), "standard".into()],
    };
    let block = |text: &str| Block {
        language: "yaml".into(),
        line: 1,
        text: text.into(),
    };
    assert_eq!(whole(&block("base: trunk\n"), &known), Ok(()));
    assert!(whole(&block("bass: trunk\n"), &known).is_err());
    assert!(whole(&block("schedule: { evry: 10m }\n"), &known).is_err());
}

#[test]
fn every_example_of_signals_can_be_read() {
    let mut seen = 0;
    for page in pages() {
        for block in page.parts().0.iter().filter(|block| block.language == "jsonl") {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("feedback.jsonl"), &block.text).unwrap();
            let source = PathSource {
                path: "feedback.jsonl".into(),
            };
            let batch = local::read(&source, folder.path(), None).unwrap();
            assert_eq!(batch.skipped, [], "{}:{}", page.path, block.line);
            assert_eq!(
                batch.signals.len(),
                block.text.lines().count(),
                "{}:{}",
                page.path,
                block.line
            );
            seen += 1;
        }
    }
    assert!(seen > 0);
}
