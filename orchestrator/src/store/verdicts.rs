//! Table `verdicts`: what people said of findings, besides their answers to proposals, in their words.

use ::loops::{id::FindingId, time::Timestamp};

use super::{Reader, StoreError, Tx, query::statements, words::words};

words! {
    /// What a person did.
    Act {
        /// Made it a part of another one.
        Merge = "merge",
        /// Took it out of another one.
        Split = "split",
        /// Refused it.
        Refuse = "refuse",
        /// Took a refusal back, or asked for it again.
        Reopen = "reopen",
    }
}

/// What a person said of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The finding.
    pub finding: FindingId,
    /// When.
    pub at: Timestamp,
    /// What they did.
    pub act: Act,
    /// Who.
    pub who: String,
    /// In which words.
    pub why: Option<String>,
    /// Salts the ledger's digest of who and why; hex.
    pub salt: String,
    /// The finding that it was merged into or split from.
    pub other: Option<FindingId>,
}

statements! { "verdicts":
    SAY = "INSERT INTO verdicts (finding, at, act, who, why, salt, other) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (finding, at, act) DO NOTHING";
    OF_FINDING = "SELECT finding, at, act, who, why, salt, other FROM verdicts WHERE finding = $1 OR other = $1 ORDER BY at, finding";
}

/// Keeps what somebody said.
pub async fn say(tx: &mut Tx, said: &Verdict) -> Result<(), StoreError> {
    SAY.run(tx, |q| {
        q.bind(said.finding.to_string())
            .bind(said.at.0)
            .bind(said.act.as_str())
            .bind(&said.who)
            .bind(&said.why)
            .bind(&said.salt)
            .bind(said.other.map(|other| other.to_string()))
    })
    .await
    .map(drop)
}

/// What was said of a finding, and of those that became a part of it or were split from it; oldest first.
pub async fn of_finding(from: impl Reader, id: FindingId) -> Result<Vec<Verdict>, StoreError> {
    let read = |row: &super::query::Row| {
        Ok(Verdict {
            finding: row.parsed("finding")?,
            at: row.time("at")?,
            act: row.word("act", Act::parse)?,
            who: row.text("who")?,
            why: row.maybe_text("why")?,
            salt: row.text("salt")?,
            other: row.maybe_parsed("other")?,
        })
    };
    OF_FINDING.all(from, |q| q.bind(id.to_string()), read).await
}
