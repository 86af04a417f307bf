//! Saves a session on its way, so that whoever has to go on with the attempt after a kill does not begin anew: the tree,
//! taken while no tool is at work, and the conversation that led to it. They are one report, so they always fit.
//!
//! What cannot be saved is no fault of the attempt: it goes on, and the next one is tried.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::mpsc::UnboundedSender, time::Instant};

use crate::{
    agent::{
        conversation::Conversation,
        messages::{Block, Role},
    },
    order::{Change, Entry, Report, Saved},
    workspace::Workspace,
};

/// What the agent is told when it goes on. Its folder may be a step further than the conversation: who was told to end
/// takes home what a call has left, whether or not it was answered.
const GOES_ON: &str = "(Your machine was lost, and you go on here, on another one. The folder is as it was, perhaps with \
                       what you called for since. What git ignores, temporary files and processes that you \
                       started are gone; the setup was run again.)";

/// Saves one session.
pub(crate) struct Saver<'a> {
    workspace: &'a Workspace,
    reports: &'a UnboundedSender<Report>,
    every: Duration,
    so_far: Mutex<SoFar>,
}

#[derive(Clone, Copy)]
struct SoFar {
    /// How many messages are saved.
    messages: usize,
    at: Instant,
}

impl<'a> Saver<'a> {
    /// Who saves a session of this workspace at most each `every`; `saved` is what it goes on from.
    pub(crate) fn new(
        workspace: &'a Workspace,
        reports: &'a UnboundedSender<Report>,
        every: Duration,
        saved: Option<&Saved>,
    ) -> Self {
        let so_far = SoFar {
            messages: saved.map_or(0, |saved| saved.messages.len()),
            at: Instant::now(),
        };
        Self {
            workspace,
            reports,
            every,
            so_far: Mutex::new(so_far),
        }
    }

    /// Saves what there is, if the last time is long enough ago. The caller sees to it that no tool is at work.
    pub(super) async fn save_if_due(&self, conversation: &Conversation) {
        let so_far = self.so_far();
        if so_far.at.elapsed() < self.every || conversation.messages.len() <= so_far.messages.max(1) {
            return;
        }
        match self.workspace.capture().await {
            Ok(change) => self.save(conversation, change),
            Err(error) => {
                tracing::debug!(%error, "the attempt cannot be saved as it is");
                self.note(SoFar {
                    at: Instant::now(),
                    ..so_far
                });
            }
        }
    }

    /// Saves what a session that was told to end has left.
    pub(crate) fn save(&self, conversation: &Conversation, change: Option<Change>) {
        let so_far = self.so_far();
        // Calls that were not answered are asked for again.
        let answered = |at: &usize| conversation.messages[*at].role == Role::User;
        let Some(last) = (0..conversation.messages.len()).rev().find(answered) else {
            return;
        };
        if last == 0 {
            // Nothing was said yet: it may as well begin.
            return;
        }
        let messages = conversation
            .messages
            .get(so_far.messages..=last)
            .unwrap_or_default();
        // Nobody listens any more: the attempt goes on, its outcome is what counts.
        let _ = self.reports.send(Report::Saved {
            change,
            after: so_far.messages,
            messages: messages.to_vec(),
        });
        self.note(SoFar {
            messages: last + 1,
            at: Instant::now(),
        });
    }

    fn so_far(&self) -> SoFar {
        *self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, so_far: SoFar) {
        *self.so_far.lock().unwrap_or_else(PoisonError::into_inner) = so_far;
    }
}

/// Makes a fresh conversation the one that was saved; what the transcript says of it.
pub(super) fn go_on(conversation: &mut Conversation, saved: &Saved) -> Entry {
    conversation.messages.clone_from(&saved.messages);
    if let Some(last) = conversation.messages.last_mut() {
        last.content.push(Block::text(GOES_ON));
    }
    let answers = conversation
        .messages
        .iter()
        .filter(|message| message.role == Role::Assistant)
        .count();
    Entry::Note {
        text: format!("Its machine was lost; it goes on from what was saved after {answers} answers."),
    }
}
