//! What the lead agent can do with tasks that it has spawned: wait, read outcomes, stop, send back; and finish, when all
//! are over. However many there are, each answer reads and tells of a page of them.

use std::{collections::BTreeMap, sync::PoisonError, time::Duration};

use loops::{
    id::TaskId,
    run::{Event, RunState, Step, Why},
    text::one_line,
};

use super::{Answer, LeadTools, words};
use crate::{
    clock,
    engine::EngineError,
    lead::{input, outcome},
    store::{proposals, tasks},
};

/// How many tasks are told of at once.
const PAGE: usize = 100;
const AT_MOST: u32 = PAGE as u32;

/// How many are stopped in one transaction.
const AT_ONCE: usize = 500;

/// How many open tasks are named to who would finish too early.
const NAMED: usize = 20;

impl LeadTools {
    /// The number and the name for life of the task of that name.
    fn named(&self, name: &str) -> Result<(u32, TaskId), String> {
        let known = self.known();
        let number = name.strip_prefix('T').and_then(|n| n.parse::<u32>().ok());
        number
            .and_then(|number| Some((number, known.get(number)?)))
            .ok_or_else(|| {
                let there = known.len();
                let name = one_line(name, 40);
                format!("there is no task `{name}`; there are {there}, T1 and on")
            })
    }

    /// Those of these names; without names, all.
    fn wanted(&self, names: &[String]) -> Result<Vec<(u32, TaskId)>, String> {
        if names.is_empty() {
            return Ok(self.known().all().map(|(number, id, _)| (number, id)).collect());
        }
        names.iter().map(|name| self.named(name)).collect()
    }

    async fn task(&self, name: &str) -> Result<tasks::Kept, String> {
        let (_, id) = self.named(name)?;
        let kept = tasks::get(&self.running.engine.home.store, id)
            .await
            .map_err(words)?;
        kept.ok_or_else(|| format!("there is no task `{}`", one_line(name, 40)))
    }

    /// Stops tasks; whoever works on one learns of it within seconds.
    pub(super) async fn cancel(&self, input: input::Cancel) -> Answer {
        let wanted = self.wanted(&input.tasks)?;
        let failed = |error: EngineError| error.to_string();
        let mut stopped = 0_usize;
        for some in wanted.chunks(AT_ONCE) {
            let mut step = self.running.step().await.map_err(failed)?;
            let before = stopped;
            for (_, task) in some {
                let there = step.state().tasks.get(task);
                if there.is_some_and(|there| !there.step.is_over()) {
                    let event = Event::TaskCancelled { task: *task };
                    step.happen(event).await.map_err(failed)?;
                    stopped += 1;
                }
            }
            if stopped > before {
                step.end().await.map_err(failed)?;
            }
        }
        Ok(format!("{stopped} stopped"))
    }

    pub(super) async fn wait(&self, input: input::Wait) -> Answer {
        let mut wanted = self.wanted(&input.tasks)?;
        if wanted.is_empty() {
            return Err("there is no task to wait for".to_owned());
        }
        let over = |state: &RunState| {
            let mut steps = wanted
                .iter()
                .map(|(_, id)| state.tasks.get(id).is_none_or(|task| task.step.is_over()));
            if input.any {
                steps.any(|over| over)
            } else {
                steps.all(|over| over)
            }
        };
        let mut watch = self.running.watch();
        let patience = Duration::from_secs(input.timeout_s.unwrap_or(6 * 3600).min(6 * 3600));
        let in_time = tokio::time::timeout(patience, watch.wait_for(over)).await.is_ok();
        let mut text = if in_time {
            String::new()
        } else {
            "the time is up\n".to_owned()
        };
        text.push_str(&self.sum());
        if input.any {
            // What has ended is what it waited for.
            self.running.look(|state| {
                let open = |id: &TaskId| state.tasks.get(id).is_some_and(|task| !task.step.is_over());
                wanted.sort_by_key(|(_, id)| open(id));
            });
        }
        let store = &self.running.engine.home.store;
        for (_, id) in wanted.iter().take(PAGE) {
            if let Some(kept) = tasks::get(store, *id).await.map_err(words)? {
                self.line(&kept, &mut text);
            }
        }
        let left = wanted.len().saturating_sub(PAGE);
        if left > 0 {
            text.push_str(&format!(
                "{left} more; `outcome` with `offset` tells of all, a hundred at a time\n"
            ));
        }
        Ok(text)
    }

    /// How many tasks stand where, if there are more than one answer tells of.
    fn sum(&self) -> String {
        self.running.look(|state| {
            if state.tasks.len() <= PAGE {
                return String::new();
            }
            let mut steps: BTreeMap<&str, usize> = BTreeMap::new();
            for task in state.tasks.values() {
                *steps.entry(task.step.as_str()).or_default() += 1;
            }
            let sums: Vec<String> = steps
                .into_iter()
                .map(|(step, count)| format!("{count} {step}"))
                .collect();
            format!("{} tasks: {}\n", state.tasks.len(), sums.join(", "))
        })
    }

    /// Where tasks stand, a line each, from the one at `offset`; and where the rest is to be read.
    async fn page(&self, offset: usize) -> Result<String, String> {
        let after = u32::try_from(offset).unwrap_or(u32::MAX);
        let (store, run) = (&self.running.engine.home.store, self.running.id);
        let shown = tasks::page(store, run, after, AT_MOST).await.map_err(words)?;
        let mut text = String::new();
        for kept in &shown {
            self.line(kept, &mut text);
        }
        let next = offset.saturating_add(PAGE);
        let left = self.known().len().saturating_sub(next);
        if left > 0 {
            text.push_str(&format!("{left} more; `outcome` with `offset` {next} goes on\n"));
        }
        Ok(text)
    }

    fn line(&self, kept: &tasks::Kept, text: &mut String) {
        let step = self
            .running
            .look(|state| state.tasks.get(&kept.task.id).map(|task| task.step));
        if let Some(step) = step {
            text.push_str(&outcome::line(kept, step));
            text.push('\n');
        }
    }

    pub(super) async fn outcome(&self, input: input::Outcome) -> Answer {
        let Some(name) = &input.task else {
            return self.page(input.offset).await;
        };
        let kept = self.task(name).await?;
        let step = self.running.look(|state| {
            state
                .tasks
                .get(&kept.task.id)
                .map_or(Step::Queued, |task| task.step)
        });
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
            Some(task) if task.step.waits_for_a_yes() => {
                return Err(format!("{} waits for a person's approval", input.task));
            }
            Some(task)
                if matches!(
                    task.step,
                    Step::Failed(Why::PlanRefused | Why::DependenciesRefused)
                ) =>
            {
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
        let open: Vec<u32> = {
            let known = self.known();
            self.running.look(|state| {
                let under_way = |id: &TaskId| state.tasks.get(id).is_some_and(|task| !task.step.is_over());
                let open = known.all().filter(|(_, id, _)| under_way(id));
                open.map(|(number, _, _)| number).collect()
            })
        };
        if !open.is_empty() {
            let named: Vec<String> = open
                .iter()
                .take(NAMED)
                .map(|number| format!("T{number}"))
                .collect();
            let more = match open.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            return Err(format!("{}{more} not over yet; `wait` first", named.join(", ")));
        }
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(input.report.chars().take(8_000).collect());
        Ok("the run ends here".to_owned())
    }
}
