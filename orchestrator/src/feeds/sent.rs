//! Records that somebody has sent us: one, a list, or one a line; in the form of a signal file's lines, or where the source
//! says. It is read when it comes, so there is nothing to ask for and no cursor.

use loops::{signal::Signal, spec::WebhookSource, time::Timestamp};
use serde_json::Value;

use super::json;
use crate::{
    local::of_record,
    source::{Batch, Skipped},
};

/// More records than these are not one delivery.
const MAX_RECORDS: usize = 10_000;

/// What a source's signals are called by.
pub fn name_of(source: &WebhookSource) -> String {
    format!("webhook:{}", source.secret)
}

/// What was sent, as signals, and what of it is none; `now` is when it was said if it does not say. The error is why all
/// of it is none.
///
/// # Errors
/// If it is not text, not JSON where that is needed, or too much.
pub fn sent(source: &WebhookSource, body: &[u8], now: Timestamp) -> Result<Batch, String> {
    let text = std::str::from_utf8(body)
        .map_err(|error| format!("it is not UTF-8 from its byte {} on", error.valid_up_to() + 1))?
        .trim_start_matches('\u{feff}');
    let mut batch = Batch::default();
    let mut take = |place: String, read: Result<Option<Signal>, String>| match read {
        Ok(Some(signal)) => batch.signals.push(signal),
        Ok(None) => {}
        Err(why) => batch.skipped.push(Skipped { place, why }),
    };
    match serde_json::from_str::<Value>(text) {
        Ok(whole) => {
            let found = whole.pointer(&source.items);
            let items = match found {
                Some(Value::Array(items)) => items.as_slice(),
                Some(one) if source.items.is_empty() => std::slice::from_ref(one),
                Some(_) => {
                    return Err(format!(
                        "at `{}` there is something else than a list",
                        source.items
                    ));
                }
                None => return Err(format!("there is nothing at `{}`", source.items)),
            };
            bounded(items.len())?;
            for (at, item) in items.iter().enumerate() {
                take(format!("item {}", at + 1), one(source, item, now));
            }
        }
        Err(error) if !source.items.is_empty() => return Err(format!("it is not JSON: {error}")),
        Err(_) => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            bounded(lines.count())?;
            for (at, line) in text.lines().enumerate() {
                take(format!("line {}", at + 1), of_line(source, line, now));
            }
        }
    }
    batch.keep_last_versions();
    Ok(batch)
}

fn bounded(count: usize) -> Result<(), String> {
    match count > MAX_RECORDS {
        true => Err(format!(
            "{count} records are more than the {MAX_RECORDS} that one delivery may have"
        )),
        false => Ok(()),
    }
}

fn one(source: &WebhookSource, item: &Value, now: Timestamp) -> Result<Option<Signal>, String> {
    match &source.fields {
        Some(fields) => json::record(fields, source.voice, item)?
            .signal(&name_of(source), now)
            .map(Some),
        None => of_record(item.to_string().as_bytes(), &name_of(source), now),
    }
}

fn of_line(source: &WebhookSource, line: &str, now: Timestamp) -> Result<Option<Signal>, String> {
    if source.fields.is_none() || line.trim().is_empty() {
        return of_record(line.as_bytes(), &name_of(source), now);
    }
    let item = serde_json::from_str(line).map_err(|error| format!("it is not JSON: {error}"))?;
    one(source, &item, now)
}

#[cfg(test)]
mod tests {
    use loops::{signal::Voice, spec::Fields};
    use proptest::prelude::*;

    use super::*;

    fn source(items: &str, fields: Option<Fields>) -> WebhookSource {
        WebhookSource {
            secret: "desk".to_owned(),
            items: items.to_owned(),
            fields,
            voice: Voice::Person,
        }
    }

    fn texts(source: &WebhookSource, body: &str) -> Vec<String> {
        let batch = sent(source, body.as_bytes(), Timestamp(5)).unwrap();
        assert_eq!(batch.skipped, []);
        batch.signals.into_iter().map(|signal| signal.text).collect()
    }

    #[test]
    fn one_a_list_and_one_a_line_are_read_alike() {
        let plain = source("", None);
        assert_eq!(texts(&plain, r#"{"text": "a"}"#), ["a"]);
        assert_eq!(
            texts(&plain, "{\n  \"text\": \"a\"\n}\n"),
            ["a"],
            "one over several lines"
        );
        assert_eq!(texts(&plain, r#"[{"text": "a"}, {"text": "b"}]"#), ["a", "b"]);
        assert_eq!(
            texts(&plain, "{\"text\": \"a\"}\n\n{\"text\": \"b\"}\n"),
            ["a", "b"]
        );
        assert_eq!(texts(&plain, "[]"), [""; 0]);
        let edited = "{\"id\": 1, \"text\": \"a\"}\n{\"id\": 1, \"text\": \"b\"}";
        assert_eq!(texts(&plain, edited), ["b"], "the last of the same id");
    }

    #[test]
    fn a_mapping_says_where_things_stand() {
        let fields = Fields {
            text: "/words".to_owned(),
            id: Some("/n".to_owned()),
            title: None,
            at: None,
            author: Some("/who/name".to_owned()),
            url: None,
            labels: None,
            votes: None,
            thread: None,
        };
        let mapped = source("/tickets", Some(fields.clone()));
        let body = r#"{"tickets": [{"n": 7, "words": "it crashes", "who": {"name": "ann"}}]}"#;
        let batch = sent(&mapped, body.as_bytes(), Timestamp(5)).unwrap();
        let signal = &batch.signals[0];
        assert_eq!(
            (
                signal.source.as_str(),
                signal.external_id.as_str(),
                signal.author.as_deref()
            ),
            ("webhook:desk", "7", Some("ann"))
        );
        let lines = "{\"n\": 1, \"words\": \"a\"}\n{\"n\": 2, \"words\": \"b\"}";
        assert_eq!(texts(&source("", Some(fields)), lines), ["a", "b"]);
        assert!(
            sent(&mapped, b"{\"tickets\": 1}", Timestamp(5))
                .unwrap_err()
                .contains("/tickets")
        );
        assert!(
            sent(&mapped, b"{}", Timestamp(5))
                .unwrap_err()
                .contains("nothing at")
        );
    }

    #[test]
    fn a_bad_record_is_named_and_the_others_are_read() {
        let body = "{\"text\": \"a\"}\nnot json\n{\"words\": 1}\n{\"text\": \"b\"}";
        let batch = sent(&source("", None), body.as_bytes(), Timestamp(5)).unwrap();
        assert_eq!(batch.signals.len(), 2);
        let places: Vec<&str> = batch.skipped.iter().map(|one| one.place.as_str()).collect();
        assert_eq!(places, ["line 2", "line 3"]);
        let batch = sent(&source("", None), br#"[{"text": "a"}, 7]"#, Timestamp(5)).unwrap();
        assert_eq!(
            (batch.signals.len(), batch.skipped[0].place.as_str()),
            (1, "item 2")
        );
        let many = "{\"text\":\"a\"}\n".repeat(MAX_RECORDS + 1);
        assert!(
            sent(&source("", None), many.as_bytes(), Timestamp(5))
                .unwrap_err()
                .contains("10001")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_records_or_reasons(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(batch) = sent(&source("", None), &body, Timestamp(0)) {
                prop_assert!(batch.skipped.iter().all(|one| !one.why.is_empty()));
            }
        }
    }
}
