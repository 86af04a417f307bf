//! Being woken by other processes on the same Postgres. A word may be lost and may come twice: it only says that it is
//! worth looking now. Whoever waits also looks by itself.

use std::time::Duration;

use ::loops::{id::AttemptId, time::Timestamp};
use sqlx::postgres::PgListener;

use super::{Store, StoreError, Tx, open::Engine, query::Statement};

/// How long we wait before we listen again after the connection broke.
const AGAIN: Duration = Duration::from_secs(1);

const POSTED: &str = "loops_posted";
const ENDED: &str = "loops_ended";

/// Only a Postgres knows them.
const NOTIFY: Statement = Statement {
    table: "orders",
    name: "NOTIFY",
    sql: "SELECT pg_notify($1, said) FROM json_array_elements_text($2::json) AS words (said)",
};
const NOW: Statement = Statement {
    table: "orders",
    name: "NOW",
    sql: "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now",
};

/// What woke us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// There may be orders to take.
    Posted,
    /// Something became of this order.
    Ended(AttemptId),
}

/// Whoever listens.
#[derive(Debug)]
pub struct Wakes {
    store: Store,
    listener: Option<PgListener>,
}

impl Store {
    /// Listens for words of other processes. On a file nobody ever says one.
    pub fn wakes(&self) -> Wakes {
        Wakes {
            store: self.clone(),
            listener: None,
        }
    }

    /// The time by which leases are counted: the server's, so that machines need not agree; for a file, ours.
    ///
    /// # Errors
    /// If the server cannot be asked.
    pub async fn time(&self) -> Result<Timestamp, StoreError> {
        if self.is_file() {
            return Ok(crate::clock::now());
        }
        let now = NOW.first(self, |q| q, |row| row.time("now")).await?;
        Ok(now.unwrap_or_else(crate::clock::now))
    }
}

impl Tx {
    /// When this transaction is committed, others learn of it.
    ///
    /// # Errors
    /// If the server cannot be told.
    pub async fn say(&mut self, word: Word) -> Result<(), StoreError> {
        self.say_all(&[word]).await
    }

    /// The same for many.
    ///
    /// # Errors
    /// If the server cannot be told.
    pub async fn say_all(&mut self, words: &[Word]) -> Result<(), StoreError> {
        if self.is_file() {
            return Ok(());
        }
        let ended = words.iter().filter_map(|word| match word {
            Word::Ended(attempt) => Some(attempt.to_string()),
            Word::Posted => None,
        });
        let posted = words.contains(&Word::Posted).then(String::new);
        for (channel, said) in [
            (POSTED, posted.into_iter().collect::<Vec<_>>()),
            (ENDED, ended.collect()),
        ] {
            if !said.is_empty() {
                let said = serde_json::to_string(&said)?;
                NOTIFY.run(self, |q| q.bind(channel).bind(said)).await?;
            }
        }
        Ok(())
    }
}

impl Wakes {
    /// The next word. If the connection breaks, it is made again; what was said meanwhile is lost.
    pub async fn next(&mut self) -> Word {
        let Engine::Postgres { readers, .. } = &self.store.engine else {
            return std::future::pending().await;
        };
        loop {
            if self.listener.is_none() {
                let listening = async {
                    let mut listener = PgListener::connect_with(readers).await?;
                    listener.ignore_pool_close_event(true);
                    listener.listen_all([POSTED, ENDED]).await?;
                    Ok::<_, sqlx::Error>(listener)
                };
                match listening.await {
                    Ok(listener) => self.listener = Some(listener),
                    Err(error) => {
                        tracing::info!(%error, "cannot listen; looking by ourselves");
                        tokio::time::sleep(AGAIN).await;
                        continue;
                    }
                }
                // Something may have been said before we listened.
                return Word::Posted;
            }
            let Some(listener) = &mut self.listener else {
                continue;
            };
            match listener.recv().await {
                Ok(said) if said.channel() == POSTED => return Word::Posted,
                Ok(said) => {
                    if let Ok(attempt) = said.payload().parse() {
                        return Word::Ended(attempt);
                    }
                }
                Err(error) => {
                    tracing::info!(%error, "nobody is heard any more; listening again");
                    self.listener = None;
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}
