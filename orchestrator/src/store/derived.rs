//! What agents made of people's words: the titles and goals of tasks, pages of proposals, what attempts said of
//! themselves. Spread over their tables; here is only how they are taken away. States, figures and links stay.

use ::loops::id::{RunId, TaskId};

use super::{StoreError, Tx, query::statements};

statements! { "derived":
    // What goes on, waits for a person or stands open still needs its words.
    TASK = "UPDATE tasks SET title = '(erased)', goal = '', acceptance = '[]', words = NULL, words_at = NULL
        WHERE id = $1 AND title <> '(erased)' AND state NOT IN ('planned', 'asked')
        AND run IN (SELECT id FROM runs WHERE ended_at IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM proposals WHERE proposals.task = tasks.id
            AND proposals.state IN ('preparing', 'open', 'revising', 'approved'))";
    PLAN = "UPDATE plans SET title = '(erased)', goal = '', acceptance = '[]', words = NULL WHERE task = $1";
    PROPOSAL = "UPDATE proposals SET title = '(erased)', body = '' WHERE task = $1";
    ATTEMPTS = "UPDATE attempts SET summary = NULL, words = NULL, todo = '[]' WHERE task = $1";
    REPORT = "UPDATE runs SET report = NULL WHERE id = $1 AND ended_at IS NOT NULL AND report IS NOT NULL";
}

/// Takes away what was made of people's words for a task. False: it is not over yet, or was erased already.
pub async fn erase_task(tx: &mut Tx, task: TaskId) -> Result<bool, StoreError> {
    let id = task.to_string();
    if TASK.run(tx, |q| q.bind(&id)).await? == 0 {
        return Ok(false);
    }
    for statement in [PLAN, PROPOSAL, ATTEMPTS] {
        statement.run(tx, |q| q.bind(&id)).await?;
    }
    Ok(true)
}

/// Takes away what the lead agent of a run that has ended said at its end.
pub async fn erase_report(tx: &mut Tx, run: RunId) -> Result<bool, StoreError> {
    Ok(REPORT.run(tx, |q| q.bind(run.to_string())).await? > 0)
}
