//! A proposal whose base has moved on: the change is made anew on the base as it is now, proven there, and pushed over
//! what we pushed before. Seldom: at most once a day and a few times in all, however often the base moves. The proof is
//! made beside the look at GitHub ([`Rebuilds`]); what came of it is written down by the next one.

mod jobs;
mod page;
mod review;

use std::path::PathBuf;

use loops::{evidence::Evidence, id::AttemptId, time::Timestamp};
use serde_json::json;
use workers::git::Git;

pub(crate) use self::jobs::Rebuilds;
use self::{page::page, review::Review};
use super::{EngineError, Home, News, Talk, news};
use crate::{
    clock,
    engine::{
        Definition, Place,
        answer::on_base,
        outbox::{Outward, key},
        propose::{AUTHOR, PutBranch},
    },
    store::{
        attempts::{self, AttemptState, Begun, Ended, Role},
        evidence as evidence_rows, loops as loop_rows, outbox,
        proposals::{self, Proposal, ProposalState, Revision},
        pulls::{self, PullRow},
    },
};

/// A proof counts for so long when its base moves, in milliseconds.
const HOLDS: i64 = 24 * 3_600_000;
/// Between two of them lies at least so long, in milliseconds.
const GAP: i64 = 24 * 3_600_000;
/// How often in all.
const MOST: u32 = 3;

/// What is known when it is asked whether to make it anew.
#[derive(Debug, Clone, Copy)]
struct Standing {
    now: Timestamp,
    proven_at: Timestamp,
    rebuilds: u32,
    last: Option<Timestamp>,
    /// Whether what it was made on is no part of the base any more.
    gone: bool,
}

/// Whether a proposal whose base has moved is to be made anew now.
fn due(standing: Standing) -> bool {
    let old = standing.now.0 - standing.proven_at.0 >= HOLDS;
    let free = standing.last.is_none_or(|last| standing.now.0 - last.0 >= GAP);
    (old || standing.gone) && free && standing.rebuilds < MOST
}

/// What came of it.
pub(super) enum Rebuilt {
    /// Nothing was due.
    NotDue,
    /// Its proof has begun, on this base.
    Begun(String),
    /// It holds on the base of now, and is on its way.
    Done(Box<News>),
    /// It does not hold there, for this reason.
    DoesNotHold(String),
}

/// Makes a proposal anew on `base`, where GitHub saw its base branch last, if that is due: begins to prove it, or takes in
/// what came of that.
pub(super) async fn look(
    home: &Home,
    row: &PullRow,
    proposal: &Proposal,
    base: &str,
) -> Result<Rebuilt, EngineError> {
    let now = clock::now();
    if let Some(proven) = home.rebuilds.take(proposal.id, proposal.attempt, now) {
        let came = match proven {
            Ok(Ok(made)) => take_in(home, row, proposal, made).await,
            Ok(Err(why)) => {
                // When it was is written with what follows from it.
                let mut tx = home.store.begin().await?;
                pulls::one_more_rebuild(&mut tx, proposal.id).await?;
                tx.commit().await?;
                return Ok(Rebuilt::DoesNotHold(why));
            }
            Err(error) => Err(error),
        };
        if matches!(came, Ok(Rebuilt::NotDue) | Err(_)) {
            could_not(home, proposal, now).await?;
        }
        return came;
    }
    if home.rebuilds.is_under_way(proposal.id) {
        return Ok(Rebuilt::NotDue);
    }
    let mut talk: Talk = row.talk();
    if base == proposal.base || row.rebuilds >= MOST {
        return Ok(Rebuilt::NotDue);
    }
    let Some(worked) = attempts::get(&home.store, proposal.attempt).await? else {
        return Ok(Rebuilt::NotDue);
    };
    let mut standing = Standing {
        now,
        proven_at: worked.ended_at.unwrap_or(proposal.created_at),
        rebuilds: row.rebuilds,
        last: talk.rebuilt_at,
        gone: false,
    };
    // A base that was looked at already costs nothing more until its time has come.
    if !due(standing) && talk.base_seen.as_deref() == Some(base) {
        return Ok(Rebuilt::NotDue);
    }
    let (mirror, base) = home
        .fetch(&Place::parse(&row.repository), &proposal.base_branch)
        .await?;
    let git = Git::at(&mirror);
    let part = git.line(&["merge-base", &proposal.base, &base]).await;
    standing.gone = part.is_ok_and(|common| common.trim() != proposal.base);
    talk.base_seen = Some(base.clone());
    if !due(standing) {
        let mut tx = home.store.begin().await?;
        if pulls::get(&mut tx, proposal.id)
            .await?
            .is_some_and(|now| now.talk == row.talk)
        {
            pulls::set_talk(&mut tx, proposal.id, &talk).await?;
            tx.commit().await?;
        }
        return Ok(Rebuilt::NotDue);
    }
    let Some(definition) = definition(home, &proposal.loop_name).await? else {
        return Ok(Rebuilt::NotDue);
    };
    let job = prove(home.clone(), definition, proposal.clone(), mirror, base.clone());
    let begun = home.rebuilds.begin(proposal.id, proposal.attempt, now, job);
    Ok(if begun {
        Rebuilt::Begun(base)
    } else {
        Rebuilt::NotDue
    })
}

/// A proof that could not be made, or not be written down, is one of the few all the same: what is in its way today may be
/// so for long.
async fn could_not(home: &Home, proposal: &Proposal, now: Timestamp) -> Result<(), EngineError> {
    let mut tx = home.store.begin().await?;
    let Some(row) = pulls::get(&mut tx, proposal.id).await? else {
        return Ok(());
    };
    let mut talk: Talk = row.talk();
    talk.rebuilt_at = Some(now);
    pulls::set_talk(&mut tx, proposal.id, &talk).await?;
    pulls::one_more_rebuild(&mut tx, proposal.id).await?;
    tx.commit().await?;
    Ok(())
}

/// Proves a proposal's change on `base`, and writes nothing down.
async fn prove(
    home: Home,
    definition: Definition,
    proposal: Proposal,
    mirror: PathBuf,
    base: String,
) -> Result<Result<Proven, String>, EngineError> {
    let found = on_base(&home, &definition, &proposal, &mirror, &base).await?;
    Ok(found.map(|(tree, evidence)| Proven { tree, base, evidence }))
}

/// Takes in a change that holds on another base.
async fn take_in(
    home: &Home,
    row: &PullRow,
    proposal: &Proposal,
    proven: Proven,
) -> Result<Rebuilt, EngineError> {
    let (Some(worked), Some(definition)) = (
        attempts::get(&home.store, proposal.attempt).await?,
        definition(home, &proposal.loop_name).await?,
    ) else {
        return Ok(Rebuilt::NotDue);
    };
    let git = Git::at(&home.mirror(&row.repository));
    let message = git.run(&["log", "-1", "--format=%B", &proposal.head]).await?;
    let head = git
        .commit_tree(
            &proven.tree,
            &[&proven.base],
            &String::from_utf8_lossy(&message),
            AUTHOR,
            clock::now().0 / 1000,
        )
        .await?;
    let review = review::of(&home.store, &git, &definition, proposal, &proven).await?;
    let made = Made {
        attempt: clock::id(AttemptId::new),
        proven,
        head,
        review,
    };
    write(home, row, proposal, &definition, &worked, made).await
}

/// What holds on another base.
#[derive(Debug)]
struct Proven {
    tree: String,
    base: String,
    evidence: Vec<Evidence>,
}

/// What was made anew.
struct Made {
    attempt: AttemptId,
    proven: Proven,
    head: String,
    review: Review,
}

async fn write(
    home: &Home,
    row: &PullRow,
    proposal: &Proposal,
    definition: &Definition,
    worked: &attempts::Attempt,
    made: Made,
) -> Result<Rebuilt, EngineError> {
    let Made {
        attempt,
        proven,
        head,
        review,
    } = made;
    let mut talk: Talk = row.talk();
    let now = clock::now();
    let mut tx = home.store.begin().await?;
    let same = pulls::get(&mut tx, proposal.id)
        .await?
        .is_some_and(|there| there.talk == row.talk && there.hands_off == row.hands_off);
    let (open, revising) = (ProposalState::Open, ProposalState::Revising);
    if !same || !proposals::set_state(&mut tx, proposal.id, open, revising, now).await? {
        return Ok(Rebuilt::NotDue);
    }
    let begun = Begun {
        id: attempt,
        backend: Some("rebuild".to_owned()),
        model: None,
        effort: None,
        spec_version: definition.version.clone(),
        words: None,
        base: Some(proven.base.clone()),
        started_at: now,
        role: Role::Work,
        number: worked.begun.number + 1,
        ..worked.begun.clone()
    };
    attempts::insert(&mut tx, &begun).await?;
    let ended = Ended {
        tree: Some(proven.tree.clone()),
        ..worked.ended.clone()
    };
    attempts::finish(&mut tx, attempt, AttemptState::Done, &ended, now).await?;
    let mut evidence = proven.evidence.clone();
    if let Review::Holds(known) = &review {
        evidence.extend_from_slice(known);
    }
    evidence_rows::put(&mut tx, attempt, proposal.task, attempt, &evidence).await?;
    if matches!(review, Review::Due) && !review::again(&mut tx, proposal, attempt, &proven.base).await? {
        return Ok(Rebuilt::NotDue);
    }
    let revision = Revision {
        attempt,
        base: proven.base.clone(),
        head: head.clone(),
        title: proposal.title.clone(),
        body: page(&proposal.body, &proven),
    };
    proposals::revise(&mut tx, proposal.id, &revision, now).await?;
    let put = PutBranch {
        repository: row.repository.clone(),
        branch: proposal.branch.clone(),
        head: head.clone(),
        expected: Some(proposal.head.clone()),
    };
    let id = proposal.id;
    outbox::put(&mut tx, &key("branch", id, &attempt), &put, now).await?;
    let pull = Outward::Pull { draft: row.draft };
    outbox::put(&mut tx, &key("pull", id, &attempt), &pull, now).await?;
    let status = Outward::Status {
        head: head.clone(),
        context: format!("loops/{}", proposal.loop_name),
        description: "proven again on the base as it is now; the page has it".to_owned(),
    };
    outbox::put(&mut tx, &key("status", id, &attempt), &status, now).await?;
    let how = format!("made anew on {} and proven there", news::short(&proven.base));
    talk.rebuilt_at = Some(now);
    talk.ci = None;
    talk.tell(format!("The base had moved: {how}, as {}.", news::short(&head)));
    let now_proposal = Proposal {
        attempt,
        base: proven.base.clone(),
        head: head.clone(),
        ..proposal.clone()
    };
    let limits = definition.spec.proposal.rounds;
    if let Some((key, effect)) = news::update(&now_proposal, &mut talk, None, limits) {
        outbox::put(&mut tx, &key, &effect, now).await?;
    }
    pulls::one_more_rebuild(&mut tx, id).await?;
    pulls::set_talk(&mut tx, id, &talk).await?;
    let (name, run) = (Some(proposal.loop_name.as_str()), Some(proposal.run));
    let data = json!({ "base": proven.base, "head": head, "attempt": attempt });
    tx.record(now, "proposal.rebuilt", name, run, &id.to_string(), data)
        .await?;
    tx.commit().await?;
    Ok(Rebuilt::Done(Box::new(News::Rebuilt(proposal.clone(), how))))
}

/// The loop as it was read last; none: it cannot be understood any more.
pub(crate) async fn definition(home: &Home, loop_name: &str) -> Result<Option<Definition>, EngineError> {
    let Some(known) = loop_rows::get(&home.store, loop_name).await? else {
        return Ok(None);
    };
    let spec = serde_json::from_value(known.spec).ok();
    Ok(spec.map(|spec| Definition {
        spec: std::sync::Arc::new(spec),
        version: known.version,
        path: known.path.into(),
        repository: known.repository,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    /// How often a proposal is made anew when its base moves at each of these hours.
    fn rebuilt(hours: impl Iterator<Item = i64>, gone: bool) -> Vec<i64> {
        let (mut proven_at, mut last, mut at) = (Timestamp(0), None, Vec::new());
        for hour in hours {
            let now = Timestamp(hour * HOUR);
            let rebuilds = u32::try_from(at.len()).unwrap();
            if due(Standing {
                now,
                proven_at,
                rebuilds,
                last,
                gone,
            }) {
                (proven_at, last) = (now, Some(now));
                at.push(hour);
            }
        }
        at
    }

    #[test]
    fn a_base_that_moves_fifty_times_brings_no_storm() {
        assert_eq!(
            rebuilt((1..=50).map(|n| n / 10), false),
            [0; 0],
            "within a day: never"
        );
        assert_eq!(rebuilt(1..=50, false), [24, 48], "every hour: once a day");
        assert_eq!(
            rebuilt((1..=50).map(|n| n * 24), false),
            [24, 48, 72],
            "every day: three times in all"
        );
        assert_eq!(
            rebuilt(1..=50, true),
            [1, 25, 49],
            "forced away each time: once a day"
        );
    }
}
