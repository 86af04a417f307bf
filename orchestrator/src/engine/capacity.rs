//! The review-capacity governor: what waits for whom over all loops, and how much may be started. What that means is
//! [`loops::capacity`]'s; here it is read from the state, and from CODEOWNERS of the base commit.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use loops::{
    boundary::writable,
    capacity::{self, Load, Next, Reviewer, Room, Waiting},
    finding::FindingState,
    owners::{Owners, PLACES},
    page::Page,
    spec::LoopSpec,
    time::Timestamp,
};
use workers::git::Git;

use super::{Definition, EngineError, Home, Place, Running, outbox::Outward};
use crate::{
    clock,
    store::{
        Store, decisions, findings, handed, loops as loop_rows, outbox, plans,
        plans::PlanState,
        proposals::{self, Proposal, ProposalState},
        pulls, runs,
    },
};

/// So many answers about owners are kept.
const MAX_KNOWN: usize = 1_000;

/// What waits for people, by reviewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burden {
    /// What waits for one of them.
    pub load: Load,
    /// Whether nothing more is started for them.
    pub full: bool,
    /// In words.
    pub words: String,
}

/// What waits for whom now, most first.
///
/// # Errors
/// If the store cannot be read.
pub async fn burden(home: &Home) -> Result<Vec<Burden>, EngineError> {
    let limits = home.review.limits;
    let all = capacity::loads(&limits, &waiting(home).await?, clock::now());
    let told = |load: Load| Burden {
        full: load.room(&limits) == 0,
        words: load.words(&limits),
        load,
    };
    Ok(all.into_iter().map(told).collect())
}

/// Everything that waits for people, of all loops: proposals that are not over, plans without an answer, and what is
/// being worked on. Before a change is there nobody knows whose it will be: where CODEOWNERS decides, it counts for
/// everybody who owns something that the loop may change.
pub(super) async fn waiting(home: &Home) -> Result<Vec<Waiting>, EngineError> {
    let store = &home.store;
    let loops = written(store).await?;
    let mut all = Vec::new();
    for plan in plans::list(store, None, Some(PlanState::Waiting)).await? {
        let base = runs::get(store, plan.run).await?.and_then(|run| run.base);
        all.push(Waiting {
            since: plan.created_at,
            reviewers: to_come(home, &loops, &plan.loop_name, base.as_deref()).await,
        });
    }
    // What is being worked on is going to be proposed.
    for run in runs::all_open(store).await? {
        let mut reviewers = None;
        for finding in handed::of_run(store, run.id).await? {
            let Some(kept) = findings::get(store, finding).await? else {
                continue;
            };
            let under_way = matches!(kept.finding.state, FindingState::Open | FindingState::Working);
            if under_way && findings::suppression(store, finding).await?.is_none() {
                let of = match &reviewers {
                    Some(known) => Vec::clone(known),
                    None => to_come(home, &loops, &run.loop_name, run.base.as_deref()).await,
                };
                reviewers = Some(of.clone());
                all.push(Waiting {
                    since: clock::now(),
                    reviewers: of,
                });
            }
        }
    }
    use ProposalState::{Approved, Open, Preparing, Revising};
    for state in [Preparing, Open, Revising, Approved] {
        for proposal in proposals::list(store, None, Some(state)).await? {
            // What people took over waits for nobody whom we asked.
            let pull = pulls::get(store, proposal.id).await?;
            if pull.is_some_and(|pull| pull.hands_off.is_some()) {
                continue;
            }
            let asked = asked(store, &proposal).await?;
            all.push(Waiting {
                since: answered_last(store, &proposal).await?,
                reviewers: if asked.is_empty() {
                    of_loop(&loops, &proposal.loop_name)
                } else {
                    asked
                },
            });
        }
    }
    Ok(all)
}

/// Whom a loop's spec names, else whoever looks after it.
fn of_loop(loops: &Written, name: &str) -> Vec<Reviewer> {
    let known = loops.get(name).map(|known| named(&known.spec));
    known
        .filter(|reviewers| !reviewers.is_empty())
        .unwrap_or_else(|| vec![Reviewer::OfLoop(name.to_owned())])
}

/// Who may be asked to look at what a loop is going to propose: whom its spec names, else everybody who owns something
/// that it may change at that base, else whoever looks after it.
async fn to_come(home: &Home, loops: &Written, name: &str, base: Option<&str>) -> Vec<Reviewer> {
    if let (Some(known), Some(base)) = (loops.get(name), base)
        && known.spec.proposal.reviewers.is_empty()
    {
        let (spec, mirror) = (&known.spec, home.mirror(&known.place().to_string()));
        let key = format!("{name}\n{}\n{base}", known.version);
        if let Some(owners) = home.owners.get(&key) {
            return owners;
        }
        // A mirror that is not there says nothing about owners.
        if let Ok(owners) = owners_of(&Git::at(&mirror), spec, base).await
            && !owners.is_empty()
        {
            home.owners.put(key, &owners);
            return owners;
        }
    }
    of_loop(loops, name)
}

/// Owners that were read before.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Arc<Mutex<BTreeMap<String, Vec<Reviewer>>>>);

impl Known {
    fn get(&self, key: &str) -> Option<Vec<Reviewer>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).cloned()
    }

    fn put(&self, key: String, owners: &[Reviewer]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(key, owners.to_vec());
    }
}

/// Since when a proposal waits: it was made, or a person said something of it.
pub(super) async fn answered_last(store: &Store, proposal: &Proposal) -> Result<Timestamp, EngineError> {
    let said = decisions::of_proposal(store, proposal.id).await?;
    let last = said.last().map_or(proposal.created_at, |decision| decision.at);
    Ok(last.max(proposal.created_at))
}

/// Who was asked to review a proposal.
async fn asked(store: &Store, proposal: &Proposal) -> Result<Vec<Reviewer>, EngineError> {
    let key = super::outbox::key("dress", proposal.id, &"once");
    let Some(effect) = outbox::get(store, &key).await? else {
        return Ok(Vec::new());
    };
    Ok(match effect.effect::<Outward>()? {
        Outward::Dress { reviewers, .. } => reviewers.iter().map(|name| Reviewer::named(name)).collect(),
        _ => Vec::new(),
    })
}

/// The loops as they were read last.
type Written = BTreeMap<String, Definition>;

async fn written(store: &Store) -> Result<Written, EngineError> {
    let rows = loop_rows::list(store).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let known = Definition {
                spec: Arc::new(serde_json::from_value(row.spec).ok()?),
                version: row.version,
                path: row.path.into(),
                repository: row.repository,
            };
            Some((row.name, known))
        })
        .collect())
}

fn named(spec: &LoopSpec) -> Vec<Reviewer> {
    spec.proposal
        .reviewers
        .iter()
        .map(|name| Reviewer::named(name))
        .collect()
}

/// How many findings of a loop may be started now, as far as its reviewers are concerned. `base` is where its CODEOWNERS
/// is read, if they may be the ones.
pub(super) async fn room(
    home: &Home,
    spec: &LoopSpec,
    base: Option<(&Path, &str)>,
) -> Result<Option<Room>, EngineError> {
    let mut next = Next::All(named(spec));
    if spec.proposal.reviewers.is_empty() {
        let owners = match base {
            Some((mirror, commit)) => owners_of(&Git::at(mirror), spec, commit).await?,
            None => Vec::new(),
        };
        next = if owners.is_empty() {
            Next::All(vec![Reviewer::OfLoop(spec.name.clone())])
        } else {
            Next::Some(owners)
        };
    }
    let waiting = waiting(home).await?;
    Ok(capacity::room(&home.review.limits, &waiting, &next, clock::now()))
}

/// Everybody who owns something that the loop may change.
async fn owners_of(git: &Git, spec: &LoopSpec, commit: &str) -> Result<Vec<Reviewer>, EngineError> {
    let Some(owners) = codeowners(git, commit).await? else {
        return Ok(Vec::new());
    };
    let tree = git.ls_tree(commit).await?;
    let paths: Vec<&str> = tree
        .iter()
        .filter_map(|entry| std::str::from_utf8(&entry.path).ok())
        .collect();
    let all = owners.for_change(writable(&spec.boundaries, paths));
    Ok(all
        .iter()
        .map(|owner| Reviewer::named(&owner.to_string()))
        .collect())
}

/// The CODEOWNERS file of a commit.
pub(super) async fn codeowners(git: &Git, commit: &str) -> Result<Option<Owners>, EngineError> {
    for place in PLACES {
        if let Some(text) = git.show_file(commit, place).await? {
            return Ok(Some(Owners::parse(&String::from_utf8_lossy(&text))));
        }
    }
    Ok(None)
}

impl Running {
    /// Who is asked to review a change: whom the spec names, else at most two of those who own what it touches.
    pub(super) async fn reviewers(&self, page: &Page) -> Result<Vec<String>, EngineError> {
        let spec = self.spec();
        if !spec.proposal.reviewers.is_empty() {
            return Ok(spec.proposal.reviewers.clone());
        }
        let home = &self.engine.home;
        let Some(owners) = codeowners(&self.git(), &self.base).await? else {
            return Ok(Vec::new());
        };
        let mut owners = owners.for_change(page.files.iter().map(|file| &file.path));
        if let Place::GitHub { .. } = self.definition.place()
            && let Some(repository) = home.on_github(&self.definition.place())?
            && let Ok(me) = repository.me().await
        {
            // Nobody can be asked to review what is their own.
            owners.retain(|owner| !me.is(owner.to_string().trim_start_matches('@')));
        }
        let waiting = waiting(home).await?;
        Ok(capacity::ask(
            &home.review.limits,
            &waiting,
            &owners,
            clock::now(),
        ))
    }
}
