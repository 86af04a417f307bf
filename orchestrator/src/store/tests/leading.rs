//! Facts about leading: one process at a time, and nothing is written by one that led before.

use std::time::Duration;

use super::*;
use crate::store::leader;

const LEASE: Duration = Duration::from_secs(15);

async fn leading(scratch: &Scratch, name: &str) -> (Store, StateLock, tempfile::TempDir) {
    let (folder, store) = (tempfile::tempdir().unwrap(), scratch.again().await.unwrap());
    let lock = StateLock::take(folder.path()).unwrap();
    let lock = lock.in_turn_in(&store, async |_| false).await.unwrap().unwrap();
    let lock = lock.lead(&store, name, LEASE).await.unwrap();
    (store, lock, folder)
}

/// What a process that is frozen, or cut off, looks like from outside: it holds the claim, and says nothing.
async fn silent(scratch: &Scratch) {
    let server = "UPDATE leader SET expires_at = 0";
    scratch.tamper(server).await;
}

#[tokio::test]
async fn a_leader_that_was_silent_too_long_is_followed_by_another_and_writes_nothing_any_more() {
    let scratch = Scratch::on_postgres().await;
    let (old, _lock, _folder) = leading(&scratch, "old").await;
    old.begin().await.unwrap().commit().await.unwrap();
    let mut under_way = old.begin().await.unwrap();
    runs::insert(&mut under_way, &run(1)).await.unwrap();
    // Its claim is its own process's here, which nobody cuts off: so it gives that back by itself.
    silent(&scratch).await;
    drop(_lock);
    under_way.commit().await.unwrap();
    let (new, _new_lock, _folder) = loop {
        let (folder, store) = (tempfile::tempdir().unwrap(), scratch.again().await.unwrap());
        let lock = StateLock::take(folder.path()).unwrap();
        if let Some(lock) = lock.in_turn_in(&store, async |_| false).await.unwrap() {
            let lock = lock.lead(&store, "new", LEASE).await.unwrap();
            break (store, lock, folder);
        }
    };
    let refused = old.begin().await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Deposed { who, .. } if who == "new"),
        "{refused}"
    );
    let mut tx = new.begin().await.unwrap();
    runs::insert(&mut tx, &run(2)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(leader::get(&new).await.unwrap().unwrap().epoch, 2);
    // The control: without its epoch the old one would write.
    let unfenced = old.begin_unfenced().await.unwrap();
    unfenced.commit().await.unwrap();
}

#[tokio::test]
async fn who_leads_in_good_time_is_not_cut_off() {
    let scratch = Scratch::on_postgres().await;
    let (leader, _lock, _folder) = leading(&scratch, "old").await;
    let other = scratch.again().await.unwrap();
    assert!(!other.cut_off_lost_leader().await.unwrap());
    silent(&scratch).await;
    assert!(other.cut_off_lost_leader().await.unwrap());
    drop(leader);
}

#[tokio::test]
async fn on_a_file_nothing_is_fenced() {
    let scratch = Scratch::new().await;
    let folder = tempfile::tempdir().unwrap();
    let lock = StateLock::take(folder.path()).unwrap();
    let lock = lock.also_in(&scratch.store).await.unwrap();
    let lock = lock.lead(&scratch.store, "one", LEASE).await.unwrap();
    assert!(!lock.leads());
    assert_eq!(leader::get(&scratch.store).await.unwrap(), None);
    scratch.begin().await.commit().await.unwrap();
}
