//! `loops findings merge | split | refuse | reopen`: what a person says of findings. It holds at once, also beside a
//! service that has the state.

use clap::Subcommand;
use loops::{
    id::{FindingId, SignalId},
    text::{one_line, plain},
};

use crate::{
    cli::{CliError, Context, Exit, Format, review::person},
    engine::{self, Person},
    store::{
        Store, findings,
        resolve::{Kind, resolve},
    },
};

/// What is said of findings.
#[derive(Debug, Subcommand)]
pub(super) enum Word {
    /// These are one: the others become a part of the first, and so does what is like them from now on
    Merge {
        /// The finding that stays
        #[arg(value_name = "FINDING")]
        into: String,
        /// What becomes a part of it
        #[arg(value_name = "FINDING", required = true)]
        from: Vec<String>,
        /// Why
        #[arg(long, value_name = "WORDS")]
        reason: Option<String>,
    },
    /// These signals are another problem: they become a finding of their own, and stay apart
    Split {
        /// The finding that they are taken out of
        #[arg(value_name = "FINDING")]
        from: String,
        /// The signals
        #[arg(value_name = "SIGNAL", required = true)]
        signals: Vec<String>,
        /// Why
        #[arg(long, value_name = "WORDS")]
        reason: Option<String>,
    },
    /// This is not worth work; it stays refused whatever is reported, until it is reopened
    Refuse {
        /// The finding
        #[arg(value_name = "FINDING")]
        finding: String,
        /// Why
        #[arg(long, value_name = "WORDS")]
        reason: String,
        /// And so is whatever is of its kind
        #[arg(long)]
        kind: bool,
    },
    /// It is worth work after all, or not mended
    Reopen {
        /// The finding
        #[arg(value_name = "FINDING")]
        finding: String,
        /// Why
        #[arg(long, value_name = "WORDS")]
        reason: Option<String>,
    },
}

pub(super) async fn carry_out(context: &Context, word: Word) -> Result<Exit, CliError> {
    let store = context.store().await?;
    let who = person();
    let by = |why| Person { who: &who, why };
    let (id, what) = match &word {
        Word::Merge { into, from, reason } => {
            let into = finding(&store, into).await?;
            let mut others = Vec::new();
            for typed in from {
                others.push(finding(&store, typed).await?);
            }
            let id = engine::merge(&store, into, &others, by(reason.as_deref())).await?;
            (id, "has them all now; what is like any of them comes to it")
        }
        Word::Split {
            from,
            signals,
            reason,
        } => {
            let from = finding(&store, from).await?;
            let mut taken = Vec::new();
            for typed in signals {
                taken.push(signal(&store, typed).await?);
            }
            let id = engine::split(&store, from, &taken, by(reason.as_deref())).await?;
            (id, "is a finding of its own now, and stays apart")
        }
        Word::Refuse {
            finding: typed,
            reason,
            kind,
        } => {
            let id = finding(&store, typed).await?;
            let id = engine::refuse(&store, id, *kind, by(Some(reason))).await?;
            let what = if *kind {
                "is refused, and so is what is of its kind"
            } else {
                "is refused, and stays so until `loops findings reopen`"
            };
            (id, what)
        }
        Word::Reopen {
            finding: typed,
            reason,
        } => {
            let id = finding(&store, typed).await?;
            let id = engine::reopen(&store, id, by(reason.as_deref())).await?;
            (id, "is open; the next run looks at it")
        }
    };
    let kept = findings::get(&store, id)
        .await?
        .ok_or_else(|| CliError::new("it is gone"))?;
    if context.out.format == Format::Json {
        context.out.json(&super::row(&kept));
    } else {
        context.out.line(format!(
            "{} {what}: {}",
            id.short(),
            one_line(&kept.finding.title, 80)
        ));
    }
    Ok(Exit::Done)
}

/// The finding that somebody typed.
async fn finding(store: &Store, typed: &str) -> Result<FindingId, CliError> {
    one(
        store,
        typed,
        Kind::Finding,
        "finding",
        "`loops findings` lists them",
    )
    .await
}

/// The signal that somebody typed.
async fn signal(store: &Store, typed: &str) -> Result<SignalId, CliError> {
    one(
        store,
        typed,
        Kind::Signal,
        "signal",
        "`loops show FINDING` lists its signals",
    )
    .await
}

async fn one<T: std::str::FromStr>(
    store: &Store,
    typed: &str,
    kind: Kind,
    noun: &str,
    todo: &str,
) -> Result<T, CliError> {
    let mut found = resolve(store, typed).await?;
    found.retain(|(of, _)| *of == kind);
    match found.as_slice() {
        [(_, id)] => id
            .parse()
            .map_err(|_| CliError::new(format!("`{id}` cannot be read"))),
        [] => Err(CliError::usage(format!("there is no {noun} `{}`", plain(typed))).todo(todo)),
        many => {
            let names: Vec<&str> = many.iter().map(|(_, id)| id.as_str()).collect();
            Err(
                CliError::usage(format!("`{}` can mean {}", plain(typed), names.join(", ")))
                    .todo("type more of the id"),
            )
        }
    }
}
