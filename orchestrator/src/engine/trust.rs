//! Whose words may lead to code. Who has write access is asked of GitHub, never taken from a text; what cannot be asked
//! counts as no.

use std::collections::BTreeMap;

use loops::{
    signal::Voice,
    spec::{RepoForm, Triage},
};

use super::{Home, Place};
use crate::{
    github::{GitHubError, Permission},
    store::signals::Kept,
};

/// Sources in which anyone may write, by how their names begin.
const PUBLIC: [&str; 4] = ["github:", "json:", "rss:", "webhook:"];

/// How many authors of one finding are asked about, newest words first.
const ASKED: usize = 50;

/// Why a finding with these signals leads to no code, whatever it is about.
pub(crate) async fn held_back(home: &Home, triage: &Triage, said: &[Kept]) -> Option<String> {
    if let Some(why) = untrusted(home, triage, said).await {
        return Some(why);
    }
    let flagged = said.iter().filter(|kept| !kept.flags.is_empty()).count();
    (triage.hold_flagged && flagged > 0)
        .then(|| "held back: a report holds a known form of prompt injection; look at it first".to_owned())
}

async fn untrusted(home: &Home, triage: &Triage, said: &[Kept]) -> Option<String> {
    let on_github = |kept: &&Kept| kept.signal.source.starts_with("github:");
    let anyone_writes = said
        .iter()
        .filter(|kept| PUBLIC.iter().any(|public| kept.signal.source.starts_with(public)))
        .any(|kept| kept.signal.voice == Voice::Person);
    if triage.trust.wanted(anyone_writes) == 0 {
        return None;
    }
    let mut known: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for kept in said.iter().filter(on_github).rev() {
        let Some(author) = kept.signal.author.as_deref() else {
            continue;
        };
        let who = (kept.signal.source.as_str(), author);
        if known.contains_key(&who) || known.len() >= ASKED {
            continue;
        }
        match writes(home, who.0, author).await {
            Ok(writes) => known.insert(who, writes),
            Err(error) => {
                return Some(format!(
                    "report only: who has write access could not be asked: {error}"
                ));
            }
        };
    }
    let authors = said.iter().filter_map(|kept| {
        let author = kept.signal.author.as_deref()?;
        let writes = known.get(&(kept.signal.source.as_str(), author));
        Some((author, writes.copied().unwrap_or(false)))
    });
    triage.trust.report_only(authors, anyone_writes)
}

/// Whether GitHub says that `author` has write access to the repository that `source` (`github:owner/name`) is.
async fn writes(home: &Home, source: &str, author: &str) -> Result<bool, super::EngineError> {
    let name = source.strip_prefix("github:").unwrap_or(source);
    if !matches!(RepoForm::parse(name), Some(RepoForm::GitHub { .. })) {
        return Ok(false);
    }
    let Some(repository) = home.on_github(&Place::parse(name))? else {
        return Ok(false);
    };
    match repository.permission(author).await {
        Ok(permission) => Ok(permission >= Permission::Write),
        // An account that is gone has no access to anything.
        Err(GitHubError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
