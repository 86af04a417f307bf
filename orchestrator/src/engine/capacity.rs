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
    owners::{Owner, Owners, PLACES},
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
        // Who only looks does not ask GitHub who we are.
        let me = match home.on_github(&known.place()) {
            Ok(None) => Me::Nobody,
            Ok(Some(repository)) => repository.known_me().map_or(Me::Unknown, Me::Is),
            Err(_) => Me::Unknown,
        };
        // A mirror that is not there says nothing about owners.
        if let Ok(groups) = owners_of(&Git::at(&mirror), spec, base, &me).await
            && !groups.is_empty()
        {
            let mut owners = groups.concat();
            owners.sort();
            owners.dedup();
            if !matches!(me, Me::Unknown) {
                home.owners.put(key, &owners);
            }
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

/// Who we are where nobody can be asked to review what is their own.
enum Me {
    /// A login of ours.
    Is(crate::github::Me),
    /// Proposals go out under nobody's name.
    Nobody,
    /// It could not be found out.
    Unknown,
}

/// How many findings of a loop may be started now, as far as its reviewers are concerned. `base` is where its CODEOWNERS
/// is read, if they may be the ones, of `place`.
pub(super) async fn room(
    home: &Home,
    spec: &LoopSpec,
    place: &Place,
    base: Option<(&Path, &str)>,
) -> Result<Option<Room>, EngineError> {
    let mut next = Next::All(named(spec));
    if spec.proposal.reviewers.is_empty() {
        let groups = match base {
            Some((mirror, commit)) => {
                let me = match home.on_github(place) {
                    Ok(None) => Me::Nobody,
                    Ok(Some(repository)) => repository.me().await.map_or(Me::Unknown, Me::Is),
                    Err(_) => Me::Unknown,
                };
                owners_of(&Git::at(mirror), spec, commit, &me).await?
            }
            None => Vec::new(),
        };
        next = if groups.is_empty() {
            Next::All(vec![Reviewer::OfLoop(spec.name.clone())])
        } else {
            Next::Each(groups)
        };
    }
    let waiting = waiting(home).await?;
    Ok(capacity::room(&home.review.limits, &waiting, &next, clock::now()))
}

/// Who may be asked about what the loop may change, by what it may be: each set of owners of a path. Whom nobody can ask is
/// left out; where nobody is left, whoever looks after the loop is the one. Empty: there is no CODEOWNERS file.
async fn owners_of(
    git: &Git,
    spec: &LoopSpec,
    commit: &str,
    me: &Me,
) -> Result<Vec<Vec<Reviewer>>, EngineError> {
    let Some(owners) = codeowners(git, commit).await? else {
        return Ok(Vec::new());
    };
    let tree = git.ls_tree(commit).await?;
    let paths: Vec<&str> = tree
        .iter()
        .filter_map(|entry| std::str::from_utf8(&entry.path).ok())
        .collect();
    let sets = owners.sets(writable(&spec.boundaries, paths));
    Ok(groups(&sets, &spec.name, me))
}

fn groups(sets: &[Vec<Owner>], loop_name: &str, me: &Me) -> Vec<Vec<Reviewer>> {
    let of_loop = || vec![Reviewer::OfLoop(loop_name.to_owned())];
    let mut groups: Vec<Vec<Reviewer>> = sets
        .iter()
        .map(|set| {
            let askable = set.iter().filter(|owner| can_be_asked(owner, me));
            let group: Vec<Reviewer> = askable.map(|owner| Reviewer::named(&owner.to_string())).collect();
            if group.is_empty() { of_loop() } else { group }
        })
        .collect();
    // Some of them may be ourselves: then what is proposed counts for whoever looks after the loop.
    if matches!(me, Me::Unknown) {
        groups.push(of_loop());
    }
    groups.sort();
    groups.dedup();
    groups
}

/// Nobody can be asked by an e-mail address, or to review what is their own.
fn can_be_asked(owner: &Owner, me: &Me) -> bool {
    match (owner, me) {
        (Owner::Email { .. }, _) => false,
        (Owner::User { login }, Me::Is(me)) => !me.is(login),
        _ => true,
    }
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
            let me = Me::Is(me);
            owners.retain(|owner| can_be_asked(owner, &me));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_be_asked_makes_no_room_and_whoever_looks_after_the_loop_stands_in() {
        let set =
            |names: &[&str]| -> Vec<Owner> { names.iter().map(|name| Owner::parse(name).unwrap()).collect() };
        let me = || {
            Me::Is(crate::github::Me {
                login: "loops-bot".to_owned(),
                app: false,
            })
        };
        let carol = || vec![Reviewer::named("carol")];
        let of_loop = || vec![Reviewer::OfLoop("fix".to_owned())];
        let of = |names: &[&str]| groups(&[set(names)], "fix", &me());
        assert_eq!(of(&["@carol", "x@example.com", "@Loops-Bot"]), [carol()]);
        for nobody in [&["x@example.com"][..], &["@loops-bot"], &[]] {
            assert_eq!(of(nobody), [of_loop()], "{nobody:?}");
        }
        let sets = [set(&["@carol"]), set(&[]), set(&["x@example.com"])];
        assert_eq!(groups(&sets, "fix", &me()), [carol(), of_loop()]);
        assert_eq!(
            groups(&[set(&["@carol"])], "fix", &Me::Unknown),
            [carol(), of_loop()]
        );
        assert_eq!(groups(&[set(&["@carol"])], "fix", &Me::Nobody), [carol()]);
        assert!(groups(&[], "fix", &me()).is_empty());
    }
}
