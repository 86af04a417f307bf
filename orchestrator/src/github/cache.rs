//! Answers that may be asked for again: with their mark (ETag), GitHub says "unchanged" and counts nothing. Bounded, in
//! memory only, by address and login.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use hyper::HeaderMap;

/// A larger answer is not kept.
const MAX_ONE: usize = 1 << 20;
/// All together have at most so many bytes.
const MAX_ALL: usize = 8 << 20;
/// And there are at most so many.
const MAX_COUNT: usize = 2_000;

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
    kept: HashMap<String, (Kept, u64)>,
    bytes: usize,
    turn: u64,
}

impl Cache {
    /// What was answered to `key`.
    pub(super) fn get(&self, key: &str) -> Option<Kept> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.turn += 1;
        let turn = inner.turn;
        let (kept, used) = inner.kept.get_mut(key)?;
        *used = turn;
        Some(kept.clone())
    }

    /// Keeps an answer, if it is not too large.
    pub(super) fn put(&self, key: String, kept: Kept) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.forget(&key);
        if kept.body.len() > MAX_ONE {
            return;
        }
        inner.turn += 1;
        inner.bytes += kept.body.len();
        let turn = inner.turn;
        inner.kept.insert(key, (kept, turn));
        while inner.bytes > MAX_ALL || inner.kept.len() > MAX_COUNT {
            let oldest = inner.kept.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            inner.forget(&oldest);
        }
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
    fn the_longest_unused_goes_when_there_is_no_room() {
        let cache = Cache::default();
        for number in 0..MAX_ALL / MAX_ONE {
            cache.put(number.to_string(), kept(MAX_ONE));
        }
        assert!(cache.get("0").is_some());
        cache.put("new".to_owned(), kept(MAX_ONE));
        assert!(cache.get("0").is_some() && cache.get("new").is_some() && cache.get("1").is_none());
        cache.put("0".to_owned(), kept(MAX_ONE + 1));
        assert!(
            cache.get("0").is_none(),
            "too large, and the old one is not true any more"
        );
        for number in 0..MAX_COUNT + 10 {
            cache.put(format!("small {number}"), kept(1));
        }
        assert!(cache.get("small 0").is_none() && cache.get("small 20").is_some());
    }
}
