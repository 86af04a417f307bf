//! How much of the disk is left alone: `disk`.

use loops::spec::Bytes;
use serde::Deserialize;

/// Room for what is under way to end, and for what it leaves to be written down.
const KEEP_FREE: Bytes = Bytes(1 << 30);

/// How much of the disk is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// With less than this free where the state is, nothing new is begun.
    pub keep_free: Bytes,
}

impl Default for Disk {
    fn default() -> Self {
        Self { keep_free: KEEP_FREE }
    }
}

/// The part of the file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    keep_free: Option<Bytes>,
}

impl File {
    /// Fills in what is not written.
    pub(super) fn resolve(self) -> Disk {
        let usual = Disk::default();
        Disk {
            keep_free: self.keep_free.unwrap_or(usual.keep_free),
        }
    }
}
