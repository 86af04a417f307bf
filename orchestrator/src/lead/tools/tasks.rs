//! What the lead agent can do with tasks: spawn, wait, read outcomes, send back; and finish, when all are over.

use std::{collections::BTreeSet, sync::PoisonError, time::Duration};

use loops::{
    boundary,
    id::{FindingId, TaskId},
    run::{Event, RunState, Step, Why},
    task::Task,
    text::one_line,
};

use super::{Answer, LeadTools, words};
use crate::{
    clock,
    lead::{input, outcome, spawn},
    store::{findings, plans, proposals, tasks},
};

/// How many tasks a run may have.
const MAX_TASKS: usize = 10_000;

/// How many tasks are told of at once.
const PAGE: usize = 100;

impl LeadTools {
    pub(super) async fn all_tasks(&self) -> Result<Vec<tasks::Kept>, String> {
        tasks::of_run(&self.running.engine.home.store, self.running.id)
            .await
            .map_err(words)
    }

    pub(super) async fn task(&self, name: &str) -> Result<tasks::Kept, String> {
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

    /// The findings that a task of this run works on or has a proposal for.
    pub(super) async fn busy(&self) -> Result<BTreeSet<FindingId>, String> {
        let state = self.running.state().await;
        let live = |kept: &tasks::Kept| {
            state
                .tasks
                .get(&kept.task.id)
                .is_some_and(|task| !matches!(task.step, Step::Failed(_) | Step::Cancelled))
        };
        let mut busy = BTreeSet::new();
        for kept in self.all_tasks().await?.iter().filter(|kept| live(kept)) {
            for id in &kept.task.findings {
                busy.insert(
                    findings::resolved(&self.running.engine.home.store, *id)
                        .await
                        .map_err(words)?,
                );
            }
        }
        Ok(busy)
    }

    /// How many tasks may still be spawned before people would have too many proposals.
    async fn room(&self) -> Result<u32, String> {
        let (store, spec) = (&self.running.engine.home.store, self.running.spec());
        let open = proposals::open_count(store, &spec.name).await.map_err(words)?;
        let planned = plans::open_count(store, &spec.name).await.map_err(words)?;
        let state = self.running.state().await;
        let under_way = state.tasks.values().filter(|task| !task.step.is_over()).count();
        let taken = open
            .saturating_add(planned)
            .saturating_add(u32::try_from(under_way).unwrap_or(u32::MAX));
        Ok(spec.proposal.max_open.saturating_sub(taken))
    }

    pub(super) async fn spawn(&self, call_id: &str, input: input::Spawn) -> Answer {
        let spec = self.running.spec();
        let all = self.all_tasks().await?;
        if let Some(known) = all.iter().find(|kept| kept.call_id == call_id) {
            return Ok(self.spawned(known.number));
        }
        if all.len() >= MAX_TASKS {
            return Err(format!("this run has {MAX_TASKS} tasks, which is the most"));
        }
        let findings = self.findings(&input.findings).await?;
        if findings.is_empty() {
            return Err("name at least one finding".to_owned());
        }
        let busy = self.busy().await?;
        if findings.iter().any(|id| busy.contains(id)) {
            return Err(format!(
                "{}: there is a task for it already; `send_back` has it tried again",
                input.findings.join(", ")
            ));
        }
        if self.room().await? == 0 {
            return Err(format!(
                "people have enough before them: `max_open` is {}, with what is under way",
                spec.proposal.max_open
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
        Ok(self.spawned(number))
    }

    /// Many at once: each has a place in the call, by which it is found again after a restart.
    pub(super) async fn spawn_all(&self, call_id: &str, input: input::SpawnAll) -> Answer {
        if input.tasks.is_empty() {
            return Err("name at least one task".to_owned());
        }
        let mut text = String::new();
        let mut made = 0_usize;
        for (place, one) in input.tasks.into_iter().enumerate() {
            let line = match self.spawn(&format!("{call_id}#{place}"), one).await {
                Ok(said) => {
                    made += 1;
                    said
                }
                Err(why) => format!("task {} was not made: {why}", place + 1),
            };
            if place < PAGE {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text.push_str(&format!("{made} made"));
        if made > 0 { Ok(text) } else { Err(text) }
    }

    /// Stops tasks; whoever works on one learns of it within seconds.
    pub(super) async fn cancel(&self, input: input::Cancel) -> Answer {
        let mut wanted = Vec::new();
        for name in &input.tasks {
            wanted.push(self.task(name).await?);
        }
        if input.tasks.is_empty() {
            wanted = self.all_tasks().await?;
        }
        let mut stopped = 0_usize;
        for kept in wanted {
            let step = self.running.step().await.map_err(|error| error.to_string())?;
            let task = step.state().tasks.get(&kept.task.id);
            if task.is_some_and(|task| !task.step.is_over()) {
                step.commit(Event::TaskCancelled { task: kept.task.id })
                    .await
                    .map_err(|error| error.to_string())?;
                stopped += 1;
            }
        }
        Ok(format!("{stopped} stopped"))
    }

    /// What the lead agent hears of a task that it has spawned.
    fn spawned(&self, number: u32) -> String {
        if self.running.spec().proposal.plans_first() {
            format!(
                "T{number} waits for a person's approval, which may take days. Do not wait for it: go on with the other \
                 findings, then `finish`"
            )
        } else {
            format!("T{number} is under way")
        }
    }

    pub(super) async fn wait(&self, input: input::Wait) -> Answer {
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
        text.push_str(&page(&wanted, &state, 0));
        Ok(text)
    }

    pub(super) async fn outcome(&self, input: input::Outcome) -> Answer {
        let state = self.running.state().await;
        let Some(name) = &input.task else {
            return Ok(page(&self.all_tasks().await?, &state, input.offset));
        };
        let kept = self.task(name).await?;
        let step = state
            .tasks
            .get(&kept.task.id)
            .map_or(Step::Queued, |task| task.step);
        outcome::whole(&self.running, &kept, step)
            .await
            .map_err(|error| error.to_string())
    }

    pub(super) async fn send_back(&self, input: input::SendBack) -> Answer {
        let kept = self.task(&input.task).await?;
        let id = kept.task.id;
        let proposal = proposals::of_task(&self.running.engine.home.store, id)
            .await
            .map_err(words)?;
        let mut step = self.running.step().await.map_err(|error| error.to_string())?;
        let task = step.state().tasks.get(&id).cloned();
        match task {
            Some(task) if task.step == Step::Planned => {
                return Err(format!("{} waits for a person's approval", input.task));
            }
            Some(task) if task.step == Step::Failed(Why::PlanRefused) => {
                return Err(format!("{}: a person did not want it", input.task));
            }
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

    pub(super) async fn finish(&self, input: input::Finish) -> Answer {
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
}

/// Where tasks stand, a line each, from the one at `offset`; and where the rest is to be read.
fn page(wanted: &[tasks::Kept], state: &RunState, offset: usize) -> String {
    let mut text = String::new();
    for kept in wanted.iter().skip(offset).take(PAGE) {
        if let Some(task) = state.tasks.get(&kept.task.id) {
            text.push_str(&outcome::line(kept, task.step));
            text.push('\n');
        }
    }
    let next = offset.saturating_add(PAGE);
    if next < wanted.len() {
        let left = wanted.len() - next;
        text.push_str(&format!("{left} more; `outcome` with `offset` {next} goes on\n"));
    }
    text
}
