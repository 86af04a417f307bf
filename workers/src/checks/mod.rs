//! What proves a change, away from the workspace that made it: a clean room of base and change, commands from the
//! order, the same on the base, and a comparison. What the commands print is the change's own testimony; what could
//! not run never counts as passed.

mod compare;
mod reports;
mod reproduce;
mod room;
mod sides;
mod weakened;
mod words;

use loops::{
    change::DiffError,
    evidence::{CheckKind, Evidence, TestReport, TestStatus, Verdict},
    spec::{Reproduce, WeakenedTests},
};
use tokio::sync::mpsc;

pub use sides::diff;

use self::{
    room::{CheckRun, Room},
    sides::Sides,
};
use crate::{
    Machine,
    git::GitError,
    order::{Baseline, Order, Prove, Report, Result as Outcome},
    relay::RelayError,
    sandbox::SandboxError,
    workspace::WorkspaceError,
};

/// Why a change could not be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The machine has no sandbox.
    #[error(
        "this machine has no sandbox, and checks run the change's own code; `loops doctor` says how to mend that"
    )]
    NoSandbox,
    /// The clean room could not be made.
    #[error("a clean workspace for the checks could not be made: {0}")]
    Workspace(#[from] WorkspaceError),
    /// The sandbox did not come up.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The way to the gateway could not be opened.
    #[error("the way to the gateway could not be opened: {0}")]
    WayOut(#[from] RelayError),
    /// Git did not do what it was asked.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The change's diff is not as git writes it.
    #[error(transparent)]
    Diff(#[from] DiffError),
}

impl CheckError {
    /// Whether the same order may go better later: what is wrong is with the machine, not with the change.
    fn retry(&self) -> bool {
        match self {
            Self::NoSandbox | Self::Diff(_) => false,
            Self::Sandbox(error) => {
                matches!(error, SandboxError::NotStarted { .. } | SandboxError::File { .. })
            }
            Self::WayOut(_) => true,
            Self::Workspace(error) => matches!(error, WorkspaceError::File { .. }),
            Self::Git(error) => matches!(
                error,
                GitError::NotStarted(_) | GitError::TimedOut { .. } | GitError::File { .. }
            ),
        }
    }
}

/// Runs the checks on a change. Evidence comes in this order: each command, the reproduction, the weakened tests.
pub async fn prove(
    prove: &Prove,
    order: &Order,
    machine: &Machine,
    reports: &mpsc::UnboundedSender<Report>,
) -> Outcome {
    let checks = Checks {
        prove,
        order,
        machine,
        reports,
    };
    match tokio::time::timeout(order.timeout.0, Box::pin(checks.run())).await {
        Ok(Ok((evidence, baseline))) => Outcome::Proved { evidence, baseline },
        Ok(Err(error)) => Outcome::CouldNotRun {
            why: error.to_string(),
            retry: error.retry(),
        },
        Err(_) => Outcome::CouldNotRun {
            why: format!(
                "the checks were stopped after {}, which is this attempt's time",
                order.timeout
            ),
            retry: false,
        },
    }
}

struct Checks<'a> {
    prove: &'a Prove,
    order: &'a Order,
    machine: &'a Machine,
    reports: &'a mpsc::UnboundedSender<Report>,
}

impl Checks<'_> {
    fn stage(&self, doing: impl Into<String>) {
        // Nobody may be listening; the checks go on all the same.
        let _ = self.reports.send(Report::Stage { doing: doing.into() });
    }

    async fn run(&self) -> Result<(Vec<Evidence>, Vec<Baseline>), CheckError> {
        let sandbox = self.machine.sandbox.as_ref().ok_or(CheckError::NoSandbox)?;
        self.stage("workspace");
        let mut change = Room::make(self.order, sandbox, "change", Some(&self.prove.change)).await?;
        let sides = Sides::read(&change, &self.order.base, &self.prove.change.tree).await?;
        let known = self.prove.baseline.as_ref().filter(|known| self.is_of_use(known));
        let on_base = async {
            match known {
                Some(known) => Ok(known.clone()),
                None if self.prove.commands.is_empty() => Ok(Vec::new()),
                None => {
                    let mut base = Room::make(self.order, sandbox, "base", None).await?;
                    let runs = self.commands(&mut base, " on the base").await?;
                    Ok::<_, CheckError>(runs.into_iter().map(CheckRun::into_baseline).collect())
                }
            }
        };
        let (baseline, runs) = tokio::try_join!(on_base, self.commands(&mut change, ""))?;
        let mut evidence: Vec<Evidence> = runs
            .iter()
            .zip(&baseline)
            .map(|(run, base)| compare::command(run, base))
            .collect();
        if self.prove.reproduce != Reproduce::Off {
            evidence.push(self.reproduction(&change, &sides, &runs, &baseline).await?);
        }
        if self.prove.weakened_tests != WeakenedTests::Allow {
            evidence.push(weakened::evidence(&sides, &runs, &baseline));
        }
        Ok((evidence, baseline))
    }

    /// Whether a baseline that came with the order is of use. What could not run may run today, and without it nothing
    /// excuses the change.
    fn is_of_use(&self, baseline: &[Baseline]) -> bool {
        let ran = |known: &Baseline| known.observation.verdict != Verdict::CouldNotRun;
        baseline.len() == self.prove.commands.len()
            && baseline
                .iter()
                .zip(&self.prove.commands)
                .all(|(known, command)| known.name == command.name && ran(known))
    }

    async fn commands(&self, room: &mut Room<'_>, place: &str) -> Result<Vec<CheckRun>, CheckError> {
        if !self.prove.commands.is_empty() {
            self.stage(format!("setup{place}"));
            room.prepare(self.order).await?;
        }
        let mut runs = Vec::with_capacity(self.prove.commands.len());
        for command in &self.prove.commands {
            self.stage(format!("check {}{place}", command.name));
            runs.push(room.check(command).await?);
        }
        Ok(runs)
    }

    /// Runs the change's tests without the rest of the change.
    async fn reproduction(
        &self,
        change: &Room<'_>,
        sides: &Sides,
        runs: &[CheckRun],
        baseline: &[Baseline],
    ) -> Result<Evidence, CheckError> {
        if let Some(evidence) = reproduce::settled(sides, runs) {
            return Ok(evidence);
        }
        self.stage("reproduction");
        let only_tests = sides.only_tests(change, &self.order.base).await?;
        let sandbox = self.machine.sandbox.as_ref().ok_or(CheckError::NoSandbox)?;
        let mut room = Room::make(self.order, sandbox, "tests", Some(&only_tests)).await?;
        room.prepare(self.order).await?;
        let mut tried = Vec::new();
        for ((command, run), base) in self.prove.commands.iter().zip(runs).zip(baseline) {
            if reproduce::is_of_tests(run) {
                self.stage(format!("check {} with the change's tests alone", command.name));
                tried.push(reproduce::Tried {
                    base,
                    tests: room.check(command).await?,
                    change: run,
                });
            }
        }
        Ok(reproduce::judge(&tried))
    }
}

/// What a baseline says of its tests.
fn report_of(baseline: &Baseline) -> TestReport {
    let mut report = TestReport {
        load_errors: baseline.load_errors.clone(),
        ..TestReport::default()
    };
    let lists = [
        (&baseline.passed, TestStatus::Passed),
        (&baseline.failed, TestStatus::Failed),
        (&baseline.skipped, TestStatus::Skipped),
    ];
    for (names, status) in lists {
        let results = names.iter().map(|name| loops::evidence::TestResult {
            name: name.clone(),
            status,
        });
        report.results.extend(results);
    }
    let seen = &baseline.observation;
    if let (Some(passed), Some(failed)) = (seen.passed, seen.failed) {
        let skipped = seen.skipped.unwrap_or(0);
        report.counts = Some(loops::evidence::Counts {
            passed,
            failed,
            skipped,
        });
    }
    report
}

/// Evidence without runs.
fn evidence(kind: CheckKind, name: &str, verdict: Verdict, words: impl Into<String>) -> Evidence {
    Evidence {
        name: name.to_owned(),
        kind,
        verdict,
        before: None,
        after: None,
        words: words.into(),
        detail: String::new(),
    }
}
