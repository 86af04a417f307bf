//! Where the programs of the tests lie: where cargo put them, or, for who cannot reach that, in a folder of copies.

use std::path::{Path, PathBuf};

/// Names a folder with copies of the programs.
pub(crate) const COPIES: &str = "LOOPS_TEST_PROGRAMS";

/// Where cargo put them.
pub(crate) const BUILT: [(&str, &str); 2] = [
    ("sandbox-helper", env!("CARGO_BIN_EXE_sandbox-helper")),
    ("redteam-launcher", env!("CARGO_BIN_EXE_redteam-launcher")),
];

/// A program of the tests.
pub(crate) fn built(name: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os(COPIES) {
        return Path::new(&folder).join(name);
    }
    let known = BUILT.iter().find(|(known, _)| *known == name);
    PathBuf::from(known.map_or(name, |(_, path)| path))
}
