//! The corpus of `fuzz/`, and what a few turns of a wheel make of it, through the same functions as the fuzzer's.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use harness::fuzz::TARGETS;

use crate::docs::root;

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = root().join("fuzz/corpus").join(target);
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() > 2, "{target}");
    files
}

/// The next of a row of numbers that look random and are the same every time.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap()
}

/// Bytes with a few places changed, cut out, doubled, or brought from another file.
fn turned(bytes: &[u8], other: &[u8], state: &mut u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=next(state) % 4 {
        let at = next(state) % (bytes.len() + 1);
        let length = next(state) % 24;
        let end = (at + length).min(bytes.len());
        match next(state) % 5 {
            0 => bytes.drain(at..end).for_each(drop),
            1 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            2 => {
                let from = next(state) % (other.len() + 1);
                let piece = other[from..(from + length).min(other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            3 if at < bytes.len() => bytes[at] = u8::try_from(next(state) % 256).unwrap(),
            _ => {
                const ODD: [&[u8]; 6] = [
                    b"\0",
                    b"\n",
                    b"\xff",
                    b"99999999999999999999",
                    "\u{202e}".as_bytes(),
                    b"</outside-text>",
                ];
                bytes.splice(at..at, ODD[next(state) % ODD.len()].to_vec());
            }
        }
    }
    bytes
}

fn feed(name: &str, target: fn(&[u8]), bytes: &[u8], from: &str) {
    let done = catch_unwind(AssertUnwindSafe(|| target(bytes)));
    assert!(
        done.is_ok(),
        "{name} fails on what was made of {from}: {:?}",
        String::from_utf8_lossy(bytes)
    );
}

/// Turns of each file of a target, until there were so many or the time is up; how many there were.
fn turn(name: &str, target: fn(&[u8]), seed: u64, most: usize, time: Duration) -> usize {
    let (began, mut count, mut state) = (Instant::now(), 0, 88_172_645_463_325_252 ^ seed);
    let files = corpus(name);
    while count < most && began.elapsed() < time {
        for (from, bytes) in &files {
            for _ in 0..10 {
                let other = &files[next(&mut state) % files.len()].1;
                feed(name, target, &turned(bytes, other, &mut state), from);
                count += 1;
            }
        }
    }
    count
}

#[test]
fn every_file_of_the_corpus_and_what_it_is_turned_into_is_read_without_harm() {
    for (name, target) in TARGETS {
        for (from, bytes) in corpus(name) {
            feed(name, target, &bytes, &from);
            for length in (0..bytes.len().min(400)).step_by(11) {
                feed(name, target, &bytes[..length], &from);
            }
        }
    }
    for (name, target) in TARGETS {
        assert!(turn(name, target, 0, 70, Duration::from_secs(2)) > 0);
    }
}

#[test]
#[ignore = "takes three minutes for each target; `./x fuzz` runs it where there is no cargo-fuzz"]
fn for_three_minutes() {
    // Another row of numbers each time: what it fails on is told with the bytes.
    let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    for (name, target) in TARGETS {
        let count = turn(name, target, seed, usize::MAX, Duration::from_secs(180));
        let line = format!("{name}: {count} turns without harm\n");
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
        assert!(count > 100, "{name}: {count}");
    }
}

#[test]
fn every_target_of_the_fuzzer_is_one_of_the_tests() {
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let target = fs::read_to_string(root().join(format!("fuzz/fuzz_targets/{name}.rs"))).unwrap();
        assert!(
            target.contains(&format!("harness::fuzz::{name}(bytes)")),
            "{name}"
        );
    }
}
