//! What people answer to a proposal's message: a word in its thread, or a thumb. It counts from people alone of whom the
//! settings say who they are on GitHub and GitHub says that they may write to the repository. Whoever else says
//! something is read like everybody, where a loop reads the channel, and decides nothing.

use std::collections::BTreeSet;

use loops::text::one_line;

use super::{InSlack, key_of};
use crate::{
    clock,
    engine::{Answer, Answered, EngineError, Home, answer, outbox::target, talk},
    slack::{Answer as Word, Posted, quiet},
    store::{
        outbox,
        proposals::{self, Proposal, ProposalState},
        said,
    },
};

/// What came of an answer, for whoever watches.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The proposal that it was about.
    pub proposal: Proposal,
    /// What came of it, in words.
    pub what: String,
}

/// Hears what was answered to the messages of proposals that wait for a person. Whoever calls holds the state's lock.
///
/// # Errors
/// If the store cannot be read or written.
pub async fn hear_answers(home: &Home) -> Result<Vec<Told>, EngineError> {
    let Some(slack) = &home.slack else {
        return Ok(Vec::new());
    };
    let mut told = Vec::new();
    // What is approved and not merged yet can still be refused or sent back.
    let mut waiting = proposals::list(&home.store, None, Some(ProposalState::Open)).await?;
    waiting.extend(proposals::list(&home.store, None, Some(ProposalState::Approved)).await?);
    for proposal in waiting {
        let Some(message) = said::get(&home.store, &key_of(proposal.id)).await? else {
            continue;
        };
        let posted = Posted {
            channel: message.channel.clone(),
            ts: message.ts.clone(),
            words: None,
        };
        let answers = match slack.answers(&posted).await {
            Ok(answers) => answers,
            Err(error) => {
                tracing::info!(%error, "answers in Slack could not be read");
                continue;
            }
        };
        let known: BTreeSet<(String, String)> =
            said::answered(&home.store, &message).await?.into_iter().collect();
        for word in answers {
            let what = what(&word);
            if known.contains(&(word.ts.clone(), what.clone())) {
                continue;
            }
            let came_to = take(home, &proposal, &word).await?;
            let mut tx = home.store.begin().await?;
            let words = came_to.as_ref().map_or("nothing", |came_to| &came_to.what);
            said::answer(&mut tx, &message, &word.ts, &what, words, clock::now()).await?;
            if let Some(came_to) = came_to.as_ref().filter(|came_to| !came_to.done) {
                // Who has answered believes it done, and hears where they said it that it is not.
                let key = format!("{}:answer:{}:{what}", message.key, word.ts);
                let news = InSlack::News {
                    of: message.key.clone(),
                    words: quiet(&one_line(&came_to.what, 600)),
                    since: proposal.created_at,
                };
                outbox::put(&mut tx, &key, &news, clock::now()).await?;
            }
            tx.commit().await?;
            if let Some(CameTo { what, .. }) = came_to {
                told.push(Told {
                    proposal: proposal.clone(),
                    what,
                });
                // It may not wait for anybody any more.
                break;
            }
        }
    }
    Ok(told)
}

/// What an answer is known by.
fn what(word: &Word) -> String {
    match &word.reaction {
        Some(name) => format!("reaction:{}:{name}", word.user),
        None => "words".to_owned(),
    }
}

/// What came of an answer that counts.
struct CameTo {
    /// In words.
    what: String,
    /// Whether it is as they wanted it.
    done: bool,
}

/// Carries out what somebody answered; none: it decides nothing.
async fn take(home: &Home, proposal: &Proposal, word: &Word) -> Result<Option<CameTo>, EngineError> {
    let Some(wanted) = read(word) else {
        return Ok(None);
    };
    if proposal.state == ProposalState::Approved && wanted == Answer::Approve {
        return Ok(None);
    }
    let Some(login) = home.slack.as_ref().and_then(|slack| slack.login_of(&word.user)) else {
        return Ok(None);
    };
    // Only who may write there decides there; of a folder nobody can be asked.
    let Some((repository, _)) = target(home, proposal).await? else {
        return Ok(None);
    };
    match repository.permission(login).await {
        Ok(permission) if permission.writes() => {}
        Ok(_) | Err(crate::github::GitHubError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let who = format!("{} (in Slack)", talk::on_github(login));
    // A base that has moved asks for another proof, by the loop's own checks.
    let definition = match wanted {
        Answer::Approve => talk::definition(home, &proposal.loop_name).await?,
        _ => None,
    };
    let came_to = match answer(home, definition.as_ref(), proposal, &wanted, &who).await {
        Ok(answered) => of(&answered, &who),
        Err(error @ EngineError::Store(_)) => return Err(error),
        Err(error) => CameTo {
            what: format!("{who} answered, and it could not be done: {error}"),
            done: false,
        },
    };
    Ok(Some(came_to))
}

/// What became of an answer, in words.
fn of(answered: &Answered, who: &str) -> CameTo {
    let (what, done) = match answered {
        Answered::Merged { .. } | Answered::OnItsWay { .. } => (format!("approved by {who}"), true),
        Answered::Command { why, .. } => (format!("{who} approved it, and it is not merged: {why}"), false),
        Answered::DoesNotHold { why, .. } => (
            format!("{who} approved it, and it is neither approved nor merged: {why}"),
            false,
        ),
        Answered::SentBack(_) => (format!("sent back by {who}"), true),
        Answered::Refused { .. } => (format!("refused by {who}"), true),
    };
    CameTo { what, done }
}

/// What an answer says: its first word decides, the rest are the words of it. Anything else is talk.
fn read(word: &Word) -> Option<Answer> {
    let Some(words) = &word.words else {
        return match word.reaction.as_deref()? {
            "+1" | "thumbsup" | "white_check_mark" => Some(Answer::Approve),
            "-1" | "thumbsdown" => Some(Answer::Reject {
                reason: "thumbs down in Slack".to_owned(),
                never: false,
            }),
            _ => None,
        };
    };
    let mut text = words.trim();
    // `@loops approve`
    if text.starts_with("<@")
        && let Some((_, rest)) = text.split_once('>')
    {
        text = rest.trim_start();
    }
    let (first, rest) = match text.find(|c: char| c.is_whitespace() || c == ':') {
        Some(end) => (
            &text[..end],
            text[end..].trim_start_matches([':', ' ', '\n', '\t']),
        ),
        None => (text, ""),
    };
    let rest = one_line(&plain(rest), 4_000);
    match (first.to_ascii_lowercase().as_str(), rest.is_empty()) {
        ("approve", true) => Some(Answer::Approve),
        ("revise", false) => Some(Answer::Revise(rest)),
        ("reject", false) => Some(Answer::Reject {
            reason: rest,
            never: false,
        }),
        ("never", _) => Some(Answer::Reject {
            reason: if rest.is_empty() {
                "nothing of this kind is wanted".to_owned()
            } else {
                rest
            },
            never: true,
        }),
        _ => None,
    }
}

/// Slack's way to write three signs.
fn plain(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(words: Option<&str>, reaction: Option<&str>) -> Word {
        Word {
            user: "U1".to_owned(),
            ts: "1.0".to_owned(),
            words: words.map(str::to_owned),
            reaction: reaction.map(str::to_owned),
        }
    }

    #[test]
    fn the_first_word_decides_and_talk_decides_nothing() {
        let says = |words: &str| read(&word(Some(words), None));
        assert_eq!(says("approve"), Some(Answer::Approve));
        assert_eq!(says("<@UBOT> Approve "), Some(Answer::Approve));
        assert_eq!(
            says("revise: use a &lt; b"),
            Some(Answer::Revise("use a < b".into()))
        );
        let refused = |reason: &str, never| {
            Some(Answer::Reject {
                reason: reason.into(),
                never,
            })
        };
        assert_eq!(says("reject it is by design"), refused("it is by design", false));
        assert_eq!(says("never"), refused("nothing of this kind is wanted", true));
        for talk in [
            "approve of this? I do not",
            "I approve",
            "approved",
            "reject",
            "revise",
            "",
            "> approve",
            "`approve`",
        ] {
            assert_eq!(says(talk), None, "{talk}");
        }
    }

    #[test]
    fn a_thumb_is_an_answer_and_a_party_is_none() {
        let gives = |name: &str| read(&word(None, Some(name)));
        assert_eq!(gives("+1"), Some(Answer::Approve));
        assert!(matches!(gives("-1"), Some(Answer::Reject { never: false, .. })));
        assert_eq!(gives("tada"), None);
    }
}
