//! What the repository's own checks say of a pull request. What failed on the base as well is not the change's doing, and
//! what a person has to let run is no failure.

use loops::{library, screen::secrets, text::one_line};

use super::{EngineError, WAIT_FOR_CHECKS};
use crate::{
    clock,
    github::{CheckRun, CheckState, Repository},
    store::proposals::Proposal,
};

/// How many failing checks are shown to a worker.
const MAX_SHOWN: usize = 5;

/// How the checks stand.
#[derive(Debug, Clone, Default)]
pub(super) struct Ci {
    /// How many there are, without our own.
    pub(super) all: usize,
    /// How many have not ended.
    pub(super) pending: usize,
    /// Those that failed with the change and not without it.
    pub(super) failed: Vec<CheckRun>,
    /// The names of those that fail on the base as well.
    pub(super) before: Vec<String>,
    /// The names of those that did not come to an end, or wait for a person.
    pub(super) unfinished: Vec<String>,
}

impl Ci {
    /// In a few words; none: there are no checks.
    pub(super) fn words(&self) -> Option<String> {
        let names = |all: &[String]| all.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ");
        if self.all == 0 {
            return None;
        }
        if self.pending > 0 {
            // How many there are still changes from look to look, and is no news.
            return Some("under way".to_owned());
        }
        let mut parts = Vec::new();
        if !self.failed.is_empty() {
            let failed: Vec<String> = self.failed.iter().map(|run| run.name.clone()).collect();
            parts.push(format!("{} failed", names(&failed)));
        }
        if !self.before.is_empty() {
            parts.push(format!(
                "{} failed, but fails on the base as well, so it is not this change's doing",
                names(&self.before)
            ));
        }
        if !self.unfinished.is_empty() {
            parts.push(format!("{} did not come to an end", names(&self.unfinished)));
        }
        Some(match (parts.is_empty(), self.all) {
            (true, 1) => "the one check passed".to_owned(),
            (true, all) => format!("all {all} checks passed"),
            (false, _) => parts.join("; "),
        })
    }
}

fn code(name: &str) -> String {
    format!("`{}`", one_line(name, 80).replace(['`', '<', '>'], "'"))
}

/// Looks at the checks of the commit that we proposed.
pub(super) async fn look(repository: &Repository, proposal: &Proposal) -> Result<Ci, EngineError> {
    let ours = format!("loops/{}", proposal.loop_name);
    let checks = repository.checks(&proposal.head).await?;
    let others: Vec<CheckRun> = checks.runs.into_iter().filter(|run| run.name != ours).collect();
    let mut ci = Ci {
        all: others.len(),
        pending: count(&others, CheckState::Pending),
        ..Ci::default()
    };
    let mut failed = Vec::new();
    for run in others {
        match (run.state, run.conclusion.as_deref()) {
            (CheckState::Failed, Some("failure" | "timed_out" | "error")) => failed.push(run),
            (CheckState::Failed, _) => ci.unfinished.push(run.name),
            _ => {}
        }
    }
    // One that never ends keeps the others from nobody for ever.
    let waited = clock::now().0 - proposal.updated_at.0 >= WAIT_FOR_CHECKS;
    if (ci.pending == 0 || waited) && !failed.is_empty() {
        let base = repository.checks(&proposal.base).await?;
        for run in failed {
            let same = base.named(&run.name);
            if same.is_some_and(|same| same.state == CheckState::Failed) {
                ci.before.push(run.name);
            } else {
                ci.failed.push(run);
            }
        }
    }
    Ok(ci)
}

fn count(runs: &[CheckRun], state: CheckState) -> usize {
    runs.iter().filter(|run| run.state == state).count()
}

/// What failed, for a worker: logs are marked as what they are, and hold no secrets. Empty unless `wanted`.
pub(super) async fn words(repository: &Repository, ci: &Ci, wanted: bool) -> String {
    let mut words = String::new();
    for run in ci.failed.iter().take(if wanted { MAX_SHOWN } else { 0 }) {
        // A log that cannot be had is no reason to wait: the check's own words stand in for it.
        let failure = match run.job {
            Some(job) => repository.failure_log(job).await.map(Some),
            None => Ok(None),
        };
        let failure = failure.unwrap_or_else(|error| {
            tracing::info!(check = run.name, %error, "its log could not be read");
            None
        });
        let (step, log) = match failure {
            Some(failure) if !failure.log.trim().is_empty() => (failure.step, failure.log),
            Some(failure) => (failure.step, run.summary.clone()),
            None => (None, run.summary.clone()),
        };
        let name = one_line(&run.name, 100);
        let conclusion = one_line(run.conclusion.as_deref().unwrap_or("failure"), 40);
        words.push_str(&format!("\n- {name}: {conclusion}"));
        if let Some(step) = step {
            words.push_str(&format!(", in the step «{}»", one_line(&step, 100)));
        }
        words.push('\n');
        if !log.trim().is_empty() {
            words.push_str(&library::untrusted(
                &format!("log of the check {name}"),
                &secrets::mask(&log),
            ));
            words.push('\n');
        }
    }
    words
}
