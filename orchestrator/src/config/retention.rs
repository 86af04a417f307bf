//! How long people's words are kept: `retention`. Ids, figures and the ledger stay for good.

use std::{fmt, time::Duration};

use loops::spec::Span;
use serde::Deserialize;

use super::Problem;

/// Nothing is kept for less than this: a run must be able to read what it works on.
const LEAST: Duration = Duration::from_secs(86_400);

/// What agents were told, said and did is kept for so long unless something else is written: it grows fastest, and
/// nobody reads it after a year.
const TRANSCRIPTS: Duration = Duration::from_secs(400 * 86_400);

/// How long words are kept, counted from when they were said; none: for good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// The texts, authors and links of signals.
    pub signals: Option<Duration>,
    /// What agents were told, said and did.
    pub transcripts: Option<Duration>,
}

impl Retention {
    /// Whether everything is kept for good.
    pub fn is_none(&self) -> bool {
        self.signals.is_none() && self.transcripts.is_none()
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |kept: Option<Duration>| kept.map_or("good".to_owned(), |kept| Span(kept).to_string());
        write!(
            f,
            "signals for {}, transcripts for {}",
            span(self.signals),
            span(self.transcripts)
        )
    }
}

/// The part of the file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    signals: Option<String>,
    transcripts: Option<String>,
}

impl File {
    /// Checks what is written, and fills in the rest.
    pub(super) fn resolve(self, problems: &mut Vec<Problem>) -> Retention {
        let mut span = |key: &str, text: Option<String>| {
            let text = text.filter(|text| text != "never")?;
            let what = match text.parse::<Span>() {
                Ok(span) if span.0 >= LEAST => return Some(span.0),
                Ok(_) => format!("`retention.{key}` must be `1d` or more, or `never`"),
                Err(why) => format!("`retention.{key}`: {why}"),
            };
            problems.push(Problem { at: None, what });
            None
        };
        Retention {
            signals: span("signals", self.signals),
            transcripts: match self.transcripts {
                None => Some(TRANSCRIPTS),
                written => span("transcripts", written),
            },
        }
    }
}
