//! Bare SQL on the same engine: one table; no token, no lease, no ledger. It takes a batch in one statement, and ends one in
//! another.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, PgPool, Row as _, SqlitePool, postgres::PgPoolOptions, sqlite::SqliteConnectOptions,
};
use tokio::sync::Notify;

use crate::ours::BODY;

const TABLE: &str = "CREATE TABLE jobs (id BIGINT PRIMARY KEY, state BIGINT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX jobs_open ON jobs (id) WHERE state = 0";

#[derive(Clone)]
pub(crate) enum Raw {
    Lite(SqlitePool),
    Postgres(PgPool),
}

impl Raw {
    pub(crate) async fn lite(folder: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(folder.join("raw.db"))
            .create_if_missing(true)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
            .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let pool = sqlx::sqlite::SqlitePoolOptions::new();
        let pool = pool.max_connections(1).connect_with(options).await?;
        sqlx::raw_sql(TABLE).execute(&pool).await?;
        Ok(Self::Lite(pool))
    }

    pub(crate) async fn postgres(address: &str) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new().max_connections(16).connect(address).await?;
        sqlx::raw_sql(TABLE).execute(&pool).await?;
        Ok(Self::Postgres(pool))
    }
}

impl Raw {
    /// So many jobs, in one transaction and few statements.
    pub(crate) async fn fill(&self, count: u32) -> anyhow::Result<()> {
        let ids: Vec<i64> = (0..i64::from(count)).collect();
        match self {
            Self::Lite(pool) => {
                let mut tx = pool.begin().await?;
                sqlx::query("DELETE FROM jobs").execute(&mut *tx).await?;
                sqlx::query("INSERT INTO jobs (id, state, body) SELECT value, 0, $2 FROM json_each($1)")
                    .bind(serde_json::to_string(&ids)?)
                    .bind(BODY)
                    .execute(&mut *tx)
                    .await?;
                tx.commit().await?;
            }
            Self::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                sqlx::query("DELETE FROM jobs").execute(&mut *tx).await?;
                sqlx::query(
                    "INSERT INTO jobs (id, state, body) SELECT id, 0, $2 FROM unnest($1) AS new (id)",
                )
                .bind(&ids)
                .bind(BODY)
                .execute(&mut *tx)
                .await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    async fn take(&self, limit: i64) -> anyhow::Result<Vec<i64>> {
        let take = |skip: &str| {
            AssertSqlSafe(format!(
                "UPDATE jobs SET state = 1 WHERE id IN (SELECT id FROM jobs WHERE state = 0 ORDER BY id LIMIT $1{skip})
                RETURNING id"
            ))
        };
        Ok(match self {
            Self::Lite(pool) => {
                let rows = sqlx::query(take("")).bind(limit).fetch_all(pool).await?;
                rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?
            }
            Self::Postgres(pool) => {
                let rows = sqlx::query(take(" FOR UPDATE SKIP LOCKED"))
                    .bind(limit)
                    .fetch_all(pool)
                    .await?;
                rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?
            }
        })
    }

    async fn end(&self, ids: &[i64]) -> anyhow::Result<()> {
        match self {
            Self::Lite(pool) => {
                sqlx::query("UPDATE jobs SET state = 2 WHERE id IN (SELECT value FROM json_each($1))")
                    .bind(serde_json::to_string(ids)?)
                    .execute(pool)
                    .await?;
            }
            Self::Postgres(pool) => {
                sqlx::query("UPDATE jobs SET state = 2 WHERE id = ANY($1)")
                    .bind(ids)
                    .execute(pool)
                    .await?;
            }
        }
        Ok(())
    }

    /// Takes and ends all there is.
    pub(crate) async fn drain(&self, batch: i64) -> anyhow::Result<()> {
        loop {
            let ids = self.take(batch).await?;
            if ids.is_empty() {
                return Ok(());
            }
            self.end(&ids).await?;
        }
    }

    /// How many milliseconds passed between an insert and its taking, sorted; fifty are made in a second.
    pub(crate) async fn latency(&self, count: u32) -> anyhow::Result<Vec<f64>> {
        self.fill(0).await?;
        let wake = Arc::new(Notify::new());
        let (raw, bell) = (self.clone(), Arc::clone(&wake));
        let taker = tokio::spawn(async move {
            let mut listener = match &raw {
                Self::Postgres(pool) => {
                    let mut listener = sqlx::postgres::PgListener::connect_with(pool).await?;
                    listener.listen("bench").await?;
                    Some(listener)
                }
                Self::Lite(_) => None,
            };
            let mut taken = Vec::new();
            while taken.len() < count as usize {
                match &mut listener {
                    Some(listener) => drop(listener.recv().await?),
                    None => bell.notified().await,
                }
                for id in raw.take(16).await? {
                    taken.push((id, Instant::now()));
                }
            }
            Ok::<_, anyhow::Error>(taken)
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut posted = Vec::new();
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        let insert = "INSERT INTO jobs (id, state, body) VALUES ($1, 0, $2)";
        for id in 0..count {
            beat.tick().await;
            posted.push(Instant::now());
            match self {
                Self::Lite(pool) => {
                    sqlx::query(insert)
                        .bind(i64::from(id))
                        .bind(BODY)
                        .execute(pool)
                        .await?;
                    wake.notify_one();
                }
                Self::Postgres(pool) => {
                    let mut tx = pool.begin().await?;
                    sqlx::query(insert)
                        .bind(i64::from(id))
                        .bind(BODY)
                        .execute(&mut *tx)
                        .await?;
                    sqlx::query("NOTIFY bench").execute(&mut *tx).await?;
                    tx.commit().await?;
                }
            }
        }
        let taken = taker.await??;
        let mut all: Vec<f64> = taken
            .iter()
            .filter_map(|(id, at)| {
                Some(
                    at.duration_since(*posted.get(usize::try_from(*id).ok()?)?)
                        .as_secs_f64()
                        * 1e3,
                )
            })
            .collect();
        all.sort_by(f64::total_cmp);
        Ok(all)
    }
}
