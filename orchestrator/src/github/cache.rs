//! Answers that may be asked for again: with their mark (ETag), GitHub says "unchanged" and counts nothing. Bounded, in
//! memory only, by address and login.
//!
//! What is open is read round and round. So that a round of more than fits does not push out each answer just before it
//! is asked for again, a full cache takes nothing new as long as what it has is in use.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use hyper::HeaderMap;
use loops::time::Timestamp;
use serde_json::Value;

use crate::clock;

/// A larger answer is not kept.
const MAX_ONE: usize = 1 << 20;
/// All together have at most so many bytes.
const MAX_ALL: usize = 8 << 20;
/// And there are at most so many.
const MAX_COUNT: usize = 2_000;
/// What was not used for so long makes place.
const IN_USE: Duration = Duration::from_secs(600);
/// Fields of answers that nobody here reads, and of which they consist for the most part, end so.
const UNREAD: &str = "_url";
/// But for these.
const READ: [&str; 4] = ["html_url", "issue_url", "details_url", "target_url"];
/// Smaller answers are kept as they are.
const SMALL: usize = 2_048;

/// What was answered.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) etag: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The answers, the longest unused of which go first.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    kept: HashMap<String, (Kept, Timestamp)>,
    bytes: usize,
}

impl Cache {
    /// What was answered to `key`.
    pub(super) fn get(&self, key: &str) -> Option<Kept> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, used) = inner.kept.get_mut(key)?;
        *used = clock::now();
        Some(kept.clone())
    }

    /// Keeps an answer, if it is not too large.
    pub(super) fn put(&self, key: String, mut kept: Kept) {
        kept.body = slim(kept.body);
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.forget(&key);
        if kept.body.len() > MAX_ONE {
            return;
        }
        let now = clock::now();
        while inner.bytes + kept.body.len() > MAX_ALL || inner.kept.len() >= MAX_COUNT {
            let oldest = inner.kept.iter().min_by_key(|(_, (_, used))| *used);
            let idle = |used: &Timestamp| now.since(*used) >= IN_USE;
            let Some(oldest) = oldest
                .filter(|(_, (_, used))| idle(used))
                .map(|(key, _)| key.clone())
            else {
                return;
            };
            inner.forget(&oldest);
        }
        inner.bytes += kept.body.len();
        inner.kept.insert(key, (kept, now));
    }
}

/// An answer without the addresses in it that nobody here reads.
fn slim(body: Bytes) -> Bytes {
    // What was read may lie in more memory than it takes.
    let own = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    if body.len() <= SMALL {
        return own(&body);
    }
    let Ok(mut value) = serde_json::from_slice::<Value>(&body) else {
        return own(&body);
    };
    strip(&mut value);
    own(&serde_json::to_vec(&value).map_or(body, Bytes::from))
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                name != "_links" && (!name.ends_with(UNREAD) || READ.contains(&name.as_str()))
            });
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

impl Inner {
    fn forget(&mut self, key: &str) {
        if let Some((kept, _)) = self.kept.remove(key) {
            self.bytes -= kept.body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(size: usize) -> Kept {
        Kept {
            etag: "e".to_owned(),
            headers: HeaderMap::new(),
            body: vec![0; size].into(),
        }
    }

    #[test]
    fn a_round_of_more_than_fits_still_finds_most_of_what_was_kept() {
        let cache = Cache::default();
        let fits = MAX_ALL / MAX_ONE;
        let round = || -> usize {
            let mut found = 0;
            for number in 0..fits + 4 {
                match cache.get(&number.to_string()) {
                    Some(_) => found += 1,
                    None => cache.put(number.to_string(), kept(MAX_ONE)),
                }
            }
            found
        };
        assert_eq!((round(), round(), round()), (0, fits, fits));
    }

    #[test]
    fn what_was_not_used_for_long_makes_place_and_what_is_too_large_is_not_kept() {
        let cache = Cache::default();
        for number in 0..MAX_COUNT {
            cache.put(format!("small {number}"), kept(1));
        }
        cache.put("new".to_owned(), kept(1));
        assert!(cache.get("new").is_none(), "all is in use");
        let old = clock::now().minus(IN_USE);
        let seven = "small 7".to_owned();
        if let Some((_, used)) = cache.0.lock().unwrap().kept.get_mut(&seven) {
            *used = old;
        }
        cache.put("new".to_owned(), kept(1));
        assert!(cache.get("new").is_some() && cache.get(&seven).is_none());
        cache.put("new".to_owned(), kept(MAX_ONE + 1));
        assert!(
            cache.get("new").is_none(),
            "too large, and the old one is not true any more"
        );
    }

    #[test]
    fn addresses_that_nobody_reads_are_not_kept() {
        let long = "x".repeat(SMALL);
        let text = format!(
            r#"[{{"html_url":"h","head":{{"repo":{{"keys_url":"{long}","full_name":"a/b"}}}},"_links":{{"a":1}},"body":"b_url"}}]"#
        );
        let kept: Value = serde_json::from_slice(&slim(text.into())).unwrap();
        let wanted = serde_json::json!([{ "html_url": "h", "head": { "repo": { "full_name": "a/b" } }, "body": "b_url" }]);
        assert_eq!(kept, wanted);
        let no_json = Bytes::from("x".repeat(SMALL + 1));
        assert_eq!(slim(no_json.clone()), no_json);
    }
}
