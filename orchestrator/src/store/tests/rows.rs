//! What each aggregate promises.

use super::*;

async fn begin(scratch: &Scratch) -> Tx {
    scratch.store.begin().await.unwrap()
}

#[tokio::test]
async fn a_loop_has_one_open_run_and_closed_ones_stay_closed() {
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
}

#[tokio::test]
async fn runs_are_listed_newest_first_page_by_page() {
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
}

#[tokio::test]
async fn a_tick_is_claimed_once() {
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
}

#[tokio::test]
async fn a_spec_that_is_the_same_is_no_news_and_pausing_outlives_a_new_one() {
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
}

#[tokio::test]
async fn a_cursor_stands_where_it_was_put_last() {
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
}

#[tokio::test]
async fn a_signal_is_new_once_and_an_edit_is_triaged_anew() {
    use signals::Reading;
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
}

#[tokio::test]
async fn the_same_signal_belongs_to_each_loop_that_reads_it() {
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
}

#[tokio::test]
async fn erased_words_stay_away() {
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
}

#[tokio::test]
async fn findings_are_listed_best_first_and_merged_ones_only_when_asked_for() {
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
    let ids = |kept: Vec<findings::Kept>| kept.into_iter().map(|kept| kept.finding.id).collect::<Vec<_>>();
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
}

#[tokio::test]
async fn signals_follow_their_finding_into_the_one_that_it_becomes_a_part_of() {
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
}

#[tokio::test]
async fn a_refusal_and_an_open_proposal_suppress_a_finding() {
    use findings::{Suppression, suppression};
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
}

#[tokio::test]
async fn a_call_that_is_made_again_finds_its_task() {
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
    let spawn = async |tx: &mut Tx, call: &str, number: u8| {
        let one = task(number, &[finding(1, "f").id]);
        tasks::spawn(tx, run(1).id, "loop-1", call, &one, "waiting", at(0))
            .await
            .unwrap()
    };
    let first = spawn(&mut tx, "call-1", 1).await;
    assert_eq!(spawn(&mut tx, "call-1", 2).await, first);
    let second = spawn(&mut tx, "call-2", 2).await;
    assert_eq!((first.number, second.number), (1, 2));
    assert_eq!(first.task, task(1, &[finding(1, "f").id]));
    tasks::set_state(&mut tx, second.task.id, "failed", Some("no sandbox"), at(1))
        .await
        .unwrap();
    let kept = tasks::of_run(&mut tx, run(1).id).await.unwrap();
    assert_eq!(kept[1].why.as_deref(), Some("no sandbox"));
    assert_eq!(tasks::get(&mut tx, first.task.id).await.unwrap(), Some(first));
}

#[tokio::test]
async fn an_attempt_that_was_given_up_cannot_finish() {
    use attempts::{AttemptState, Ended};
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
    let one = task(1, &[]).id;
    let (lead, work) = (attempt(1, None, run(1).id), attempt(2, Some(one), run(1).id));
    attempts::insert(&mut tx, &lead).await.unwrap();
    attempts::insert(&mut tx, &work).await.unwrap();
    let todo = [workers::order::TodoItem {
        text: "read the code".to_owned(),
        state: workers::order::TodoState::Doing,
        why: None,
    }];
    attempts::set_todo(&mut tx, work.id, &todo).await.unwrap();
    attempts::set_doing(&mut tx, work.id, "check unit").await.unwrap();
    let ended = Ended {
        summary: Some("done".to_owned()),
        ending: Some("finished".to_owned()),
        tree: Some("2".repeat(40)),
        caveats: vec!["memory is not limited".to_owned()],
    };
    assert!(
        attempts::finish(&mut tx, lead.id, AttemptState::Done, &ended, at(5))
            .await
            .unwrap()
    );
    assert_eq!(
        attempts::lose_running(&mut tx, run(1).id, at(6)).await.unwrap(),
        [work.id]
    );
    assert!(
        !attempts::finish(&mut tx, work.id, AttemptState::Done, &ended, at(7))
            .await
            .unwrap()
    );
    let kept = attempts::of_run(&mut tx, run(1).id).await.unwrap();
    assert_eq!(
        (&kept[0].begun, &kept[0].ended, kept[0].ended_at),
        (&lead, &ended, Some(at(5)))
    );
    assert_eq!(
        (kept[1].state, kept[1].todo.as_slice(), &kept[1].doing),
        (AttemptState::Lost, &todo[..], &None)
    );
    assert_eq!(attempts::of_task(&mut tx, one).await.unwrap()[0].begun, work);
}

#[tokio::test]
async fn a_transcript_is_followed_by_number() {
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
    let id = attempt(1, None, run(1).id).id;
    let said = |text: &str| {
        (
            at(0),
            workers::order::Entry::Said {
                text: text.to_owned(),
            },
        )
    };
    assert_eq!(
        transcripts::append(&mut tx, id, &[said("a"), said("b")])
            .await
            .unwrap(),
        2
    );
    assert_eq!(transcripts::append(&mut tx, id, &[said("c")]).await.unwrap(), 3);
    let lines = transcripts::after(&mut tx, id, 1, 9).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(lines[1].entry, said("c").1);
    assert_eq!(transcripts::after(&mut tx, id, 3, 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_turn_is_kept_once() {
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
    turns::append(&mut tx, run(1).id, 0, &json!({"role": "user"}), at(0))
        .await
        .unwrap();
    assert!(
        turns::append(&mut tx, run(1).id, 0, &json!({"role": "user"}), at(0))
            .await
            .unwrap_err()
            .is_conflict()
    );
    assert_eq!(
        turns::load::<serde_json::Value>(&mut tx, run(1).id)
            .await
            .unwrap(),
        [json!({"role": "user"})]
    );
}

#[tokio::test]
async fn evidence_of_the_same_attempt_replaces_what_it_said_before() {
    use ::loops::evidence::{CheckKind, Evidence, Verdict};
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
    let piece = |name: &str| Evidence {
        name: name.to_owned(),
        kind: CheckKind::Command,
        verdict: Verdict::Passed,
        before: None,
        after: None,
        words: String::new(),
        detail: String::new(),
    };
    let one = task(1, &[]).id;
    let (work, prove) = (attempt(1, Some(one), run(1).id), attempt(2, Some(one), run(1).id));
    attempts::insert(&mut tx, &work).await.unwrap();
    attempts::insert(&mut tx, &prove).await.unwrap();
    evidence::put(&mut tx, prove.id, one, work.id, &[piece("unit"), piece("lint")])
        .await
        .unwrap();
    evidence::put(&mut tx, prove.id, one, work.id, &[piece("unit")])
        .await
        .unwrap();
    let kept = evidence::of_change(&mut tx, one, work.id).await.unwrap();
    assert_eq!(
        (kept.len(), &kept[0].evidence, kept[0].attempt),
        (1, &piece("unit"), prove.id)
    );
    assert_eq!(evidence::of_task(&mut tx, one).await.unwrap(), kept);
    let baseline = [workers::order::Baseline {
        name: "unit".to_owned(),
        observation: ::loops::evidence::Observation {
            verdict: Verdict::Passed,
            exit_code: Some(0),
            passed: Some(3),
            failed: None,
            skipped: None,
            duration_ms: 12,
        },
        passed: vec!["t".to_owned()],
        failed: vec![],
        skipped: vec![],
    }];
    baselines::put(&mut tx, "shop", "base", "digest", &[], at(0))
        .await
        .unwrap();
    baselines::put(&mut tx, "shop", "base", "digest", &baseline, at(1))
        .await
        .unwrap();
    let known = baselines::get(&mut tx, "shop", "base", "digest").await.unwrap();
    assert_eq!(known.as_deref(), Some(&baseline[..]));
    assert_eq!(
        baselines::get(&mut tx, "shop", "base", "other").await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_finding_has_one_open_proposal_and_a_task_one_for_life() {
    use proposals::ProposalState::{Open, Preparing, Rejected, Revising};
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
}

#[tokio::test]
async fn decisions_are_read_back_in_order() {
    use decisions::{Decision, Said};
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
}

#[tokio::test]
async fn an_effect_is_decided_once_and_carried_out_once() {
    use outbox::EffectState;
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
    assert!(outbox::tried(&mut tx, "a", "no network").await.unwrap());
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
}

#[tokio::test]
async fn what_people_type_leads_to_everything_that_it_can_mean() {
    use resolve::{Kind, resolve};
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
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
}

#[tokio::test]
async fn a_signal_id_stays_the_same_from_source_to_store() {
    let scratch = Scratch::new().await;
    let mut tx = begin(&scratch).await;
    let id: SignalId = signal("1", "words").id;
    signals::upsert(&mut tx, "shop", &signal("1", "words"), [0; 16], at(0))
        .await
        .unwrap();
    assert_eq!(
        signals::get(&mut tx, "shop", id).await.unwrap().unwrap().signal,
        signal("1", "words")
    );
}
