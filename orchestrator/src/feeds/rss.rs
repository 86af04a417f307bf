//! The entries of an RSS or Atom feed: release notes of what one depends on, a status page, a forum.

use loops::{signal::Voice, spec::RssSource, text, time::Timestamp};
use reqwest::Url;

use super::{Document, Records, Said, fetch::Page, pages::Listing};

/// The most bytes of one entry's title or body that are read.
const LONGEST: usize = 256 << 10;

impl Listing for RssSource {
    fn first(&self, _since: Option<Timestamp>) -> String {
        self.url.clone()
    }

    fn login(&self) -> Option<&str> {
        self.credential.as_deref()
    }

    fn tells_by_first_page(&self) -> bool {
        true
    }

    fn records(&self, document: &Document<'_>) -> Result<Records, String> {
        let feed = feed_rs::parser::parse(document.bytes)
            .map_err(|error| format!("the answer is neither RSS nor Atom: {error}"))?;
        Ok(feed.entries.into_iter().map(|entry| Ok(said(entry))).collect())
    }

    fn next(&self, _page: &Page, _at: &Url) -> Option<String> {
        None
    }
}

/// The text of an entry's HTML, as far as anybody reads.
fn read(html: &str) -> String {
    text::from_html(&html[..html.floor_char_boundary(LONGEST)])
}

fn said(entry: feed_rs::model::Entry) -> Said {
    let title = entry.title.map(|title| read(&title.content)).unwrap_or_default();
    let body = entry
        .content
        .and_then(|content| content.body)
        .or(entry.summary.map(|summary| summary.content))
        .map(|body| read(&body))
        .unwrap_or_default();
    let at = entry.updated.or(entry.published);
    Said {
        id: Some(entry.id),
        at: at.map(|at| Timestamp(at.timestamp_millis())),
        author: entry.authors.into_iter().next().and_then(|person| person.name),
        url: entry.links.into_iter().next().map(|link| link.href),
        labels: entry
            .categories
            .into_iter()
            .map(|category| category.term)
            .collect(),
        ..Said::new(Voice::Person, format!("{title}\n\n{body}").trim())
    }
}
