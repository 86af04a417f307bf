//! What only a Postgres does: it may be elsewhere, another, full of something else, or gone.

use super::*;
use crate::store::{error::Remedy, server::look};

async fn refusal(address: &str) -> StoreError {
    Store::connect(address).await.expect_err("it opens")
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_of_at_once_and_without_its_password() {
    let refused = refusal("postgres://ada:very-secret@127.0.0.1:1/shop").await;
    assert!(matches!(refused, StoreError::Away { .. }), "{refused}");
    assert_eq!(refused.remedy(), Remedy::Retry);
    let said = format!("{refused} {refused:?}");
    assert!(
        said.contains("postgres://127.0.0.1:1/shop") && !said.contains("secret"),
        "{said}"
    );
    let refused = refusal("very-secret").await;
    assert!(matches!(refused, StoreError::Address { .. }), "{refused}");
    assert!(!refused.to_string().contains("secret"), "{refused}");
}

#[tokio::test]
async fn a_database_or_schema_that_is_not_there_is_named() {
    let address = postgres::database();
    let refused = refusal(&address.replace("localhost/postgres", "localhost/nowhere")).await;
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused}");
    let refused = refusal(&format!("{address}_x")).await;
    assert!(matches!(refused, StoreError::NoSchema { .. }), "{refused}");
}

#[tokio::test]
async fn a_schema_of_another_program_is_left_alone() {
    let address = postgres::database();
    postgres::sql(&address, "CREATE TABLE recipes (name TEXT)");
    let refused = refusal(&address).await;
    assert!(matches!(refused, StoreError::NotOurs { .. }), "{refused}");
}

#[tokio::test]
async fn looking_changes_nothing() {
    let address = postgres::database();
    let found = look(&address).await.unwrap();
    assert!(found.starts_with("PostgreSQL "), "{found}");
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()";
    assert_eq!(postgres::sql(&address, tables), "0");
}

#[tokio::test]
async fn several_that_open_a_fresh_schema_at_once_all_get_it() {
    let address = postgres::database();
    let opened: Vec<_> = futures_util::future::join_all((0..6).map(|_| Store::connect(&address))).await;
    for store in opened {
        store.unwrap();
    }
}

#[tokio::test]
async fn one_loops_at_a_time_works_on_a_state_from_whichever_folder() {
    let scratch = Scratch::on_postgres().await;
    let other = tempfile::tempdir().unwrap();
    let first = StateLock::take(scratch.folder.path()).unwrap();
    let first = first.also_in(&scratch.store).await.unwrap();
    let second = StateLock::take(other.path()).unwrap();
    let refused = second.also_in(&scratch.store).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains(&format!("process {}", std::process::id())),
        "{refused}"
    );
    let elsewhere = Scratch::on_postgres().await;
    let second = StateLock::take(other.path()).unwrap();
    second.also_in(&elsewhere.store).await.unwrap();
    drop(first);
    let mut second = StateLock::take(other.path()).unwrap();
    // The server learns of the end when it reads the socket.
    for _ in 0..1_000 {
        match second.also_in(&scratch.store).await {
            Ok(_) => return,
            Err(refused) => assert!(matches!(refused, StoreError::Claimed { .. }), "{refused}"),
        }
        second = StateLock::take(other.path()).unwrap();
    }
    panic!("it is still held");
}

#[tokio::test]
async fn what_was_not_begun_survives_connections_that_are_cut() {
    let scratch = Scratch::on_postgres().await;
    let mut tx = scratch.begin().await;
    runs::insert(&mut tx, &run(1)).await.unwrap();
    tx.commit().await.unwrap();
    runs::all_open(&scratch.store).await.unwrap();
    let address = scratch.address.as_deref().unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()
        AND application_name LIKE 'process '||";
    let cut = format!("{cut}'{} on %'", std::process::id());
    postgres::sql(address, &cut);
    assert_eq!(runs::all_open(&scratch.store).await.unwrap(), [run(1)]);
    postgres::sql(address, &cut);
    let mut tx = scratch.begin().await;
    runs::insert(&mut tx, &run(2)).await.unwrap();
    postgres::sql(address, &cut);
    let lost = tx.commit().await.unwrap_err();
    assert!(matches!(lost, StoreError::Away { .. }), "{lost}");
    assert_eq!(runs::all_open(&scratch.store).await.unwrap(), [run(1)]);
    let mut tx = scratch.begin().await;
    runs::insert(&mut tx, &run(2)).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn text_is_ordered_by_its_bytes_whatever_the_locale() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        for name in ["b", "B", "a", "_", "Z"] {
            loops::upsert(&mut tx, name, "v1", &json!({}), "x.yaml", at(0))
                .await
                .unwrap();
        }
        let listed = loops::list(&mut tx).await.unwrap();
        let names: Vec<_> = listed.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["B", "Z", "_", "a", "b"]);
    })
    .await;
}

#[tokio::test]
async fn a_text_with_nul_is_kept_and_known_again() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let hostile = Signal {
            thread: Some("a\0b".to_owned()),
            ..signal("1", "zero \0 in it")
        };
        let mut read = async || {
            signals::upsert(&mut tx, "shop", &hostile, [1; 16], at(0))
                .await
                .unwrap()
        };
        assert_eq!(read().await, signals::Reading::New);
        assert_eq!(read().await, signals::Reading::Unchanged);
        let kept = signals::get(&mut tx, "shop", hostile.id).await.unwrap().unwrap();
        assert_eq!(kept.signal.text, "zero \u{fffd} in it");
    })
    .await;
}
