//! Reads the sources of a loop. What a source gave and how far it was read are written in one transaction, so
//! nothing is read twice and nothing is lost.

mod keep;

use std::path::{Component, Path, PathBuf};

use loops::{
    id::RunId,
    run::Event,
    spec::{GithubActions, GithubIssues, GithubPulls, PathSource, SlackSource, Source},
    text::one_line,
};

pub(super) use self::keep::{Rules, keep_in};
use super::{Definition, EngineError, Progress, Running};
use crate::{
    clock,
    feeds::{Feed, Feeds},
    github::Repository,
    local::{self, Batch},
    slack::Slack,
    store::{Store, cursors},
};

/// How many unreadable lines are told of; the rest is counted.
const TOLD: usize = 3;

/// What reading a source gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// How many signals were new or edited.
    pub new: u32,
    /// What could not be read, with reasons; the first few, and how many more.
    pub skipped: Vec<String>,
}

impl Running {
    pub(crate) async fn collect(&self) -> Result<(), EngineError> {
        // What is sent to a webhook has come in by itself.
        let read = |source: &&Source| !matches!(source, Source::Webhook(_));
        for source in self.spec().sources.iter().filter(read) {
            let reader = self.reader(source)?;
            let read = take_in(
                &self.engine.home.store,
                &self.spec().name,
                Some(self.id),
                &reader,
                &Rules::of(self.spec())?,
            )
            .await?;
            self.tell(Progress::Read {
                source: reader.name(),
                new: read.new,
                skipped: read.skipped,
            });
        }
        self.happen(Event::Collected).await
    }

    fn reader(&self, source: &Source) -> Result<Reader, EngineError> {
        let on_github = || {
            let place = self.definition.place();
            let there = self.engine.home.on_github(&place)?;
            there.ok_or_else(|| EngineError::NotYet(format!("reading GitHub for the folder `{place}`")))
        };
        Ok(match source {
            Source::File(file) => {
                let folder = self.definition.folder();
                Reader::File(from_folder(&folder, &folder, &file.path), folder)
            }
            Source::GithubIssues(issues) => Reader::Issues(on_github()?, issues.clone()),
            Source::GithubPulls(pulls) => Reader::Pulls(on_github()?, pulls.clone()),
            Source::GithubActions(actions) => {
                Reader::Actions(on_github()?, actions.clone(), self.spec().base.clone())
            }
            Source::Slack(slack) => {
                let there = self.engine.home.slack.clone();
                Reader::Slack(there.ok_or(EngineError::NoSlack)?, slack.clone())
            }
            other => {
                let feed = Feed::of(other)
                    .ok_or_else(|| EngineError::NotYet(format!("the source `{}`", other.key())))?;
                let feeds = self.engine.home.feeds.clone();
                let feeds = feeds.ok_or_else(|| EngineError::NotYet("reading documents".to_owned()))?;
                Reader::Feed(feeds, Box::new(feed), self.definition.folder())
            }
        })
    }
}

/// A source that is to be read.
enum Reader {
    /// A file or a folder, by a path from the spec's folder.
    File(PathSource, PathBuf),
    /// Issues on GitHub.
    Issues(Repository, GithubIssues),
    /// Channels of Slack.
    Slack(Slack, SlackSource),
    /// People's pull requests on GitHub.
    Pulls(Repository, GithubPulls),
    /// Workflow runs on GitHub, of these branches or the base.
    Actions(Repository, GithubActions, String),
    /// Documents; paths count from the spec's folder.
    Feed(Feeds, Box<Feed>, PathBuf),
}

impl Reader {
    /// What its cursor is kept under, and what people are told.
    fn name(&self) -> String {
        match self {
            Self::File(file, _) => format!("file:{}", file.path),
            Self::Feed(_, feed, _) => feed.name(),
            Self::Issues(repository, issues) if issues.labels.is_empty() => {
                format!("github_issues:{}", repository.full_name())
            }
            Self::Issues(repository, issues) => {
                format!(
                    "github_issues:{} {}",
                    repository.full_name(),
                    issues.labels.join(",")
                )
            }
            Self::Slack(_, slack) => format!("slack:{}", slack.channels.join(",")),
            Self::Pulls(repository, pulls) => {
                let filters = [&pulls.labels[..], &pulls.bases[..]].concat();
                let name = format!("github_pulls:{} {}", repository.full_name(), filters.join(","));
                name.trim_end().to_owned()
            }
            Self::Actions(repository, actions, _) if actions.workflows.is_empty() => {
                format!("github_actions:{}", repository.full_name())
            }
            Self::Actions(repository, actions, _) => {
                format!(
                    "github_actions:{} {}",
                    repository.full_name(),
                    actions.workflows.join(",")
                )
            }
        }
    }

    async fn read(&self, cursor: Option<String>) -> Result<Batch, EngineError> {
        match self {
            Self::File(file, folder) => read_file(self.name(), file, folder, cursor).await,
            Self::Issues(repository, issues) => Ok(repository.read_issues(issues, cursor.as_deref()).await?),
            Self::Slack(slack, source) => Ok(slack.read_channels(source, cursor.as_deref()).await?),
            Self::Pulls(repository, pulls) => Ok(repository.read_pulls(pulls, cursor.as_deref()).await?),
            Self::Actions(repository, actions, base) => {
                Ok(repository.read_actions(actions, base, cursor.as_deref()).await?)
            }
            Self::Feed(feeds, feed, folder) => {
                feeds
                    .read(feed, folder, cursor.as_deref())
                    .await
                    .map_err(|error| EngineError::Source {
                        source_name: feed.name(),
                        why: error.to_string(),
                    })
            }
        }
    }
}

/// Takes in signals for a loop without a run: from `path`, as typed in the folder `here`.
///
/// # Errors
/// If the source cannot be read at all.
pub async fn import(
    store: &Store,
    definition: &Definition,
    path: &str,
    here: &Path,
) -> Result<Read, EngineError> {
    let (spec, folder) = (&definition.spec, definition.folder());
    let file = Reader::File(from_folder(&folder, here, path), folder);
    take_in(store, &spec.name, None, &file, &Rules::of(spec)?).await
}

/// `path`, as typed in `here`, as one would type it in `folder`: one file has one name, however it is spelled, so
/// that nothing is read twice.
fn from_folder(folder: &Path, here: &Path, path: &str) -> PathSource {
    let whole = |path: PathBuf| path.canonicalize().unwrap_or(path);
    let (folder, mut to) = (whole(folder.to_owned()), whole(here.to_owned()));
    for part in Path::new(path).components() {
        match part {
            Component::RootDir | Component::Prefix(_) => to = PathBuf::from("/"),
            Component::ParentDir => drop(to.pop()),
            Component::Normal(name) => to.push(name),
            Component::CurDir => {}
        }
    }
    let to = whole(to);
    let common = folder
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = folder.components().skip(common).map(|_| "..".into());
    let down = to
        .components()
        .skip(common)
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    PathSource {
        path: up.chain(down).collect::<Vec<String>>().join("/"),
    }
}

async fn take_in(
    store: &Store,
    name: &str,
    run: Option<RunId>,
    reader: &Reader,
    rules: &Rules<'_>,
) -> Result<Read, EngineError> {
    let source = reader.name();
    let mut read = Read {
        new: 0,
        skipped: Vec::new(),
    };
    let mut all_skipped = 0;
    loop {
        let cursor = cursors::get(store, name, &source).await?;
        let batch = reader.read(cursor.clone()).await?;
        for skip in batch.skipped.iter().take(TOLD - read.skipped.len()) {
            read.skipped.push(format!(
                "{}: {}",
                one_line(&skip.place, 120),
                one_line(&skip.why, 160)
            ));
        }
        all_skipped += batch.skipped.len();
        if cursor.as_deref() != Some(&batch.cursor)
            || !batch.signals.is_empty()
            || !batch.deleted.is_empty()
            || !batch.gone.is_empty()
            || !batch.whole.is_empty()
        {
            read.new += keep(store, name, run, &source, &batch, rules).await?;
        }
        if !batch.more {
            break;
        }
    }
    if all_skipped > read.skipped.len() {
        read.skipped
            .push(format!("and {} more", all_skipped - read.skipped.len()));
    }
    Ok(read)
}

async fn read_file(
    source: String,
    file: &PathSource,
    folder: &Path,
    cursor: Option<String>,
) -> Result<Batch, EngineError> {
    let (file, folder) = (file.clone(), folder.to_owned());
    // Large exports take a while to read, and reading files waits.
    tokio::task::spawn_blocking(move || local::read(&file, &folder, cursor.as_deref()))
        .await
        .map_err(|panic| EngineError::Record(panic.to_string()))?
        .map_err(|error| EngineError::Source {
            source_name: source,
            why: error.to_string(),
        })
}

/// Keeps what a batch brought, with its cursor, and counts anew what it took from findings. Gives how many signals
/// were new or edited.
async fn keep(
    store: &Store,
    name: &str,
    run: Option<RunId>,
    source: &str,
    batch: &Batch,
    rules: &Rules<'_>,
) -> Result<u32, EngineError> {
    let mut tx = store.begin().await?;
    let new = keep_in(&mut tx, name, run, source, batch, rules).await?;
    cursors::put(&mut tx, name, source, &batch.cursor, clock::now()).await?;
    tx.commit().await?;
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_one_name_however_it_is_spelled() {
        let folder = tempfile::tempdir().unwrap();
        let specs = folder.path().join(".loops");
        std::fs::create_dir(&specs).unwrap();
        std::fs::write(folder.path().join("feedback.jsonl"), "").unwrap();
        let whole = folder.path().join("feedback.jsonl").display().to_string();
        let typed = [
            (&*specs, "../feedback.jsonl"),
            (folder.path(), "./feedback.jsonl"),
            (folder.path(), &*whole),
        ];
        for (here, path) in typed {
            assert_eq!(
                from_folder(&specs, here, path).path,
                "../feedback.jsonl",
                "{path}"
            );
        }
        assert_eq!(
            from_folder(&specs, folder.path(), "reports/*.jsonl").path,
            "../reports/*.jsonl"
        );
    }
}
