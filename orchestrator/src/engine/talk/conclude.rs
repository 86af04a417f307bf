//! The end of a round: each thread is answered once, and the updating comment says what came of it.

use loops::{
    screen::clean::{self, Allowed},
    text::one_line,
};
use serde_json::json;

use super::{EngineError, Round, Talk, news, terms};
use crate::{
    clock,
    engine::{
        outbox::{Outward, key},
        private::Private,
    },
    store::{Tx, attempts, outbox, proposals::Proposal, pulls},
};

/// A person sent it back from the terminal.
pub(crate) async fn begun(tx: &mut Tx, proposal: &Proposal, who: &str) -> Result<(), EngineError> {
    let Some(row) = pulls::get(&mut *tx, proposal.id).await? else {
        return Ok(());
    };
    let mut talk: Talk = row.talk();
    talk.stuck = None;
    talk.round = Some(Round {
        number: row.rounds + 1,
        before: Some(proposal.attempt),
        why: format!("{} asked for something else", one_line(who, 80)),
        threads: Vec::new(),
    });
    pulls::one_more_round(tx, proposal.id).await?;
    pulls::set_talk(tx, proposal.id, &talk).await?;
    Ok(())
}

/// A round has left a new change: `proposal` has it already. Nothing, if it was no round. What its worker says of it is
/// told without what it repeats of `in_private`.
pub(crate) async fn done(tx: &mut Tx, proposal: &Proposal, in_private: &Private) -> Result<(), EngineError> {
    let summary = attempts::get(&mut *tx, proposal.attempt)
        .await?
        .and_then(|attempt| attempt.ended.summary)
        .unwrap_or_default();
    let summary = in_private.hold(&summary);
    let words = clean::inline(&one_line(&summary, 200), &Allowed::default());
    let commit = news::short(&proposal.head).to_owned();
    let words = if words.is_empty() {
        format!("done in {commit}")
    } else {
        format!("done in {commit}: {words}")
    };
    conclude(tx, proposal, true, &words).await
}

/// A round has ended without a new change, for this reason.
pub(crate) async fn came_to_nothing(tx: &mut Tx, proposal: &Proposal, why: &str) -> Result<(), EngineError> {
    let words = format!("not done: {why}; the branch is as it was");
    conclude(tx, proposal, false, &words).await
}

/// Which title and page (as digests) we have written to it.
pub(crate) async fn wrote(tx: &mut Tx, proposal: &Proposal, wrote: [String; 2]) -> Result<(), EngineError> {
    let Some(row) = pulls::get(&mut *tx, proposal.id).await? else {
        return Ok(());
    };
    let mut talk: Talk = row.talk();
    talk.wrote = wrote;
    pulls::set_talk(tx, proposal.id, &talk).await?;
    Ok(())
}

/// Which comment the updating one is now. `left`: the one before it is another login's, and stays as it is.
pub(crate) async fn commented(
    tx: &mut Tx,
    proposal: &Proposal,
    comment: u64,
    left: bool,
) -> Result<(), EngineError> {
    let Some(row) = pulls::get(&mut *tx, proposal.id).await? else {
        return Ok(());
    };
    let mut talk: Talk = row.talk();
    if talk.comment != Some(comment) {
        talk.comment = Some(comment);
        pulls::set_talk(tx, proposal.id, &talk).await?;
    }
    if left {
        let words = "We have another login at GitHub than before: our earlier comment of this kind stays as it is, and \
                     only this one is kept up.";
        told(tx, proposal, words.to_owned()).await?;
    }
    Ok(())
}

/// The description was edited there, and is left as it is: said once.
pub(crate) async fn page_is_theirs(tx: &mut Tx, proposal: &Proposal) -> Result<(), EngineError> {
    let words = "The description was edited here and stays as it is; `/loops explain` has what was proven.";
    let row = pulls::get(&mut *tx, proposal.id).await?;
    if row.is_some_and(|row| row.talk::<Talk>().told.iter().any(|told| told == words)) {
        return Ok(());
    }
    told(tx, proposal, words.to_owned()).await
}

/// Something else became of it that people are to know.
pub(crate) async fn told(tx: &mut Tx, proposal: &Proposal, line: String) -> Result<(), EngineError> {
    let Some(row) = pulls::get(&mut *tx, proposal.id).await? else {
        return Ok(());
    };
    let mut talk: Talk = row.talk();
    talk.tell(line);
    let (limits, _) = terms(&mut *tx, &proposal.loop_name).await?;
    if let Some((key, effect)) = news::update(proposal, &mut talk, row.hands_off.as_deref(), limits) {
        outbox::put(tx, &key, &effect, clock::now()).await?;
    }
    pulls::set_talk(tx, proposal.id, &talk).await?;
    Ok(())
}

async fn conclude(tx: &mut Tx, proposal: &Proposal, changed: bool, words: &str) -> Result<(), EngineError> {
    let Some(row) = pulls::get(&mut *tx, proposal.id).await? else {
        return Ok(());
    };
    let mut talk: Talk = row.talk();
    let Some(round) = talk.round.take() else {
        return Ok(());
    };
    if !changed {
        talk.stuck = Some("the last attempt came to nothing".to_owned());
    }
    let now = clock::now();
    let after = changed.then_some(proposal.attempt);
    for (key, effect) in replies(proposal, &round, words, after) {
        outbox::put(tx, &key, &effect, now).await?;
    }
    talk.tell(format!("{}: {words}.", capital(&round.why)));
    let (limits, _) = terms(&mut *tx, &proposal.loop_name).await?;
    if let Some((key, effect)) = news::update(proposal, &mut talk, row.hands_off.as_deref(), limits) {
        outbox::put(tx, &key, &effect, now).await?;
    }
    pulls::set_talk(tx, proposal.id, &talk).await?;
    let data = json!({ "round": round.number, "changed": changed, "attempt": proposal.attempt });
    let (name, run) = (Some(proposal.loop_name.as_str()), Some(proposal.run));
    tx.record(
        now,
        "proposal.round_ended",
        name,
        run,
        &proposal.id.to_string(),
        data,
    )
    .await?;
    Ok(())
}

fn replies(
    proposal: &Proposal,
    round: &Round,
    words: &str,
    after: Option<loops::id::AttemptId>,
) -> Vec<(String, Outward)> {
    let say = |thread: &u64| {
        let which = format!("l{thread}-{}", round.number);
        let effect = Outward::Say {
            thread: Some(*thread),
            words: format!(
                "{}.\n\nIf it is not what you meant: `/loops revise` and what should be different.",
                capital(words)
            ),
            after,
        };
        (key("say", proposal.id, &which), effect)
    };
    round.threads.iter().map(say).collect()
}

/// With a capital letter at its beginning.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
