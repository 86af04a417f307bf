//! From one engine to the other, and back.

use super::*;
use crate::store::r#move::{copy, move_all};

/// A bit of everything that a state may hold: texts that are hard to carry, numbers at their ends, and no value.
async fn fill(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    runs::insert(&mut tx, &run(1)).await.unwrap();
    let odd = Signal {
        author: None,
        text: "it's \"wrong\" — \\ \n ünïcode 🦀 \u{1}".to_owned(),
        ..signal("1", "")
    };
    signals::upsert(&mut tx, "shop", &odd, [1; 16], at(0))
        .await
        .unwrap();
    for number in 1..=3 {
        let one = Finding {
            score: Score {
                total: 0.1 + 0.2 * f64::from(number),
                parts: vec![],
            },
            first_at: Timestamp(i64::MIN),
            last_at: Timestamp(i64::MAX),
            ..finding(number, "f")
        };
        findings::insert(&mut tx, "shop", &one, &json!({"ä": number}), at(0))
            .await
            .unwrap();
    }
    // More than goes over in one statement.
    for number in 0..1_201 {
        tx.record(at(number), "x", None, None, "x", json!({"n": number}))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_state_that_was_moved_to_postgres_and_back_is_the_same() {
    let (file, server, back) = (
        Scratch::new().await,
        Scratch::on_postgres().await,
        Scratch::new().await,
    );
    fill(&file.store).await;
    let there = move_all(&file.store, &server.store, at(9)).await.unwrap();
    assert_eq!((there.ledger.rows, there.ledger.unsealed), (1_201, 0));
    assert_eq!(ledger::verify(&server.store).await.unwrap(), there.ledger);
    assert!(
        there.tables.contains(&("findings".to_owned(), 3)),
        "{:?}",
        there.tables
    );
    let home = move_all(&server.store, &back.store, at(10)).await.unwrap();
    assert_eq!(home, there);
    assert_eq!(
        signals::everywhere(&back.store, signal("1", "").id)
            .await
            .unwrap(),
        signals::everywhere(&file.store, signal("1", "").id)
            .await
            .unwrap()
    );
    assert_eq!(
        findings::list(&back.store, &findings::Filter::default())
            .await
            .unwrap(),
        findings::list(&file.store, &findings::Filter::default())
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn the_ledger_goes_on_after_the_last_place_that_was_moved() {
    for into in [Scratch::on_postgres().await, Scratch::new().await] {
        let from = match into.address {
            Some(_) => Scratch::new().await,
            None => Scratch::on_postgres().await,
        };
        fill(&from.store).await;
        move_all(&from.store, &into.store, at(9)).await.unwrap();
        let mut tx = into.begin().await;
        tx.record(at(10), "x", None, None, "y", json!({})).await.unwrap();
        tx.commit().await.unwrap();
        let rows = ledger::rows_of_subject(&into.store, "y", 0, 9).await.unwrap();
        assert_eq!(rows[0].seq, 1_202);
        ledger::seal(&into.store, at(11)).await.unwrap();
        assert_eq!(ledger::verify(&into.store).await.unwrap().rows, 1_202);
    }
}

#[tokio::test]
async fn nothing_is_moved_to_where_something_is() {
    let (file, server) = (Scratch::new().await, Scratch::on_postgres().await);
    fill(&file.store).await;
    let mut tx = server.begin().await;
    cursors::put(&mut tx, "shop", "a", "1", at(0)).await.unwrap();
    tx.commit().await.unwrap();
    let refused = move_all(&file.store, &server.store, at(9)).await.unwrap_err();
    assert!(
        matches!(refused, ledger::Broken::Store(StoreError::Occupied { .. })),
        "{refused}"
    );
    assert_eq!(runs::all_open(&server.store).await.unwrap(), []);
}

#[tokio::test]
async fn a_ledger_that_is_not_whole_is_not_moved_and_leaves_nothing() {
    let (file, server) = (Scratch::new().await, Scratch::on_postgres().await);
    fill(&file.store).await;
    ledger::seal(&file.store, at(1)).await.unwrap();
    file.tamper("UPDATE ledger SET kind = 'y' WHERE seq = 5").await;
    let refused = move_all(&file.store, &server.store, at(9)).await.unwrap_err();
    assert!(matches!(refused, ledger::Broken::At { seq: 1, .. }), "{refused}");
    assert_eq!(runs::all_open(&server.store).await.unwrap(), []);
}

/// The database changes what is put into it: here by a trigger, else by whatever we do not foresee.
#[tokio::test]
async fn a_copy_that_differs_is_not_kept() {
    let (file, server) = (Scratch::new().await, Scratch::on_postgres().await);
    fill(&file.store).await;
    server
        .tamper(
            "CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.title = 'x'; RETURN NEW; END $$;
             CREATE TRIGGER bend BEFORE INSERT ON findings FOR EACH ROW EXECUTE FUNCTION bend()",
        )
        .await;
    let refused = move_all(&file.store, &server.store, at(9)).await.unwrap_err();
    assert!(refused.to_string().contains("table `findings`"), "{refused}");
    assert_eq!(runs::all_open(&server.store).await.unwrap(), []);
}

#[tokio::test]
async fn a_copy_to_look_ahead_with_is_a_file_of_the_same_state() {
    each_engine(async |scratch| {
        fill(&scratch.store).await;
        let folder = tempfile::tempdir().unwrap();
        scratch.store.copy_to(folder.path()).await.unwrap();
        let copy = Store::open(folder.path()).await.unwrap();
        assert_eq!(runs::all_open(&copy).await.unwrap(), [run(1)]);
        let mut tx = copy.begin().await.unwrap();
        cursors::put(&mut tx, "shop", "a", "1", at(0)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(cursors::get(&scratch.store, "shop", "a").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn two_engines_have_the_same_tables_and_columns() {
    let (file, server) = (Scratch::new().await, Scratch::on_postgres().await);
    // It reads every column of the one from the other, by name.
    copy(&server.store, &file.store).await.unwrap();
    let address = server.address.unwrap();
    let there = postgres::sql(
        &address,
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = current_schema()
         AND table_name NOT IN ('_sqlx_migrations', 'writer')",
    );
    let pool = SqlitePool::connect_with(
        sqlx::sqlite::SqliteConnectOptions::new().filename(file.folder.path().join("loops.db")),
    );
    let here: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sqlite_schema AS t JOIN pragma_table_info(t.name) WHERE t.type = 'table'
         AND t.name NOT IN ('_sqlx_migrations', 'sqlite_sequence')",
    )
    .fetch_one(&pool.await.unwrap())
    .await
    .unwrap();
    assert_eq!(there, here.to_string());
}
