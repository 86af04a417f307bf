//! Spawning: each task is checked against what the loop allows, and those that hold are made in one go. What a call spawned
//! before a restart is found again by the call.

use std::collections::{BTreeSet, HashMap};

use loops::{
    boundary,
    id::{FindingId, TaskId},
    run::Step,
    task::Task,
    text::one_line,
};

use super::{Answer, LeadTools, words};
use crate::{
    lead::{input, spawn_all},
    store::{findings, plans, proposals},
};

/// How many tasks a run may have.
const MAX_TASKS: usize = 10_000;

/// How many tasks an answer tells of.
const TOLD: usize = 100;

/// What a call wants, and what it is by: a place in it.
type Wanted = (String, input::Spawn);

/// What tasks are judged by, with those that the same call has wanted before.
struct Desk {
    /// What findings were merged into.
    merged: HashMap<FindingId, FindingId>,
    busy: BTreeSet<FindingId>,
    room: u32,
    there: usize,
}

impl LeadTools {
    /// The findings that a task of this run works on or has a proposal for.
    pub(super) async fn busy(&self) -> Result<BTreeSet<FindingId>, String> {
        Ok(self.busy_among(&self.merged().await?))
    }

    async fn merged(&self) -> Result<HashMap<FindingId, FindingId>, String> {
        let (store, name) = (&self.running.engine.home.store, &self.running.spec().name);
        findings::resolved_all(store, name).await.map_err(words)
    }

    fn busy_among(&self, merged: &HashMap<FindingId, FindingId>) -> BTreeSet<FindingId> {
        let known = self.known();
        self.running.look(|state| {
            let live = known.all().filter(|(_, id, _)| {
                let task = state.tasks.get(id);
                task.is_some_and(|task| !matches!(task.step, Step::Failed(_) | Step::Cancelled))
            });
            live.flat_map(|(_, _, findings)| findings)
                .map(|id| *merged.get(id).unwrap_or(id))
                .collect()
        })
    }

    async fn desk(&self) -> Result<Desk, String> {
        let merged = self.merged().await?;
        Ok(Desk {
            busy: self.busy_among(&merged),
            merged,
            room: self.room().await?,
            there: self.known().len(),
        })
    }

    /// How many tasks may still be spawned before people would have too many proposals.
    async fn room(&self) -> Result<u32, String> {
        let (store, spec) = (&self.running.engine.home.store, self.running.spec());
        let open = proposals::open_count(store, &spec.name).await.map_err(words)?;
        let planned = plans::open_count(store, &spec.name).await.map_err(words)?;
        let under_way = self
            .running
            .look(|state| state.tasks.values().filter(|task| !task.step.is_over()).count());
        let taken = open
            .saturating_add(planned)
            .saturating_add(u32::try_from(under_way).unwrap_or(u32::MAX));
        Ok(spec.proposal.max_open.saturating_sub(taken))
    }

    pub(super) async fn spawn(&self, call_id: &str, input: input::Spawn) -> Answer {
        let mut made = self.spawn_each(vec![(call_id.to_owned(), input)]).await?;
        made.pop()
            .unwrap_or_else(|| Err("there is no task to make".to_owned()))
    }

    /// Many at once: each has a place in the call, by which it is found again after a restart.
    pub(super) async fn spawn_all(&self, call_id: &str, input: input::SpawnAll) -> Answer {
        if input.tasks.is_empty() {
            return Err("name at least one task".to_owned());
        }
        let wanted = input.tasks.into_iter().enumerate();
        let wanted = wanted
            .map(|(place, one)| (format!("{call_id}#{place}"), one))
            .collect();
        let said = self.spawn_each(wanted).await?;
        let made = said.iter().filter(|one| one.is_ok()).count();
        // What was refused is told first: it is what the model can mend.
        let refused = (1..).zip(&said).filter_map(|(place, one)| {
            let why = one.as_ref().err()?;
            Some(format!("task {place} was not made: {why}"))
        });
        let under_way = said.iter().filter_map(|one| one.as_ref().ok().cloned());
        let mut text = String::new();
        for line in refused.chain(under_way).take(TOLD) {
            text.push_str(&line);
            text.push('\n');
        }
        text.push_str(&format!("{made} made"));
        if made > 0 { Ok(text) } else { Err(text) }
    }

    /// Makes those that hold, in one go; what is to be said of each, in their order.
    async fn spawn_each(&self, wanted: Vec<Wanted>) -> Result<Vec<Answer>, String> {
        let mut desk = self.desk().await?;
        let mut said: Vec<Answer> = Vec::with_capacity(wanted.len());
        let mut new: Vec<(String, Task)> = Vec::new();
        let mut places = Vec::new();
        for (place, (call, input)) in wanted.into_iter().enumerate() {
            if let Some(number) = self.known().by_call(&call) {
                said.push(Ok(self.spawned(number)));
                continue;
            }
            match self.judge(&mut desk, &call, input) {
                Ok(task) => {
                    new.push((call, task));
                    places.push(place);
                    said.push(Ok(String::new()));
                }
                Err(why) => said.push(Err(why)),
            }
        }
        if new.is_empty() {
            return Ok(said);
        }
        let mut add = |made: &[(String, Task)], numbers: &[u32]| {
            let mut known = self.known();
            for ((call, task), number) in made.iter().zip(numbers) {
                known.add(call.clone(), *number, (task.id, task.findings.clone()));
            }
        };
        let numbers = spawn_all(&self.running, &new, &mut add)
            .await
            .map_err(|error| error.to_string())?;
        for (place, number) in places.into_iter().zip(numbers) {
            said[place] = Ok(self.spawned(number));
        }
        Ok(said)
    }

    /// The task that is asked for, if the loop allows it.
    fn judge(&self, desk: &mut Desk, call: &str, input: input::Spawn) -> Result<Task, String> {
        let spec = self.running.spec();
        if desk.there >= MAX_TASKS {
            return Err(format!("this run has {MAX_TASKS} tasks, which is the most"));
        }
        let mut findings = Vec::new();
        for name in &input.findings {
            let id = self.handed(name)?;
            let id = *desk.merged.get(&id).unwrap_or(&id);
            if !findings.contains(&id) {
                findings.push(id);
            }
        }
        if findings.is_empty() {
            return Err("name at least one finding".to_owned());
        }
        if findings.iter().any(|id| desk.busy.contains(id)) {
            return Err(format!(
                "{}: there is a task for it already; `send_back` has it tried again",
                input.findings.join(", ")
            ));
        }
        if desk.room == 0 {
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
        desk.busy.extend(findings.iter().copied());
        desk.room -= 1;
        desk.there += 1;
        let acceptance = input.acceptance.iter().take(20);
        Ok(Task {
            id: TaskId::named(&format!("{}:{call}", self.running.id)),
            worker: input.worker,
            title: one_line(&input.title, 100),
            goal: input.goal.chars().take(8_000).collect(),
            acceptance: acceptance.map(|line| one_line(line, 400)).collect(),
            findings,
            write,
        })
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
}
