//! `loops init --pr`: proposes a repository's first loops as one pull request. Nothing runs on the repository because of
//! it: loops are read from the base branch, so merging it is what lets them.
//!
//! It leaves nothing in the outbox, because nothing waits to be sent: whoever types it again looks for the branch and the
//! pull request first, and does what is missing.

mod files;
mod page;
mod propose;
mod which;

use std::path::Path;

use loops::{
    spec::{self, Allowance, LoopSpec},
    text::plain,
};
use serde_json::json;
use workers::git::Git;

use self::{
    page::{About, MARKER, Shown, TITLE, is_as_written},
    propose::{Proposed, loops_for, prefix},
    which::{place, repository},
};
use super::look::Look;
use crate::{
    cli::{CliError, Context, Exit, Format, run, specs},
    config::{Config, github::FullName},
    engine::{Definition, Home, Place},
    github::{EditPull, GitHubError, NewPull, Pull, PullState, Remedy, Repository},
    specs::FOLDER,
    store::loops as loop_rows,
};

/// The branch of the pull request.
const BRANCH: &str = "loops/start";

/// What was done about the pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Opened,
    Updated,
    Unchanged,
    /// Somebody pushed to it: it is theirs.
    Theirs,
    /// Somebody has written into its description, which stays as it is; `pushed`: its files are up to date.
    PageIsTheirs {
        pushed: bool,
    },
}

impl Done {
    fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated | Self::PageIsTheirs { pushed: true } => "updated",
            Self::Unchanged | Self::PageIsTheirs { pushed: false } => "unchanged",
            Self::Theirs => "left alone",
        }
    }
}

/// Proposes loops for `repo` (`owner/name`; none: the remote of the clone in this folder). `again`: although it was
/// refused before.
pub(super) async fn propose(context: &Context, repo: Option<&str>, again: bool) -> Result<Exit, CliError> {
    let config = context.config()?;
    let home = context.home().await?;
    let (name, repository) = repository(&home, repo)?;
    let place = place(&name)?;
    let facts = repository.facts().await?;
    let branch = facts.default_branch;
    if facts.archived || !facts.can_push {
        let why = if facts.archived {
            "it is archived"
        } else {
            "the login may not push to it"
        };
        return Err(CliError::usage(format!("nothing can be proposed to `{name}`")).why(why));
    }
    let found = repository.pull_of_branch(BRANCH).await?;
    let open = refuse_again(&name, found, again)?;
    context.out.note(format!("looking at `{branch}` of `{name}`"));
    let (mirror, base) = home.fetch(&place, &branch).await?;
    let git = Git::at(&mirror);
    has_none(&git, &base, &name, &branch).await?;
    let files = fitting(&home, &config, &git, &name, &branch, &base).await?;
    let shown = look_ahead(context, &config, &files).await?;
    let model = |alias: &str| {
        let known = config.models.find(alias).map(|(name, _)| name.to_string());
        format!("`{}`", known.unwrap_or_else(|| alias.to_owned()))
    };
    let page = page::page(
        &About {
            repository: &name.to_string(),
            branch: &branch,
            files: &format!("{}/blob/{BRANCH}/{FOLDER}", repository.page()),
            model: &model,
        },
        &shown,
    );
    let bringing = Bringing {
        home: &home,
        place: &place,
        repository: &repository,
        git: &git,
        mirror: &mirror,
        branch: &branch,
        base: &base,
        files: &files,
        page: &page,
    };
    let (done, pull) = bringing.bring(open).await?;
    tell(context, &config, &name, &shown, done, &pull);
    Ok(Exit::Done)
}

/// The pull request that is open already. Error: there was one, and people have answered it.
fn refuse_again(name: &FullName, found: Option<Pull>, again: bool) -> Result<Option<Pull>, CliError> {
    let Some(pull) = found else { return Ok(None) };
    if !pull.body.contains(MARKER) {
        return Err(CliError::usage(format!(
            "the branch `{BRANCH}` of `{name}` stands for somebody else's pull request"
        ))
        .why(pull.url)
        .todo("close it and remove its branch, or write the loops by hand"));
    }
    match pull.state {
        PullState::Open => Ok(Some(pull)),
        PullState::Closed | PullState::Merged if again => Ok(None),
        PullState::Closed => Err(CliError::usage(format!("`{name}` has refused it before"))
            .why(format!("{} was closed without a merge", pull.url))
            .todo("if they want it now, type `loops init --pr --again`")),
        PullState::Merged => Err(CliError::usage(format!("`{name}` has taken it already"))
            .why(format!("{} was merged", pull.url))
            .todo("`loops init --pr --again` proposes loops anew if they are gone")),
    }
}

/// Error: the base branch has loops, and those are not ours to change.
async fn has_none(git: &Git, base: &str, name: &FullName, branch: &str) -> Result<(), CliError> {
    let there = git.ls_folder(base, FOLDER).await.map_err(trouble)?;
    let loops = there
        .iter()
        .filter(|(entry, _)| entry.path.ends_with(b".yaml") || entry.path.ends_with(b".yml"))
        .count();
    if loops == 0 {
        return Ok(());
    }
    Err(
        CliError::usage(format!("`{name}` has loops in `{FOLDER}` on `{branch}` already")).todo(
            "change them like any other code; `loops validate` checks those of repositories in the settings",
        ),
    )
}

/// The loops that fit the base commit.
async fn fitting(
    home: &Home,
    config: &Config,
    git: &Git,
    name: &FullName,
    branch: &str,
    base: &str,
) -> Result<Vec<Proposed>, CliError> {
    let top = tempfile::tempdir().map_err(|error| CliError::new("no folder could be made").why(error))?;
    files::glimpse(git, base, top.path()).await.map_err(trouble)?;
    let look = Look::of_files(top.path(), branch.to_owned(), None);
    // A name that another repository's loop has would be refused.
    let taken = loop_rows::list(&home.store).await?;
    let others = |start: &str| {
        taken.iter().any(|row| {
            row.name.starts_with(&format!("{start}-")) && row.spec["repo"].as_str() != Some(&name.to_string())
        })
    };
    let short = prefix(&name.name);
    let start = if others(&short) {
        prefix(&format!("{}-{}", name.owner, name.name))
    } else {
        short
    };
    let limits: &Allowance = &config.github.limits;
    Ok(loops_for(name, &start, &look, limits))
}

/// What each loop would do first, worked out on a copy of the state.
async fn look_ahead(context: &Context, config: &Config, files: &[Proposed]) -> Result<Vec<Shown>, CliError> {
    let known = specs::known(&config.models);
    let folder = tempfile::tempdir().map_err(|error| CliError::new("no folder could be made").why(error))?;
    let mut shown = Vec::new();
    for one in files {
        let spec: LoopSpec = spec::read(&one.file, &one.text, &known).map_err(|errors| {
            let errors = spec::render(&errors, &one.text, false);
            CliError::usage(format!("no loop can be written for it\n\n{}", errors.trim_end()))
        })?;
        let path = folder.path().join(&one.file);
        std::fs::write(&path, &one.text)
            .map_err(|error| CliError::new("no file could be written").why(error))?;
        let definition = Definition {
            version: spec::version(&spec),
            spec: std::sync::Arc::new(spec),
            path,
            repository: None,
        };
        run::refuse_what_is_not_there(&definition)?;
        context
            .out
            .note(format!("trying `{}` without a model", definition.spec.name));
        let first = context.look_ahead(&definition).await.map_err(|error| error.what);
        shown.push(Shown {
            file: one.file.clone(),
            spec: LoopSpec::clone(&definition.spec),
            first,
        });
    }
    Ok(shown)
}

/// What is brought to GitHub, and where.
struct Bringing<'a> {
    home: &'a Home,
    place: &'a Place,
    repository: &'a Repository,
    git: &'a Git,
    mirror: &'a Path,
    branch: &'a str,
    base: &'a str,
    files: &'a [Proposed],
    page: &'a str,
}

impl Bringing<'_> {
    async fn bring(&self, open: Option<Pull>) -> Result<(Done, Pull), CliError> {
        let there = self.repository.branch_head(BRANCH).await?;
        let ours = match &there {
            Some(head) => self.is_ours(head).await?,
            None => None,
        };
        match (open, there, ours) {
            (Some(pull), Some(_), None) => Ok((Done::Theirs, pull)),
            (None, Some(head), None) => Err(CliError::usage(format!(
                "somebody else's work is on the branch `{BRANCH}` of `{}`",
                self.repository.full_name()
            ))
            .why(format!("it is at {}", &head[..12.min(head.len())]))
            .todo("remove the branch, or open a pull request for it by hand")),
            (Some(pull), Some(_), Some(true)) => self.renew(pull, false).await,
            (open, there, _) => {
                let message = format!(
                    "{TITLE}\n\nNothing runs before this is merged; what it would do is in the pull request."
                );
                let head = files::commit(self.git, self.base, self.files, &message)
                    .await
                    .map_err(trouble)?;
                self.repository
                    .push(self.mirror, BRANCH, &head, there.as_deref())
                    .await?;
                match open {
                    Some(pull) => self.renew(pull, true).await,
                    None => self.open().await,
                }
            }
        }
    }

    /// Whether the branch is at a commit that we made of the same files; none: it is somebody else's.
    async fn is_ours(&self, head: &str) -> Result<Option<bool>, CliError> {
        let (_, fetched) = self.home.fetch(self.place, BRANCH).await?;
        if fetched != head {
            return Err(
                CliError::new(format!("the branch `{BRANCH}` is being pushed to")).todo("type it again")
            );
        }
        files::is_of(self.git, head, self.files).await.map_err(trouble)
    }

    async fn open(&self) -> Result<(Done, Pull), CliError> {
        let new = NewPull {
            title: TITLE.to_owned(),
            body: self.page.to_owned(),
            head: BRANCH.to_owned(),
            base: self.branch.to_owned(),
            draft: false,
        };
        match self.repository.open_pull(&new).await {
            Ok(pull) => Ok((Done::Opened, pull)),
            // It may have been opened all the same: looked for, never repeated.
            Err(error) if error.remedy() == Remedy::Look || matches!(error, GitHubError::Exists { .. }) => {
                let found = self.repository.pull_of_branch(BRANCH).await?;
                let ours = found.filter(|pull| pull.state == PullState::Open && pull.body.contains(MARKER));
                ours.map(|pull| (Done::Opened, pull))
                    .ok_or_else(|| CliError::from(error).todo("type it again: it looks first"))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn renew(&self, pull: Pull, pushed: bool) -> Result<(Done, Pull), CliError> {
        // GitHub keeps line ends in its own way.
        let same = pull.body.replace("\r\n", "\n").trim() == self.page.trim();
        if same {
            return Ok((if pushed { Done::Updated } else { Done::Unchanged }, pull));
        }
        // The dry run says something else each day: what a maintainer wrote would go with the first one.
        if !is_as_written(&pull.body) {
            return Ok((Done::PageIsTheirs { pushed }, pull));
        }
        let edit = EditPull {
            body: Some(self.page.to_owned()),
            ..EditPull::default()
        };
        let pull = self.repository.edit_pull(pull.number, &edit).await?;
        Ok((Done::Updated, pull))
    }
}

fn trouble(error: workers::git::GitError) -> CliError {
    CliError::new("the repository could not be read").why(error)
}

fn tell(context: &Context, config: &Config, name: &FullName, shown: &[Shown], done: Done, pull: &Pull) {
    let listed = config.github.repositories.contains(name);
    if context.out.format == Format::Json {
        let loops: Vec<_> = shown
            .iter()
            .map(|one| json!({ "file": format!("{FOLDER}/{}", one.file), "loop": one.spec.name, "first": one.first.as_ref().ok() }))
            .collect();
        context.out.json(&json!({
            "repository": name.to_string(),
            "pull_request": { "number": pull.number, "url": pull.url },
            "done": done.word().replace(' ', "_"),
            "listed": listed,
            "loops": loops,
        }));
        return;
    }
    let out = context.out;
    out.line(format!("{}  {}", done.word(), plain(&pull.url)));
    if done == Done::Theirs {
        out.line("somebody has pushed to its branch: it is theirs now, and stays as it is");
    }
    if let Done::PageIsTheirs { .. } = done {
        out.line("somebody has written into its description, which stays as it is; below is what it would say today");
    }
    for one in shown {
        let first = match &one.first {
            Ok(plan) => format!(
                "{} would be looked at first",
                crate::cli::report::count(plan.tasks, "finding")
            ),
            Err(why) => format!("could not be tried: {}", plain(why)),
        };
        out.line(format!("  {}  {first}", one.spec.name));
    }
    out.line("nothing runs there before it is merged");
    if !listed {
        out.line(format!(
            "then list it in loops.yaml, and `loops serve` takes it up:\n\n  github:\n    repositories: [{name}]\n"
        ));
    }
}

#[cfg(test)]
mod tests;
