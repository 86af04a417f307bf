//! The agent's to-do list: the tool that writes it, and why the agent may not stop before it is settled.
//!
//! The list is the agent's own claim about its work, shown to people; nothing is proven by it.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    order::{TodoItem, TodoState},
    tools::ToolDefinition,
};

const MAX_ITEMS: usize = 50;
const MAX_TEXT: usize = 500;

/// What the model is told of the tool.
pub(super) fn definition() -> ToolDefinition {
    ToolDefinition {
        name: "todo".to_owned(),
        description:
            "Write your to-do list, whole each time; people watch it. You cannot stop while an item is \
                      pending or doing: finish it, or drop it and say why."
                .to_owned(),
        input_schema: json!({
            "type": "object",
            "properties": {"items": {"type": "array", "items": {
                "type": "object",
                "properties": {
                    "text": {"type": "string"},
                    "state": {"enum": ["pending", "doing", "done", "dropped"]},
                    "why": {"type": "string", "description": "for a dropped one"}
                },
                "required": ["text", "state"]
            }}},
            "required": ["items"]
        }),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    items: Vec<TodoItem>,
}

/// Reads a list; says what is wrong with it, for the model.
pub(super) fn read(input: Value) -> Result<Vec<TodoItem>, String> {
    let Input { items } = serde_json::from_value(input).map_err(|error| {
        format!("This is not a list: {error}. Write {{\"items\": [{{\"text\": …, \"state\": …}}]}}.")
    })?;
    if items.len() > MAX_ITEMS {
        return Err(format!(
            "{} items are too many, {MAX_ITEMS} is the most. Write larger steps.",
            items.len()
        ));
    }
    for item in &items {
        let why = item.why.as_deref().unwrap_or_default();
        if item.text.trim().is_empty() {
            return Err("An item has no text.".to_owned());
        }
        if item.text.len() > MAX_TEXT || why.len() > MAX_TEXT {
            return Err(format!("An item is longer than {MAX_TEXT} bytes. Be brief."));
        }
        if item.state == TodoState::Dropped && why.trim().is_empty() {
            return Err(format!("Say under `why` why you drop `{}`.", item.text));
        }
    }
    Ok(items)
}

fn is_open(item: &TodoItem) -> bool {
    matches!(item.state, TodoState::Pending | TodoState::Doing)
}

/// How the list stands, as the tool's answer.
pub(super) fn summary(items: &[TodoItem]) -> String {
    let open = items.iter().filter(|item| is_open(item)).count();
    format!("Kept: {} items, {open} open.", items.len())
}

/// Why the agent may not stop yet.
pub(super) fn objection(items: &[TodoItem]) -> Option<String> {
    let open: Vec<_> = items
        .iter()
        .filter(|item| is_open(item))
        .map(|item| format!("- {}", item.text))
        .collect();
    let words = "Your to-do list still has open items:";
    let ask = "Finish them, or mark with `todo` what is done and what you drop, and why. Then stop.";
    (!open.is_empty()).then(|| format!("{words}\n{}\n{ask}", open.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_settled_list_lets_it_stop() {
        let list =
            |state: &str| read(json!({"items": [{"text": "a", "state": state, "why": "no need"}]})).unwrap();
        for (state, may_stop) in [
            ("pending", false),
            ("doing", false),
            ("done", true),
            ("dropped", true),
        ] {
            assert_eq!(objection(&list(state)).is_none(), may_stop, "{state}");
        }
        assert_eq!(objection(&[]), None);
        assert_eq!(summary(&list("doing")), "Kept: 1 items, 1 open.");
    }

    #[test]
    fn a_bad_list_is_answered_with_what_to_mend() {
        for (input, words) in [
            (json!({}), "missing field `items`"),
            (
                json!({"items": [{"text": "a", "state": "later"}]}),
                "unknown variant `later`",
            ),
            (json!({"items": [{"text": " ", "state": "done"}]}), "no text"),
            (
                json!({"items": [{"text": "a", "state": "dropped"}]}),
                "why you drop `a`",
            ),
            (
                json!({"items": [{"text": "x".repeat(501), "state": "done"}]}),
                "Be brief",
            ),
            (
                json!({"items": vec![json!({"text": "a", "state": "done"}); 51]}),
                "too many",
            ),
        ] {
            let error = read(input).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
