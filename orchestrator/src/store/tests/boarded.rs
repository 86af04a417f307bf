//! The dashboard: one issue a repository, a tick that counts once, an effect of which only the last form counts.

use super::*;
use crate::store::{
    boards::{self, Board},
    outbox::{self, EffectState},
};

#[tokio::test]
async fn a_tick_is_taken_once_and_counted() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        for (serial, first) in [(0, true), (0, false), (1, true)] {
            let taken = boards::take(&mut tx, "a/b", "pause:fix", serial, Some("carol"), at(1)).await;
            assert_eq!(taken.unwrap(), first);
        }
        let known = boards::ticked(&mut tx, "a/b").await.unwrap();
        assert_eq!(known["pause:fix"], 2);
        assert!(boards::ticked(&mut tx, "a/c").await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_repository_has_one_board_which_is_written_anew() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let mut board = Board {
            repository: "a/b".to_owned(),
            number: 7,
            url: "https://example.com/7".to_owned(),
            body: "one".to_owned(),
            closed_at: None,
            updated_at: at(1),
        };
        boards::put(&mut tx, &board).await.unwrap();
        board.body = "two".to_owned();
        board.closed_at = Some(at(2));
        boards::put(&mut tx, &board).await.unwrap();
        assert_eq!(boards::get(&mut tx, "a/b").await.unwrap(), Some(board));
    })
    .await;
}

#[tokio::test]
async fn of_an_effect_that_is_renewed_only_the_last_form_counts() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let key = "board:a/b";
        assert!(outbox::renew(&mut tx, key, &"one", at(1)).await.unwrap());
        assert!(outbox::tried(&mut tx, key, "no answer", at(9)).await.unwrap());
        assert!(!outbox::renew(&mut tx, key, &"one", at(2)).await.unwrap());
        assert!(outbox::renew(&mut tx, key, &"two", at(3)).await.unwrap());
        let waits = outbox::get(&mut tx, key).await.unwrap().unwrap();
        assert_eq!(
            (waits.effect, waits.tries, waits.next_at),
            (json!("two"), 1, at(9)),
            "it keeps its place"
        );
        outbox::done(&mut tx, key, at(9)).await.unwrap();
        assert!(outbox::renew(&mut tx, key, &"two", at(10)).await.unwrap());
        outbox::failed(&mut tx, key, "no issues there", at(11))
            .await
            .unwrap();
        assert!(
            !outbox::renew(&mut tx, key, &"two", at(12)).await.unwrap(),
            "it was given up"
        );
        assert!(outbox::renew(&mut tx, key, &"three", at(13)).await.unwrap());
        let anew = outbox::get(&mut tx, key).await.unwrap().unwrap();
        assert_eq!(
            (anew.state, anew.tries, anew.next_at),
            (EffectState::Pending, 0, Timestamp(0))
        );
    })
    .await;
}

#[tokio::test]
async fn what_a_person_asks_for_again_begins_anew_though_it_was_given_up() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let key = "merge:P:head";
        assert!(outbox::again(&mut tx, key, &"base", at(1)).await.unwrap());
        outbox::tried(&mut tx, key, "no answer", at(9)).await.unwrap();
        assert!(!outbox::again(&mut tx, key, &"base", at(2)).await.unwrap());
        assert!(
            outbox::failed_since(&mut tx, at(0), 9).await.unwrap().is_empty(),
            "it waits"
        );
        outbox::failed(&mut tx, key, "a review is missing", at(3))
            .await
            .unwrap();
        let failed = outbox::failed_since(&mut tx, at(3), 9).await.unwrap();
        assert_eq!(failed[0].key, key);
        assert!(outbox::failed_since(&mut tx, at(4), 9).await.unwrap().is_empty());
        assert!(outbox::again(&mut tx, key, &"base", at(5)).await.unwrap());
        let anew = outbox::get(&mut tx, key).await.unwrap().unwrap();
        assert_eq!(
            (anew.state, anew.tries, anew.why, anew.next_at),
            (EffectState::Pending, 0, None, Timestamp(0))
        );
    })
    .await;
}

#[tokio::test]
async fn how_far_comments_under_a_board_were_read_outlives_its_text() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let board = Board {
            repository: "a/b".to_owned(),
            number: 7,
            url: "https://example.com/7".to_owned(),
            body: "one".to_owned(),
            closed_at: None,
            updated_at: at(1),
        };
        boards::put(&mut tx, &board).await.unwrap();
        assert_eq!(boards::heard(&mut tx, "a/b").await.unwrap(), None);
        boards::set_heard(&mut tx, "a/b", at(5)).await.unwrap();
        boards::put(&mut tx, &board).await.unwrap();
        assert_eq!(boards::heard(&mut tx, "a/b").await.unwrap(), Some(at(5)));
        assert!(!boards::is_taken(&mut tx, "a/b", "comment:9").await.unwrap());
        boards::take(&mut tx, "a/b", "comment:9", 0, Some("carol"), at(6))
            .await
            .unwrap();
        assert!(boards::is_taken(&mut tx, "a/b", "comment:9").await.unwrap());
    })
    .await;
}
