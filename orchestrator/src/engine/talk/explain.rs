//! What `/loops explain` answers: what was found out, what was tried and what it cost. From the store; no model is asked.

use loops::{
    evidence::Verdict,
    screen::{
        clean::{self, Allowed},
        secrets,
    },
    text::one_line,
};

use super::news::short;
use crate::{
    engine::{EngineError, private::Private},
    store::{
        Store,
        attempts::{self, Role},
        calls, evidence,
        proposals::Proposal,
    },
};

/// How many tries are told of.
const MAX_TRIES: usize = 20;

/// The answer, Markdown.
pub(super) async fn words(store: &Store, proposal: &Proposal) -> Result<String, EngineError> {
    let in_private = Private::of_proposal(store, proposal).await?;
    let inline = |text: &str, max| {
        let text = in_private.hold(text);
        clean::inline(&one_line(&text, max), &Allowed::default())
    };
    let mut text = format!("**Proven of `{}`**\n\n", short(&proposal.head));
    for kept in evidence::of_change(store, proposal.task, proposal.attempt).await? {
        let found = kept.evidence;
        let verdict = match found.verdict {
            Verdict::Passed => "holds",
            Verdict::Failed => "does not hold",
            Verdict::CouldNotRun => "could not run",
        };
        text.push_str(&format!(
            "- {}: {verdict}. {}\n",
            inline(&found.name, 80),
            inline(&found.words, 300)
        ));
    }
    text.push_str("\n**Tried**\n\n");
    let all = attempts::of_task(store, proposal.task).await?;
    let tries = all.iter().filter(|attempt| attempt.begun.role == Role::Work);
    for (number, attempt) in (1..).zip(tries).take(MAX_TRIES) {
        let proposed = if attempt.begun.id == proposal.attempt {
            " (this one)"
        } else {
            ""
        };
        let summary = attempt.ended.summary.as_deref().unwrap_or("it left no word");
        let model = attempt.begun.model.as_deref().unwrap_or("no model");
        text.push_str(&format!(
            "{number}. {}, {}{proposed}: {}\n",
            inline(model, 60),
            attempt.state.as_str(),
            inline(summary, 300)
        ));
    }
    let spent = calls::spend_of_task(store, proposal.task).await?;
    let estimated = if spent.estimated > 0 {
        ", in part estimated"
    } else {
        ""
    };
    text.push_str(&format!(
        "\n**Cost**: {} in {} calls of models{estimated}. `loops show {}` has all of it.\n",
        spent.cost,
        spent.calls,
        proposal.id.short()
    ));
    // Each part is held already; what only the whole would give away is held here.
    Ok(secrets::mask(&in_private.hold(&text)))
}
