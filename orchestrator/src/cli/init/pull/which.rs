//! Which repository loops are to be proposed to: the one that was typed, or the remote of the clone in this folder.

use std::path::Path;

use loops::{spec::RepoForm, text::plain};

use crate::{
    cli::{CliError, init::look::Look},
    config::github::FullName,
    engine::{Home, Place},
    github::Repository,
};

/// Which repository is meant, and the way to it.
pub(super) fn repository(home: &Home, repo: Option<&str>) -> Result<(FullName, Repository), CliError> {
    let Some(hub) = &home.hub else {
        return Err(CliError::usage("there is no login to GitHub")
            .todo("set `GITHUB_TOKEN`, or write `github:` in loops.yaml; `loops doctor` looks at it"));
    };
    let name = match repo {
        Some(text) => FullName::parse(text).ok_or_else(|| {
            CliError::usage(format!("`{}` is not a repository", plain(text))).todo("write `owner/name`")
        })?,
        None => {
            let remote = Look::remote_of(Path::new("."));
            let site = hub.repository("a", "b")?.page();
            let site = site.trim_end_matches("/a/b");
            remote
                .as_deref()
                .and_then(|url| of_remote(url, site))
                .ok_or_else(|| {
                    CliError::usage("which repository is meant cannot be seen here")
                        .why(format!(
                            "{} on {site}",
                            remote.map_or_else(
                                || "this folder has no remote `origin`".to_owned(),
                                |url| format!("the remote `{}` is no repository", plain(&url))
                            )
                        ))
                        .todo("say it with `--repo owner/name`")
                })?
        }
    };
    let repository = hub.repository(&name.owner, &name.name)?;
    Ok((name, repository))
}

/// The repository that a remote's address names, if it is on that site.
pub(super) fn of_remote(url: &str, site: &str) -> Option<FullName> {
    let host = |text: &str| {
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        text.split('/').next().unwrap_or_default().to_owned()
    };
    let (at, path) = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?,
        // `git@host:owner/name.git`
        None => url.split_once(':')?,
    };
    let at = at.rsplit('@').next()?;
    let (there, here) = (at, host(site));
    // Over SSH the port is another one, or none.
    let same = there == here || there.split(':').next() == here.split(':').next();
    let path = path.trim_matches('/');
    FullName::parse(path.strip_suffix(".git").unwrap_or(path)).filter(|_| same)
}

/// The place that a loop names so.
pub(super) fn place(name: &FullName) -> Result<Place, CliError> {
    match RepoForm::parse(&name.to_string()) {
        Some(RepoForm::GitHub { owner, name }) => Ok(Place::GitHub { owner, name }),
        _ => Err(CliError::usage(format!("a loop cannot name `{name}`"))),
    }
}
