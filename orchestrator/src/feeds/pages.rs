//! Addresses as documents: what has changed since the last time, page by page, never beyond the host that was written.

use std::collections::BTreeMap;

use loops::time::Timestamp;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    Batch, Document, FeedError, Records, Skipped,
    fetch::{Client, Mark, Page},
};
use crate::clock;

/// One batch holds the pages up to this one.
const MAX_PAGES: usize = 20;
/// Of so many records without a time it is remembered when they were first seen.
const MAX_FIRST_SEEN: usize = 5_000;

/// A list that an address answers with. One for each format.
pub(super) trait Listing: Serialize + Send + Sync {
    /// The address of the first page, of what changed since a time if it is known and can be asked for.
    fn first(&self, since: Option<Timestamp>) -> String;

    /// The login that is sent.
    fn login(&self) -> Option<&str>;

    /// Whether an unchanged first page means that nothing has changed.
    fn tells_by_first_page(&self) -> bool;

    /// What a page says; the error is what is wrong with all of it.
    fn records(&self, document: &Document<'_>) -> Result<Records, String>;

    /// Where the next page is, if the page says so: an address, whole or from the one of this page.
    fn next(&self, page: &Page, at: &Url) -> Option<String>;

    /// Whether a page whose oldest record is `oldest` is the last one that has news since `known`.
    fn is_enough(&self, _oldest: Option<Timestamp>, _known: Option<Timestamp>) -> bool {
        false
    }
}

/// How far a list was read.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    of: String,
    /// What the first page looked like.
    #[serde(default)]
    mark: Mark,
    /// The latest record that was read to the end of the list.
    #[serde(default)]
    high: Option<Timestamp>,
    /// The same of what is being read now.
    #[serde(default)]
    rising: Option<Timestamp>,
    /// Where to go on in the middle of the list.
    #[serde(default)]
    next: Option<String>,
    /// By id: when a record without a time was first seen.
    #[serde(default)]
    first_seen: BTreeMap<String, Timestamp>,
}

/// Reads what has changed in `list` since `cursor`.
pub(super) async fn read(
    client: &Client,
    source: &str,
    list: &impl Listing,
    cursor: Option<&str>,
) -> Result<Batch, FeedError> {
    let of = fingerprint(list);
    let mut cursor = cursor
        .and_then(|text| serde_json::from_str::<Cursor>(text).ok())
        .filter(|cursor| cursor.of == of)
        .unwrap_or_else(|| Cursor {
            of,
            ..Cursor::default()
        });
    let mut batch = Batch::default();
    let begun = parse(source, &list.first(cursor.high))?;
    let mut url = match &cursor.next {
        Some(next) => same_host(source, &begun, next)?,
        None => begun.clone(),
    };
    for read in 0.. {
        if read == MAX_PAGES {
            cursor.next = Some(url.to_string());
            batch.more = true;
            break;
        }
        let is_first = cursor.next.is_none() && read == 0;
        let known = (is_first && list.tells_by_first_page()).then_some(&cursor.mark);
        let Some(page) = client.get(&url, list.login(), known).await? else {
            break;
        };
        if is_first {
            cursor.mark = page.mark.clone();
        }
        let oldest = take_in(&mut batch, source, list, &mut cursor, &page)?;
        let next = list
            .next(&page, &url)
            .filter(|_| !list.is_enough(oldest, cursor.high));
        match next {
            Some(next) => {
                let next = same_host(source, &url, &next)?;
                if next == url {
                    let why = "its next page is the page itself".to_owned();
                    return Err(FeedError::Unreadable {
                        name: source.to_owned(),
                        why,
                    });
                }
                url = next;
            }
            None => {
                cursor.next = None;
                cursor.high = cursor.rising.take().max(cursor.high);
                break;
            }
        }
    }
    if !batch.more && cursor.first_seen.len() > MAX_FIRST_SEEN {
        let mut times: Vec<Timestamp> = cursor.first_seen.values().copied().collect();
        times.sort_unstable();
        let from = times[times.len() - MAX_FIRST_SEEN];
        cursor.first_seen.retain(|_, seen| *seen >= from);
    }
    batch.keep_last_versions();
    batch.cursor = serde_json::to_string(&cursor).unwrap_or_default();
    Ok(batch)
}

/// Makes signals of a page's records. Gives the time of the oldest.
fn take_in(
    batch: &mut Batch,
    source: &str,
    list: &impl Listing,
    cursor: &mut Cursor,
    page: &Page,
) -> Result<Option<Timestamp>, FeedError> {
    let now = clock::now();
    let document = Document {
        name: source,
        bytes: &page.body,
        changed: page.changed.unwrap_or(now),
    };
    let unreadable = |why| FeedError::Unreadable {
        name: source.to_owned(),
        why,
    };
    let mut oldest = None;
    for record in list.records(&document).map_err(unreadable)? {
        let signal = record.and_then(|said| {
            let wrong = |why| Skipped {
                place: source.to_owned(),
                why,
            };
            let otherwise = match said.at {
                Some(at) => at,
                None => {
                    let id = said.external_id().map_err(wrong)?;
                    *cursor.first_seen.entry(id).or_insert(document.changed.min(now))
                }
            };
            said.signal(source, otherwise).map_err(wrong)
        });
        match signal {
            Ok(signal) => {
                // A record of tomorrow must not hide those of today.
                cursor.rising = cursor.rising.max(Some(signal.at.min(now)));
                oldest = Some(oldest.map_or(signal.at, |oldest: Timestamp| oldest.min(signal.at)));
                batch.signals.push(signal);
            }
            Err(skipped) => batch.skipped.push(skipped),
        }
    }
    Ok(oldest)
}

/// The address that a `Link` header calls the next one (RFC 8288), unless `results` says that there is nothing there.
pub(super) fn linked(page: &Page) -> Option<String> {
    page.links
        .iter()
        .flat_map(|links| links.split(","))
        .find_map(|link| {
            let (address, about) = link.split_once('>')?;
            let is_next = about.contains("rel=\"next\"") || about.contains("rel=next");
            (is_next && !about.contains("results=\"false\""))
                .then(|| address.trim().trim_start_matches('<').to_owned())
        })
}

/// A parameter more; one of that name is replaced.
pub(super) fn with(mut url: Url, name: &str, value: &str) -> Url {
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(known, _)| known != name)
        .map(|(known, value)| (known.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(others)
        .append_pair(name, value);
    url
}

fn parse(source: &str, text: &str) -> Result<Url, FeedError> {
    Url::parse(text).map_err(|error| FeedError::Unreadable {
        name: source.to_owned(),
        why: format!("this is no address: {error}"),
    })
}

/// The address of another page, which must be on the same host: an answer does not decide whom we ask.
fn same_host(source: &str, here: &Url, next: &str) -> Result<Url, FeedError> {
    let unreadable = |why: String| FeedError::Unreadable {
        name: source.to_owned(),
        why,
    };
    let there = here
        .join(next)
        .map_err(|error| unreadable(format!("its next page is no address: {error}")))?;
    if there.origin() != here.origin() {
        let why = format!(
            "its next page is on another host, `{}`, which is not asked",
            loops::text::one_line(there.host_str().unwrap_or_default(), 100)
        );
        return Err(unreadable(why));
    }
    Ok(there)
}

fn fingerprint(list: &impl Listing) -> String {
    let text = serde_json::to_string(list).unwrap_or_default();
    hex::encode(&Sha256::digest(text.as_bytes())[..6])
}
