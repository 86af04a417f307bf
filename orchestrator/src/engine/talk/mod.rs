//! The conversation on a proposal's pull request: what people with write access say there and what the repository's own
//! checks find becomes an answer in the thread, another attempt on the same branch, or the end.
//!
//! Whose words count is asked of GitHub, never taken from a text. Nothing is sent from here: what is to be said goes to
//! the outbox in the transaction that decides it, with how far was read, so that nothing is taken up twice.

mod ci;
mod conclude;
mod ends;
mod explain;
mod heard;
mod merge;
mod news;
mod rebuild;
mod state;
mod turn;
mod wanted;
mod words;

use loops::{
    command::{self, Command},
    id::TaskId,
    spec::{LoopSpec, Rounds},
    text::one_line,
};

pub use self::merge::unmerged;
use self::{
    ci::Ci,
    heard::{Heard, Origin},
    rebuild::Rebuilt,
    state::{Round, Talk},
    turn::Turn,
};
pub(crate) use self::{
    conclude::{begun, came_to_nothing, commented, done, page_is_theirs, told, wrote},
    ends::{closed, closing_key, reopened, reopened_at, reverted},
    heard::closing_words,
    merge::{Unmerged, note_unmerged},
    news::marker,
    rebuild::{Rebuilds, definition},
};
use super::{EngineError, Home, News, Running, answer};
use crate::{
    github::{Pull, Repository},
    store::{
        Reader, Store, loops as loop_rows,
        proposals::{self, Proposal, ProposalState},
        pulls::{self, PullRow},
    },
};

/// How long what people said, and checks that failed, wait for the other checks to end, in milliseconds.
const WAIT_FOR_CHECKS: i64 = 30 * 60_000;

/// Looks at what was said on an open pull request and what was checked about it, and takes it up.
pub(super) async fn look(
    home: &Home,
    repository: &Repository,
    row: &PullRow,
    proposal: &Proposal,
    pull: &Pull,
) -> Result<Vec<News>, EngineError> {
    if proposal.state == ProposalState::Preparing {
        return Ok(Vec::new());
    }
    let (limits, paused) = terms(&home.store, &proposal.loop_name).await?;
    let heard = heard::hear(repository, row.number, &row.talk::<Talk>()).await?;
    let mut turn = Turn::new(home, row, proposal, limits);
    if let Some(order) = heard
        .commands
        .iter()
        .find(|order| matches!(order.command, Command::Never(_)))
    {
        return never(home, proposal, order).await;
    }
    let ours = pull.head == proposal.head || proposal.state != ProposalState::Open;
    turn.answer(&heard, ours).await?;
    let open = proposal.state == ProposalState::Open && ours;
    let askers = turn.askers(&heard);
    if proposal.state != ProposalState::Open && !askers.is_empty() {
        // A worker is on it, or it was about to be merged: what was asked is read again when it is open.
        turn.wait();
        turn.take_back(&askers);
    }
    if open && !turn.left_alone() {
        let ci = ci::look(repository, proposal).await?;
        turn.note_ci(&ci);
        let wanted = turn.round(&heard, &ci, pull, paused);
        let round = match wanted {
            Some(wanted) if !busy(&home.store, &proposal.loop_name).await? => Some(wanted),
            Some(_) => {
                turn.wait();
                None
            }
            None => None,
        };
        if let Some(round) = round {
            let logs = ci::words(repository, &ci, round.ci).await;
            return turn.send_back(round, &logs).await;
        }
        let free = !turn.has_something() && !paused && pull.mergeable != Some(false);
        if free && !busy(&home.store, &proposal.loop_name).await? {
            match rebuild::look(home, row, proposal, &pull.base).await? {
                Rebuilt::Done(news) => return Ok(vec![*news]),
                Rebuilt::Begun(base) => {
                    let mut news = turn.end(&heard).await?;
                    news.push(News::Rebuilding(proposal.clone(), base));
                    return Ok(news);
                }
                Rebuilt::DoesNotHold(why) => {
                    if let Some(wanted) = turn.after_a_moved_base(&why) {
                        return turn.send_back(wanted, "").await;
                    }
                }
                Rebuilt::NotDue => {}
            }
        }
    }
    turn.end(&heard).await
}

/// Whether a run of the loop is under way; then what was said waits.
async fn busy(store: &Store, loop_name: &str) -> Result<bool, EngineError> {
    Ok(crate::store::runs::open_run(store, loop_name).await?.is_some())
}

/// How often it may go back to a worker, and whether the loop is paused.
async fn terms(from: impl Reader, loop_name: &str) -> Result<(Rounds, bool), EngineError> {
    let Some(known) = loop_rows::get(from, loop_name).await? else {
        return Ok((Rounds::default(), false));
    };
    // An older loops wrote what cannot be read; the next run writes it anew.
    let spec: Option<LoopSpec> = serde_json::from_value(known.spec).ok();
    let rounds = spec.map(|spec| spec.proposal.rounds).unwrap_or_default();
    Ok((rounds, known.paused_at.is_some()))
}

async fn never(home: &Home, proposal: &Proposal, order: &heard::Order) -> Result<Vec<News>, EngineError> {
    let reason = match &order.command {
        Command::Never(Some(reason)) => one_line(reason, 1000),
        _ => "nothing of this kind is wanted".to_owned(),
    };
    answer::reject(home, proposal, &reason, true, &on_github(&order.author)).await?;
    let mut tx = home.store.begin().await?;
    if let Some(row) = pulls::get(&mut tx, proposal.id).await? {
        let mut talk: Talk = row.talk();
        talk.taken.insert(order.origin.key());
        pulls::set_talk(&mut tx, proposal.id, &talk).await?;
        tx.commit().await?;
    }
    Ok(vec![News::Closed(proposal.clone(), reason)])
}

/// Which edition of the updating comment was decided last.
pub(crate) fn last_said(row: &PullRow) -> u32 {
    row.talk::<Talk>().said
}

/// Which comment the updating one was last.
pub(crate) fn comment_of(row: &PullRow) -> Option<u64> {
    row.talk::<Talk>().comment
}

/// Which title and page (as digests) we wrote to it last; empty: not known.
pub(crate) fn wrote_last(row: &PullRow) -> [String; 2] {
    row.talk::<Talk>().wrote
}

/// Somebody at GitHub, as decisions name them.
pub(crate) fn on_github(login: &str) -> String {
    format!("{} on GitHub", one_line(login, 60))
}

/// What a closing comment says: the reason, and whether nothing of the kind is wanted again.
pub(crate) fn refusal(words: &str) -> (String, bool) {
    match command::read(words) {
        Some(Command::Never(reason)) => {
            let reason = reason.unwrap_or_else(|| "nothing of this kind is wanted".to_owned());
            (one_line(&reason, 1000), true)
        }
        _ => (one_line(words, 1000), false),
    }
}

impl Running {
    /// Stops what is under way for pull requests that are left alone or refused since; true: something was.
    pub(crate) async fn drop_what_is_left_alone(&self) -> Result<bool, EngineError> {
        let again: Vec<TaskId> = self.look(|state| {
            let under_way = state
                .tasks
                .iter()
                .filter(|(_, run)| run.proposed.is_some() && !run.step.is_over());
            under_way.map(|(task, _)| *task).collect()
        });
        let mut dropped = false;
        for task in again {
            let store = &self.engine.home.store;
            let Some(proposal) = proposals::of_task(store, task).await? else {
                continue;
            };
            let alone = match pulls::get(store, proposal.id).await? {
                Some(pull) => pull.hands_off.is_some() || proposal.state.is_over(),
                None => false,
            };
            if alone {
                self.happen(loops::run::Event::TaskCancelled { task }).await?;
                dropped = true;
            }
        }
        Ok(dropped)
    }
}
