//! What a run tells whoever watches it. Nothing is decided by it; a watcher that is slow or gone changes nothing.

use loops::{
    budget::{Money, Usage},
    finding::Finding,
    id::{RunId, TaskId},
};
use tokio::sync::broadcast;
use workers::order::TodoItem;

/// Something that a watcher may want to show.
#[derive(Debug, Clone)]
pub enum Progress {
    /// The run is there; `resumed` says that it goes on after an interruption.
    Run {
        /// Which.
        id: RunId,
        /// Whether it was begun before.
        resumed: bool,
    },
    /// One source was read.
    Read {
        /// Which.
        source: String,
        /// How many signals were new or edited.
        new: u32,
        /// How many lines could not be read, with the first reasons.
        skipped: Vec<String>,
    },
    /// Signals became findings; these are handed on.
    Findings {
        /// Best first.
        ready: Vec<Finding>,
        /// How many there are in all.
        all: u32,
    },
    /// What the lead agent said or did.
    Lead {
        /// In a few words.
        doing: String,
    },
    /// A task is there.
    Task {
        /// Its name for life.
        id: TaskId,
        /// T1, T2 …
        number: u32,
        /// One line.
        title: String,
    },
    /// A task does something else now.
    Doing {
        /// Which.
        id: TaskId,
        /// In a few words.
        doing: String,
    },
    /// A worker's to-do list.
    Todo {
        /// Whose.
        id: TaskId,
        /// The whole list.
        items: Vec<TodoItem>,
    },
    /// A task is over, or was sent back.
    Settled {
        /// Which.
        id: TaskId,
        /// In a few words.
        how: String,
        /// Whether it went well.
        well: bool,
    },
    /// Money was spent.
    Spent {
        /// By this run so far.
        money: Money,
        /// By this run so far.
        usage: Usage,
        /// Whether a cassette answers.
        rehearsed: bool,
    },
    /// Something that a person should know.
    Note {
        /// The words.
        text: String,
    },
}

/// Where a run's progress goes.
#[derive(Debug, Clone)]
pub struct Watchers(broadcast::Sender<Progress>);

impl Default for Watchers {
    fn default() -> Self {
        Self(broadcast::channel(1024).0)
    }
}

impl Watchers {
    /// Tells everybody who listens.
    pub fn tell(&self, progress: Progress) {
        // Nobody listening is no failure.
        let _ = self.0.send(progress);
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Progress> {
        self.0.subscribe()
    }
}
