//! What holds, what was proven and what was not.

use std::fmt::Write as _;

use super::{
    Page,
    words::{code, count, grouped, inline, list, span},
};
use crate::{
    change::is_test_path,
    evidence::{CheckKind, Evidence, Observation, Verdict},
    screen::{clean, secrets},
    text::{one_line, plain},
};

/// How many checks, concerns and outputs a page shows.
const CHECKS: usize = 20;
const CONCERNS: usize = 10;
const OUTPUTS: usize = 3;
/// How much of an output it shows, in characters: its end.
const OUTPUT: usize = 1_000;

impl Page {
    /// The page in three lines: whether it holds, what is open, how large it is.
    pub(super) fn glance(&self) -> String {
        let mut part = String::new();
        if self.cost.rehearsed {
            part.push_str(
                "> **Rehearsal.** The model's side was played back from a cassette written by hand. Triage, workspaces, \
                 sandbox, edits, checks and git were real.\n\n",
            );
        }
        let held = self
            .evidence
            .iter()
            .filter(|e| e.verdict == Verdict::Passed)
            .count();
        let all = self.evidence.len();
        let mut proof = match (held, all) {
            (_, 0) => "nothing was checked".to_owned(),
            (1, 1) => "the one check holds".to_owned(),
            (held, all) if held == all => format!("all {all} checks hold"),
            (held, all) => format!("{held} of {all} checks hold"),
        };
        if self.reproduced() {
            proof.push_str("; a test fails without this change and passes with it");
        }
        let _ = writeln!(part, "- **Proof:** {proof}");
        let open = self.open();
        if !open.is_empty() {
            let _ = writeln!(part, "- **Open:** {}", list(&open));
        }
        let _ = writeln!(part, "- **Size:** {}", self.size());
        if let Some(touched) = self.touched() {
            let _ = writeln!(part, "- **Touches:** {touched}");
        }
        part.push('\n');
        part
    }

    fn reproduced(&self) -> bool {
        self.evidence
            .iter()
            .any(|e| e.kind == CheckKind::Reproduction && e.verdict == Verdict::Passed)
    }

    fn open(&self) -> Vec<String> {
        let mut open: Vec<String> = self
            .failing()
            .take(CHECKS)
            .map(|e| {
                let what = if e.verdict == Verdict::Failed {
                    "does not hold"
                } else {
                    "could not run"
                };
                format!("{} {what}", code(&one_line(&e.name, 40)))
            })
            .collect();
        if !self.concerns.is_empty() {
            open.push(format!(
                "{} of the reviewing agent",
                count(self.concerns.len(), "concern")
            ));
        }
        open
    }

    /// What did not pass, but for the reviewer's concerns, which stand by themselves.
    fn failing(&self) -> impl Iterator<Item = &Evidence> {
        self.evidence.iter().filter(|e| {
            e.verdict != Verdict::Passed && (e.kind != CheckKind::AgentReview || self.concerns.is_empty())
        })
    }

    fn size(&self) -> String {
        let side = |tests: bool, noun: &str| {
            let (mut files, mut added, mut removed) = (0, 0_u64, 0_u64);
            for file in self.files.iter().filter(|file| is_test_path(&file.path) == tests) {
                files += 1;
                added += u64::from(file.added);
                removed += u64::from(file.removed);
            }
            (files > 0).then(|| {
                format!(
                    "{} (+{} −{})",
                    count(files, noun),
                    grouped(added),
                    grouped(removed)
                )
            })
        };
        let sides: Vec<String> = [side(false, "file"), side(true, "test file")]
            .into_iter()
            .flatten()
            .collect();
        if sides.is_empty() {
            "no file".to_owned()
        } else {
            list(&sides)
        }
    }

    /// Runs in a table, narrow enough for a phone; what was judged without a run, and what needs words, below it.
    pub(super) fn what_was_proven(&self) -> String {
        let mut part = "## What was proven\n\n".to_owned();
        let rows: Vec<[String; 4]> = self
            .evidence
            .iter()
            .filter(|e| e.before.is_some() || e.after.is_some())
            .take(CHECKS)
            .map(row)
            .collect();
        if !rows.is_empty() {
            table(&mut part, ["check", "before", "after", "time"], &rows);
        }
        let mut told: Vec<&Evidence> = self.evidence.iter().filter(|e| says_more(e)).collect();
        told.sort_by_key(|e| weight(e.kind));
        told.truncate(CHECKS);
        for evidence in &told {
            let _ = writeln!(
                part,
                "- {} {}: {}",
                sign(evidence.verdict),
                inline(&one_line(&evidence.name, 60)),
                sentence(&inline(&one_line(&evidence.words, 300)))
            );
        }
        if self.evidence.is_empty() {
            part.push_str("Nothing was checked.\n");
        } else if self.evidence.len() > CHECKS {
            let _ = writeln!(
                part,
                "\nMore than {CHECKS} checks ran; the last ones are not shown."
            );
        }
        if !part.ends_with("\n\n") {
            part.push('\n');
        }
        part
    }

    pub(super) fn what_was_not(&self) -> String {
        let mut part = "## What was not proven\n\n".to_owned();
        let before = part.len();
        for evidence in self.failing().take(CHECKS) {
            let (name, words) = (one_line(&evidence.name, 60), one_line(&evidence.words, 300));
            let _ = writeln!(part, "- {}: {}", inline(&name), sentence(&inline(&words)));
        }
        for concern in self.concerns.iter().take(CONCERNS) {
            let concern = inline(&one_line(concern, 400));
            let _ = writeln!(part, "- The reviewing agent: {}", sentence(&concern));
        }
        if self.concerns.len() > CONCERNS {
            let _ = writeln!(
                part,
                "- And {}.",
                count(self.concerns.len() - CONCERNS, "more concern")
            );
        }
        let kinds = |kind| self.evidence.iter().any(|e| e.kind == kind);
        if !kinds(CheckKind::Reproduction) {
            part.push_str("- No test was asked for that fails without this change.\n");
        }
        if !kinds(CheckKind::Command) {
            part.push_str("- None of the repository's own checks was run.\n");
        }
        if !kinds(CheckKind::AgentReview) {
            part.push_str("- No second agent reviewed it.\n");
        }
        if part.len() == before {
            part.push_str("- Nothing that was checked is open.\n");
        }
        if !self.caveats.is_empty() {
            // About the machine, not about the change: one line, and the last one.
            let all: Vec<String> = self
                .caveats
                .iter()
                .take(10)
                .map(|caveat| inline(&one_line(caveat, 200)))
                .collect();
            let _ = writeln!(
                part,
                "- {}",
                sentence(&format!("The sandbox of this machine: {}", all.join("; ")))
            );
        }
        part.push('\n');
        part
    }

    /// What the checks printed that did not pass; short enough that it is never cut.
    pub(super) fn outputs(&self) -> String {
        let mut part = String::new();
        for evidence in self
            .failing()
            .filter(|e| !e.detail.trim().is_empty())
            .take(OUTPUTS)
        {
            output(&mut part, evidence);
        }
        part
    }
}

/// Whether a line about it tells what the table does not. What did not pass is told of under what was not proven.
fn says_more(evidence: &Evidence) -> bool {
    let ran = evidence.before.is_some() || evidence.after.is_some();
    let red = evidence
        .after
        .as_ref()
        .is_some_and(|seen| seen.verdict != Verdict::Passed);
    evidence.verdict == Verdict::Passed && (!ran || red || evidence.kind == CheckKind::Reproduction)
}

/// What tells most about a change comes first.
fn weight(kind: CheckKind) -> u8 {
    match kind {
        CheckKind::Reproduction => 0,
        CheckKind::AgentReview => 1,
        CheckKind::Command => 2,
        CheckKind::WeakenedTests => 3,
        CheckKind::Boundaries | CheckKind::Screen => 4,
    }
}

fn row(evidence: &Evidence) -> [String; 4] {
    let seen = |side: &Option<Observation>| side.as_ref().map_or_else(|| "–".to_owned(), observed);
    // What a reproduction runs, in words that leave a phone room for the figures; the line below the table has its name.
    let name = match evidence.kind {
        CheckKind::Reproduction => "new tests",
        _ => &evidence.name,
    };
    let time = evidence.after.as_ref().or(evidence.before.as_ref());
    [
        format!(
            // Kept together: a phone would leave the sign on a line of its own.
            "{}\u{a0}{}",
            sign(evidence.verdict),
            clean::cell(&one_line(name, 30))
        ),
        seen(&evidence.before),
        seen(&evidence.after),
        time.map_or_else(String::new, |seen| span(seen.duration_ms)),
    ]
}

/// A table whose columns stand in line where it is read as plain text, too.
fn table(part: &mut String, head: [&str; 4], rows: &[[String; 4]]) {
    let wide: Vec<usize> = (0..4)
        .map(|at| {
            rows.iter()
                .map(|row| row[at].chars().count())
                .chain([head[at].len()])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut line = |cells: [&str; 4]| {
        for (cell, wide) in cells.iter().zip(&wide) {
            let _ = write!(part, "| {cell:wide$} ", wide = *wide);
        }
        part.push_str("|\n");
    };
    line(head);
    let rules: Vec<String> = wide.iter().map(|wide| "-".repeat(*wide)).collect();
    line([&rules[0], &rules[1], &rules[2], &rules[3]]);
    for row in rows {
        line([&row[0], &row[1], &row[2], &row[3]]);
    }
    part.push('\n');
}

fn observed(seen: &Observation) -> String {
    let skipped = match seen.skipped {
        Some(n) if n > 0 => format!(", {} skipped", grouped(u64::from(n))),
        _ => String::new(),
    };
    match (seen.verdict, seen.passed, seen.failed) {
        (Verdict::Passed, Some(passed), Some(0)) => format!("{} pass{skipped}", grouped(u64::from(passed))),
        (Verdict::Failed, Some(passed), Some(failed)) if failed > 0 => {
            let all = u64::from(passed) + u64::from(failed);
            let verb = if failed == 1 { "fails" } else { "fail" };
            format!(
                "{} of {} {verb}{skipped}",
                grouped(u64::from(failed)),
                grouped(all)
            )
        }
        (Verdict::Passed, ..) => "passes".to_owned(),
        (Verdict::Failed, ..) => "fails".to_owned(),
        (Verdict::CouldNotRun, ..) => "did not run".to_owned(),
    }
}

/// The end of what a check printed, folded: its words stand above. A program of the change's own wrote it.
fn output(part: &mut String, evidence: &Evidence) {
    let text = secrets::mask(&plain(evidence.detail.trim()));
    let skip = text.chars().count().saturating_sub(OUTPUT);
    let text: String = text.chars().skip(skip).collect();
    // A fence is ended by one that is at least as long, so ours is longer than any that stands in the text.
    let ticks = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(ticks.max(2) + 1);
    let _ = writeln!(
        part,
        "<details>\n<summary>{}: what it printed{}</summary>\n\n{fence}text\n{}\n{fence}\n\n</details>\n",
        inline(&one_line(&evidence.name, 60)).replace('`', "'"),
        if skip > 0 { " last" } else { "" },
        text.trim()
    );
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "✓",
        Verdict::Failed => "✗",
        Verdict::CouldNotRun => "?",
    }
}

/// With a full stop, unless it ends a sentence already.
fn sentence(words: &str) -> String {
    if words.ends_with(['.', '!', '?', '…']) {
        words.to_owned()
    } else {
        format!("{words}.")
    }
}
