//! What the readers of issues and of pull requests share: pages, whose words are ours, and the form of a signal. It knows
//! neither cursors nor what a loop asks for.

use std::collections::{BTreeMap, BTreeSet};

use loops::{
    signal::{Signal, Voice},
    spec::IssueState,
    time::Timestamp,
};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::{
    GitHubError, Me, Repository,
    answer::cut,
    ask::Ask,
    comments::HIDDEN,
    hook::Hook,
    pulls::{Login, Named},
};
use crate::source::{Batch, Gone, Skipped, Stretch};

/// One batch in the making.
pub(super) struct Common<'a> {
    me: Me,
    name: String,
    pub(super) here: &'a Repository,
    pub(super) batch: Batch,
    /// Whether reactions are not told of.
    silent: bool,
}

/// Who wrote something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) login: &'a str,
    pub(super) bot: bool,
}

impl<'a> Who<'a> {
    /// None: the account is gone.
    pub(super) fn of(login: Option<&'a Login>) -> Option<Self> {
        login.map(|login| Self {
            login: &login.login,
            bot: login.is_bot(),
        })
    }
}

impl<'a> Common<'a> {
    pub(super) async fn of(here: &'a Repository) -> Result<Self, GitHubError> {
        Ok(Self {
            me: here.me().await?,
            name: format!("github:{}", here.full_name()),
            here,
            batch: Batch::default(),
            silent: false,
        })
    }

    /// What an event of `hook` is about, by the key that it stands under.
    pub(super) fn told<T: serde::de::DeserializeOwned>(
        &mut self,
        hook: &Hook,
        key: &str,
        id: &str,
    ) -> Option<T> {
        let thing = &hook.payload[key];
        self.silent = !thing["reactions"].is_object();
        self.read(thing, &key.replace('_', " "), id)
    }

    /// Notes that something was taken away; `asked`: what is still on its way of it would be read.
    pub(super) fn gone(&mut self, external_id: String, asked: bool) {
        let source = self.name.clone();
        if asked {
            self.batch.gone.push(Gone { source, external_id });
        } else {
            self.batch.deleted.push(Signal::id_of(&source, &external_id));
        }
    }

    /// Notes that all that answered something was taken away with it.
    pub(super) fn emptied(&mut self, root: String) {
        self.batch.whole.push(Stretch::Answers {
            source: self.name.clone(),
            root,
            after: String::new(),
            before: "~".to_owned(),
            here: BTreeSet::new(),
        });
    }

    /// The batch, with how far was read.
    pub(super) fn end(self, cursor: &impl Serialize) -> Batch {
        Batch {
            cursor: serde_json::to_string(cursor).unwrap_or_default(),
            ..self.batch
        }
    }

    pub(super) async fn page(&self, ask: Ask) -> Result<Vec<Value>, GitHubError> {
        let doing = ask.doing.clone();
        self.here.call(ask).await?.json(&doing)
    }

    /// One of a list; what cannot be read is noted and passed over.
    pub(super) fn read<T: serde::de::DeserializeOwned>(
        &mut self,
        item: &Value,
        what: &str,
        id: &str,
    ) -> Option<T> {
        match serde_path_to_error::deserialize(item) {
            Ok(read) => Some(read),
            Err(error) => {
                let id = item.get(id).map(Value::to_string).unwrap_or_default();
                self.batch.skipped.push(Skipped {
                    place: cut(&format!("{what} {id} of {}", self.here.full_name())),
                    why: cut(&error.to_string()),
                });
                None
            }
        }
    }

    /// Whether we wrote it ourselves.
    pub(super) fn ours(&self, author: Option<Who<'_>>, body: Option<&str>) -> bool {
        // A person whose token we use speaks under the same name as we do: there, only our marker tells.
        let by_us = self.me.app && author.is_some_and(|author| self.me.is(author.login));
        let marked = body.is_some_and(|body| body.contains(HIDDEN));
        by_us || marked
    }

    /// A signal of what somebody wrote.
    pub(super) fn signal(
        &self,
        external_id: String,
        at: Timestamp,
        author: Option<Who<'_>>,
        text: String,
        reactions: &BTreeMap<String, Value>,
    ) -> Signal {
        Signal {
            id: Signal::id_of(&self.name, &external_id),
            source: self.name.clone(),
            external_id,
            at,
            author: author.map(|author| author.login.to_owned()),
            voice: match author {
                Some(author) if author.bot => Voice::Machine,
                _ => Voice::Person,
            },
            text,
            url: None,
            reactions: counted(reactions),
            labels: vec![],
            thread: None,
            account: None,
            private: false,
        }
    }

    /// Gives a signal that last changed at `changed`; the last version of one stays.
    pub(super) fn give(&mut self, signal: Signal, changed: Option<Timestamp>) {
        if let Some(changed) = changed {
            self.batch.changed.insert(signal.id, changed);
        }
        if self.silent {
            self.batch.silent.insert(signal.id);
        }
        match self.batch.signals.iter_mut().find(|other| other.id == signal.id) {
            Some(other) => *other = signal,
            None => self.batch.signals.push(signal),
        }
    }
}

/// A title, and what stands below it.
pub(super) fn titled(title: &str, body: Option<&str>) -> String {
    match body.map(str::trim).filter(|body| !body.is_empty()) {
        Some(body) => format!("{title}\n\n{body}"),
        None => title.to_owned(),
    }
}

/// What GitHub is asked for, for these states.
pub(super) fn state_of(states: &[IssueState]) -> &'static str {
    match (
        states.contains(&IssueState::Open),
        states.contains(&IssueState::Closed),
    ) {
        (true, false) => "open",
        (false, true) => "closed",
        _ => "all",
    }
}

/// Whether something bears all of these labels.
pub(super) fn bears(labels: &[Named], asked: &[String]) -> bool {
    asked
        .iter()
        .all(|label| labels.iter().any(|other| other.name.eq_ignore_ascii_case(label)))
}

/// The reactions that were given, by name; the counts' sum and address are among them in GitHub's answer.
fn counted(reactions: &BTreeMap<String, Value>) -> BTreeMap<String, u32> {
    reactions
        .iter()
        .filter(|(name, _)| *name != "total_count")
        .filter_map(|(name, count)| Some((name.clone(), u32::try_from(count.as_u64()?).ok()?)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// All of something that matters to us, to tell whether it is what was read before.
pub(super) fn digestible(
    title: &str,
    body: Option<&str>,
    labels: &[Named],
    reactions: &BTreeMap<String, Value>,
) -> String {
    let labels: Vec<&str> = labels.iter().map(|label| label.name.as_str()).collect();
    format!(
        "{title}\u{1f}{}\u{1f}{labels:?}\u{1f}{:?}",
        body.unwrap_or_default(),
        counted(reactions)
    )
}

/// What a source asks for, in short.
pub(super) fn fingerprint(source: &impl Serialize) -> String {
    let text = serde_json::to_string(source).unwrap_or_default();
    hex::encode(&Sha256::digest(text.as_bytes())[..6])
}
