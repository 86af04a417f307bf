//! Sealing: the digest of the seal before and of the rows since, kept beside them.
//!
//! The digest is SHA-256 over: the words `loops ledger 1`; the seal's number, first and last place, and time; the
//! digest before it; then each row. Every value is written with its kind and length before it, so that no two
//! different ledgers give the same bytes.

use ::loops::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::columns;
use crate::store::{
    Reader, Store, StoreError, Tx,
    query::{Query, Row, statements},
};

/// How many rows one seal covers at most: what one transaction of the sealer holds up others for.
const BATCH: i64 = 1_000;

/// A ledger row as it is stored, not as it is understood: the chain is over bytes.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) seq: i64,
    at: i64,
    kind: String,
    loop_name: Option<String>,
    run: Option<String>,
    subject: String,
    data: String,
}

impl Raw {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            seq: row.number("seq")?,
            at: row.number("at")?,
            kind: row.text("kind")?,
            loop_name: row.maybe_text("loop")?,
            run: row.maybe_text("run")?,
            subject: row.text("subject")?,
            data: row.text("data")?,
        })
    }
}

/// A seal as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seal {
    pub(super) number: i64,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) digest: String,
    pub(super) at: i64,
}

impl Seal {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            number: row.number("number")?,
            first: row.number("first_seq")?,
            last: row.number("last_seq")?,
            digest: row.text("digest")?,
            at: row.number("at")?,
        })
    }
}

/// The digest of one seal, made row by row.
#[derive(Debug)]
pub(super) struct Chain(Sha256);

impl Chain {
    pub(super) fn new(number: i64, first: i64, last: i64, at: i64, before: &str) -> Self {
        let mut chain = Self(Sha256::new());
        chain.text("loops ledger 1");
        [number, first, last, at]
            .into_iter()
            .for_each(|value| chain.number(value));
        chain.text(before);
        chain
    }

    pub(super) fn row(&mut self, row: &Raw) {
        self.number(row.seq);
        self.number(row.at);
        self.text(&row.kind);
        self.maybe(row.loop_name.as_deref());
        self.maybe(row.run.as_deref());
        self.text(&row.subject);
        self.text(&row.data);
    }

    pub(super) fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }

    fn number(&mut self, value: i64) {
        self.0.update(b"n");
        self.0.update(value.to_be_bytes());
    }

    fn text(&mut self, value: &str) {
        self.0.update(b"t");
        self.0.update((value.len() as u64).to_be_bytes());
        self.0.update(value);
    }

    fn maybe(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.0.update(b"0"),
        }
    }
}

statements! { "seals":
    LAST = "SELECT number, first_seq, last_seq, digest, at FROM seals ORDER BY number DESC LIMIT 1";
    ROWS = concat!("SELECT ", columns!(), " FROM ledger WHERE seq > $1 ORDER BY seq LIMIT $2");
    PUT = "INSERT INTO seals (number, first_seq, last_seq, digest, at) VALUES ($1, $2, $3, $4, $5)";
}

/// Seals all rows that are committed and not sealed; how many seals that made. Cheap when there are none.
///
/// Seals are made in write transactions, of which there is one at a time on either engine: so there is one sealer,
/// nobody else is in the middle of writing, and no row with a smaller place can come to light later.
pub async fn seal(store: &Store, now: Timestamp) -> Result<u32, StoreError> {
    let mut made = 0;
    while anything_unsealed(store).await? {
        let mut tx = store.begin().await?;
        if !seal_batch(&mut tx, now).await? {
            break;
        }
        tx.commit().await?;
        made += 1;
    }
    Ok(made)
}

/// Asked without the write lock, which is all that happens when there is nothing to seal.
async fn anything_unsealed(store: &Store) -> Result<bool, StoreError> {
    let last = last_seal(store).await?;
    Ok(ROWS
        .first(store, |q| q.bind(last.last).bind(1_i64), |_| Ok(()))
        .await?
        .is_some())
}

async fn seal_batch(tx: &mut Tx, now: Timestamp) -> Result<bool, StoreError> {
    let before = last_seal(&mut *tx).await?;
    let rows = ROWS
        .all(&mut *tx, |q| q.bind(before.last).bind(BATCH), Raw::read)
        .await?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(false);
    };
    let number = before.number.saturating_add(1);
    let (first, last) = (first.seq, last.seq);
    let mut chain = Chain::new(number, first, last, now.0, &before.digest);
    rows.iter().for_each(|row| chain.row(row));
    let bind = |q: Query| {
        q.bind(number)
            .bind(first)
            .bind(last)
            .bind(chain.finish())
            .bind(now.0)
    };
    PUT.run(tx, bind).await?;
    Ok(true)
}

/// The last seal; before the first there is one with number 0 and an empty digest that covers nothing.
async fn last_seal(from: impl Reader) -> Result<Seal, StoreError> {
    Ok(LAST.first(from, |q| q, Seal::read).await?.unwrap_or_default())
}
