//! The built-in agent: sessions that change a workspace, and sessions that review a change.
//!
//! The agent runs here, outside the sandbox, and only thinks; what it does is done by the tool server within. It
//! knows its order and nothing else: no key, no forge, no other attempt.

mod advisor;
mod notes;
mod save;
mod todo;
mod verdict;

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use loops::{budget::Usage, library};
use serde_json::Value;
use tokio::{sync::mpsc::UnboundedSender, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    client::{Client, ModelError},
    conversation::{Conversation, Ended, Keeper, Settings, Tools},
    cut::{self, cut_middle},
    messages::Message,
    session::converse,
};
use crate::{
    git::GitError,
    order::{AgentSettings, Entry, Report, Saved, TodoItem},
    tools::{self, ToolAnswer, ToolDefinition, ToolHost},
};
use advisor::Advice;
pub(crate) use save::Saver;
use verdict::Verdict;

const WORK: &str = include_str!("work.md");
const REVIEW: &str = include_str!("review.md");

/// What a session of the built-in agent is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Changing a workspace.
    Work,
    /// Reviewing a change.
    Review,
}

impl Kind {
    fn prompt(self) -> &'static str {
        match self {
            Self::Work => WORK,
            Self::Review => REVIEW,
        }
    }

    fn tools(self, hosts: &[String]) -> Vec<ToolDefinition> {
        match self {
            Self::Work => tools::definitions_for(false, hosts)
                .into_iter()
                .chain([todo::definition()])
                .collect(),
            Self::Review => tools::definitions(true)
                .into_iter()
                .chain([verdict::definition()])
                .collect(),
        }
    }
}

/// How a session begins. What all workers of a run have in common stands first: tools, prompt with the kind's
/// instructions, repository notes; then the brief.
pub fn opening(kind: Kind, instructions: &str, notes: Option<String>, brief: &str) -> Conversation {
    let system = format!("{}\n\n{}", kind.prompt().trim(), instructions.trim())
        .trim_end()
        .to_owned();
    Conversation::new(
        system,
        kind.tools(&[]),
        notes.into_iter().collect(),
        brief.to_owned(),
    )
}

/// What a session works with.
pub(crate) struct Bench<'a> {
    /// The order's words about the agent.
    pub(crate) agent: &'a AgentSettings,
    /// The tool server in the sandbox.
    pub(crate) host: &'a ToolHost,
    /// The repository whose notes are read.
    pub(crate) mirror: &'a Path,
    /// The commit whose notes are read.
    pub(crate) base: &'a str,
    /// When the session has to end.
    pub(crate) deadline: Instant,
    /// Ends the session before that, in good order.
    pub(crate) stop: CancellationToken,
    /// Who hears of it.
    pub(crate) reports: &'a UnboundedSender<Report>,
    /// Who saves the session on its way; none: nobody.
    pub(crate) saver: Option<&'a Saver<'a>>,
    /// What was saved of it before; none: it begins.
    pub(crate) saved: Option<&'a Saved>,
}

/// Why a session could not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotBegun {
    /// The gateway's address is wrong.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The repository's notes could not be read.
    #[error("the repository's notes could not be read: {0}")]
    Notes(#[from] GitError),
}

impl Bench<'_> {
    /// Works until the brief is met, or it may not go on.
    pub(crate) async fn work(&self) -> Result<Ended, NotBegun> {
        let client = Client::new(&self.agent.gateway)?;
        let advice = self.agent.advisor.as_ref().map(|advisor| Advice {
            advisor,
            client: &client,
            brief: &self.agent.brief,
            spent: Mutex::default(),
        });
        let tools = Working {
            host: self.host,
            reports: self.reports,
            list: Mutex::new(self.saved.map(|saved| saved.todo.clone()).unwrap_or_default()),
            advice,
            hosts: &self.agent.hosts,
        };
        let mut ended = self.session(Kind::Work, &tools).await?;
        if let Some(advice) = &tools.advice {
            ended.usage += advice.usage();
        }
        Ok(ended)
    }

    /// Reviews; gives the verdict, if there was one.
    pub(crate) async fn review(&self) -> Result<(Ended, Option<Verdict>), NotBegun> {
        let tools = Reviewing {
            host: self.host,
            verdict: Mutex::default(),
        };
        let ended = self.session(Kind::Review, &tools).await?;
        Ok((
            ended,
            tools.verdict.into_inner().unwrap_or_else(PoisonError::into_inner),
        ))
    }

    async fn session(&self, kind: Kind, tools: &impl Tools) -> Result<Ended, NotBegun> {
        let agent = self.agent;
        let client = Client::new(&agent.gateway)?;
        let notes = notes::repository_notes(self.mirror, self.base).await?;
        let mut settings = Settings::new(&agent.model, agent.effort, agent.max_turns);
        settings.deadline = Some(self.deadline);
        settings.cancel = self.stop.clone();
        let mut conversation = opening(kind, &agent.instructions, notes, &agent.brief);
        conversation.tools = tools.definitions();
        let reporter = Reporter {
            reports: self.reports,
            saver: self.saver,
        };
        match self.saved {
            Some(saved) => reporter.entry(save::go_on(&mut conversation, saved)),
            None => reporter.entry(Entry::Told {
                text: cut_middle(&agent.brief, cut::ENTRY),
            }),
        }
        Ok(converse(&client, &settings, conversation, tools, &reporter).await)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes a session's transcript on as reports, and now and then what there is so far.
struct Reporter<'a> {
    reports: &'a UnboundedSender<Report>,
    saver: Option<&'a Saver<'a>>,
}

impl Keeper for Reporter<'_> {
    async fn keep(&self, _message: &Message, _usage: Option<&Usage>) -> Result<(), String> {
        Ok(())
    }

    async fn meanwhile(&self, conversation: &Conversation) {
        if let Some(saver) = self.saver {
            saver.save_if_due(conversation).await;
        }
    }

    fn entry(&self, entry: Entry) {
        // Nobody listens any more: the attempt goes on, its outcome is what counts.
        let _ = self.reports.send(Report::Entry { entry });
    }
}

/// An answer in which what the repository or a command said is marked as data. What a tool says of itself is ours, and
/// stays as it is; the mark is the same for every answer of a tool, so that prompt caches hold.
fn marked(tool: &str, answer: ToolAnswer) -> ToolAnswer {
    let says_data = match tool {
        "run" => true,
        "read" | "search" | "list" => answer.ok,
        // It shows the lines that the edit was probably meant for.
        "edit" => !answer.ok,
        _ => false,
    };
    if !says_data || answer.text.trim().is_empty() {
        return answer;
    }
    let origin = if tool == "run" { "command" } else { "repository" };
    ToolAnswer {
        text: library::untrusted(origin, &answer.text),
        ..answer
    }
}

/// The tools of an agent that works.
struct Working<'a> {
    host: &'a ToolHost,
    reports: &'a UnboundedSender<Report>,
    list: Mutex<Vec<TodoItem>>,
    advice: Option<Advice<'a>>,
    hosts: &'a [String],
}

impl Tools for Working<'_> {
    fn definitions(&self) -> Vec<ToolDefinition> {
        let advisor = self
            .advice
            .iter()
            .map(|advice| advisor::definition(advice.advisor));
        Kind::Work.tools(self.hosts).into_iter().chain(advisor).collect()
    }

    async fn call(&self, _call_id: &str, name: &str, input: Value) -> ToolAnswer {
        if let Some(advice) = self.advice.as_ref().filter(|_| name == advisor::NAME) {
            return advice.ask(input).await;
        }
        if name != "todo" {
            return marked(name, self.host.call(name, input).await);
        }
        match todo::read(input) {
            Err(text) => ToolAnswer { ok: false, text },
            Ok(items) => {
                let text = todo::summary(&items);
                lock(&self.list).clone_from(&items);
                let _ = self.reports.send(Report::Todo { items });
                ToolAnswer { ok: true, text }
            }
        }
    }

    async fn may_stop(&self) -> Option<String> {
        todo::objection(&lock(&self.list))
    }

    fn finished(&self) -> bool {
        // Nothing can be done any more without a sandbox.
        self.host.stopped().is_some()
    }
}

/// The tools of an agent that reviews.
struct Reviewing<'a> {
    host: &'a ToolHost,
    verdict: Mutex<Option<Verdict>>,
}

impl Tools for Reviewing<'_> {
    fn definitions(&self) -> Vec<ToolDefinition> {
        Kind::Review.tools(&[])
    }

    async fn call(&self, _call_id: &str, name: &str, input: Value) -> ToolAnswer {
        if name != "verdict" {
            return marked(name, self.host.call(name, input).await);
        }
        match verdict::read(input) {
            Err(text) => ToolAnswer { ok: false, text },
            Ok(verdict) => {
                *lock(&self.verdict) = Some(verdict);
                ToolAnswer {
                    ok: true,
                    text: "Thank you.".to_owned(),
                }
            }
        }
    }

    async fn may_stop(&self) -> Option<String> {
        lock(&self.verdict).is_none().then(|| verdict::MISSING.to_owned())
    }

    fn finished(&self) -> bool {
        lock(&self.verdict).is_some() || self.host.stopped().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{estimate_tokens, messages::Block};

    #[test]
    fn prompt_and_tools_stay_under_three_thousand_tokens() {
        for (prompt, tools) in [Kind::Work, Kind::Review].map(|kind| (kind.prompt(), kind.tools(&[]))) {
            let bytes = prompt.len() + serde_json::to_string(&tools).unwrap().len();
            let tokens = estimate_tokens(bytes);
            // What is left is for the instructions of a kind of work.
            assert!(tokens < 2400, "{tokens}");
        }
    }

    #[test]
    fn workers_of_a_run_begin_alike_up_to_their_briefs() {
        let open = |brief| opening(Kind::Work, "Fix it.", Some("notes".into()), brief);
        let (one, two) = (open("one"), open("two"));
        assert_eq!(
            (&one.system, &one.tools, one.shared),
            (&two.system, &two.tools, 1)
        );
        assert_eq!(one.messages[0].content[0], two.messages[0].content[0]);
        assert_eq!(one.messages[0].content[1], Block::text("one"));
        assert!(one.system.ends_with("Fix it."));
    }

    #[test]
    fn a_reviewer_has_no_tool_that_changes_anything() {
        let names: Vec<_> = Kind::Review
            .tools(&[])
            .into_iter()
            .map(|tool| tool.name)
            .collect();
        assert_eq!(names, ["read", "search", "list", "verdict"]);
    }
}
