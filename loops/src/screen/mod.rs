//! Screens on what leaves: what stands between a proven change and the people and programs that read it.
//!
//! Two kinds. A screen that refuses ([`judge`]) looks at a change and at what its agent wrote, for secrets and for text
//! that deceives; it fails closed, and says each place in words that hold no secret. A screen that cleans ([`clean`])
//! makes text harmless for where it is rendered. All of it is pure; whether a change stays within its boundaries is
//! [`crate::boundary`]'s, whether it is proven is [`crate::evidence`]'s.

pub mod clean;
mod diff;
pub mod hidden;
mod looks;
pub mod private;
pub mod secrets;

use std::fmt::Write as _;

use crate::{
    change::Diff,
    evidence::{CheckKind, Evidence, Verdict},
    text::one_line,
};

/// The name of the evidence, as people see it.
pub const NAME: &str = "screens";
/// How many objections are told in full.
const TOLD: usize = 40;

/// What is about to leave.
#[derive(Debug, Clone, Copy)]
pub struct Leaving<'a> {
    /// The change.
    pub diff: &'a Diff,
    /// What an agent wrote that goes with it: what it is (`title`, `account` …), and the text.
    pub texts: &'a [(&'a str, &'a str)],
}

/// How much an objection weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The change does not leave.
    Refuses,
    /// People are told, and decide.
    Notes,
}

/// Something that a screen holds against a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// How much it weighs.
    pub weight: Weight,
    /// Where: `src/a.py:12`, or the name of a text.
    pub place: String,
    /// What is so, and what to do about it. It never holds a secret.
    pub words: String,
}

/// Everything that the screens hold against what is about to leave, what refuses first.
pub fn objections(leaving: Leaving<'_>) -> Vec<Objection> {
    let mut list = diff::objections(leaving.diff);
    for (name, text) in leaving.texts {
        for find in secrets::find(text, secrets::Depth::All) {
            list.push(Objection {
                weight: Weight::Refuses,
                place: format!("the {name}"),
                words: format!("a secret stands in it ({}); write it without", find.kind),
            });
        }
    }
    list.sort_by_key(|objection| objection.weight);
    list
}

/// What the screens say, as evidence.
pub fn judge(leaving: Leaving<'_>) -> Evidence {
    let list = objections(leaving);
    let refusing = list.iter().filter(|one| one.weight == Weight::Refuses).count();
    let (verdict, words) = match (refusing, list.len()) {
        (0, 0) => (
            Verdict::Passed,
            "no secret and no hidden text in what would leave".to_owned(),
        ),
        (0, notes) => (
            Verdict::Passed,
            format!(
                "no secret and no hidden text in what would leave; {notes} to look at: {}",
                told(&list[0])
            ),
        ),
        (1, _) => (Verdict::Failed, told(&list[0])),
        (many, _) => (
            Verdict::Failed,
            format!("{}; and {} more like it", told(&list[0]), many - 1),
        ),
    };
    let mut detail = String::new();
    for objection in list.iter().take(TOLD) {
        // Writing into a `String` cannot fail.
        let _ = writeln!(detail, "{}", told(objection));
    }
    if list.len() > TOLD {
        let _ = writeln!(detail, "and {} more", list.len() - TOLD);
    }
    evidence(verdict, words, detail)
}

/// Evidence that the screens could not do their work, which refuses.
pub fn could_not_run(why: &str) -> Evidence {
    evidence(
        Verdict::CouldNotRun,
        one_line(&secrets::mask(why), 300),
        String::new(),
    )
}

fn evidence(verdict: Verdict, words: String, detail: String) -> Evidence {
    Evidence {
        name: NAME.to_owned(),
        kind: CheckKind::Screen,
        verdict,
        before: None,
        after: None,
        words,
        detail,
    }
}

/// One line. A path is an agent's words, too.
fn told(objection: &Objection) -> String {
    let place = one_line(&secrets::mask(&objection.place), 160);
    format!("{place}: {}", one_line(&objection.words, 200))
}

#[cfg(test)]
mod tests;
