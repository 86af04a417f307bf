//! What findings promise.

use super::*;

#[tokio::test]
async fn findings_are_listed_best_first_and_merged_ones_only_when_asked_for() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        for number in 1..=3 {
            let one = finding(number, "f");
            findings::insert(&mut tx, "shop", &one, &json!({"n": number}), at(0))
                .await
                .unwrap();
        }
        findings::set_state(&mut tx, finding(2, "f").id, FindingState::Merged, at(1))
            .await
            .unwrap();
        let better = Finding {
            score: Score {
                total: 9.0,
                parts: vec![],
            },
            ..finding(1, "f")
        };
        findings::update(&mut tx, "shop", &better, &json!({"n": 9}), at(2))
            .await
            .unwrap();
        let ids =
            |kept: Vec<findings::Kept>| kept.into_iter().map(|kept| kept.finding.id).collect::<Vec<_>>();
        let all = findings::list(&mut tx, &findings::Filter::default())
            .await
            .unwrap();
        assert_eq!(
            (&all[0].finding, all[0].updated_at, all[0].created_at),
            (&better, at(2), at(0))
        );
        assert_eq!(ids(all), [better.id, finding(3, "f").id]);
        let filter = findings::Filter {
            state: Some(FindingState::Merged),
            ..Default::default()
        };
        assert_eq!(
            ids(findings::list(&mut tx, &filter).await.unwrap()),
            [finding(2, "f").id]
        );
        let filter = findings::Filter {
            min_score: Some(5.0),
            loop_name: Some("shop"),
            ..Default::default()
        };
        assert_eq!(ids(findings::list(&mut tx, &filter).await.unwrap()), [better.id]);
        let filter = findings::Filter {
            loop_name: Some("other"),
            ..Default::default()
        };
        assert_eq!(ids(findings::list(&mut tx, &filter).await.unwrap()), []);
        let clusters = findings::clusters(&mut tx, "shop").await.unwrap();
        assert_eq!(clusters.len(), 3);
        assert_eq!(clusters[0], (better.id, json!({"n": 9})));
    })
    .await;
}

#[tokio::test]
async fn signals_follow_their_finding_into_the_one_that_it_becomes_a_part_of() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let [a, b, c] = [1, 2, 3].map(|number| finding(number, "f").id);
        for number in 1..=3 {
            findings::insert(&mut tx, "shop", &finding(number, "f"), &json!({}), at(0))
                .await
                .unwrap();
        }
        let one = signal("1", "words");
        signals::upsert(&mut tx, "shop", &one, [0; 16], at(0))
            .await
            .unwrap();
        signals::set_finding(&mut tx, "shop", one.id, a).await.unwrap();
        assert_eq!(findings::merge(&mut tx, a, b, at(1)).await.unwrap(), b);
        assert_eq!(
            findings::merge(&mut tx, a, b, at(1)).await.unwrap(),
            b,
            "told twice is no harm"
        );
        assert_eq!(findings::merge(&mut tx, b, c, at(2)).await.unwrap(), c);
        assert_eq!(signals::of_finding(&mut tx, c, 9).await.unwrap().len(), 1);
        assert_eq!(findings::resolved(&mut tx, a).await.unwrap(), c);
        assert_eq!(
            findings::resolved_all(&mut tx, "shop").await.unwrap(),
            [(a, c), (b, c)].into()
        );
        for (from, into) in [(c, a), (c, c)] {
            let refused = findings::merge(&mut tx, from, into, at(3)).await.unwrap_err();
            assert!(matches!(refused, StoreError::Circular { .. }), "{refused}");
        }
        let nobody = findings::merge(&mut tx, finding(9, "f").id, a, at(3))
            .await
            .unwrap_err();
        assert!(matches!(nobody, StoreError::Missing { .. }));
    })
    .await;
}

#[tokio::test]
async fn a_refusal_and_an_open_proposal_suppress_a_finding() {
    each_engine(async |scratch| {
        use findings::{Suppression, suppression};
        let mut tx = scratch.begin().await;
        let [a, b, c] = [1, 2, 3].map(|number| finding(number, "f").id);
        for (number, fingerprint) in [(1, "like"), (2, "like"), (3, "other")] {
            let one = finding(number, fingerprint);
            findings::insert(&mut tx, "loop-1", &one, &json!({}), at(0))
                .await
                .unwrap();
        }
        assert_eq!(suppression(&mut tx, a).await.unwrap(), None);
        findings::refuse(&mut tx, a, "by design", false, at(1))
            .await
            .unwrap();
        let why = || "by design".to_owned();
        assert_eq!(
            suppression(&mut tx, a).await.unwrap(),
            Some(Suppression::Refused { why: why() })
        );
        assert_eq!(suppression(&mut tx, b).await.unwrap(), None);
        findings::refuse(&mut tx, a, "by design", true, at(1))
            .await
            .unwrap();
        assert_eq!(
            suppression(&mut tx, b).await.unwrap(),
            Some(Suppression::Never {
                finding: a,
                why: why()
            })
        );

        let spawned = tasks::spawn(
            &mut tx,
            run(1).id,
            "loop-1",
            "c1",
            &task(1, &[a, c]),
            "waiting",
            at(0),
        )
        .await
        .unwrap();
        let page = proposal(1, spawned.task.id, a);
        proposals::insert(&mut tx, &page).await.unwrap();
        let waits = Some(Suppression::Proposed { proposal: page.id });
        assert_eq!(
            suppression(&mut tx, c).await.unwrap(),
            waits,
            "it is the second finding of the task"
        );
        use proposals::ProposalState::{Merged, Open};
        assert!(
            proposals::set_state(&mut tx, page.id, Open, Merged, at(2))
                .await
                .unwrap()
        );
        assert_eq!(suppression(&mut tx, c).await.unwrap(), None);
    })
    .await;
}
