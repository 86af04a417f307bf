//! How much the scan finds that it was not written for: attacks in the forms of public sets (InjecAgent, AgentDojo, BIPIA,
//! PromptInject, HackAPrompt, Tensor Trust, garak, deepset, LLMail-Inject, published cases), and ordinary reports, some
//! of which talk of instructions, keys and agents.
//!
//! The first pair of files was frozen before the scan was extended, and its rates before and after are told; whoever
//! extended it knew them. The second pair was written after that and judged once: its rates are those to believe. The scan is
//! not to be mended after either of them; write a new pair when it has been.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::injections;

/// The files with their digests, the attacks and the reports of each pair.
const FILES: [(&str, &str); 4] = [
    (
        include_str!("attacks.jsonl"),
        "e937f88983339e677141be0769480f3320229a1323c82d8a692d13f2df6b8af9",
    ),
    (
        include_str!("benign.jsonl"),
        "1b471b3cd9ecb81070571df0606d7969d5002e49d5a37b35546116e7b9e6b958",
    ),
    (
        include_str!("attacks-2.jsonl"),
        "788de424589505ccf3efd47b188602805bc60488cde4c46dc85a82b000afcb02",
    ),
    (
        include_str!("benign-2.jsonl"),
        "c1917bb35ece0f7136f1a100c5183177df5013d7bc837bc004c71120d77011ab",
    ),
];

#[derive(Deserialize)]
struct Line {
    text: String,
}

/// How many of a file's texts are flagged, and how many there are.
fn flagged(file: usize) -> (usize, usize) {
    // The digest says that each line can be read.
    let read = |line| serde_json::from_str::<Line>(line).map_or_else(|_| String::new(), |line| line.text);
    let texts = FILES[file].0.lines().map(read);
    let flags: Vec<bool> = texts.map(|text| !injections(&text).is_empty()).collect();
    (flags.iter().filter(|flag| **flag).count(), flags.len())
}

#[test]
fn the_held_out_texts_are_those_that_were_frozen() {
    for (text, digest) in FILES {
        assert_eq!(hex::encode(Sha256::digest(text)), digest);
    }
}

/// The rates stand in docs/security.md; a scan that has become worse is to say so there.
#[test]
fn as_many_held_out_texts_are_flagged_as_is_told() {
    let seen = [0, 1, 2, 3].map(flagged);
    assert_eq!(seen, [(96, 97), (0, 80), (47, 50), (1, 50)]);
}
