//! Failed jobs of GitHub Actions as signals, one for each failed job of each try of a run.
//!
//! Runs come newest first and cannot be asked for by when they changed, and a run that is tried again keeps its day:
//! so the runs of the last days are listed each time (where nothing changed, GitHub counts nothing), and the cursor
//! knows which try of each was read.
//!
//! What is read here counts without anybody's word for it, so only those runs are read that nobody could start without
//! write access: a run of a fork's pull request stands in the same list, under whatever branch name the fork chose.

use std::{collections::BTreeMap, time::Duration};

use loops::{
    signal::{Signal, Voice},
    spec::GithubActions,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::{
    GitHubError, Repository,
    answer::cut,
    logs::{Failure, RawJob},
};
use crate::{
    clock,
    source::{Batch, Skipped},
};

/// How far back runs are listed. Day by day, so that the same is asked all day.
const LOOK_BACK: Duration = Duration::from_secs(7 * 86_400);
/// One batch holds about so many jobs, each of which has a log to be read.
const MAX_JOBS: usize = 20;
/// Of a run that was tried again, so many tries are read at most.
const MAX_ATTEMPTS: u64 = 5;
/// What starts a run that nobody without write access can bring about, or fill with words.
const TRUSTED: [&str; 12] = [
    "push",
    "schedule",
    "workflow_dispatch",
    "repository_dispatch",
    "merge_group",
    "release",
    "create",
    "delete",
    "deployment",
    "deployment_status",
    "page_build",
    "dynamic",
];
/// How the names of jobs begin whose run somebody outside may have started, because the loop asks for such events: an issue,
/// a comment. What their logs hold may be anybody's words, so they do not count as the house's own.
const ANYONES: &str = "outside-job";
/// How runs end that are read.
const ENDS: [&str; 2] = ["failure", "timed_out"];

/// Which tries of which runs were read.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    of: String,
    /// By run: the last try that was read.
    runs: BTreeMap<u64, u64>,
}

#[derive(Debug, Deserialize)]
struct Run {
    id: u64,
    #[serde(default = "first")]
    run_attempt: u64,
    name: Option<String>,
    path: Option<String>,
    head_branch: Option<String>,
    /// What started it. GitHub always says; what does not say is nobody's.
    #[serde(default)]
    event: String,
    /// Where the commit is from; none: a fork that is gone.
    head_repository: Option<Origin>,
    created_at: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Origin {
    full_name: String,
}

fn first() -> u64 {
    1
}

impl Repository {
    /// The jobs that failed since `cursor`, which is what an earlier [`Batch`] gave; on `base` where the source names
    /// no branches. A cursor that cannot be understood, or is of other settings, counts as none.
    ///
    /// # Errors
    /// If GitHub does not give them.
    pub async fn read_actions(
        &self,
        source: &GithubActions,
        base: &str,
        cursor: Option<&str>,
    ) -> Result<Batch, GitHubError> {
        let of = fingerprint(source, base);
        let mut cursor = cursor
            .and_then(|text| serde_json::from_str::<Cursor>(text).ok())
            .filter(|cursor| cursor.of == of)
            .unwrap_or_else(|| Cursor {
                of,
                ..Cursor::default()
            });
        let mut batch = Batch::default();
        let mut runs = self.failed_runs(source, base, &mut batch).await?;
        runs.sort_by_key(|run| (run.created_at, run.id));
        runs.dedup_by_key(|run| run.id);
        for run in &runs {
            let read = cursor.runs.get(&run.id).copied();
            if read.is_some_and(|read| read >= run.run_attempt) {
                continue;
            }
            if batch.signals.len() >= MAX_JOBS {
                batch.more = true;
                break;
            }
            // Of a run that we never saw, what it came to counts; else every try since.
            let first = read.map_or(run.run_attempt, |read| read + 1);
            let first = first.max(run.run_attempt.saturating_sub(MAX_ATTEMPTS - 1));
            for attempt in first..=run.run_attempt {
                self.failed_jobs(run, attempt, &mut batch).await?;
            }
            cursor.runs.insert(run.id, run.run_attempt);
        }
        if !batch.more {
            cursor.runs.retain(|id, _| runs.iter().any(|run| run.id == *id));
        }
        batch.cursor = serde_json::to_string(&cursor).unwrap_or_default();
        Ok(batch)
    }

    async fn failed_runs(
        &self,
        source: &GithubActions,
        base: &str,
        batch: &mut Batch,
    ) -> Result<Vec<Run>, GitHubError> {
        let doing = format!("read the workflow runs of `{}`", self.full_name());
        let since = clock::now().minus(LOOK_BACK).utc().format("%Y-%m-%d");
        let own = [base.to_owned()];
        let branches: &[String] = if source.branches.is_empty() {
            &own
        } else {
            &source.branches
        };
        let mut runs = vec![];
        for branch in branches {
            for end in ENDS {
                let ask = self
                    .get(&["actions", "runs"], &doing)
                    .query("branch", branch)
                    .query("status", end)
                    .query("created", format!(">={since}"))
                    .query("exclude_pull_requests", true);
                let listed: Vec<Value> = self.all(ask, Some("workflow_runs")).await?;
                for item in listed {
                    match serde_path_to_error::deserialize::<_, Run>(&item) {
                        Ok(run) if asked_for(source, &run) && self.is_of_here(source, &run) => runs.push(run),
                        Ok(_) => {}
                        Err(error) => batch.skipped.push(Skipped {
                            place: cut(&format!("run {} of {}", item["id"], self.full_name())),
                            why: cut(&error.to_string()),
                        }),
                    }
                }
            }
        }
        Ok(runs)
    }

    /// Whether a run is of this repository's own commits, and was started by what the source asks for.
    fn is_of_here(&self, source: &GithubActions, run: &Run) -> bool {
        let from = run.head_repository.as_ref();
        let here = from.is_some_and(|from| from.full_name.eq_ignore_ascii_case(&self.full_name()));
        let event = run.event.as_str();
        here && match source.events.is_empty() {
            true => TRUSTED.contains(&event),
            false => source.events.iter().any(|asked| asked == event),
        }
    }

    async fn failed_jobs(&self, run: &Run, attempt: u64, batch: &mut Batch) -> Result<(), GitHubError> {
        let doing = format!("read the jobs of the run {} of `{}`", run.id, self.full_name());
        let (id, try_number) = (run.id.to_string(), attempt.to_string());
        let ask = self.get(&["actions", "runs", &id, "attempts", &try_number, "jobs"], &doing);
        let jobs: Vec<RawJob> = match self.all(ask, Some("jobs")).await {
            // Deleted since.
            Err(GitHubError::NotFound { .. }) => vec![],
            jobs => jobs?,
        };
        for job in jobs.into_iter().filter(RawJob::failed) {
            let failure = self.failure(job).await?;
            batch
                .signals
                .push(signal(&self.full_name(), run, attempt, failure));
        }
        Ok(())
    }
}

fn asked_for(source: &GithubActions, run: &Run) -> bool {
    // `.github/workflows/ci.yml`, on some events with `@` and a ref behind it.
    let path = run.path.as_deref().unwrap_or_default();
    let file = path
        .split('@')
        .next()
        .unwrap_or_default()
        .rsplit('/')
        .next()
        .unwrap_or_default();
    source.workflows.is_empty() || source.workflows.iter().any(|name| name == file)
}

fn signal(repository: &str, run: &Run, attempt: u64, failure: Failure) -> Signal {
    let source = format!("github:{repository}");
    let of = if TRUSTED.contains(&run.event.as_str()) {
        "job"
    } else {
        ANYONES
    };
    let external_id = format!("{of}:{}/{attempt}", failure.job);
    let workflow = failure
        .workflow
        .as_deref()
        .or(run.name.as_deref())
        .unwrap_or("workflow");
    let at = failure
        .step
        .as_deref()
        .map_or(String::new(), |step| format!(", step `{step}`"));
    let branch = run.head_branch.as_deref().unwrap_or_default();
    let head = format!("{workflow} / {}{at} failed on {branch}", failure.name);
    let text = if failure.log.is_empty() {
        head
    } else {
        format!("{head}\n\n{}", failure.log)
    };
    Signal {
        id: Signal::id_of(&source, &external_id),
        source,
        external_id,
        at: failure.ended_at.unwrap_or(run.created_at),
        author: None,
        voice: Voice::Machine,
        text,
        url: failure.url,
        reactions: BTreeMap::new(),
        labels: vec![],
        thread: None,
        account: None,
        private: false,
    }
}

fn fingerprint(source: &GithubActions, base: &str) -> String {
    let text = serde_json::to_string(&(source, base)).unwrap_or_default();
    hex::encode(&Sha256::digest(text.as_bytes())[..6])
}
