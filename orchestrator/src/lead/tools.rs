//! What the lead agent can do. Every answer is words for it; every input is checked against what the loop allows.

mod findings;
mod known;
mod spawn;
mod tasks;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loops::{id::FindingId, library, text::one_line};
use serde_json::Value;
use workers::{
    agent::Tools,
    tools::{ToolAnswer, ToolDefinition},
};

use self::known::Known;
use super::{brief, input, repository::Repository};
use crate::{
    engine::{EngineError, Running},
    store::{findings as findings_rows, handed},
};

/// The tools of one run's lead agent.
pub(super) struct LeadTools {
    running: Arc<Running>,
    repository: Repository,
    /// F1 is the first.
    findings: Vec<FindingId>,
    report: Mutex<Option<String>>,
    known: Mutex<Known>,
    /// Calls of one message run at the same time; those that change something take turns, so that each sees what
    /// the one before it did.
    turn: tokio::sync::Mutex<()>,
}

type Answer = Result<String, String>;

impl LeadTools {
    /// The tools; `report`: what it said if it has finished already.
    pub(super) async fn new(running: &Arc<Running>, report: Option<String>) -> Result<Self, EngineError> {
        Ok(Self {
            running: Arc::clone(running),
            repository: Repository::new(running.git(), running.base.clone()),
            findings: handed::of_run(&running.engine.home.store, running.id).await?,
            report: Mutex::new(report),
            known: Mutex::new(Known::of(running).await?),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// What it said when it finished.
    pub(super) fn report(&self) -> Option<String> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The run's tasks by their names. Held for moments only, and never while anything is waited for.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there are more findings than the brief tells of.
    fn pages(&self) -> bool {
        self.findings.len() > brief::PAGE
    }

    fn spawns(&self) -> bool {
        !self.running.spec().proposal.reports_only()
    }

    /// The finding that was handed to the run under that name.
    fn handed(&self, name: &str) -> Result<FindingId, String> {
        name.strip_prefix('F')
            .and_then(|n| n.parse::<usize>().ok())
            .and_then(|n| self.findings.get(n.checked_sub(1)?))
            .copied()
            .ok_or_else(|| {
                format!(
                    "there is no finding `{}`; there are F1 to F{}",
                    one_line(name, 40),
                    self.findings.len()
                )
            })
    }

    /// The finding of that name; what was merged into another one is that one.
    async fn finding(&self, name: &str) -> Result<FindingId, String> {
        findings_rows::resolved(&self.running.engine.home.store, self.handed(name)?)
            .await
            .map_err(words)
    }

    async fn findings(&self, names: &[String]) -> Result<Vec<FindingId>, String> {
        let mut all = Vec::new();
        for name in names {
            let id = self.finding(name).await?;
            if !all.contains(&id) {
                all.push(id);
            }
        }
        Ok(all)
    }

    async fn answer(&self, call_id: &str, name: &str, input: Value) -> Answer {
        let changes = matches!(
            name,
            "spawn" | "spawn_all" | "cancel" | "send_back" | "merge" | "dismiss" | "ask"
        );
        let _turn = if changes {
            Some(self.turn.lock().await)
        } else {
            None
        };
        match name {
            "findings" if self.pages() => {
                let asked: input::Findings = input::read(input)?;
                let page = brief::page(&self.running, &self.findings, asked.offset).await;
                page.map_err(|error| one_line(&error.to_string(), 300))
            }
            "signals" => self.signals(input::read(input)?).await,
            "list" => {
                let asked: input::List = input::read(input)?;
                self.repository.list(&asked.path).await.map(of_repository)
            }
            "read" => {
                let asked: input::Read = input::read(input)?;
                let text = self.repository.read(&asked.path, asked.offset, asked.limit).await;
                text.map(of_repository)
            }
            "search" => {
                let asked: input::Search = input::read(input)?;
                let lines = self.repository.search(&asked.pattern, &asked.path).await;
                lines.map(of_repository)
            }
            "merge" => self.merge(input::read(input)?).await,
            "dismiss" => self.dismiss(input::read(input)?).await,
            "ask" if self.running.may_ask() => self.ask(input::read(input)?).await,
            "spawn" if self.spawns() => self.spawn(call_id, input::read(input)?).await,
            "spawn_all" if self.spawns() => self.spawn_all(call_id, input::read(input)?).await,
            "cancel" if self.spawns() => self.cancel(input::read(input)?).await,
            "wait" if self.spawns() => self.wait(input::read(input)?).await,
            "outcome" if self.spawns() => self.outcome(input::read(input)?).await,
            "send_back" if self.spawns() => self.send_back(input::read(input)?).await,
            "finish" => self.finish(input::read(input)?).await,
            _ => {
                let names: Vec<String> = self.definitions().into_iter().map(|tool| tool.name).collect();
                Err(format!(
                    "there is no tool `{}`; there are: {}",
                    one_line(name, 60),
                    names.join(", ")
                ))
            }
        }
    }
}

impl Tools for LeadTools {
    fn definitions(&self) -> Vec<ToolDefinition> {
        input::definitions(self.spawns(), self.running.may_ask(), self.pages())
    }

    async fn call(&self, call_id: &str, name: &str, input: Value) -> ToolAnswer {
        match self.answer(call_id, name, input).await {
            Ok(text) => ToolAnswer { ok: true, text },
            Err(text) => ToolAnswer { ok: false, text },
        }
    }

    async fn may_stop(&self) -> Option<String> {
        let open = self
            .running
            .look(|state| state.tasks.values().filter(|task| !task.step.is_over()).count());
        (open > 0).then(|| format!("{open} tasks are not over; `wait` for them, then `finish` with a report"))
    }

    fn finished(&self) -> bool {
        self.report().is_some()
    }

    fn may_repeat(&self, name: &str) -> bool {
        name == "wait"
    }
}

/// What the repository says is data, as reports are.
fn of_repository(text: String) -> String {
    library::untrusted("repository", &text)
}

fn words(error: crate::store::StoreError) -> String {
    one_line(&error.to_string(), 300)
}
