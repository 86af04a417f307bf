//! Changes for tests, from the text of both sides.

use super::{Diff, FileChange, Hunk, Line, Side, Status};

/// A file of both sides: path, text on the base, text in the change.
pub(crate) type Pair<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

/// The diff of a few files: one hunk each, from the first line that differs to the last.
pub(crate) fn diff(files: &[Pair<'_>]) -> Diff {
    let files = files
        .iter()
        .filter(|(_, old, new)| old != new)
        .map(|(path, old, new)| FileChange {
            status: match (old, new) {
                (None, _) => Status::Added,
                (_, None) => Status::Deleted,
                _ => Status::Modified,
            },
            old_path: old.map(|_| (*path).to_owned()),
            new_path: new.map(|_| (*path).to_owned()),
            old_mode: old.map(|_| 0o100_644),
            new_mode: new.map(|_| 0o100_644),
            binary: false,
            lossy_path: false,
            hunks: vec![hunk(old.unwrap_or_default(), new.unwrap_or_default())],
        });
    Diff {
        files: files.collect(),
    }
}

fn hunk(old: &str, new: &str) -> Hunk {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..]
        .iter()
        .rev()
        .zip(new[head..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let number = |at: usize| Some(u32::try_from(at + 1).unwrap());
    let line = |side, old, new, text: &str| Line {
        side,
        old,
        new,
        text: text.to_owned(),
        no_newline: false,
    };
    let mut lines: Vec<Line> = Vec::new();
    if head > 0 {
        lines.push(line(
            Side::Context,
            number(head - 1),
            number(head - 1),
            old[head - 1],
        ));
    }
    lines.extend((head..old.len() - tail).map(|at| line(Side::Removed, number(at), None, old[at])));
    lines.extend((head..new.len() - tail).map(|at| line(Side::Added, None, number(at), new[at])));
    let start = |lines: &[&str]| u32::try_from(head.max(usize::from(!lines.is_empty()))).unwrap();
    Hunk {
        old_start: start(&old),
        new_start: start(&new),
        section: String::new(),
        lines,
    }
}

/// The text of one side.
pub(crate) fn side<'a>(files: &'a [Pair<'a>], new: bool) -> impl Fn(&str) -> Option<String> + use<'a> {
    move |path| {
        let (_, old, changed) = files.iter().find(|(name, ..)| *name == path)?;
        (if new { changed } else { old }).map(str::to_owned)
    }
}
