//! How grave a signal sounds. It moves a score a little, and decides nothing.

use super::Signal;
use crate::cluster::words;

/// Beginnings of words, and how grave they are, from 0 to 1.
const GRAVE: &[(&str, f32)] = &[
    ("breach", 1.0),
    ("leak", 1.0),
    ("vulnerab", 1.0),
    ("corrupt", 1.0),
    ("overcharg", 0.8),
    ("charged", 0.7),
    ("refund", 0.6),
    ("outage", 1.0),
    ("lost", 0.7),
    ("crash", 0.7),
    ("panic", 0.7),
    ("unusable", 0.8),
    ("urgent", 0.6),
    ("blocker", 0.8),
    ("fail", 0.4),
    ("error", 0.4),
    ("broken", 0.4),
    ("wrong", 0.3),
    ("slow", 0.3),
];

/// Labels of issues that say so.
const LABELS: &[(&str, f32)] = &[
    ("critical", 1.0),
    ("security", 1.0),
    ("sev1", 1.0),
    ("p0", 1.0),
    ("blocker", 1.0),
    ("p1", 0.7),
    ("bug", 0.3),
];

/// How grave the signal sounds, from 0 to 1: the gravest of its words and labels.
pub(crate) fn severity(signal: &Signal) -> f32 {
    let words = words::plain(&signal.text);
    let said = GRAVE
        .iter()
        .filter(|(sign, _)| words.iter().any(|word| word.starts_with(sign)));
    let labelled = LABELS
        .iter()
        .filter(|(sign, _)| signal.labels.iter().any(|label| label.eq_ignore_ascii_case(sign)));
    said.chain(labelled).map(|(_, grave)| *grave).fold(0.0, f32::max)
}
