//! Files as documents. A file that looks as it did is not opened; one that was rewritten is read whole.

use std::{collections::BTreeMap, fs, io::Read as _, path::Path, time::UNIX_EPOCH};

use loops::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Batch, Document, FeedError, Records, Skipped};
use crate::local::{SourceError, mark, paths};

/// Larger files are skipped, bytes.
const MAX_BYTES: u64 = 64 << 20;
/// A batch is closed after the file in which it grows beyond this.
const MAX_SIGNALS: usize = 20_000;

/// What each file looked like when it was read, by name.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    #[serde(default)]
    files: BTreeMap<String, Seen>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    /// Size and time; none: it had changed just before.
    #[serde(default)]
    mark: Option<String>,
    /// Of what stood in it.
    digest: String,
}

/// Reads the files that `path` means and that have changed, by `records`.
pub(super) async fn read(
    source: &str,
    path: &str,
    folder: &Path,
    cursor: Option<&str>,
    records: impl Fn(&Document<'_>) -> Result<Records, String> + Send + 'static,
) -> Result<Batch, FeedError> {
    let (source, path, folder) = (source.to_owned(), path.to_owned(), folder.to_owned());
    let cursor: Cursor = cursor
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    // Reading files waits.
    tokio::task::spawn_blocking(move || read_now(&source, &path, &folder, cursor, records))
        .await
        .map_err(|panic| FeedError::Stopped(panic.to_string()))?
}

fn read_now(
    source: &str,
    path: &str,
    folder: &Path,
    mut cursor: Cursor,
    records: impl Fn(&Document<'_>) -> Result<Records, String>,
) -> Result<Batch, FeedError> {
    let mut batch = Batch::default();
    let found = paths::resolve(path, folder)?;
    cursor
        .files
        .retain(|name, _| found.iter().any(|file| file.name == *name));
    for file in &found {
        let io = || SourceError::io(&file.path);
        let meta = fs::metadata(&file.path).map_err(io())?;
        let now = mark(&meta);
        let before = cursor.files.get(&file.name);
        if now.is_some() && before.is_some_and(|before| before.mark == now) {
            continue;
        }
        if batch.signals.len() >= MAX_SIGNALS {
            batch.more = true;
            break;
        }
        if !meta.is_file() {
            batch
                .skipped
                .push(skip(&file.name, "it is not a file".to_owned()));
            continue;
        }
        let mut bytes = Vec::new();
        let opened = fs::File::open(&file.path).map_err(io())?;
        opened.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io())?;
        let digest = hex::encode(&Sha256::digest(&bytes)[..12]);
        let same = before.is_some_and(|before| before.digest == digest);
        cursor.files.insert(file.name.clone(), Seen { mark: now, digest });
        if same {
            continue;
        }
        if bytes.len() as u64 > MAX_BYTES {
            let why = format!("it is larger than {} MiB", MAX_BYTES >> 20);
            batch.skipped.push(skip(&file.name, why));
            continue;
        }
        let document = Document {
            name: &file.name,
            bytes: &bytes,
            changed: changed(&meta),
        };
        match records(&document) {
            Ok(records) => take_in(&mut batch, source, &document, records),
            Err(why) => batch.skipped.push(skip(&file.name, why)),
        }
    }
    batch.keep_last_versions();
    batch.cursor = serde_json::to_string(&cursor).unwrap_or_default();
    Ok(batch)
}

/// Makes signals of the records of one document.
fn take_in(batch: &mut Batch, source: &str, document: &Document<'_>, records: Records) {
    for record in records {
        let signal = record.and_then(|said| {
            let signal = said.signal(source, document.changed);
            signal.map_err(|why| skip(document.name, why))
        });
        match signal {
            Ok(signal) => batch.signals.push(signal),
            Err(skipped) => batch.skipped.push(skipped),
        }
    }
}

fn skip(name: &str, why: String) -> Skipped {
    Skipped {
        place: name.to_owned(),
        why,
    }
}

fn changed(meta: &fs::Metadata) -> Timestamp {
    let since = meta
        .modified()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Timestamp(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}
