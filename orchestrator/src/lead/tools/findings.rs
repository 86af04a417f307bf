//! What the lead agent can do with findings: read what was reported, merge, set aside.

use loops::text::one_line;
use serde_json::json;

use super::{Answer, LeadTools, words};
use crate::{
    clock,
    engine::{LONGEST_QUESTION, brief::quoted, recount},
    lead::input,
    store::{findings, signals},
};

/// How many reports one answer holds.
const PAGE: usize = 25;

impl LeadTools {
    pub(super) async fn signals(&self, input: input::Signals) -> Answer {
        let id = self.finding(&input.finding).await?;
        let all = signals::of_finding(&self.running.engine.home.store, id, 10_000)
            .await
            .map_err(words)?;
        let page: Vec<_> = all.iter().skip(input.offset).take(PAGE).cloned().collect();
        let left = all.len().saturating_sub(input.offset + page.len());
        let mut text = quoted(&page);
        if left > 0 {
            text.push_str(&format!(
                "{left} more from offset {}\n",
                input.offset + page.len()
            ));
        }
        Ok(if text.is_empty() {
            "there is nothing from that offset on".to_owned()
        } else {
            text
        })
    }

    pub(super) async fn merge(&self, input: input::Merge) -> Answer {
        let into = self.finding(&input.into).await?;
        let from = self.findings(&input.findings).await?;
        let busy = self.busy().await?;
        if from.iter().any(|id| busy.contains(id)) {
            return Err("a finding that a task works on cannot be merged away".to_owned());
        }
        let now = clock::now();
        let mut tx = self.running.engine.home.store.begin().await.map_err(words)?;
        for id in from.into_iter().filter(|id| *id != into) {
            findings::merge(&mut tx, id, into, now).await.map_err(words)?;
            let data = json!({ "into": into, "by": "lead" });
            let (name, run) = (&self.running.spec().name, self.running.id);
            tx.record(
                now,
                "finding.merged",
                Some(name),
                Some(run),
                &id.to_string(),
                data,
            )
            .await
            .map_err(words)?;
        }
        recount(
            &mut tx,
            &self.running.spec().name,
            into,
            &self.running.spec().triage,
        )
        .await
        .map_err(|error| error.to_string())?;
        tx.commit().await.map_err(words)?;
        Ok(format!(
            "they are {} now: {}",
            input.into,
            one_line(&input.why, 200)
        ))
    }

    pub(super) async fn dismiss(&self, input: input::Dismiss) -> Answer {
        let id = self.finding(&input.finding).await?;
        if self.busy().await?.contains(&id) {
            return Err("a task works on it; it cannot be dismissed now".to_owned());
        }
        let now = clock::now();
        let mut tx = self.running.engine.home.store.begin().await.map_err(words)?;
        findings::set_considered(&mut tx, id, now).await.map_err(words)?;
        let data = json!({ "by": "lead" });
        let (name, run) = (&self.running.spec().name, self.running.id);
        tx.record(
            now,
            "finding.dismissed",
            Some(name),
            Some(run),
            &id.to_string(),
            data,
        )
        .await
        .map_err(words)?;
        tx.commit().await.map_err(words)?;
        Ok(format!(
            "{} is set aside until something new is reported for it: {}",
            input.finding,
            one_line(&input.why, 200)
        ))
    }

    /// A call that was stored and carried out before says the same again: the question stands under one key.
    pub(super) async fn ask(&self, input: input::Ask) -> Answer {
        let id = self.finding(&input.finding).await?;
        let question = input.question.trim();
        if question.is_empty() || question.chars().count() > LONGEST_QUESTION {
            return Err(format!(
                "one clear question has at most {LONGEST_QUESTION} characters, and at least one"
            ));
        }
        let told = |error: crate::engine::EngineError| one_line(&error.to_string(), 300);
        match self.running.question_about(id).await.map_err(told)? {
            Some(asked) if asked == question => {}
            Some(asked) => {
                return Err(format!(
                    "it was asked about already, and that is the only time: {}",
                    one_line(&asked, LONGEST_QUESTION)
                ));
            }
            None => {}
        }
        if self.busy().await?.contains(&id) {
            return Err("a task works on it; ask before you spawn".to_owned());
        }
        let asking = self.running.asking(id, question).await.map_err(told)?;
        let asking =
            asking.ok_or("nobody can be asked: no report of it stands in a thread of Slack or an issue")?;
        let now = clock::now();
        let mut tx = self.running.engine.home.store.begin().await.map_err(words)?;
        asking.decide(&mut tx, now).await.map_err(told)?;
        findings::set_considered(&mut tx, id, now).await.map_err(words)?;
        let (name, run) = (&self.running.spec().name, self.running.id);
        let data = json!({ "by": "lead" });
        tx.record(now, "finding.asked", Some(name), Some(run), &id.to_string(), data)
            .await
            .map_err(words)?;
        tx.commit().await.map_err(words)?;
        Ok(format!(
            "it is asked where it was reported; {} is set aside until somebody answers",
            input.finding
        ))
    }
}
