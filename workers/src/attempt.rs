//! Carries out an order, whatever its job: lays out the workspace, lets the agent or the checks at it, takes home what
//! they left.
//!
//! It decides nothing about the work. Whatever goes wrong becomes an outcome in words; whoever drops the future ends
//! the attempt, its sandbox and all that runs in it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use loops::{budget::Usage, spec::Backend};
use tokio::{sync::mpsc::UnboundedSender, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    agent::{
        Cause, Ended,
        builtin::{Bench, NotBegun, Saver},
    },
    checks,
    order::{self, AgentSettings, Change, Job, Order, Outcome, Report},
    relay::RelayError,
    sandbox::{Policy, Sandbox, SandboxError},
    tools::ToolHost,
    way_out::WayOut,
    workspace::{Workspace, WorkspaceError},
};

/// What a worker finds on its machine.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Where commands run; none: only orders that need none are carried out.
    pub sandbox: Option<Sandbox>,
}

/// Why an attempt came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("this machine has no sandbox to run the order in; `loops doctor` says what is missing")]
    NoSandbox,
    #[error("not available yet: the agent `{0}`; use `builtin`")]
    NoBackend(String),
    #[error("the attempt's folder `{path}` could not be made: {error}")]
    Scratch { path: String, error: std::io::Error },
    #[error("the workspace could not be laid out: {0}")]
    Workspace(WorkspaceError),
    #[error(transparent)]
    Setup(WorkspaceError),
    #[error("the sandbox was stopped: {0}")]
    Stopped(String),
    #[error("what the agent left could not be taken home: {0}")]
    Capture(WorkspaceError),
    #[error("the sandbox could not be set up: {0}")]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    NotBegun(#[from] NotBegun),
    #[error("the way to the gateway could not be opened: {0}")]
    WayOut(#[from] RelayError),
    #[error("the agent could do nothing: {0}")]
    Nothing(Cause),
    #[error("the reviewer gave no verdict: {0}")]
    NoVerdict(Cause),
    #[error("it was interrupted before there was anything to save")]
    Interrupted,
    #[error("the time was up before the agent could begin: the workspace and its setup took all of {0}")]
    NoTime(loops::spec::Span),
}

impl Failure {
    /// Whether the same order may go better later, or elsewhere.
    fn may_retry(&self) -> bool {
        match self {
            Self::NoBackend(_) | Self::NotBegun(NotBegun::Model(_)) => false,
            // The base's own setup, or something that this version lacks: it would be the same again.
            Self::Setup(_) | Self::Workspace(WorkspaceError::NotAvailable(_)) => false,
            Self::Sandbox(SandboxError::NoBubblewrap | SandboxError::NotAvailable(_)) => false,
            Self::Nothing(cause) | Self::NoVerdict(cause) => match cause {
                Cause::Model(error) => error.may_retry(),
                Cause::Refused => false,
                _ => true,
            },
            _ => true,
        }
    }
}

/// Carries out one order on this machine. Always gives an outcome; what could not be carried out says why.
pub async fn carry_out(order: Order, machine: &Machine, reports: UnboundedSender<Report>) -> Outcome {
    carry_out_until(order, machine, reports, CancellationToken::new()).await
}

/// The same, until `stop`: then an agent's session ends, and what it has changed so far is the outcome; what leaves
/// nothing to save is given up.
pub async fn carry_out_until(
    order: Order,
    machine: &Machine,
    reports: UnboundedSender<Report>,
    stop: CancellationToken,
) -> Outcome {
    let mut attempt = Attempt {
        stop: &stop,
        order: &order,
        machine,
        reports: &reports,
        usage: Usage::default(),
        caveats: Vec::new(),
        policy: None,
    };
    let result = match attempt.run().await {
        Ok(result) => result,
        Err(failure) => order::Result::CouldNotRun {
            why: failure.to_string(),
            retry: failure.may_retry(),
        },
    };
    Outcome {
        result,
        usage: attempt.usage,
        caveats: attempt.caveats,
        policy: attempt.policy,
    }
}

struct Attempt<'a> {
    /// Fires when it is to end in good order.
    stop: &'a CancellationToken,
    order: &'a Order,
    machine: &'a Machine,
    reports: &'a UnboundedSender<Report>,
    usage: Usage,
    caveats: Vec<String>,
    policy: Option<serde_json::Value>,
}

impl Attempt<'_> {
    async fn run(&mut self) -> Result<order::Result, Failure> {
        match &self.order.job {
            Job::Prove(prove) => {
                make_scratch(&self.order.scratch).await?;
                if let Some(sandbox) = &self.machine.sandbox {
                    // Each check has a folder of its own in there, laid out alike.
                    let scratch = self.order.scratch.join("checks");
                    let policy = self.policy(scratch.join("workspace"), scratch, true);
                    self.keep(sandbox, &policy);
                }
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => Err(Failure::Interrupted),
                    proved = checks::prove(prove, self.order, self.machine, self.reports) => Ok(proved),
                }
            }
            Job::Work(work) => self.work(work).await,
            Job::Review(review) => self.review(&review.agent, &review.change).await,
        }
    }

    async fn work(&mut self, work: &order::Work) -> Result<order::Result, Failure> {
        let agent = &work.agent;
        let room = self.room(agent, self.order.start.as_ref(), true).await?;
        self.stage("agent");
        let saved = work.saved.as_ref();
        let saver = work
            .save_every
            .map(|every| Saver::new(&room.workspace, self.reports, every.0, saved));
        let bench = Bench {
            saver: saver.as_ref(),
            saved,
            ..self.bench(agent, &room)
        };
        let worked = bench.work().await;
        let stopped = room.host.stopped();
        room.host.stop().await;
        let ended = self.counted(worked?);
        if let Some(limit) = stopped {
            return Err(Failure::Stopped(limit));
        }
        if ended.turns == 0 && ended.cause != Cause::Finished {
            return Err(Failure::Nothing(ended.cause));
        }
        self.stage("capture");
        let change = room.workspace.capture().await.map_err(Failure::Capture)?;
        if let (Cause::Cancelled, Some(saver)) = (&ended.cause, &saver) {
            saver.save(&ended.conversation, change.clone());
        }
        Ok(order::Result::Worked {
            change,
            summary: ended.last_words,
            ending: ended.cause.ending(),
        })
    }

    async fn review(&mut self, agent: &AgentSettings, change: &Change) -> Result<order::Result, Failure> {
        let room = self.room(agent, Some(change), false).await?;
        self.stage("review");
        let reviewed = self.bench(agent, &room).review().await;
        let stopped = room.host.stopped();
        room.host.stop().await;
        let (ended, verdict) = reviewed?;
        let ended = self.counted(ended);
        if let (Some(limit), None) = (stopped, &verdict) {
            return Err(Failure::Stopped(limit));
        }
        let verdict = verdict.ok_or(Failure::NoVerdict(ended.cause))?;
        Ok(order::Result::Reviewed {
            approved: verdict.approve,
            concerns: verdict.concerns,
            summary: verdict.summary,
        })
    }

    /// A workspace, set up, with a tool server in its sandbox.
    async fn room(
        &mut self,
        agent: &AgentSettings,
        start: Option<&Change>,
        writable: bool,
    ) -> Result<Room, Failure> {
        if !matches!(agent.backend, Backend::Builtin | Backend::Rehearsal) {
            let name = serde_json::to_value(agent.backend).unwrap_or_default();
            return Err(Failure::NoBackend(name.as_str().unwrap_or("other").to_owned()));
        }
        let order = self.order;
        let sandbox = self.machine.sandbox.as_ref().ok_or(Failure::NoSandbox)?;
        let deadline = Instant::now() + order.timeout.0;
        make_scratch(&order.scratch).await?;
        let stop = self.stop;
        let laid_out = tokio::time::timeout_at(deadline, self.lay_out(sandbox, agent, start, writable));
        let ready = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(Failure::Interrupted),
            ready = laid_out => ready,
        };
        let (workspace, host, way_out) = ready.map_err(|_| Failure::NoTime(order.timeout))??;
        Ok(Room {
            workspace,
            host,
            _way_out: way_out,
            deadline,
        })
    }

    async fn lay_out(
        &mut self,
        sandbox: &Sandbox,
        agent: &AgentSettings,
        start: Option<&Change>,
        writable: bool,
    ) -> Result<(Workspace, ToolHost, Option<WayOut>), Failure> {
        let order = self.order;
        self.stage("workspace");
        let sandboxed = order.sandbox.is_some();
        let (workspace, caveat) = Workspace::create_by(
            sandbox,
            order.sandbox.as_ref(),
            &order.mirror,
            &order.base,
            start,
            &order.scratch,
        )
        .await
        .map_err(Failure::Workspace)?;
        let mut policy = Policy {
            layers: workspace.layers(),
            mirror_objects: Some(workspace.mirror_objects()),
            ..self.policy(workspace.root().to_owned(), order.scratch.clone(), writable)
        };
        if let Some(setup) = &order.setup {
            self.stage("setup");
            workspace
                .prepare_by(
                    setup,
                    &order.setup_cache,
                    sandbox,
                    &mut policy,
                    order.ways_out.setup.as_ref(),
                )
                .await
                .map_err(Failure::Setup)?;
        }
        let way_out = match order.ways_out.agent.as_ref().filter(|_| sandboxed) {
            Some(gateway) => Some(WayOut::open(&order.scratch, gateway)?),
            None => None,
        };
        if let Some(way_out) = &way_out {
            way_out.lead(&mut policy);
        }
        self.keep(sandbox, &policy);
        self.caveats.extend(caveat);
        let host = ToolHost::start(sandbox, &policy, &agent.deny_commands).await?;
        Ok((workspace, host, way_out))
    }

    fn policy(&self, workspace: PathBuf, scratch: PathBuf, writable: bool) -> Policy {
        Policy {
            workspace,
            layers: None,
            writable,
            mirror_objects: None,
            relay: None,
            limits: self.order.sandbox.clone(),
            scratch,
            env: BTreeMap::new(),
        }
    }

    /// Keeps what the sandbox is, for whoever asks later.
    fn keep(&mut self, sandbox: &Sandbox, policy: &Policy) {
        let shown = sandbox.show(policy);
        self.policy = serde_json::to_value(&shown).ok();
        self.caveats = shown.caveats;
    }

    fn bench<'a>(&'a self, agent: &'a AgentSettings, room: &'a Room) -> Bench<'a> {
        Bench {
            agent,
            host: &room.host,
            mirror: &self.order.mirror,
            base: &self.order.base,
            deadline: room.deadline,
            stop: self.stop.clone(),
            reports: self.reports,
            saver: None,
            saved: None,
        }
    }

    fn counted(&mut self, ended: Ended) -> Ended {
        self.usage += ended.usage;
        ended
    }

    fn stage(&self, doing: &str) {
        // Nobody listens any more: the attempt goes on, its outcome is what counts.
        let _ = self.reports.send(Report::Stage {
            doing: doing.to_owned(),
        });
    }
}

struct Room {
    workspace: Workspace,
    host: ToolHost,
    deadline: Instant,
    /// Open as long as somebody is in the room.
    _way_out: Option<WayOut>,
}

async fn make_scratch(scratch: &Path) -> Result<(), Failure> {
    let made = tokio::fs::create_dir_all(scratch).await;
    made.map_err(|error| Failure::Scratch {
        path: scratch.display().to_string(),
        error,
    })
}
