//! Orders as rows: how many are taken and ended in a second, how soon one is taken, a fan-out and its fan-in, and how soon
//! a fresh process takes one of ten thousand. Beside each figure what bare SQL does on the same engine in the same minute: one
//! table, no token, no lease, no ledger.
//!
//! `cargo bench -p tests --bench orders`; with `-- --short` a fifth of it. Commits are on the disk on both engines.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use harness::postgres;
use loops::{
    id::{AttemptId, RunId, TaskId},
    lease::Lane,
    time::Timestamp,
};
use orchestrator::{
    clock,
    store::{
        Store,
        orders::{
            self, NewOrder,
            lease::{self, Able, Claim},
        },
        wake::Word,
    },
};
use sqlx::{
    AssertSqlSafe, PgPool, Row as _, SqlitePool, postgres::PgPoolOptions, sqlite::SqliteConnectOptions,
};
use tokio::{sync::Notify, task::JoinSet};

const ABLE: Able = Able {
    protocols: (1, 1),
    mirrors: true,
};
const LEASE: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let short = std::env::args().any(|arg| arg == "--short");
    let scale = if short { 5 } else { 1 };
    println!("| what | ours | bare SQL | ratio |");
    println!("|---|---|---|---|");
    for engine in ["SQLite", "Postgres"] {
        let place = Place::open(engine).await?;
        place.throughput(20_000 / scale).await?;
        place.latency(500 / scale).await?;
        for count in [2_000, 10_000] {
            place.fan(count).await?;
        }
        place.restart(10_000).await?;
    }
    Ok(())
}

/// Our store and a bare table beside it.
struct Place {
    name: &'static str,
    store: Store,
    raw: Raw,
    address: Option<String>,
    folder: tempfile::TempDir,
}

#[derive(Clone)]
enum Raw {
    Lite(SqlitePool),
    Postgres(PgPool),
}

impl Place {
    async fn open(name: &'static str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let table = "CREATE TABLE jobs (id BIGINT PRIMARY KEY, state BIGINT NOT NULL, body TEXT NOT NULL);
            CREATE INDEX jobs_open ON jobs (id) WHERE state = 0";
        if name == "SQLite" {
            let options = SqliteConnectOptions::new()
                .filename(folder.path().join("raw.db"))
                .create_if_missing(true)
                .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
                .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(10));
            let pool = sqlx::sqlite::SqlitePoolOptions::new()
                .max_connections(1)
                .connect_with(options)
                .await?;
            sqlx::raw_sql(table).execute(&pool).await?;
            let store = Store::open(&folder.path().join("state")).await?;
            let raw = Raw::Lite(pool);
            return Ok(Self {
                name,
                store,
                raw,
                address: None,
                folder,
            });
        }
        let address = postgres::database();
        // The tests' server does not wait for the disk; here it does.
        postgres::sql(&address, "ALTER SYSTEM SET fsync = on");
        postgres::sql(&address, "SELECT pg_reload_conf()");
        let other = postgres::database();
        let pool = PgPoolOptions::new().max_connections(16).connect(&other).await?;
        sqlx::raw_sql(table).execute(&pool).await?;
        let store = Store::connect(&address).await?;
        let raw = Raw::Postgres(pool);
        Ok(Self {
            name,
            store,
            raw,
            address: Some(address),
            folder,
        })
    }

    fn row(&self, what: &str, ours: f64, raw: f64, unit: &str) {
        println!(
            "| {}: {what} | {ours:.1} {unit} | {raw:.1} {unit} | {:.2} |",
            self.name,
            ours / raw
        );
    }

    async fn throughput(&self, count: u32) -> anyhow::Result<()> {
        let takers = if self.address.is_some() { 16 } else { 4 };
        for (what, batch) in [
            ("one at a time, a second", 1),
            ("in batches of 100, a second", 100),
        ] {
            let count = if batch == 1 { count / 4 } else { count };
            self.post(count).await?;
            let since = Instant::now();
            let mut all = JoinSet::new();
            for taker in 0..takers {
                let store = self.store.clone();
                all.spawn(async move { drain(&store, &format!("t{taker}"), batch).await });
            }
            let mut done = 0;
            while let Some(ended) = all.join_next().await {
                done += ended??;
            }
            let ours = f64::from(done) / since.elapsed().as_secs_f64();
            anyhow::ensure!(done == count, "{done} of {count}");
            self.raw.fill(count).await?;
            let since = Instant::now();
            let mut all = JoinSet::new();
            for _ in 0..takers {
                let raw = self.raw.clone();
                all.spawn(async move { raw.drain(i64::from(batch)).await });
            }
            while let Some(ended) = all.join_next().await {
                ended??;
            }
            let raw = f64::from(count) / since.elapsed().as_secs_f64();
            self.row(what, ours, raw, "orders");
        }
        Ok(())
    }

    async fn latency(&self, count: u32) -> anyhow::Result<()> {
        let ours = self.latency_of_ours(count).await?;
        let raw = self.raw.latency(count).await?;
        for (what, share) in [("posted to taken, p50", 0.5), ("p99", 0.99)] {
            self.row(what, at(&ours, share), at(&raw, share), "ms");
        }
        Ok(())
    }

    async fn latency_of_ours(&self, count: u32) -> anyhow::Result<Vec<f64>> {
        let wake = Arc::new(Notify::new());
        let (store, bell) = (self.store.clone(), Arc::clone(&wake));
        let taker = tokio::spawn(async move {
            let mut wakes = store.wakes();
            let mut taken = Vec::new();
            while taken.len() < count as usize {
                tokio::select! {
                    _ = wakes.next() => {}
                    () = bell.notified() => {}
                }
                // As a node takes them: what there is, then whose turn it is.
                let now = clock::now();
                for lane in lease::lanes(&store, ABLE, now).await? {
                    let claims = take(&store, &lane, "taker", 16).await?;
                    taken.extend(claims.into_iter().map(|claim| (claim.attempt, Instant::now())));
                }
            }
            Ok::<_, anyhow::Error>(taken)
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut posted = std::collections::HashMap::new();
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..count {
            beat.tick().await;
            let order = order(clock::now());
            posted.insert(order.attempt, Instant::now());
            let mut tx = self.store.begin().await?;
            orders::post(&mut tx, &order).await?;
            tx.say(Word::Posted).await?;
            tx.commit().await?;
            wake.notify_one();
        }
        let taken = taker.await??;
        let mut all: Vec<f64> = taken
            .iter()
            .filter_map(|(attempt, at)| Some(at.duration_since(*posted.get(attempt)?).as_secs_f64() * 1e3))
            .collect();
        all.sort_by(f64::total_cmp);
        self.clear().await?;
        Ok(all)
    }

    async fn fan(&self, count: u32) -> anyhow::Result<()> {
        let since = Instant::now();
        self.post(count).await?;
        drain(&self.store, "one", 500).await?;
        anyhow::ensure!(orders::count(&self.store).await? == 0, "all are back");
        let ours = since.elapsed().as_secs_f64() * 1e3;
        let since = Instant::now();
        self.raw.fill(count).await?;
        self.raw.drain(500).await?;
        let raw = since.elapsed().as_secs_f64() * 1e3;
        self.row(&format!("fan-out and fan-in of {count}"), ours, raw, "ms");
        Ok(())
    }

    /// A fresh process on ten thousand open orders: opened, looked, one taken.
    async fn restart(&self, count: u32) -> anyhow::Result<()> {
        self.post(count).await?;
        let since = Instant::now();
        let store = match &self.address {
            Some(address) => Store::connect(address).await?,
            None => Store::open(&self.folder.path().join("state")).await?,
        };
        let lanes = lease::lanes(&store, ABLE, clock::now()).await?;
        anyhow::ensure!(
            take(&store, &lanes[0], "fresh", 1).await?.len() == 1,
            "one is taken"
        );
        let ours = since.elapsed().as_secs_f64() * 1e3;
        println!(
            "| {}: from start to the first of {count} taken | {ours:.1} ms | | |",
            self.name
        );
        self.clear().await
    }

    async fn post(&self, count: u32) -> anyhow::Result<()> {
        let now = clock::now();
        let mut tx = self.store.begin().await?;
        for _ in 0..count {
            orders::post(&mut tx, &order(now)).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn clear(&self) -> anyhow::Result<()> {
        let all = orders::open(&self.store, 100_000).await?;
        let mut tx = self.store.begin().await?;
        for order in all {
            lease::close(&mut tx, order.attempt).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Takes and ends all there is: the outcome by its token, then what follows in the transaction of the one writer, with
/// its row in the ledger.
async fn drain(store: &Store, holder: &str, batch: u32) -> anyhow::Result<u32> {
    let mut done = 0;
    loop {
        let claims = take(store, &lane(), holder, batch).await?;
        if claims.is_empty() {
            return Ok(done);
        }
        let mut tx = store.begin_beside().await?;
        for claim in &claims {
            anyhow::ensure!(
                lease::done(&mut tx, claim.attempt, claim.token, "{}").await?,
                "it is ours"
            );
        }
        tx.commit().await?;
        let mut tx = store.begin().await?;
        for claim in &claims {
            let subject = claim.attempt.to_string();
            let data = serde_json::json!({ "left": "change" });
            tx.record(
                clock::now(),
                "attempt.worked",
                Some("bench"),
                None,
                &subject,
                data,
            )
            .await?;
            orders::forget(&mut tx, claim.attempt).await?;
        }
        tx.commit().await?;
        done += u32::try_from(claims.len())?;
    }
}

async fn take(store: &Store, lane: &Lane, holder: &str, limit: u32) -> anyhow::Result<Vec<Claim>> {
    let mut tx = store.begin_beside().await?;
    let claims = lease::claim(&mut tx, lane, limit, holder, ABLE, (clock::now(), LEASE)).await?;
    tx.commit().await?;
    Ok(claims)
}

fn lane() -> Lane {
    Lane {
        loop_name: "bench".to_owned(),
        kind: "fix".to_owned(),
        needs: "[]".to_owned(),
        priority: 10,
        waiting: 0,
        under_way: 0,
        oldest: 0,
    }
}

fn order(now: Timestamp) -> NewOrder {
    NewOrder {
        attempt: clock::id(AttemptId::new),
        run: RunId::new(1, [1; 10]),
        task: clock::id(TaskId::new),
        loop_name: "bench".to_owned(),
        kind: "fix".to_owned(),
        needs: Vec::new(),
        priority: 10,
        protocol: 1,
        packed: false,
        body: BODY.to_owned(),
        created_at: now,
    }
}

const BODY: &str = "{\"goal\": \"an order's text is longer, and is not looked at here\"}";

fn at(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a place in the list"
    )]
    let place = (last as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or_default()
}

impl Raw {
    async fn fill(&self, count: u32) -> anyhow::Result<()> {
        let reset = "DELETE FROM jobs";
        let insert = "INSERT INTO jobs (id, state, body) VALUES ($1, 0, $2)";
        match self {
            Self::Lite(pool) => {
                sqlx::query(reset).execute(pool).await?;
                let mut tx = pool.begin().await?;
                for id in 0..count {
                    sqlx::query(insert)
                        .bind(i64::from(id))
                        .bind(BODY)
                        .execute(&mut *tx)
                        .await?;
                }
                tx.commit().await?;
            }
            Self::Postgres(pool) => {
                sqlx::query(reset).execute(pool).await?;
                let mut tx = pool.begin().await?;
                for id in 0..count {
                    sqlx::query(insert)
                        .bind(i64::from(id))
                        .bind(BODY)
                        .execute(&mut *tx)
                        .await?;
                }
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
                let mut tx = pool.begin().await?;
                for id in ids {
                    sqlx::query("UPDATE jobs SET state = 2 WHERE id = $1")
                        .bind(id)
                        .execute(&mut *tx)
                        .await?;
                }
                tx.commit().await?;
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

    async fn drain(&self, batch: i64) -> anyhow::Result<()> {
        loop {
            let ids = self.take(batch).await?;
            if ids.is_empty() {
                return Ok(());
            }
            self.end(&ids).await?;
        }
    }

    async fn latency(&self, count: u32) -> anyhow::Result<Vec<f64>> {
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
