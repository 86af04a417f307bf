//! The base's files by name, and the rules that it leaves files out by. Read once per base by a process; nothing here
//! looks at a workspace.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError},
};

use super::{Entry, Name, entries, ignored::Ignored};
use crate::git::{Git, GitError};

/// How many bases are remembered by a process.
const REMEMBERED: usize = 4;

type Remembered = Mutex<Vec<((PathBuf, String), Arc<Listing>)>>;

/// What a base has.
#[derive(Debug)]
pub(super) struct Listing {
    /// Its files.
    pub(super) base: BTreeMap<Name, Entry>,
    /// Its `.gitignore` files.
    pub(super) ignored: Ignored,
    /// Every path and folder by its name in lower case, made when it is first asked for.
    spelled: OnceLock<HashMap<String, BTreeSet<Name>>>,
}

impl Listing {
    /// Of files that were listed already.
    pub(super) async fn of(git: &Git, base: BTreeMap<Name, Entry>) -> Result<Self, GitError> {
        let ignored = Ignored::read(git, &base).await?;
        Ok(Self {
            base,
            ignored,
            spelled: OnceLock::new(),
        })
    }

    /// Of a tree of a mirror, remembered for the next who asks.
    pub(super) async fn shared(git: &Git, mirror: &Path, tree: &str) -> Result<Arc<Self>, GitError> {
        static KNOWN: LazyLock<Remembered> = LazyLock::new(Remembered::default);
        let key = (mirror.to_owned(), tree.to_owned());
        {
            let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = known.iter().position(|(known, _)| *known == key) {
                let found = known.remove(at);
                let listing = found.1.clone();
                known.push(found);
                return Ok(listing);
            }
        }
        let listing = Arc::new(Self::of(git, entries(git.ls_tree(tree).await?)).await?);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.push((key, listing.clone()));
        let more = known.len().saturating_sub(REMEMBERED);
        known.drain(..more);
        Ok(listing)
    }

    /// Whether a path is a folder in the base.
    pub(super) fn has_below(&self, name: &[u8]) -> bool {
        self.below(name).next().is_some()
    }

    /// The files below a folder of the base.
    pub(super) fn below(&self, name: &[u8]) -> impl Iterator<Item = (&Name, &Entry)> {
        let start = [name, b"/"].concat();
        self.base
            .range(start.clone()..)
            .take_while(move |(name, _)| name.starts_with(&start))
    }

    /// Whether the base has a path or folder that differs from this one only in upper and lower case, or in the
    /// form of its letters.
    pub(super) fn has_twin(&self, part: &[u8]) -> bool {
        let spelled = self.spelled.get_or_init(|| {
            let mut spelled: HashMap<String, BTreeSet<Name>> = HashMap::new();
            for part in self.base.keys().flat_map(|name| above_and_itself(name)) {
                spelled.entry(folded(part)).or_default().insert(part.to_owned());
            }
            spelled
        });
        spelled
            .get(&folded(part))
            .is_some_and(|all| all.iter().any(|other| other != part))
    }
}

/// A name as systems see it that tell neither upper from lower case nor the forms of one letter (NFC, NFD).
pub(super) fn folded(part: &[u8]) -> String {
    if part.is_ascii() {
        // Nearly all are, and of ASCII there is one form.
        return String::from_utf8_lossy(part).to_ascii_lowercase();
    }
    loops::boundary::folded(&String::from_utf8_lossy(part))
}

/// `a`, `a/b`, `a/b/c` of `a/b/c`.
pub(super) fn above_and_itself(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = name
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(at, _)| at);
    ends.chain([name.len()]).map(|end| &name[..end])
}
