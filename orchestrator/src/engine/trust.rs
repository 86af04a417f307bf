//! Whose words may lead to code. Who has write access is asked of GitHub, never taken from a text; what cannot be asked
//! counts as no.

use std::collections::BTreeMap;

use loops::{
    signal::{Signal, Voice},
    spec::{LoopSpec, RepoForm, Standing},
};

use super::{Home, Place};
use crate::{
    github::{GitHubError, Permission},
    store::signals::Kept,
};

/// How many authors of one finding are asked about, newest words first.
const ASKED: usize = 50;

/// Somebody on GitHub, and the repository that they may or may not write to: `github:owner/name`.
type Who<'a> = (&'a str, &'a str);

/// Why a finding with these signals leads to no code, whatever it is about.
pub(crate) async fn held_back(home: &Home, spec: &LoopSpec, said: &[Kept]) -> Option<String> {
    if let Some(why) = untrusted(home, spec, said).await {
        return Some(why);
    }
    let flagged = said.iter().filter(|kept| !kept.flags.is_empty()).count();
    (spec.triage.hold_flagged && flagged > 0)
        .then(|| "held back: a report holds a known form of prompt injection; look at it first".to_owned())
}

async fn untrusted(home: &Home, spec: &LoopSpec, said: &[Kept]) -> Option<String> {
    let trust = &spec.triage.trust;
    let anyone_writes = trust.anyone_writes(said.iter().map(|kept| &kept.signal));
    if trust.wanted(anyone_writes) == 0 {
        return None;
    }
    let mut known: BTreeMap<Who<'_>, bool> = BTreeMap::new();
    for kept in said.iter().rev() {
        let Some(who) = on_github(home, &spec.repo, &kept.signal) else {
            continue;
        };
        if known.contains_key(&who) || known.len() >= ASKED {
            continue;
        }
        match writes(home, who).await {
            Ok(writes) => known.insert(who, writes),
            Err(error) => {
                return Some(format!(
                    "report only: who has write access could not be asked: {error}"
                ));
            }
        };
    }
    let authors = said.iter().filter_map(|kept| {
        let signal = &kept.signal;
        if let Some(who) = on_github(home, &spec.repo, signal) {
            return Some((who.1, known.get(&who).copied().unwrap_or(false)));
        }
        let author = signal.author.as_deref()?;
        trust.believes_name(signal).then_some((author, false))
    });
    let why = trust.report_only(authors, anyone_writes)?;
    let stands = |standing| move |kept: &Kept| trust.standing(&kept.signal) == standing;
    let repeated = said.iter().any(stands(Standing::Repeated));
    Some(if repeated && !said.iter().any(stands(Standing::Anyone)) {
        format!("{why}, and users may have shaped what machines repeat (`triage.trust` can say otherwise)")
    } else {
        why
    })
}

/// Who wrote a signal, where GitHub can be asked about them: there they are called as they are, and of people in Slack
/// the settings say it by what Slack knows them by. A name in Slack is chosen, and proves nothing.
fn on_github<'a>(home: &'a Home, repo: &'a str, signal: &'a Signal) -> Option<Who<'a>> {
    if signal.voice != Voice::Person {
        return None;
    }
    let source = signal.source.as_str();
    if source.starts_with("github:") {
        return Some((source, signal.author.as_deref()?));
    }
    if !source.starts_with("slack:") {
        return None;
    }
    let login = home.slack.as_ref()?.login_of(signal.account.as_deref()?)?;
    matches!(RepoForm::parse(repo), Some(RepoForm::GitHub { .. })).then_some((repo, login))
}

/// Whether GitHub says that somebody has write access to a repository, `owner/name`, with or without `github:`.
async fn writes(home: &Home, (repository, login): Who<'_>) -> Result<bool, super::EngineError> {
    let name = repository.strip_prefix("github:").unwrap_or(repository);
    if !matches!(RepoForm::parse(name), Some(RepoForm::GitHub { .. })) {
        return Ok(false);
    }
    let Some(repository) = home.on_github(&Place::parse(name))? else {
        return Ok(false);
    };
    match repository.permission(login).await {
        Ok(permission) => Ok(permission >= Permission::Write),
        // An account that is gone has no access to anything.
        Err(GitHubError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
