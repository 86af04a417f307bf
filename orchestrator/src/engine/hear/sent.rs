//! Signals that others send to a loop, signed: kept once, as what its `webhook` source gave.

use loops::spec::{LoopSpec, Source, WebhookSource};
use sha2::{Digest as _, Sha256};

use super::super::{
    EngineError, Home,
    collect::{Rules, keep_in},
};
use crate::{
    clock, feeds,
    source::{Batch, Skipped},
    store::{
        heard::{self, Heard},
        loops as loop_rows,
    },
};

/// How the kinds of what was sent begin where they stand beside others'.
const KIND: &str = "signals:";

/// What was sent, by somebody whose signature was looked at.
#[derive(Debug, Clone)]
pub struct Sent<'a> {
    /// The records.
    pub body: &'a [u8],
    /// The signature over them, which is another one whenever loop, time or body are.
    pub signature: String,
}

/// What was taken of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Took {
    /// Whether the very same was sent before; then nothing of it was looked at.
    pub known: bool,
    /// How many records are signals,
    pub taken: usize,
    /// how many of them are new or edited,
    pub new: u32,
    /// and what the others lack.
    pub bad: Vec<Skipped>,
}

/// Takes what was sent to a loop, signed with the secret of this name; none: no loop of this name that is served listens
/// to it.
///
/// # Errors
/// If the store cannot be read or written: it is to be sent again.
pub async fn take_sent(
    home: &Home,
    name: &str,
    secret: &str,
    sent: &Sent<'_>,
) -> Result<Option<Took>, EngineError> {
    let row = loop_rows::get(&home.store, name).await?;
    let row = row.filter(|row| row.served_since.is_some());
    let Some(spec) = row.and_then(|row| serde_json::from_value::<LoopSpec>(row.spec).ok()) else {
        return Ok(None);
    };
    let Some(source) = listens(&spec, secret) else {
        return Ok(None);
    };
    let now = clock::now();
    let batch = match feeds::sent(source, sent.body, now) {
        Ok(batch) => batch,
        Err(why) => {
            let place = "all of it".to_owned();
            return Ok(Some(Took {
                bad: vec![Skipped { place, why }],
                ..Took::default()
            }));
        }
    };
    let event = Heard {
        kind: format!("{KIND}{secret}"),
        place: name.to_owned(),
        at: now,
    };
    let id = hex::encode(Sha256::digest(format!("{secret}:{}", sent.signature)));
    let mut tx = home.store.begin().await?;
    if !heard::put(&mut tx, &format!("{KIND}{id}"), &event).await? {
        return Ok(Some(Took {
            known: true,
            ..Took::default()
        }));
    }
    let rules = Rules::of(&spec)?;
    let new = keep_in(&mut tx, name, None, &feeds::name_of(source), &batch, &rules).await?;
    tx.commit().await?;
    let Batch { signals, skipped, .. } = batch;
    Ok(Some(Took {
        known: false,
        taken: signals.len(),
        new,
        bad: skipped,
    }))
}

fn listens<'a>(spec: &'a LoopSpec, secret: &str) -> Option<&'a WebhookSource> {
    spec.sources.iter().find_map(|source| match source {
        Source::Webhook(webhook) if webhook.secret == secret => Some(webhook),
        _ => None,
    })
}

/// Whether a trigger that names a secret waits for an event of this kind.
pub(in super::super) fn is_sent_with(secret: &str, kind: &str) -> bool {
    kind.strip_prefix(KIND) == Some(secret)
}
