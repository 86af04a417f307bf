//! Facts about the store as a whole. What concerns opening, writing together and one aggregate stands beside this.

mod answers;
mod boarded;
mod collected;
mod leading;
mod leases;
mod moving;
mod opening;
mod planned;
mod problems;
mod server;
mod together;
mod told;
mod unguarded;
mod work;

use ::loops::{
    finding::{Finding, FindingState},
    id::{AttemptId, FindingId, ProposalId, RunId, SignalId, TaskId},
    score::Score,
    signal::{Signal, Voice},
    task::Task,
    time::Timestamp,
};
use serde_json::json;
use sqlx::{Executor as _, SqlSafeStr as _, SqlitePool};

use super::*;

#[path = "../../../../tests/harness/postgres.rs"]
#[expect(
    unreachable_pub,
    reason = "it is a part of the harness, too, which others use"
)]
pub(super) mod postgres;

/// A store of its own: in a folder, which goes with it, or in a schema of the tests' Postgres.
pub(super) struct Scratch {
    pub(super) store: Store,
    pub(super) folder: tempfile::TempDir,
    /// Of the Postgres, if it is in one.
    pub(super) address: Option<String>,
}

/// Does the same with each engine.
pub(super) async fn each_engine(test: impl AsyncFn(Scratch)) {
    eprintln!("with SQLite");
    test(Scratch::new().await).await;
    eprintln!("with Postgres");
    test(Scratch::on_postgres().await).await;
}

impl Scratch {
    /// In a SQLite file.
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: Store::open(folder.path()).await.unwrap(),
            folder,
            address: None,
        }
    }

    pub(super) async fn on_postgres() -> Self {
        let address = postgres::database();
        Self {
            store: Store::connect(&address).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
            address: Some(address),
        }
    }

    /// The same state once more, as another process would open it.
    pub(super) async fn again(&self) -> Result<Store, StoreError> {
        match &self.address {
            None => Store::open(self.folder.path()).await,
            Some(address) => Store::connect(address).await,
        }
    }

    pub(super) async fn begin(&self) -> Tx {
        self.store.begin().await.unwrap()
    }

    /// A way to the tables past the store: what somebody with SQL at hand could do.
    pub(super) async fn tamper(&self, sql: &'static str) {
        if let Some(address) = &self.address {
            postgres::sql(address, sql);
            return;
        }
        let pool = SqlitePool::connect_with(
            sqlx::sqlite::SqliteConnectOptions::new().filename(self.folder.path().join("loops.db")),
        );
        let pool = pool.await.unwrap();
        pool.execute(sql).await.unwrap();
        pool.close().await;
    }
}

/// The connection of a transaction on a SQLite file.
fn file_of(tx: &mut Tx) -> &mut sqlx::SqliteConnection {
    match tx.transacting().0 {
        value::Connection::Sqlite(connection) => connection,
        value::Connection::Postgres(_) => panic!("it is a Postgres"),
    }
}

/// The moment at which tests happen, and later ones.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp(1_795_000_000_000 + millis)
}

pub(super) fn run(number: u8) -> runs::Run {
    runs::Run {
        id: RunId::new(u64::from(number), [number; 10]),
        loop_name: format!("loop-{number}"),
        version: "v1".to_owned(),
        trigger: runs::TriggerKind::Person,
        base: None,
        state: json!({"phase": "collect"}),
        phase: "collect".to_owned(),
        report: None,
        started_at: at(i64::from(number)),
        ended_at: None,
    }
}

pub(super) fn finding(number: u8, fingerprint: &str) -> Finding {
    Finding {
        id: FindingId::new(u64::from(number), [number; 10]),
        title: "totals are wrong".to_owned(),
        fingerprint: fingerprint.to_owned(),
        state: FindingState::Open,
        score: Score {
            total: f64::from(number),
            parts: vec![("people".to_owned(), f64::from(number))],
        },
        signals: 2,
        reporters: 1,
        first_at: at(0),
        last_at: at(5),
    }
}

pub(super) fn signal(external_id: &str, text: &str) -> Signal {
    Signal {
        id: Signal::id_of("file:feedback.jsonl", external_id),
        source: "file:feedback.jsonl".to_owned(),
        external_id: external_id.to_owned(),
        at: at(1),
        author: Some("ada".to_owned()),
        voice: Voice::Person,
        text: text.to_owned(),
        url: Some("https://shop.example/1".to_owned()),
        reactions: [("+1".to_owned(), 2)].into(),
        labels: vec!["bug".to_owned()],
        thread: None,
        account: None,
        private: false,
    }
}

pub(super) fn task(number: u8, findings: &[FindingId]) -> Task {
    Task {
        id: TaskId::new(u64::from(number), [number; 10]),
        worker: "fix".to_owned(),
        title: "mend the totals".to_owned(),
        goal: "totals are right".to_owned(),
        acceptance: vec!["a test shows it".to_owned()],
        findings: findings.to_vec(),
        write: vec!["src/**".to_owned()],
    }
}

pub(super) fn attempt(number: u8, task: Option<TaskId>, run: RunId) -> attempts::Begun {
    attempts::Begun {
        id: AttemptId::new(u64::from(number), [number; 10]),
        task,
        run,
        loop_name: "loop-1".to_owned(),
        role: if task.is_some() {
            attempts::Role::Work
        } else {
            attempts::Role::Lead
        },
        number: 1,
        backend: Some("builtin".to_owned()),
        model: Some("m".to_owned()),
        effort: None,
        spec_version: "v1".to_owned(),
        prompt_version: None,
        rehearsed: true,
        words: None,
        base: Some("0".repeat(40)),
        started_at: at(i64::from(number)),
    }
}

pub(super) fn proposal(number: u8, task: TaskId, finding: FindingId) -> proposals::Proposal {
    proposals::Proposal {
        id: ProposalId::new(u64::from(number), [number; 10]),
        loop_name: "loop-1".to_owned(),
        run: RunId::new(1, [1; 10]),
        task,
        attempt: AttemptId::new(1, [1; 10]),
        finding,
        branch: "loops/totals".to_owned(),
        base_branch: "main".to_owned(),
        base: "0".repeat(40),
        head: "1".repeat(40),
        title: "Mend the totals".to_owned(),
        body: "# Mend the totals".to_owned(),
        state: proposals::ProposalState::Open,
        created_at: at(0),
        updated_at: at(0),
    }
}

#[tokio::test]
async fn every_statement_fits_the_tables_of_both_engines() {
    let tables = [
        loops::ALL,
        runs::ALL,
        ticks::ALL,
        cursors::ALL,
        handed::ALL,
        tasks::ALL,
        attempts::ALL,
        transcripts::ALL,
        turns::ALL,
        evidence::ALL,
        baselines::ALL,
        plans::ALL,
        proposals::ALL,
        pulls::ALL,
        boards::ALL,
        heard::ALL,
        said::ALL,
        splits::ALL,
        verdicts::ALL,
        decisions::ALL,
        calls::ALL,
        egress::ALL,
        outbox::ALL,
        packs::ALL,
        saves::ALL,
        derived::ALL,
        figures::ALL,
        nodes::ALL,
        leader::ALL,
        resolve::ALL,
    ];
    let all: Vec<_> = tables
        .into_iter()
        .flatten()
        .chain(findings::all_statements())
        .chain(signals::all_statements())
        .chain(ledger::all_statements())
        .chain(orders::all_statements())
        .collect();
    let batches = [
        findings::BATCHES,
        ledger::BATCHES,
        orders::BATCHES,
        orders::lease::BATCHES,
        tasks::BATCHES,
        runs::BATCHES,
    ];
    each_engine(async |scratch| {
        let of_batches = batches
            .into_iter()
            .flatten()
            .map(|batch| match &scratch.store.engine {
                open::Engine::Sqlite { .. } => &batch.file,
                open::Engine::Postgres { .. } => &batch.server,
            });
        for statement in all.iter().copied().chain(of_batches) {
            let sql = statement.sql.into_sql_str();
            let failed = match &scratch.store.engine {
                open::Engine::Sqlite { readers, .. } => readers.prepare(sql).await.err(),
                open::Engine::Postgres { readers, .. } => readers.prepare(sql).await.err(),
            };
            assert!(
                failed.is_none(),
                "{}.{}: {failed:?}",
                statement.table,
                statement.name
            );
        }
    })
    .await;
}

/// The engine spawns tasks that write.
#[test]
fn writing_and_reading_may_move_between_threads() {
    fn sendable<T: Send>(_: T) {}
    async fn work(store: Store) -> Result<(), StoreError> {
        let mut tx = store.begin().await?;
        let known = runs::open_run(&mut tx, "shop").await?;
        tx.record(
            at(0),
            "run.seen",
            None,
            known.map(|run| run.id),
            "shop",
            json!({}),
        )
        .await?;
        tx.commit().await?;
        runs::open_run(&store, "shop").await.map(drop)
    }
    sendable(|store| sendable(work(store)));
}
