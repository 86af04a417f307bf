//! The tools `edit` and `write`.

use std::{
    fs,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use super::{
    Answer,
    files::{Place, cut},
    input::Input,
};

/// Parallel edits of one file must not lose each other.
static WRITING: Mutex<()> = Mutex::new(());

/// The tool `write`.
pub(super) fn write(place: &Place, input: &Value) -> Answer {
    let input = Input::of("write", input, &["path", "content"])?;
    let (path, content) = (input.text("path")?, input.text("content")?);
    let at = place.to_write(path)?;
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    if at.is_dir() {
        return Err(format!("`{path}` is a folder"));
    }
    if let Some(folder) = at.parent() {
        fs::create_dir_all(folder).map_err(|error| place.trouble(path, &error))?;
    }
    let existed = at.exists();
    fs::write(&at, content).map_err(|error| place.trouble(path, &error))?;
    let lines = content.lines().count();
    Ok(format!(
        "{} `{path}` ({lines} lines)",
        if existed { "replaced" } else { "created" }
    ))
}

/// The tool `edit`.
pub(super) fn edit(place: &Place, input: &Value) -> Answer {
    let input = Input::of("edit", input, &["path", "old", "new", "replace_all"])?;
    let (path, old, new) = (input.text("path")?, input.text("old")?, input.text("new")?);
    let every = input.yes("replace_all")?;
    if old.is_empty() {
        return Err("`old` is empty; to make a file use `write`".into());
    }
    if old == new {
        return Err("`old` and `new` are the same".into());
    }
    let at = place.to_write(path)?;
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let text = place.whole(path, &at)?;
    let (text, lines) = replaced(path, &text, old, new, every)?;
    fs::write(&at, text).map_err(|error| place.trouble(path, &error))?;
    let count = if lines.len() == 1 {
        String::new()
    } else {
        format!("{} times, ", lines.len())
    };
    Ok(format!("edited `{path}` ({count}line {})", listed(&lines)))
}

/// The new text, and the lines at which something was replaced.
fn replaced(
    path: &str,
    text: &str,
    old: &str,
    new: &str,
    every: bool,
) -> Result<(String, Vec<usize>), String> {
    let lines = places(text, old);
    match lines.len() {
        0 if text.contains("\r\n") && !old.contains('\r') && old.contains('\n') => {
            // Models write line feeds; the file keeps its own line ends.
            replaced(
                path,
                text,
                &old.replace('\n', "\r\n"),
                &new.replace('\n', "\r\n"),
                every,
            )
        }
        0 => Err(format!("`old` was not found in `{path}`{}", nearest(text, old))),
        1 => Ok((text.replacen(old, new, 1), lines)),
        _ if every => Ok((text.replace(old, new), lines)),
        count => Err(format!(
            "`old` occurs {count} times in `{path}` (lines {}); add lines around it, or set replace_all",
            listed(&lines)
        )),
    }
}

/// The lines, from 1, at which `old` begins; occurrences do not overlap.
fn places(text: &str, old: &str) -> Vec<usize> {
    let mut line = 1;
    let mut last = 0;
    text.match_indices(old)
        .map(|(at, _)| {
            line += text[last..at].matches('\n').count();
            last = at;
            line
        })
        .collect()
}

fn listed(lines: &[usize]) -> String {
    let mut listed = lines
        .iter()
        .take(10)
        .map(usize::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    if lines.len() > 10 {
        listed.push_str(" …");
    }
    listed
}

/// Where the text has what was probably meant: the same lines with other spaces, or else the lines most like them.
fn nearest(text: &str, old: &str) -> String {
    let wanted: Vec<&str> = old.lines().map(str::trim).collect();
    let wanted = trimmed_ends(&wanted);
    let lines: Vec<&str> = text.lines().collect();
    if wanted.is_empty() || lines.is_empty() {
        return String::new();
    }
    let alike = |at: usize| {
        let pairs = wanted.iter().zip(&lines[at..]);
        pairs
            .filter(|(wanted, line)| !wanted.is_empty() && **wanted == line.trim())
            .count()
    };
    let first_best = (0..lines.len())
        .map(|at| (alike(at), std::cmp::Reverse(at)))
        .max();
    let Some((count @ 1.., std::cmp::Reverse(at))) = first_best else {
        return "; read the file again".into();
    };
    let end = (at + wanted.len()).min(lines.len());
    let shown: String = lines[at..end]
        .iter()
        .take(30)
        .map(|line| format!("{}\n", cut(line, 300)))
        .collect();
    let all = wanted.iter().filter(|line| !line.is_empty()).count();
    let how = if count == all {
        "differ only in spaces"
    } else {
        "are most like it"
    };
    format!("; lines {} to {end} {how}:\n{shown}", at + 1)
}

/// Without empty lines at the beginning and the end.
fn trimmed_ends<'a, 'b>(lines: &'b [&'a str]) -> &'b [&'a str] {
    let first = lines
        .iter()
        .position(|line| !line.is_empty())
        .unwrap_or(lines.len());
    let last = lines
        .iter()
        .rposition(|line| !line.is_empty())
        .map_or(first, |last| last + 1);
    &lines[first..last]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edited(text: &str, old: &str, new: &str, every: bool) -> Result<String, String> {
        replaced("f", text, old, new, every).map(|(text, _)| text)
    }

    #[test]
    fn one_exact_occurrence_is_replaced() {
        assert_eq!(edited("a\nb\nc\n", "b\n", "B\n", false).unwrap(), "a\nB\nc\n");
        assert_eq!(edited("a a", "a", "b", true).unwrap(), "b b");
    }

    #[test]
    fn several_occurrences_are_refused_with_their_lines() {
        let error = edited("x = 1\ny\nx = 1\n", "x = 1", "x = 2", false).unwrap_err();
        assert_eq!(
            error,
            "`old` occurs 2 times in `f` (lines 1, 3); add lines around it, or set replace_all"
        );
    }

    #[test]
    fn a_miss_shows_what_was_probably_meant() {
        let text = "def f():\n    if x:\n        return 1\n";
        let error = edited(text, "if x:\n    return 1", "", false).unwrap_err();
        assert_eq!(
            error,
            "`old` was not found in `f`; lines 2 to 3 differ only in spaces:\n    if x:\n        return 1\n"
        );
        let error = edited(text, "if x:\n    return 2", "", false).unwrap_err();
        assert!(error.contains("lines 2 to 3 are most like it"), "{error}");
        assert_eq!(
            edited(text, "zzz", "", false).unwrap_err(),
            "`old` was not found in `f`; read the file again"
        );
    }

    #[test]
    fn a_file_keeps_its_own_line_ends() {
        assert_eq!(
            edited("a\r\nb\r\nc", "a\nb", "A\nB", false).unwrap(),
            "A\r\nB\r\nc"
        );
    }

    #[test]
    fn write_makes_folders_and_says_whether_a_file_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path().to_owned());
        let input = json!({"path": "a/b/c.txt", "content": "1\n2\n"});
        assert_eq!(write(&place, &input).unwrap(), "created `a/b/c.txt` (2 lines)");
        assert_eq!(write(&place, &input).unwrap(), "replaced `a/b/c.txt` (2 lines)");
        let input = json!({"path": "a/b/c.txt", "old": "2", "new": "3"});
        assert_eq!(edit(&place, &input).unwrap(), "edited `a/b/c.txt` (line 2)");
        assert_eq!(
            fs::read_to_string(folder.path().join("a/b/c.txt")).unwrap(),
            "1\n3\n"
        );
    }
}
