//! The failed tests of a JUnit report, each a machine's report of its own.

use loops::{evidence::junit_failures, signal::Voice};
use sha2::{Digest as _, Sha256};

use super::{Document, Records, Said};

/// The failed tests. The same test failing in a later report is news: a report is known by what stands in it.
pub(super) fn records(document: &Document<'_>) -> Result<Records, String> {
    let xml = std::str::from_utf8(document.bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let report = hex::encode(&Sha256::digest(document.bytes)[..6]);
    let failed = junit_failures(xml)?;
    let record = |test: loops::evidence::FailedTest| {
        let text = format!("test `{}` failed\n\n{}", test.name, test.words.trim());
        Ok(Said {
            id: Some(id(document.name, &report, &test.name)),
            ..Said::new(Voice::Machine, text.trim())
        })
    };
    Ok(failed.into_iter().map(record).collect())
}

/// Names of tests may be of any length; ids may not.
fn id(file: &str, report: &str, test: &str) -> String {
    let name = hex::encode(&Sha256::digest(format!("{file}\u{1f}{test}").as_bytes())[..12]);
    format!("{report}/{name}")
}
