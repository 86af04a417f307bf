//! Carries out one order that was taken: brings what it needs, lets a worker at it, keeps what that reports, and writes
//! down what became of it. All of it by the token of its lease.

use std::{sync::Arc, time::Duration};

use loops::id::AttemptId;
use tokio::sync::mpsc;
use workers::{Outcome, Report, carry_out_until, order::Result as JobResult};

use super::{Node, NodeWord, Stop, objects, post::Body};
use crate::{
    clock,
    engine::{Engine, EngineError, ways_out},
    gateway::Token,
    store::{
        Store, attempts,
        orders::{
            Desk, Ended,
            lease::{self, Claim},
        },
        packs, saves, transcripts,
        wake::Word,
    },
};

/// Reports are kept in batches: at most this many, and at most this long after they came.
const BATCH: usize = 64;
const BATCH_WAIT: Duration = Duration::from_millis(150);

/// How long a store that does not answer is asked again to take what became of an order.
const INSIST: Duration = Duration::from_millis(500);

/// Carries out an order. Whatever goes wrong is written down as what became of it, if the lease is still ours.
pub(super) async fn carry(engine: Engine, claim: Claim, stop: Stop) {
    let node = Arc::clone(&engine.home.node);
    let (attempt, token) = (claim.attempt, claim.token);
    let carried = carry_in(&engine, &claim, &stop).await;
    let written = match carried {
        Some(Ok(outcome)) => end(&engine, &claim, outcome, &stop).await,
        Some(Err(error)) => {
            let outcome = Outcome::could_not_run(error.to_string(), true);
            end(&engine, &claim, outcome, &stop).await
        }
        // Nobody wants it, or somebody else has it.
        None => stopped(&engine.home.store, attempt, token).await,
    };
    node.word(match written {
        Ok(word) => word,
        Err(error) => NodeWord::Trouble(format!(
            "what became of {attempt} could not be written down: {error}"
        )),
    });
    node.let_go(attempt);
}

/// None: it was stopped.
async fn carry_in(engine: &Engine, claim: &Claim, stop: &Stop) -> Option<Result<Outcome, EngineError>> {
    let home = &engine.home;
    let mut body: Body = match serde_json::from_str(&claim.body) {
        Ok(body) => body,
        Err(error) => {
            return Some(Err(EngineError::Record(format!(
                "the order cannot be read: {error}"
            ))));
        }
    };
    home.node.is_of(claim.attempt, body.order.run);
    if let Err(error) = body.go_on(&home.store).await {
        return Some(Err(error));
    }
    if let Err(error) = objects::bring(home, &body).await {
        return Some(Err(error));
    }
    let guest = body.guest.clone().map(|admission| Guest {
        engine,
        token: engine.gateway.admit(admission),
    });
    let gateway = guest
        .as_ref()
        .map_or_else(Body::no_gateway, |guest| workers::order::Gateway {
            address: engine.gateway.address.clone(),
            token: guest.token.expose().to_owned(),
        });
    body.here(home, gateway);
    let passes = ways_out::let_out(&engine.gateway, &claim.loop_name, &body.hosts, &mut body.order);
    let scratch = body.order.scratch.clone();
    // What a lost worker of ours may have left there.
    remove(&home.node, &scratch).await;
    let (reports, inbox) = mpsc::unbounded_channel();
    let keeper = tokio::spawn(keep(
        engine.clone(),
        (claim.attempt, claim.token),
        stop.clone(),
        inbox,
    ));
    let outcome = tokio::select! {
        biased;
        () = stop.now.cancelled() => None,
        outcome = carry_out_until(body.order, &home.machine, reports, stop.soon.clone()) => Some(outcome),
    };
    drop((guest, passes));
    let kept = keeper.await;
    // What it left is in the outcome; what it lay in is nobody's any more.
    remove(&home.node, &scratch).await;
    let outcome = outcome?;
    match kept {
        Ok(Ok(())) => Some(Ok(outcome)),
        Ok(Err(error)) => Some(Err(error)),
        Err(panic) => Some(Err(EngineError::Record(format!(
            "reports could not be kept: {panic}"
        )))),
    }
}

/// Removes an attempt's folder; what stays is told, for it takes up the disk until a person looks.
async fn remove(node: &Node, scratch: &std::path::Path) {
    let folder = scratch.to_owned();
    let removed = tokio::task::spawn_blocking(move || workers::sandbox::remove(&folder)).await;
    if let Err(error) = removed.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
        let folder = scratch.display();
        node.word(NodeWord::Trouble(format!(
            "`{folder}` cannot be removed, and takes up the disk: {error}"
        )));
    }
}

/// An attempt that may ask our gateway, as long as this lives.
struct Guest<'a> {
    engine: &'a Engine,
    token: Token,
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.engine.gateway.dismiss(&self.token);
    }
}

/// Writes down what became of an order, or gives it back if we were told to end.
async fn end(engine: &Engine, claim: &Claim, outcome: Outcome, stop: &Stop) -> Result<NodeWord, EngineError> {
    let settings = &engine.home.node.settings;
    let give_up = tokio::time::Instant::now() + settings.lease;
    let full = engine.home.disk.is_full();
    loop {
        let written = if stop.soon.is_cancelled() {
            give_back(&engine.home.store, claim, &outcome).await
        } else if full {
            // It waits for room, and goes on from what was saved.
            let nothing = Outcome::could_not_run("the disk was full".to_owned(), true);
            give_back(&engine.home.store, claim, &nothing).await
        } else {
            write_down(&engine.home.desk, claim, &outcome).await
        };
        match written {
            Err(error) if tokio::time::Instant::now() < give_up && !stop.now.is_cancelled() => {
                tracing::info!(attempt = %claim.attempt, %error, "the store is asked again");
                tokio::time::sleep(INSIST).await;
            }
            written => return written,
        }
    }
}

async fn write_down(desk: &Desk, claim: &Claim, outcome: &Outcome) -> Result<NodeWord, EngineError> {
    let mut outcome = outcome.clone();
    let change = take_pack(&mut outcome);
    let ended = Ended {
        attempt: claim.attempt,
        token: claim.token,
        outcome: record(&outcome)?,
        change,
        policy: outcome.policy,
        at: clock::now(),
    };
    Ok(if desk.end(ended).await? {
        NodeWord::Done(claim.attempt)
    } else {
        NodeWord::Stopped(claim.attempt)
    })
}

/// Gives an order back with what was saved of it: whoever takes it next goes on from there, or begins with the tree where
/// there is no more.
async fn give_back(store: &Store, claim: &Claim, outcome: &Outcome) -> Result<NodeWord, EngineError> {
    let goes_on = saves::there(store, claim.attempt).await?;
    let mut outcome = outcome.clone();
    let change = take_pack(&mut outcome);
    let mut body: Body =
        serde_json::from_str(&claim.body).map_err(|error| EngineError::Record(error.to_string()))?;
    if let (
        JobResult::Worked {
            change: Some(saved), ..
        },
        workers::Job::Work(work),
    ) = (&outcome.result, &mut body.order.job)
    {
        if body.order.start.is_none() && !goes_on {
            work.agent.brief.push_str(GOES_ON);
        }
        body.order.start = Some(saved.clone());
    }
    let text = record(&body)?;
    let mut tx = store.begin_beside().await?;
    if lease::give_back(&mut tx, claim.attempt, claim.token, Some(&text)).await? {
        if let Some((tree, pack)) = change {
            packs::put(&mut tx, &packs::of_change(&tree), &pack, clock::now()).await?;
        }
        tx.say(Word::Posted).await?;
        tx.commit().await?;
        return Ok(NodeWord::GaveBack(claim.attempt));
    }
    Ok(NodeWord::Stopped(claim.attempt))
}

/// What the next worker is told when it begins from what another one saved.
const GOES_ON: &str = "\n\n# The folder is not as the base has it\n\nAnother worker began this task and was interrupted. \
                       What it had changed so far is in the folder; look at it first.\n";

/// An order that is not carried out to its end: if it was cancelled, that is what became of it.
async fn stopped(store: &Store, attempt: AttemptId, token: i64) -> Result<NodeWord, EngineError> {
    let wanted = crate::store::orders::get(store, attempt).await?;
    if wanted.is_some_and(|order| order.lease.holds(token) && order.lease.cancelled) {
        let outcome = record(&Outcome::could_not_run("it was stopped".to_owned(), true))?;
        let mut tx = store.begin_beside().await?;
        lease::done(&mut tx, attempt, token, &outcome).await?;
        tx.say(Word::Ended(attempt)).await?;
        tx.commit().await?;
    }
    Ok(NodeWord::Stopped(attempt))
}

/// Takes the pack out of an outcome: it is kept apart, by the name of its tree.
fn take_pack(outcome: &mut Outcome) -> Option<(String, Vec<u8>)> {
    match &mut outcome.result {
        JobResult::Worked {
            change: Some(change), ..
        } => Some((change.tree.clone(), std::mem::take(&mut change.pack))),
        _ => None,
    }
}

fn record(what: &impl serde::Serialize) -> Result<String, EngineError> {
    serde_json::to_string(what).map_err(|error| EngineError::Record(error.to_string()))
}

async fn keep(
    engine: Engine,
    lease: (AttemptId, i64),
    stop: Stop,
    mut inbox: mpsc::UnboundedReceiver<Report>,
) -> Result<(), EngineError> {
    let mut reports = Vec::with_capacity(BATCH);
    while inbox.recv_many(&mut reports, BATCH).await > 0 {
        let _ = tokio::time::timeout(BATCH_WAIT, async {
            while reports.len() < BATCH && inbox.recv_many(&mut reports, BATCH).await > 0 {}
        })
        .await;
        for report in &reports {
            engine.home.node.report(lease.0, report);
        }
        if stop.now.is_cancelled() {
            // Nobody wants it: whoever has the order now writes its own transcript.
            return Ok(());
        }
        insist(&engine, lease, &stop, std::mem::take(&mut reports)).await?;
    }
    Ok(())
}

/// Writes reports down; a store that cannot do its work is asked again for as long as our lease lasts. If it went away
/// in the very moment of a commit, lines may stand there twice.
async fn insist(
    engine: &Engine,
    lease: (AttemptId, i64),
    stop: &Stop,
    reports: Vec<Report>,
) -> Result<(), EngineError> {
    let (store, node) = (&engine.home.store, &engine.home.node);
    let give_up = tokio::time::Instant::now() + node.settings.lease;
    loop {
        match write(store, node, lease, &reports).await {
            Err(error)
                if error.is_outage() && tokio::time::Instant::now() < give_up && !stop.now.is_cancelled() =>
            {
                tokio::time::sleep(INSIST).await;
            }
            written => return written,
        }
    }
}

async fn write(
    store: &Store,
    node: &Node,
    (attempt, token): (AttemptId, i64),
    reports: &[Report],
) -> Result<(), EngineError> {
    let mut entries = Vec::new();
    let (mut todo, mut doing, mut saved) = (None, None, Vec::new());
    for report in reports {
        match report {
            Report::Entry { entry } => entries.push((clock::now(), entry.clone())),
            Report::Todo { items } => todo = Some(items),
            Report::Stage { doing: what } => doing = Some(what),
            Report::Saved {
                change,
                after,
                messages,
            } => saved.push((change, after, messages)),
        }
    }
    let mut tx = store.begin_beside().await?;
    if !lease::holds(&mut tx, attempt, token).await? {
        if let Some(held) = node.lock().running.get(&attempt) {
            held.stop.now.cancel();
        }
        return Ok(());
    }
    transcripts::append(&mut tx, attempt, &entries).await?;
    if let Some(todo) = todo {
        attempts::set_todo(&mut tx, attempt, todo).await?;
    }
    if let Some(doing) = doing {
        attempts::set_doing(&mut tx, attempt, doing).await?;
    }
    for (change, after, messages) in saved {
        let tree = change.as_ref().map(|change| change.tree.as_str());
        saves::put(&mut tx, attempt, tree, (*after, messages), clock::now()).await?;
        if let Some(change) = change {
            let id = packs::of_change(&change.tree);
            packs::put(&mut tx, &id, &change.pack, clock::now()).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}
