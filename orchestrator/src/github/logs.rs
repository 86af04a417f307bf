//! The log of a failed job of GitHub Actions: which step failed, and the part of its log that says why, bounded. Logs
//! are read line by line and never held whole; what they say comes from outside.

use std::collections::VecDeque;

use loops::time::Timestamp;
use serde::Deserialize;

use super::{GitHubError, Repository};

/// A line is cut to so many characters.
const MAX_LINE: usize = 400;
/// Of a step's log, the last so many lines are looked at.
const MAX_LINES: usize = 5_000;
/// What is given of it: lines,
const MAX_GIVEN: usize = 160;
/// and bytes.
const MAX_BYTES: usize = 12_000;
/// Lines at the end, which are given in any case,
const TAIL: usize = 40;
/// and around what looks like a failure.
const AROUND: usize = 4;

/// Words that a line has which says what failed.
const TELLING: &[&str] = &[
    "error",
    "fail",
    "panicked",
    "traceback",
    "exception",
    "assert",
    "expected",
    "fatal",
    "not ok",
    "✗",
    "✖",
    "×",
];

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The job's id.
    pub job: u64,
    /// Its name.
    pub name: String,
    /// The workflow's name.
    pub workflow: Option<String>,
    /// The run that it belongs to.
    pub run: u64,
    /// Which try of that run.
    pub attempt: u64,
    /// The first step that failed; none: GitHub does not say.
    pub step: Option<String>,
    /// The part of the step's log that says why; empty if the log is gone.
    pub log: String,
    /// Where people see it.
    pub url: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A job as GitHub tells it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RawJob {
    pub(super) id: u64,
    pub(super) run_id: u64,
    pub(super) run_attempt: Option<u64>,
    pub(super) name: String,
    workflow_name: Option<String>,
    pub(super) conclusion: Option<String>,
    completed_at: Option<Timestamp>,
    html_url: Option<String>,
    #[serde(default)]
    steps: Option<Vec<RawStep>>,
}

#[derive(Debug, Clone, Deserialize)]
struct RawStep {
    name: String,
    conclusion: Option<String>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
}

impl RawJob {
    /// Whether it ended badly.
    pub(super) fn failed(&self) -> bool {
        matches!(self.conclusion.as_deref(), Some("failure" | "timed_out"))
    }

    fn failed_step(&self) -> Option<&RawStep> {
        let mut steps = self.steps.iter().flatten();
        steps.find(|step| {
            matches!(
                step.conclusion.as_deref(),
                Some("failure" | "timed_out" | "cancelled")
            )
        })
    }
}

impl Repository {
    /// Which step of a job failed, and the part of its log that says why.
    ///
    /// # Errors
    /// If there is no such job, or GitHub or its log cannot be reached now. A log that is not kept any more, or that whoever
    /// keeps it does not give, is empty.
    pub async fn failure_log(&self, job: u64) -> Result<Failure, GitHubError> {
        let doing = format!("look at the job {job} of `{}`", self.full_name());
        let answer = self
            .call(self.get(&["actions", "jobs", &job.to_string()], &doing))
            .await?;
        self.failure(answer.json(&doing)?).await
    }

    /// The same of a job that was told already.
    pub(super) async fn failure(&self, job: RawJob) -> Result<Failure, GitHubError> {
        let doing = format!("read the log of the job {} of `{}`", job.id, self.full_name());
        let ask = self.get(&["actions", "jobs", &job.id.to_string(), "logs"], &doing);
        let step = job.failed_step();
        let mut log = Log::new(step.and_then(|step| Some((step.started_at?, step.completed_at?))));
        let read = self.hub().wire().lines(&ask.owner(self.owner()), &mut log).await;
        let log = match read {
            Ok(()) => log.relevant(),
            // Whoever keeps the logs may refuse one for days: what failed is told all the same.
            Err(
                error @ (GitHubError::Forbidden { .. }
                | GitHubError::NotFound { .. }
                | GitHubError::Gone { .. }),
            ) => {
                tracing::info!(doing, %error, "a failure is told without its log");
                String::new()
            }
            // A later try reads it.
            Err(error) => return Err(error),
        };
        Ok(Failure {
            job: job.id,
            step: step.map(|step| step.name.clone()),
            name: job.name,
            workflow: job.workflow_name,
            run: job.run_id,
            attempt: job.run_attempt.unwrap_or(1),
            log,
            url: job.html_url,
            ended_at: job.completed_at,
        })
    }
}

/// What is kept of a log while it is read.
#[derive(Debug, Default)]
pub(super) struct Log {
    window: Option<(Timestamp, Timestamp)>,
    within: VecDeque<String>,
    /// In case that nothing is within the window.
    all: VecDeque<String>,
}

impl Log {
    /// A log of which the lines between two moments count; none: all.
    pub(super) fn new(window: Option<(Timestamp, Timestamp)>) -> Self {
        Self {
            window,
            ..Self::default()
        }
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.within.clear();
        self.all.clear();
    }

    /// Takes the next line.
    pub(super) fn line(&mut self, raw: &[u8]) {
        let text = String::from_utf8_lossy(raw);
        let (at, words) = split_time(text.trim_start_matches('\u{feff}'));
        let line = plain(words);
        // GitHub tells the end of a step in whole seconds, rounded down.
        let inside = match (self.window, at) {
            (Some((from, to)), Some(at)) => at >= from && at.0 < to.0.saturating_add(1_000),
            _ => false,
        };
        let keep = |list: &mut VecDeque<String>, most| {
            if list.len() >= most {
                list.pop_front();
            }
            list.push_back(line.clone());
        };
        if inside {
            keep(&mut self.within, MAX_LINES);
        } else if self.within.is_empty() {
            keep(&mut self.all, MAX_GIVEN);
        }
    }

    /// The part that says why: what looks like a failure with what stands around it, and the end.
    pub(super) fn relevant(&self) -> String {
        let lines: Vec<&String> = if self.within.is_empty() {
            &self.all
        } else {
            &self.within
        }
        .iter()
        .filter(|line| !line.starts_with("##[endgroup]"))
        .collect();
        let mut wanted = vec![false; lines.len()];
        let mut left = MAX_GIVEN;
        let mut want = |range: std::ops::Range<usize>| {
            for place in range.rev() {
                if left > 0 && !wanted[place] {
                    wanted[place] = true;
                    left -= 1;
                }
            }
        };
        want(lines.len().saturating_sub(TAIL)..lines.len());
        // What GitHub marked first, then what looks like it; of these the first, where causes stand.
        let marked = |line: &&String| line.starts_with("##[error]");
        let looks = |line: &&String| {
            let low = line.to_lowercase();
            TELLING.iter().any(|word| low.contains(word))
        };
        let places = |test: &dyn Fn(&&String) -> bool| -> Vec<usize> {
            (0..lines.len()).filter(|place| test(&lines[*place])).collect()
        };
        for place in places(&marked).into_iter().chain(places(&looks)) {
            want(place.saturating_sub(AROUND)..(place + AROUND + 1).min(lines.len()));
        }
        if lines.len() <= MAX_GIVEN {
            wanted.fill(true);
        }
        let mut parts: Vec<String> = vec![];
        let mut bytes = 0;
        let mut gap = false;
        // From the end, so that what is too much is cut at the beginning.
        for (line, wanted) in lines.iter().zip(&wanted).rev() {
            if !wanted {
                gap = true;
                continue;
            }
            if bytes + line.len() > MAX_BYTES {
                gap = true;
                break;
            }
            if std::mem::take(&mut gap) {
                parts.push("…".to_owned());
            }
            bytes += line.len() + 1;
            parts.push(match line.strip_prefix("##[") {
                Some(rest) => rest.replacen(']', ": ", 1),
                None => (*line).clone(),
            });
        }
        if gap {
            parts.push("…".to_owned());
        }
        parts.reverse();
        parts.join("\n").trim().to_owned()
    }
}

/// The moment that GitHub writes before each line, and the line.
fn split_time(line: &str) -> (Option<Timestamp>, &str) {
    match line.split_once(' ') {
        Some((first, rest)) if first.len() <= 35 && first.ends_with('Z') => match Timestamp::parse(first) {
            Some(at) => (Some(at), rest),
            None => (None, line),
        },
        _ => match Timestamp::parse(line) {
            Some(at) => (Some(at), ""),
            None => (None, line),
        },
    }
}

/// A line without what only a terminal understands, and not too long.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    let mut chars = line.trim_end().chars().peekable();
    let mut count = 0;
    while let Some(c) = chars.next() {
        if count >= MAX_LINE {
            plain.push('…');
            break;
        }
        match c {
            '\u{1b}' => match chars.next() {
                // CSI: parameters, then one letter.
                Some('[') => {
                    for c in chars.by_ref() {
                        if ('@'..='~').contains(&c) {
                            break;
                        }
                    }
                }
                // OSC: up to BEL, or ESC and a backslash.
                Some(']') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' {
                            break;
                        }
                        if c == '\u{1b}' {
                            chars.next();
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\t' => {
                plain.push(c);
                count += 1;
            }
            // A progress bar writes over itself: what came last stays.
            '\r' => {
                plain.clear();
                count = 0;
            }
            c if c.is_control() => {}
            c => {
                plain.push(c);
                count += 1;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp(1_700_000_000_000 + second * 1_000)
    }

    fn log(window: Option<(i64, i64)>, lines: &[(i64, &str)]) -> String {
        let mut log = Log::new(window.map(|(from, to)| (at(from), at(to))));
        for (second, text) in lines {
            let time = at(*second).utc().format("%Y-%m-%dT%H:%M:%S%.9fZ");
            log.line(format!("{time} {text}").as_bytes());
        }
        log.relevant()
    }

    #[test]
    fn only_the_failing_step_is_given() {
        let lines = [
            (0, "##[group]Run actions/checkout@v4"),
            (1, "error: this is of another step"),
            (5, "##[group]Run cargo test"),
            (5, "\u{1b}[36;1mcargo test\u{1b}[0m"),
            (5, "##[endgroup]"),
            (6, "thread 'a' panicked at src/lib.rs:3"),
            (7, "##[error]Process completed with exit code 101."),
            (9, "Post job cleanup."),
        ];
        assert_eq!(
            log(Some((5, 7)), &lines),
            "group: Run cargo test\ncargo test\nthread 'a' panicked at src/lib.rs:3\nerror: Process completed with exit code 101."
        );
        // Times that do not fit, or none at all: the end of the whole log.
        assert!(log(Some((100, 110)), &lines).ends_with("Post job cleanup."));
        assert!(log(None, &lines).contains("another step"));
    }

    #[test]
    fn a_long_log_is_cut_around_what_failed() {
        let mut lines: Vec<(i64, String)> = (0..20_000)
            .map(|number| (5, format!("compiling part {number}")))
            .collect();
        lines[16_000].1 = "assertion failed: left == right".to_owned();
        let lines: Vec<(i64, &str)> = lines.iter().map(|(at, text)| (*at, text.as_str())).collect();
        let text = log(Some((5, 5)), &lines);
        assert!(
            text.contains("part 15999\nassertion failed: left == right\ncompiling part 16001"),
            "{text}"
        );
        assert!(text.ends_with("compiling part 19999") && text.starts_with('…'));
        assert!(text.lines().count() <= MAX_GIVEN + 4 && text.len() <= MAX_BYTES + 100);
        let wide = "x".repeat(100_000);
        let text = log(None, &[(1, &wide)]);
        assert_eq!(text.chars().count(), MAX_LINE + 1);
    }

    #[test]
    fn nothing_that_moves_a_cursor_stays() {
        for (raw, clean) in [
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\", "link"),
            ("10%\r20%\rdone", "done"),
            ("a\u{7}b\u{0}c\u{202e}", "abc\u{202e}"),
            ("\u{1b}[", ""),
        ] {
            assert_eq!(plain(raw), clean, "{raw:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_bounded_log(lines in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80), 0..50)) {
            let mut log = Log::new(None);
            for line in &lines {
                log.line(line);
            }
            let text = log.relevant();
            proptest::prop_assert!(text.len() <= MAX_BYTES + 1_000);
            proptest::prop_assert!(text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
        }
    }
}
