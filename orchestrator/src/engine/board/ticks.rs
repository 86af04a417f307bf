//! What a ticked box does. Each is taken once: the row that says so is written with what it does, or before it.

use loops::id::{FindingId, TaskId};
use serde_json::json;

use crate::{
    clock,
    engine::{Answer, EngineError, Home, answer_plan},
    store::{boards, findings, loops as loop_rows},
};

/// Who ticked, as far as GitHub says: it names nobody who edits an issue, and lets nobody do so without write access.
const SOMEBODY: &str = "somebody with write access, on the dashboard";

/// What a box asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Approve(TaskId),
    Again(FindingId),
    Reopen(FindingId),
    Pause(String),
    Resume(String),
}

/// A box that we offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) act: Act,
    /// How often the same was asked before: an old text asks for nothing.
    pub(super) serial: u32,
}

impl Act {
    /// What is asked, and of what.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Approve(task) => format!("approve:{task}"),
            Self::Again(finding) => format!("again:{finding}"),
            Self::Reopen(finding) => format!("reopen:{finding}"),
            Self::Pause(name) => format!("pause:{name}"),
            Self::Resume(name) => format!("resume:{name}"),
        }
    }
}

impl Offer {
    /// The box's id.
    pub(super) fn id(&self) -> String {
        format!("{}:{}", self.act.subject(), self.serial)
    }
}

/// Does what a box asks for, once; says what came of it.
pub(super) async fn carry_out(home: &Home, repository: &str, offer: &Offer) -> Result<String, EngineError> {
    let now = clock::now();
    let subject = offer.act.subject();
    let mut tx = home.store.begin().await?;
    if !boards::take(&mut tx, repository, &subject, offer.serial, None, now).await? {
        return Ok(format!("{subject} was asked before"));
    }
    let (of_loop, what) = match &offer.act {
        Act::Approve(task) => (None, format!("the plan of {} is approved", task.short())),
        Act::Again(finding) => {
            findings::again(&mut tx, *finding, now).await?;
            (None, format!("{} is tried again", finding.short()))
        }
        Act::Reopen(finding) => {
            findings::reopen(&mut tx, *finding, now).await?;
            tx.record(
                now,
                "finding.reopened",
                None,
                None,
                &finding.to_string(),
                json!({}),
            )
            .await?;
            (None, format!("{} is open again", finding.short()))
        }
        Act::Pause(name) => {
            if loop_rows::pause(&mut tx, name, now).await? {
                tx.record(now, "loop.paused", Some(name), None, name, json!({}))
                    .await?;
            }
            (Some(name), format!("`{name}` is paused"))
        }
        Act::Resume(name) => {
            if loop_rows::resume(&mut tx, name).await? {
                tx.record(now, "loop.resumed", Some(name), None, name, json!({}))
                    .await?;
            }
            (Some(name), format!("`{name}` goes on"))
        }
    };
    let data = json!({ "repository": repository, "box": offer.id(), "who": SOMEBODY });
    tx.record(
        now,
        "board.ticked",
        of_loop.map(String::as_str),
        None,
        &subject,
        data,
    )
    .await?;
    tx.commit().await?;
    if let Act::Approve(task) = &offer.act {
        // An answer has a transaction of its own; if we stop between the two, the plan waits on and its box is offered
        // again.
        if let Err(error) = answer_plan(home, *task, &Answer::Approve, SOMEBODY).await {
            return match error {
                EngineError::Record(why) => Ok(why),
                error => Err(error),
            };
        }
    }
    Ok(what)
}
