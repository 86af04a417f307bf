//! Sources that tell everything in documents: files of reports, and addresses that answer with lists. A format is a
//! file here and a line in [`Feed`]. What documents say comes from outside and is only ever data.
//!
//! Nothing is written, and nothing is sent but the login that the operator wrote for the very host that is asked.

mod csv;
mod error;
mod fetch;
mod files;
mod json;
mod junit;
mod pages;
mod rss;
mod sarif;
mod sent;
mod sentry;

#[cfg(test)]
mod tests;

use std::path::Path;

use loops::{
    spec::{CsvSource, JsonSource, PathSource, RssSource, SentrySource, Source},
    time::Timestamp,
};

pub use error::FeedError;
pub use sent::{name_of, sent};

use crate::{
    config::Credentials,
    source::{Batch, Said, Skipped},
};

/// A source that is read by documents.
#[derive(Debug, Clone, PartialEq)]
pub enum Feed {
    /// Failed tests of JUnit reports.
    Junit(PathSource),
    /// Results of SARIF reports.
    Sarif(PathSource),
    /// Rows of CSV files.
    Csv(CsvSource),
    /// The list in an answer of JSON.
    Json(JsonSource),
    /// The entries of an RSS or Atom feed.
    Rss(RssSource),
    /// The issues of a Sentry project.
    Sentry(SentrySource),
}

/// What is needed to read them.
#[derive(Debug, Clone)]
pub struct Feeds {
    client: fetch::Client,
}

/// One document as it was got.
struct Document<'a> {
    /// How people call it: the file, the address.
    name: &'a str,
    /// What stands in it.
    bytes: &'a [u8],
    /// When it last changed, as far as that is known.
    changed: Timestamp,
}

/// What a document says: records, and what of it could not be read.
type Records = Vec<Result<Said, Skipped>>;

impl Feed {
    /// The feed that a source is; none: it is read otherwise.
    pub fn of(source: &Source) -> Option<Self> {
        Some(match source.clone() {
            Source::Junit(source) => Self::Junit(source),
            Source::Sarif(source) => Self::Sarif(source),
            Source::Csv(source) => Self::Csv(source),
            Source::Json(source) => Self::Json(source),
            Source::Rss(source) => Self::Rss(source),
            Source::Sentry(source) => Self::Sentry(source),
            _ => return None,
        })
    }

    /// What its cursor is kept under, and what people are told.
    pub fn name(&self) -> String {
        match self {
            Self::Junit(source) => format!("junit:{}", source.path),
            Self::Sarif(source) => format!("sarif:{}", source.path),
            Self::Csv(source) => format!("csv:{}", source.path),
            Self::Json(source) => format!("json:{}", source.url),
            Self::Rss(source) => format!("rss:{}", source.url),
            Self::Sentry(source) => format!("sentry:{}/{}", source.organization, source.project),
        }
    }
}

impl Feeds {
    /// A reader that may use these logins.
    ///
    /// # Errors
    /// If the TLS library does not start.
    pub fn new(credentials: Credentials) -> Result<Self, FeedError> {
        Ok(Self {
            client: fetch::Client::new(credentials)?,
        })
    }

    /// What is new in `feed` since `cursor`, which is what an earlier [`Batch`] gave; paths count from `folder`. A cursor
    /// that cannot be understood, or is of other settings, counts as none: signals then come again with the same ids.
    ///
    /// # Errors
    /// If it cannot be read at all.
    pub async fn read(&self, feed: &Feed, folder: &Path, cursor: Option<&str>) -> Result<Batch, FeedError> {
        let name = feed.name();
        match feed {
            Feed::Junit(source) => files::read(&name, &source.path, folder, cursor, junit::records).await,
            Feed::Sarif(source) => files::read(&name, &source.path, folder, cursor, sarif::records).await,
            Feed::Csv(source) => {
                let own = source.clone();
                let records = move |document: &Document<'_>| csv::records(&own, document);
                files::read(&name, &source.path, folder, cursor, records).await
            }
            Feed::Json(source) => pages::read(&self.client, &name, source, cursor).await,
            Feed::Rss(source) => pages::read(&self.client, &name, source, cursor).await,
            Feed::Sentry(source) => pages::read(&self.client, &name, source, cursor).await,
        }
    }
}
