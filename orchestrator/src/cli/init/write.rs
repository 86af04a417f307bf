//! The text of what `loops init` writes: the library's first loop with the lines that depend on the repository put in.

use loops::library;

use super::look::{Check, Look};

/// Two messages that show the form of a file of feedback.
pub(super) const FEEDBACK: &str = r#"{"id": "example-1", "at": "2026-01-05T09:12:00Z", "author": "ada", "text": "Example: the total in my cart is wrong when I add the same item twice. Replace these lines with what your users say."}
{"id": "example-2", "at": "2026-01-05T10:03:00Z", "author": "grace", "text": "Example: adding an item twice shows the wrong total for me, too.", "reactions": {"+1": 2}}
"#;

/// Settings with everything at its default.
pub(super) const SETTINGS: &str = r#"# Settings of the service. Everything has a default; what is commented out shows the form.
# A secret is only ever the name of an environment variable: "${NAME}".

# state: .loops-state          # where the database and workspaces are kept
# models:
#   aliases: { standard: claude-sonnet-5-5 }
#   providers:
#     anthropic: { key: "${ANTHROPIC_API_KEY}" }
"#;

/// What stands above the example of a check if none was found.
const NO_CHECK: &str = "  # No command that runs tests was found here, and `loops run` refuses this loop until there is one: take the `#` \
                        away\n  # from the next two lines, and write yours. Nothing is proposed that it does not pass.";

/// The first loop, fitted to what was found. `repo` is the repository as seen from the spec's folder.
pub(super) fn spec(look: &Look, repo: &str) -> String {
    let shipped = library::loops()
        .iter()
        .find(|(name, _)| *name == "feedback-to-fix")
        .map_or("", |(_, text)| *text);
    let mut out = String::new();
    for line in shipped.lines() {
        let fitted = if line.starts_with("repo:") {
            let remote = look
                .remote
                .as_ref()
                .map_or(String::new(), |url| format!("   # {}", comment(url)));
            format!("repo: {}{remote}", quoted(repo))
        } else if line.starts_with("base:") {
            format!("base: {}", quoted(&look.base))
        } else if line.starts_with("# setup:") {
            match look.setup {
                Some(run) => format!(
                    "# setup: {{ run: {}, network: [registry.example.com] }}   # with the hosts that it downloads from",
                    quoted(run)
                ),
                None => line.to_owned(),
            }
        } else if line.trim_start().starts_with("# commands:") {
            if look.checks.is_empty() {
                format!("{NO_CHECK}\n{line}")
            } else {
                commands(&look.checks)
            }
        } else if line.trim_start().starts_with("#   - {") && !look.checks.is_empty() {
            continue;
        } else {
            line.to_owned()
        };
        out += &fitted;
        out.push('\n');
    }
    out
}

fn commands(checks: &[Check]) -> String {
    let one = |check: &Check| {
        format!(
            "\n    - {{ name: {}, run: {}, timeout: 10m }}",
            quoted(&check.name),
            quoted(&check.run)
        )
    };
    format!("  commands:{}", checks.iter().map(one).collect::<String>())
}

/// A text in double quotes, as JSON writes it, which YAML reads as the same text.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    if !text.is_empty()
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '.' || c == '/')
        && text.chars().all(is_plain)
    {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}

/// A text that stays within one comment.
fn comment(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}
