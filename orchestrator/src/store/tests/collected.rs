//! What is collected and what becomes of it: loops, runs, ticks, cursors and signals.

use ::loops::schedule::{Cause, Setback};

use super::*;

#[tokio::test]
async fn an_older_edition_never_takes_a_newer_ones_place_and_what_was_buried_is_not_heard() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let one = signal("1", "words");
        assert!(
            signals::advance(&mut tx, "shop", one.id, at(5), true)
                .await
                .unwrap(),
            "it is not known"
        );
        signals::upsert(&mut tx, "shop", &one, [1; 16], at(9))
            .await
            .unwrap();
        let mut later = async |changed, later| {
            signals::advance(&mut tx, "shop", one.id, at(changed), later)
                .await
                .unwrap()
        };
        assert!(later(5, true).await, "nobody said when it changed");
        assert!(!later(4, false).await && !later(4, true).await, "older");
        assert!(
            later(5, false).await && !later(5, true).await,
            "of the same moment"
        );
        assert!(later(6, true).await && !later(5, false).await);

        let gone = crate::source::Gone {
            source: "github:acme/shop".to_owned(),
            external_id: "comment:7".to_owned(),
        };
        let id = signals::bury(&mut tx, "shop", &gone, at(9)).await.unwrap();
        assert_eq!(signals::bury(&mut tx, "shop", &gone, at(10)).await.unwrap(), id);
        let late = Signal {
            id,
            source: gone.source.clone(),
            external_id: gone.external_id.clone(),
            ..signal("1", "words that are gone")
        };
        let read = signals::upsert(&mut tx, "shop", &late, [2; 16], at(11))
            .await
            .unwrap();
        assert_eq!(read, signals::Reading::Unchanged);
        let kept = signals::get(&mut tx, "shop", id).await.unwrap().unwrap();
        assert_eq!((kept.signal.text.as_str(), kept.erased_at), ("", Some(at(9))));
        assert_eq!(
            signals::unassigned(&mut tx, "shop", 9).await.unwrap().len(),
            1,
            "it is no report"
        );
    })
    .await;
}

#[tokio::test]
async fn a_loop_has_one_open_run_and_closed_ones_stay_closed() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        runs::insert(&mut tx, &run(1)).await.unwrap();
        let second = runs::Run {
            id: RunId::new(2, [2; 10]),
            ..run(1)
        };
        assert!(runs::insert(&mut tx, &second).await.unwrap_err().is_conflict());
        assert!(
            runs::save(&mut tx, run(1).id, &json!({"phase": "plan"}), "plan", None)
                .await
                .unwrap()
        );
        let open = runs::open_run(&mut tx, "loop-1").await.unwrap().unwrap();
        assert_eq!(
            (open.phase.as_str(), open.state::<serde_json::Value>().unwrap()),
            ("plan", json!({"phase": "plan"}))
        );
        assert!(
            runs::save(&mut tx, run(1).id, &json!({}), "ended", Some(at(9)))
                .await
                .unwrap()
        );
        assert!(
            !runs::save(&mut tx, run(1).id, &json!({}), "plan", None)
                .await
                .unwrap()
        );
        assert_eq!(runs::open_run(&mut tx, "loop-1").await.unwrap(), None);
        runs::insert(&mut tx, &second).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn runs_are_listed_newest_first_page_by_page() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        for number in 1..=5 {
            runs::insert(&mut tx, &run(number)).await.unwrap();
        }
        let first = runs::list(&mut tx, None, None, 3).await.unwrap();
        let second = runs::list(&mut tx, None, first.last(), 3).await.unwrap();
        let names: Vec<_> = first
            .iter()
            .chain(&second)
            .map(|run| run.loop_name.as_str())
            .collect();
        assert_eq!(names, ["loop-5", "loop-4", "loop-3", "loop-2", "loop-1"]);
        assert_eq!(
            runs::list(&mut tx, Some("loop-2"), None, 3).await.unwrap(),
            [run(2)]
        );
    })
    .await;
}

#[tokio::test]
async fn a_tick_is_claimed_once() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let tick = ticks::Tick {
            loop_name: "shop".to_owned(),
            due_at: at(0),
            receipt: ticks::Receipt::Running,
            why: None,
            run: Some(run(1).id),
        };
        assert!(ticks::claim(&mut tx, &tick).await.unwrap());
        assert!(!ticks::claim(&mut tx, &tick).await.unwrap());
        assert_eq!(
            ticks::end_of_run(&mut tx, run(1).id, ticks::Receipt::Ran, None)
                .await
                .unwrap(),
            1
        );
        let skipped = ticks::Tick {
            receipt: ticks::Receipt::Skipped,
            why: Some("quiet".to_owned()),
            run: None,
            ..tick
        };
        assert!(ticks::receipt(&mut tx, &skipped).await.unwrap());
        let kept = ticks::list(&mut tx, "shop", 9).await.unwrap();
        assert_eq!(
            kept,
            [ticks::Tick {
                run: Some(run(1).id),
                ..skipped
            }]
        );
    })
    .await;
}

#[tokio::test]
async fn a_tick_that_was_taken_gets_one_run_or_fails_and_nothing_after_it() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let taken = |due| ticks::Tick {
            loop_name: "shop".to_owned(),
            due_at: at(due),
            receipt: ticks::Receipt::Running,
            why: None,
            run: None,
        };
        for due in [0, 1] {
            assert!(ticks::claim(&mut tx, &taken(due)).await.unwrap());
        }
        let unbegun = ticks::unbegun(&mut tx).await.unwrap();
        assert_eq!(unbegun, [taken(0), taken(1)]);
        let begun = |due, n| (at(due), run(n).id);
        for (known, (due, run), first) in [
            ("taken before", begun(0, 1), true),
            ("begun before", begun(0, 2), false),
            ("not taken before", begun(2, 3), true),
        ] {
            let began = ticks::begin(&mut tx, "shop", due, run).await.unwrap();
            assert_eq!(began, first, "{known}");
        }
        assert!(ticks::fail(&mut tx, "shop", at(1), "no git").await.unwrap());
        assert!(ticks::fail(&mut tx, "shop", at(3), "no git").await.unwrap());
        assert!(!ticks::fail(&mut tx, "shop", at(0), "no git").await.unwrap());
        assert!(!ticks::begin(&mut tx, "shop", at(1), run(4).id).await.unwrap());
        assert_eq!(ticks::unbegun(&mut tx).await.unwrap(), []);
        let kept = ticks::list(&mut tx, "shop", 9).await.unwrap();
        let receipts: Vec<&str> = kept.iter().map(|tick| tick.receipt.as_str()).collect();
        assert_eq!(receipts, ["failed", "running", "failed", "running"]);
    })
    .await;
}

#[tokio::test]
async fn failures_are_counted_until_it_works_or_its_spec_changes() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let spec = json!({"name": "shop"});
        loops::upsert(&mut tx, "shop", "v1", &spec, "shop.yaml", at(0))
            .await
            .unwrap();
        assert_eq!(
            loops::standing(&mut tx, "shop").await.unwrap(),
            Some(loops::Standing::default())
        );
        assert_eq!(loops::standing(&mut tx, "other").await.unwrap(), None);
        let setback = Setback::after(None, Cause::Repository, at(5));
        for version in ["v1", "v2"] {
            loops::fail(&mut tx, "shop", setback).await.unwrap();
            let standing = loops::standing(&mut tx, "shop").await.unwrap().unwrap();
            assert_eq!(standing.setback, Some(setback));
            if version == "v1" {
                assert!(loops::recover(&mut tx, "shop").await.unwrap());
            } else {
                loops::upsert(&mut tx, "shop", version, &spec, "shop.yaml", at(6))
                    .await
                    .unwrap();
            }
            let kept = loops::get(&mut tx, "shop").await.unwrap().unwrap();
            assert_eq!(kept.setback, None);
        }
        assert!(!loops::recover(&mut tx, "shop").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_loop_is_known_with_since_when_it_is_served_and_its_last_tick() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        for name in ["docs", "shop"] {
            loops::upsert(&mut tx, name, "v1", &json!({}), "x.yaml", at(0))
                .await
                .unwrap();
        }
        loops::serve(&mut tx, "shop", Some(at(1))).await.unwrap();
        for due in [7, 3] {
            ticks::fail(&mut tx, "shop", at(due), "no git").await.unwrap();
        }
        let seen = async |tx: &mut Tx| {
            let heads = loops::heads(tx).await.unwrap();
            heads
                .into_iter()
                .map(|head| (head.name, head.served_since, head.last_tick))
                .collect::<Vec<_>>()
        };
        let docs = ("docs".to_owned(), None, None);
        assert_eq!(
            seen(&mut tx).await,
            [docs.clone(), ("shop".to_owned(), Some(at(1)), Some(at(7)))]
        );
        loops::serve(&mut tx, "shop", None).await.unwrap();
        assert_eq!(
            seen(&mut tx).await,
            [docs, ("shop".to_owned(), None, Some(at(7)))]
        );
    })
    .await;
}

#[tokio::test]
async fn a_spec_that_is_the_same_is_no_news_and_pausing_outlives_a_new_one() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let spec = json!({"name": "shop"});
        assert!(
            loops::upsert(&mut tx, "shop", "v1", &spec, "shop.yaml", at(0))
                .await
                .unwrap()
        );
        assert!(
            !loops::upsert(&mut tx, "shop", "v1", &spec, "shop.yaml", at(1))
                .await
                .unwrap()
        );
        assert!(loops::pause(&mut tx, "shop", at(2)).await.unwrap());
        assert!(
            loops::upsert(&mut tx, "shop", "v2", &spec, "shop.yaml", at(3))
                .await
                .unwrap()
        );
        let kept = loops::get(&mut tx, "shop").await.unwrap().unwrap();
        assert_eq!(
            (kept.version.as_str(), kept.paused_at, kept.updated_at),
            ("v2", Some(at(2)), at(3))
        );
        assert!(loops::resume(&mut tx, "shop").await.unwrap());
        assert!(!loops::resume(&mut tx, "shop").await.unwrap());
        assert!(!loops::pause(&mut tx, "other", at(4)).await.unwrap());
        assert_eq!(loops::list(&mut tx).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_cursor_stands_where_it_was_put_last() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        cursors::put(&mut tx, "shop", "a", "1", at(0)).await.unwrap();
        cursors::put(&mut tx, "shop", "a", "2", at(1)).await.unwrap();
        cursors::put(&mut tx, "other", "b", "3", at(1)).await.unwrap();
        assert_eq!(
            cursors::get(&mut tx, "shop", "a").await.unwrap().as_deref(),
            Some("2")
        );
        assert_eq!(
            cursors::of_loop(&mut tx, "shop").await.unwrap(),
            [("a".to_owned(), "2".to_owned())].into()
        );
    })
    .await;
}

#[tokio::test]
async fn a_signal_is_new_once_and_an_edit_is_triaged_anew() {
    each_engine(async |scratch| {
        use signals::Reading;
        let mut tx = scratch.begin().await;
        let first = signal("1", "the total is wrong");
        let home = finding(1, "f").id;
        assert_eq!(
            signals::upsert(&mut tx, "shop", &first, [1; 16], at(0))
                .await
                .unwrap(),
            Reading::New
        );
        assert_eq!(
            signals::upsert(&mut tx, "shop", &first, [2; 16], at(1))
                .await
                .unwrap(),
            Reading::Unchanged
        );
        signals::set_finding(&mut tx, "shop", first.id, home)
            .await
            .unwrap();
        let liked = Signal {
            reactions: [("+1".to_owned(), 9)].into(),
            ..first.clone()
        };
        let read = signals::upsert(&mut tx, "shop", &liked, [2; 16], at(2))
            .await
            .unwrap();
        assert_eq!(read, Reading::Refreshed { finding: Some(home) });
        assert_eq!(signals::unassigned(&mut tx, "shop", 9).await.unwrap(), []);

        let edited = signal("1", "the total is wrong with a coupon");
        let read = signals::upsert(&mut tx, "shop", &edited, [3; 16], at(3))
            .await
            .unwrap();
        assert_eq!(read, Reading::Edited { was_in: Some(home) });
        let kept = signals::unassigned(&mut tx, "shop", 9).await.unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(
            (&kept[0].signal, kept[0].edition, kept[0].read_at),
            (&edited, 2, at(3))
        );
        assert_eq!(kept[0].salt, hex::encode([3; 16]));
        assert_eq!(signals::count(&mut tx, "shop").await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_same_signal_belongs_to_each_loop_that_reads_it() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let one = signal("1", "words");
        for name in ["a", "b"] {
            let read = signals::upsert(&mut tx, name, &one, [0; 16], at(0))
                .await
                .unwrap();
            assert_eq!(read, signals::Reading::New);
        }
        signals::set_noise(&mut tx, "a", one.id, "thanks").await.unwrap();
        assert_eq!(signals::unassigned(&mut tx, "a", 9).await.unwrap(), []);
        assert_eq!(signals::unassigned(&mut tx, "b", 9).await.unwrap().len(), 1);
        let gone = signals::set_noise(&mut tx, "c", one.id, "thanks")
            .await
            .unwrap_err();
        assert!(matches!(gone, StoreError::Missing { .. }));
    })
    .await;
}

#[tokio::test]
async fn erased_words_stay_away() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let one = signal("1", "my name is Ada");
        signals::upsert(&mut tx, "shop", &one, [1; 16], at(0))
            .await
            .unwrap();
        assert!(signals::erase(&mut tx, "shop", one.id, at(1)).await.unwrap());
        assert!(!signals::erase(&mut tx, "shop", one.id, at(2)).await.unwrap());
        let again = signals::upsert(&mut tx, "shop", &one, [2; 16], at(3))
            .await
            .unwrap();
        assert_eq!(again, signals::Reading::Unchanged);
        let kept = signals::get(&mut tx, "shop", one.id).await.unwrap().unwrap();
        assert_eq!(
            (kept.signal.text.as_str(), kept.signal.author, kept.salt.as_str()),
            ("", None, "")
        );
        assert_eq!(signals::unassigned(&mut tx, "shop", 9).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_signal_id_stays_the_same_from_source_to_store() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let id: SignalId = signal("1", "words").id;
        signals::upsert(&mut tx, "shop", &signal("1", "words"), [0; 16], at(0))
            .await
            .unwrap();
        assert_eq!(
            signals::get(&mut tx, "shop", id).await.unwrap().unwrap().signal,
            signal("1", "words")
        );
    })
    .await;
}
