//! Writing at the same time, and being killed in the middle.

use std::{io::BufRead as _, process::Stdio};

use super::*;

/// With a plain BEGIN in place of BEGIN IMMEDIATE, and a connection for each task as two processes have them, most of
/// these fail as busy: 139 of 160 when that was tried. Two stores on one file stand for two processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_writers_in_two_processes_all_get_their_turn() {
    each_engine(async |scratch| {
        let other = scratch.again().await.unwrap();
        let write = |store: Store, task: u8| async move {
            for number in 0..20_u8 {
                let mut tx = store.begin().await?;
                // Reads before it writes: what makes a deferred transaction fail.
                let last = turns::load::<u8>(&mut tx, RunId::new(0, [task; 10])).await?.len();
                assert_eq!(last, usize::from(number));
                let run = RunId::new(0, [task; 10]);
                turns::append(&mut tx, run, u32::from(number), &number, at(0)).await?;
                tx.record(
                    at(0),
                    "turn.kept",
                    None,
                    Some(run),
                    "turn",
                    json!({"number": number}),
                )
                .await?;
                tx.commit().await?;
            }
            Ok::<_, StoreError>(())
        };
        let stores = [&scratch.store, &other];
        let tasks: Vec<_> = (0..8)
            .map(|task| tokio::spawn(write(stores[usize::from(task) % 2].clone(), task)))
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        for task in 0..8_u8 {
            let kept: Vec<u8> = turns::load(&scratch.store, RunId::new(0, [task; 10]))
                .await
                .unwrap();
            assert_eq!(kept, (0..20).collect::<Vec<_>>());
        }
        ledger::seal(&scratch.store, at(1)).await.unwrap();
        assert_eq!(ledger::verify(&scratch.store).await.unwrap().rows, 160);
    })
    .await;
}

/// Without the lock of the table `writer`, both would add line 1 on Postgres.
#[tokio::test]
async fn who_reads_before_it_writes_reads_what_the_one_before_it_wrote() {
    each_engine(async |scratch| {
        let id = attempt(1, None, run(1).id).id;
        let line = |text: &str| {
            let text = text.to_owned();
            [(at(0), workers::order::Entry::Said { text })]
        };
        let other = scratch.again().await.unwrap();
        let mut first = scratch.begin().await;
        assert_eq!(transcripts::append(&mut first, id, &line("a")).await.unwrap(), 1);
        let then = line("b");
        let second = tokio::spawn(async move {
            let mut tx = other.begin().await?;
            let number = transcripts::append(&mut tx, id, &then).await?;
            tx.commit().await.map(|()| number)
        });
        if let Some(address) = &scratch.address {
            let waiting = format!(
                "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
                 WHERE NOT l.granted AND a.application_name LIKE 'process {} on %'",
                std::process::id()
            );
            while !second.is_finished() && postgres::sql(address, &waiting) == "0" {
                tokio::task::yield_now().await;
            }
        }
        first.commit().await.unwrap();
        assert_eq!(second.await.unwrap().unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing() {
    each_engine(async |scratch| {
        let mut tx = scratch.store.begin().await.unwrap();
        runs::insert(&mut tx, &run(1)).await.unwrap();
        tx.record(at(0), "run.started", None, None, "x", json!({}))
            .await
            .unwrap();
        drop(tx);
        assert_eq!(runs::get(&scratch.store, run(1).id).await.unwrap(), None);
        let mut tx = scratch.store.begin().await.unwrap();
        tx.record(at(0), "run.started", None, None, "x", json!({}))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let rows = ledger::rows_of_subject(&scratch.store, "x", 0, 10).await.unwrap();
        let places: Vec<_> = rows.iter().map(|row| row.seq).collect();
        assert_eq!(places, [1], "it took no place, either");
    })
    .await;
}

#[tokio::test]
async fn a_snapshot_does_not_see_what_is_written_after_it() {
    each_engine(async |scratch| {
        let mut snapshot = scratch.store.snapshot().await.unwrap();
        assert_eq!(runs::all_open(&mut snapshot).await.unwrap(), []);
        let mut tx = scratch.store.begin().await.unwrap();
        runs::insert(&mut tx, &run(1)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(runs::all_open(&mut snapshot).await.unwrap(), []);
        assert_eq!(runs::all_open(&scratch.store).await.unwrap(), [run(1)]);
    })
    .await;
}

/// Where the child of the next test finds its folder.
const FOLDER: &str = "LOOPS_STORE_TEST_FOLDER";

/// This shows what a killed process leaves. It cannot show what a power cut leaves: for that there is
/// `synchronous = FULL`.
#[tokio::test]
async fn a_kill_in_the_middle_of_writing_leaves_whole_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::tests::together::writes_until_it_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let told = lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("kept ")?.parse::<usize>().ok());
    let told = told.take(25).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();

    let store = Store::open(folder.path()).await.unwrap();
    let kept: Vec<usize> = turns::load(&store, RunId::new(0, [0; 10])).await.unwrap();
    assert!(kept.len() > told, "{} of at least {told}", kept.len());
    ledger::seal(&store, at(1)).await.unwrap();
    assert_eq!(ledger::verify(&store).await.unwrap().rows, kept.len() as u64);
    let whole: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(file_of(&mut store.begin().await.unwrap()))
        .await
        .unwrap();
    assert_eq!(whole, "ok");
}

#[tokio::test]
#[ignore = "the child of the test above"]
async fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = Store::open(folder.as_ref()).await.unwrap();
    let run = RunId::new(0, [0; 10]);
    for number in 0_u32.. {
        let mut tx = store.begin().await.unwrap();
        turns::append(&mut tx, run, number, &number, at(0)).await.unwrap();
        tx.record(at(0), "turn.kept", None, Some(run), "turn", json!({}))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        println!("kept {number}");
    }
}
