//! What the demo works on: a small repository with three real bugs, what people said about it, and the loop.
//!
//! The repository is real, and so is everything that happens to it. Only the answers of the model are a cassette,
//! written by hand, and whatever is made with it says so.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use loops::time::Timestamp;
use serde_json::Value;
use workers::git::{Git, GitError};

/// The repository's files.
static REPOSITORY: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/demo/repository");
/// Forty messages, one a line.
const FEEDBACK: &str = include_str!("../demo/feedback.jsonl");
/// What the model would have said.
const CASSETTE: &str = include_str!("../demo/cassette.json");
/// The loop.
const LOOP: &str = include_str!("../demo/feedback-to-fix.yaml");
/// The newest message is this old when the demo begins.
const NEWEST: std::time::Duration = std::time::Duration::from_secs(40 * 60);

/// Why the demo's folder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file could not be written.
    #[error("`{path}`: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Git could not make the repository.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Where things are.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The folder.
    pub folder: PathBuf,
    /// The cassette.
    pub cassette: PathBuf,
}

/// Lays everything out in `folder`, which must not be there yet or be empty. With `rehearse`, its settings make a
/// cassette answer in place of the models.
///
/// # Errors
/// If something cannot be written.
pub async fn lay_out(folder: &Path, rehearse: bool, now: Timestamp) -> Result<Stage, DemoError> {
    let cassette = folder.join("cassette.json");
    write(&folder.join(".loops/feedback-to-fix.yaml"), LOOP)?;
    write(&folder.join("feedback.jsonl"), &redated(now))?;
    write(&cassette, CASSETTE)?;
    write(
        &folder.join("loops.yaml"),
        if rehearse { REHEARSED } else { LIVE },
    )?;
    repository(folder).await?;
    Ok(Stage {
        folder: folder.to_owned(),
        cassette,
    })
}

const REHEARSED: &str = "\
# The settings of this demo.
state: state
models:
  # A cassette answers in place of the models. Take this line out, and set ANTHROPIC_API_KEY, for the real thing.
  play: cassette.json
";

const LIVE: &str = "\
# The settings of this demo. The key is read from the environment: ANTHROPIC_API_KEY.
state: state
";

/// `shop.git`, as a server would have it, and `shop`, a clone to look at.
async fn repository(folder: &Path) -> Result<(), DemoError> {
    let work = folder.join("shop");
    for file in files(&REPOSITORY) {
        write(&work.join(file.path()), file.contents_utf8().unwrap_or_default())?;
    }
    let (origin, clone) = (folder.join("shop.git"), work.join(".git"));
    let (origin_path, clone_path) = (origin.display().to_string(), clone.display().to_string());
    let nowhere = Git::nowhere();
    nowhere
        .run(&["init", "--quiet", "--bare", "--initial-branch=main", &origin_path])
        .await?;
    nowhere
        .run(&["init", "--quiet", "--bare", "--initial-branch=main", &clone_path])
        .await?;
    let git = Git::at(&clone);
    git.run(&["config", "core.bare", "false"]).await?;
    let git = git.work_tree(&work);
    git.run(&["add", "--all"]).await?;
    let tree = git.line(&["write-tree"]).await?;
    let by = ("Shop", "shop@shop.example");
    let first = git
        .commit_tree(&tree, &[], "Sell mugs\n", by, 1_793_520_000)
        .await?;
    git.run(&["update-ref", "refs/heads/main", &first]).await?;
    git.run(&["remote", "add", "origin", "../shop.git"]).await?;
    git.run(&["push", "--quiet", &origin_path, "main:main"]).await?;
    git.run(&["fetch", "--quiet", &origin_path, "main:refs/remotes/origin/main"])
        .await?;
    git.run(&["config", "branch.main.remote", "origin"]).await?;
    git.run(&["config", "branch.main.merge", "refs/heads/main"])
        .await?;
    Ok(())
}

fn files<'a>(dir: &'a Dir<'a>) -> Vec<&'a include_dir::File<'a>> {
    dir.files().chain(dir.dirs().flat_map(files)).collect()
}

/// The messages, moved in time so that the newest one is from a while ago.
fn redated(now: Timestamp) -> String {
    let lines: Vec<Value> = FEEDBACK
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let at = |line: &Value| line.get("at").and_then(Value::as_str).and_then(Timestamp::parse);
    let newest = lines.iter().filter_map(at).max().unwrap_or(now);
    let shift = now.minus(NEWEST).0 - newest.0;
    lines
        .into_iter()
        .map(|mut line| {
            if let Some(at) = at(&line) {
                line["at"] = Value::from(Timestamp(at.0 + shift).to_string());
            }
            format!("{line}\n")
        })
        .collect()
}

fn write(path: &Path, text: &str) -> Result<(), DemoError> {
    let failed = |error| DemoError::File {
        path: path.to_owned(),
        error,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Cassette;

    #[test]
    fn the_messages_keep_their_distances_and_end_shortly_before_now() {
        let now = Timestamp(1_800_000_000_000);
        let text = redated(now);
        let times: Vec<i64> = text
            .lines()
            .map(|line| {
                Timestamp::parse(
                    serde_json::from_str::<Value>(line).unwrap()["at"]
                        .as_str()
                        .unwrap(),
                )
                .unwrap()
                .0
            })
            .collect();
        assert_eq!(times.len(), 40);
        assert_eq!(times.iter().max(), Some(&now.minus(NEWEST).0));
    }

    #[test]
    fn the_cassette_that_ships_is_one() {
        assert!(Cassette::parse(CASSETTE).is_ok());
    }
}
