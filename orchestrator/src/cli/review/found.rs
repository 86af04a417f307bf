//! What a typed id names among proposals and plans, and who answers here. Nothing is decided.

use loops::{id::ProposalId, text::plain};

use crate::{
    cli::CliError,
    store::{
        Store,
        plans::{self, Plan},
        proposals::{self, Proposal},
        resolve::{Kind, resolve},
    },
};

/// What a person can answer.
pub(in crate::cli) enum Found {
    /// A change.
    Proposal(Box<Proposal>),
    /// A task before any worker begins.
    Plan(Box<Plan>),
}

/// What `typed` names: a proposal by its id, the end of it, or its task's; else the plan of a task.
pub(in crate::cli) async fn find(store: &Store, typed: &str) -> Result<Found, CliError> {
    let mut found = Vec::new();
    for (kind, id) in resolve(store, typed).await? {
        match kind {
            Kind::Proposal => {
                if let Ok(id) = id.parse::<ProposalId>() {
                    found.extend(
                        proposals::get(store, id)
                            .await?
                            .map(Box::new)
                            .map(Found::Proposal),
                    );
                }
            }
            Kind::Task => {
                let Ok(id) = id.parse() else { continue };
                match proposals::of_task(store, id).await? {
                    Some(proposal) => found.push(Found::Proposal(Box::new(proposal))),
                    None => found.extend(plans::get(store, id).await?.map(Box::new).map(Found::Plan)),
                }
            }
            _ => {}
        }
    }
    match found.len() {
        0 => Err(
            CliError::usage(format!("there is no proposal or plan `{}`", plain(typed)))
                .todo("`loops review --all` lists them"),
        ),
        1 => Ok(found.remove(0)),
        n => Err(
            CliError::usage(format!("`{}` names {n} proposals and plans", plain(typed)))
                .todo("type more of the id"),
        ),
    }
}

/// Who decides here: the person at this terminal, by the system's word.
#[expect(
    clippy::disallowed_methods,
    reason = "the name of who types is no setting of the service"
)]
pub(in crate::cli) fn person() -> String {
    let name = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "somebody".to_owned());
    format!("{} at the terminal", plain(&name))
}
