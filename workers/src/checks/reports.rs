//! JUnit reports in a workspace. What is there was written by the code under test: links are never followed, sizes
//! are limited, and what cannot be read is said.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};
use loops::evidence::{TestReport, read_junit};

/// The most files that one glob may mean.
const MAX_FILES: usize = 200;

/// The most folders that are looked into.
const MAX_FOLDERS: usize = 20_000;

/// The largest report that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// The most that is read of all reports together, in bytes.
const MAX_TOTAL: u64 = 64 << 20;

/// What the reports say, and what of them could not be read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) report: Option<TestReport>,
    pub(super) notes: Vec<String>,
}

/// Removes the files that a glob means.
pub(super) fn remove(root: &Path, glob: &str) -> io::Result<()> {
    find(root, glob)?.iter().try_for_each(std::fs::remove_file)
}

/// Reads the files that a glob means.
pub(super) fn read(root: &Path, glob: &str) -> io::Result<Read> {
    let mut read = Read::default();
    let paths = find(root, glob)?;
    if paths.is_empty() {
        read.notes.push(format!("it wrote no report at `{glob}`"));
    }
    let mut total = 0;
    for path in paths {
        match one(&path).map_err(|error| error.to_string()).and_then(|xml| {
            total += xml.len() as u64;
            if total > MAX_TOTAL {
                Err("the reports together are too large".to_owned())
            } else {
                read_junit(&xml)
            }
        }) {
            Ok(report) => read.report.get_or_insert_default().add(report),
            Err(why) => read
                .notes
                .push(format!("a report at `{glob}` was not read: {why}")),
        }
    }
    read.notes.truncate(5);
    Ok(read)
}

fn one(path: &Path) -> io::Result<String> {
    // What is no plain file is no report; without these flags opening a pipe would wait, and a link be followed.
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The plain files that a glob means, sorted. No link is followed on the way.
fn find(root: &Path, glob: &str) -> io::Result<Vec<PathBuf>> {
    let matcher = GlobBuilder::new(glob.trim_start_matches("./"))
        .literal_separator(true)
        .build();
    let matcher: GlobMatcher = matcher.map_err(io::Error::other)?.compile_matcher();
    let (mut folders, mut found, mut looked) = (vec![root.to_owned()], Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        looked += 1;
        if looked > MAX_FOLDERS {
            return Err(io::Error::other(
                "the workspace has too many folders to look for reports in",
            ));
        }
        let entries = match std::fs::read_dir(&folder) {
            // A folder that its owner closed to us holds no report for us.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && folder != root => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                if entry.file_name() != ".git" && entry.file_name() != "node_modules" {
                    folders.push(path);
                }
            } else if kind.is_file() && path.strip_prefix(root).is_ok_and(|below| matcher.is_match(below)) {
                found.push(path);
                if found.len() > MAX_FILES {
                    return Err(io::Error::other(format!(
                        "`{glob}` means more than {MAX_FILES} reports"
                    )));
                }
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const XML: &str = "<testsuite><testcase name=\"a\"/></testsuite>";

    #[test]
    fn reports_are_found_by_their_glob_and_added_up() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("out/deep")).unwrap();
        fs::write(folder.path().join("out/a.xml"), XML).unwrap();
        fs::write(folder.path().join("out/deep/b.xml"), XML).unwrap();
        fs::write(folder.path().join("out/c.txt"), XML).unwrap();
        let found = |glob: &str| {
            read(folder.path(), glob)
                .unwrap()
                .report
                .map_or(0, |report| report.results.len())
        };
        assert_eq!(
            (found("out/*.xml"), found("./out/**/*.xml"), found("*.xml")),
            (1, 2, 0)
        );
        remove(folder.path(), "out/*.xml").unwrap();
        assert_eq!((found("out/*.xml"), found("out/**/*.xml")), (0, 1));
    }

    #[test]
    fn links_are_never_followed() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("a.xml"), XML).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("out")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("a.xml"), folder.path().join("b.xml")).unwrap();
        let read = read(folder.path(), "**/*.xml").unwrap();
        assert!(read.report.is_none(), "{read:?}");
        assert_eq!(read.notes, ["it wrote no report at `**/*.xml`"]);
        remove(folder.path(), "**/*.xml").unwrap();
        assert!(outside.path().join("a.xml").exists());
    }

    #[test]
    fn a_report_that_cannot_be_read_is_said() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.xml"), "<!DOCTYPE a><testsuite/>").unwrap();
        let read = read(folder.path(), "a.xml").unwrap();
        assert!(read.report.is_none());
        assert_eq!(
            read.notes,
            ["a report at `a.xml` was not read: the report has a document type, which is not read"]
        );
    }
}
