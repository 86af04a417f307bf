//! The handle of a tool server that runs in a sandbox. What comes out of the sandbox is an agent's text: lines are
//! bounded, and an answer that never comes is not waited for.

use std::{
    collections::HashMap,
    ffi::OsString,
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    ToolAnswer,
    server::{Call, LONGEST_CALL, READY, Reply, Settings},
};
use crate::sandbox::{Policy, Sandbox, SandboxError, Watch};

/// How long a sandbox may take to come up.
const COME_UP: Duration = Duration::from_secs(30);
/// Longer than any command may take; after it the sandbox is taken to be stuck.
const LONGEST: Duration = Duration::from_secs(660);
/// The longest answer that is read, in bytes.
const LONGEST_REPLY: u64 = 1 << 20;

type Waiting = Arc<Mutex<Pending>>;

#[derive(Debug, Default)]
struct Pending {
    calls: HashMap<u64, oneshot::Sender<ToolAnswer>>,
    ended: bool,
}

/// A tool server in a sandbox. The sandbox ends, with all that runs in it, when this is dropped.
#[derive(Debug)]
pub struct ToolHost {
    child: Child,
    lines: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Waiting,
    watch: Option<Watch>,
    next: AtomicU64,
    tasks: [JoinHandle<()>; 3],
}

impl ToolHost {
    /// Starts a sandbox with a tool server in it, and waits until it is there. With a policy that is not writable only
    /// the tools that change nothing are served.
    ///
    /// # Errors
    /// If the sandbox does not come up, or a glob of `deny_commands` makes no sense.
    pub async fn start(
        sandbox: &Sandbox,
        policy: &Policy,
        deny_commands: &[String],
    ) -> Result<Self, SandboxError> {
        let settings = Settings {
            root: Sandbox::workspace_inside(policy),
            read_only: !policy.writable,
            deny: deny_commands.to_vec(),
        };
        let settings =
            serde_json::to_string(&settings).map_err(|error| SandboxError::Setup(error.to_string()))?;
        let argv: [OsString; 3] = [
            sandbox.helper_inside(policy).into(),
            "sandbox-tools".into(),
            settings.into(),
        ];
        let (mut child, watch) = sandbox.spawn_watched(policy, &argv, Stdio::piped())?;
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(SandboxError::Setup("its pipes are missing".into()));
        };
        let mut output = BufReader::new(output);
        let first = tokio::time::timeout(COME_UP, next_reply(&mut output)).await;
        match first {
            Ok(Some(reply)) if reply.id == READY => {}
            Ok(_) => return Err(Sandbox::failed(&last_words(errors).await)),
            Err(_) => {
                return Err(SandboxError::Setup(format!(
                    "it did not come up within {} s",
                    COME_UP.as_secs()
                )));
            }
        }
        let waiting = Waiting::default();
        let (lines, to_write) = mpsc::unbounded_channel();
        let tasks = [
            tokio::spawn(read(output, waiting.clone())),
            tokio::spawn(write(input, to_write)),
            tokio::spawn(discard(errors)),
        ];
        Ok(Self {
            child,
            lines,
            waiting,
            watch,
            next: AtomicU64::new(READY + 1),
            tasks,
        })
    }

    /// Calls a tool. Any number of calls may be under way at once. When the sandbox has ended, or ends meanwhile, the
    /// answer says so.
    pub async fn call(&self, name: &str, input: Value) -> ToolAnswer {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, wait) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.ended {
                return self.gone();
            }
            waiting.calls.insert(id, answer);
        }
        let forget = Forget {
            waiting: &self.waiting,
            id,
        };
        let mut line = serde_json::to_vec(&Call {
            id,
            tool: name.to_owned(),
            input,
        })
        .unwrap_or_default();
        line.push(b'\n');
        if line.len() as u64 >= LONGEST_CALL {
            return refused("the call is too long; write large files in pieces");
        }
        // If nobody writes any more, nobody answers either.
        let _ = self.lines.send(line);
        let answered = tokio::time::timeout(LONGEST, wait).await;
        drop(forget);
        match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => self.gone(),
            Err(_) => refused("the sandbox did not answer"),
        }
    }

    /// The limit that ended the sandbox, in words, if one did.
    #[must_use]
    pub fn stopped(&self) -> Option<String> {
        self.watch.as_ref().and_then(Watch::verdict)
    }

    /// Ends the sandbox and waits until all that ran in it is gone.
    pub async fn stop(mut self) {
        // It may have ended by itself.
        let _ = self.child.kill().await;
    }

    fn gone(&self) -> ToolAnswer {
        match self.stopped() {
            Some(limit) => refused(&format!("the sandbox was stopped: {limit}")),
            None => refused("the sandbox has ended"),
        }
    }
}

impl Drop for ToolHost {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Forgets a call whose answer nobody waits for any more.
struct Forget<'a> {
    waiting: &'a Waiting,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .calls
            .remove(&self.id);
    }
}

fn refused(text: &str) -> ToolAnswer {
    ToolAnswer {
        ok: false,
        text: text.to_owned(),
    }
}

/// Writes whole lines, whoever gives up waiting meanwhile.
async fn write(mut input: ChildStdin, mut lines: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        if input.write_all(&line).await.is_err() {
            return;
        }
    }
}

/// Reads what nobody wants to know, so that nobody inside is held up by a full pipe.
async fn discard(mut errors: ChildStderr) {
    let mut noise = [0; 4096];
    while matches!(errors.read(&mut noise).await, Ok(1..)) {}
}

/// Hands answers to whom they are for until the output ends; then nobody waits any more.
async fn read(mut output: BufReader<ChildStdout>, waiting: Waiting) {
    loop {
        let reply = next_reply(&mut output).await;
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match reply {
            Some(reply) => {
                if let Some(call) = waiting.calls.remove(&reply.id) {
                    // Whoever called may have gone.
                    let _ = call.send(ToolAnswer {
                        ok: reply.ok,
                        text: reply.text,
                    });
                }
            }
            None => {
                waiting.ended = true;
                waiting.calls.clear();
                return;
            }
        }
    }
}

/// The next answer; none at the end, and at a line that is none.
async fn next_reply(output: &mut BufReader<ChildStdout>) -> Option<Reply> {
    let mut line = vec![];
    output
        .take(LONGEST_REPLY)
        .read_until(b'\n', &mut line)
        .await
        .ok()?;
    serde_json::from_slice(&line).ok()
}

async fn last_words(errors: ChildStderr) -> String {
    let mut text = vec![];
    let mut errors = errors.take(4096);
    let reading = errors.read_to_end(&mut text);
    // Whatever was said by then is enough.
    let _ = tokio::time::timeout(Duration::from_secs(2), reading).await;
    String::from_utf8_lossy(&text).into_owned()
}
