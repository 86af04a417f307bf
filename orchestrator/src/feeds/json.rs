//! Any address that answers with JSON in which there is a list. Where an item says what is written in the source, as
//! JSON Pointers (RFC 6901).

use loops::{
    signal::Voice,
    spec::{Fields, JsonSource},
    time::Timestamp,
};
use reqwest::Url;
use serde_json::Value;

use super::{
    Document, Records, Said, Skipped,
    csv::short,
    fetch::Page,
    pages::{Listing, linked, with},
};
use crate::source::when;

/// What changed so shortly before the last record is asked for again: clocks differ, and lists are sorted late.
const OVERLAP: std::time::Duration = std::time::Duration::from_secs(300);

impl Listing for JsonSource {
    fn first(&self, since: Option<Timestamp>) -> String {
        match (&self.since_param, since, Url::parse(&self.url)) {
            (Some(name), Some(since), Ok(url)) => with(url, name, &since.minus(OVERLAP).to_string()).into(),
            _ => self.url.clone(),
        }
    }

    fn login(&self) -> Option<&str> {
        self.credential.as_deref()
    }

    fn tells_by_first_page(&self) -> bool {
        // A list in pages may change on its later ones.
        self.next.is_none()
    }

    fn records(&self, document: &Document<'_>) -> Result<Records, String> {
        let answer: Value = serde_json::from_slice(document.bytes)
            .map_err(|error| format!("the answer is not JSON: {error}"))?;
        let found = answer.pointer(&self.items);
        let items = found.and_then(Value::as_array).ok_or_else(|| match found {
            Some(_) => format!(
                "at `{}` of the answer there is something else than a list",
                self.items
            ),
            None => format!("there is nothing at `{}` of the answer", self.items),
        })?;
        Ok(items
            .iter()
            .enumerate()
            .map(|(at, item)| {
                record(&self.fields, self.voice, item).map_err(|why| Skipped {
                    place: format!("{} item {}", self.url, at + 1),
                    why,
                })
            })
            .collect())
    }

    fn next(&self, page: &Page, at: &Url) -> Option<String> {
        let Some(pointer) = &self.next else {
            return linked(page);
        };
        let answer: Value = serde_json::from_slice(&page.body).ok()?;
        let next = text(answer.pointer(pointer)?)?;
        Some(match &self.next_param {
            Some(name) => with(at.clone(), name, &next).into(),
            None => next,
        })
    }
}

/// What an item says, by where it says it; else what is wrong with it.
pub(super) fn record(fields: &Fields, voice: Voice, item: &Value) -> Result<Said, String> {
    let field = |pointer: &Option<String>| text(item.pointer(pointer.as_ref()?)?);
    let said = field(&Some(fields.text.clone()));
    let title = field(&fields.title);
    let words = match (title, said) {
        (Some(title), Some(said)) => format!("{title}\n\n{said}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return Err(format!("there is no text at `{}`", fields.text)),
    };
    let time = match field(&fields.at) {
        None => None,
        Some(time) => Some(when(&time).ok_or_else(|| format!("`{}` is no time", short(&time)))?),
    };
    let votes = fields
        .votes
        .as_ref()
        .and_then(|pointer| item.pointer(pointer)?.as_u64());
    let votes = votes.map(|count| ("votes".to_owned(), u32::try_from(count).unwrap_or(u32::MAX)));
    Ok(Said {
        id: field(&fields.id),
        at: time,
        author: field(&fields.author),
        voice,
        text: words,
        url: field(&fields.url),
        reactions: votes.into_iter().collect(),
        labels: fields
            .labels
            .as_ref()
            .and_then(|pointer| item.pointer(pointer))
            .map(labels)
            .unwrap_or_default(),
        thread: field(&fields.thread),
    })
}

/// A text, or a number or a truth value as one; none: it is empty, or something else.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Labels as texts, as objects with a `name`, or as one text with commas.
fn labels(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items
            .iter()
            .filter_map(|item| text(item.get("name").unwrap_or(item)))
            .collect(),
        Value::String(text) => text
            .split(',')
            .map(|label| label.trim().to_owned())
            .filter(|label| !label.is_empty())
            .collect(),
        _ => Vec::new(),
    }
}
