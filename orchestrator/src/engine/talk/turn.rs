//! One look at a conversation: what follows from what was said, written down in one transaction with how far was read.

use loops::{
    command::{ALLOWED, Command},
    screen::clean::{self, Allowed},
    spec::Rounds,
    text::one_line,
    time::Timestamp,
};
use serde_json::{Value, json};

use super::{
    Ci, Heard, Round, Talk, WAIT_FOR_CHECKS, explain, heard::Order, news, on_github, wanted::Wanted, words,
};
use crate::{
    clock,
    engine::{
        EngineError, Home, News, answer,
        outbox::{Outward, key},
    },
    github::Pull,
    store::{
        Tx, outbox,
        proposals::{self, Proposal, ProposalState},
        pulls::{self, PullRow},
        runs,
    },
};

/// How many people who may not speak to us are remembered.
const MAX_PASSED_OVER: usize = 100;

/// One look.
pub(super) struct Turn<'a> {
    home: &'a Home,
    row: &'a PullRow,
    proposal: &'a Proposal,
    limits: Rounds,
    talk: Talk,
    effects: Vec<(String, Outward)>,
    ledger: Vec<(&'static str, Value)>,
    /// Why it is left alone from now on.
    stop: Option<String>,
    /// Whether somebody asks for more although it was left alone.
    resume: bool,
    /// Whether something that was said waits, and is read again.
    waits: bool,
    /// Why an approval does not hold any more, if it was approved and somebody has said something else since.
    withdrawn: Option<String>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(home: &'a Home, row: &'a PullRow, proposal: &'a Proposal, limits: Rounds) -> Self {
        Self {
            home,
            row,
            proposal,
            limits,
            talk: row.talk(),
            effects: Vec::new(),
            ledger: Vec::new(),
            stop: None,
            resume: false,
            waits: false,
            withdrawn: None,
        }
    }

    /// Whether nothing more is made of it.
    pub(super) fn left_alone(&self) -> bool {
        self.stop.is_some() || (self.row.hands_off.is_some() && !self.resume)
    }

    /// Something that was said is read again at the next look.
    pub(super) fn wait(&mut self) {
        self.waits = true;
    }

    /// Somebody asks for something else: what was approved and is not merged yet waits for a word again.
    pub(super) fn take_back(&mut self, askers: &[String]) {
        self.withdrawn = Some(format!("{} asked for something else", askers.join(", ")));
    }

    /// Answers what can be answered at once. `ours`: nobody has pushed to it since.
    pub(super) async fn answer(&mut self, heard: &Heard, ours: bool) -> Result<(), EngineError> {
        // What is asked for after a `/loops stop` takes it up again; what was asked for before it is stopped, too.
        let mut asked = Vec::new();
        for order in &heard.commands {
            match &order.command {
                Command::Explain => {
                    let words = explain::words(&self.home.store, self.proposal).await?;
                    self.say(order, "explain", words);
                }
                Command::Unknown(word) => {
                    let word = clean::inline(&one_line(word, 40), &Allowed::default());
                    let words = if word.is_empty() {
                        format!("I understand {ALLOWED}.")
                    } else {
                        format!(
                            "I do not know `{}`. I understand {ALLOWED}.",
                            word.replace('`', "'")
                        )
                    };
                    self.say(order, "unknown", words);
                }
                Command::Revise(words) if words.is_empty() => {
                    self.say(
                        order,
                        "revise",
                        "Say what should be different: `/loops revise` and your words.".to_owned(),
                    );
                }
                Command::Stop => {
                    let why = format!("{} wrote `/loops stop`", one_line(&order.author, 60));
                    self.talk.taken.insert(order.origin.key());
                    self.talk.taken.extend(asked.drain(..));
                    self.talk.tell(format!("{why}."));
                    self.ledger
                        .push(("proposal.hands_off", json!({ "command": "stop" })));
                    self.withdrawn = Some(why.clone());
                    self.stop = Some(why);
                    self.resume = false;
                }
                Command::Revise(_) | Command::Retry if !ours => {
                    let why = "Somebody else has pushed to this branch, so it is left alone.".to_owned();
                    self.say(order, "revise", why);
                }
                Command::Revise(_) | Command::Retry => {
                    asked.push(order.origin.key());
                    self.resume = self.stop.is_none();
                }
                Command::Approve(_) | Command::Reject(..) => {
                    let words = "Plans are answered under the dashboard. This is merged with GitHub's own button; close \
                                 it to refuse it."
                        .to_owned();
                    self.say(order, "plan", words);
                }
                Command::Never(_) => {}
            }
        }
        // It is left alone first, with what was under way; the next look takes it up again.
        self.waits |= self.stop.is_some() && !asked.is_empty();
        for author in &heard.passed_over {
            if self.talk.passed_over.len() < MAX_PASSED_OVER && self.talk.passed_over.insert(author.clone()) {
                tracing::info!(
                    author,
                    pull = self.row.url,
                    "somebody without write access is passed over"
                );
            }
        }
        Ok(())
    }

    fn say(&mut self, order: &Order, command: &'static str, words: String) {
        let which = order.origin.key();
        let words = format!("{} asked.\n\n{words}", one_line(&order.author, 60));
        let effect = Outward::Say {
            thread: order.origin.thread(),
            words,
            after: None,
        };
        self.effects.push((key("say", self.proposal.id, &which), effect));
        self.talk.taken.insert(which);
        self.ledger
            .push(("proposal.answered", json!({ "command": command })));
    }

    /// How the checks stand is a part of the updating comment.
    pub(super) fn note_ci(&mut self, ci: &Ci) {
        self.talk.ci = ci.words();
    }

    /// Whether this look has come to anything yet.
    pub(super) fn has_something(&self) -> bool {
        self.waits || !self.effects.is_empty() || !self.ledger.is_empty()
    }

    /// It does not hold on the base as it is now: it goes back once, then a person is told.
    pub(super) fn after_a_moved_base(&mut self, why: &str) -> Option<Wanted> {
        // It is not tried again at every look.
        self.talk.rebuilt_at = Some(clock::now());
        if self.talk.conflict {
            self.stick(why.to_owned());
            return None;
        }
        Some(Wanted {
            conflict: true,
            ..Wanted::default()
        })
    }

    /// What is to go back to a worker now, if anything.
    pub(super) fn round(&mut self, heard: &Heard, ci: &Ci, pull: &Pull, paused: bool) -> Option<Wanted> {
        let mut wanted = Wanted::of(heard, &self.talk);
        let failed = !ci.failed.is_empty() && self.talk.ci_head.as_deref() != Some(&self.proposal.head);
        let conflicts = pull.mergeable == Some(false);
        let now = clock::now();
        if !wanted.remarks.is_empty() && wanted.asked.is_empty() && ci.pending > 0 {
            let since = *self.talk.waits_since.get_or_insert(now);
            if now.0 - since.0 < WAIT_FOR_CHECKS {
                self.waits = true;
                return None;
            }
        }
        if wanted.by_people() {
            if self.talk.people_rounds >= self.limits.people {
                self.over(&wanted, now);
                return None;
            }
            wanted.ci = failed;
            wanted.conflict = conflicts;
            return Some(wanted);
        }
        if failed && self.talk.ci_rounds >= self.limits.ci {
            self.talk.ci_head = Some(self.proposal.head.clone());
            self.stick(format!(
                "the checks still fail after {} on their account, which is the limit (`proposal.rounds.ci`)",
                times(self.talk.ci_rounds)
            ));
            return None;
        }
        if conflicts && self.talk.conflict && !failed {
            self.stick(format!(
                "it conflicts with `{}` again",
                one_line(&self.proposal.base_branch, 80)
            ));
            return None;
        }
        wanted.ci = failed;
        wanted.conflict = conflicts && !self.talk.conflict;
        // Machines do not start anything while a person wants the loop to rest.
        ((wanted.ci || wanted.conflict) && !paused).then_some(wanted)
    }

    /// Who asks for another attempt, by a word or by a review that requests changes, and was not answered. A remark alone
    /// takes nothing back: who only says something may still want it merged.
    pub(super) fn askers(&self, heard: &Heard) -> Vec<String> {
        let asked = Wanted::of(heard, &self.talk).asked;
        let mut all: Vec<String> = asked.into_iter().map(|(who, _)| who).collect();
        all.extend(heard.objectors.iter().cloned());
        all.dedup();
        all
    }

    /// People have asked as often as they may.
    fn over(&mut self, wanted: &Wanted, _now: Timestamp) {
        self.talk
            .taken
            .extend(wanted.taken.iter().map(|origin| origin.key()));
        self.stick(format!(
            "{} asked for more, but people have asked {}, which is the limit (`proposal.rounds.people`)",
            wanted.authors().join(", "),
            times(self.talk.people_rounds)
        ));
    }

    /// From here on only a person helps.
    fn stick(&mut self, why: String) {
        if self.talk.stuck.as_ref() != Some(&why) {
            self.ledger.push((
                "proposal.waits_for_a_person",
                json!({ "rounds": self.talk.rounds() }),
            ));
            self.talk.stuck = Some(why);
        }
    }

    /// Sends it back to a worker, in one step with everything else of this look.
    pub(super) async fn send_back(mut self, wanted: Wanted, logs: &str) -> Result<Vec<News>, EngineError> {
        let ready = answer::ready(self.home, self.proposal).await?;
        if let Some(why) = ready.why_not(self.proposal)? {
            self.stick(format!("it cannot be sent back now: {why}"));
            let mut tx = self.home.store.begin().await?;
            if self.still(&mut tx).await? {
                self.write(tx, None).await?;
            }
            return Ok(Vec::new());
        }
        let files = if wanted.conflict {
            words::both_changed(
                &self.home.mirror(&self.row.repository),
                self.proposal,
                ready.base(),
            )
            .await
        } else {
            Vec::new()
        };
        let request = words::request(&wanted, &files, logs);
        let mut tx = self.home.store.begin().await?;
        // A tick may have begun a run since we looked; what was said is read again when that has ended.
        let busy = runs::open_run(&mut tx, &self.proposal.loop_name).await?.is_some();
        if busy || !self.still(&mut tx).await? {
            return Ok(Vec::new());
        }
        let who = wanted.authors();
        if wanted.by_people() {
            self.talk.people_rounds += 1;
            self.talk.asked = Some(words::asked(&wanted));
        } else if wanted.ci {
            self.talk.ci_rounds += 1;
        }
        self.talk.conflict |= wanted.conflict;
        if wanted.ci {
            self.talk.ci_head = Some(self.proposal.head.clone());
        }
        self.talk
            .taken
            .extend(wanted.taken.iter().map(|origin| origin.key()));
        (self.talk.stuck, self.talk.waits_since, self.talk.ci) = (None, None, None);
        let mut threads: Vec<u64> = wanted
            .remarks
            .iter()
            .filter_map(|remark| remark.origin.thread())
            .collect();
        threads.sort_unstable();
        threads.dedup();
        let why = words::why(&wanted);
        let number = self.row.rounds + 1;
        self.talk.round = Some(Round {
            number,
            before: Some(self.proposal.attempt),
            why: why.clone(),
            threads,
        });
        let said = wanted.by_people().then(|| words::asked(&wanted));
        let by = on_github(&who.join(", "));
        ready
            .send(
                &mut tx,
                self.proposal,
                &request,
                said.as_deref().map(|said| (said, by.as_str())),
            )
            .await?;
        pulls::one_more_round(&mut tx, self.proposal.id).await?;
        let data = json!({
            "round": number, "people": wanted.by_people(), "ci": wanted.ci, "conflict": wanted.conflict,
        });
        self.ledger.push(("proposal.sent_back", data));
        let proposal = self.proposal.clone();
        self.write(tx, None).await?;
        Ok(vec![News::SentBack(proposal, why)])
    }

    /// Writes down what this look came to.
    pub(super) async fn end(mut self, heard: &Heard) -> Result<Vec<News>, EngineError> {
        let mut tx = self.home.store.begin().await?;
        if !self.still(&mut tx).await? {
            return Ok(Vec::new());
        }
        let mut news = Vec::new();
        if let Some(why) = &self.stop {
            pulls::leave_alone(&mut tx, self.proposal.id, why).await?;
            news.push(News::LeftAlone(self.proposal.clone(), why.clone()));
        }
        if let Some(why) = self.withdrawn.take() {
            self.withdraw(&mut tx, why).await?;
        }
        if !self.effects.is_empty() {
            news.push(News::Answered(self.proposal.clone(), self.effects.len()));
        }
        let until = (!self.waits).then_some(heard.until).flatten();
        if self.stop.is_some() {
            self.resume = false;
        }
        self.write(tx, until).await?;
        Ok(news)
    }

    /// An approval that is not a merge yet does not hold any more.
    async fn withdraw(&mut self, tx: &mut Tx, why: String) -> Result<(), EngineError> {
        let (approved, open) = (ProposalState::Approved, ProposalState::Open);
        if proposals::set_state(tx, self.proposal.id, approved, open, clock::now()).await? {
            self.talk
                .tell(format!("It was approved, but is not merged: {why}."));
            let data = json!({ "head": self.proposal.head });
            self.ledger.push(("proposal.not_merged", data));
        }
        Ok(())
    }

    /// Whether all is as it was when this look began.
    async fn still(&self, tx: &mut Tx) -> Result<bool, EngineError> {
        let row = pulls::get(&mut *tx, self.proposal.id).await?;
        let proposal = proposals::get(&mut *tx, self.proposal.id).await?;
        let same_row =
            row.is_some_and(|row| row.talk == self.row.talk && row.hands_off == self.row.hands_off);
        Ok(same_row
            && proposal
                .is_some_and(|now| now.state == self.proposal.state && now.attempt == self.proposal.attempt))
    }

    async fn write(mut self, mut tx: Tx, until: Option<Timestamp>) -> Result<(), EngineError> {
        let now = clock::now();
        self.talk.since = self.talk.since.max(until);
        let resumed = self.resume && self.talk.round.is_some() && self.row.hands_off.is_some();
        if resumed {
            pulls::take_up_again(&mut tx, self.proposal.id).await?;
            self.ledger.push(("proposal.taken_up_again", json!({})));
        }
        let alone = match (&self.stop, &self.row.hands_off) {
            (Some(why), _) => Some(why.as_str()),
            (None, Some(why)) if !resumed => Some(why.as_str()),
            _ => None,
        };
        self.effects
            .extend(news::update(self.proposal, &mut self.talk, alone, self.limits));
        for (key, effect) in &self.effects {
            outbox::put(&mut tx, key, effect, now).await?;
        }
        let before: Talk = self.row.talk();
        if self.talk == before && self.effects.is_empty() && self.ledger.is_empty() {
            return Ok(());
        }
        pulls::set_talk(&mut tx, self.proposal.id, &self.talk).await?;
        let (name, run) = (Some(self.proposal.loop_name.as_str()), Some(self.proposal.run));
        for (kind, data) in self.ledger {
            tx.record(now, kind, name, run, &self.proposal.id.to_string(), data)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

fn times(n: u32) -> String {
    match n {
        1 => "one round".to_owned(),
        n => format!("{n} rounds"),
    }
}
