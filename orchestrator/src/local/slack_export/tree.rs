//! The files of an export, from a folder or a zip. Nothing is unpacked to the disk; a zip may be made to harm, so names,
//! sizes and ratios are checked before, and bytes are counted while they come.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use zip::ZipArchive;

use super::super::{SourceError, cursor::mark};

/// No export has more files.
const MAX_FILES: usize = 200_000;
/// No file of a day is larger.
const MAX_FILE: u64 = 64 << 20;
/// No more is read in one go.
const MAX_ALL: u64 = 1 << 30;
/// A file that unpacks to more times its size is a trap,
const MAX_RATIO: u64 = 200;
/// unless it is this small.
const SMALL: u64 = 4 << 20;

/// The files of an export.
pub(super) struct Tree {
    path: PathBuf,
    from: From,
    read: u64,
}

enum From {
    Folder(BTreeMap<String, Option<String>>),
    Zip(
        Box<ZipArchive<BufReader<File>>>,
        BTreeMap<String, (usize, String)>,
    ),
}

impl Tree {
    /// An unpacked export: what lies in the folder, and in the folders in it.
    pub(super) fn folder(path: &Path) -> Result<Self, SourceError> {
        let mut files = BTreeMap::new();
        let mut folders = vec![(path.to_owned(), String::new(), 0)];
        while let Some((folder, prefix, depth)) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(SourceError::io(&folder))? {
                let entry = entry.map_err(SourceError::io(&folder))?;
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                let kind = entry.file_type().map_err(SourceError::io(&folder))?;
                if kind.is_dir() && depth < 2 {
                    folders.push((entry.path(), format!("{prefix}{name}/"), depth + 1));
                } else if kind.is_file() && name.ends_with(".json") {
                    let meta = entry.metadata().map_err(SourceError::io(&folder))?;
                    files.insert(format!("{prefix}{name}"), mark(&meta));
                }
                if files.len() + folders.len() > MAX_FILES {
                    return Err(SourceError::TooMuch {
                        path: path.to_owned(),
                        limit: format!("{MAX_FILES} files"),
                    });
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            from: From::Folder(files),
            read: 0,
        })
    }

    /// A zip, as Slack gives it.
    pub(super) fn zip(path: &Path) -> Result<Self, SourceError> {
        let bad = |why: String| SourceError::BadZip {
            path: path.to_owned(),
            why,
        };
        let file = File::open(path).map_err(SourceError::io(path))?;
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| bad(error.to_string()))?;
        if zip.len() > MAX_FILES {
            return Err(SourceError::TooMuch {
                path: path.to_owned(),
                limit: format!("{MAX_FILES} files"),
            });
        }
        if zip
            .has_overlapping_files()
            .map_err(|error| bad(error.to_string()))?
        {
            return Err(bad("files in it overlap".to_owned()));
        }
        let mut files = BTreeMap::new();
        for n in 0..zip.len() {
            let entry = zip.by_index_raw(n).map_err(|error| bad(error.to_string()))?;
            let name = entry.name().map_err(|error| bad(error.to_string()))?.into_owned();
            let leads_out = name.starts_with('/')
                || name.contains('\\')
                || name.split('/').any(|part| part == "..")
                || entry.enclosed_name().is_none();
            if leads_out {
                return Err(bad(format!("the name `{}` leads out of it", name.escape_debug())));
            }
            if entry.is_file() && name.ends_with(".json") {
                files.insert(name, (n, format!("{:08x}:{}", entry.crc32(), entry.size())));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            from: From::Zip(Box::new(zip), files),
            read: 0,
        })
    }

    /// The JSON files by name, and what each looks like, if that is known for certain.
    pub(super) fn files(&self) -> BTreeMap<String, Option<String>> {
        match &self.from {
            From::Folder(files) => files.clone(),
            From::Zip(_, files) => files
                .iter()
                .map(|(name, (_, mark))| (name.clone(), Some(mark.clone())))
                .collect(),
        }
    }

    /// One file, whole.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<u8>, SourceError> {
        let bytes = match &mut self.from {
            From::Folder(_) => {
                let path = self.path.join(name);
                let file = File::open(&path).map_err(SourceError::io(&path))?;
                limited(file, &path)?
            }
            From::Zip(zip, files) => {
                let bad = |why: String| SourceError::BadZip {
                    path: self.path.join(name),
                    why,
                };
                let Some((n, _)) = files.get(name) else {
                    return Err(bad("it is not in the zip".to_owned()));
                };
                let entry = zip.by_index(*n).map_err(|error| bad(error.to_string()))?;
                let packed = entry.compressed_size();
                let bytes = limited(entry, &self.path.join(name))?;
                let size = bytes.len() as u64;
                if size > SMALL && size / packed.max(1) > MAX_RATIO {
                    return Err(bad(format!("it unpacks to more than {MAX_RATIO} times its size")));
                }
                bytes
            }
        };
        self.read += bytes.len() as u64;
        if self.read > MAX_ALL {
            return Err(SourceError::TooMuch {
                path: self.path.clone(),
                limit: format!("{} MiB of messages", MAX_ALL >> 20),
            });
        }
        Ok(bytes)
    }
}

/// All bytes, if they are not too many; more than the limit is never held.
fn limited(from: impl Read, path: &Path) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    from.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(SourceError::io(path))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(SourceError::BadZip {
            path: path.to_owned(),
            why: format!("it is larger than {} MiB", MAX_FILE >> 20),
        });
    }
    Ok(bytes)
}
