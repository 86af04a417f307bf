//! What goes out and what comes back: proposals, decisions, the outbox, and ids that people type.

use super::*;

#[tokio::test]
async fn a_finding_has_one_open_proposal_and_a_task_one_for_life() {
    each_engine(async |scratch| {
        use proposals::ProposalState::{Open, Preparing, Rejected, Revising};
        let mut tx = scratch.begin().await;
        let (home, first, second) = (finding(1, "f").id, task(1, &[]).id, task(2, &[]).id);
        let page = proposal(1, first, home);
        proposals::insert(&mut tx, &page).await.unwrap();
        assert!(
            proposals::insert(&mut tx, &proposal(2, second, home))
                .await
                .unwrap_err()
                .is_conflict()
        );
        assert!(
            proposals::insert(&mut tx, &proposal(2, first, finding(2, "f").id))
                .await
                .unwrap_err()
                .is_conflict()
        );
        assert_eq!(proposals::open_count(&mut tx, "loop-1").await.unwrap(), 1);

        let revision = proposals::Revision {
            attempt: AttemptId::new(7, [7; 10]),
            base: "3".repeat(40),
            head: "4".repeat(40),
            title: "Better".to_owned(),
            body: "# Better".to_owned(),
        };
        assert!(
            !proposals::revise(&mut tx, page.id, &revision, at(1))
                .await
                .unwrap(),
            "nobody sent it back"
        );
        assert!(
            !proposals::set_state(&mut tx, page.id, Preparing, Revising, at(1))
                .await
                .unwrap()
        );
        assert!(
            proposals::set_state(&mut tx, page.id, Open, Revising, at(1))
                .await
                .unwrap()
        );
        assert!(
            proposals::revise(&mut tx, page.id, &revision, at(2))
                .await
                .unwrap()
        );
        proposals::set_body(&mut tx, page.id, "# Best", at(3))
            .await
            .unwrap();
        let kept = proposals::of_task(&mut tx, first).await.unwrap().unwrap();
        assert_eq!(
            (kept.state, kept.head.as_str(), kept.body.as_str()),
            (Preparing, &*revision.head, "# Best")
        );
        assert!(
            proposals::set_state(&mut tx, page.id, Preparing, Rejected, at(4))
                .await
                .unwrap()
        );
        assert_eq!(proposals::open_count(&mut tx, "loop-1").await.unwrap(), 0);
        proposals::insert(&mut tx, &proposal(2, second, home))
            .await
            .unwrap();
        let open = proposals::list(&mut tx, Some("loop-1"), Some(Open))
            .await
            .unwrap();
        assert_eq!(open, [proposal(2, second, home)]);
        assert_eq!(proposals::list(&mut tx, None, None).await.unwrap().len(), 2);
        assert_eq!(proposals::of_run(&mut tx, run(1).id).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn decisions_are_read_back_in_order() {
    each_engine(async |scratch| {
        use decisions::{Decision, Said};
        let mut tx = scratch.begin().await;
        let page = ProposalId::new(1, [1; 10]);
        let decision = |number: u8, verdict, words: Option<&str>| Decision {
            id: ::loops::id::DecisionId::new(u64::from(number), [number; 10]),
            proposal: page,
            verdict,
            words: words.map(str::to_owned),
            who: "ada".to_owned(),
            head: "1".repeat(40),
            at: at(i64::from(number)),
        };
        let said = [
            decision(1, Said::Revise, Some("add a test")),
            decision(2, Said::Approve, None),
        ];
        for one in &said {
            decisions::insert(&mut tx, one).await.unwrap();
        }
        assert_eq!(decisions::of_proposal(&mut tx, page).await.unwrap(), said);
    })
    .await;
}

#[tokio::test]
async fn an_effect_is_decided_once_and_carried_out_once() {
    each_engine(async |scratch| {
        use outbox::EffectState;
        let mut tx = scratch.begin().await;
        for key in ["b", "a"] {
            assert!(
                outbox::put(&mut tx, key, &json!({"push": key}), at(0))
                    .await
                    .unwrap()
            );
        }
        assert!(
            !outbox::put(&mut tx, "a", &json!({"push": "else"}), at(1))
                .await
                .unwrap()
        );
        assert!(outbox::tried(&mut tx, "a", "no network", at(9)).await.unwrap());
        let pending = outbox::pending(&mut tx, 9).await.unwrap();
        assert_eq!(
            pending
                .iter()
                .map(|effect| effect.key.as_str())
                .collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(
            (
                pending[0].tries,
                pending[0].effect::<serde_json::Value>().unwrap()
            ),
            (1, json!({"push": "a"}))
        );
        assert!(
            outbox::refused(&mut tx, "b", "a check is missing", at(9))
                .await
                .unwrap()
        );
        let counted = async |tx: &mut Tx, key: &str| {
            let effect = outbox::get(tx, key).await.unwrap().unwrap();
            (effect.tries, effect.refusals)
        };
        assert_eq!(counted(&mut tx, "a").await, (1, 0), "an outage is no refusal");
        assert_eq!(counted(&mut tx, "b").await, (1, 1));
        assert!(outbox::done(&mut tx, "a", at(2)).await.unwrap());
        assert!(!outbox::done(&mut tx, "a", at(3)).await.unwrap());
        assert!(outbox::failed(&mut tx, "b", "refused", at(3)).await.unwrap());
        assert_eq!(outbox::pending(&mut tx, 9).await.unwrap(), []);
        assert!(
            !outbox::put(&mut tx, "a", &json!({}), at(4)).await.unwrap(),
            "what was done is not done again"
        );
        let failed = outbox::get(&mut tx, "b").await.unwrap().unwrap();
        assert_eq!(
            (failed.state, failed.why.as_deref()),
            (EffectState::Failed, Some("refused"))
        );
    })
    .await;
}

#[tokio::test]
async fn what_people_type_leads_to_everything_that_it_can_mean() {
    each_engine(async |scratch| {
        use resolve::{Kind, resolve};
        let mut tx = scratch.begin().await;
        let one = runs::Run {
            id: RunId::new(1, [0xab; 10]),
            ..run(1)
        };
        runs::insert(&mut tx, &one).await.unwrap();
        let same_end = Finding {
            id: FindingId::new(2, [0xab; 10]),
            ..finding(1, "f")
        };
        findings::insert(&mut tx, "shop", &same_end, &json!({}), at(0))
            .await
            .unwrap();
        let heard = signal("1", "words");
        signals::upsert(&mut tx, "a", &heard, [0; 16], at(0))
            .await
            .unwrap();
        signals::upsert(&mut tx, "b", &heard, [0; 16], at(0))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let (run, finding) = (
            (Kind::Run, one.id.to_string()),
            (Kind::Finding, same_end.id.to_string()),
        );
        let ask = async |typed: &str| resolve(&scratch.store, typed).await.unwrap();
        assert_eq!(ask("abababab").await, [run.clone(), finding.clone()]);
        assert_eq!(ask(&one.id.short()).await, std::slice::from_ref(&run));
        assert_eq!(ask(&same_end.id.to_string().to_uppercase()).await, [finding]);
        assert_eq!(
            ask(&heard.id.to_string()).await,
            [(Kind::Signal, heard.id.to_string())],
            "once, though two loops read it"
        );
        for nothing in [
            "",
            "-",
            "aba",
            "%%%%",
            "_ab_",
            "task-abababab",
            "shop-abababab",
            "ünf4",
        ] {
            assert_eq!(ask(nothing).await, [], "{nothing}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_pull_request_is_known_by_its_proposal_as_long_as_that_is_open() {
    each_engine(async |scratch| {
        use proposals::ProposalState::Merged;
        let mut tx = scratch.begin().await;
        let page = proposal(1, task(1, &[]).id, finding(1, "f").id);
        proposals::insert(&mut tx, &page).await.unwrap();
        let pull = pulls::PullRow {
            proposal: page.id,
            repository: "acme/shop".to_owned(),
            number: 7,
            url: "https://github.com/acme/shop/pull/7".to_owned(),
            draft: true,
            talk: json!({}),
            rounds: 0,
            rebuilds: 0,
            hands_off: None,
            opened_at: at(1),
        };
        pulls::put(&mut tx, &pull).await.unwrap();
        pulls::set_talk(&mut tx, page.id, &json!({ "comments": 3 }))
            .await
            .unwrap();
        pulls::one_more_round(&mut tx, page.id).await.unwrap();
        pulls::one_more_rebuild(&mut tx, page.id).await.unwrap();
        let loop_name = &page.loop_name;
        assert_eq!(proposals::open_count(&mut tx, loop_name).await.unwrap(), 1);
        assert!(
            pulls::leave_alone(&mut tx, page.id, "it is theirs")
                .await
                .unwrap()
        );
        assert_eq!(proposals::open_count(&mut tx, loop_name).await.unwrap(), 0);
        assert!(!pulls::leave_alone(&mut tx, page.id, "again").await.unwrap());
        pulls::put(
            &mut tx,
            &pulls::PullRow {
                draft: false,
                ..pull.clone()
            },
        )
        .await
        .unwrap();

        let kept = pulls::get(&mut tx, page.id).await.unwrap().unwrap();
        assert_eq!(
            (kept.number, kept.draft, kept.rounds, kept.rebuilds),
            (7, false, 1, 1)
        );
        assert_eq!(
            kept.talk["comments"], 3,
            "what was read stays read when it is opened again"
        );
        assert_eq!(kept.hands_off.as_deref(), Some("it is theirs"));
        assert_eq!(pulls::open(&mut tx).await.unwrap().len(), 1);
        assert_eq!(pulls::of_repository(&mut tx, "acme/shop").await.unwrap().len(), 1);
        proposals::set_state(&mut tx, page.id, page.state, Merged, at(2))
            .await
            .unwrap();
        assert_eq!(pulls::open(&mut tx).await.unwrap(), []);
    })
    .await;
}
