//! One question of the lead agent to whoever reported a finding, in their thread: once a finding, ever. What they answer
//! is read like any reply, and brings the finding before a lead agent again.

use loops::{id::FindingId, spec::OnOff, time::Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    SLACK,
    threads::{Thread, Words, threads},
};
use crate::{
    engine::{EngineError, Running, private::Private},
    store::{Tx, outbox},
};

/// A longer question is not one clear question, characters.
pub(crate) const LONGEST: usize = 400;

/// What was asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Question {
    words: String,
}

/// The key under which it is noted what was asked about a finding.
fn noted(finding: FindingId) -> String {
    format!("{SLACK}question:{finding}")
}

impl Running {
    /// Whether this loop's lead agent may ask.
    pub(crate) fn may_ask(&self) -> bool {
        self.spec().notify.reporters == OnOff::On
    }

    /// What was asked about a finding, if anything was.
    pub(crate) async fn question_about(&self, finding: FindingId) -> Result<Option<String>, EngineError> {
        let known = outbox::get(&self.engine.home.store, &noted(finding)).await?;
        Ok(match known {
            Some(known) => Some(known.effect::<Question>()?.words),
            None => None,
        })
    }

    /// A question, ready to be decided, where the finding was last reported; none: nobody can be asked there.
    pub(crate) async fn asking(
        &self,
        finding: FindingId,
        question: &str,
    ) -> Result<Option<Asking>, EngineError> {
        let home = &self.engine.home;
        let Some(thread) = threads(home, finding).await?.into_iter().next() else {
            return Ok(None);
        };
        let private = Private::of(&home.store, self.spec().proposal.private, [&finding]).await?;
        let words = Words::plain(&private.hold(question), LONGEST)
            .within("A question about this, from an agent that looks into it: {}\nAn answer here is read.");
        Ok(Some(Asking {
            finding,
            thread,
            words,
            question: Question {
                words: question.to_owned(),
            },
        }))
    }
}

/// A question that is about to be asked.
pub(crate) struct Asking {
    finding: FindingId,
    thread: Thread,
    words: Words,
    question: Question,
}

impl Asking {
    /// Decides it, with whatever else stands in the transaction. What was decided before stays as it is.
    pub(crate) async fn decide(&self, tx: &mut Tx, now: Timestamp) -> Result<(), EngineError> {
        let key = noted(self.finding);
        if outbox::put(tx, &key, &self.question, now).await? {
            outbox::done(tx, &key, now).await?;
            let key = self.thread.key(&format!("ask:{}", self.finding));
            self.thread.say(tx, &key, &self.words, now).await?;
        }
        Ok(())
    }
}
