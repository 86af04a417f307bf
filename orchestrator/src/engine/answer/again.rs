//! A change whose base has moved since it was proven is another change: it is merged with the new base and proven there
//! before it may count.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use loops::{
    evidence::{Evidence, Verdict, verdict},
    id::AttemptId,
    screen::{self, Leaving},
    spec::Sandbox,
};
use tokio::sync::mpsc;
use workers::{
    Change, Job, Order, carry_out,
    git::Git,
    order::{Prove, Result as JobResult, WaysOut},
};

use super::Answered;
use crate::{
    clock,
    engine::{Definition, EngineError, Home, prove::longest, ways_out},
    gateway::Gateway,
    store::proposals::Proposal,
};

/// The change merged with a base that has moved, and proven there; or why that does not hold.
pub(super) async fn merge_again(
    home: &Home,
    definition: Option<&Definition>,
    proposal: &Proposal,
    mirror: &Path,
    base: &str,
) -> Result<Result<(String, Vec<Evidence>), Answered>, EngineError> {
    let no = |why: String, evidence| Ok(Err(Answered::DoesNotHold { why, evidence }));
    let Some(definition) = definition else {
        return no(
            "the base has moved, and the loop's spec is not here to prove the change again".into(),
            vec![],
        );
    };
    let attempt = clock::id(AttemptId::new);
    let room = Room {
        attempt,
        scratch: home.scratch(attempt),
    };
    let (tree, evidence) = match there(home, definition, proposal, mirror, base, room).await? {
        Ok(proven) => proven,
        Err(No::Conflicts) => {
            let command = format!(
                "loops revise {} \"the base has moved; do it again on it\"",
                proposal.id.short()
            );
            return no(
                format!("the base has moved and the change conflicts with it; try `{command}`"),
                vec![],
            );
        }
        Err(No::Fails(evidence)) => {
            return no(
                "the base has moved, and the change does not pass its checks there".into(),
                evidence,
            );
        }
    };
    let message = format!("Merge {}\n\n{}\n", proposal.branch, proposal.title);
    let seconds = clock::now().0 / 1000;
    let commit = Git::at(mirror)
        .commit_tree(
            &tree,
            &[base, &proposal.head],
            &message,
            ("Loops", "loops@localhost"),
            seconds,
        )
        .await?;
    Ok(Ok((commit, evidence)))
}

/// Where a proof is made. What lies there goes with it, also if the proof is given up.
struct Room {
    attempt: AttemptId,
    scratch: PathBuf,
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = workers::sandbox::remove(&self.scratch);
    }
}

/// Why a change is not good on another base.
enum No {
    Conflicts,
    Fails(Vec<Evidence>),
}

/// The tree of the change on another base and what was found out about it there; or, in words, why it does not hold.
///
/// # Errors
/// If it could not be tried.
pub(crate) async fn on_base(
    home: &Home,
    definition: &Definition,
    proposal: &Proposal,
    mirror: &Path,
    base: &str,
) -> Result<Result<(String, Vec<Evidence>), String>, EngineError> {
    let attempt = clock::id(AttemptId::new);
    let room = Room {
        attempt,
        scratch: home.rebuild_folder().join(attempt.to_string()),
    };
    Ok(
        match there(home, definition, proposal, mirror, base, room).await? {
            Ok(proven) => Ok(proven),
            Err(No::Conflicts) => Err("it conflicts with its base".to_owned()),
            Err(No::Fails(_)) => Err("it does not pass its checks on its base as it is now".to_owned()),
        },
    )
}

async fn there(
    home: &Home,
    definition: &Definition,
    proposal: &Proposal,
    mirror: &Path,
    base: &str,
    room: Room,
) -> Result<Result<(String, Vec<Evidence>), No>, EngineError> {
    let git = Git::at(mirror);
    // Of a base that was forced away only its tree is left to merge with, as if it had come after what we know.
    let common = git.line(&["merge-base", &proposal.base, base]).await;
    let stand_in = match common {
        Ok(common) if common.trim() == proposal.base => base.to_owned(),
        _ => {
            let tree = git.line(&["rev-parse", &format!("{base}^{{tree}}")]).await?;
            git.commit_tree(
                tree.trim(),
                &[&proposal.base],
                "The base as it is now\n",
                ("Loops", "loops@localhost"),
                clock::now().0 / 1000,
            )
            .await?
        }
    };
    let tree = match git
        .line(&[
            "merge-tree",
            "--write-tree",
            "--no-messages",
            &stand_in,
            &proposal.head,
        ])
        .await
    {
        Ok(tree) => tree.lines().next().unwrap_or_default().to_owned(),
        Err(_) => return Ok(Err(No::Conflicts)),
    };
    let screened = match workers::checks::diff(&git, base, &tree).await {
        Ok(diff) => {
            let title = proposal.title.clone();
            let judged = tokio::task::spawn_blocking(move || {
                screen::judge(Leaving {
                    diff: &diff,
                    texts: &[("title", &title)],
                })
            });
            judged
                .await
                .unwrap_or_else(|error| screen::could_not_run(&format!("the screens broke off: {error}")))
        }
        Err(error) => screen::could_not_run(&format!("the change could not be read: {error}")),
    };
    let mut evidence = prove_tree(home, definition, proposal, mirror, base, &tree, room).await?;
    evidence.push(screened);
    if verdict(&evidence, &definition.spec.checks) != Verdict::Passed {
        return Ok(Err(No::Fails(evidence)));
    }
    Ok(Ok((tree, evidence)))
}

async fn prove_tree(
    home: &Home,
    definition: &Definition,
    proposal: &Proposal,
    mirror: &Path,
    base: &str,
    tree: &str,
    room: Room,
) -> Result<Vec<Evidence>, EngineError> {
    let spec = &definition.spec;
    let mut order = Order {
        attempt: room.attempt,
        task: proposal.task,
        run: proposal.run,
        mirror: mirror.to_owned(),
        base: base.to_owned(),
        start: None,
        scratch: room.scratch.clone(),
        sandbox: match &spec.sandbox {
            Sandbox::None => None,
            Sandbox::Limits(limits) => Some(limits.clone()),
        },
        setup: spec.setup.clone(),
        setup_cache: home.setup_cache(mirror),
        ways_out: WaysOut::default(),
        timeout: longest(&spec.checks.commands),
        job: Job::Prove(Prove {
            change: Change {
                tree: tree.to_owned(),
                pack: Vec::new(),
            },
            commands: spec.checks.commands.clone(),
            reproduce: spec.checks.reproduce,
            weakened_tests: spec.checks.weakened_tests,
            baseline: None,
        }),
    };
    let (reports, _) = mpsc::unbounded_channel();
    let machine = Arc::clone(&home.machine);
    // Nobody else's gateway is at hand where a person answers.
    let hosts = ways_out::Hosts::of(spec, &order);
    let gateway = match ways_out::proof_needs_one(spec) {
        true => Some(Arc::new(Gateway::for_hosts(home.store.clone()).await?)),
        false => None,
    };
    let passes = gateway
        .as_ref()
        .map(|gateway| ways_out::let_out(gateway, &spec.name, &hosts, &mut order));
    let outcome = carry_out(order, &machine, reports).await;
    drop(passes);
    if let Some(gateway) = gateway {
        gateway.shutdown(Duration::ZERO).await;
    }
    drop(room);
    match outcome.result {
        JobResult::Proved { evidence, .. } => Ok(evidence),
        JobResult::CouldNotRun { why, .. } => {
            Err(EngineError::Record(format!("the checks could not run: {why}")))
        }
        JobResult::Worked { .. } | JobResult::Reviewed { .. } => Ok(Vec::new()),
    }
}
