//! What a model is told of the tools. Every word is paid for in every session, so there are few.

use loops::text::one_line;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One tool, as model APIs want it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolDefinition {
    /// The name that the model calls it by.
    pub name: String,
    /// What it does.
    pub description: String,
    /// A JSON Schema of its input.
    pub input_schema: Value,
}

/// The tools, in an order that never changes: caches depend on it. Read-only: those that change nothing.
#[must_use]
pub fn definitions(read_only: bool) -> Vec<ToolDefinition> {
    definitions_for(read_only, &[])
}

/// The same where commands may reach these hosts, and are told so.
#[must_use]
pub fn definitions_for(read_only: bool, hosts: &[String]) -> Vec<ToolDefinition> {
    let mut all = vec![
        tool(
            "read",
            "Read a text file; lines come numbered. At most 500 lines a call unless limit says so.",
            json!({"path": text(), "offset": {"type": "integer", "description": "first line, from 1"}, "limit": {"type": "integer"}}),
            &["path"],
        ),
        tool(
            "search",
            "Search file contents by regular expression (Rust syntax). Skips what git ignores.",
            json!({"pattern": text(), "path": text(), "glob": {"type": "string", "description": "e.g. *.py"}, "context": {"type": "integer", "description": "lines around a match"}, "ignore_case": {"type": "boolean"}}),
            &["pattern"],
        ),
        tool(
            "list",
            "List files and folders. Skips what git ignores.",
            json!({"path": text(), "glob": {"type": "string", "description": "e.g. **/*_test.go"}, "depth": {"type": "integer", "description": "default 2"}}),
            &[],
        ),
    ];
    if !read_only {
        all.extend([
            tool(
                "edit",
                "Replace text in a file. `old` must match exactly and only once; give enough lines around it, without line numbers.",
                json!({"path": text(), "old": text(), "new": text(), "replace_all": {"type": "boolean"}}),
                &["path", "old", "new"],
            ),
            tool(
                "write",
                "Create or overwrite a file.",
                json!({"path": text(), "content": text()}),
                &["path", "content"],
            ),
            tool(
                "run",
                &format!(
                    "Run a shell command in the workspace; {}. Long output loses its middle. What it leaves in the background is killed.",
                    network(hosts)
                ),
                json!({"command": text(), "timeout_s": {"type": "integer", "description": "default 120, at most 600"}}),
                &["command"],
            ),
        ]);
    }
    all
}

/// What commands reach, in words.
fn network(hosts: &[String]) -> String {
    if hosts.is_empty() {
        return "there is no network".to_owned();
    }
    let hosts: Vec<String> = hosts.iter().map(|host| one_line(host, 80)).collect();
    format!(
        "of the network it reaches only {}, through the proxy that HTTPS_PROXY names",
        hosts.join(", ")
    )
}

fn text() -> Value {
    json!({"type": "string"})
}

fn tool(name: &str, description: &str, properties: Value, required: &[&str]) -> ToolDefinition {
    let input_schema = json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    ToolDefinition {
        name: name.to_owned(),
        description: description.to_owned(),
        input_schema,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_what_they_reach() {
        let told = |hosts: &[&str]| {
            let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
            let all = definitions_for(false, &hosts);
            let run = all.iter().find(|tool| tool.name == "run");
            run.map(|tool| tool.description.clone()).unwrap_or_default()
        };
        assert!(told(&[]).contains("; there is no network."));
        let some = told(&["registry.example.com", "*.docs.example.com:8443"]);
        assert!(
            some.contains("only registry.example.com, *.docs.example.com:8443, through the proxy"),
            "{some}"
        );
        assert!(!some.contains("no network"), "{some}");
    }

    #[test]
    fn a_reader_gets_no_tool_that_changes_anything() {
        let names = |read_only| {
            definitions(read_only)
                .into_iter()
                .map(|tool| tool.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(true), ["read", "search", "list"]);
        assert_eq!(names(false), ["read", "search", "list", "edit", "write", "run"]);
    }

    #[test]
    fn all_definitions_together_stay_short() {
        let told: usize = definitions(false)
            .iter()
            .map(|tool| tool.name.len() + tool.description.len() + tool.input_schema.to_string().len())
            .sum();
        // About four bytes make a token: some 600.
        assert!(told < 2_500, "{told} bytes");
    }
}
