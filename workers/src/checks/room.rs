//! The clean room: a fresh workspace in a sandbox of its own, and one command after another in it. There is no way out of
//! it but to hosts that the loop names for its checks.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use loops::{
    evidence::{Observation, TestReport, TestStatus, Verdict, read_output},
    spec::CheckCommand,
};

use super::{CheckError, reports, words};
use crate::{
    order::{Baseline, Change, Order},
    sandbox::{Policy, Ran, Sandbox},
    way_out::WayOut,
    workspace::{Workspace, WorkspaceError},
};

/// The most of a command's output that is read for results.
const MAX_OUTPUT: usize = 4 << 20;

/// A fresh workspace of the base, or of the base and a change.
pub(super) struct Room<'a> {
    sandbox: &'a Sandbox,
    workspace: Workspace,
    policy: Policy,
    /// What its commands reach hosts by; `setup` has its own.
    way_out: Option<WayOut>,
}

/// What one command did.
#[derive(Debug)]
pub(super) struct CheckRun {
    pub(super) name: String,
    pub(super) observation: Observation,
    pub(super) report: TestReport,
    /// The end of what it printed, fit to be shown.
    pub(super) tail: String,
    /// Why it could not run, if it could not.
    pub(super) could_not: Option<String>,
    /// What a person should know of how the results were read.
    pub(super) notes: Vec<String>,
}

impl<'a> Room<'a> {
    /// Makes the workspace, in a folder of this name below the attempt's own.
    pub(super) async fn make(
        order: &Order,
        sandbox: &'a Sandbox,
        name: &str,
        change: Option<&Change>,
    ) -> Result<Self, CheckError> {
        let scratch = order.scratch.join("checks").join(name);
        std::fs::create_dir_all(&scratch).map_err(|error| WorkspaceError::File {
            path: scratch.clone(),
            error,
        })?;
        let sandboxed = order.sandbox.is_some();
        // Whether it shares its base's files is no matter of evidence: what is said of it is said of the attempt.
        let (workspace, _) = Box::pin(Workspace::create_by(
            sandbox,
            order.sandbox.as_ref(),
            &order.mirror,
            &order.base,
            change,
            &scratch,
        ))
        .await?;
        let policy = Policy {
            workspace: workspace.root().to_owned(),
            layers: workspace.layers(),
            writable: true,
            mirror_objects: Some(workspace.mirror_objects()),
            relay: None,
            limits: order.sandbox.clone(),
            scratch,
            env: BTreeMap::new(),
        };
        let way_out = match order.ways_out.checks.as_ref().filter(|_| sandboxed) {
            Some(gateway) => Some(WayOut::open(&policy.scratch, gateway)?),
            None => None,
        };
        Ok(Self {
            sandbox,
            workspace,
            policy,
            way_out,
        })
    }

    /// Brings what `setup` leaves.
    pub(super) async fn prepare(&mut self, order: &Order) -> Result<(), CheckError> {
        if let Some(setup) = &order.setup {
            self.workspace
                .prepare_by(
                    setup,
                    &order.setup_cache,
                    self.sandbox,
                    &mut self.policy,
                    order.ways_out.setup.as_ref(),
                )
                .await?;
        }
        Ok(())
    }

    /// The trusted git directory.
    pub(super) fn git(&self) -> &crate::git::Git {
        self.workspace.git()
    }

    /// The folder of this room, which no command sees.
    pub(super) fn scratch(&self) -> &Path {
        &self.policy.scratch
    }

    /// Runs one command and reads its results.
    pub(super) async fn check(&self, command: &CheckCommand) -> Result<CheckRun, CheckError> {
        let root = self.workspace.root().to_owned();
        let written = self.workspace.written();
        // A report that is there before the command ran is not its own.
        let removed = match command.junit.clone() {
            Some(glob) => blocking(written.clone(), move |root| reports::remove(root, &glob)).await,
            None => Ok(()),
        };
        let mut policy = self.policy.clone();
        if let Some(way_out) = &self.way_out {
            way_out.lead(&mut policy);
        }
        let own = [("CI", "true"), ("NO_COLOR", "1")].map(|(name, value)| (name.into(), value.into()));
        policy.env.extend(own);
        let mut ran = self
            .sandbox
            .run(&policy, &command.run, command.timeout.0, MAX_OUTPUT)
            .await?;
        if let Some(root) = root.to_str() {
            // Without a sandbox each room has a path of its own, which would make names of tests differ.
            ran.output = ran.output.replace(root, "/workspace");
        }
        let mut report = read_output(&ran.output);
        let mut notes = Vec::new();
        if let Some(glob) = command.junit.clone() {
            let read = match removed {
                Ok(()) => blocking(written, move |root| reports::read(root, &glob)).await,
                Err(why) => Err(why),
            };
            match read {
                Ok(read) => {
                    notes.extend(read.notes);
                    if let Some(mut junit) = read.report {
                        junit.load_errors.append(&mut report.load_errors);
                        report = junit;
                    }
                }
                Err(why) => notes.push(format!("its reports were not read: {why}")),
            }
        }
        if ran.cut {
            notes.push("the middle of its output was cut out".to_owned());
        }
        Ok(CheckRun::of(command, &ran, report, notes))
    }
}

/// Reads files of the workspace where that does not hold up others.
async fn blocking<T: Send + 'static>(
    root: PathBuf,
    work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    let done = tokio::task::spawn_blocking(move || work(&root)).await;
    done.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

impl CheckRun {
    fn of(command: &CheckCommand, ran: &Ran, report: TestReport, notes: Vec<String>) -> Self {
        let could_not = if ran.timed_out {
            Some(format!("it was stopped after {}", command.timeout))
        } else if let Some(limit) = &ran.stopped {
            Some(format!("it was stopped: {limit}"))
        } else {
            match ran.exit_code {
                None => Some("it was stopped".to_owned()),
                Some(127) => Some("a program that it calls is not installed here (exit code 127)".to_owned()),
                Some(126) => Some("a program that it calls cannot be run (exit code 126)".to_owned()),
                Some(_) => None,
            }
        };
        let verdict = match ran.exit_code {
            _ if could_not.is_some() => Verdict::CouldNotRun,
            Some(0) => Verdict::Passed,
            _ => Verdict::Failed,
        };
        let observation = Observation {
            verdict,
            exit_code: ran.exit_code,
            passed: report.counts.map(|counts| counts.passed),
            failed: report.counts.map(|counts| counts.failed),
            skipped: report.counts.map(|counts| counts.skipped),
            duration_ms: u64::try_from(ran.duration.as_millis()).unwrap_or(u64::MAX),
        };
        let tail = words::tail(&ran.output);
        Self {
            name: command.name.clone(),
            observation,
            report,
            tail,
            could_not,
            notes,
        }
    }

    /// What is kept of a run on the base.
    pub(super) fn into_baseline(self) -> Baseline {
        Baseline {
            name: self.name,
            observation: self.observation,
            passed: self.report.names(TestStatus::Passed),
            failed: self.report.names(TestStatus::Failed),
            skipped: self.report.names(TestStatus::Skipped),
            load_errors: self.report.load_errors,
        }
    }
}
