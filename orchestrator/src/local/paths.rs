//! From the `path` of a source to the files that it means.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};

use super::SourceError;

/// No more files than this are one source.
const MAX_FILES: usize = 10_000;
/// No more entries than this are looked at to find them.
const MAX_ENTRIES: usize = 1_000_000;
/// Folders are not searched deeper than this.
const MAX_DEPTH: usize = 32;

/// One file (or folder, or zip) of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// How the spec calls it: it names the source of signals, and stays the same on another machine.
    pub(crate) name: String,
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Lines,
    Folder,
    Zip,
}

/// The files that a source's path means, in order. A glob may mean none; a plain path means itself.
pub(crate) fn resolve(path: &str, spec_folder: &Path) -> Result<Vec<Found>, SourceError> {
    let whole = spec_folder.join(path);
    let is_glob = path.contains(['*', '?', '[', '{']);
    if !is_glob || whole.exists() {
        return Ok(vec![Found {
            name: path.trim_start_matches("./").to_owned(),
            path: whole,
        }]);
    }
    let fixed: PathBuf = Path::new(path)
        .components()
        .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']))
        .collect();
    let rest = Path::new(path).strip_prefix(&fixed).unwrap_or(Path::new(path));
    let glob = GlobBuilder::new(&rest.to_string_lossy())
        .literal_separator(true)
        .build()
        .map_err(|error| SourceError::BadGlob {
            pattern: path.to_owned(),
            why: error.kind().to_string(),
        })?
        .compile_matcher();
    let root = spec_folder.join(&fixed);
    let mut found = Vec::new();
    let mut looked = 0;
    walk(&root, Path::new(""), &glob, 0, &mut looked, &mut found)?;
    found.sort();
    Ok(found
        .into_iter()
        .map(|inner| Found {
            path: root.join(&inner),
            name: fixed
                .join(&inner)
                .to_string_lossy()
                .trim_start_matches("./")
                .to_owned(),
        })
        .collect())
}

fn walk(
    root: &Path,
    inner: &Path,
    glob: &GlobMatcher,
    depth: usize,
    looked: &mut usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), SourceError> {
    let folder = root.join(inner);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(SourceError::io(&folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(SourceError::io(&folder))?;
        *looked += 1;
        if *looked > MAX_ENTRIES || found.len() > MAX_FILES {
            return Err(SourceError::TooMuch {
                path: root.to_owned(),
                limit: format!("{MAX_FILES} files"),
            });
        }
        let inner = inner.join(entry.file_name());
        let kind = entry.file_type().map_err(SourceError::io(&folder))?;
        if glob.is_match(&inner) && !kind.is_dir() {
            found.push(inner);
        } else if kind.is_dir() && depth < MAX_DEPTH {
            walk(root, &inner, glob, depth + 1, looked, found)?;
        }
    }
    Ok(())
}

/// What is at the path. Pipes and devices are refused before they are opened: opening one may wait for ever.
pub(super) fn kind(path: &Path) -> Result<Kind, SourceError> {
    let meta = fs::metadata(path).map_err(SourceError::io(path))?;
    if meta.is_dir() {
        return Ok(Kind::Folder);
    }
    if !meta.is_file() {
        return Err(SourceError::NotAFile {
            path: path.to_owned(),
            what: what_else(&meta),
        });
    }
    let mut start = [0; 4];
    let mut file = fs::File::open(path).map_err(SourceError::io(path))?;
    let is_zip = file.read_exact(&mut start).is_ok() && matches!(&start, b"PK\x03\x04" | b"PK\x05\x06");
    Ok(if is_zip { Kind::Zip } else { Kind::Lines })
}

#[cfg(unix)]
fn what_else(meta: &fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = meta.file_type();
    match () {
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

#[cfg(not(unix))]
fn what_else(_: &fs::Metadata) -> &'static str {
    "not a file"
}
