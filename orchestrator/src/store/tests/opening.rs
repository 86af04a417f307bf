//! Opening: what is made, what is refused, and in which words.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::store::error::Remedy;

async fn refusal(folder: &std::path::Path) -> StoreError {
    Store::open(folder).await.expect_err("it opens")
}

#[tokio::test]
async fn only_this_user_may_look_into_a_new_state() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("deep/state");
    let _store = Store::open(&folder).await.unwrap();
    let mode = |name: &str| std::fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("."), 0o700);
    assert_eq!(mode("loops.db"), 0o600);
    assert_eq!(mode("loops.db-wal"), 0o600);
}

#[tokio::test]
async fn sqlite_is_new_enough_and_set_up_as_promised() {
    let scratch = Scratch::new().await;
    let mut tx = scratch.store.begin().await.unwrap();
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(file_of(&mut tx))
        .await
        .unwrap();
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts >= vec![3, 51, 3], "{version}");
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(file_of(&mut tx))
        .await
        .unwrap();
    let sync: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(file_of(&mut tx))
        .await
        .unwrap();
    assert_eq!((mode.as_str(), sync), ("wal", 2), "2 is FULL");
}

#[tokio::test]
async fn what_was_written_is_there_after_opening_again() {
    each_engine(async |scratch| {
        let mut tx = scratch.store.begin().await.unwrap();
        runs::insert(&mut tx, &run(1)).await.unwrap();
        tx.commit().await.unwrap();
        scratch.store.close().await;
        let again = scratch.again().await.unwrap();
        assert_eq!(runs::get(&again, run(1).id).await.unwrap(), Some(run(1)));
    })
    .await;
}

#[tokio::test]
async fn a_state_from_a_newer_loops_is_refused() {
    each_engine(async |scratch| {
    scratch
        .tamper("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99991231235959, 'later', true, '', 1)")
        .await;
    let refused = scratch.again().await.expect_err("it opens");
    assert!(
        matches!(
            refused,
            StoreError::Newer {
                version: 99_991_231_235_959,
                ..
            }
        ),
        "{refused}"
    );
    assert!(refused.to_string().contains("update loops"));
    assert_eq!(refused.remedy(), Remedy::AskHuman);
    }).await;
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("loops.db"),
        "not a database at all, ".repeat(100),
    )
    .unwrap();
    let refused = refusal(folder.path()).await;
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loops.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    pool.execute("CREATE TABLE recipes (name TEXT)").await.unwrap();
    pool.close().await;
    let refused = refusal(folder.path()).await;
    assert!(matches!(refused, StoreError::NotOurs { .. }), "{refused}");
}

#[tokio::test]
async fn a_path_that_is_no_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    std::fs::write(&file, "").unwrap();
    let refused = refusal(&file).await;
    assert!(
        refused.to_string().contains(&file.display().to_string()),
        "{refused}"
    );
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_committed() {
    let scratch = Scratch::new().await;
    let mut tx = scratch.store.begin().await.unwrap();
    runs::insert(&mut tx, &run(1)).await.unwrap();
    tx.commit().await.unwrap();
    // SQLite gives the same code for a limit on pages as for a disk without room.
    let mut tx = scratch.store.begin().await.unwrap();
    file_of(&mut tx)
        .execute("PRAGMA max_page_count = 1")
        .await
        .unwrap();
    let big = runs::Run {
        report: Some("x".repeat(1_000_000)),
        ..run(2)
    };
    let refused = runs::insert(&mut tx, &big).await.unwrap_err();
    assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
    drop(tx);
    assert_eq!(runs::all_open(&scratch.store).await.unwrap(), [run(1)]);
}

#[tokio::test]
async fn two_who_open_a_fresh_folder_at_once_both_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let opened: Vec<_> = futures_util::future::join_all((0..6).map(|_| Store::open(folder.path()))).await;
    for store in opened {
        store.unwrap();
    }
}

#[tokio::test]
async fn readers_cannot_write() {
    each_engine(async |scratch| {
        let mut snapshot = scratch.store.snapshot().await.unwrap();
        let (connection, path) = snapshot.transacting();
        let refused = query::Query::once("DELETE FROM ledger".into_sql_str())
            .run(connection)
            .await
            .unwrap_err();
        let refused = StoreError::from_sqlx(refused, path);
        assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_named_by_table_and_column() {
    each_engine(async |scratch| {
        let mut tx = scratch.store.begin().await.unwrap();
        runs::insert(&mut tx, &run(1)).await.unwrap();
        tx.commit().await.unwrap();
        scratch.tamper("UPDATE runs SET state = '{'").await;
        let refused = runs::open_run(&scratch.store, "loop-1").await.unwrap_err();
        assert!(
            matches!(
                refused,
                StoreError::Undecodable {
                    table: "runs",
                    column: "state",
                    ..
                }
            ),
            "{refused}"
        );
    })
    .await;
}
