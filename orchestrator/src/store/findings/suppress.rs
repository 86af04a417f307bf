//! Whether a finding may be worked on: not if a person refused it, and not while a proposal or a plan for it waits.

use ::loops::id::{FindingId, ProposalId, TaskId};

use crate::store::{
    Reader, StoreError,
    query::{Row, statements},
};

/// Why a finding may not be worked on now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suppression {
    /// Somebody refused it.
    Refused {
        /// Their reason.
        why: String,
    },
    /// Somebody wants nothing of its kind; this is the finding of which they said so.
    Never {
        /// The finding that was refused.
        finding: FindingId,
        /// Their reason.
        why: String,
    },
    /// A proposal that names it waits for a decision.
    Proposed {
        /// The proposal.
        proposal: ProposalId,
    },
    /// The plan of a task that names it waits for a decision, or to be taken up.
    Planned {
        /// The task.
        task: TaskId,
    },
}

statements! { "findings":
    SUPPRESSION = "SELECT 'refused' AS kind, other.id, COALESCE(other.refused_why, '') AS why,
            CASE WHEN other.id = this.id THEN 0 ELSE 1 END AS place
        FROM findings AS this JOIN findings AS other ON other.loop = this.loop
            AND (other.id = this.id OR (other.never = 1 AND other.fingerprint = this.fingerprint))
        WHERE this.id = $1 AND other.state = 'refused'
        UNION ALL
        SELECT 'proposed', proposals.id, '', 2
        FROM findings AS this JOIN proposals ON proposals.loop = this.loop
            AND proposals.state IN ('preparing', 'open', 'revising', 'approved')
        LEFT JOIN tasks ON tasks.id = proposals.task
        WHERE this.id = $1 AND (proposals.finding = this.id OR tasks.findings LIKE '%\"' || this.id || '\"%')
        UNION ALL
        SELECT 'planned', plans.task, '', 3
        FROM findings AS this JOIN plans ON plans.loop = this.loop AND plans.state IN ('waiting', 'approved')
            AND plans.findings LIKE '%\"' || this.id || '\"%'
        JOIN tasks ON tasks.id = plans.task AND tasks.state IN ('planned', 'asked')
        WHERE this.id = $1
        ORDER BY 4, 2 LIMIT 1";
}

/// Why the finding may not be worked on; none: it may. A proposal counts for all findings of its task.
pub async fn suppression(from: impl Reader, id: FindingId) -> Result<Option<Suppression>, StoreError> {
    let found = SUPPRESSION.first(from, |q| q.bind(id.to_string()), read).await?;
    Ok(found.map(|found| match found {
        Suppression::Never { finding, why } if finding == id => Suppression::Refused { why },
        other => other,
    }))
}

/// A refusal is read as of a kind; whether it is the finding's own, the caller knows.
fn read(row: &Row) -> Result<Suppression, StoreError> {
    Ok(match row.text("kind")?.as_str() {
        "proposed" => Suppression::Proposed {
            proposal: row.parsed("id")?,
        },
        "planned" => Suppression::Planned {
            task: row.parsed("id")?,
        },
        _ => Suppression::Never {
            finding: row.parsed("id")?,
            why: row.text("why")?,
        },
    })
}
