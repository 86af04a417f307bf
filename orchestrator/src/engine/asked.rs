//! A proven change that asks for other dependencies waits for a person before anything of it leaves: what it would
//! depend on is a decision of its own, answered as a plan is. A yes is for one text; another change asks again.

use loops::{
    boundary::dependencies::{self, Asked},
    id::{AttemptId, TaskId},
    run::Event,
    spec::Dependencies,
};
use serde_json::json;

use super::{EngineError, Progress, Running};
use crate::{
    clock,
    store::plans::{self, Plan, PlanState},
};

impl Running {
    /// Whether the change has to wait for a person. Then it does when this returns.
    pub(super) async fn asks_first(&self, task: TaskId, attempt: AttemptId) -> Result<bool, EngineError> {
        let Some(asked) = self.asked(attempt).await? else {
            return Ok(false);
        };
        let mut step = self.step().await?;
        let known = plans::get(&mut step.tx, task).await?;
        let said_yes = known.as_ref().is_some_and(|plan| {
            let same = plan
                .asked
                .as_ref()
                .is_some_and(|other| other.digest == asked.digest);
            plan.state == PlanState::Approved && same
        });
        if said_yes {
            return Ok(false);
        }
        let now = clock::now();
        let spec = self.spec();
        if known.is_none() {
            let task = self.task(task).await?.task;
            let plan = Plan::of(&task, self.id, &spec.name, spec.budget.task.0, now);
            plans::insert(&mut step.tx, &plan).await?;
        }
        plans::ask(&mut step.tx, task, &asked, now).await?;
        let data = json!({ "attempt": attempt, "digest": asked.digest });
        let (name, run) = (Some(spec.name.as_str()), Some(self.id));
        step.tx
            .record(now, "dependencies.asked", name, run, &task.to_string(), data)
            .await?;
        step.commit(Event::Asked { task, attempt }).await?;
        self.tell(Progress::Settled {
            id: task,
            how: format!("asks for other dependencies: loops review {}", task.short()),
            well: true,
        });
        Ok(true)
    }

    /// What the change of an attempt asks for, where the loop wants to be asked.
    async fn asked(&self, attempt: AttemptId) -> Result<Option<Asked>, EngineError> {
        if self.spec().boundaries.dependencies != Dependencies::Ask {
            return Ok(None);
        }
        let tree = self.tree_of(attempt).await?;
        let diff = self.diff(&tree).await?.map_err(EngineError::Record)?;
        Ok(dependencies::asked(&diff))
    }
}
