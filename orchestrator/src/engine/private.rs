//! What was said in private and would be repeated where others read: it is held back, unless the loop lets it out
//! (`proposal.private: quote`). Whatever leaves for GitHub or Slack passes here; nothing is stored or sent here.

use std::collections::BTreeSet;

use loops::{
    id::FindingId,
    screen::private,
    spec::{LoopSpec, PrivateWords},
};
use serde::Deserialize as _;

use super::{EngineError, settle::findings_of};
use crate::store::{Store, loops as loop_rows, proposals::Proposal, signals};

/// So many signals of a finding are looked at.
const MAX_SIGNALS: u32 = 10_000;

/// What was said in private of some findings, and is not to be repeated.
#[derive(Debug, Clone, Default)]
pub(crate) struct Private {
    told: Vec<String>,
}

impl Private {
    /// Of these findings, as their loop wants it.
    pub(crate) async fn of(
        store: &Store,
        withhold: PrivateWords,
        findings: impl IntoIterator<Item = &FindingId>,
    ) -> Result<Self, EngineError> {
        let mut told = Vec::new();
        if withhold == PrivateWords::Withhold {
            for finding in findings {
                if signals::in_private(store, *finding).await? == 0 {
                    continue;
                }
                let said = signals::of_finding(store, *finding, MAX_SIGNALS).await?;
                told.extend(
                    said.into_iter()
                        .filter(|kept| kept.signal.private)
                        .map(|kept| kept.signal.text),
                );
            }
        }
        Ok(Self { told })
    }

    /// Of what a proposal is for. Of a loop that is not known any more, all is held back.
    pub(crate) async fn of_proposal(store: &Store, proposal: &Proposal) -> Result<Self, EngineError> {
        let row = loop_rows::get(store, &proposal.loop_name).await?;
        let spec = row.and_then(|row| LoopSpec::deserialize(&row.spec).ok());
        let withhold = spec.map_or(PrivateWords::Withhold, |spec| spec.proposal.private);
        let findings = findings_of(store, proposal).await?;
        Self::of(store, withhold, &findings).await
    }

    /// And of others.
    pub(crate) fn and(&mut self, other: Self) {
        let known: BTreeSet<String> = self.told.drain(..).chain(other.told).collect();
        self.told.extend(known);
    }

    /// A text without what it repeats.
    pub(crate) fn hold(&self, text: &str) -> String {
        if self.told.is_empty() {
            return text.to_owned();
        }
        private::hold(text, &self.told)
    }
}
