//! Whether the ledger is as it was written.
//!
//! Found, wherever it is in the ledger: a sealed row that was changed, removed, inserted or moved; a seal that was
//! changed or removed before the last one; a row that was removed anywhere but at the end, sealed or not.
//!
//! Not found: a change of a row that is not sealed yet; and a ledger that was cut at its end together with the seals
//! of what was cut, or written anew from some row on with all seals after it, by somebody who may write the file.
//! Against these helps only a copy of the head (the last seal's digest, [`Verified::head`]) that was noted elsewhere:
//! a ledger whose chain still has that head was not cut before it.

use super::{
    chain::{Chain, Raw, Seal},
    columns,
};
use crate::store::{Store, StoreError, open::Snapshot, query::statements};

/// A ledger whose chain is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many rows there are.
    pub rows: u64,
    /// How many seals.
    pub seals: u64,
    /// How many of the rows are not sealed yet.
    pub unsealed: u64,
    /// The last seal's digest, hex: noted elsewhere, it shows later that nothing before it was cut off.
    pub head: Option<String>,
}

/// A ledger whose chain is not whole, or that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Something is not as it was written.
    #[error("the ledger is broken at row {seq}: {why}")]
    At {
        /// The first place in the ledger that cannot be trusted.
        seq: i64,
        /// What is wrong there.
        why: String,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many rows are held in memory at once.
const PAGE: i64 = 1_000;

statements! { "ledger":
    ROWS = concat!("SELECT ", columns!(), " FROM ledger WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3");
    SEAL = "SELECT number, first_seq, last_seq, digest, at FROM seals WHERE number > $1 ORDER BY number LIMIT 1";
}

/// Reads the whole ledger and recomputes its chain. Rows that are written meanwhile are left out.
pub async fn verify(store: &Store) -> Result<Verified, Broken> {
    let mut walk = Walk {
        snapshot: store.snapshot().await?,
        at: 0,
        rows: 0,
    };
    let mut before = Seal::default();
    while let Some(seal) = walk.next_seal(&before).await? {
        walk.sealed(&before, &seal).await?;
        before = seal;
    }
    let sealed = walk.rows;
    walk.unsealed().await?;
    Ok(Verified {
        rows: walk.rows,
        seals: u64::try_from(before.number).unwrap_or(0),
        unsealed: walk.rows - sealed,
        head: (before.number > 0).then_some(before.digest),
    })
}

/// A reading of the ledger from its start to its end.
struct Walk {
    snapshot: Snapshot,
    /// The last place that was read; 0 before the first.
    at: i64,
    rows: u64,
}

impl Walk {
    async fn next_seal(&mut self, before: &Seal) -> Result<Option<Seal>, Broken> {
        let read = SEAL
            .first(&mut self.snapshot, |q| q.bind(before.number), Seal::read)
            .await;
        let seal = read.map_err(|error| self.unreadable(error))?;
        match &seal {
            Some(seal) if seal.number != before.number + 1 => {
                Err(self.broken(format!("seal {} is missing", before.number + 1)))
            }
            Some(seal) if seal.first != before.last + 1 || seal.last < seal.first => {
                Err(self.broken(format!(
                    "seal {} covers other rows than those after the seal before it",
                    seal.number
                )))
            }
            _ => Ok(seal),
        }
    }

    async fn sealed(&mut self, before: &Seal, seal: &Seal) -> Result<(), Broken> {
        let mut chain = Chain::new(seal.number, seal.first, seal.last, seal.at, &before.digest);
        self.rows_until(seal.last, |row| chain.row(row)).await?;
        if self.at != seal.last {
            return Err(self.broken(format!(
                "seal {} covers rows up to {}, which are missing",
                seal.number, seal.last
            )));
        }
        if chain.finish() != seal.digest {
            self.at = before.last;
            return Err(self.broken(format!(
                "rows {} to {} are not those that seal {} was made of",
                seal.first, seal.last, seal.number
            )));
        }
        Ok(())
    }

    async fn unsealed(&mut self) -> Result<(), Broken> {
        self.rows_until(i64::MAX, |_| ()).await
    }

    /// Reads on up to `last`. Places have no gaps: they are given within write transactions, one at a time.
    async fn rows_until(&mut self, last: i64, mut each: impl FnMut(&Raw)) -> Result<(), Broken> {
        // Places begin at 1; whatever somebody put before them is to be seen too.
        let mut after = if self.at == 0 { i64::MIN } else { self.at };
        loop {
            let page = ROWS
                .all(
                    &mut self.snapshot,
                    |q| q.bind(after).bind(last).bind(PAGE),
                    Raw::read,
                )
                .await;
            let page = page.map_err(|error| self.unreadable(error))?;
            for row in &page {
                if row.seq != self.at + 1 {
                    return Err(match row.seq {
                        ..=0 => Broken::At {
                            seq: row.seq,
                            why: "there is a row before the first".to_owned(),
                        },
                        _ => self.broken(format!("it is missing; the next one is {}", row.seq)),
                    });
                }
                each(row);
                (self.at, after) = (row.seq, row.seq);
                self.rows += 1;
            }
            if page.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    fn broken(&self, why: String) -> Broken {
        Broken::At {
            seq: self.at.saturating_add(1),
            why,
        }
    }

    /// A value of a kind that we never write was written by somebody else.
    fn unreadable(&self, error: StoreError) -> Broken {
        match error {
            StoreError::Undecodable { table, column, why } => self.broken(format!(
                "`{table}.{column}` holds what was never written there: {why}"
            )),
            other => Broken::Store(other),
        }
    }
}
