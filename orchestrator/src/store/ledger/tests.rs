//! Each way to tamper with the ledger, done with plain SQL as somebody who may write the file would.

use serde_json::json;

use super::*;
use crate::store::tests::{Scratch, at, each_engine};

/// Six rows under three seals, and a seventh that is not sealed.
async fn written(scratch: Scratch) -> Scratch {
    for pair in 0..3 {
        for half in 0..2 {
            record(&scratch, pair * 2 + half).await;
        }
        assert_eq!(seal(&scratch.store, at(100 + pair)).await.unwrap(), 1);
    }
    record(&scratch, 6).await;
    scratch
}

async fn record(scratch: &Scratch, number: i64) {
    let mut tx = scratch.store.begin().await.unwrap();
    let run = RunId::new(1, [1; 10]);
    let (name, run) = if number % 2 == 0 {
        (Some("shop"), Some(run))
    } else {
        (None, None)
    };
    tx.record(
        at(number),
        "signal.read",
        name,
        run,
        "signal-1",
        json!({"number": number}),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

/// The place at which the ledger is found broken after `sql`, in a state of either engine.
async fn broken_by(sql: &'static str) -> (i64, String) {
    let sqlite = broken_in(Scratch::new().await, sql).await;
    let postgres = broken_in(Scratch::on_postgres().await, sql).await;
    assert_eq!(sqlite, postgres, "`{sql}`");
    sqlite
}

async fn broken_in(scratch: Scratch, sql: &'static str) -> (i64, String) {
    let scratch = written(scratch).await;
    verify(&scratch.store).await.unwrap();
    scratch.tamper(sql).await;
    match verify(&scratch.store).await {
        Err(Broken::At { seq, why }) => (seq, why),
        other => panic!("`{sql}` gives {other:?}"),
    }
}

#[tokio::test]
async fn a_ledger_as_it_was_written_is_whole() {
    each_engine(async |scratch| {
        let scratch = written(scratch).await;
        let verified = verify(&scratch.store).await.unwrap();
        assert_eq!((verified.rows, verified.seals, verified.unsealed), (7, 3, 1));
        assert_eq!(verified.head.unwrap().len(), 64);
        assert_eq!(seal(&scratch.store, at(200)).await.unwrap(), 1);
        assert_eq!(
            seal(&scratch.store, at(201)).await.unwrap(),
            0,
            "nothing new, no seal"
        );
        assert_eq!(verify(&scratch.store).await.unwrap().unsealed, 0);
    })
    .await;
}

#[tokio::test]
async fn an_empty_ledger_is_whole() {
    each_engine(async |scratch| {
        assert_eq!(seal(&scratch.store, at(0)).await.unwrap(), 0);
        let verified = verify(&scratch.store).await.unwrap();
        assert_eq!(
            verified,
            Verified {
                rows: 0,
                seals: 0,
                unsealed: 0,
                head: None
            }
        );
    })
    .await;
}

#[tokio::test]
async fn more_rows_than_a_seal_holds_are_sealed_in_several() {
    each_engine(async |scratch| {
        let mut tx = scratch.store.begin().await.unwrap();
        for number in 0..2_001 {
            tx.record(at(number), "x", None, None, "x", json!({}))
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(seal(&scratch.store, at(0)).await.unwrap(), 3);
        let verified = verify(&scratch.store).await.unwrap();
        assert_eq!((verified.rows, verified.seals, verified.unsealed), (2_001, 3, 0));
    })
    .await;
}

#[tokio::test]
async fn a_changed_row_is_found_whatever_was_changed() {
    for sql in [
        "UPDATE ledger SET data = '{\"number\":99}' WHERE seq = 4",
        "UPDATE ledger SET data = data || ' ' WHERE seq = 4",
        "UPDATE ledger SET at = at + 1 WHERE seq = 4",
        "UPDATE ledger SET kind = 'signal.erased' WHERE seq = 4",
        "UPDATE ledger SET loop = '' WHERE seq = 4",
        "UPDATE ledger SET run = 'run-1' WHERE seq = 4",
        "UPDATE ledger SET subject = 'signal-2' WHERE seq = 4",
    ] {
        assert_eq!(broken_by(sql).await.0, 3, "the seal over rows 3 and 4: {sql}");
    }
}

/// Without their lengths, subject and data would give the same bytes before and after.
#[tokio::test]
async fn letters_that_move_from_one_column_to_the_next_are_found() {
    each_engine(async |scratch| {
        let mut tx = scratch.store.begin().await.unwrap();
        tx.record(at(0), "x", None, None, "xt\"y", json!("z"))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        seal(&scratch.store, at(1)).await.unwrap();
        scratch
            .tamper("UPDATE ledger SET subject = 'x', data = '\"yt\"z\"'")
            .await;
        assert!(matches!(
            verify(&scratch.store).await,
            Err(Broken::At { seq: 1, .. })
        ));
    })
    .await;
}

#[tokio::test]
async fn a_value_of_another_kind_is_found() {
    // Postgres does not let in what is of another kind.
    let sql = "UPDATE ledger SET data = x'ff' WHERE seq = 4";
    let (seq, why) = broken_in(Scratch::new().await, sql).await;
    assert_eq!(seq, 3);
    assert!(why.contains("`ledger.data`"), "{why}");
}

#[tokio::test]
async fn a_removed_row_is_found() {
    assert_eq!(broken_by("DELETE FROM ledger WHERE seq = 1").await.0, 1);
    assert_eq!(broken_by("DELETE FROM ledger WHERE seq = 4").await.0, 4);
    assert_eq!(broken_by("DELETE FROM ledger WHERE seq = 6").await.0, 6);
}

#[tokio::test]
async fn an_inserted_row_is_found() {
    let row = "INSERT INTO ledger (seq, at, kind, subject, data) VALUES (0, 1, 'x', 'x', '{}')";
    assert_eq!(broken_by(row).await.0, 0);
    let between = "UPDATE ledger SET seq = -seq WHERE seq > 3; UPDATE ledger SET seq = 1 - seq WHERE seq < 0;
        INSERT INTO ledger (seq, at, kind, subject, data) VALUES (4, 1, 'x', 'x', '{}')";
    assert_eq!(broken_by(between).await.0, 3);
}

#[tokio::test]
async fn reordered_rows_are_found() {
    let swap = "UPDATE ledger SET seq = -1 WHERE seq = 3; UPDATE ledger SET seq = 3 WHERE seq = 4;
        UPDATE ledger SET seq = 4 WHERE seq = -1";
    assert_eq!(broken_by(swap).await.0, 3);
}

#[tokio::test]
async fn a_removed_seal_is_found() {
    assert_eq!(broken_by("DELETE FROM seals WHERE number = 1").await.0, 1);
    assert_eq!(
        broken_by("DELETE FROM seals WHERE number = 2").await,
        (3, "seal 2 is missing".to_owned())
    );
    let closed_up =
        "DELETE FROM seals WHERE number = 2; UPDATE seals SET number = 2, first_seq = 3 WHERE number = 3";
    assert_eq!(broken_by(closed_up).await.0, 3);
}

#[tokio::test]
async fn a_changed_seal_is_found() {
    assert_eq!(
        broken_by("UPDATE seals SET at = at + 1 WHERE number = 2").await.0,
        3
    );
    assert_eq!(
        broken_by("UPDATE seals SET digest = replace(digest, substr(digest, 1, 1), 'x') WHERE number = 1")
            .await
            .0,
        1
    );
    assert_eq!(
        broken_by("UPDATE seals SET last_seq = 9223372036854775807 WHERE number = 3")
            .await
            .0,
        8
    );
}

/// On Postgres a place may be missing because a transaction was rolled back.
#[tokio::test]
async fn a_row_missing_before_the_end_is_found_even_unsealed_in_a_file() {
    let scratch = written(Scratch::new().await).await;
    record(&scratch, 7).await;
    scratch.tamper("DELETE FROM ledger WHERE seq = 7").await;
    assert!(matches!(
        verify(&scratch.store).await,
        Err(Broken::At { seq: 7, .. })
    ));
}

#[tokio::test]
async fn a_place_that_was_never_taken_breaks_no_seal_and_what_is_put_there_does() {
    let scratch = written(Scratch::on_postgres().await).await;
    let mut tx = scratch.begin().await;
    tx.record(at(7), "x", None, None, "x", json!({})).await.unwrap();
    // Rows wait for the commit; so many that they do not may have been written before it failed.
    write(&mut tx).await.unwrap();
    drop(tx);
    record(&scratch, 8).await;
    let unsealed = verify(&scratch.store).await.unwrap();
    assert_eq!((unsealed.rows, unsealed.unsealed), (8, 2));
    seal(&scratch.store, at(200)).await.unwrap();
    record(&scratch, 9).await;
    seal(&scratch.store, at(201)).await.unwrap();
    assert_eq!(verify(&scratch.store).await.unwrap().rows, 9);
    let row = "INSERT INTO ledger (seq, at, kind, subject, data) VALUES (8, 1, 'x', 'x', '{}')";
    scratch.tamper(row).await;
    assert!(matches!(
        verify(&scratch.store).await,
        Err(Broken::At { seq: 7, .. })
    ));
}

/// The limit that the documentation admits: the ledger alone does not show it, the head that somebody noted does.
#[tokio::test]
async fn a_ledger_cut_at_its_end_with_its_seals_shows_only_by_its_head() {
    each_engine(async |scratch| {
        let scratch = written(scratch).await;
        let noted = verify(&scratch.store).await.unwrap().head;
        scratch
            .tamper("DELETE FROM ledger WHERE seq > 4; DELETE FROM seals WHERE number > 2")
            .await;
        let cut = verify(&scratch.store).await.unwrap();
        assert_ne!(cut.head, noted);
    })
    .await;
}

#[tokio::test]
async fn the_same_words_have_another_name_under_another_salt() {
    assert_eq!(digest([1; 16], "words"), digest([1; 16], "words"));
    assert_ne!(digest([1; 16], "words"), digest([2; 16], "words"));
}

#[tokio::test]
async fn events_are_read_page_by_page() {
    each_engine(async |scratch| {
        let scratch = written(scratch).await;
        let first = rows_of_subject(&scratch.store, "signal-1", 0, 5).await.unwrap();
        let second = rows_of_subject(&scratch.store, "signal-1", 5, 5).await.unwrap();
        let seqs: Vec<_> = first.iter().chain(&second).map(|row| row.seq).collect();
        assert_eq!(seqs, (1..=7).collect::<Vec<_>>());
        let of_run = rows_of_run(&scratch.store, RunId::new(1, [1; 10]), 0, 9)
            .await
            .unwrap();
        assert_eq!(of_run.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 3, 5, 7]);
        assert_eq!(
            (of_run[1].kind.as_str(), &of_run[1].data),
            ("signal.read", &json!({"number": 2}))
        );
    })
    .await;
}

#[tokio::test]
async fn rows_of_one_transaction_stand_in_the_order_in_which_they_were_recorded() {
    each_engine(async |scratch| {
        let mut tx = scratch.store.begin().await.unwrap();
        for number in 0..1_300 {
            let data = json!({ "number": number, "text": "\0 \"quoted\" \\u0000" });
            tx.record(at(number), "x", None, None, "x", data).await.unwrap();
        }
        tx.commit().await.unwrap();
        let rows = rows_of_subject(&scratch.store, "x", 0, 2_000).await.unwrap();
        assert_eq!(rows.len(), 1_300);
        for (number, row) in rows.iter().enumerate() {
            assert_eq!(row.data["number"], json!(number));
            assert_eq!((row.seq, row.at), (number as i64 + 1, at(number as i64)));
        }
        seal(&scratch.store, at(2_000)).await.unwrap();
        assert_eq!(verify(&scratch.store).await.unwrap().rows, 1_300);
    })
    .await;
}
