//! What the lead agent may see of the repository: the base commit, through git's own plumbing. Nothing is checked
//! out and nothing of the repository is run or followed, so it needs no sandbox. What the lead asks for costs the
//! service bounded memory and time: one look at a time, files and patterns up to a size, a search up to a while.

mod search;

use std::sync::Arc;

use loops::text::one_line;
use tokio::sync::Mutex;
use workers::git::{Git, GitError};

/// The most bytes of one answer.
const MAX_ANSWER: usize = 24_000;
/// The most bytes of a file that is read.
const MAX_FILE: usize = 4 << 20;

/// The repository at one commit, to look at.
#[derive(Debug, Clone)]
pub(super) struct Repository {
    git: Git,
    commit: String,
    /// The calls of one message come at the same time; each look holds files and lists in memory.
    looking: Arc<Mutex<()>>,
}

impl Repository {
    /// The repository at this commit.
    pub(super) fn new(git: Git, commit: String) -> Self {
        Self {
            git,
            commit,
            looking: Arc::default(),
        }
    }

    /// Lines `from..from + count` of a file (from 1), numbered.
    pub(super) async fn read(&self, path: &str, from: usize, count: usize) -> Result<String, String> {
        let _turn = self.looking.lock().await;
        let bytes = self
            .git
            .show_file_up_to(&self.commit, path, MAX_FILE)
            .await
            .map_err(|error| match error {
                GitError::TooLarge { .. } => format!(
                    "`{}` is larger than {} MiB, and is not read; `search` looks at files up to {} MiB",
                    one_line(path, 200),
                    MAX_FILE >> 20,
                    search::MAX_FILE >> 20
                ),
                error => words(error),
            })?
            .ok_or_else(|| {
                format!(
                    "there is no file `{}`; `list` shows what is there",
                    one_line(path, 200)
                )
            })?;
        let text = String::from_utf8(bytes).map_err(|_| format!("`{path}` is not text"))?;
        let total = text.lines().count();
        let shown: Vec<String> = text
            .lines()
            .enumerate()
            .skip(from.saturating_sub(1))
            .take(count)
            .map(|(at, line)| format!("{:>5}\t{}", at + 1, one_line_keeping_indent(line)))
            .collect();
        let shown = bounded(shown);
        Ok(format!("{path}, {total} lines in all\n{shown}"))
    }

    /// Lines that match a regular expression, below a path.
    pub(super) async fn search(&self, pattern: &str, path: &str) -> Result<String, String> {
        let _turn = self.looking.lock().await;
        search::search(&self.git, &self.commit, pattern, path).await
    }

    /// Paths below a folder.
    pub(super) async fn list(&self, path: &str) -> Result<String, String> {
        let _turn = self.looking.lock().await;
        let folder = path.trim_matches('/');
        let entries = self.git.ls_tree(&self.commit).await.map_err(words)?;
        let paths: Vec<String> = entries
            .iter()
            .map(|entry| String::from_utf8_lossy(&entry.path).into_owned())
            .filter(|path| is_below(path, folder))
            .collect();
        if paths.is_empty() {
            Err(format!("there is nothing below `{folder}`"))
        } else {
            Ok(bounded(paths))
        }
    }
}

/// Whether a path is `folder` or below it; everything is below the empty one.
fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/') || rest.is_empty())
}

fn one_line_keeping_indent(line: &str) -> String {
    loops::text::plain(line).chars().take(400).collect()
}

/// Lines that fit an answer, with a word about the rest.
fn bounded(lines: Vec<String>) -> String {
    let total = lines.len();
    let mut text = String::new();
    for (at, line) in lines.into_iter().enumerate() {
        if text.len() + line.len() > MAX_ANSWER {
            text.push_str(&format!("… {} more lines; ask for less at once\n", total - at));
            break;
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn words(error: GitError) -> String {
    one_line(&error.to_string(), 300)
}
