//! Standard output and standard error. Facts go to standard output; a closed pipe ends us quietly.

use std::{
    io::{self, IsTerminal, Write},
    process,
};

use serde::Serialize;

use super::Format;

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
        Self::write(text.as_bytes());
    }

    /// Prints a line.
    pub fn line(&self, line: impl AsRef<str>) {
        Self::write(format!("{}\n", line.as_ref()).as_bytes());
    }

    /// Prints one JSON document and a line end.
    pub fn json(&self, value: &impl Serialize) {
        let text =
            serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
        self.line(text);
    }

    /// Prints one JSON document on one line.
    pub fn compact(&self, value: &impl Serialize) {
        self.line(serde_json::to_string(value).unwrap_or_default());
    }

    /// Prints a line to standard error.
    pub fn note(&self, line: impl AsRef<str>) {
        let _ = writeln!(io::stderr(), "{}", line.as_ref());
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
