//! The tool `search`.

use std::{fs, path::Path};

use globset::GlobMatcher;
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::{
    Answer,
    files::{LARGEST_ANSWER, LARGEST_FILE, Place, cut},
    find::glob,
    input::Input,
};

/// After so many matches the rest is only counted.
const MATCHES: usize = 200;
/// After so many files the search ends.
const FILES: usize = 100_000;

/// The tool `search`.
pub(super) fn search(place: &Place, input: &Value) -> Answer {
    let input = Input::of(
        "search",
        input,
        &["pattern", "path", "glob", "context", "ignore_case"],
    )?;
    let pattern = input.text("pattern")?;
    let path = input.optional_text("path")?.unwrap_or(".");
    let glob = input.optional_text("glob")?.map(glob).transpose()?;
    let context = input.number("context", 0, 0, 10)?;
    let pattern = RegexBuilder::new(pattern)
        .case_insensitive(input.yes("ignore_case")?)
        .size_limit(4 << 20)
        .build()
        .map_err(|error| format!("`pattern` is not a regular expression: {error}\nescape ( ) [ ] {{ }} . * + ? | ^ $ with a backslash"))?;
    let from = place.at(path)?;
    if let Err(error) = fs::symlink_metadata(&from) {
        return Err(place.trouble(path, &error));
    }
    let mut hits = Hits {
        text: String::new(),
        matches: 0,
        files: 0,
        context,
    };
    let files = place
        .walk(&from)
        .build()
        .flatten()
        .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
    let mut skipped = 0;
    for file in files.take(FILES) {
        if !wanted(place, file.path(), glob.as_ref()) {
            continue;
        }
        if file.metadata().is_ok_and(|meta| meta.len() > LARGEST_FILE) {
            skipped += 1;
            continue;
        }
        // A file that has gone or cannot be read has no matches.
        let Ok(bytes) = fs::read(file.path()) else {
            continue;
        };
        if !bytes.iter().take(8_000).any(|byte| *byte == 0) {
            hits.take(
                &place.shown(file.path()),
                &String::from_utf8_lossy(&bytes),
                &pattern,
            );
        }
    }
    Ok(hits.told(skipped))
}

fn wanted(place: &Place, path: &Path, glob: Option<&GlobMatcher>) -> bool {
    let Some(glob) = glob else { return true };
    let below = path.strip_prefix(place.root()).unwrap_or(path);
    glob.is_match(below)
}

struct Hits {
    text: String,
    matches: usize,
    files: usize,
    context: usize,
}

impl Hits {
    fn full(&self) -> bool {
        self.matches >= MATCHES || self.text.len() > LARGEST_ANSWER / 2
    }

    fn take(&mut self, name: &str, text: &str, pattern: &Regex) {
        let lines: Vec<&str> = text.lines().collect();
        let found: Vec<usize> = (0..lines.len())
            .filter(|at| pattern.is_match(lines[*at]))
            .collect();
        self.files += usize::from(!found.is_empty());
        let mut next = 0;
        for at in found {
            if self.full() {
                self.matches += 1;
                continue;
            }
            self.matches += 1;
            let first = at.saturating_sub(self.context).max(next);
            if self.context > 0 && next > 0 && first > next {
                self.text.push_str("--\n");
            }
            let end = (at + self.context + 1).min(lines.len());
            for (number, line) in lines.iter().enumerate().take(end).skip(first) {
                let mark = if pattern.is_match(line) { ':' } else { '-' };
                self.text
                    .push_str(&format!("{name}{mark}{}{mark}{}\n", number + 1, cut(line, 300)));
            }
            next = end;
        }
    }

    fn told(mut self, skipped: usize) -> String {
        if self.matches == 0 {
            self.text.push_str("no matches\n");
        } else if self.full() {
            let (matches, files) = (self.matches, self.files);
            self.text.push_str(&format!(
                "[{matches} matches in {files} files, not all shown; narrow the search]\n"
            ));
        }
        if skipped > 0 {
            self.text.push_str(&format!(
                "[{skipped} files larger than {} MiB were not searched]\n",
                LARGEST_FILE >> 20
            ));
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place() -> (tempfile::TempDir, Place) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("src/a.py", "import os\n\ndef total(x):\n    return x\n"),
            ("src/b.js", "function total() {}\n"),
            (".gitignore", "out/\n"),
            ("out/c.py", "def total(): pass\n"),
            (".git/config", "total\n"),
        ] {
            let at = folder.path().join(name);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, text).unwrap();
        }
        let place = Place::new(folder.path().to_owned());
        (folder, place)
    }

    #[test]
    fn matches_come_with_file_and_line_and_without_what_git_ignores() {
        let (_folder, place) = place();
        let all = search(&place, &json!({"pattern": "total"})).unwrap();
        assert_eq!(all, "src/a.py:3:def total(x):\nsrc/b.js:1:function total() {}\n");
        let some = search(
            &place,
            &json!({"pattern": "TOTAL", "ignore_case": true, "glob": "*.py", "context": 1}),
        )
        .unwrap();
        assert_eq!(
            some,
            "src/a.py-2-\nsrc/a.py:3:def total(x):\nsrc/a.py-4-    return x\n"
        );
        assert_eq!(
            search(&place, &json!({"pattern": "nope", "path": "src"})).unwrap(),
            "no matches\n"
        );
    }

    #[test]
    fn a_broken_pattern_is_explained() {
        let (_folder, place) = place();
        let error = search(&place, &json!({"pattern": "total("})).unwrap_err();
        assert!(
            error.starts_with("`pattern` is not a regular expression") && error.contains("backslash"),
            "{error}"
        );
    }

    #[test]
    fn very_many_matches_are_counted_and_not_all_shown() {
        let (folder, place) = place();
        fs::write(folder.path().join("many"), "hit\n".repeat(1_000)).unwrap();
        let text = search(&place, &json!({"pattern": "hit"})).unwrap();
        assert_eq!(text.lines().count(), MATCHES + 1);
        assert!(
            text.ends_with("[1000 matches in 1 files, not all shown; narrow the search]\n"),
            "{text}"
        );
    }
}
