//! How much the scan finds that it was not written for: attacks in the forms of public sets (InjecAgent, AgentDojo, BIPIA,
//! PromptInject, HackAPrompt, Tensor Trust, garak, and published cases), and ordinary reports, some of which talk of
//! instructions, keys and agents. Both files were frozen before the scan was last changed, and are not what it is
//! written after: an attack that is missed here is left missed, unless the same form is known from elsewhere.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::injections;

const ATTACKS: &str = include_str!("attacks.jsonl");
const BENIGN: &str = include_str!("benign.jsonl");

#[derive(Deserialize)]
struct Line {
    text: String,
}

/// How many of a file's texts are flagged, and how many there are.
fn flagged(file: &str) -> (usize, usize) {
    let texts = file.lines().map(|line| {
        let line: Line = serde_json::from_str(line).unwrap();
        line.text
    });
    let flags: Vec<bool> = texts.map(|text| !injections(&text).is_empty()).collect();
    (flags.iter().filter(|flag| **flag).count(), flags.len())
}

#[test]
fn the_held_out_texts_are_those_that_were_frozen() {
    let digest = |text: &str| hex::encode(Sha256::digest(text));
    assert_eq!(
        digest(ATTACKS),
        "e937f88983339e677141be0769480f3320229a1323c82d8a692d13f2df6b8af9"
    );
    assert_eq!(
        digest(BENIGN),
        "1b471b3cd9ecb81070571df0606d7969d5002e49d5a37b35546116e7b9e6b958"
    );
}

#[test]
fn most_attacks_that_the_scan_was_not_written_for_are_flagged_and_few_ordinary_reports() {
    let ((found, attacks), (alarms, reports)) = (flagged(ATTACKS), flagged(BENIGN));
    assert!(
        found * 100 >= attacks * 45 && alarms * 100 <= reports * 12,
        "{found} of {attacks} attacks, {alarms} of {reports} reports"
    );
}
