//! Makes findings of signals, without a model: noise falls away, what speaks of the same problem is put together,
//! what people have answered already stays answered, and the best few are handed on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use loops::{
    cluster::{Cluster, Index, Known, Party, Tie, Ties},
    finding::{Event as FindingEvent, Finding, FindingState, thresholds, title},
    id::FindingId,
    owners::Owners,
    run::Event,
    schedule,
    score::{Fact, people, weighed},
    signal::{Signal, is_noise},
    spec::{LoopSpec, Triage},
    time::Timestamp,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{EngineError, Progress, Running, capacity, trust::held_back};
use crate::{
    clock,
    store::{Tx, findings, handed, plans, proposals, signals, splits, ticks},
};

/// How many signals one run takes in.
const MAX_SIGNALS: u32 = 200_000;
/// The title of a finding whose reports were all taken away: its own was their words.
const ERASED: &str = "(all its reports were taken away)";
/// How many signals of one finding are looked at to score it.
pub(super) const MAX_OF_FINDING: u32 = 10_000;

impl Running {
    pub(crate) async fn triage(&self) -> Result<(), EngineError> {
        self.sort_in().await?;
        let _turn = self.engine.home.starting.lock().await;
        let (ready, held) = self.choose().await?;
        let all = findings::list(
            &self.engine.home.store,
            &findings::Filter {
                loop_name: Some(&self.spec().name),
                ..Default::default()
            },
        )
        .await?
        .len();
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        if let Some(why) = &held {
            self.note(why.clone());
            let _ = self.held.set(why.clone());
        }
        self.tell(Progress::Findings {
            ready: ready.clone(),
            all,
        });
        let mut step = self.step().await?;
        for (number, finding) in (1..).zip(&ready) {
            handed::put(&mut step.tx, self.id, number, finding.id).await?;
        }
        let ready = u32::try_from(ready.len()).unwrap_or(u32::MAX);
        if let Some(why) = held {
            // The receipt says it, too: later nobody could tell.
            ticks::end_of_run(&mut step.tx, self.id, ticks::Receipt::Skipped, Some(&why)).await?;
        }
        step.commit(Event::Triaged { ready }).await
    }

    /// Puts every signal that belongs nowhere yet where it belongs.
    async fn sort_in(&self) -> Result<(), EngineError> {
        let store = &self.engine.home.store;
        let name = &self.spec().name;
        let fresh: Vec<Signal> = signals::unassigned(store, name, MAX_SIGNALS)
            .await?
            .into_iter()
            .map(|kept| kept.signal)
            .collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let (noise, evidence): (Vec<_>, Vec<_>) = fresh
            .into_iter()
            .map(|signal| (is_noise(&signal), signal))
            .partition(|(noise, _)| noise.is_some());
        let evidence: Vec<Signal> = evidence.into_iter().map(|(_, signal)| signal).collect();
        let mut index = self.index(&evidence).await?;
        let assignments = index.assign(&evidence);
        let by_id: BTreeMap<_, _> = evidence.iter().map(|signal| (signal.id, signal)).collect();
        let mut clusters: BTreeMap<Cluster, Vec<&Signal>> = BTreeMap::new();
        let mut placed = BTreeSet::new();
        for assignment in assignments {
            if let Some(signal) = by_id.get(&assignment.signal) {
                clusters.entry(assignment.cluster).or_default().push(signal);
                placed.insert(assignment.signal);
            }
        }
        let now = clock::now();
        let owners = self.owners_if_weighed().await;
        let mut tx = store.begin().await?;
        for (why, signal) in &noise {
            signals::set_noise(&mut tx, name, signal.id, why.unwrap_or("noise")).await?;
        }
        for signal in evidence.iter().filter(|signal| !placed.contains(&signal.id)) {
            signals::set_noise(&mut tx, name, signal.id, "answers something that is no report").await?;
        }
        for (cluster, members) in clusters {
            let mut state = index.state(cluster).unwrap_or_default();
            let (id, woke) = match cluster {
                Cluster::Existing(found) => {
                    let id = findings::resolved(&mut tx, found).await?;
                    let there = findings::get(&mut tx, id).await?;
                    if id != found {
                        // A person merged it while we looked: what it is a part of now keeps what it is like.
                        state = there
                            .as_ref()
                            .and_then(|kept| kept.cluster.as_str())
                            .unwrap_or_default()
                            .to_owned();
                    }
                    let was = there.map_or(FindingState::Open, |kept| kept.finding.state);
                    (
                        id,
                        Some((was, was.after(FindingEvent::NewSignals).unwrap_or(was))),
                    )
                }
                Cluster::New(_) => (clock::id(FindingId::new), None),
            };
            if woke.is_none() {
                let finding = blank(id, &state, &members);
                findings::insert(&mut tx, name, &finding, &json!(state), now).await?;
                let data = json!({ "signals": members.len() });
                tx.record(
                    now,
                    "finding.found",
                    Some(name),
                    Some(self.id),
                    &id.to_string(),
                    data,
                )
                .await?;
            }
            for signal in &members {
                signals::set_finding(&mut tx, name, signal.id, id).await?;
            }
            let now_state = woke.map_or(FindingState::Open, |(_, after)| after);
            if let Some((before, after)) = woke {
                let kind = if before == after {
                    "finding.grew"
                } else {
                    "finding.came_back"
                };
                let data = json!({ "signals": members.len(), "state": after });
                tx.record(now, kind, Some(name), Some(self.id), &id.to_string(), data)
                    .await?;
                if before == FindingState::Fixed && after == FindingState::Open {
                    findings::set_came_back(&mut tx, id, now).await?;
                    self.note(format!(
                        "{} was fixed and is reported again: it is open again",
                        id.short()
                    ));
                }
            }
            weigh(
                &mut tx,
                name,
                &self.spec().triage,
                owners.as_ref(),
                id,
                now_state,
                &state,
            )
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn index(&self, evidence: &[Signal]) -> Result<Index, EngineError> {
        let store = &self.engine.home.store;
        let name = &self.spec().name;
        let now_part_of = findings::resolved_all(store, name).await?;
        let mut known = Vec::new();
        for (id, state) in findings::clusters(store, name).await? {
            let finding = now_part_of.get(&id).copied().unwrap_or(id);
            if let Some(state) = state.as_str() {
                known.push((
                    finding != id,
                    Known {
                        finding,
                        state: state.to_owned(),
                    },
                ));
            }
        }
        // A finding's own state comes before those of what was merged into it.
        known.sort_by_key(|(merged, _)| *merged);
        let known = known.into_iter().map(|(_, known)| known);
        let index = Index::from_known(known).map_err(|error| EngineError::Record(error.to_string()))?;
        let mut parents = Vec::new();
        for signal in evidence {
            let Some(thread) = &signal.thread else { continue };
            let parent = Signal::id_of(&signal.source, thread);
            if let Some(finding) = signals::get(store, name, parent)
                .await?
                .and_then(|kept| kept.finding)
            {
                parents.push((parent, finding));
            }
        }
        Ok(index
            .with_signals(parents)
            .with_ties(self.ties(&now_part_of).await?))
    }

    /// What people said of signals: it wins over likeness. What was split and merged again later is one.
    async fn ties(&self, now_part_of: &HashMap<FindingId, FindingId>) -> Result<Ties, EngineError> {
        let now = |id: FindingId| now_part_of.get(&id).copied().unwrap_or(id);
        let splits = splits::of_loop(&self.engine.home.store, &self.spec().name).await?;
        Ok(Ties::new(splits.into_iter().flat_map(|split| {
            let (finding, other) = (now(split.finding), now(split.apart_from));
            let apart = Tie::Apart(Party::Finding(finding), Party::Finding(other));
            let one = Tie::One(Party::Signal(split.signal), Party::Finding(finding));
            (finding != other).then_some(apart).into_iter().chain([one])
        })))
    }

    /// Who owns what, where the loop weighs areas. A file that cannot be read is like none.
    async fn owners_if_weighed(&self) -> Option<Owners> {
        if self.spec().triage.weights.areas.is_empty() {
            return None;
        }
        capacity::codeowners(&self.git(), &self.base).await.ok().flatten()
    }

    /// The best findings that are worth work now; and why there are none, if something holds the loop back.
    async fn choose(&self) -> Result<(Vec<Finding>, Option<String>), EngineError> {
        let store = &self.engine.home.store;
        let spec = self.spec();
        let open = findings::list(
            store,
            &findings::Filter {
                loop_name: Some(&spec.name),
                state: Some(FindingState::Open),
                ..Default::default()
            },
        )
        .await?;
        let owners = self.owners_if_weighed().await;
        let mut ready = Vec::new();
        for kept in open {
            // What a run has looked at without result waits for news.
            let news = kept.finding.signals > kept.considered;
            if !news || findings::suppression(store, kept.finding.id).await?.is_some() {
                continue;
            }
            let said = signals::of_finding(store, kept.finding.id, MAX_OF_FINDING).await?;
            if let Some(why) = held_back(&self.engine.home, spec, &said).await {
                self.note(format!("{}: {why}", kept.finding.id.short()));
                continue;
            }
            let facts: Vec<Fact> = said.iter().map(|kept| Fact::of(&kept.signal)).collect();
            if thresholds(&facts, spec.triage.min_signals, spec.triage.min_reporters).is_ok() {
                let triage = &spec.triage;
                let score = weighed(
                    &facts,
                    clock::now(),
                    triage.half_life.0,
                    &triage.weights,
                    owners.as_ref(),
                );
                ready.push(Finding {
                    score,
                    ..kept.finding
                });
            }
        }
        ready.sort_by(|a, b| {
            b.score
                .total
                .total_cmp(&a.score.total)
                .then_with(|| a.id.cmp(&b.id))
        });
        if !ready.is_empty()
            && let Some(until) = quiet_until(spec)
        {
            let hours = spec.triage.quiet.as_deref().unwrap_or_default();
            let quiet = format!("these are the loop's quiet hours ({hours}, until {until})");
            if !self.by_hand {
                return Ok((Vec::new(), Some(format!("{quiet}: nothing is started"))));
            }
            self.note(format!("{quiet}; a person started this run, so it goes on"));
        }
        let waiting = proposals::open_count(store, &spec.name)
            .await?
            .saturating_add(plans::open_count(store, &spec.name).await?);
        if waiting >= spec.proposal.max_open && !ready.is_empty() {
            let what = if spec.proposal.plans_first() {
                "proposals and plans"
            } else {
                "proposals"
            };
            let why = format!(
                "{waiting} {what} wait for a person and `max_open` is {}: nothing is started until one is answered (`loops review`)",
                spec.proposal.max_open
            );
            return Ok((Vec::new(), Some(why)));
        }
        let room = spec.proposal.max_open.saturating_sub(waiting);
        ready.truncate(spec.triage.max_findings.min(room) as usize);
        let held = self.not_above_capacity(&mut ready).await?;
        Ok((ready, held))
    }
}

impl Running {
    /// Leaves of what is ready only as much as its reviewers can bear; and says why nothing is left, if that is so.
    async fn not_above_capacity(&self, ready: &mut Vec<Finding>) -> Result<Option<String>, EngineError> {
        let home = &self.engine.home;
        let base = Some((self.mirror.as_path(), self.base.as_str()));
        if ready.is_empty() {
            return Ok(None);
        }
        let Some(room) = capacity::room(home, self.spec(), &self.definition.place(), base).await? else {
            return Ok(None);
        };
        let (all, start) = (ready.len(), room.start as usize);
        if start >= all {
            return Ok(None);
        }
        ready.truncate(start);
        let why = room.load.words(&home.review.limits);
        if start == 0 {
            return Ok(Some(format!(
                "{why}; nothing is started until some of it is answered"
            )));
        }
        self.note(format!("{why}; {start} of {all} findings are started"));
        Ok(None)
    }
}

/// Until when the loop's quiet hours go on; none: they are not now.
pub(crate) fn quiet_until(spec: &LoopSpec) -> Option<Timestamp> {
    let hours = spec.triage.quiet.as_deref()?;
    schedule::quiet_until(hours, spec.schedule.as_ref(), clock::now())
}

/// Counts and scores a finding anew from all its signals. The words of erased ones count no more.
async fn weigh(
    tx: &mut Tx,
    loop_name: &str,
    triage: &Triage,
    owners: Option<&Owners>,
    id: FindingId,
    state: FindingState,
    cluster: &str,
) -> Result<(), EngineError> {
    let kept = signals::of_finding(&mut *tx, id, MAX_OF_FINDING).await?;
    let members: Vec<&Signal> = kept
        .iter()
        .filter(|kept| kept.erased_at.is_none())
        .map(|kept| &kept.signal)
        .collect();
    let facts: Vec<Fact> = members.iter().map(|signal| Fact::of(signal)).collect();
    let now = clock::now();
    let mut finding = Finding {
        state,
        score: weighed(&facts, now, triage.half_life.0, &triage.weights, owners),
        ..blank(id, cluster, &members)
    };
    if members.is_empty()
        && let Some(known) = findings::get(&mut *tx, id).await?
    {
        finding = Finding {
            title: ERASED.to_owned(),
            signals: 0,
            reporters: 0,
            score: finding.score,
            ..known.finding
        };
    }
    findings::update(tx, loop_name, &finding, &json!(cluster), now).await?;
    Ok(())
}

/// Counts a known finding anew, after some of its signals were edited or taken away.
pub(crate) async fn recount(
    tx: &mut Tx,
    loop_name: &str,
    id: FindingId,
    triage: &Triage,
) -> Result<(), EngineError> {
    let Some(known) = findings::get(&mut *tx, id).await? else {
        return Ok(());
    };
    let cluster = known.cluster.as_str().unwrap_or_default();
    recount_as(tx, loop_name, id, triage, cluster).await
}

/// The same, and what the clustering keeps of it is this from now on. Which areas are named, the next run finds out.
pub(crate) async fn recount_as(
    tx: &mut Tx,
    loop_name: &str,
    id: FindingId,
    triage: &Triage,
    cluster: &str,
) -> Result<(), EngineError> {
    let Some(known) = findings::get(&mut *tx, id).await? else {
        return Ok(());
    };
    weigh(tx, loop_name, triage, None, id, known.finding.state, cluster).await
}

/// What the findings of one cluster have in common, short enough to stand in a row.
fn fingerprint_of(cluster: &str) -> String {
    hex::encode(Sha256::digest(cluster.as_bytes()))[..16].to_owned()
}

/// A finding with what can be counted of its signals, open and not yet scored.
pub(super) fn blank(id: FindingId, fingerprint: &str, members: &[&Signal]) -> Finding {
    let facts: Vec<Fact> = members.iter().map(|signal| Fact::of(signal)).collect();
    let times = || members.iter().map(|signal| signal.at);
    Finding {
        id,
        title: title(members),
        fingerprint: fingerprint_of(fingerprint),
        state: FindingState::Open,
        score: loops::score::Score::default(),
        signals: u32::try_from(members.len()).unwrap_or(u32::MAX),
        reporters: people(&facts),
        first_at: times().min().unwrap_or_default(),
        last_at: times().max().unwrap_or_default(),
    }
}
