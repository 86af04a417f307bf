//! Brings a proposal's branch into a folder on this machine.

use loops::{id::AttemptId, run::Event};

use super::{PutBranch, branch_name, key};
use crate::{
    clock,
    engine::{EngineError, Progress, Running},
    local::branch::{BranchError, Target},
    store::{
        outbox,
        proposals::{self, Proposal, ProposalState},
    },
};

impl Running {
    /// Makes the branch, if it is not there yet. A branch that somebody has checked out or moved is theirs now: the
    /// proposal gets another one then.
    pub(super) async fn deliver(&self, mut proposal: Proposal) -> Result<Proposal, (Proposal, EngineError)> {
        for other in 2.. {
            match self.put(&proposal).await {
                Ok(()) => break,
                Err(EngineError::Branch(BranchError::Moved { .. } | BranchError::CheckedOut { .. }))
                    if other < 10 =>
                {
                    let branch = branch_name(&self.spec().name, &proposal.title, proposal.id);
                    match self.rename(&proposal, format!("{branch}-{other}")).await {
                        Ok(renamed) => proposal = renamed,
                        Err(error) => return Err((proposal, error)),
                    }
                }
                Err(error) => return Err((proposal, error)),
            }
        }
        Ok(proposal)
    }

    async fn put(&self, proposal: &Proposal) -> Result<(), EngineError> {
        let effect = match outbox::get(&self.engine.home.store, &key(proposal)).await? {
            Some(effect) => effect.effect::<PutBranch>()?,
            None => {
                return Err(EngineError::Record(format!(
                    "{} has no effect in the outbox",
                    proposal.id
                )));
            }
        };
        let target = Target::open(std::path::Path::new(&effect.repository)).await?;
        target
            .put(
                &self.mirror,
                &effect.branch,
                &effect.head,
                effect.expected.as_deref(),
            )
            .await?;
        Ok(())
    }

    async fn rename(&self, proposal: &Proposal, branch: String) -> Result<Proposal, EngineError> {
        let effect = PutBranch {
            repository: self.definition.place().to_string(),
            branch: branch.clone(),
            head: proposal.head.clone(),
            expected: None,
        };
        let mut tx = self.engine.home.store.begin().await?;
        outbox::amend(&mut tx, &key(proposal), &effect).await?;
        proposals::set_branch(&mut tx, proposal.id, &branch, clock::now()).await?;
        tx.commit().await?;
        Ok(Proposal {
            branch,
            ..proposal.clone()
        })
    }

    pub(super) async fn refuse_proposal(
        &self,
        proposal: &Proposal,
        attempt: AttemptId,
        why: &str,
    ) -> Result<(), EngineError> {
        let mut step = self.step().await?;
        let now = clock::now();
        outbox::failed(&mut step.tx, &key(proposal), why, now).await?;
        proposals::set_state(
            &mut step.tx,
            proposal.id,
            ProposalState::Preparing,
            ProposalState::Rejected,
            now,
        )
        .await?;
        step.commit(Event::ProposalRefused {
            task: proposal.task,
            attempt,
        })
        .await?;
        self.tell(Progress::Settled {
            id: proposal.task,
            how: format!("could not be proposed: {why}"),
            well: false,
        });
        Ok(())
    }
}
