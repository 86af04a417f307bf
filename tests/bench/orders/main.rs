//! Orders as rows: how many are taken and ended in a second, how soon one is taken, a fan-out and its fan-in, and how soon
//! a fresh process takes one of ten thousand. Beside each figure what bare SQL does on the same engine in the same minute,
//! and, where they are installed, what libraries do.
//!
//! `cargo bench -p tests --bench orders`; with `-- --short` a fifth of it. `tests/bench/orders.sh` installs the libraries
//! first. Commits are on the disk on both engines.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod ours;
mod peers;
mod raw;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use harness::postgres;
use orchestrator::{
    clock,
    store::{
        Store,
        orders::{self, Desk, lease},
        wake::Word,
    },
};
use tokio::{sync::Notify, task::JoinSet};

use self::{
    ours::{ABLE, drain, order, take},
    peers::Peers,
    raw::Raw,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let short = std::env::args().any(|arg| arg == "--short");
    let scale = if short { 5 } else { 1 };
    let peers = Peers::asked_for();
    println!("| what | ours | bare SQL | ratio |");
    println!("|---|---|---|---|");
    for engine in ["SQLite", "Postgres"] {
        let place = Place::open(engine).await?;
        place.throughput(20_000 / scale, peers.as_ref()).await?;
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

impl Place {
    async fn open(name: &'static str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        if name == "SQLite" {
            let store = Store::open(&folder.path().join("state")).await?;
            let raw = Raw::lite(folder.path()).await?;
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
        let raw = Raw::postgres(&postgres::database()).await?;
        let store = Store::connect(&address).await?;
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

    async fn throughput(&self, count: u32, peers: Option<&Peers>) -> anyhow::Result<()> {
        let takers = if self.address.is_some() { 16 } else { 4 };
        for (what, batch) in [
            ("one at a time, a second", 1),
            ("in batches of 100, a second", 100),
            ("in batches of 500, a second", 500),
        ] {
            let count = if batch == 1 { count / 4 } else { count };
            self.post(count).await?;
            let desk = Arc::new(Desk::new(self.store.clone()));
            let since = Instant::now();
            let mut all = JoinSet::new();
            for taker in 0..takers {
                let (store, desk) = (self.store.clone(), Arc::clone(&desk));
                all.spawn(async move { drain(&store, &desk, &format!("t{taker}"), batch).await });
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
            if let Some(peers) = peers {
                peers.beside(self.address.as_deref(), self.folder.path(), (count, batch), ours)?;
            }
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
        drain(&self.store, &Desk::new(self.store.clone()), "one", 500).await?;
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
        let all: Vec<_> = (0..count).map(|_| order(now)).collect();
        let mut tx = self.store.begin().await?;
        orders::post_all(&mut tx, &all).await?;
        Ok(tx.commit().await?)
    }

    async fn clear(&self) -> anyhow::Result<()> {
        let all = orders::open(&self.store, 100_000).await?;
        let mut tx = self.store.begin().await?;
        let all: Vec<_> = all.into_iter().map(|order| order.attempt).collect();
        orders::forget_all(&mut tx, &all).await?;
        Ok(tx.commit().await?)
    }
}

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
