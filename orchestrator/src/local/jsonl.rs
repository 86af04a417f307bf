//! JSONL: one signal a line, `{"id", "at", "author", "text", "url"?, "reactions"?, "labels"?, "thread"?}`. Only `text`
//! is required. A bad line is reported by its number and skipped.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Seek, SeekFrom},
    time::UNIX_EPOCH,
};

use loops::{
    signal::{Signal, Voice},
    time::Timestamp,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    Batch, Skipped, SourceError,
    cursor::{Cursor, Lines, mark},
    paths::Found,
};

/// A longer line is skipped.
const MAX_LINE: usize = 1 << 20;
/// A longer id is not one.
const MAX_ID: usize = 512;
/// One batch holds no more lines than this,
const MAX_LINES: u64 = 100_000;
/// and is closed after this many bytes.
const MAX_BYTES: u64 = 64 << 20;

/// A line as it is written.
#[derive(Debug, Deserialize)]
struct Line {
    id: Option<Id>,
    at: Option<String>,
    author: Option<String>,
    text: String,
    url: Option<String>,
    #[serde(default)]
    reactions: Option<BTreeMap<String, u32>>,
    #[serde(default)]
    labels: Option<Vec<String>>,
    thread: Option<Id>,
    /// Not in the contract's list: says that a machine wrote the text.
    voice: Option<Voice>,
    /// Nor this: says that not everyone may read it.
    #[serde(default)]
    private: bool,
}

/// Ids are texts or whole numbers.
#[derive(Debug)]
struct Id(String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            serde_json::Value::Number(number) if number.is_i64() || number.is_u64() => {
                Ok(Self(number.to_string()))
            }
            other => Err(serde::de::Error::custom(format!(
                "`{other}` is neither a text nor a whole number"
            ))),
        }
    }
}

pub(super) fn read(file: &Found, cursor: &mut Cursor, batch: &mut Batch) -> Result<(), SourceError> {
    let io = || SourceError::io(&file.path);
    let opened = File::open(&file.path).map_err(io())?;
    let meta = opened.metadata().map_err(io())?;
    let before = cursor.lines.get(&file.name).cloned().unwrap_or_default();
    let now = mark(&meta);
    if now.is_some() && now == before.mark {
        return Ok(());
    }
    let changed = meta
        .modified()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default();
    let changed = Timestamp(i64::try_from(changed.as_millis()).unwrap_or(i64::MAX));
    let mut reader = BufReader::with_capacity(1 << 16, opened);
    let (mut at, mut digest) = unread(&mut reader, &before).map_err(io())?;
    at.lines -= u64::from(std::mem::take(&mut at.open));
    let source = format!("file:{}", file.name);
    let (last_line, last_byte) = (at.lines + MAX_LINES, at.bytes + MAX_BYTES);
    let mut line = Vec::new();
    loop {
        if at.lines >= last_line || at.bytes >= last_byte {
            batch.more = true;
            break;
        }
        let mut ahead = digest.clone();
        let taken = take_line(&mut reader, &mut line, &mut ahead).map_err(io())?;
        if taken.bytes == 0 {
            break;
        }
        let read = if taken.too_long {
            Err(format!("the line is longer than {} MiB", MAX_LINE >> 20))
        } else {
            signal(&line, at.bytes == 0, &source, changed)
        };
        let place = format!("{} line {}", file.name, at.lines + 1);
        if !taken.ended && read.is_err() {
            let why = "the last line is cut off; it is read again when it is whole".to_owned();
            batch.skipped.push(Skipped { place, why });
            break;
        }
        match read {
            Ok(Some(signal)) => batch.signals.push(signal),
            Ok(None) => {}
            Err(why) => batch.skipped.push(Skipped { place, why }),
        }
        at.lines += 1;
        at.bytes += taken.bytes;
        at.open = !taken.ended;
        digest = ahead;
    }
    at.digest = hex::encode(digest.finalize());
    at.mark = now.filter(|_| !batch.more);
    cursor.lines.insert(file.name.clone(), at);
    Ok(())
}

/// Where to go on, and the digest up to there: where the file was left if its beginning is what it was, else its start.
fn unread(reader: &mut BufReader<File>, before: &Lines) -> io::Result<(Lines, Sha256)> {
    let mut digest = Sha256::new();
    let mut left = before.bytes;
    while left > 0 {
        let seen = reader.fill_buf()?;
        if seen.is_empty() {
            break;
        }
        let size = seen.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        digest.update(&seen[..size]);
        reader.consume(size);
        left -= size as u64;
    }
    if left == 0 && hex::encode(digest.clone().finalize()) == before.digest {
        return Ok((
            Lines {
                mark: None,
                ..before.clone()
            },
            digest,
        ));
    }
    reader.seek(SeekFrom::Start(0))?;
    Ok((Lines::default(), Sha256::new()))
}

/// What was read of one line.
struct Taken {
    bytes: u64,
    too_long: bool,
    /// Whether its end was there.
    ended: bool,
}

/// Reads one line, holding no more than [`MAX_LINE`] of it.
fn take_line(reader: &mut impl BufRead, line: &mut Vec<u8>, digest: &mut Sha256) -> io::Result<Taken> {
    line.clear();
    let mut taken = Taken {
        bytes: 0,
        too_long: false,
        ended: false,
    };
    while !taken.ended {
        let seen = reader.fill_buf()?;
        if seen.is_empty() {
            break;
        }
        let end = seen.iter().position(|byte| *byte == b'\n');
        let part = &seen[..end.map_or(seen.len(), |at| at + 1)];
        taken.ended = end.is_some();
        taken.too_long |= line.len() + part.len() > MAX_LINE + 1;
        if !taken.too_long {
            line.extend_from_slice(part);
        }
        digest.update(part);
        let size = part.len();
        taken.bytes += size as u64;
        reader.consume(size);
    }
    Ok(taken)
}

/// The signal of one record that has the form of a line; nothing for an empty one; else what is wrong with it. `otherwise`
/// is when it was said if it does not say.
pub(crate) fn of_record(record: &[u8], source: &str, otherwise: Timestamp) -> Result<Option<Signal>, String> {
    match record.len() > MAX_LINE {
        true => Err(format!("the line is longer than {} MiB", MAX_LINE >> 20)),
        false => signal(record, true, source, otherwise),
    }
}

/// The signal of a line; nothing for an empty line; else what is wrong with it.
fn signal(line: &[u8], first: bool, source: &str, changed: Timestamp) -> Result<Option<Signal>, String> {
    let text = std::str::from_utf8(line)
        .map_err(|error| format!("it is not UTF-8 from its byte {} on", error.valid_up_to() + 1))?;
    let text = if first {
        text.trim_start_matches('\u{feff}')
    } else {
        text
    }
    .trim();
    if text.is_empty() {
        return Ok(None);
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let line: Line = serde_path_to_error::deserialize(&mut json).map_err(|error| wrong(&error))?;
    json.end().map_err(|error| not_json(&error))?;
    let at = match &line.at {
        None => changed,
        Some(at) => {
            Timestamp::parse(at).ok_or_else(|| format!("`at` is `{}`, not an RFC 3339 time", cut(at)))?
        }
    };
    let author = line.author.filter(|name| !name.trim().is_empty());
    let external_id = match line.id {
        Some(Id(id)) if id.is_empty() || id.len() > MAX_ID => {
            return Err(format!("`id` is empty or longer than {MAX_ID} bytes"));
        }
        Some(Id(id)) => id,
        None if line.text.trim().is_empty() => return Err("`text` is empty".to_owned()),
        None => content_id(
            &[
                Some(line.text.as_str()),
                author.as_deref(),
                line.at.as_deref(),
                line.url.as_deref(),
            ]
            .map(Option::unwrap_or_default),
        ),
    };
    let bot = author.as_deref().is_some_and(|name| name.ends_with("[bot]"));
    Ok(Some(Signal {
        id: Signal::id_of(source, &external_id),
        source: source.to_owned(),
        external_id,
        at,
        author,
        voice: line
            .voice
            .unwrap_or(if bot { Voice::Machine } else { Voice::Person }),
        text: line.text,
        url: line.url,
        reactions: line.reactions.unwrap_or_default(),
        labels: line.labels.unwrap_or_default(),
        thread: line.thread.map(|Id(id)| id),
        account: None,
        private: line.private,
    }))
}

/// An id made of what a line says, so that it is the same wherever the line stands. Lines that say the same in all are
/// one signal.
fn content_id(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    format!("line-{}", hex::encode(&digest.finalize()[..12]))
}

/// What is wrong with a line: which field, if it is one.
fn wrong(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    if !error.inner().is_data() {
        return not_json(error.inner());
    }
    let what = without_place(error.inner());
    match error.path().to_string() {
        root if root == "." => cut(&what),
        field => format!("`{}`: {}", cut(&field), cut(&what)),
    }
}

fn not_json(error: &serde_json::Error) -> String {
    format!(
        "it is not JSON: {} at column {}",
        cut(&without_place(error)),
        error.column()
    )
}

/// The error without the line within the text, which is always the first; the line in the file is told beside it.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ")
        .map_or(text.clone(), |(what, _)| what.to_owned())
}

fn cut(text: &str) -> String {
    if text.chars().count() <= 120 {
        text.to_owned()
    } else {
        text.chars().take(119).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_signal_or_a_short_reason(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Err(why) = signal(&bytes, true, "file:f", Timestamp(0)) {
                prop_assert!(!why.is_empty() && why.chars().count() < 300);
            }
        }

        #[test]
        fn a_signal_says_what_the_line_says(text in "\\PC{1,40}", id in "[a-z0-9]{1,8}") {
            prop_assume!(!text.trim().is_empty());
            let line = serde_json::json!({ "text": text, "id": id }).to_string();
            let read = signal(line.as_bytes(), false, "file:f", Timestamp(5)).ok().flatten();
            prop_assert_eq!(read.map(|one| (one.text, one.external_id, one.at)), Some((text, id, Timestamp(5))));
        }
    }

    #[test]
    fn without_an_id_only_what_is_said_makes_it() {
        let id = |line: &str| {
            signal(line.as_bytes(), false, "file:f", Timestamp(0))
                .ok()
                .flatten()
                .map(|one| one.id)
        };
        assert_eq!(
            id(r#"{"text": "a", "author": "b"}"#),
            id(r#"{"author": "b", "x": 1, "text": "a"}"#)
        );
        assert_ne!(
            id(r#"{"text": "ab", "author": "c"}"#),
            id(r#"{"text": "a", "author": "bc"}"#)
        );
    }
}
