//! What came of an answer, in words, with what to do next.

use loops::text::plain;
use serde_json::json;

use super::sign;
use crate::{
    cli::{CliError, Context, Exit, Format},
    engine::Answered,
    store::proposals::Proposal,
};

/// Says what came of an answer.
///
/// # Errors
/// If it does not count; with what to do.
pub(super) fn tell(context: &Context, proposal: &Proposal, answered: Answered) -> Result<Exit, CliError> {
    let out = context.out;
    let id = proposal.id.short();
    if out.format == Format::Json {
        let (answered, exit) = match &answered {
            Answered::Merged { commit, .. } => (json!({ "state": "merged", "commit": commit }), Exit::Done),
            Answered::OnItsWay { .. } => (json!({ "state": "approved" }), Exit::Done),
            Answered::Command { why, command } => (
                json!({ "state": "approved", "why": why, "command": command }),
                Exit::Done,
            ),
            Answered::DoesNotHold { why, evidence } => (
                json!({ "state": "open", "why": why, "evidence": evidence }),
                Exit::CheckSaidNo,
            ),
            Answered::SentBack(run) => (json!({ "state": "revising", "run": run }), Exit::Done),
            Answered::Refused { branch_removed } => (
                json!({ "state": "rejected", "branch_removed": branch_removed }),
                Exit::Done,
            ),
        };
        out.json(&json!({ "proposal": proposal.id, "answered": answered }));
        return Ok(exit);
    }
    match answered {
        Answered::Merged { commit, proven_again } => {
            for found in &proven_again {
                out.line(format!(
                    "  {} {}: {}",
                    sign(out, found.verdict),
                    found.name,
                    plain(&found.words)
                ));
            }
            let again = if proven_again.is_empty() {
                ""
            } else {
                "; the base had moved, so it was merged and proven again"
            };
            out.line(format!(
                "{id} is merged: `{}` is at {}{again}",
                proposal.base_branch,
                &commit[..12.min(commit.len())]
            ));
        }
        Answered::OnItsWay { proven_again } => {
            for found in &proven_again {
                out.line(format!(
                    "  {} {}: {}",
                    sign(out, found.verdict),
                    found.name,
                    plain(&found.words)
                ));
            }
            out.line(format!("{id} is approved, and on its way to be merged on GitHub"));
        }
        Answered::Command { why, command } => {
            out.line(format!(
                "{id} is approved, and yours to merge: {why}\n\n  {command}\n"
            ));
        }
        Answered::DoesNotHold { why, evidence } => {
            for found in &evidence {
                out.line(format!(
                    "  {} {}: {}",
                    sign(out, found.verdict),
                    found.name,
                    plain(&found.words)
                ));
            }
            out.line(format!("{id} is not merged: {why}"));
            return Ok(Exit::CheckSaidNo);
        }
        Answered::SentBack(run) => out.line(format!("{id} goes back to a worker in {}", run.short())),
        Answered::Refused { branch_removed } => {
            let branch = if branch_removed {
                "; its branch is gone"
            } else {
                ""
            };
            out.line(format!(
                "{id} is refused, and its finding with it{branch}; that is remembered"
            ));
        }
    }
    Ok(Exit::Done)
}
