//! Has a proven change read by an independent agent, which never saw the session that made it.

use std::sync::Arc;

use loops::{
    evidence::{CheckKind, Evidence, Verdict},
    id::{AttemptId, TaskId},
    run::Event,
    spec::{Backend, ReviewChoice, Span},
    text::one_line,
};
use serde_json::json;
use workers::{
    Change, Job,
    order::{AgentSettings, Result as JobResult, Review},
};

use super::{
    EngineError, Progress, Running, brief,
    carry::Shown,
    node::{Ask, Body, REVIEW},
};
use crate::{
    clock, gateway,
    store::{
        attempts::{self, AttemptState, Ended, Role},
        evidence, orders,
    },
};

/// After this many turns the reviewer must have said what it thinks.
const MAX_TURNS: u32 = 30;
const TIMEOUT: Span = Span(std::time::Duration::from_secs(20 * 60));

impl Running {
    /// Has what `of` left reviewed.
    pub(crate) async fn review(self: &Arc<Self>, id: TaskId, of: AttemptId) -> Result<(), EngineError> {
        let ReviewChoice::Agent(reviewer) = &self.spec().checks.agent_review else {
            return self
                .happen(Event::Reviewed {
                    task: id,
                    attempt: of,
                    verdict: Verdict::Passed,
                })
                .await;
        };
        let task = self.task(id).await?;
        let tree = self.tree_of(of).await?;
        let diff = self.git().diff(&self.base, &tree).await?;
        let known: Vec<Evidence> = evidence::of_change(&self.engine.home.store, id, of)
            .await?
            .into_iter()
            .map(|kept| kept.evidence)
            .collect();
        let signals = self.signals_of(&task.task).await?;
        let prompt = self.prompt("review", None)?;
        let attempt = clock::id(AttemptId::new);
        let number = attempts::of_task(&self.engine.home.store, id)
            .await?
            .iter()
            .filter(|a| a.begun.role == Role::Review)
            .count()
            + 1;
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let job = Job::Review(Review {
            agent: AgentSettings {
                backend: Backend::Builtin,
                model: reviewer.model.clone(),
                effort: reviewer.effort,
                instructions: prompt.text,
                brief: brief::review(
                    &task.task,
                    brief::Titled::in_loop(self.spec()),
                    &signals,
                    &diff,
                    &known,
                ),
                max_turns: MAX_TURNS,
                deny_commands: Vec::new(),
                hosts: Vec::new(),
                advisor: None,
                gateway: Body::no_gateway(),
            },
            change: Change {
                tree,
                pack: Vec::new(),
            },
        });
        let ask = Ask {
            verb: "reviews",
            kind: REVIEW.to_owned(),
            needs: Vec::new(),
            guest: Some(self.admission(Some(id), attempt, gateway::Role::Review, "review", number)),
            start: None,
            timeout: TIMEOUT,
            job,
        };
        self.begin(id, attempt, Role::Review, Some(ask)).await?;
        let shown = Shown {
            attempt,
            task: id,
            verb: "reviews",
        };
        let found = read(self.carry(shown).await?.result);
        let verdict = found.verdict;
        let mut step = self.step().await?;
        evidence::put(&mut step.tx, attempt, id, of, std::slice::from_ref(&found)).await?;
        let data = json!({ "check": found.name, "kind": found.kind, "verdict": verdict, "of": of });
        let (name, run) = (&self.spec().name, self.id);
        step.tx
            .record(
                clock::now(),
                "evidence.found",
                Some(name),
                Some(run),
                &attempt.to_string(),
                data,
            )
            .await?;
        let state = if verdict == Verdict::CouldNotRun {
            AttemptState::Failed
        } else {
            AttemptState::Done
        };
        let ended = Ended {
            summary: Some(found.words.clone()),
            ..Ended::default()
        };
        attempts::finish(&mut step.tx, attempt, state, &ended, clock::now()).await?;
        orders::forget(&mut step.tx, attempt).await?;
        step.commit(Event::Reviewed {
            task: id,
            attempt: of,
            verdict,
        })
        .await?;
        if verdict != Verdict::Passed {
            let how = format!("the reviewer says: {}", one_line(&found.words, 120));
            self.tell(Progress::Settled { id, how, well: false });
        }
        Ok(())
    }
}

fn read(result: JobResult) -> Evidence {
    let (verdict, words, detail) = match result {
        JobResult::Reviewed {
            approved: true,
            concerns,
            summary,
        } => (Verdict::Passed, summary, concerns.join("\n")),
        JobResult::Reviewed {
            approved: false,
            concerns,
            summary,
        } => (Verdict::Failed, summary, concerns.join("\n")),
        JobResult::CouldNotRun { why, .. } => (Verdict::CouldNotRun, why, String::new()),
        JobResult::Worked { .. } | JobResult::Proved { .. } => (
            Verdict::CouldNotRun,
            "the worker answered something else".to_owned(),
            String::new(),
        ),
    };
    Evidence {
        name: "independent review".into(),
        kind: CheckKind::AgentReview,
        verdict,
        before: None,
        after: None,
        words: one_line(&words, 600),
        detail: detail.chars().take(6_000).collect(),
    }
}
