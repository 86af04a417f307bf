//! `loops review`, `approve`, `revise`, `reject`: proposals and plans, and what a person says of them.

mod found;
mod told;

use loops::{page::in_terminal, text::plain};
use serde_json::json;
use workers::git::Git;

pub(super) use self::found::{Found, find, person};
use self::told::tell;
use super::{CliError, Context, Exit, Format, Out, errands, history, plans as plan_pages, run};
use crate::{
    engine::{Answer, Answered, Start, answer, reconcile},
    store::{
        Store,
        plans::{self, PlanState},
        proposals::{self, Proposal},
    },
};

/// Proposals and plans that wait for you; with an id, one whole: the page and the diff, or the plan.
#[derive(Debug, clap::Args)]
pub(super) struct ReviewArgs {
    /// A proposal, or a task whose plan waits
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Also those that are answered
    #[arg(long)]
    all: bool,
    /// Print the page alone, as Markdown
    #[arg(long)]
    markdown: bool,
}

/// Merge a proposal, or let a plan be carried out. A merge touches no checked-out tree: where the base is checked out it
/// says what to type. A plan is carried out by the service if it runs, else here, like `loops run`.
#[derive(Debug, clap::Args)]
pub(super) struct ApproveArgs {
    /// A proposal, or a task whose plan waits
    #[arg(value_name = "ID")]
    id: String,
    /// Let a cassette answer in place of the models
    #[arg(long, value_name = "FILE")]
    cassette: Option<std::path::PathBuf>,
}

/// Have a proposal tried again, with your words: in the foreground, like `loops run`. Of a plan, your words become a
/// part, and it waits on.
#[derive(Debug, clap::Args)]
pub(super) struct ReviseArgs {
    /// A proposal, or a task whose plan waits
    #[arg(value_name = "ID")]
    id: String,
    /// What should be different
    words: String,
    /// Let a cassette answer in place of the models
    #[arg(long, value_name = "FILE")]
    cassette: Option<std::path::PathBuf>,
}

/// Refuse a proposal or a plan. Its findings are refused with it, and that is remembered.
#[derive(Debug, clap::Args)]
pub(super) struct RejectArgs {
    /// A proposal, or a task whose plan waits
    #[arg(value_name = "ID")]
    id: String,
    /// Why
    #[arg(long)]
    reason: String,
    /// Nothing of this kind again
    #[arg(long)]
    never: bool,
}

pub(super) async fn review(context: &Context, args: ReviewArgs) -> Result<Exit, CliError> {
    let store = context.store().await?;
    let out = context.out;
    match args.id {
        Some(id) => one(context, &store, &id, args.markdown).await,
        None => {
            notice_merges(&store, out).await?;
            let mut all = proposals::list(&store, None, None).await?;
            if !args.all {
                all.retain(|p| !p.state.is_over());
            }
            let state = (!args.all).then_some(PlanState::Waiting);
            let planned = plans::list(&store, None, state).await?;
            if out.format == Format::Json {
                let rows: Vec<_> = all
                    .iter()
                    .map(row)
                    .chain(planned.iter().map(plan_pages::row))
                    .collect();
                out.json(&rows);
            } else if all.is_empty() && planned.is_empty() {
                out.line("no proposal waits for you");
            } else {
                for proposal in &all {
                    let (id, title) = (out.paint("1", &proposal.id.short()), plain(&proposal.title));
                    out.line(format!(
                        "{id}  {:<9}  {}  {title}",
                        proposal.state.as_str(),
                        plain(&proposal.loop_name)
                    ));
                }
                for plan in &planned {
                    plan_pages::line(out, plan);
                }
                out.line("\nnext: loops review ID");
            }
            Ok(Exit::Done)
        }
    }
}

impl ReviewArgs {
    /// To look at one proposal.
    pub(super) fn of(id: &str) -> Self {
        Self {
            id: Some(id.to_owned()),
            all: false,
            markdown: false,
        }
    }
}

/// Prints a proposal's page alone.
pub(super) fn page(context: &Context, proposal: &Proposal) {
    context.out.text(&plain(&in_terminal(&proposal.body)));
    context.out.line("");
}

async fn one(context: &Context, store: &Store, id: &str, markdown: bool) -> Result<Exit, CliError> {
    let out = context.out;
    let proposal = match find(store, id).await? {
        Found::Proposal(proposal) => *proposal,
        Found::Plan(plan) => {
            plan_pages::print(store, out, &plan).await?;
            return Ok(Exit::Done);
        }
    };
    if out.format == Format::Json {
        let mut value = row(&proposal);
        value["page"] = json!(proposal.body);
        value["diff"] = json!(diff(context, &proposal).await.unwrap_or_default());
        value["history"] = json!(history::lines(store, &proposal).await?);
        out.json(&value);
        return Ok(Exit::Done);
    }
    if markdown {
        out.text(&plain(&proposal.body));
        return Ok(Exit::Done);
    }
    out.text(&plain(&in_terminal(&proposal.body)));
    out.line(format!(
        "\n{}\n",
        out.paint(
            "2",
            &format!(
                "{} · {} · branch {}",
                proposal.id.short(),
                proposal.state.as_str(),
                proposal.branch
            )
        )
    ));
    for line in history::lines(store, &proposal).await? {
        out.line(plain(&line));
    }
    out.line("");
    match diff(context, &proposal).await {
        Some(diff) => colored(out, &diff),
        None => out.line("the diff is not here any more: the mirror was removed"),
    }
    Ok(Exit::Done)
}

pub(super) fn row(proposal: &Proposal) -> serde_json::Value {
    json!({
        "id": proposal.id, "loop": proposal.loop_name, "run": proposal.run, "task": proposal.task,
        "finding": proposal.finding, "state": proposal.state.as_str(), "title": proposal.title,
        "branch": proposal.branch, "base_branch": proposal.base_branch, "base": proposal.base, "head": proposal.head,
        "created_at": proposal.created_at, "updated_at": proposal.updated_at,
    })
}

async fn diff(context: &Context, proposal: &Proposal) -> Option<String> {
    let home = context.home().await.ok()?;
    let repository = crate::engine::repository_of(&home.store, proposal).await.ok()?;
    Git::at(&home.mirror(&repository))
        .diff(&proposal.base, &proposal.head)
        .await
        .ok()
}

fn colored(out: Out, diff: &str) {
    for line in plain(diff).lines() {
        let sgr = match line.as_bytes().first() {
            Some(b'+') if !line.starts_with("+++") => "32",
            Some(b'-') if !line.starts_with("---") => "31",
            Some(b'@') => "36",
            Some(b'd') if line.starts_with("diff ") => "1",
            _ => {
                out.line(line);
                continue;
            }
        };
        out.line(out.paint(sgr, line));
    }
}

pub(super) async fn approve(context: &Context, args: ApproveArgs) -> Result<Exit, CliError> {
    let home = context.home().await?;
    let proposal = match find(&home.store, &args.id).await? {
        Found::Proposal(proposal) => *proposal,
        Found::Plan(plan) => return plan_pages::approve(context, &home, &plan, args.cassette).await,
    };
    let config = context.config()?;
    let definition = context.definition(&config, &proposal.loop_name).await.ok();
    let answered = answer(&home, definition.as_ref(), &proposal, &Answer::Approve, &person()).await?;
    let exit = tell(context, &proposal, answered)?;
    errands::carry_out(context, &home).await?;
    Ok(exit)
}

pub(super) async fn reject(context: &Context, args: RejectArgs) -> Result<Exit, CliError> {
    if args.reason.trim().is_empty() {
        return Err(CliError::usage("say why: the reason is what is remembered"));
    }
    let home = context.home().await?;
    let no = Answer::Reject {
        reason: args.reason,
        never: args.never,
    };
    let proposal = match find(&home.store, &args.id).await? {
        Found::Proposal(proposal) => *proposal,
        Found::Plan(plan) => return plan_pages::answer(context, &home, &plan, &no).await,
    };
    let answered = answer(&home, None, &proposal, &no, &person()).await?;
    let exit = tell(context, &proposal, answered)?;
    errands::carry_out(context, &home).await?;
    Ok(exit)
}

pub(super) async fn revise(context: &Context, args: ReviseArgs) -> Result<Exit, CliError> {
    if args.words.trim().is_empty() {
        return Err(CliError::usage("say what should be different"));
    }
    let config = context.config()?;
    let home = context.home().await?;
    let proposal = match find(&home.store, &args.id).await? {
        Found::Proposal(proposal) => *proposal,
        Found::Plan(plan) => {
            return plan_pages::answer(context, &home, &plan, &Answer::Revise(args.words)).await;
        }
    };
    let definition = context.definition(&config, &proposal.loop_name).await?;
    run::refuse_what_is_not_there(&definition)?;
    // Taken and given back: another process on the state folder is told of before anything is written down.
    let lock = crate::store::StateLock::take(&home.folder)?;
    drop(lock.also_in(&home.store).await?);
    match answer(
        &home,
        Some(&definition),
        &proposal,
        &Answer::Revise(args.words),
        &person(),
    )
    .await?
    {
        Answered::SentBack(id) => run::drive(context, &definition, Start::Again(id), args.cassette).await,
        other => tell(context, &proposal, other),
    }
}

pub(super) fn sign(out: Out, verdict: loops::evidence::Verdict) -> String {
    match verdict {
        loops::evidence::Verdict::Passed => out.paint("32", "✓"),
        loops::evidence::Verdict::Failed => out.paint("31", "✗"),
        loops::evidence::Verdict::CouldNotRun => out.paint("33", "?"),
    }
}

/// Writes down what people merged by hand since the last look.
pub(super) async fn notice_merges(store: &Store, out: Out) -> Result<(), CliError> {
    let mut names: Vec<String> = proposals::list(store, None, None)
        .await?
        .into_iter()
        .map(|p| p.loop_name)
        .collect();
    names.sort();
    names.dedup();
    for name in names {
        for proposal in reconcile(store, &name).await? {
            out.note(format!(
                "{} was merged: {}",
                proposal.id.short(),
                plain(&proposal.title)
            ));
        }
    }
    Ok(())
}
