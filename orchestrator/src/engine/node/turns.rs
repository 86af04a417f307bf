//! Takes orders as places are free, says again and again that it is still there, and takes back what lost nodes held.
//!
//! Words (of this process or, through Postgres, of others) only make it quicker: it looks by itself at each beat.

use std::{sync::Arc, time::Duration};

use loops::{
    id::AttemptId,
    lease::{Lane, share},
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Held, Node, NodeWord, PROTOCOL, PROVE, Stop, carry, post::OLDEST};
use crate::{
    clock,
    engine::{Engine, EngineError},
    store::{
        calls, nodes, orders,
        orders::lease::{self, Able, Claim},
        packs, saves,
        wake::Word,
    },
};

/// How often packs are looked through, in beats.
const TIDY: u32 = 600;
/// How old a pack is at least when it goes.
const KEEP_PACKS: Duration = Duration::from_secs(3600);
/// A node that was not heard of for so long is not shown any more.
const FORGET: Duration = Duration::from_secs(600);

/// Carries out orders until `stop`; then takes nothing new, gives what is under way `grace`, and gives the rest back
/// with what it had saved. For a process that does nothing else.
///
/// # Errors
/// If the store cannot be read or written at the end.
pub async fn work(
    engine: &Engine,
    stop: &CancellationToken,
    grace: Duration,
    words: mpsc::UnboundedSender<NodeWord>,
) -> Result<(), EngineError> {
    let node = &engine.home.node;
    // One at most works with a node.
    let _ = node.words.set(words);
    {
        let mut inner = node.lock();
        inner.role = Some(nodes::Role::Works);
        inner.on = true;
    }
    let stays = CancellationToken::new();
    let turns = tokio::spawn(turns(engine.clone(), Some(stays.clone())));
    stop.cancelled().await;
    node.lock().draining = true;
    node.wake.notify_one();
    let empty = async {
        while !node.lock().running.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(grace, empty).await.is_err() {
        for held in node.lock().running.values() {
            held.stop.soon.cancel();
        }
    }
    stays.cancel();
    node.wake.notify_one();
    turns
        .await
        .map_err(|panic| EngineError::Record(format!("the node broke: {panic}")))?;
    let mut tx = engine.home.store.begin_beside().await?;
    nodes::leave(&mut tx, node.id()).await?;
    tx.commit().await?;
    Ok(())
}

impl Node {
    /// Takes orders from now on, as long as anybody waits for one here.
    pub(in crate::engine) fn awake(self: &Arc<Self>, engine: &Engine) {
        let mut inner = self.lock();
        if !inner.on {
            inner.on = true;
            tokio::spawn(turns(engine.clone(), None));
        }
    }

    /// Whether to stop; if so, nobody takes orders here from this moment on.
    fn goes_off(&self, stays: Option<&CancellationToken>) -> bool {
        let mut inner = self.lock();
        let wanted = match stays {
            Some(stays) => !stays.is_cancelled(),
            None => !inner.waiting.is_empty(),
        };
        let off = !wanted && inner.running.is_empty();
        inner.on = !off;
        off
    }
}

/// Takes orders until nobody wants it to.
async fn turns(engine: Engine, stays: Option<CancellationToken>) {
    let node = Arc::clone(&engine.home.node);
    let mut wakes = engine.home.store.wakes();
    let mut beats = tokio::time::interval(super::beat(node.settings.lease));
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut jobs = JoinSet::new();
    let mut count = 0_u32;
    while !node.goes_off(stays.as_ref()) {
        match node.take(&engine).await {
            Ok(claims) => {
                for claim in claims {
                    let held = node.hold(&claim);
                    jobs.spawn(carry::carry(engine.clone(), claim, held));
                }
            }
            Err(error) => node.word(NodeWord::Trouble(format!("no order can be taken: {error}"))),
        }
        tokio::select! {
            () = node.wake.notified() => {}
            word = wakes.next() => if let Word::Ended(attempt) = word { node.tell(attempt) },
            Some(_) = jobs.join_next() => {}
            _ = beats.tick() => {
                if let Err(error) = node.beat(&engine, count.is_multiple_of(TIDY)).await {
                    node.word(NodeWord::Trouble(format!("nobody learns that this node is there: {error}")));
                }
                count = count.wrapping_add(1);
            }
        }
    }
}

impl Node {
    /// Takes as many orders as there are places for, by turns among the loops.
    async fn take(&self, engine: &Engine) -> Result<Vec<Claim>, EngineError> {
        let (free, proofs) = {
            let inner = self.lock();
            let proofs = inner.running.values().filter(|held| held.kind == PROVE).count();
            let busy = u32::try_from(inner.running.len()).unwrap_or(u32::MAX);
            let free = if inner.draining {
                0
            } else {
                self.settings.places.saturating_sub(busy)
            };
            (free, u32::try_from(proofs).unwrap_or(u32::MAX))
        };
        if free == 0 || self.is_short(engine) {
            return Ok(Vec::new());
        }
        let store = &engine.home.store;
        let able = Able {
            protocols: (OLDEST, PROTOCOL),
            mirrors: self.lock().role != Some(nodes::Role::Works),
        };
        let now = store.time().await?;
        let mut lanes = lease::lanes(store, able, now).await?;
        lanes.retain(|lane| self.fits(lane));
        if lanes.is_empty() {
            return Ok(Vec::new());
        }
        let room_for_proofs = self.settings.proofs.saturating_sub(proofs);
        let bound = |lane: &Lane, taken: &[u32]| {
            let of_proofs = lanes.iter().zip(taken).filter(|(lane, _)| lane.kind == PROVE);
            lane.kind != PROVE || of_proofs.map(|(_, taken)| taken).sum::<u32>() < room_for_proofs
        };
        let shares = share(&lanes, free, bound);
        let mut claims = Vec::new();
        let mut tx = store.begin_beside().await?;
        for (lane, wanted) in lanes.iter().zip(&shares).filter(|(_, wanted)| **wanted > 0) {
            let terms = (now, self.settings.lease);
            claims.extend(lease::claim(&mut tx, lane, *wanted, self.id(), able, terms).await?);
        }
        tx.commit().await?;
        Ok(claims)
    }

    /// Whether the disk has too little room to begin anything; said once.
    fn is_short(&self, engine: &Engine) -> bool {
        let short = engine.home.disk.short();
        let told = std::mem::replace(&mut self.lock().short, short.is_some());
        match (&short, told) {
            (Some(short), false) => self.word(NodeWord::Trouble(short.to_string())),
            (None, true) => self.word(NodeWord::Room),
            _ => {}
        }
        short.is_some()
    }

    /// Whether we have all labels that a lane needs.
    fn fits(&self, lane: &Lane) -> bool {
        let needs: Option<Vec<String>> = serde_json::from_str(&lane.needs).ok();
        needs.is_some_and(|needs| needs.iter().all(|label| self.settings.labels.contains(label)))
    }

    fn hold(&self, claim: &Claim) -> Stop {
        let stop = Stop::default();
        let held = Held {
            run: None,
            kind: claim.kind.clone(),
            token: claim.token,
            stop: stop.clone(),
        };
        self.lock().running.insert(claim.attempt, held);
        let (kind, name) = (claim.kind.clone(), claim.loop_name.clone());
        self.word(NodeWord::Took(claim.attempt, kind, name));
        stop
    }

    /// Says that we are there, learns what we have lost or shall stop, and looks after those that are not there.
    async fn beat(&self, engine: &Engine, tidy: bool) -> Result<(), EngineError> {
        let store = &engine.home.store;
        let now = store.time().await?;
        let mut tx = store.begin_beside().await?;
        let asked = self.lock().running.clone();
        let kept = lease::renew(&mut tx, self.id(), now.plus(self.settings.lease)).await?;
        // What became of it could not be written down, as long as we tried: it is nobody's.
        let dropped: Vec<&lease::Renewed> = kept
            .iter()
            .filter(|renewed| !asked.contains_key(&renewed.attempt))
            .collect();
        for renewed in &dropped {
            lease::give_back(&mut tx, renewed.attempt, renewed.token, None).await?;
        }
        let lost = lease::look_after(&mut tx, self.id(), now).await?;
        if !store.is_file() {
            nodes::say(&mut tx, &self.card(now)).await?;
        }
        if tidy {
            nodes::prune(&mut tx, now.minus(FORGET)).await?;
            packs::prune(&mut tx, now.minus(KEEP_PACKS)).await?;
            lease::sweep(&mut tx).await?;
            saves::sweep(&mut tx).await?;
        }
        if !dropped.is_empty() {
            tx.say(Word::Posted).await?;
        }
        if !lost.is_empty() {
            tracing::warn!(
                orders = lost.len(),
                "nodes were lost; their orders are taken back"
            );
            tx.say(Word::Posted).await?;
        }
        tx.commit().await?;
        for (attempt, held) in asked {
            let mine = kept
                .iter()
                .find(|renewed| renewed.attempt == attempt && renewed.token == held.token);
            if mine.is_none_or(|renewed| renewed.cancelled) {
                held.stop.now.cancel();
            }
        }
        for attempt in lost {
            // What the lost node asked of a model and did not settle costs what was reserved for it.
            let mut tx = store.begin().await?;
            calls::estimate_lost(&mut tx, attempt, clock::now(), clock::now()).await?;
            tx.commit().await?;
            self.tell(attempt);
        }
        Ok(())
    }

    /// What is known of an order that is carried out here, now that it was read.
    pub(super) fn is_of(&self, attempt: AttemptId, run: loops::id::RunId) {
        if let Some(held) = self.lock().running.get_mut(&attempt) {
            held.run = Some(run);
        }
    }

    /// An order is carried out here no longer.
    pub(super) fn let_go(&self, attempt: AttemptId) {
        self.lock().running.remove(&attempt);
        self.tell(attempt);
        self.ended.notify_waiters();
        self.wake.notify_one();
    }
}

/// What was posted for a run, when it is driven again.
pub(crate) fn goes_on_elsewhere(node: &Node, order: &orders::Posted, on_server: bool) -> bool {
    use loops::lease::Standing;
    match &order.lease.standing {
        Standing::Done => true,
        Standing::Waiting => !order.lease.is_given_up(),
        Standing::Held { holder, .. } => on_server && !node.is_of_our_folder(holder),
        Standing::Cancelled => false,
    }
}
