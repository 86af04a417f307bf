//! The page of a proposal: what a reviewer reads, in a minute. Markdown, made of facts that the harness has; what
//! an agent wrote is quoted as a claim, and made harmless first.

use std::{fmt::Write as _, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    budget::{Money, Usage},
    evidence::{CheckKind, Evidence, Observation, Verdict},
    screen::{
        clean::{self, Allowed, cell, is_plain_link},
        secrets,
    },
    text::one_line,
    time::Timestamp,
};

/// Everything that stands on a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// One line: what this does.
    pub title: String,
    /// The problems that it is for.
    pub problems: Vec<Problem>,
    /// The worker's own account of the change: a claim.
    pub account: String,
    /// What the checks found out.
    pub evidence: Vec<Evidence>,
    /// What the independent reviewer still holds against it.
    pub concerns: Vec<String>,
    /// The files of the change.
    pub files: Vec<FileStat>,
    /// What could only be limited or proven approximately.
    pub caveats: Vec<String>,
    /// What it cost.
    pub cost: Cost,
    /// How to answer, a line each.
    pub answers: Vec<String>,
}

/// A problem, as the page tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// One line.
    pub title: String,
    /// How many signals stand behind it.
    pub signals: u32,
    /// How many different people spoke.
    pub reporters: u32,
    /// When the first one did.
    pub since: Timestamp,
    /// A few of the signals, most telling first: words, and where to see them.
    pub quotes: Vec<(String, Option<String>)>,
}

/// One file of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStat {
    /// Its path.
    pub path: String,
    /// Lines added.
    pub added: u32,
    /// Lines removed.
    pub removed: u32,
}

/// What a proposal cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Money.
    pub money: Money,
    /// Tokens.
    pub usage: Usage,
    /// Working attempts.
    pub attempts: u32,
    /// The model's answers were played back from a cassette.
    pub rehearsed: bool,
    /// Some of it is an estimate, because a stream was cut.
    pub estimated: bool,
}

impl Page {
    /// The page as Markdown.
    pub fn markdown(&self) -> String {
        let mut page = String::new();
        self.head(&mut page);
        self.what_was_wrong(&mut page);
        self.what_was_changed(&mut page);
        self.what_was_proven(&mut page);
        self.what_was_not(&mut page);
        self.risk_and_cost(&mut page);
        page
    }

    fn head(&self, page: &mut String) {
        let _ = writeln!(page, "# {}\n", inline(&one_line(&self.title, 120)));
        if self.cost.rehearsed {
            let _ = writeln!(
                page,
                "> **Rehearsal.** The model's side was played back from a cassette written by hand. Triage, workspaces, sandbox, edits, checks and git were real.\n"
            );
        }
    }

    fn what_was_wrong(&self, page: &mut String) {
        page.push_str("## What was wrong\n\n");
        for problem in &self.problems {
            let day = problem.since.to_string();
            let _ = writeln!(
                page,
                "**{}**: {} from {} since {}.\n",
                inline(&one_line(&problem.title, 120)),
                count(problem.signals, "report"),
                if problem.reporters == 0 {
                    "machines".to_owned()
                } else {
                    count(problem.reporters, "person").replace("persons", "people")
                },
                &day[..10.min(day.len())],
            );
            for (words, url) in &problem.quotes {
                let quote = inline(&one_line(words, 200));
                match url {
                    Some(url) if is_plain_link(url) => {
                        let _ = writeln!(page, "> {quote} ([source](<{url}>))\n>");
                    }
                    _ => {
                        let _ = writeln!(page, "> {quote}\n>");
                    }
                }
            }
            if page.ends_with(">\n") {
                page.truncate(page.len() - 2);
                page.push('\n');
            }
        }
    }

    fn what_was_changed(&self, page: &mut String) {
        page.push_str("## What was changed, in the worker's words\n\n");
        let account = clean::quote(&self.account, 1_500);
        if account.is_empty() {
            page.push_str("The worker said nothing.\n");
        }
        page.push_str(&account);
        page.push('\n');
    }

    fn what_was_proven(&self, page: &mut String) {
        page.push_str("## What was proven\n\n| check | before | after | time | |\n|---|---|---|---|---|\n");
        for evidence in &self.evidence {
            let time = evidence
                .after
                .as_ref()
                .or(evidence.before.as_ref())
                .map(|seen| seen.duration_ms);
            let _ = writeln!(
                page,
                "| {} {} | {} | {} | {} | {} |",
                sign(evidence.verdict),
                cell(&evidence.name),
                evidence.before.as_ref().map_or_else(String::new, observed),
                evidence.after.as_ref().map_or_else(String::new, observed),
                time.map_or_else(String::new, |ms| format!(
                    "{:.1} s",
                    Duration::from_millis(ms).as_secs_f64()
                )),
                cell(&evidence.words),
            );
        }
        page.push('\n');
    }

    fn what_was_not(&self, page: &mut String) {
        let unproven: Vec<String> = self
            .evidence
            .iter()
            .filter(|evidence| evidence.verdict != Verdict::Passed && evidence.kind != CheckKind::AgentReview)
            .map(|evidence| format!("{}: {}", cell(&evidence.name), cell(&evidence.words)))
            .chain(self.concerns.iter().map(|concern| {
                format!(
                    "The reviewer holds against it: {}",
                    inline(&one_line(concern, 400))
                )
            }))
            .chain(self.weaker())
            .collect();
        if unproven.is_empty() {
            return;
        }
        page.push_str("## What was not proven\n\n");
        for line in unproven {
            let _ = writeln!(page, "- {line}");
        }
        page.push('\n');
    }

    /// What the sandbox could not hold exactly, in one line: it is about the machine, not about the change.
    fn weaker(&self) -> Option<String> {
        if self.caveats.is_empty() {
            return None;
        }
        let list: Vec<String> = self
            .caveats
            .iter()
            .map(|caveat| inline(&one_line(caveat, 200)))
            .collect();
        Some(format!("The sandbox of this machine: {}", list.join("; ")))
    }

    fn risk_and_cost(&self, page: &mut String) {
        let (added, removed) = self.files.iter().fold((0, 0), |(added, removed), file| {
            (added + file.added, removed + file.removed)
        });
        let _ = writeln!(
            page,
            "## Risk and cost\n\n{}, +{added} −{removed}:\n",
            count(u32::try_from(self.files.len()).unwrap_or(u32::MAX), "file")
        );
        for file in &self.files {
            let _ = writeln!(
                page,
                "- `{}` +{} −{}",
                secrets::mask(&one_line(&file.path, 200)).replace('`', "'"),
                file.added,
                file.removed
            );
        }
        let cost = &self.cost;
        let mut line = format!(
            "{}{} for {}: {} tokens in ({} % from cache), {} out",
            if cost.estimated { "about " } else { "" },
            cost.money,
            count(cost.attempts, "attempt"),
            cost.usage.all_input(),
            (cost.usage.cache_read_tokens * 100)
                .checked_div(cost.usage.all_input())
                .unwrap_or(0),
            cost.usage.output_tokens,
        );
        if cost.rehearsed {
            line.push_str("; rehearsed, so nothing was bought");
        }
        let _ = writeln!(page, "\nCost: {line}.\n");
        if !self.answers.is_empty() {
            page.push_str("## Your answer\n\n");
            for answer in &self.answers {
                let _ = writeln!(page, "- {answer}");
            }
        }
    }
}

fn count(n: u32, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "✓",
        Verdict::Failed => "✗",
        Verdict::CouldNotRun => "?",
    }
}

fn observed(seen: &Observation) -> String {
    let word = match seen.verdict {
        Verdict::Passed => "passes",
        Verdict::Failed => "fails",
        Verdict::CouldNotRun => "could not run",
    };
    match (seen.passed, seen.failed) {
        (Some(passed), Some(failed)) => format!("{word} ({passed} ok, {failed} failed)"),
        _ => word.to_owned(),
    }
}

/// Text of others within a line: nothing that it may do.
fn inline(text: &str) -> String {
    clean::inline(text, &Allowed::default())
}

#[cfg(test)]
mod tests;
