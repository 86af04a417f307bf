//! Carries out what is to leave for GitHub and for Slack. What, was decided in the transaction that wrote it down; here it is looked
//! for, made if it is not there, and noted as done. An effect that cannot be carried out now waits and is tried
//! again; it is never made twice, because whoever tries looks first.
//!
//! Branches in folders of this machine are made by the run itself ([`super::propose`]).

mod board;
mod branch;
mod dress;
mod end;
mod given_up;
mod pull;
mod say;
mod slack;
mod tell;
mod warn;

use std::{collections::BTreeMap, time::Duration};

use loops::{
    id::{AttemptId, ProposalId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{EngineError, Home, Place, error::Remedy, notify::SLACK, private::Private, propose::PutBranch};
use crate::{
    clock,
    github::{GitHubError, Repository},
    slack::SlackError,
    store::{
        Tx,
        outbox::{self, Effect},
        proposals::{self, Proposal},
    },
};

/// The first wait after an effect went wrong; it doubles from try to try.
const FIRST_WAIT: Duration = Duration::from_secs(15);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// How often it is looked in one go for what may have been done.
const LOOKS: u32 = 3;
/// How often what GitHub does not take is tried before it is given up: things there may change. An outage counts for
/// nothing here.
const GIVE_UP_AFTER: u32 = 12;
/// How many effects are looked at in one go.
const AT_ONCE: u32 = 1000;

/// What is to leave for GitHub besides a branch. The key of its row says which effect it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Outward {
    /// The proposal's pull request is to be there, with the page that the proposal has now.
    Pull {
        /// Whether to open it as a draft.
        draft: bool,
    },
    /// Labels and reviewers are to be on it.
    Dress {
        /// Labels.
        labels: Vec<String>,
        /// Who is asked to review: `@person` or `@organisation/team`.
        reviewers: Vec<String>,
    },
    /// What was proven is to stand at the commit.
    Status {
        /// The commit.
        head: String,
        /// The status's name.
        context: String,
        /// At most 140 characters.
        description: String,
    },
    /// It is to be merged.
    Merge {
        /// The commit that was approved.
        head: String,
        /// The base's commit for which it was proven.
        base: String,
    },
    /// It is to be closed, with words, and its branch taken away.
    Close {
        /// Why.
        words: String,
        /// The commit that its branch is at, if it is still ours.
        head: String,
    },
    /// The updating comment is to say this.
    News {
        /// Its edition; a later one takes the place of those before it.
        number: u32,
        /// What it says, Markdown, with its hidden marker.
        body: String,
    },
    /// An answer is to stand there, once.
    Say {
        /// The thread's first comment; none: under the pull request.
        thread: Option<u64>,
        /// The words, Markdown.
        words: String,
        /// Not before the branch has the change of this attempt.
        after: Option<AttemptId>,
    },
    /// It is to be said that it will be closed.
    Warn {
        /// When, and what keeps it.
        words: String,
    },
    /// Whoever reported something in an issue is to read this there. It is no proposal's.
    Tell {
        /// `owner/name`.
        repository: String,
        /// The issue.
        number: u64,
        /// The words, Markdown.
        words: String,
    },
    /// The dashboard issue of a repository is to be there, with this text. It is no proposal's.
    Board {
        /// Its text.
        body: String,
    },
}

pub(crate) use self::{
    end::goes_elsewhere,
    given_up::{failures, not_sent},
    pull::with,
};

/// How the keys of effects begin that are about the dashboard of a repository, which follows: `board:owner/name`.
pub(crate) const BOARD: &str = "board:";

/// How the keys of answers under a dashboard begin; the repository and the comment follow: `board_say:owner/name:7`.
pub(crate) const BOARD_SAY: &str = "board_say:";

/// How the keys of words under people's issues begin.
pub(crate) const ISSUE: &str = "issue:";

/// The key of an effect of a proposal: `what:P…:attempt`.
pub(crate) fn key(what: &str, proposal: ProposalId, which: &impl std::fmt::Display) -> String {
    format!("{what}:{proposal}:{which}")
}

/// How one try went.
enum Tried {
    /// It is done; the rows are to be written with it.
    Done,
    /// Something else has to be done first.
    NotYet,
    /// It will not be done any more, though it was wanted.
    GivenUp(String),
    /// Nobody wants it any more.
    Obsolete(String),
}

/// An effect that waits, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its key.
    pub key: String,
    /// Why it could not be carried out the last time.
    pub why: String,
    /// When it is tried next.
    pub next_at: Timestamp,
}

/// Carries out what is due, and gives what could not be. Whoever calls holds the state's lock; `at_once`: a person is
/// there, so that what went wrong lately is tried now, too.
///
/// # Errors
/// If the store cannot be read or written. What GitHub says ends single effects only.
pub async fn send(home: &Home, at_once: bool) -> Result<Vec<Waiting>, EngineError> {
    let _turn = home.sending.lock().await;
    let mut tried = BTreeMap::new();
    loop {
        let mut waiting = Vec::new();
        let mut again = false;
        for effect in outbox::pending(&home.store, AT_ONCE).await? {
            // Within one go an effect is tried once; it is looked for once more where nobody knows what became of it.
            let due = match tried.get(&effect.key) {
                None => at_once || effect.next_at <= clock::now(),
                Some(looks) => (1..LOOKS).contains(looks),
            };
            if !due {
                waiting.push(Waiting {
                    why: effect.why.clone().unwrap_or_default(),
                    key: effect.key,
                    next_at: effect.next_at,
                });
                continue;
            }
            match attempt(home, &effect).await {
                Ok(None | Some(Tried::NotYet)) => {}
                Ok(Some(Tried::Done)) => again = true,
                Ok(Some(Tried::GivenUp(why))) => given_up::give_up(home, &effect, &why).await?,
                Ok(Some(Tried::Obsolete(why))) => given_up::drop(home, &effect, &why).await?,
                Err(error @ EngineError::Store(_)) => return Err(error),
                Err(error) if is_hopeless(&effect, &error) => {
                    given_up::give_up(home, &effect, &error.to_string()).await?;
                }
                Err(error) => {
                    let unknown = matches!(
                        error,
                        EngineError::GitHub(GitHubError::Ambiguous { .. })
                            | EngineError::Slack(SlackError::Ambiguous { .. })
                    );
                    let looks = tried.entry(effect.key.clone()).or_insert(0);
                    *looks = if unknown { *looks + 1 } else { LOOKS };
                    again |= *looks < LOOKS;
                    waiting.push(put_off(home, &effect, &error).await?);
                }
            }
        }
        // One effect may have waited for another one.
        if !again {
            return Ok(waiting);
        }
    }
}

/// Whether it was refused so often that it is not tried any more. However often GitHub could not be asked before says
/// nothing of that.
fn is_hopeless(effect: &Effect, error: &EngineError) -> bool {
    error.remedy() == Remedy::GiveUp && effect.refusals >= GIVE_UP_AFTER
}

async fn put_off(home: &Home, effect: &Effect, error: &EngineError) -> Result<Waiting, EngineError> {
    let (now, why) = (clock::now(), error.to_string());
    let refused = error.remedy() == Remedy::GiveUp;
    let next_at = match error {
        EngineError::GitHub(GitHubError::RateLimited { until, .. })
        | EngineError::Slack(SlackError::RateLimited { until, .. }) => *until,
        // A person has to mend it, who does not do so within seconds.
        error if error.remedy() == Remedy::AskHuman => after(now, effect.tries.max(4)),
        // Whoever answers again after an outage is not asked as seldom as during it.
        _ if refused => after(now, effect.refusals),
        _ => after(now, effect.tries),
    };
    let mut tx = home.store.begin().await?;
    if refused {
        outbox::refused(&mut tx, &effect.key, &why, next_at).await?;
    } else {
        outbox::tried(&mut tx, &effect.key, &why, next_at).await?;
    }
    tx.commit().await?;
    tracing::info!(key = effect.key, why, %next_at, "an effect waits");
    Ok(Waiting {
        key: effect.key.clone(),
        why,
        next_at,
    })
}

/// When to try again what was tried in vain so often before.
fn after(now: Timestamp, tries: u32) -> Timestamp {
    let wait = FIRST_WAIT
        .saturating_mul(2_u32.saturating_pow(tries))
        .min(LONGEST_WAIT);
    Timestamp(
        now.0
            .saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)),
    )
}

/// Tries one effect; none: it is not for us.
async fn attempt(home: &Home, effect: &Effect) -> Result<Option<Tried>, EngineError> {
    if let Some(name) = effect.key.strip_prefix(BOARD) {
        let Outward::Board { body } = effect.effect()? else {
            return Ok(None);
        };
        return board::board(home, &effect.key, name, &body).await;
    }
    if effect.key.starts_with(ISSUE) {
        let Outward::Tell {
            repository,
            number,
            words,
        } = effect.effect()?
        else {
            return Ok(None);
        };
        return tell::tell(home, &effect.key, &repository, number, &words).await;
    }
    if effect.key.starts_with(SLACK) {
        return slack::say(home, effect).await;
    }
    if let Some(of) = effect.key.strip_prefix(BOARD_SAY) {
        let (name, Outward::Say { words, .. }) = (of.split(':').next().unwrap_or_default(), effect.effect()?)
        else {
            return Ok(None);
        };
        return board::say(home, &effect.key, name, &words).await;
    }
    let mut parts = effect.key.splitn(3, ':');
    let (Some(what), Some(Ok(proposal))) = (parts.next(), parts.next().map(str::parse)) else {
        return Ok(None);
    };
    let Some(proposal) = proposals::get(&home.store, proposal).await? else {
        return Ok(None);
    };
    let Some((repository, branch)) = target(home, &proposal).await? else {
        return Ok(None);
    };
    if proposal.state.is_over() && what != "close" {
        return Ok(Some(Tried::Obsolete(format!(
            "the proposal is {}",
            proposal.state
        ))));
    }
    let sending = Sending {
        home,
        key: &effect.key,
        proposal,
        repository,
    };
    if what == "branch" {
        return sending.branch(&effect.effect()?, &branch).await.map(Some);
    }
    let tried = match effect.effect::<Outward>()? {
        Outward::Pull { draft } => sending.pull(draft, &branch).await?,
        Outward::Dress { labels, reviewers } => sending.dress(&labels, &reviewers).await?,
        Outward::Status {
            head,
            context,
            description,
        } => sending.status(&head, context, description).await?,
        Outward::Merge { head, base } => sending.merge(&head, &base).await?,
        Outward::Close { words, head } => sending.close(&words, &head).await?,
        Outward::News { number, body } => sending.news(number, &body).await?,
        Outward::Say { thread, words, after } => sending.say(thread, &words, after).await?,
        Outward::Warn { words } => sending.warn(&words).await?,
        Outward::Board { .. } | Outward::Tell { .. } => return Ok(None),
    };
    Ok(Some(tried))
}

/// The repository on GitHub that a proposal is for, and the effect of its branch; none: it is for a folder.
pub(crate) async fn target(
    home: &Home,
    proposal: &Proposal,
) -> Result<Option<(Repository, Effect)>, EngineError> {
    let key = key("branch", proposal.id, &proposal.attempt);
    let Some(effect) = outbox::get(&home.store, &key).await? else {
        return Ok(None);
    };
    let place = Place::parse(&effect.effect::<PutBranch>()?.repository);
    Ok(home.on_github(&place)?.map(|repository| (repository, effect)))
}

/// One effect that is being tried.
struct Sending<'a> {
    home: &'a Home,
    key: &'a str,
    proposal: Proposal,
    repository: Repository,
}

impl Sending<'_> {
    /// Words as they may leave: without what was said in private.
    async fn held(&self, words: &str) -> Result<String, EngineError> {
        Ok(Private::of_proposal(&self.home.store, &self.proposal)
            .await?
            .hold(words))
    }

    /// A transaction in which the effect is done.
    async fn done(&self) -> Result<Tx, EngineError> {
        let mut tx = self.home.store.begin().await?;
        outbox::done(&mut tx, self.key, clock::now()).await?;
        Ok(tx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_wrong_again_and_again_is_tried_less_and_less_often_but_never_given_up() {
        let wait = |tries| after(Timestamp(0), tries).0 / 1000;
        assert_eq!([wait(0), wait(1), wait(2)], [15, 30, 60]);
        assert_eq!([wait(12), wait(400)], [3600, 3600]);
    }

    #[test]
    fn a_night_without_github_does_not_make_the_first_refusal_the_last_one() {
        let effect = |tries, refusals| Effect {
            key: "merge:P".to_owned(),
            effect: serde_json::Value::Null,
            state: outbox::EffectState::Pending,
            tries,
            refusals,
            why: None,
            next_at: Timestamp(0),
            decided_at: Timestamp(0),
            done_at: None,
        };
        let refused = EngineError::GitHub(GitHubError::Conflict {
            doing: "merge it".to_owned(),
            message: "a check is missing".to_owned(),
        });
        let outage = EngineError::GitHub(GitHubError::Unreachable {
            doing: "merge it".to_owned(),
            why: "502".to_owned(),
        });
        assert!(!is_hopeless(&effect(400, 0), &refused));
        assert!(!is_hopeless(&effect(400, GIVE_UP_AFTER - 1), &refused));
        assert!(is_hopeless(&effect(12, GIVE_UP_AFTER), &refused));
        assert!(!is_hopeless(&effect(12, GIVE_UP_AFTER), &outage));
    }
}
