//! Hands a proposal to the outbox, which brings it to GitHub as a pull request.

use loops::{evidence::Verdict, finding::Event as FindingEvent, page::Page, run::Event, spec::Autonomy};

use super::move_finding;
use crate::{
    engine::{
        EngineError, Place, Progress, Running, lowered,
        outbox::{Outward, send, with},
        private::Private,
        talk,
    },
    store::{
        proposals::{self, Proposal},
        pulls,
    },
};

/// GitHub takes no longer description of a status.
const LONGEST_DESCRIPTION: usize = 140;

impl Running {
    /// What is to leave for GitHub with a proposal, besides its branch; nothing for a folder.
    pub(super) async fn for_github(
        &self,
        proposal: &Proposal,
        page: &Page,
    ) -> Result<Vec<(String, Outward)>, EngineError> {
        if let Place::Folder(_) = self.definition.place() {
            return Ok(Vec::new());
        }
        let spec = &self.spec().proposal;
        let dress = Outward::Dress {
            labels: spec.labels.clone(),
            reviewers: self.reviewers(page).await?,
        };
        let status = Outward::Status {
            head: proposal.head.clone(),
            context: format!("loops/{}", proposal.loop_name),
            description: in_short(page),
        };
        // Nobody would make it ready that it could be merged.
        let by_itself = spec.autonomy == Autonomy::MergeWhenGreen
            && lowered(&self.engine.home.store, self.spec()).await?.is_none();
        Ok(with(proposal, spec.draft && !by_itself, dress, status).into())
    }

    /// From here on it is the outbox's: it goes out now if it can, else as soon as it can.
    pub(super) async fn hand_over(&self, proposal: &Proposal) -> Result<(), EngineError> {
        let (task, attempt) = (proposal.task, proposal.attempt);
        let in_private = Private::of_proposal(&self.engine.home.store, proposal).await?;
        let mut step = self.step().await?;
        for finding in &self.task(task).await?.task.findings {
            move_finding(&mut step.tx, *finding, FindingEvent::Proposed).await?;
        }
        talk::done(&mut step.tx, proposal, &in_private).await?;
        step.commit(Event::Proposed { task, attempt }).await?;
        let home = &self.engine.home;
        let waiting = send(home, false).await?;
        let short = proposal.id.short();
        let how = match pulls::get(&home.store, proposal.id).await? {
            Some(pull) => format!("proposed as {short}: {}", pull.url),
            None => {
                let id = proposal.id.to_string();
                let why = waiting.iter().find(|effect| effect.key.contains(&id));
                let why = why.map_or("GitHub was not asked yet", |effect| &effect.why);
                format!("{short} is ready and waits to be sent: {why}")
            }
        };
        let well = proposals::get(&home.store, proposal.id)
            .await?
            .is_some_and(|now| now.state == proposals::ProposalState::Open);
        self.tell(Progress::Settled { id: task, how, well });
        Ok(())
    }
}

/// What was proven, in a line.
fn in_short(page: &Page) -> String {
    let passed = page
        .evidence
        .iter()
        .filter(|found| found.verdict == Verdict::Passed)
        .count();
    let other: Vec<&str> = page
        .evidence
        .iter()
        .filter(|found| found.verdict != Verdict::Passed)
        .map(|found| found.name.as_str())
        .collect();
    let line = if other.is_empty() {
        format!("{passed} of {passed} proofs hold; the page has them")
    } else {
        format!(
            "{passed} of {} proofs hold; not: {}",
            page.evidence.len(),
            other.join(", ")
        )
    };
    line.chars().take(LONGEST_DESCRIPTION).collect()
}
