//! Whether the ledger is as it was written.
//!
//! Found, wherever it is in the ledger: a sealed row that was changed, removed, inserted or moved; a seal that was
//! changed or removed before the last one; and in a SQLite file, whose places have no gaps, a row that was removed
//! anywhere but at the end, sealed or not.
//!
//! Not found: a change of a row that is not sealed yet, nor on Postgres its removal: a place that is missing there may
//! be of a transaction that was rolled back; and a ledger that was cut at its end together with the seals
//! of what was cut, or written anew from some row on with all seals after it, by somebody who may write the file.
//! Against these helps only a copy of the head (the last seal's digest, [`Verified::head`]) that was noted elsewhere:
//! a ledger whose chain still has that head was not cut before it.

use super::{
    chain::{Chain, Raw, Seal},
    columns,
};
use crate::store::{Reader, Store, StoreError, query::statements};

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
    verify_in(&mut store.snapshot().await?, store.is_file()).await
}

/// The same within a transaction; `gapless`: a place that is missing among rows that are not sealed is a fault.
pub(in crate::store) async fn verify_in<S>(source: &mut S, gapless: bool) -> Result<Verified, Broken>
where
    S: Send,
    for<'r> &'r mut S: Reader,
{
    let mut walk = Walk {
        source,
        at: 0,
        rows: 0,
        gap: None,
    };
    let mut before = Seal::default();
    while let Some(seal) = walk.next_seal(&before).await? {
        walk.sealed(&before, &seal).await?;
        before = seal;
    }
    let sealed = walk.rows;
    walk.unsealed(gapless).await?;
    Ok(Verified {
        rows: walk.rows,
        seals: u64::try_from(before.number).unwrap_or(0),
        unsealed: walk.rows - sealed,
        head: (before.number > 0).then_some(before.digest),
    })
}

/// A reading of the ledger from its start to its end.
struct Walk<'s, S> {
    source: &'s mut S,
    /// The last place that was read; 0 before the first.
    at: i64,
    rows: u64,
    /// Since the last seal: the first place that is missing, and the one that comes in its stead.
    gap: Option<(i64, i64)>,
}

impl<S> Walk<'_, S>
where
    S: Send,
    for<'r> &'r mut S: Reader,
{
    async fn next_seal(&mut self, before: &Seal) -> Result<Option<Seal>, Broken> {
        let read = SEAL
            .first(&mut *self.source, |q| q.bind(before.number), Seal::read)
            .await;
        let seal = read.map_err(|error| self.unreadable(error))?;
        match &seal {
            Some(seal) if seal.number != before.number + 1 => {
                Err(self.broken(format!("seal {} is missing", before.number + 1)))
            }
            Some(seal) if seal.first <= before.last || seal.last < seal.first => Err(self.broken(format!(
                "seal {} covers other rows than those after the seal before it",
                seal.number
            ))),
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
        if chain.finish() == seal.digest {
            return Ok(());
        }
        // A gap that was sealed is none; one that breaks the seal says where to look.
        self.missing()?;
        self.at = before.last;
        Err(self.broken(format!(
            "rows {} to {} are not those that seal {} was made of",
            seal.first, seal.last, seal.number
        )))
    }

    async fn unsealed(&mut self, gapless: bool) -> Result<(), Broken> {
        self.rows_until(i64::MAX, |_| ()).await?;
        if gapless { self.missing() } else { Ok(()) }
    }

    /// Reads on up to `last`.
    async fn rows_until(&mut self, last: i64, mut each: impl FnMut(&Raw) + Send) -> Result<(), Broken> {
        self.gap = None;
        // Places begin at 1; whatever somebody put before them is to be seen too.
        let mut after = if self.at == 0 { i64::MIN } else { self.at };
        loop {
            let page = ROWS
                .all(
                    &mut *self.source,
                    |q| q.bind(after).bind(last).bind(PAGE),
                    Raw::read,
                )
                .await;
            let page = page.map_err(|error| self.unreadable(error))?;
            for row in &page {
                if row.seq <= 0 {
                    return Err(Broken::At {
                        seq: row.seq,
                        why: "there is a row before the first".to_owned(),
                    });
                }
                if row.seq != self.at + 1 {
                    self.gap.get_or_insert((self.at + 1, row.seq));
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

    fn missing(&self) -> Result<(), Broken> {
        match self.gap {
            None => Ok(()),
            Some((seq, next)) => Err(Broken::At {
                seq,
                why: format!("it is missing; the next one is {next}"),
            }),
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
