//! Reads what git writes for a diff. It is strict: what it does not know is an error, because a file that was not
//! understood would be a file that nothing has judged.

use std::collections::HashMap;

use super::{
    Diff, FileChange, Hunk, Line, Side, Status,
    quoting::{Name, header_names, mode, name, whole_name},
};

/// No change that a person should read is nearly as large.
const MAX_BYTES: usize = 64 << 20;

/// Why a diff cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// Nobody could read it either.
    #[error("the diff has {bytes} bytes, and at most {MAX_BYTES} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not as git writes it.
    #[error("line {line} of the diff cannot be read: {what}")]
    Malformed {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// One line of `--raw`.
struct RawEntry {
    old_mode: Option<u32>,
    new_mode: Option<u32>,
    status: Status,
    old: Option<Name>,
    new: Option<Name>,
    seen: bool,
}

struct Reader<'a> {
    lines: Vec<&'a [u8]>,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a [u8]> {
        self.lines.get(self.at).copied()
    }

    fn bad(&self, what: &'static str) -> DiffError {
        DiffError::Malformed {
            line: self.at + 1,
            what,
        }
    }

    /// The rest of the line, if it begins with `prefix`; then the line is taken.
    fn take(&mut self, prefix: &[u8]) -> Option<&'a [u8]> {
        let rest = self.peek()?.strip_prefix(prefix)?;
        self.at += 1;
        Some(rest)
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Diff, DiffError> {
    if bytes.len() > MAX_BYTES {
        return Err(DiffError::TooLarge { bytes: bytes.len() });
    }
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let mut reader = Reader { lines, at: 0 };
    let mut raw = Raw::of(raw_entries(&mut reader)?);
    let mut files = Vec::new();
    while reader.peek().is_some() {
        let (mut file, old, new) = file(&mut reader)?;
        if !raw.entries.is_empty() {
            let known = raw.complete(&mut file, &old, &new);
            known.ok_or_else(|| reader.bad("the file before it is not in the list of files"))?;
        }
        files.push(file);
    }
    let unseen = raw
        .entries
        .iter()
        .filter(|entry| !entry.seen)
        .map(|entry| FileChange {
            status: entry.status,
            lossy_path: [&entry.old, &entry.new]
                .into_iter()
                .flatten()
                .any(|name| name.is_lossy()),
            old_path: entry.old.as_ref().map(|name| name.text().into_owned()),
            new_path: entry.new.as_ref().map(|name| name.text().into_owned()),
            old_mode: entry.old_mode,
            new_mode: entry.new_mode,
            binary: false,
            hunks: Vec::new(),
        });
    files.extend(unseen);
    Ok(Diff { files })
}

/// The entries of `--raw`, found by their names.
struct Raw {
    entries: Vec<RawEntry>,
    by_old: HashMap<Vec<u8>, usize>,
    by_new: HashMap<Vec<u8>, usize>,
}

impl Raw {
    fn of(entries: Vec<RawEntry>) -> Self {
        let index = |name: fn(&RawEntry) -> &Option<Name>| {
            let named = entries.iter().enumerate();
            named
                .filter_map(|(at, entry)| Some((name(entry).as_ref()?.bytes.clone(), at)))
                .collect()
        };
        let (by_old, by_new) = (index(|entry| &entry.old), index(|entry| &entry.new));
        Self {
            entries,
            by_old,
            by_new,
        }
    }

    /// Takes for a file of the patch what the patch does not say.
    fn complete(&mut self, file: &mut FileChange, old: &Option<Name>, new: &Option<Name>) -> Option<()> {
        let at = match (old, new) {
            (_, Some(new)) => self.by_new.get(&new.bytes),
            (Some(old), None) => self.by_old.get(&old.bytes),
            (None, None) => None,
        };
        let entry = self.entries.get_mut(*at?)?;
        entry.seen = true;
        if file.old_path.is_some() {
            file.old_mode = file.old_mode.or(entry.old_mode);
        }
        if file.new_path.is_some() {
            file.new_mode = file.new_mode.or(entry.new_mode);
        }
        Some(())
    }
}

fn raw_entries(reader: &mut Reader<'_>) -> Result<Vec<RawEntry>, DiffError> {
    let mut entries = Vec::new();
    while let Some(rest) = reader.peek().and_then(|line| line.strip_prefix(b":")) {
        entries.push(raw_entry(rest).ok_or_else(|| reader.bad("it is no entry of the list of files"))?);
        reader.at += 1;
    }
    if !entries.is_empty() && reader.peek().is_some() {
        reader
            .take(b"")
            .filter(|rest| rest.is_empty())
            .ok_or_else(|| reader.bad("an empty line belongs here"))?;
    }
    Ok(entries)
}

/// `100644 100644 1111111 2222222 R100<tab>old<tab>new`
fn raw_entry(rest: &[u8]) -> Option<RawEntry> {
    let tab = rest.iter().position(|byte| *byte == b'\t')?;
    let fields: Vec<&str> = std::str::from_utf8(&rest[..tab]).ok()?.split(' ').collect();
    let [old_mode, new_mode, _, _, status] = fields[..] else {
        return None;
    };
    let (old_mode, new_mode) = (mode(old_mode.as_bytes())?, mode(new_mode.as_bytes())?);
    let (first, after) = name(&rest[tab + 1..])?;
    let second = match after.strip_prefix(b"\t") {
        Some(second) => Some(whole_name(second)?),
        None if after.is_empty() => None,
        None => return None,
    };
    let (status, old, new) = match (status.bytes().next()?, second) {
        (b'A', None) => (Status::Added, None, Some(first)),
        (b'D', None) => (Status::Deleted, Some(first), None),
        (b'M' | b'T', None) => (Status::Modified, Some(first.clone()), Some(first)),
        (b'R', Some(second)) => (Status::Renamed, Some(first), Some(second)),
        (b'C', Some(second)) => (Status::Copied, Some(first), Some(second)),
        _ => return None,
    };
    let some = |mode: u32| (mode != 0).then_some(mode);
    Some(RawEntry {
        old_mode: some(old_mode),
        new_mode: some(new_mode),
        status,
        old,
        new,
        seen: false,
    })
}

/// A file of the patch, with its names as they were before they became text.
fn file(reader: &mut Reader<'_>) -> Result<(FileChange, Option<Name>, Option<Name>), DiffError> {
    let header = reader
        .take(b"diff --git ")
        .ok_or_else(|| reader.bad("a file's `diff --git` belongs here"))?;
    let mut names = header_names(header);
    let mut status = Status::Modified;
    let (mut old_mode, mut new_mode, mut binary) = (None, None, false);
    let mut hunks = Vec::new();
    while let Some(line) = reader.peek().filter(|line| !line.starts_with(b"diff --git ")) {
        let is_mode = |text: &[u8]| mode(text).ok_or_else(|| reader.bad("it is no file mode"));
        let is_name = |text: &[u8]| whole_name(text).ok_or_else(|| reader.bad("it is no path"));
        if let Some(rest) = line.strip_prefix(b"old mode ") {
            old_mode = Some(is_mode(rest)?);
        } else if let Some(rest) = line.strip_prefix(b"new mode ") {
            new_mode = Some(is_mode(rest)?);
        } else if let Some(rest) = line.strip_prefix(b"new file mode ") {
            (status, new_mode) = (Status::Added, Some(is_mode(rest)?));
        } else if let Some(rest) = line.strip_prefix(b"deleted file mode ") {
            (status, old_mode) = (Status::Deleted, Some(is_mode(rest)?));
        } else if let Some(rest) = line.strip_prefix(b"rename from ") {
            status = Status::Renamed;
            names.get_or_insert_default().0 = is_name(rest)?;
        } else if let Some(rest) = line.strip_prefix(b"copy from ") {
            status = Status::Copied;
            names.get_or_insert_default().0 = is_name(rest)?;
        } else if let Some(rest) = line
            .strip_prefix(b"rename to ")
            .or_else(|| line.strip_prefix(b"copy to "))
        {
            names.get_or_insert_default().1 = is_name(rest)?;
        } else if let Some(rest) = line.strip_prefix(b"index ") {
            if let Some(space) = rest.iter().position(|byte| *byte == b' ') {
                let both = Some(is_mode(&rest[space + 1..])?);
                (old_mode, new_mode) = (old_mode.or(both), new_mode.or(both));
            }
        } else if line.starts_with(b"Binary files ") {
            binary = true;
        } else if line == b"GIT binary patch" {
            binary = true;
            while reader
                .peek()
                .is_some_and(|line| !line.starts_with(b"diff --git "))
            {
                reader.at += 1;
            }
            break;
        } else if line.starts_with(b"--- ") || line.starts_with(b"+++ ") {
            // The names were in the header already, in a form that leaves no doubt.
        } else if line.starts_with(b"@@ ") {
            hunks.push(hunk(reader)?);
            continue;
        } else if !line.starts_with(b"similarity index ") && !line.starts_with(b"dissimilarity index ") {
            return Err(reader.bad("it belongs to no part of a patch"));
        }
        reader.at += 1;
    }
    let (old, new) = names.ok_or_else(|| reader.bad("the file before it has no name that can be read"))?;
    if old.bytes.is_empty() || new.bytes.is_empty() {
        return Err(reader.bad("the file before it has half a name"));
    }
    let old = (status != Status::Added).then_some(old);
    let new = (status != Status::Deleted).then_some(new);
    let file = FileChange {
        status,
        lossy_path: [&old, &new].into_iter().flatten().any(|name| name.is_lossy()),
        old_path: old.as_ref().map(|name| name.text().into_owned()),
        new_path: new.as_ref().map(|name| name.text().into_owned()),
        old_mode,
        new_mode,
        binary,
        hunks,
    };
    Ok((file, old, new))
}

/// `@@ -1,2 +3,4 @@ section` and its lines.
fn hunk(reader: &mut Reader<'_>) -> Result<Hunk, DiffError> {
    let header = reader
        .peek()
        .and_then(hunk_header)
        .ok_or_else(|| reader.bad("it is no hunk's header"))?;
    let (old_start, mut old_left, new_start, mut new_left, section) = header;
    reader.at += 1;
    let (mut old, mut new) = (old_start, new_start);
    let mut lines: Vec<Line> = Vec::new();
    while old_left > 0 || new_left > 0 {
        let line = reader
            .peek()
            .ok_or_else(|| reader.bad("the hunk ends too early"))?;
        let side = match line.first() {
            Some(b' ') => Side::Context,
            Some(b'+') => Side::Added,
            Some(b'-') => Side::Removed,
            Some(b'\\') => {
                let last = lines
                    .last_mut()
                    .ok_or_else(|| reader.bad("no line is before it"))?;
                last.no_newline = true;
                reader.at += 1;
                continue;
            }
            _ => return Err(reader.bad("it is no line of a hunk")),
        };
        let (on_old, on_new) = (side != Side::Added, side != Side::Removed);
        if (on_old && old_left == 0) || (on_new && new_left == 0) {
            return Err(reader.bad("the hunk has more lines than it says"));
        }
        old_left -= u32::from(on_old);
        new_left -= u32::from(on_new);
        lines.push(Line {
            side,
            old: on_old.then_some(old),
            new: on_new.then_some(new),
            text: String::from_utf8_lossy(&line[1..]).into_owned(),
            no_newline: false,
        });
        old = old.saturating_add(u32::from(on_old));
        new = new.saturating_add(u32::from(on_new));
        reader.at += 1;
    }
    if reader.peek().is_some_and(|line| line.starts_with(b"\\")) {
        if let Some(last) = lines.last_mut() {
            last.no_newline = true;
        }
        reader.at += 1;
    }
    Ok(Hunk {
        old_start,
        new_start,
        section,
        lines,
    })
}

fn hunk_header(line: &[u8]) -> Option<(u32, u32, u32, u32, String)> {
    let line = String::from_utf8_lossy(line);
    let (ranges, section) = line.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    let range = |text: &str| -> Option<(u32, u32)> {
        match text.split_once(',') {
            Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
            None => Some((text.parse().ok()?, 1)),
        }
    };
    let ((old_start, old_count), (new_start, new_count)) = (range(old)?, range(new)?);
    Some((
        old_start,
        old_count,
        new_start,
        new_count,
        section.trim_start().to_owned(),
    ))
}
