//! Table `decisions`: what people said of proposals, and which commit they saw.

use ::loops::{
    id::{DecisionId, ProposalId},
    time::Timestamp,
};

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
    words::words,
};

words! {
    /// What a person said.
    Said {
        /// Merge it.
        Approve = "approve",
        /// Another attempt, with these words.
        Revise = "revise",
        /// No.
        Reject = "reject",
        /// No, and nothing of this kind again.
        Never = "never",
    }
}

/// What a person said of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its name for life.
    pub id: DecisionId,
    /// The proposal.
    pub proposal: ProposalId,
    /// What they said.
    pub verdict: Said,
    /// In which words.
    pub words: Option<String>,
    /// Who.
    pub who: String,
    /// The commit that they saw.
    pub head: String,
    /// When.
    pub at: Timestamp,
}

statements! { "decisions":
    INSERT = "INSERT INTO decisions (id, proposal, verdict, words, who, head, at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    OF_PROPOSAL = "SELECT id, proposal, verdict, words, who, head, at FROM decisions WHERE proposal = $1 ORDER BY at, id";
}

/// Keeps a decision.
pub async fn insert(tx: &mut Tx, decision: &Decision) -> Result<(), StoreError> {
    let bind = |q: Query| {
        q.bind(decision.id.to_string())
            .bind(decision.proposal.to_string())
            .bind(decision.verdict.as_str())
            .bind(&decision.words)
            .bind(&decision.who)
            .bind(&decision.head)
            .bind(decision.at.0)
    };
    INSERT.run(tx, bind).await.map(drop)
}

/// What people said of a proposal, oldest first.
pub async fn of_proposal(from: impl Reader, proposal: ProposalId) -> Result<Vec<Decision>, StoreError> {
    OF_PROPOSAL
        .all(from, |q| q.bind(proposal.to_string()), read)
        .await
}

fn read(row: &Row) -> Result<Decision, StoreError> {
    Ok(Decision {
        id: row.parsed("id")?,
        proposal: row.parsed("proposal")?,
        verdict: row.word("verdict", Said::parse)?,
        words: row.maybe_text("words")?,
        who: row.text("who")?,
        head: row.text("head")?,
        at: row.time("at")?,
    })
}
