//! An order as it is posted: plain data that any node can carry out, with no path, address or token of the process
//! that posted it.

use std::{collections::BTreeSet, path::PathBuf};

use loops::spec::Span;
use serde::{Deserialize, Serialize};
use workers::{Change, Job, Order, order::Saved};

use crate::{
    clock,
    engine::{EngineError, Running, ways_out::Hosts},
    gateway::Admission,
    store::{Store, Tx, attempts, nodes, orders, packs, saves, wake::Word},
};

/// The form of orders that this version posts. Nodes also read the one before, so that a node may be a release older
/// or newer than who posts; what is newer than a node is left to others.
pub const PROTOCOL: i64 = 1;

/// The kinds of orders that no kind of worker is for; no worker can be called so.
pub(crate) const PROVE: &str = "(prove)";
/// The same for reviews.
pub(crate) const REVIEW: &str = "(review)";

/// The oldest form that is read.
pub(super) const OLDEST: i64 = 1;

/// What is posted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Body {
    /// What the mirror is known by: a folder, or `owner/name`.
    pub(crate) repository: String,
    /// The order. Its paths and its way to the gateway are empty: who carries it out puts in its own.
    pub(crate) order: Order,
    /// What the attempt may ask of a gateway; none: nothing.
    pub(crate) guest: Option<Admission>,
    /// The hosts that its sandboxes may reach.
    #[serde(default)]
    pub(crate) hosts: Hosts,
    /// `works`, `checks`, `reviews`.
    pub(crate) verb: String,
}

/// What is asked of whoever carries it out.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) verb: &'static str,
    /// The kind of worker, or [`PROVE`], [`REVIEW`].
    pub(crate) kind: String,
    /// Labels that a node must have.
    pub(crate) needs: Vec<String>,
    pub(crate) guest: Option<Admission>,
    pub(crate) start: Option<Change>,
    pub(crate) timeout: Span,
    pub(crate) job: Job,
}

impl Ask {
    /// What is nearer to people goes first: a finished change waits for nothing but its proof.
    fn priority(&self) -> i64 {
        match self.job {
            Job::Prove(_) => 30,
            Job::Review(_) => 20,
            Job::Work(_) => 10,
        }
    }

    /// The tree that the attempt begins from, if that is not the base's.
    fn tree(&self) -> Option<&str> {
        match &self.job {
            Job::Prove(prove) => Some(&prove.change.tree),
            Job::Review(review) => Some(&review.change.tree),
            Job::Work(_) => self.start.as_ref().map(|change| change.tree.as_str()),
        }
    }
}

impl Running {
    /// Posts an order in the transaction that begins its attempt.
    pub(crate) async fn post(
        &self,
        tx: &mut Tx,
        (attempt, task): (loops::id::AttemptId, loops::id::TaskId),
        ask: Ask,
    ) -> Result<(), EngineError> {
        let (priority, tree) = (ask.priority(), ask.tree().map(str::to_owned));
        let needs: BTreeSet<String> = ask.needs.iter().cloned().collect();
        let packed = !self.engine.gateway.is_rehearsal()
            && packs::there(&mut *tx, &packs::of_base(&self.base)).await?
            && match &tree {
                Some(tree) => packs::there(&mut *tx, &packs::of_change(tree)).await?,
                None => true,
            };
        let order = self.order(attempt, task, ask.start, ask.timeout, ask.job);
        let body = Body {
            repository: self.repository.clone(),
            hosts: Hosts::of(self.spec(), &order),
            order,
            guest: ask.guest,
            verb: ask.verb.to_owned(),
        };
        let order = orders::NewOrder {
            attempt,
            run: self.id,
            task,
            loop_name: self.spec().name.clone(),
            kind: ask.kind,
            needs: needs.into_iter().collect(),
            priority,
            protocol: PROTOCOL,
            packed,
            body: serde_json::to_string(&body).map_err(|error| EngineError::Record(error.to_string()))?,
            created_at: clock::now(),
        };
        orders::post(tx, &order).await?;
        tx.say(Word::Posted).await?;
        Ok(())
    }

    /// Puts into the store what a node without a mirror needs for an order, if there is such a node.
    pub(crate) async fn pack_for_others(&self, attempt: loops::id::AttemptId) -> Result<(), EngineError> {
        let store = &self.engine.home.store;
        if self.engine.gateway.is_rehearsal() || !has_others(store, self.engine.home.node.id()).await? {
            return Ok(());
        }
        let Some(text) = orders::body(store, attempt).await? else {
            return Ok(());
        };
        let body: Body =
            serde_json::from_str(&text).map_err(|error| EngineError::Record(error.to_string()))?;
        let trees: Vec<&str> = body.trees().collect();
        let base = packs::of_base(&self.base);
        if !packs::there(store, &base).await? {
            let pack = self.git().pack_commit(&self.base).await?;
            let mut tx = store.begin_beside().await?;
            packs::put(&mut tx, &base, &pack, clock::now()).await?;
            tx.commit().await?;
        }
        let mut tx = store.begin_beside().await?;
        for tree in trees {
            let id = packs::of_change(tree);
            if !packs::there(&mut tx, &id).await? {
                let pack = self.git().pack(tree, &self.base).await?;
                packs::put(&mut tx, &id, &pack, clock::now()).await?;
            }
        }
        orders::set_packed(&mut tx, attempt).await?;
        tx.say(Word::Posted).await?;
        tx.commit().await?;
        Ok(())
    }
}

impl Body {
    /// The trees that it names besides the base's.
    pub(super) fn trees(&self) -> impl Iterator<Item = &str> {
        let of_job = match &self.order.job {
            Job::Prove(prove) => Some(prove.change.tree.as_str()),
            Job::Review(review) => Some(review.change.tree.as_str()),
            Job::Work(_) => None,
        };
        let start = self.order.start.as_ref().map(|change| change.tree.as_str());
        of_job.into_iter().chain(start)
    }

    /// Puts in what was saved of this same attempt, if something was.
    pub(super) async fn go_on(&mut self, store: &Store) -> Result<(), EngineError> {
        let Job::Work(work) = &mut self.order.job else {
            return Ok(());
        };
        if !saves::there(store, self.order.attempt).await? {
            return Ok(());
        }
        let mut tx = store.begin_beside().await?;
        let Some(save) = saves::get(&mut tx, self.order.attempt).await? else {
            return Ok(());
        };
        let attempt = attempts::get(&mut tx, self.order.attempt).await?;
        work.saved = Some(Saved {
            messages: save.messages,
            todo: attempt.map(|attempt| attempt.todo).unwrap_or_default(),
        });
        if let Some(tree) = save.tree {
            // Its pack is brought like that of any other tree.
            self.order.start = Some(Change {
                tree,
                pack: Vec::new(),
            });
        }
        Ok(())
    }

    /// Puts in where things are on this machine, and the way to its gateway.
    pub(super) fn here(&mut self, home: &crate::engine::Home, gateway: workers::order::Gateway) {
        let order = &mut self.order;
        order.mirror = home.mirror(&self.repository);
        order.scratch = home.scratch(order.attempt);
        order.setup_cache = home.setup_cache(&order.mirror);
        match &mut order.job {
            Job::Work(work) => {
                work.agent.gateway = gateway;
                work.save_every = home.node.settings.save_every.map(Span);
            }
            Job::Review(review) => review.agent.gateway = gateway,
            Job::Prove(_) => {}
        }
    }

    /// The way to the gateway of an order that is only posted.
    pub(crate) fn no_gateway() -> workers::order::Gateway {
        workers::order::Gateway {
            address: String::new(),
            token: String::new(),
        }
    }

    /// A path of an order that is only posted.
    pub(crate) fn nowhere() -> PathBuf {
        PathBuf::new()
    }
}

/// Whether nodes that need packs were heard of lately.
async fn has_others(store: &Store, me: &str) -> Result<bool, EngineError> {
    if store.is_file() {
        return Ok(false);
    }
    let all = nodes::list(store).await?;
    Ok(all
        .iter()
        .any(|node| node.id != me && node.role == nodes::Role::Works))
}
