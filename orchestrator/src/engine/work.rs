//! One working attempt: an agent in its own workspace, until it says that it is done or has nothing left.

use std::sync::Arc;

use loops::{
    id::{AttemptId, TaskId},
    run::{Event, Left, Step},
    spec::{Backend, Sandbox, Worker},
};
use serde_json::json;
use tokio::sync::SemaphorePermit;
use workers::{
    Change, Job, Order, Outcome,
    git::GitError,
    order::{AgentSettings, Ending, Result as JobResult, WaysOut, Work},
};

use super::{
    EngineError, Progress, Running, brief,
    carry::Shown,
    node::{Ask, Body, bring_change},
    propose::AUTHOR,
};
use crate::{
    clock,
    gateway::{self, Admission, Token},
    store::{
        attempts::{self, AttemptState, Begun, Ended, Role},
        evidence, orders, saves, tasks,
    },
};

/// After this many turns a worker ends with what it has.
const MAX_TURNS: u32 = 80;

/// How it is shown.
const WORKS: &str = "works";

impl Running {
    /// Lets a worker try, as soon as there is a place for one.
    pub(crate) async fn work(self: &Arc<Self>, id: TaskId, number: u32) -> Result<(), EngineError> {
        let _place = self.place(id).await?;
        // Thousands may wait for a place; what one needs that has it is not kept for them meanwhile.
        Box::pin(self.work_in_place(id, number)).await
    }

    /// Waits for a place among the workers of the task's kind; none: they are not bounded.
    async fn place(&self, id: TaskId) -> Result<Option<SemaphorePermit<'_>>, EngineError> {
        let kind = {
            let _turn = self.reading.acquire().await;
            self.task(id).await?.task.worker
        };
        Ok(match self.working.get(&kind) {
            // It is never closed.
            Some(places) => places.acquire().await.ok(),
            None => None,
        })
    }

    async fn work_in_place(self: &Arc<Self>, id: TaskId, number: u32) -> Result<(), EngineError> {
        let task = self.task(id).await?;
        let worker = self.worker(&task.task.worker);
        let attempt = clock::id(AttemptId::new);
        let prompt = self.prompt(&task.task.worker, worker.prompt.as_deref())?;
        let words = self.words_for(id).await?;
        let begun = Begun {
            id: attempt,
            task: Some(id),
            run: self.id,
            loop_name: self.spec().name.clone(),
            role: Role::Work,
            number,
            backend: Some(self.backend(worker.agent).to_owned()),
            model: Some(worker.model.clone()),
            effort: Some(format!("{:?}", worker.effort).to_lowercase()),
            spec_version: self.definition.version.clone(),
            prompt_version: Some(prompt.version),
            rehearsed: self.engine.gateway.is_rehearsal(),
            words: words.clone(),
            base: Some(self.base.clone()),
            started_at: clock::now(),
        };
        let signals = self.signals_of(&task.task).await?;
        let start = self.last_change(id).await?;
        let job = Job::Work(Work {
            agent: AgentSettings {
                backend: worker.agent,
                model: worker.model.clone(),
                effort: worker.effort,
                instructions: prompt.text,
                brief: brief::work(
                    &task.task,
                    brief::Titled::in_loop(self.spec()),
                    &signals,
                    words.as_deref(),
                    start.is_some(),
                ),
                max_turns: MAX_TURNS,
                deny_commands: self.spec().boundaries.commands.deny.clone(),
                hosts: self.spec().boundaries.network.clone(),
                advisor: worker.advisor.clone(),
                gateway: Body::no_gateway(),
            },
            // Who carries it out knows.
            save_every: None,
            saved: None,
        });
        let ask = Ask {
            verb: WORKS,
            kind: task.task.worker.clone(),
            needs: worker.needs.clone(),
            guest: Some(self.admission(Some(id), attempt, gateway::Role::Work, &task.task.worker, number)),
            start,
            timeout: worker.timeout,
            job,
        };
        let mut step = self.step().await?;
        if step
            .state()
            .tasks
            .get(&id)
            .is_none_or(|task| task.step != Step::Queued)
        {
            // The task was stopped while it waited for a place.
            return Ok(());
        }
        attempts::insert(&mut step.tx, &begun).await?;
        self.post(&mut step.tx, (attempt, id), ask).await?;
        step.commit(Event::WorkStarted { task: id, attempt }).await?;
        self.go_on_working(id, attempt).await
    }

    /// Waits for what a working attempt leaves whose order was posted, by us or before we began.
    pub(crate) async fn go_on_working(
        self: &Arc<Self>,
        task: TaskId,
        attempt: AttemptId,
    ) -> Result<(), EngineError> {
        let shown = Shown {
            attempt,
            task,
            verb: WORKS,
        };
        let outcome = self.carry(shown).await?;
        self.worked(task, attempt, outcome).await
    }

    async fn worked(&self, task: TaskId, attempt: AttemptId, outcome: Outcome) -> Result<(), EngineError> {
        let mut ended = Ended {
            caveats: outcome.caveats,
            ..Ended::default()
        };
        let mut state = AttemptState::Done;
        let left = match outcome.result {
            JobResult::Worked {
                change,
                summary,
                ending,
            } => {
                ended.summary = Some(summary);
                ended.ending = Some(json!(ending).as_str().unwrap_or_default().to_owned());
                match (change, ending) {
                    (Some(change), _) => {
                        self.git().import(&change.pack).await?;
                        ended.tree = Some(change.tree);
                        Left::Change
                    }
                    (None, Ending::OutOfBudget) => Left::NothingAndNoBudget,
                    (None, Ending::ModelFailed) => {
                        let how = "the model could not be asked any more".to_owned();
                        self.tell(Progress::Settled {
                            id: task,
                            how,
                            well: false,
                        });
                        Left::Trouble
                    }
                    (None, Ending::Finished | Ending::OutOfTurns | Ending::OutOfTime | Ending::Astray) => {
                        Left::Nothing
                    }
                }
            }
            JobResult::CouldNotRun { why, retry } => {
                state = AttemptState::Failed;
                self.tell(Progress::Settled {
                    id: task,
                    how: format!("could not work: {why}"),
                    well: false,
                });
                ended.summary = Some(why);
                if retry { Left::Trouble } else { Left::Hopeless }
            }
            JobResult::Proved { .. } | JobResult::Reviewed { .. } => Left::Hopeless,
        };
        let mut step = self.step().await?;
        attempts::finish(&mut step.tx, attempt, state, &ended, clock::now()).await?;
        orders::forget(&mut step.tx, attempt).await?;
        saves::forget(&mut step.tx, attempt).await?;
        step.commit(Event::Worked { task, attempt, left }).await?;
        if left == Left::Nothing {
            self.tell(Progress::Settled {
                id: task,
                how: "the attempt changed nothing".into(),
                well: false,
            });
        }
        Ok(())
    }

    /// An order for an attempt of this run, as it is posted: who carries it out puts in where things are.
    pub(crate) fn order(
        &self,
        attempt: AttemptId,
        task: TaskId,
        start: Option<Change>,
        timeout: loops::spec::Span,
        job: Job,
    ) -> Order {
        Order {
            attempt,
            task,
            run: self.id,
            mirror: Body::nowhere(),
            base: self.base.clone(),
            start,
            scratch: Body::nowhere(),
            sandbox: match &self.spec().sandbox {
                Sandbox::None => None,
                Sandbox::Limits(limits) => Some(limits.clone()),
            },
            setup: self.spec().setup.clone(),
            setup_cache: Body::nowhere(),
            ways_out: WaysOut::default(),
            timeout,
            job,
        }
    }

    /// A token for one attempt's model calls.
    pub(crate) fn admit(
        &self,
        task: Option<TaskId>,
        attempt: AttemptId,
        role: gateway::Role,
        label: &str,
        number: u32,
    ) -> Token {
        self.engine
            .gateway
            .admit(self.admission(task, attempt, role, label, number))
    }

    /// What one attempt may ask of a gateway.
    pub(crate) fn admission(
        &self,
        task: Option<TaskId>,
        attempt: AttemptId,
        role: gateway::Role,
        label: &str,
        number: u32,
    ) -> Admission {
        let spec = self.spec();
        let zone = spec
            .schedule
            .as_ref()
            .map_or("UTC", |schedule| schedule.timezone.as_str());
        Admission {
            attempt,
            task,
            run: self.id,
            loop_name: spec.name.clone(),
            repository: self.definition.repository.clone(),
            role,
            label: label.to_owned(),
            number,
            caps: gateway::Caps {
                task: task.map(|_| spec.budget.task.0),
                run: Some(spec.budget.run.0),
                day: Some(spec.budget.day.0),
                day_start: loops::schedule::day_start(zone, clock::now()),
                month: spec.budget.month.map(|month| month.0),
                month_start: loops::schedule::month_start(zone, clock::now()),
            },
            zone: zone.to_owned(),
            // Hosts are reached from inside the sandbox, with tokens of their own (`ways_out`).
            network: Vec::new(),
            models: None,
        }
    }

    /// Why the next attempt is made: what the checks, the reviewer or a person said of the last one.
    async fn words_for(&self, task: TaskId) -> Result<Option<String>, EngineError> {
        let Some(last) = self.last_worked(task).await? else {
            return Ok(None);
        };
        let asked = self.task(task).await?.words;
        if let Some((words, _)) = asked.filter(|(_, at)| *at >= last.ended_at.unwrap_or_default()) {
            return Ok(Some(words));
        }
        let found = evidence::of_change(&self.engine.home.store, task, last.begun.id).await?;
        let evidence: Vec<_> = found.into_iter().map(|kept| kept.evidence).collect();
        if evidence.is_empty() {
            return Ok(last.begun.words);
        }
        Ok(Some(brief::sent_back(&evidence)))
    }

    /// What the last attempt left, to begin the next one from; none: there is nothing, or it does not fit a base that
    /// has moved since.
    async fn last_change(&self, task: TaskId) -> Result<Option<Change>, EngineError> {
        let Some(last) = self.last_worked(task).await? else {
            return Ok(None);
        };
        if let Some(tree) = &last.ended.tree {
            bring_change(&self.engine.home, &self.git(), tree).await?;
        }
        let seconds = last.begun.started_at.0 / 1000;
        let tree = match (last.ended.tree, last.begun.base) {
            (Some(tree), Some(base)) if base != self.base => self.carried_over(&tree, &base, seconds).await?,
            (tree, _) => tree,
        };
        // The mirror has the tree: there is nothing to send along.
        Ok(tree.map(|tree| Change {
            tree,
            pack: Vec::new(),
        }))
    }

    /// A tree that was made on `base`, as it is on the base of now; none: it conflicts with what changed.
    async fn carried_over(
        &self,
        tree: &str,
        base: &str,
        seconds: i64,
    ) -> Result<Option<String>, EngineError> {
        let git = self.git();
        let made = git
            .commit_tree(tree, &[base], "What an attempt left\n", AUTHOR, seconds)
            .await?;
        let merge = ["merge-tree", "--write-tree", "--no-messages", &self.base, &made];
        match git.line(&merge).await {
            Ok(merged) => Ok(merged.lines().next().map(str::to_owned)),
            // That is also how it says that there are conflicts.
            Err(GitError::Failed { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn last_worked(&self, task: TaskId) -> Result<Option<attempts::Attempt>, EngineError> {
        let all = attempts::of_task(&self.engine.home.store, task).await?;
        Ok(all
            .into_iter()
            .rev()
            .find(|attempt| attempt.begun.role == Role::Work && attempt.ended.tree.is_some()))
    }

    pub(crate) async fn task(&self, id: TaskId) -> Result<tasks::Kept, EngineError> {
        tasks::get(&self.engine.home.store, id)
            .await?
            .ok_or_else(|| EngineError::Record(format!("{id} is not in the store")))
    }

    pub(crate) async fn signals_of(
        &self,
        task: &loops::task::Task,
    ) -> Result<Vec<crate::store::signals::Kept>, EngineError> {
        let mut all = Vec::new();
        for finding in &task.findings {
            all.extend(crate::store::signals::of_finding(&self.engine.home.store, *finding, 200).await?);
        }
        Ok(all)
    }

    pub(crate) fn worker(&self, kind: &str) -> Worker {
        self.spec().workers.get(kind).cloned().unwrap_or_default()
    }

    pub(crate) fn backend(&self, backend: Backend) -> &'static str {
        match backend {
            Backend::Builtin => "builtin",
            Backend::Rehearsal => "rehearsal",
            Backend::ClaudeCode => "claude-code",
            Backend::Codex => "codex",
            Backend::Acp => "acp",
            Backend::Command => "command",
        }
    }
}
