//! The reviewer's verdict: the tool that gives it. It ends the review.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::tools::ToolDefinition;

const MAX_CONCERNS: usize = 20;
const MAX_TEXT: usize = 4000;

/// What the reviewer decided.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verdict {
    pub(crate) approve: bool,
    #[serde(default)]
    pub(crate) concerns: Vec<String>,
    pub(crate) summary: String,
}

/// What the reviewer hears when it stops without a verdict.
pub(super) const MISSING: &str = "You have given no verdict yet. Call `verdict`; words alone do not count.";

/// What the model is told of the tool.
pub(super) fn definition() -> ToolDefinition {
    ToolDefinition {
        name: "verdict".to_owned(),
        description: "Give your verdict; it ends the review.".to_owned(),
        input_schema: json!({
            "type": "object",
            "properties": {
                "approve": {"type": "boolean"},
                "concerns": {"type": "array", "items": {"type": "string"}, "description": "most serious first"},
                "summary": {"type": "string", "description": "one or two sentences"}
            },
            "required": ["approve", "concerns", "summary"]
        }),
    }
}

/// Reads a verdict; says what is wrong with it, for the model.
pub(super) fn read(input: Value) -> Result<Verdict, String> {
    let verdict: Verdict = serde_json::from_value(input).map_err(|error| {
        format!(
            "This is not a verdict: {error}. Write {{\"approve\": …, \"concerns\": […], \"summary\": …}}."
        )
    })?;
    if verdict.summary.trim().is_empty() {
        return Err("Say in `summary` what you found, in a sentence or two.".to_owned());
    }
    if !verdict.approve && verdict.concerns.iter().all(|concern| concern.trim().is_empty()) {
        return Err("You do not approve: say in `concerns` why.".to_owned());
    }
    let longest = verdict
        .concerns
        .iter()
        .chain([&verdict.summary])
        .map(String::len)
        .max()
        .unwrap_or(0);
    if verdict.concerns.len() > MAX_CONCERNS || longest > MAX_TEXT {
        return Err(format!(
            "Be briefer: up to {MAX_CONCERNS} concerns, each under {MAX_TEXT} bytes."
        ));
    }
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_needs_a_reason_and_a_verdict_a_summary() {
        assert!(
            read(json!({"approve": true, "concerns": [], "summary": "Fine."}))
                .unwrap()
                .approve
        );
        for (input, words) in [
            (
                json!({"approve": false, "concerns": [" "], "summary": "Bad."}),
                "say in `concerns` why",
            ),
            (json!({"approve": true, "concerns": [], "summary": ""}), "summary"),
            (
                json!({"approve": "yes", "concerns": [], "summary": "x"}),
                "not a verdict",
            ),
            (
                json!({"approve": true, "concerns": vec!["x"; 21], "summary": "x"}),
                "briefer",
            ),
        ] {
            let error = read(input).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
