//! The store's walls taken away, one at a time: what each of them keeps from happening.

use std::time::Duration;

use ::loops::lease::Lane;
use sqlx::Executor as _;

use super::*;
use crate::store::orders::{
    self,
    lease::{self, Able},
};

const WRITERS: usize = 8;
const EACH: usize = 10;

/// Each of some tasks reads a number and writes it back, one more, again and again; what stands at the end.
async fn counted_up(pool: &SqlitePool, begin: &'static str) -> (usize, i64) {
    pool.execute("CREATE TABLE counter (n BIGINT NOT NULL)")
        .await
        .unwrap();
    pool.execute("INSERT INTO counter VALUES (0)").await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let pool = pool.clone();
        tasks.spawn(async move {
            let mut failed = 0;
            for _ in 0..EACH {
                let mut connection = pool.acquire().await.unwrap();
                connection.execute(begin).await.unwrap();
                let n: i64 = sqlx::query_scalar("SELECT n FROM counter")
                    .fetch_one(&mut *connection)
                    .await
                    .unwrap();
                tokio::task::yield_now().await;
                let wrote = sqlx::query("UPDATE counter SET n = $1")
                    .bind(n + 1)
                    .execute(&mut *connection)
                    .await;
                let end = if wrote.is_ok() { "COMMIT" } else { "ROLLBACK" };
                failed += usize::from(wrote.is_err());
                connection.execute(end).await.unwrap();
            }
            failed
        });
    }
    let failed = tasks.join_all().await.into_iter().sum();
    let n = sqlx::query_scalar("SELECT n FROM counter")
        .fetch_one(pool)
        .await
        .unwrap();
    (failed, n)
}

async fn file(folder: &std::path::Path) -> SqlitePool {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.join("x.db"))
        .create_if_missing(true)
        .busy_timeout(Duration::from_secs(10))
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    SqlitePool::connect_with(options).await.unwrap()
}

#[tokio::test]
async fn transactions_that_do_not_begin_as_writers_lose_what_they_were_to_write() {
    let (plain, immediate) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let all = i64::try_from(WRITERS * EACH).unwrap();
    let (failed, n) = counted_up(&file(immediate.path()).await, "BEGIN IMMEDIATE").await;
    assert_eq!((failed, n), (0, all), "as the store begins: everybody has a turn");
    let (failed, n) = counted_up(&file(plain.path()).await, "BEGIN").await;
    assert!(
        failed > 0 && n < all,
        "{failed} failed, {n} of {all} were counted"
    );
}

const ABLE: Able = Able {
    protocols: (1, 1),
    mirrors: true,
};
const LEASE: Duration = Duration::from_secs(30);

async fn posted(scratch: &Scratch) -> (AttemptId, Lane) {
    let order = orders::NewOrder {
        attempt: AttemptId::named("a"),
        run: run(1).id,
        task: TaskId::named("t"),
        loop_name: "loop-1".to_owned(),
        kind: "fix".to_owned(),
        needs: Vec::new(),
        priority: 10,
        protocol: 1,
        packed: true,
        body: "{}".to_owned(),
        created_at: at(0),
    };
    let mut tx = scratch.begin().await;
    orders::post(&mut tx, &order).await.unwrap();
    tx.commit().await.unwrap();
    let lane = lease::lanes(&scratch.store, ABLE, at(0)).await.unwrap().remove(0);
    (order.attempt, lane)
}

/// Two take the order in turn, the second after the first one's lease has ended; which tokens they have, and whose word
/// of what became of it counts.
async fn taken_twice(scratch: &Scratch) -> (Option<i64>, Option<i64>, [bool; 2]) {
    let (attempt, lane) = posted(scratch).await;
    let later = at(60_000);
    let mut tx = scratch.begin().await;
    let first = lease::claim(&mut tx, &lane, 1, "one/1", ABLE, (at(0), LEASE))
        .await
        .unwrap();
    lease::look_after(&mut tx, "two/1", later).await.unwrap();
    let after_pause = later.plus(Duration::from_secs(600));
    let second = lease::claim(&mut tx, &lane, 1, "two/1", ABLE, (after_pause, LEASE))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let tokens = [&first, &second].map(|claims| claims.first().map(|claim| claim.token));
    let mut counts = [false; 2];
    for (at, token) in tokens.iter().enumerate() {
        let Some(token) = token else { continue };
        let mut tx = scratch.begin().await;
        counts[at] = lease::done(&mut tx, attempt, *token, "{}").await.unwrap();
        tx.commit().await.unwrap();
    }
    (tokens[0], tokens[1], counts)
}

#[tokio::test]
async fn of_two_who_took_an_order_in_turn_the_second_one_s_word_counts_and_the_first_one_s_does_not() {
    each_engine(async |scratch| {
        assert_eq!(taken_twice(&scratch).await, (Some(1), Some(2), [false, true]));
    })
    .await;
}

#[tokio::test]
async fn without_tokens_that_grow_the_word_of_who_lost_the_order_counts() {
    let scratch = Scratch::new().await;
    // The token stays what it was at first.
    scratch
        .tamper(
            "CREATE TRIGGER same AFTER UPDATE OF token ON orders WHEN NEW.token > 1
             BEGIN UPDATE orders SET token = 1 WHERE attempt = NEW.attempt; END",
        )
        .await;
    let (.., counts) = taken_twice(&scratch).await;
    assert!(
        counts[0],
        "who lost it has written down what became of it: {counts:?}"
    );
}

#[tokio::test]
async fn without_leases_that_end_what_a_dead_one_holds_is_never_taken_again() {
    let scratch = Scratch::new().await;
    scratch
        .tamper(
            "CREATE TRIGGER for_ever AFTER UPDATE OF expires_at ON orders WHEN NEW.expires_at < 9000000000000000
             BEGIN UPDATE orders SET expires_at = 9000000000000000 WHERE attempt = NEW.attempt; END",
        )
        .await;
    let (first, second, _) = taken_twice(&scratch).await;
    assert_eq!((first, second), (Some(1), None), "nobody goes on with it");
}

#[tokio::test]
async fn a_server_that_falls_keeps_what_was_committed_and_is_asked_again() {
    let own = postgres::Own::start();
    let store = Store::connect(&own.database()).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    runs::insert(&mut tx, &run(1)).await.unwrap();
    tx.commit().await.unwrap();
    let mut half = store.begin().await.unwrap();
    runs::insert(&mut half, &run(2)).await.unwrap();
    own.falls_and_comes_back();
    let lost = half.commit().await.unwrap_err();
    assert!(lost.is_outage(), "{lost}");
    let read = runs::all_open(&store).await.unwrap();
    assert_eq!(read, [run(1)], "what had not been committed is not there");
    own.cuts_all();
    let mut tx = store.begin().await.unwrap();
    runs::insert(&mut tx, &run(2)).await.unwrap();
    tx.commit().await.unwrap();
}
