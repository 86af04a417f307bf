//! From what a person typed to the things that it can mean.

use ::loops::id::{self, AttemptId, FindingId, ProposalId, RunId, SignalId, TaskId};

use super::{
    Store, StoreError,
    query::{Row, Statement, statements},
    words::words,
};

words! {
    /// What kind of thing an id names.
    Kind {
        /// A run.
        Run = "run",
        /// A finding.
        Finding = "finding",
        /// A task.
        Task = "task",
        /// An attempt.
        Attempt = "attempt",
        /// A proposal.
        Proposal = "proposal",
        /// A signal.
        Signal = "signal",
    }
}

/// More than this many answers are no answer.
const MOST: u32 = 20;

statements! { "ids":
    RUNS = "SELECT id FROM runs WHERE id LIKE $1 ORDER BY id DESC LIMIT $2";
    FINDINGS = "SELECT id FROM findings WHERE id LIKE $1 ORDER BY id DESC LIMIT $2";
    TASKS = "SELECT id FROM tasks WHERE id LIKE $1 ORDER BY id DESC LIMIT $2";
    ATTEMPTS = "SELECT id FROM attempts WHERE id LIKE $1 ORDER BY id DESC LIMIT $2";
    PROPOSALS = "SELECT id FROM proposals WHERE id LIKE $1 ORDER BY id DESC LIMIT $2";
    SIGNALS = "SELECT DISTINCT id FROM signals WHERE id LIKE $1 ORDER BY id DESC LIMIT $2";
}

/// Where ids of each kind stand.
const PLACES: [(Kind, &str, &Statement); 6] = [
    (Kind::Run, RunId::PREFIX, &RUNS),
    (Kind::Finding, FindingId::PREFIX, &FINDINGS),
    (Kind::Task, TaskId::PREFIX, &TASKS),
    (Kind::Attempt, AttemptId::PREFIX, &ATTEMPTS),
    (Kind::Proposal, ProposalId::PREFIX, &PROPOSALS),
    (Kind::Signal, SignalId::PREFIX, &SIGNALS),
];

/// Everything whose id `typed` can mean: a full id, or at least the last four hex digits of one, with or without its
/// prefix. Empty: nothing, or no id at all. At most 20 of each kind.
pub async fn resolve(store: &Store, typed: &str) -> Result<Vec<(Kind, String)>, StoreError> {
    let typed = typed.trim().to_ascii_lowercase();
    let (prefix, digits) = match typed.split_once('-') {
        Some((prefix, digits)) => (Some(prefix), digits),
        None => (None, typed.as_str()),
    };
    // Only hex digits reach LIKE, so nobody types a pattern.
    if digits.len() < 4 || digits.len() > 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (kind, own_prefix, statement) in PLACES {
        if prefix.is_some_and(|prefix| prefix != own_prefix) {
            continue;
        }
        let pattern = format!("%{digits}");
        let ids = statement
            .all(
                store,
                |q| q.bind(pattern).bind(i64::from(MOST)),
                |row: &Row| row.text("id"),
            )
            .await?;
        found.extend(
            ids.into_iter()
                .filter(|full| id::matches(full, &typed))
                .map(|full| (kind, full)),
        );
    }
    Ok(found)
}
