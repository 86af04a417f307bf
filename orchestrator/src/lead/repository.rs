//! What the lead agent may see of the repository: the base commit, through git's own plumbing. Nothing is checked
//! out and nothing of the repository is run or followed, so it needs no sandbox.

use loops::text::one_line;
use workers::git::{Git, GitError};

/// The most bytes of one answer.
const MAX_ANSWER: usize = 24_000;

/// The repository at one commit, to look at.
#[derive(Debug, Clone)]
pub(super) struct Repository {
    pub(super) git: Git,
    pub(super) commit: String,
}

impl Repository {
    /// Lines `from..from + count` of a file (from 1), numbered.
    pub(super) async fn read(&self, path: &str, from: usize, count: usize) -> Result<String, String> {
        let bytes = self
            .git
            .show_file(&self.commit, path)
            .await
            .map_err(words)?
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

    /// Lines that match an extended regular expression, below a path.
    pub(super) async fn search(&self, pattern: &str, path: &str) -> Result<String, String> {
        let scope = if path.is_empty() { "." } else { path };
        let args = [
            "grep",
            "-n",
            "-I",
            "-E",
            "--full-name",
            "--max-depth=-1",
            "-e",
            pattern,
            &self.commit,
            "--",
            scope,
        ];
        match self
            .git
            .clone()
            .env("GIT_LITERAL_PATHSPECS", "1")
            .run(&args)
            .await
        {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let prefix = format!("{}:", self.commit);
                Ok(bounded(
                    text.lines()
                        .map(|line| line.strip_prefix(&prefix).unwrap_or(line).to_owned())
                        .collect(),
                ))
            }
            // Git says nothing and ends with 1 where no line matches.
            Err(GitError::Failed { message, .. }) if message == "exit code 1" => {
                Ok("no line matches".to_owned())
            }
            Err(error) => Err(words(error)),
        }
    }

    /// Paths below a folder.
    pub(super) async fn list(&self, path: &str) -> Result<String, String> {
        let folder = path.trim_matches('/');
        let entries = self.git.ls_tree(&self.commit).await.map_err(words)?;
        let paths: Vec<String> = entries
            .iter()
            .map(|entry| String::from_utf8_lossy(&entry.path).into_owned())
            .filter(|path| {
                folder.is_empty()
                    || path
                        .strip_prefix(folder)
                        .is_some_and(|rest| rest.starts_with('/') || rest.is_empty())
            })
            .collect();
        if paths.is_empty() {
            Err(format!("there is nothing below `{folder}`"))
        } else {
            Ok(bounded(paths))
        }
    }
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
