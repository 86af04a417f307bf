//! Rows of a CSV file whose first line names its columns.

use std::collections::BTreeMap;

use loops::spec::CsvSource;

use super::{Document, Records, Said, Skipped};
use crate::source::when;

/// Longer rows are skipped, bytes.
const MAX_ROW: usize = 1 << 20;

/// The rows; the error names a column that is not there.
pub(super) fn records(source: &CsvSource, document: &Document<'_>) -> Result<Records, String> {
    let bytes = document
        .bytes
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(document.bytes);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(source.delimiter.bytes().next().unwrap_or(b','))
        .flexible(true)
        .from_reader(bytes);
    let names = reader.headers().map_err(|error| why(&error))?.clone();
    let mut at = BTreeMap::new();
    for (key, column) in source.columns.given() {
        let found = names.iter().position(|name| name.trim() == column);
        let place = found.ok_or_else(|| {
            let there: Vec<&str> = names.iter().map(str::trim).collect();
            format!("there is no column `{column}`; there are: {}", there.join(", "))
        })?;
        at.insert(key, place);
    }
    let mut records = Records::new();
    for row in reader.records() {
        match row {
            Ok(row) => records.push(record(source, document, &at, &row)),
            Err(error) => records.push(Err(skip(document, error.position(), why(&error)))),
        }
    }
    Ok(records)
}

fn record(
    source: &CsvSource,
    document: &Document<'_>,
    at: &BTreeMap<&str, usize>,
    row: &csv::StringRecord,
) -> Result<Said, Skipped> {
    let field = |key: &str| {
        let text = row.get(*at.get(key)?)?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let wrong = |words: String| skip(document, row.position(), words);
    if row.as_slice().len() > MAX_ROW {
        return Err(wrong(format!("the row is longer than {} MiB", MAX_ROW >> 20)));
    }
    let time = match field("at") {
        None => None,
        Some(text) => Some(when(&text).ok_or_else(|| wrong(format!("`{}` is no time", short(&text))))?),
    };
    let votes = match field("votes") {
        None => None,
        Some(text) => Some(
            text.parse()
                .map_err(|_| wrong(format!("`{}` is no number", short(&text))))?,
        ),
    };
    let text = field("text").ok_or_else(|| wrong("the row says nothing".to_owned()))?;
    let labels = field("labels").unwrap_or_default();
    let labels = labels
        .split([',', ';'])
        .map(str::trim)
        .filter(|label| !label.is_empty());
    Ok(Said {
        id: field("id"),
        at: time,
        author: field("author"),
        voice: source.voice,
        text: field("title").map_or(text.clone(), |title| format!("{title}\n\n{text}")),
        url: field("url"),
        reactions: votes
            .map(|count| ("votes".to_owned(), count))
            .into_iter()
            .collect(),
        labels: labels.map(str::to_owned).collect(),
        thread: field("thread"),
    })
}

fn skip(document: &Document<'_>, at: Option<&csv::Position>, why: String) -> Skipped {
    let line = at.map_or(String::new(), |at| format!(" line {}", at.line()));
    Skipped {
        place: format!("{}{line}", document.name),
        why,
    }
}

fn why(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        _ => "it cannot be read as CSV".to_owned(),
    }
}

pub(super) fn short(text: &str) -> String {
    loops::text::one_line(text, 60)
}
