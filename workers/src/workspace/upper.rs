//! What a layer says about the files below it: which of the base's files it hides. Its marks are the kernel's, and may
//! be an agent's as well: the worst that a forged one says is that its own workspace has lost a file.

use std::collections::BTreeSet;

use super::{
    Name, WorkspaceError,
    listing::Listing,
    walk::{Folder, Found, Kind},
};

/// What was hidden so far.
pub(super) struct Upper<'a> {
    listing: &'a Listing,
    hidden: BTreeSet<Name>,
}

impl<'a> Upper<'a> {
    pub(super) fn over(listing: &'a Listing) -> Self {
        Self {
            listing,
            hidden: BTreeSet::new(),
        }
    }

    /// Takes note of what stands in the layer.
    pub(super) fn meet(&mut self, folder: &Folder, found: &Found) -> Result<(), WorkspaceError> {
        match found.stamp.kind {
            // Over a folder it lies beside what is below, unless it says otherwise; over a file it stands alone.
            Kind::Folder => {
                self.hide(&found.name);
                let known = self.listing.has_below(&found.name);
                if known && folder.enter(found)?.is_some_and(|inner| inner.is_opaque()) {
                    self.hide_below(&found.name);
                }
            }
            // The mark of what is gone is a device; whatever else stands there hides what was below just as well. A
            // file that was written over another is seen by the walk, and so not gone.
            Kind::File { .. } | Kind::Symlink | Kind::Other => {
                self.hide(&found.name);
                self.hide_below(&found.name);
            }
        }
        Ok(())
    }

    /// The base's files that are not to be seen any more, unless the walk has met them.
    pub(super) fn hidden(self) -> BTreeSet<Name> {
        self.hidden
    }

    fn hide(&mut self, name: &[u8]) {
        if self.listing.base.contains_key(name) {
            self.hidden.insert(name.to_owned());
        }
    }

    fn hide_below(&mut self, name: &[u8]) {
        let below = self.listing.below(name).map(|(name, _)| name.clone());
        self.hidden.extend(below);
    }
}
