//! Takes the workspace's tree: walks it, compares it with the base, and lets the trusted git make objects of what is
//! new. File content reaches git as data on its input; no path of the workspace does.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, PoisonError},
};

use super::{
    CheckedOut, Entry, Name, Workspace, WorkspaceError,
    listing::{Listing, above_and_itself, folded},
    names,
    upper::Upper,
    walk::{Folder, Found, Kind},
};
use crate::order::Change;

/// The largest single file of a change, in bytes.
const LARGEST_FILE: u64 = 32 << 20;
/// The most that the files of a change may have together, in bytes, before compression.
const LARGEST_CHANGE: usize = 128 << 20;
/// A mark by which tools say that a folder is a cache (bford.info/cachedir).
const CACHE_MARK: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";
/// The ref that the trusted git builds the tree under.
const REF: &str = "refs/loops/capture";

/// What differs from the base.
#[derive(Debug, Default)]
struct Differences {
    removed: BTreeSet<Name>,
    known: BTreeMap<Name, Entry>,
    written: BTreeMap<Name, (u32, Vec<u8>)>,
}

impl Workspace {
    /// The workspace's tree as it is now, against the base. None if it equals the base's. Files that the base ignores
    /// are left out, and so is everything that is neither file nor symlink.
    ///
    /// # Errors
    /// If something cannot be part of a change (a name that misleads, a file that cannot be read), or it is too large.
    pub async fn capture(&self) -> Result<Option<Change>, WorkspaceError> {
        let _alone = self.capturing.lock().await;
        let root = self.written();
        if self.over.is_some() && self.checked_out.is_empty() && untouched(&root)? {
            return Ok(None);
        }
        let files = Files {
            listing: self.listing().await?.clone(),
            checked_out: self.checked_out.clone(),
            from_setup: self.left_by_setup(),
            layered: self.over.is_some(),
        };
        let walk = tokio::task::spawn_blocking(move || differences(&root, &files)).await;
        let differences =
            walk.map_err(|error| WorkspaceError::file(&self.root)(std::io::Error::other(error)))??;
        if differences.is_empty() {
            return Ok(None);
        }
        let stream = differences.stream(&self.base);
        let git = &self.git;
        git.run_with_stdin(&["fast-import", "--quiet", "--force", "--done"], &stream)
            .await?;
        let tree = git
            .line(&["rev-parse", "--verify", &format!("{REF}^{{tree}}")])
            .await?;
        if tree == self.base_tree {
            return Ok(None);
        }
        let pack = git.pack(&tree, &self.base).await?;
        Ok(Some(Change { tree, pack }))
    }
}

impl Workspace {
    fn left_by_setup(&self) -> BTreeSet<Name> {
        let names = self.from_setup.lock().unwrap_or_else(PoisonError::into_inner);
        names.iter().cloned().collect()
    }
}

/// Whether nothing at all was written in a layer, but perhaps in git's own folder.
fn untouched(upper: &Path) -> Result<bool, WorkspaceError> {
    let written = Folder::root(upper)?.list(&mut 0)?;
    Ok(written.iter().all(|found| found.last == b".git"))
}

/// What a workspace is compared with.
struct Files {
    listing: Arc<Listing>,
    checked_out: Arc<CheckedOut>,
    from_setup: BTreeSet<Name>,
    /// Whether the folder holds only what was written.
    layered: bool,
}

impl Differences {
    fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.known.is_empty() && self.written.is_empty()
    }

    /// For `git fast-import`: a commit on the base. It is never seen; its tree is what is wanted.
    fn stream(&self, base: &str) -> Vec<u8> {
        let mut out =
            format!("commit {REF}\ncommitter loops <loops@localhost> 0 +0000\ndata 0\nfrom {base}\n")
                .into_bytes();
        for name in &self.removed {
            out.extend([b"D ", quoted(name).as_slice(), b"\n"].concat());
        }
        for (name, entry) in &self.known {
            out.extend(format!("M {:o} {} ", entry.mode, entry.id).bytes());
            out.extend([quoted(name).as_slice(), b"\n"].concat());
        }
        for (name, (mode, content)) in &self.written {
            out.extend(format!("M {mode:o} inline ").bytes());
            out.extend(
                [
                    quoted(name).as_slice(),
                    format!("\ndata {}\n", content.len()).as_bytes(),
                ]
                .concat(),
            );
            out.extend(content);
            out.push(b'\n');
        }
        out.extend(b"done\n");
        out
    }
}

/// A path between quotes as git reads it: every byte that is not plain as three octal digits.
fn quoted(name: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for byte in name {
        match byte {
            b' '..=b'~' if !b"\"\\".contains(byte) => out.push(*byte),
            byte => out.extend(format!("\\{byte:03o}").bytes()),
        }
    }
    out.push(b'"');
    out
}

fn differences(root: &Path, files: &Files) -> Result<Differences, WorkspaceError> {
    let listing = files.listing.as_ref();
    let mut walk = Walk {
        files,
        listing,
        upper: files.layered.then(|| Upper::over(listing)),
        seen: BTreeSet::new(),
        found: Differences::default(),
        bytes: 0,
        count: 0,
    };
    walk.folder(Folder::root(root)?, false)?;
    let Walk {
        seen,
        mut found,
        upper,
        ..
    } = walk;
    found.removed = match upper {
        Some(upper) => upper.hidden(),
        None => listing.base.keys().cloned().collect(),
    };
    // An empty folder stands for a submodule, and its absence is no removal.
    let submodule = |name: &Name| {
        listing
            .base
            .get(name)
            .is_some_and(|entry| entry.mode == 0o160_000)
    };
    found
        .removed
        .retain(|name| !seen.contains(name) && !submodule(name));
    let added: Vec<&Name> = found
        .written
        .keys()
        .chain(found.known.keys())
        .filter(|name| !listing.base.contains_key(*name))
        .collect();
    refuse_case_twins(listing, &found.removed, &added)?;
    Ok(found)
}

struct Walk<'a> {
    files: &'a Files,
    listing: &'a Listing,
    /// What the folder hides of the base; none: the folder is the whole workspace.
    upper: Option<Upper<'a>>,
    seen: BTreeSet<Name>,
    found: Differences,
    bytes: usize,
    count: usize,
}

impl Walk<'_> {
    /// Goes through a folder. In an ignored one only what the base has counts.
    fn folder(&mut self, mut folder: Folder, ignored: bool) -> Result<(), WorkspaceError> {
        let listed = folder.list(&mut self.count)?;
        for found in listed {
            // Git's own folder, the workspace's or one that somebody made further down: no tree can hold it.
            if found.last == b".git" {
                continue;
            }
            if let Some(upper) = &mut self.upper {
                upper.meet(&folder, &found)?;
            }
            match found.stamp.kind {
                Kind::Folder => self.below(&folder, &found, ignored)?,
                Kind::File { .. } | Kind::Symlink => self.file(&folder, &found, ignored)?,
                Kind::Other => {}
            }
        }
        Ok(())
    }

    fn below(&mut self, folder: &Folder, found: &Found, ignored: bool) -> Result<(), WorkspaceError> {
        // A submodule is not ours to look into.
        if self
            .listing
            .base
            .get(&found.name)
            .is_some_and(|entry| entry.mode == 0o160_000)
        {
            return Ok(());
        }
        let known = self.listing.has_below(&found.name);
        let ignored = ignored || self.left_out(&found.name, true);
        if ignored && !known {
            return Ok(());
        }
        let Some(inner) = folder.enter(found)? else {
            return Ok(());
        };
        if !known && inner.starts_with(b"CACHEDIR.TAG", CACHE_MARK) {
            return Ok(());
        }
        self.folder(inner, ignored)
    }

    fn file(&mut self, folder: &Folder, found: &Found, ignored: bool) -> Result<(), WorkspaceError> {
        let base = self.listing.base.get(&found.name);
        if base.is_none() && (ignored || self.left_out(&found.name, false)) {
            return Ok(());
        }
        if base.is_none() {
            self.check_name(&found.name)?;
        }
        if let Some((entry, Some(stamp))) = self.files.checked_out.get(&found.name)
            && *stamp == found.stamp
        {
            self.seen.insert(found.name.clone());
            if base != Some(entry) {
                self.found.known.insert(found.name.clone(), entry.clone());
            }
            return Ok(());
        }
        let content = match found.stamp.kind {
            Kind::Symlink => folder.link(found)?.map(|target| (0o120_000, target)),
            _ => folder.read(found, LARGEST_FILE)?,
        };
        let Some((mode, content)) = content else {
            return Ok(());
        };
        self.bytes += content.len();
        if self.bytes > LARGEST_CHANGE {
            let most = LARGEST_CHANGE >> 20;
            return Err(WorkspaceError::TooLarge(format!(
                "its files have more than {most} MiB together"
            )));
        }
        self.seen.insert(found.name.clone());
        self.found.written.insert(found.name.clone(), (mode, content));
        Ok(())
    }

    fn left_out(&self, name: &[u8], folder: bool) -> bool {
        self.files.from_setup.contains(name) || self.listing.ignored.covers(name, folder)
    }

    /// Every part of a new path must be one that we take; those above that the base has are taken as they are.
    fn check_name(&self, name: &[u8]) -> Result<(), WorkspaceError> {
        let mut end = 0;
        for part in name.split(|byte| *byte == b'/') {
            end += part.len();
            if let Some(why) = names::refusal(part)
                && !self.listing.has_below(&name[..end])
            {
                return Err(WorkspaceError::refused(name, why));
            }
            end += 1;
        }
        Ok(())
    }
}

/// Refuses new paths that differ from another one only in case: on some systems they are one file.
fn refuse_case_twins(
    listing: &Listing,
    removed: &BTreeSet<Name>,
    added: &[&Name],
) -> Result<(), WorkspaceError> {
    let mut spelled: BTreeMap<String, &[u8]> = BTreeMap::new();
    let mut parts = added.iter().flat_map(|name| above_and_itself(name));
    // Mostly no name has a twin, and none of the base's need be looked at.
    if parts.all(|part| *spelled.entry(folded(part)).or_insert(part) == part && !listing.has_twin(part)) {
        return Ok(());
    }
    let now = listing.base.keys().filter(|name| !removed.contains(*name));
    let all = now.chain(added.iter().copied());
    let mut spelled: BTreeMap<String, &[u8]> = BTreeMap::new();
    let mut twins: BTreeSet<String> = BTreeSet::new();
    for name in all {
        for part in above_and_itself(name) {
            let folded = folded(part);
            if *spelled.entry(folded.clone()).or_insert(part) != part {
                twins.insert(folded);
            }
        }
    }
    let twin = |part: &[u8]| twins.contains(&folded(part));
    match added.iter().find(|name| above_and_itself(name).any(twin)) {
        Some(name) => Err(WorkspaceError::refused(
            name,
            "another path differs from it only in upper and lower case, or in the form of its letters",
        )),
        None => Ok(()),
    }
}
