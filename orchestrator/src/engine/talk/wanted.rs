//! What goes back to a worker: what people ask for that was not taken up yet, and what else is wrong. Whether it goes is not
//! decided here.

use loops::command::Command;

use super::{Heard, Origin, Talk, heard::Remark};

/// What goes back to a worker.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// What people ask for, in commands.
    pub(super) asked: Vec<(String, String)>,
    /// What reviewers want different.
    pub(super) remarks: Vec<Remark>,
    /// Whether checks failed.
    pub(super) ci: bool,
    /// Whether it conflicts with the base.
    pub(super) conflict: bool,
    /// Where all of it was said.
    pub(super) taken: Vec<Origin>,
}

impl Wanted {
    /// What people ask for that was not taken up yet.
    pub(super) fn of(heard: &Heard, talk: &Talk) -> Self {
        let mut wanted = Self::default();
        for order in &heard.commands {
            if talk.taken.contains(&order.origin.key()) {
                continue;
            }
            let words = match &order.command {
                Command::Revise(words) => words.clone(),
                Command::Retry => match &talk.asked {
                    Some(asked) => format!("Try again what was asked before:\n\n{asked}"),
                    None => "Try again.".to_owned(),
                },
                _ => continue,
            };
            wanted.asked.push((order.author.clone(), words));
            wanted.taken.push(order.origin);
        }
        wanted.remarks = heard.remarks.clone();
        wanted
            .taken
            .extend(wanted.remarks.iter().map(|remark| remark.origin));
        wanted
    }

    /// Whether people ask for it.
    pub(super) fn by_people(&self) -> bool {
        !(self.asked.is_empty() && self.remarks.is_empty())
    }

    /// Who asks, each once.
    pub(super) fn authors(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let names = self.asked.iter().map(|(who, _)| who);
        for name in names.chain(self.remarks.iter().map(|remark| &remark.author)) {
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
        all
    }
}
