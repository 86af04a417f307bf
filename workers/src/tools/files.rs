//! The tool `read`, and what all file tools share: where a path leads, what is text, and who else has the name.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, ErrorKind, Read as _},
    path::{Component, Path, PathBuf},
};

use ignore::WalkBuilder;
use serde_json::Value;

use super::{Answer, input::Input};

/// The most that one answer holds, in bytes.
pub(super) const LARGEST_ANSWER: usize = 40 << 10;
/// The longest line that is shown whole, in bytes.
const LONGEST_LINE: usize = 2_000;
/// The largest file that is edited or searched, in bytes.
pub(super) const LARGEST_FILE: u64 = 8 << 20;

/// The workspace as the tools see it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    root: PathBuf,
}

impl Place {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a path leads, from the workspace's root if it is relative.
    pub(super) fn at(&self, path: &str) -> Result<PathBuf, String> {
        if path.contains('\0') {
            return Err("a path cannot hold a NUL character".into());
        }
        Ok(self.root.join(if path.is_empty() { "." } else { path }))
    }

    /// Where a path leads that is to be written: in the workspace, or a temporary file. A mistaken path is better
    /// refused than written; what truly holds is the sandbox.
    pub(super) fn to_write(&self, path: &str) -> Result<PathBuf, String> {
        let mut at = PathBuf::new();
        for part in self.at(path)?.components() {
            match part {
                Component::ParentDir => {
                    at.pop();
                }
                Component::CurDir => {}
                part => at.push(part),
            }
        }
        let inside = at != self.root && (at.starts_with(&self.root) || at.starts_with(std::env::temp_dir()));
        let in_git = at
            .strip_prefix(&self.root)
            .is_ok_and(|below| below.starts_with(".git"));
        match (inside, in_git) {
            (true, false) => Ok(at),
            (_, true) => Err(format!("`{path}` is git's own; use `run` with git")),
            _ => Err(format!(
                "`{path}` is outside the workspace `{}`",
                self.root.display()
            )),
        }
    }

    /// A path as the model is shown it.
    pub(super) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned()
    }

    /// Says what is wrong with a path that cannot be used, and which others have its name.
    pub(super) fn trouble(&self, path: &str, error: &std::io::Error) -> String {
        match error.kind() {
            ErrorKind::NotFound => {
                let like = self.namesakes(path);
                let hint = if like.is_empty() {
                    String::new()
                } else {
                    format!("; did you mean {}?", like.join(" or "))
                };
                format!("there is no `{path}`{hint}")
            }
            ErrorKind::IsADirectory => format!("`{path}` is a folder; use `list`"),
            ErrorKind::NotADirectory => format!("a part of `{path}` is a file, not a folder"),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => format!("`{path}`: {error}"),
            _ => format!("`{path}`: {error}"),
        }
    }

    /// Files elsewhere with the same last name, in whatever case.
    fn namesakes(&self, path: &str) -> Vec<String> {
        let Some(name) = Path::new(path)
            .file_name()
            .map(|name| name.to_string_lossy().to_lowercase())
        else {
            return vec![];
        };
        let same = |entry: &ignore::DirEntry| entry.file_name().to_string_lossy().to_lowercase() == name;
        self.walk(&self.root)
            .build()
            .take(20_000)
            .flatten()
            .filter(same)
            .take(3)
            .map(|entry| format!("`{}`", self.shown(entry.path())))
            .collect()
    }

    /// Walks below a folder in the order of names, past what git ignores.
    pub(super) fn walk(&self, from: &Path) -> WalkBuilder {
        let mut walk = WalkBuilder::new(from);
        walk.hidden(false)
            .require_git(false)
            .git_global(false)
            .follow_links(false);
        walk.sort_by_file_name(Ord::cmp)
            .filter_entry(|entry| entry.file_name() != ".git");
        walk
    }

    /// A whole text file, for editing.
    pub(super) fn whole(&self, path: &str, at: &Path) -> Result<String, String> {
        let meta = fs::metadata(at).map_err(|error| self.trouble(path, &error))?;
        if meta.is_dir() {
            return Err(format!("`{path}` is a folder"));
        }
        if !meta.is_file() {
            return Err(format!("`{path}` is not a plain file"));
        }
        if meta.len() > LARGEST_FILE {
            return Err(format!(
                "`{path}` has {} bytes; that is too large, use `run`",
                meta.len()
            ));
        }
        let bytes = fs::read(at).map_err(|error| self.trouble(path, &error))?;
        String::from_utf8(bytes).map_err(|_| format!("`{path}` is not UTF-8 text; use `run`"))
    }
}

/// The tool `read`.
pub(super) fn read(place: &Place, input: &Value) -> Answer {
    let input = Input::of("read", input, &["path", "offset", "limit"])?;
    let path = input.text("path")?;
    let first = input.number("offset", 1, 1, usize::MAX)?;
    let limit = input.number("limit", 500, 1, 5_000)?;
    let at = place.at(path)?;
    let meta = fs::metadata(&at).map_err(|error| place.trouble(path, &error))?;
    if meta.is_dir() {
        return Err(format!("`{path}` is a folder; use `list`"));
    }
    if !meta.is_file() {
        return Err(format!("`{path}` is not a plain file"));
    }
    let trouble = |error: std::io::Error| place.trouble(path, &error);
    let mut file = BufReader::with_capacity(64 << 10, File::open(&at).map_err(trouble)?);
    if file
        .fill_buf()
        .map_err(trouble)?
        .iter()
        .take(8_000)
        .any(|byte| *byte == 0)
    {
        return Err(format!("`{path}` is a binary file of {} bytes", meta.len()));
    }
    let mut text = String::new();
    let mut number = 0;
    let mut shown = 0;
    let mut full = false;
    while let Some(line) = next_line(&mut file).map_err(trouble)? {
        number += 1;
        if number < first || shown == limit || full {
            continue;
        }
        text.push_str(&format!("{number}\t{line}\n"));
        shown += 1;
        full = text.len() > LARGEST_ANSWER;
    }
    if number == 0 {
        return Ok(format!("`{path}` is empty"));
    }
    if shown == 0 {
        return Err(format!("`{path}` has only {number} lines"));
    }
    let next = first + shown;
    if next <= number {
        text.push_str(&format!("[{number} lines in all; go on with offset {next}]\n"));
    }
    Ok(text)
}

/// The next line without its end, lossy, cut if it is long; a line of any length costs no more memory than that.
fn next_line(file: &mut BufReader<File>) -> std::io::Result<Option<String>> {
    let mut line = vec![];
    let most = LONGEST_LINE as u64 + 1;
    if file.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let whole = line.ends_with(b"\n");
    if !whole && line.len() as u64 == most {
        line.truncate(LONGEST_LINE);
        let rest = skip_line(file)?;
        return Ok(Some(format!(
            "{}[… {rest} more bytes]",
            String::from_utf8_lossy(&line)
        )));
    }
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    Ok(Some(String::from_utf8_lossy(text).into_owned()))
}

fn skip_line(file: &mut BufReader<File>) -> std::io::Result<usize> {
    let mut skipped = 1;
    loop {
        let buffer = file.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(buffer.len(), |at| at + 1);
        let at_end = end.is_some() || buffer.is_empty();
        file.consume(count);
        skipped += if end.is_some() { count - 1 } else { count };
        if at_end {
            return Ok(skipped);
        }
    }
}

/// The beginning of a text, cut where a character ends.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place() -> (tempfile::TempDir, Place) {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path().to_owned());
        (folder, place)
    }

    #[test]
    fn lines_come_numbered_and_in_pieces() {
        let (folder, place) = place();
        fs::write(folder.path().join("a"), "one\ntwo\r\nthree").unwrap();
        assert_eq!(
            read(&place, &json!({"path": "a"})).unwrap(),
            "1\tone\n2\ttwo\n3\tthree\n"
        );
        let piece = read(&place, &json!({"path": "a", "offset": 2, "limit": 1})).unwrap();
        assert_eq!(piece, "2\ttwo\n[3 lines in all; go on with offset 3]\n");
        assert_eq!(
            read(&place, &json!({"path": "a", "offset": 9})).unwrap_err(),
            "`a` has only 3 lines"
        );
    }

    #[test]
    fn what_is_not_text_or_endless_is_not_poured_out() {
        let (folder, place) = place();
        fs::write(folder.path().join("b"), b"\x7fELF\0\0").unwrap();
        fs::write(folder.path().join("long"), "x".repeat(3_000_000)).unwrap();
        assert_eq!(
            read(&place, &json!({"path": "b"})).unwrap_err(),
            "`b` is a binary file of 6 bytes"
        );
        let long = read(&place, &json!({"path": "long"})).unwrap();
        assert!(
            long.len() < 2_100 && long.contains("[… 2998000 more bytes]"),
            "{}",
            &long[1_990..]
        );
        assert_eq!(
            read(&place, &json!({"path": "/dev/zero"})).unwrap_err(),
            "`/dev/zero` is not a plain file"
        );
        assert_eq!(
            read(&place, &json!({"path": ""})).unwrap_err(),
            "`` is a folder; use `list`"
        );
    }

    #[test]
    fn a_missing_file_brings_its_namesakes() {
        let (folder, place) = place();
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/Main.rs"), "").unwrap();
        let error = read(&place, &json!({"path": "main.rs"})).unwrap_err();
        assert_eq!(error, "there is no `main.rs`; did you mean `src/Main.rs`?");
    }

    #[test]
    fn only_the_workspace_and_temporary_files_are_written() {
        let place = Place::new("/workspace".into());
        assert!(
            place
                .to_write(&std::env::temp_dir().join("x").to_string_lossy())
                .is_ok()
        );
        for good in ["a", "/workspace/a/b", "a/../b", ".github/x"] {
            assert!(place.to_write(good).is_ok(), "{good}");
        }
        for bad in [
            "../a",
            "/etc/passwd",
            "a/../../b",
            ".",
            ".git/config",
            "/workspace/.git",
            "a\0",
        ] {
            assert!(place.to_write(bad).is_err(), "{bad}");
        }
    }
}
