//! What a node does with orders, without an agent in between.

use std::time::Duration;

use loops::{
    id::{AttemptId, RunId, TaskId},
    lease::Lane,
    time::Timestamp,
};
use orchestrator::{
    clock,
    store::{
        Store,
        orders::{
            self, Desk, Ended, NewOrder,
            lease::{self, Able, Claim},
        },
        wake::Word,
    },
};

pub(crate) const ABLE: Able = Able {
    protocols: (1, 1),
    mirrors: true,
};
const LEASE: Duration = Duration::from_secs(600);

/// Takes and ends all there is, as the places of one node do: each takes a batch and ends it, by its tokens, in one
/// statement. Where the batch is one, those that end at once share a transaction at the node's [`Desk`]. What follows from
/// the outcome is the writer's: its rows in the ledger, and the order goes.
pub(crate) async fn drain(store: &Store, desk: &Desk, holder: &str, batch: u32) -> anyhow::Result<u32> {
    let mut done = 0;
    loop {
        let claims = take(store, &lane(), holder, batch).await?;
        let attempts: Vec<AttemptId> = claims.iter().map(|claim| claim.attempt).collect();
        match &claims[..] {
            [] => return Ok(done),
            [claim] => {
                let ended = Ended {
                    attempt: claim.attempt,
                    token: claim.token,
                    outcome: "{}".to_owned(),
                    change: None,
                    policy: None,
                    at: clock::now(),
                };
                anyhow::ensure!(desk.end(ended).await?, "it is ours");
            }
            many => {
                let ended: Vec<_> = many
                    .iter()
                    .map(|claim| (claim.attempt, claim.token, "{}"))
                    .collect();
                let mut tx = store.begin_beside().await?;
                let ours = lease::done_all(&mut tx, &ended).await?;
                anyhow::ensure!(ours.len() == many.len(), "they are ours");
                let words: Vec<Word> = attempts.iter().map(|attempt| Word::Ended(*attempt)).collect();
                tx.say_all(&words).await?;
                tx.commit().await?;
            }
        }
        let mut tx = store.begin().await?;
        for attempt in &attempts {
            let data = serde_json::json!({ "left": "change" });
            let subject = attempt.to_string();
            tx.record(
                clock::now(),
                "attempt.worked",
                Some("bench"),
                None,
                &subject,
                data,
            )
            .await?;
        }
        orders::forget_all(&mut tx, &attempts).await?;
        tx.commit().await?;
        done += u32::try_from(claims.len())?;
    }
}

pub(crate) async fn take(store: &Store, lane: &Lane, holder: &str, limit: u32) -> anyhow::Result<Vec<Claim>> {
    let mut tx = store.begin_beside().await?;
    let claims = lease::claim(&mut tx, lane, limit, holder, ABLE, (clock::now(), LEASE)).await?;
    tx.commit().await?;
    Ok(claims)
}

pub(crate) fn lane() -> Lane {
    Lane {
        loop_name: "bench".to_owned(),
        kind: "fix".to_owned(),
        needs: "[]".to_owned(),
        priority: 10,
        waiting: 0,
        under_way: 0,
        oldest: 0,
    }
}

pub(crate) fn order(now: Timestamp) -> NewOrder {
    NewOrder {
        attempt: clock::id(AttemptId::new),
        run: RunId::new(1, [1; 10]),
        task: clock::id(TaskId::new),
        loop_name: "bench".to_owned(),
        kind: "fix".to_owned(),
        needs: Vec::new(),
        priority: 10,
        protocol: 1,
        packed: false,
        body: BODY.to_owned(),
        created_at: now,
    }
}

pub(crate) const BODY: &str = "{\"goal\": \"an order's text is longer, and is not looked at here\"}";
