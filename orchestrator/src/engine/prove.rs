//! Has a change checked, away from the workspace that made it, and writes down what was found out.

use std::sync::Arc;

use loops::{
    boundary::{self, Violation, dependencies},
    change::Diff,
    evidence::{self, CheckKind, Evidence, Verdict},
    id::{AttemptId, TaskId},
    run::Event,
    screen::{self, Leaving},
    spec::{CheckCommand, LoopSpec, Span},
    text::one_line,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use workers::{
    Change, Job,
    order::{Baseline, Prove, Result as JobResult},
};

use super::{
    EngineError, Progress, Running,
    carry::Shown,
    node::{Ask, PROVE, bring_change},
};
use crate::{
    clock,
    store::{
        attempts::{self, AttemptState, Begun, Ended, Role},
        baselines, evidence as evidence_rows, orders,
    },
};

impl Running {
    /// Has what `of` left checked.
    pub(crate) async fn prove(self: &Arc<Self>, task: TaskId, of: AttemptId) -> Result<(), EngineError> {
        let tree = self.tree_of(of).await?;
        let attempt = clock::id(AttemptId::new);
        let diff = self.diff(&tree).await?;
        let mut found = vec![self.judge_boundaries(task, &diff).await?];
        let mut caveats = Vec::new();
        // What is refused already costs no further look.
        if found[0].verdict == Verdict::Passed {
            found.push(self.judge_screens(task, of, diff).await?);
            let (evidence, said) = self.check(task, attempt, tree).await?;
            found.extend(evidence);
            caveats = said;
        } else {
            self.begin(task, attempt, Role::Prove, None).await?;
        }
        let verdict = evidence::verdict(&found, &self.spec().checks);
        let mut step = self.step().await?;
        evidence_rows::put(&mut step.tx, attempt, task, of, &found).await?;
        for piece in &found {
            let data = json!({ "check": piece.name, "kind": piece.kind, "verdict": piece.verdict, "of": of });
            let (name, id) = (&self.spec().name, self.id);
            step.tx
                .record(
                    clock::now(),
                    "evidence.found",
                    Some(name),
                    Some(id),
                    &attempt.to_string(),
                    data,
                )
                .await?;
        }
        let ended = Ended {
            caveats,
            ..Ended::default()
        };
        attempts::finish(&mut step.tx, attempt, AttemptState::Done, &ended, clock::now()).await?;
        orders::forget(&mut step.tx, attempt).await?;
        step.commit(Event::Proved {
            task,
            attempt: of,
            verdict,
        })
        .await?;
        if verdict != Verdict::Passed {
            let refusals = evidence::refusals(&found, &self.spec().checks);
            let failed: Vec<&str> = refusals.iter().map(|refusal| refusal.name.as_str()).collect();
            self.tell(Progress::Settled {
                id: task,
                how: format!("not proven: {}", failed.join(", ")),
                well: false,
            });
        }
        Ok(())
    }

    async fn check(
        self: &Arc<Self>,
        task: TaskId,
        attempt: AttemptId,
        tree: String,
    ) -> Result<(Vec<Evidence>, Vec<String>), EngineError> {
        let spec = self.spec();
        let commands = spec.checks.commands.clone();
        let key = baseline_key(spec, &commands);
        let repository = self.repository.clone();
        let known: Option<Vec<Baseline>> =
            baselines::get(&self.engine.home.store, &repository, &self.base, &key).await?;
        let fresh = known.is_none();
        let timeout = longest(&commands);
        let job = Job::Prove(Prove {
            change: Change {
                tree,
                pack: Vec::new(),
            },
            commands,
            reproduce: spec.checks.reproduce,
            weakened_tests: spec.checks.weakened_tests,
            baseline: known,
        });
        let ask = Ask {
            verb: "checks",
            kind: PROVE.to_owned(),
            needs: spec.checks.needs.clone(),
            guest: None,
            start: None,
            timeout,
            job,
        };
        self.begin(task, attempt, Role::Prove, Some(ask)).await?;
        let shown = Shown {
            attempt,
            task,
            verb: "checks",
        };
        let outcome = self.carry(shown).await?;
        match outcome.result {
            JobResult::Proved { evidence, baseline } => {
                // What could not run says nothing about the base, and is tried again.
                let ran = baseline
                    .iter()
                    .all(|seen| seen.observation.verdict != Verdict::CouldNotRun);
                if fresh && ran {
                    let mut tx = self.engine.home.store.begin().await?;
                    baselines::put(&mut tx, &repository, &self.base, &key, &baseline, clock::now()).await?;
                    tx.commit().await?;
                }
                Ok((evidence, outcome.caveats))
            }
            JobResult::CouldNotRun { why, .. } => Ok((vec![could_not_run("checks", &why)], outcome.caveats)),
            JobResult::Worked { .. } | JobResult::Reviewed { .. } => Ok((
                vec![could_not_run("checks", "the worker answered something else")],
                outcome.caveats,
            )),
        }
    }

    /// What the screens say of the change and of what the agent wrote with it.
    async fn judge_screens(
        &self,
        task: TaskId,
        of: AttemptId,
        diff: Result<Diff, String>,
    ) -> Result<Evidence, EngineError> {
        let diff = match diff {
            Ok(diff) => diff,
            Err(why) => return Ok(screen::could_not_run(&why)),
        };
        let title = self.task(task).await?.task.title;
        let account = attempts::get(&self.engine.home.store, of)
            .await?
            .and_then(|worked| worked.ended.summary)
            .unwrap_or_default();
        let judged = tokio::task::spawn_blocking(move || {
            let texts = [("title", title.as_str()), ("account", account.as_str())];
            screen::judge(Leaving {
                diff: &diff,
                texts: &texts,
            })
        });
        Ok(judged
            .await
            .unwrap_or_else(|error| screen::could_not_run(&format!("the screens broke off: {error}"))))
    }

    async fn judge_boundaries(
        &self,
        task: TaskId,
        diff: &Result<Diff, String>,
    ) -> Result<Evidence, EngineError> {
        let task = self.task(task).await?;
        let mut evidence = Evidence {
            name: "boundaries".into(),
            kind: CheckKind::Boundaries,
            verdict: Verdict::Passed,
            before: None,
            after: None,
            words: String::new(),
            detail: String::new(),
        };
        match diff {
            Ok(diff) => {
                // What a person can let pass is asked when all else is proven.
                let (asks, violations): (Vec<_>, Vec<_>) =
                    boundary::judge(diff, &self.spec().boundaries, &task.task.write)
                        .into_iter()
                        .partition(Violation::needs_a_person);
                let files = diff.files.len();
                if violations.is_empty() {
                    evidence.words = format!(
                        "{files} {} within what may be changed",
                        if files == 1 { "file" } else { "files" }
                    );
                    if !asks.is_empty() {
                        evidence.words += "; what it depends on is a person's to decide";
                        evidence.detail = dependencies::asked(diff)
                            .map(|asked| asked.lines.join("\n"))
                            .unwrap_or_default();
                    }
                } else {
                    evidence.verdict = Verdict::Failed;
                    evidence.words = one_line(&violations[0].words, 300);
                    let lines: Vec<String> = violations.iter().map(|v| one_line(&v.words, 300)).collect();
                    evidence.detail = lines.join("\n").chars().take(4_000).collect();
                }
            }
            Err(why) => {
                evidence.verdict = Verdict::CouldNotRun;
                evidence.words = why.clone();
            }
        }
        Ok(evidence)
    }

    /// The diff of a tree against the run's base; words, if it cannot be read.
    pub(crate) async fn diff(&self, tree: &str) -> Result<Result<Diff, String>, EngineError> {
        Ok(workers::checks::diff(&self.git(), &self.base, tree)
            .await
            .map_err(|error| format!("the change could not be read: {error}")))
    }

    /// Begins an attempt that needs no agent of the loop's, and posts its order if it has one.
    pub(crate) async fn begin(
        &self,
        task: TaskId,
        attempt: AttemptId,
        role: Role,
        ask: Option<Ask>,
    ) -> Result<(), EngineError> {
        let number = attempts::of_task(&self.engine.home.store, task)
            .await?
            .iter()
            .filter(|a| a.begun.role == role)
            .count();
        let mut begun = Begun {
            id: attempt,
            task: Some(task),
            run: self.id,
            loop_name: self.spec().name.clone(),
            role,
            number: u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1),
            backend: None,
            model: None,
            effort: None,
            spec_version: self.definition.version.clone(),
            prompt_version: None,
            rehearsed: false,
            words: None,
            base: Some(self.base.clone()),
            started_at: clock::now(),
        };
        if let (Role::Review, loops::spec::ReviewChoice::Agent(review)) =
            (role, &self.spec().checks.agent_review)
        {
            begun.backend = Some("builtin".into());
            begun.model = Some(review.model.clone());
            begun.effort = Some(format!("{:?}", review.effort).to_lowercase());
            begun.prompt_version = Some(self.prompt("review", None)?.version);
            begun.rehearsed = self.engine.gateway.is_rehearsal();
        }
        let mut tx = self.engine.home.store.begin().await?;
        attempts::insert(&mut tx, &begun).await?;
        if let Some(ask) = ask {
            self.post(&mut tx, (attempt, task), ask).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    pub(crate) async fn tree_of(&self, attempt: AttemptId) -> Result<String, EngineError> {
        let tree = attempts::get(&self.engine.home.store, attempt)
            .await?
            .and_then(|found| found.ended.tree)
            .ok_or_else(|| EngineError::Record(format!("{attempt} left no tree")))?;
        bring_change(&self.engine.home, &self.git(), &tree).await?;
        Ok(tree)
    }
}

/// What a baseline depends on besides the base commit: the commands, and what is set up before them.
fn baseline_key(spec: &LoopSpec, commands: &[CheckCommand]) -> String {
    let what = json!([commands, spec.setup, spec.sandbox, spec.checks.network]);
    hex::encode(Sha256::digest(what.to_string().as_bytes()))[..16].to_owned()
}

fn could_not_run(name: &str, why: &str) -> Evidence {
    Evidence {
        name: name.to_owned(),
        kind: CheckKind::Command,
        verdict: Verdict::CouldNotRun,
        before: None,
        after: None,
        words: one_line(why, 400),
        detail: String::new(),
    }
}

/// How long a proof with these commands may take at most, with and without the change.
pub(super) fn longest(commands: &[CheckCommand]) -> Span {
    let all: std::time::Duration = commands.iter().map(|check| check.timeout.0).sum();
    Span(all * 4 + std::time::Duration::from_secs(600))
}
