//! How it reads. A title and a reason are somebody's words: they call nobody and hide nothing.

use loops::{
    schedule::{Overdue, Setback},
    screen::secrets,
    text::one_line,
};

use crate::{
    engine::EngineError,
    slack::quiet,
    store::{
        Store, decisions,
        proposals::{Proposal, ProposalState},
        pulls::PullRow,
    },
};

/// Somebody's words, in one line, without secrets.
fn told(words: &str, max: usize) -> String {
    quiet(&secrets::mask(&one_line(words, max)))
}

/// A link that Slack shows under other words; the words alone, where there is nothing to link to.
pub(super) fn linked(title: &str, pull: Option<&PullRow>) -> String {
    let title = told(title, 150);
    let link = pull.map(|pull| pull.url.as_str());
    match link.filter(|url| url.starts_with("http") && !url.contains(['<', '>', '|', ' '])) {
        Some(url) => format!("<{url}|{}>", title.replace('|', "/")),
        None => format!("*{title}*"),
    }
}

/// A proposal's message, under this title.
pub(super) fn of_proposal(proposal: &Proposal, title: &str, pull: Option<&PullRow>) -> String {
    let how = match proposal.state {
        ProposalState::Preparing => "is being made",
        ProposalState::Open => "waits for a person",
        ProposalState::Revising => "is being worked on again",
        ProposalState::Approved => "is approved",
        ProposalState::Merged => "is merged",
        ProposalState::Rejected => "was refused",
        ProposalState::Expired => "was not answered in time",
    };
    let mut text = format!(
        "{} {how} (`{}`, {})",
        linked(title, pull),
        told(&proposal.loop_name, 60),
        proposal.id.short()
    );
    if proposal.state == ProposalState::Open {
        text.push_str(&match pull {
            Some(_) => {
                "\nWho may write there can answer in this thread: `approve`, `revise` and what should be \
                        different, `reject` and why, `never` and why."
                    .to_owned()
            }
            None => format!("\nLook at it with `loops review {}`.", proposal.id.short()),
        });
    }
    text
}

/// What became of a proposal, for the thread; with a word for the kind of news.
pub(super) async fn news_of(
    store: &Store,
    proposal: &Proposal,
) -> Result<Option<(String, String)>, EngineError> {
    let last = || async { Ok::<_, EngineError>(decisions::of_proposal(store, proposal.id).await?.pop()) };
    let by = |who: &str| told(who, 80);
    Ok(match proposal.state {
        ProposalState::Merged => Some(("merged".to_owned(), "Merged.".to_owned())),
        ProposalState::Rejected => {
            let words = match last().await? {
                Some(said) => format!(
                    "Refused by {}: {}",
                    by(&said.who),
                    told(said.words.as_deref().unwrap_or("without a word"), 500)
                ),
                None => "Refused.".to_owned(),
            };
            Some(("refused".to_owned(), words))
        }
        ProposalState::Expired => Some(("expired".to_owned(), "Nobody answered it in time.".to_owned())),
        ProposalState::Revising => last().await?.map(|said| {
            (
                format!("revised:{}", said.id),
                format!(
                    "{} asked for another attempt: {}",
                    by(&said.who),
                    told(said.words.as_deref().unwrap_or_default(), 500)
                ),
            )
        }),
        ProposalState::Preparing | ProposalState::Open | ProposalState::Approved => None,
    })
}

/// That a loop fails.
pub(super) fn failing(name: &str, setback: Setback) -> String {
    format!(
        ":warning: `{}` fails: {}. It is tried again at {} at the latest; `loops status` says more.",
        told(name, 60),
        setback.cause.words(),
        setback.until()
    )
}

/// That a loop is silent.
pub(super) fn silent(name: &str, overdue: Overdue) -> String {
    format!(
        ":warning: `{}` is silent: no receipt since the tick of {}.",
        told(name, 60),
        overdue.since
    )
}
