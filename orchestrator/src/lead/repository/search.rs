//! The lead agent's `search`. The pattern is a model's and the service runs it outside every sandbox, so it is held to
//! what a pattern may take: the size that it is compiled to, a part of each line, and a while for all. Git's own `grep`
//! has no such bounds.

use std::time::{Duration, Instant};

use loops::text::one_line;
use regex::{Regex, RegexBuilder};
use workers::git::Git;

use super::{bounded, is_below, one_line_keeping_indent, words};

/// The most bytes of a file that is searched.
pub(super) const MAX_FILE: usize = 2 << 20;
/// The most bytes of files in memory at once.
const AT_ONCE: usize = 16 << 20;
/// The most files that are asked for at once.
const FILES: usize = 2_000;
/// The most that a pattern may be compiled to, in bytes. A line costs at most its length times this.
const PATTERN: usize = 256 << 10;
/// So much of a line is looked at, in bytes.
const LINE: usize = 4_000;
/// The most lines that are kept; those beyond are only counted.
const LINES: usize = 1_000;
/// After so long it ends with what it has.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lines of the commit's text files that match, `path:line:text`.
pub(super) async fn search(git: &Git, commit: &str, pattern: &str, path: &str) -> Result<String, String> {
    let pattern = compiled(pattern)?;
    let folder = match path.trim_matches('/') {
        "." => "",
        folder => folder,
    };
    let files: Vec<(String, String)> = git
        .ls_tree(commit)
        .await
        .map_err(words)?
        .into_iter()
        .filter(|entry| matches!(entry.mode, 0o100_644 | 0o100_755))
        .filter_map(|entry| Some((String::from_utf8(entry.path).ok()?, entry.id)))
        .filter(|(path, _)| is_below(path, folder))
        .collect();
    let ids: Vec<&str> = files.iter().map(|(_, id)| id.as_str()).collect();
    let sizes = git.sizes(&ids).await.map_err(words)?;
    let files: Vec<(String, String, usize)> = files
        .into_iter()
        .zip(sizes)
        .filter_map(|((path, id), size)| Some((path, id, size.filter(|size| *size <= MAX_FILE)?)))
        .collect();
    let mut found = Found::new();
    let mut rest = files.as_slice();
    while !rest.is_empty() && !found.late {
        let mut bytes = 0;
        let fits = |(_, _, size): &&(String, String, usize)| {
            bytes += size;
            bytes <= AT_ONCE
        };
        let (part, later) = rest.split_at(rest.iter().take(FILES).take_while(fits).count().max(1));
        rest = later;
        let ids: Vec<&str> = part.iter().map(|(_, id, _)| id.as_str()).collect();
        let contents = git.blobs(&ids, MAX_FILE, AT_ONCE).await.map_err(words)?;
        let paths = part.iter().map(|(path, _, _)| path.clone());
        let named: Vec<(String, Option<Vec<u8>>)> = paths.zip(contents).collect();
        let looking = pattern.clone();
        let looked = tokio::task::spawn_blocking(move || {
            for (path, content) in named {
                found.look(&path, &content.unwrap_or_default(), &looking);
            }
            found
        });
        found = looked.await.map_err(|error| one_line(&error.to_string(), 300))?;
    }
    Ok(found.told())
}

fn compiled(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(PATTERN)
        .dfa_size_limit(8 * PATTERN)
        .nest_limit(50)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                "the pattern is too large; repeat less in it, or search for a part".to_owned()
            }
            error => format!(
                "the pattern is not a regular expression: {}",
                one_line(&error.to_string(), 300)
            ),
        })
}

struct Found {
    lines: Vec<String>,
    more: usize,
    began: Instant,
    late: bool,
}

impl Found {
    fn new() -> Self {
        Self {
            lines: Vec::new(),
            more: 0,
            began: Instant::now(),
            late: false,
        }
    }

    fn look(&mut self, path: &str, content: &[u8], pattern: &Regex) {
        if self.late || content.iter().take(8_000).any(|byte| *byte == 0) {
            return;
        }
        let text = String::from_utf8_lossy(content);
        for (at, line) in text.lines().enumerate() {
            if self.began.elapsed() > PATIENCE {
                self.late = true;
                return;
            }
            let part = &line[..line.floor_char_boundary(LINE)];
            if !pattern.is_match(part) {
                continue;
            }
            if self.lines.len() < LINES {
                self.lines
                    .push(format!("{path}:{}:{}", at + 1, one_line_keeping_indent(part)));
            } else {
                self.more += 1;
            }
        }
    }

    fn told(self) -> String {
        let mut text = match self.lines.len() {
            0 => "no line matches\n".to_owned(),
            _ => bounded(self.lines),
        };
        if self.more > 0 {
            text.push_str(&format!("… and {} lines beyond those\n", self.more));
        }
        if self.late {
            text.push_str(&format!(
                "… stopped after {} s; search below a folder, or for something simpler\n",
                PATIENCE.as_secs()
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_repeats_without_measure_is_refused_before_it_costs_anything() {
        for bomb in [
            "(((a{255}){255}){255})",
            "(?:\\w{1000}){1000}",
            "((x{9}){9}){99999}",
        ] {
            assert!(compiled(bomb).unwrap_err().contains("too large"), "{bomb}");
        }
        assert!(compiled(&"(".repeat(1_000)).is_err());
        assert!(compiled(r"fn\s+(mean|median)\(").is_ok());
    }

    #[test]
    fn a_long_line_is_looked_at_in_part_and_many_hits_are_counted() {
        let mut found = Found::new();
        let line = format!("{}needle\n", "a".repeat(LINE));
        found.look("a", line.as_bytes(), &compiled("needle").unwrap());
        found.look(
            "b",
            "hit\n".repeat(LINES + 5).as_bytes(),
            &compiled("hit").unwrap(),
        );
        assert_eq!((found.lines.len(), found.more), (LINES, 5));
    }
}
