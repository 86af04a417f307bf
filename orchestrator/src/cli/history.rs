//! What happened to a proposal, from the ledger and from what people said of it, a line each.

use loops::text::one_line;

use super::CliError;
use crate::{
    engine,
    store::{Store, decisions, ledger, proposals::Proposal, pulls},
};

/// How many lines are shown.
const MAX_LINES: u32 = 1_000;

/// The lines, oldest first; where it stands on GitHub comes first.
pub(super) async fn lines(store: &Store, proposal: &Proposal) -> Result<Vec<String>, CliError> {
    let mut lines = Vec::new();
    if let Some(pull) = pulls::get(store, proposal.id).await? {
        lines.push(format!(
            "{}, {} rounds, {} rebuilds",
            pull.url, pull.rounds, pull.rebuilds
        ));
        if let Some(why) = engine::unmerged(store).await?.get(&proposal.id) {
            lines.push(format!("not merged by itself: {}", one_line(why, 200)));
        }
        if let Some(why) = pull.hands_off {
            lines.push(format!("left alone: {}", one_line(&why, 200)));
        }
    }
    let said = decisions::of_proposal(store, proposal.id).await?;
    for row in ledger::rows_of_subject(store, &proposal.id.to_string(), 0, MAX_LINES).await? {
        let kind = row
            .kind
            .strip_prefix("proposal.")
            .unwrap_or(&row.kind)
            .replace('_', " ");
        let decision = row.data["decision"].as_str();
        let more = match said
            .iter()
            .find(|said| decision == Some(said.id.to_string().as_str()))
        {
            Some(said) => format!(
                "{} by {}: {}",
                said.verdict.as_str(),
                one_line(&said.who, 100),
                one_line(said.words.as_deref().unwrap_or("without a word"), 200)
            ),
            None => figures(&row.data),
        };
        lines.push(format!("{}  {kind:<20} {more}", row.at).trim_end().to_owned());
    }
    Ok(lines)
}

/// The row's own figures; ids and commits are shortened.
fn figures(data: &serde_json::Value) -> String {
    let mut parts = Vec::new();
    for (name, value) in data.as_object().into_iter().flatten() {
        let text = match value {
            serde_json::Value::String(text) if text.len() > 20 && name != "command" => {
                let from = if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    0
                } else {
                    text.len() - 6
                };
                text.get(from..).unwrap_or(text).chars().take(7).collect()
            }
            serde_json::Value::String(text) => one_line(text, 60),
            serde_json::Value::Bool(false) | serde_json::Value::Null => continue,
            serde_json::Value::Bool(true) => String::new(),
            other => one_line(&other.to_string(), 60),
        };
        parts.push(format!("{name} {text}").trim_end().to_owned());
    }
    parts.join(", ")
}
