//! Signals from files: JSONL with one signal a line, and Slack exports. Reads the operator's own disk; writes nothing,
//! reaches no network. What the files say comes from outside and is only ever data.
//!
//! [`read`] waits for the disk: call it where waiting is allowed.

pub mod branch;
mod cursor;
mod error;
mod jsonl;
pub(crate) mod paths;
mod slack_export;

#[cfg(test)]
mod tests;

use std::path::Path;

use loops::spec::PathSource;

pub use crate::source::{Batch, Skipped};
pub(crate) use cursor::mark;
pub use error::SourceError;
pub(crate) use jsonl::of_record;

use cursor::Cursor;
use paths::Kind;

/// Reads what is new at `source` since `cursor`, which is what an earlier [`Batch`] gave. A cursor that cannot be
/// understood counts as none: signals then come again with the same ids.
///
/// # Errors
/// If there is nothing at the path, or it is not something that can be read as signals.
pub fn read(source: &PathSource, spec_folder: &Path, cursor: Option<&str>) -> Result<Batch, SourceError> {
    let mut cursor = cursor.map(Cursor::parse).unwrap_or_default();
    let mut batch = Batch::default();
    let mut seen = Vec::new();
    for file in paths::resolve(&source.path, spec_folder)? {
        match paths::kind(&file.path)? {
            Kind::Lines => jsonl::read(&file, &mut cursor, &mut batch)?,
            Kind::Folder => slack_export::read_folder(&file, &mut cursor, &mut batch)?,
            Kind::Zip => slack_export::read_zip(&file, &mut cursor, &mut batch)?,
        }
        seen.push(file.name);
    }
    cursor.forget_all_but(&seen);
    batch.cursor = cursor.write();
    batch.keep_last_versions();
    Ok(batch)
}
