//! Knows from a conversation that was kept whether its lead agent had finished: whoever goes on with it asks nothing more.

use workers::agent::messages::{Block, Message};

/// The report with which the conversation ended, if its last calls held a `finish` that was accepted.
pub(super) fn reported(kept: &[Message]) -> Option<String> {
    let [.., asked, answered] = kept else { return None };
    let accepted = |id: &str| {
        answered.content.iter().any(|block| {
            matches!(block, Block::ToolResult(result) if result.tool_use_id == id && !result.is_error)
        })
    };
    let call = asked
        .calls()
        .find(|call| call.name == "finish" && accepted(&call.id))?;
    Some(call.input.get("report")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn kept(is_error: bool, id: &str) -> Vec<Message> {
        let messages: Value = json!([
            {"role": "user", "content": [{"type": "text", "text": "The loop has run."}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "finish", "input": {"report": "All is well."}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "…", "is_error": is_error}]},
        ]);
        serde_json::from_value(messages).unwrap()
    }

    #[test]
    fn a_session_that_had_finished_is_not_asked_again() {
        assert_eq!(reported(&kept(false, "a")).as_deref(), Some("All is well."));
    }

    #[test]
    fn one_whose_finish_was_refused_or_never_answered_goes_on() {
        assert_eq!(reported(&kept(true, "a")), None);
        assert_eq!(reported(&kept(false, "b")), None);
        assert_eq!(reported(&kept(false, "a")[..2]), None);
        assert_eq!(reported(&[]), None);
    }
}
