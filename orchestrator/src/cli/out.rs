//! Standard output and standard error. Facts go to standard output; a closed pipe ends us quietly. Whatever is printed
//! goes without secrets: those of known forms, and those that this process holds; agents' words are printed here, too.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    process,
};

use loops::screen::secrets;
use serde::Serialize;
use serde_json::Value;

use super::Format;
use crate::config::secret::scrub;

/// Where a command prints, and how.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    /// How facts are printed.
    pub format: Format,
    /// Whether standard output takes colors.
    pub color: bool,
}

impl Out {
    /// Colors only on a terminal, and not where `NO_COLOR` is set.
    #[expect(
        clippy::disallowed_methods,
        reason = "NO_COLOR and TERM are about the terminal, not about the service"
    )]
    pub fn new(format: Format) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var("TERM").is_ok_and(|term| term != "dumb");
        Self {
            format,
            color: wanted && io::stdout().is_terminal(),
        }
    }

    /// Prints text as it is.
    pub fn text(&self, text: &str) {
        Self::write(safe(text).as_bytes());
    }

    /// Prints a line.
    pub fn line(&self, line: impl AsRef<str>) {
        Self::write(format!("{}\n", safe(line.as_ref())).as_bytes());
    }

    /// Prints one JSON document and a line end.
    pub fn json(&self, value: &impl Serialize) {
        let text =
            serde_json::to_value(value).and_then(|value| serde_json::to_string_pretty(&safe_json(value)));
        let text = text.unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
        Self::write(format!("{text}\n").as_bytes());
    }

    /// Prints one JSON document on one line.
    pub fn compact(&self, value: &impl Serialize) {
        let value = serde_json::to_value(value).map(safe_json).unwrap_or_default();
        Self::write(format!("{value}\n").as_bytes());
    }

    /// Prints a line to standard error.
    pub fn note(&self, line: impl AsRef<str>) {
        let _ = writeln!(io::stderr(), "{}", safe(line.as_ref()));
    }

    /// `text` in a color (an SGR number such as `31`), where colors are taken.
    pub fn paint(&self, sgr: &str, text: &str) -> String {
        if self.color {
            format!("\u{1b}[{sgr}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn write(bytes: &[u8]) {
        let mut stdout = io::stdout().lock();
        if stdout.write_all(bytes).and_then(|()| stdout.flush()).is_err() {
            process::exit(0);
        }
    }
}

/// Standard error for logs, without secrets. Each event comes in one piece.
pub(super) struct Logs;

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(safe(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// `text` without secrets.
fn safe(text: &str) -> Cow<'_, str> {
    match secrets::mask_known(text) {
        Cow::Borrowed(text) => scrub(text),
        Cow::Owned(text) => Cow::Owned(scrub(&text).into_owned()),
    }
}

/// The same for every text of a document. By value, so that it stays a document.
fn safe_json(value: Value) -> Value {
    match value {
        Value::String(text) => match safe(&text) {
            Cow::Borrowed(_) => Value::String(text),
            Cow::Owned(other) => Value::String(other),
        },
        Value::Array(values) => Value::Array(values.into_iter().map(safe_json).collect()),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, safe_json(value)))
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Secret;

    #[test]
    fn nothing_is_printed_with_a_secret_in_it() {
        let held = Secret::new("held-by-the-service-1".to_owned());
        let known = format!("ghp_{}", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5");
        let line = format!(
            "it said held-by-the-service-1 and {known}, then 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
        );
        let said = "it said *** and [masked: token of GitHub], then 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b";
        assert_eq!(safe(&line), said);
        let cut = "-----BEGIN PRIVATE KEY-----\nMIIE";
        let value = safe_json(json!({ "a": [line, 1], "cut": cut, "z": "stays" }));
        assert_eq!(
            value,
            json!({ "a": [said, 1], "cut": "[masked: private key]", "z": "stays" })
        );
        drop(held);
    }
}
