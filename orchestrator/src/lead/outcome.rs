//! What became of a task, told to the lead agent. What a worker says is marked as a claim.

use std::sync::Arc;

use loops::{change::FileChange, evidence::Verdict, library, run::Step, text::one_line};

use crate::{
    engine::{EngineError, Running},
    store::{attempts, evidence, tasks},
};

/// One line: where a task stands.
pub(super) fn line(kept: &tasks::Kept, step: Step) -> String {
    let why = match step {
        Step::Failed(why) => format!(": {}", why.words()),
        Step::Planned => {
            ": it waits for a person's approval, which may take days; do not wait for it".to_owned()
        }
        _ => String::new(),
    };
    format!(
        "T{} {}{why} ({})",
        kept.number,
        step.as_str(),
        one_line(&kept.task.title, 100)
    )
}

/// The whole of it: attempts, evidence, and the worker's own words.
pub(super) async fn whole(
    running: &Arc<Running>,
    kept: &tasks::Kept,
    step: Step,
) -> Result<String, EngineError> {
    let store = &running.engine.home.store;
    let mut text = line(kept, step);
    text.push('\n');
    for attempt in attempts::of_task(store, kept.task.id).await? {
        if attempt.begun.role != attempts::Role::Work {
            continue;
        }
        text.push_str(&format!(
            "\nAttempt {}: {}\n",
            attempt.begun.number,
            attempt.state.as_str()
        ));
        if let Some(summary) = &attempt.ended.summary {
            text.push_str(&library::untrusted(
                "the worker's claim",
                &one_line(summary, 1_500),
            ));
            text.push('\n');
        }
        if let Some(tree) = &attempt.ended.tree
            && let Ok(diff) = running.diff(tree).await?
        {
            // The agent has named them.
            let line = |file: &FileChange| {
                let path = one_line(file.path(), 200);
                format!("{path} +{} -{}\n", file.added(), file.removed())
            };
            let files: String = diff.files.iter().map(line).collect();
            text.push_str(&library::untrusted("changed files", &files));
            text.push('\n');
        }
        for found in evidence::of_change(store, kept.task.id, attempt.begun.id).await? {
            let found = found.evidence;
            let sign = match found.verdict {
                Verdict::Passed => "passed",
                Verdict::Failed => "FAILED",
                Verdict::CouldNotRun => "COULD NOT RUN",
            };
            text.push_str(&format!("  {sign} {}: ", found.name));
            text.push_str(&library::untrusted("evidence", &one_line(&found.words, 400)));
            text.push('\n');
        }
    }
    Ok(text)
}
