//! Table `evidence`: what checks and reviewers found out about the changes of working attempts.

use ::loops::{
    evidence::Evidence,
    id::{AttemptId, TaskId},
};

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
};

/// One piece of evidence, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The proving or reviewing attempt that found it out.
    pub attempt: AttemptId,
    /// The working attempt whose change it is about.
    pub of_attempt: AttemptId,
    /// The task of both.
    pub task: TaskId,
    /// What was found out.
    pub evidence: Evidence,
}

statements! { "evidence":
    CLEAR = "DELETE FROM evidence WHERE attempt = $1";
    PUT = "INSERT INTO evidence (attempt, number, task, of_attempt, evidence) VALUES ($1, $2, $3, $4, $5)";
    OF_CHANGE = "SELECT e.attempt, e.of_attempt, e.task, e.evidence FROM evidence AS e JOIN attempts AS a ON a.id = e.attempt
        WHERE e.task = $1 AND e.of_attempt = $2 ORDER BY a.started_at, e.attempt, e.number";
    OF_TASK = "SELECT e.attempt, e.of_attempt, e.task, e.evidence FROM evidence AS e JOIN attempts AS a ON a.id = e.attempt
        WHERE e.task = $1 ORDER BY a.started_at, e.attempt, e.number";
}

/// Keeps all evidence that `attempt` found out about the change of `of_attempt`, in place of what it said before.
pub async fn put(
    tx: &mut Tx,
    attempt: AttemptId,
    task: TaskId,
    of_attempt: AttemptId,
    evidence: &[Evidence],
) -> Result<(), StoreError> {
    CLEAR.run(tx, |q| q.bind(attempt.to_string())).await?;
    for (number, piece) in (1_i64..).zip(evidence) {
        let piece = serde_json::to_string(piece)?;
        let bind = |q: Query| {
            q.bind(attempt.to_string())
                .bind(number)
                .bind(task.to_string())
                .bind(of_attempt.to_string())
                .bind(piece)
        };
        PUT.run(tx, bind).await?;
    }
    Ok(())
}

/// What is known about the change of one working attempt, in the order in which it was found out.
pub async fn of_change(
    from: impl Reader,
    task: TaskId,
    of_attempt: AttemptId,
) -> Result<Vec<Kept>, StoreError> {
    OF_CHANGE
        .all(
            from,
            |q| q.bind(task.to_string()).bind(of_attempt.to_string()),
            read,
        )
        .await
}

/// What is known about all changes of a task, in the order in which it was found out.
pub async fn of_task(from: impl Reader, task: TaskId) -> Result<Vec<Kept>, StoreError> {
    OF_TASK.all(from, |q| q.bind(task.to_string()), read).await
}

fn read(row: &Row) -> Result<Kept, StoreError> {
    Ok(Kept {
        attempt: row.parsed("attempt")?,
        of_attempt: row.parsed("of_attempt")?,
        task: row.parsed("task")?,
        evidence: row.json("evidence")?,
    })
}
