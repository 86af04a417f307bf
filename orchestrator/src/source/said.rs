//! One record of a source, before it is a signal: what most sources say, in one form. Whatever stands in it comes from
//! outside and is only ever data.

use std::collections::BTreeMap;

use loops::{
    signal::{Signal, Voice},
    time::Timestamp,
};
use sha2::{Digest as _, Sha256};

/// A longer id is not one, bytes.
const MAX_ID: usize = 512;

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// What the source calls it; none: it is told from others by what it says.
    pub id: Option<String>,
    /// When it was said; none: it does not say.
    pub at: Option<Timestamp>,
    /// Who said it.
    pub author: Option<String>,
    /// Whether a person or a machine spoke.
    pub voice: Voice,
    /// The words.
    pub text: String,
    /// Where a person can see it.
    pub url: Option<String>,
    /// Reaction name and how many gave it.
    pub reactions: BTreeMap<String, u32>,
    /// Labels.
    pub labels: Vec<String>,
    /// The id of the record that this one answers.
    pub thread: Option<String>,
}

impl Said {
    /// A record that says this, and nothing else.
    pub fn new(voice: Voice, text: impl Into<String>) -> Self {
        Self {
            id: None,
            at: None,
            author: None,
            voice,
            text: text.into(),
            url: None,
            reactions: BTreeMap::new(),
            labels: Vec::new(),
            thread: None,
        }
    }

    /// What it is called, or an id made of what it says: the same wherever the record stands. Records that say the same
    /// in all are one. The error is what is wrong with it.
    pub fn external_id(&self) -> Result<String, String> {
        match &self.id {
            Some(id) if id.is_empty() || id.len() > MAX_ID => {
                Err(format!("its id is empty or longer than {MAX_ID} bytes"))
            }
            Some(id) => Ok(id.clone()),
            None if self.text.trim().is_empty() => Err("it has neither an id nor a text".to_owned()),
            None => {
                let at = self.at.map(|at| at.to_string());
                let parts = [
                    Some(&self.text),
                    self.author.as_ref(),
                    at.as_ref(),
                    self.url.as_ref(),
                ];
                let mut digest = Sha256::new();
                for part in parts {
                    let part = part.map(String::as_str).unwrap_or_default();
                    digest.update((part.len() as u64).to_be_bytes());
                    digest.update(part.as_bytes());
                }
                Ok(format!("record-{}", hex::encode(&digest.finalize()[..12])))
            }
        }
    }

    /// The signal of it in `source`; `otherwise` is when it was said if it does not say. The error is what is wrong
    /// with it.
    pub fn signal(self, source: &str, otherwise: Timestamp) -> Result<Signal, String> {
        let external_id = self.external_id()?;
        let bot = self.author.as_deref().is_some_and(|name| name.ends_with("[bot]"));
        Ok(Signal {
            id: Signal::id_of(source, &external_id),
            source: source.to_owned(),
            external_id,
            at: self.at.unwrap_or(otherwise),
            author: self.author.filter(|name| !name.trim().is_empty()),
            voice: if bot { Voice::Machine } else { self.voice },
            text: self.text,
            url: self.url,
            reactions: self.reactions,
            labels: self.labels,
            thread: self.thread,
            account: None,
            private: false,
        })
    }
}

/// A time as records write it: RFC 3339, `2026-11-03 10:00:00` (UTC), a date, or seconds or milliseconds since 1970.
pub fn when(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(at) = Timestamp::parse(text) {
        return Some(at);
    }
    if let Ok(number) = text.parse::<f64>()
        && text.len() >= 9
        && number.is_finite()
    {
        // Seconds reach eleven digits in the year 5138.
        let ms = if number.abs() < 1e11 {
            number * 1000.0
        } else {
            number
        };
        #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
        return Some(Timestamp(ms as i64));
    }
    let stamp = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|form| chrono::NaiveDateTime::parse_from_str(text, form).ok());
    let day = || {
        chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    };
    let mail = || {
        chrono::DateTime::parse_from_rfc2822(text)
            .ok()
            .map(|at| at.naive_utc())
    };
    stamp
        .or_else(day)
        .or_else(mail)
        .map(|at| Timestamp(at.and_utc().timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_that_records_use() {
        let at = |text: &str| when(text).map(|at| at.to_string());
        let noon = Some("2026-11-03T12:00:00.000Z".to_owned());
        for text in [
            "2026-11-03T12:00:00Z",
            "2026-11-03T13:00:00+01:00",
            "2026-11-03 12:00:00",
            "2026-11-03 12:00",
            "1793707200",
            "1793707200000",
            "Tue, 03 Nov 2026 12:00:00 GMT",
        ] {
            assert_eq!(at(text), noon, "{text}");
        }
        assert_eq!(at("2026-11-03").as_deref(), Some("2026-11-03T00:00:00.000Z"));
        for text in ["", "soon", "12", "NaN", "2026-13-01"] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn without_an_id_the_same_words_are_the_same_signal_and_other_words_another() {
        let said = |text: &str| {
            Said::new(Voice::Person, text)
                .signal("csv:a.csv", Timestamp(5))
                .unwrap()
        };
        assert_eq!(said("it crashes"), said("it crashes"));
        assert_ne!(said("it crashes").id, said("it hangs").id);
        assert!(
            Said::new(Voice::Person, " ")
                .signal("csv:a.csv", Timestamp(5))
                .is_err()
        );
    }
}
