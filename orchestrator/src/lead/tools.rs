//! What the lead agent can do. Every answer is words for it; every input is checked against what the loop allows.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use loops::{
    boundary,
    id::{FindingId, TaskId},
    library,
    run::{Event, RunState, Step},
    spec::Autonomy,
    task::Task,
    text::one_line,
};
use serde_json::{Value, json};
use workers::{
    agent::Tools,
    tools::{ToolAnswer, ToolDefinition},
};

use super::{input, outcome, repository::Repository, spawn};
use crate::{
    clock,
    engine::{EngineError, Running, brief::quoted},
    store::{findings, handed, proposals, signals, tasks},
};

/// How many tasks a run may have.
const MAX_TASKS: usize = 200;
/// How many reports one answer holds.
const PAGE: usize = 25;

/// The tools of one run's lead agent.
pub(super) struct LeadTools {
    running: Arc<Running>,
    repository: Repository,
    /// F1 is the first.
    findings: Vec<FindingId>,
    report: Mutex<Option<String>>,
    /// Calls of one message run at the same time; those that change something take turns, so that each sees what
    /// the one before it did.
    turn: tokio::sync::Mutex<()>,
}

type Answer = Result<String, String>;

impl LeadTools {
    pub(super) async fn new(running: &Arc<Running>) -> Result<Self, EngineError> {
        Ok(Self {
            running: Arc::clone(running),
            repository: Repository {
                git: running.git(),
                commit: running.base.clone(),
            },
            findings: handed::of_run(&running.engine.home.store, running.id).await?,
            report: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// What it said when it finished.
    pub(super) fn report(&self) -> Option<String> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn spawns(&self) -> bool {
        self.running.spec().proposal.autonomy != Autonomy::Report
    }

    fn finding(&self, name: &str) -> Result<FindingId, String> {
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

    async fn all_tasks(&self) -> Result<Vec<tasks::Kept>, String> {
        tasks::of_run(&self.running.engine.home.store, self.running.id)
            .await
            .map_err(words)
    }

    async fn task(&self, name: &str) -> Result<tasks::Kept, String> {
        let all = self.all_tasks().await?;
        let number = name.strip_prefix('T').and_then(|n| n.parse::<u32>().ok());
        let there = all.len();
        all.into_iter()
            .find(|kept| Some(kept.number) == number)
            .ok_or_else(|| {
                format!(
                    "there is no task `{}`; there are {there}, T1 and on",
                    one_line(name, 40)
                )
            })
    }

    async fn signals(&self, input: input::Signals) -> Answer {
        let id = self.finding(&input.finding)?;
        let all = signals::of_finding(&self.running.engine.home.store, id, 10_000)
            .await
            .map_err(words)?;
        let page: Vec<_> = all.iter().skip(input.offset).take(PAGE).cloned().collect();
        let left = all.len().saturating_sub(input.offset + page.len());
        let mut text = quoted(&page);
        if left > 0 {
            text.push_str(&format!(
                "{left} more from offset {}\n",
                input.offset + page.len()
            ));
        }
        Ok(if text.is_empty() {
            "there is nothing from that offset on".to_owned()
        } else {
            text
        })
    }

    async fn merge(&self, input: input::Merge) -> Answer {
        let into = self.finding(&input.into)?;
        let from: Vec<FindingId> = input
            .findings
            .iter()
            .map(|name| self.finding(name))
            .collect::<Result<_, _>>()?;
        let busy = self.busy().await?;
        if from.iter().any(|id| busy.contains(id)) {
            return Err("a finding that a task works on cannot be merged away".to_owned());
        }
        let now = clock::now();
        let mut tx = self.running.engine.home.store.begin().await.map_err(words)?;
        for id in from.into_iter().filter(|id| *id != into) {
            findings::merge(&mut tx, id, into, now).await.map_err(words)?;
            let data = json!({ "into": into, "by": "lead" });
            let (name, run) = (&self.running.spec().name, self.running.id);
            tx.record(
                now,
                "finding.merged",
                Some(name),
                Some(run),
                &id.to_string(),
                data,
            )
            .await
            .map_err(words)?;
        }
        tx.commit().await.map_err(words)?;
        Ok(format!(
            "they are {} now: {}",
            input.into,
            one_line(&input.why, 200)
        ))
    }

    async fn dismiss(&self, input: input::Dismiss) -> Answer {
        let id = self.finding(&input.finding)?;
        if self.busy().await?.contains(&id) {
            return Err("a task works on it; it cannot be dismissed now".to_owned());
        }
        let now = clock::now();
        let mut tx = self.running.engine.home.store.begin().await.map_err(words)?;
        findings::set_considered(&mut tx, id, now).await.map_err(words)?;
        let data = json!({ "by": "lead" });
        let (name, run) = (&self.running.spec().name, self.running.id);
        tx.record(
            now,
            "finding.dismissed",
            Some(name),
            Some(run),
            &id.to_string(),
            data,
        )
        .await
        .map_err(words)?;
        tx.commit().await.map_err(words)?;
        Ok(format!(
            "{} is set aside until something new is reported for it: {}",
            input.finding,
            one_line(&input.why, 200)
        ))
    }

    /// The findings that a task of this run works on or has a proposal for.
    async fn busy(&self) -> Result<BTreeSet<FindingId>, String> {
        let state = self.running.state().await;
        let live = |kept: &tasks::Kept| {
            state
                .tasks
                .get(&kept.task.id)
                .is_some_and(|task| !matches!(task.step, Step::Failed(_) | Step::Cancelled))
        };
        Ok(self
            .all_tasks()
            .await?
            .iter()
            .filter(|kept| live(kept))
            .flat_map(|kept| kept.task.findings.clone())
            .collect())
    }

    async fn spawn(&self, call_id: &str, input: input::Spawn) -> Answer {
        let spec = self.running.spec();
        let all = self.all_tasks().await?;
        if let Some(known) = all.iter().find(|kept| kept.call_id == call_id) {
            return Ok(format!("T{} is under way", known.number));
        }
        if all.len() >= MAX_TASKS {
            return Err(format!("this run has {MAX_TASKS} tasks, which is the most"));
        }
        let findings: Vec<FindingId> = input
            .findings
            .iter()
            .map(|name| self.finding(name))
            .collect::<Result<_, _>>()?;
        if findings.is_empty() {
            return Err("name at least one finding".to_owned());
        }
        let busy = self.busy().await?;
        if let Some(at) = findings.iter().position(|id| busy.contains(id)) {
            return Err(format!(
                "{} has a task already; `send_back` has it tried again",
                input.findings[at]
            ));
        }
        if !spec.workers.contains_key(&input.worker) {
            let kinds: Vec<&str> = spec.workers.keys().map(String::as_str).collect();
            return Err(format!(
                "there is no worker `{}`; there are: {}",
                one_line(&input.worker, 40),
                kinds.join(", ")
            ));
        }
        if input.title.trim().is_empty() || input.goal.trim().is_empty() {
            return Err("title and goal must say something".to_owned());
        }
        let write = if input.write.is_empty() {
            spec.boundaries.write.clone()
        } else {
            input.write
        };
        if let Some(beyond) = boundary::within(&write, &spec.boundaries).first() {
            return Err(format!("`write` must stay within the loop's: {beyond}"));
        }
        let task = Task {
            id: TaskId::named(&format!("{}:{call_id}", self.running.id)),
            worker: input.worker,
            title: one_line(&input.title, 100),
            goal: input.goal.chars().take(8_000).collect(),
            acceptance: input
                .acceptance
                .iter()
                .take(20)
                .map(|line| one_line(line, 400))
                .collect(),
            findings,
            write,
        };
        let number = spawn(&self.running, &task, call_id)
            .await
            .map_err(|error| error.to_string())?;
        Ok(format!("T{number} is under way"))
    }

    async fn wait(&self, input: input::Wait) -> Answer {
        let all = self.all_tasks().await?;
        let mut wanted = Vec::new();
        for name in &input.tasks {
            wanted.push(self.task(name).await?);
        }
        if input.tasks.is_empty() {
            wanted = all;
        }
        if wanted.is_empty() {
            return Err("there is no task to wait for".to_owned());
        }
        let over = |state: &RunState| {
            let mut steps = wanted.iter().map(|kept| {
                state
                    .tasks
                    .get(&kept.task.id)
                    .is_none_or(|task| task.step.is_over())
            });
            if input.any {
                steps.any(|over| over)
            } else {
                steps.all(|over| over)
            }
        };
        let mut watch = self.running.watch();
        let patience = Duration::from_secs(input.timeout_s.unwrap_or(6 * 3600).min(6 * 3600));
        let in_time = tokio::time::timeout(patience, watch.wait_for(over)).await.is_ok();
        let state = self.running.state().await;
        let mut text = if in_time {
            String::new()
        } else {
            "the time is up\n".to_owned()
        };
        for kept in &wanted {
            if let Some(task) = state.tasks.get(&kept.task.id) {
                text.push_str(&outcome::line(kept, task.step));
                text.push('\n');
            }
        }
        Ok(text)
    }

    async fn outcome(&self, input: input::Outcome) -> Answer {
        let kept = self.task(&input.task).await?;
        let state = self.running.state().await;
        let step = state
            .tasks
            .get(&kept.task.id)
            .map_or(Step::Queued, |task| task.step);
        outcome::whole(&self.running, &kept, step)
            .await
            .map_err(|error| error.to_string())
    }

    async fn send_back(&self, input: input::SendBack) -> Answer {
        let kept = self.task(&input.task).await?;
        let id = kept.task.id;
        let proposal = proposals::of_task(&self.running.engine.home.store, id)
            .await
            .map_err(words)?;
        let mut step = self.running.step().await.map_err(|error| error.to_string())?;
        let task = step.state().tasks.get(&id).cloned();
        match task {
            Some(task) if !task.step.is_over() => {
                return Err(format!("{} is not over yet; `wait` for it", input.task));
            }
            Some(task)
                if task.attempts
                    >= task
                        .terms
                        .max_attempts
                        .max(self.running.worker(&kept.task.worker).max_attempts)
                        + 2 =>
            {
                return Err(format!(
                    "{} was tried {} times, which is enough",
                    input.task, task.attempts
                ));
            }
            Some(_) => {}
            None => return Err(format!("{} is not part of this run", input.task)),
        }
        let now = clock::now();
        tasks::set_words(
            &mut step.tx,
            id,
            &format!(
                "The lead agent looked at it and asks for this:\n\n{}",
                input.words
            ),
            now,
        )
        .await
        .map_err(words)?;
        if let Some(proposal) = proposal {
            use proposals::ProposalState::{Open, Revising};
            proposals::set_state(&mut step.tx, proposal.id, Open, Revising, now)
                .await
                .map_err(words)?;
        }
        step.commit(Event::SentBack { task: id })
            .await
            .map_err(|error| error.to_string())?;
        Ok(format!("{} is tried once more", input.task))
    }

    async fn finish(&self, input: input::Finish) -> Answer {
        let state = self.running.state().await;
        let open: Vec<String> = self
            .all_tasks()
            .await?
            .iter()
            .filter(|kept| {
                state
                    .tasks
                    .get(&kept.task.id)
                    .is_some_and(|task| !task.step.is_over())
            })
            .map(|kept| format!("T{}", kept.number))
            .collect();
        if !open.is_empty() {
            return Err(format!("{} not over yet; `wait` first", open.join(", ")));
        }
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(input.report.chars().take(8_000).collect());
        Ok("the run ends here".to_owned())
    }

    async fn answer(&self, call_id: &str, name: &str, input: Value) -> Answer {
        let changes = matches!(name, "spawn" | "send_back" | "merge" | "dismiss");
        let _turn = if changes {
            Some(self.turn.lock().await)
        } else {
            None
        };
        match name {
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
            "spawn" if self.spawns() => self.spawn(call_id, input::read(input)?).await,
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
        input::definitions(self.spawns())
    }

    async fn call(&self, call_id: &str, name: &str, input: Value) -> ToolAnswer {
        match self.answer(call_id, name, input).await {
            Ok(text) => ToolAnswer { ok: true, text },
            Err(text) => ToolAnswer { ok: false, text },
        }
    }

    async fn may_stop(&self) -> Option<String> {
        let state = self.running.state().await;
        let open = state.tasks.values().filter(|task| !task.step.is_over()).count();
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
