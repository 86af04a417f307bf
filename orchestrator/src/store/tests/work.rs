//! What work leaves: tasks, attempts, transcripts, turns and evidence.

use super::*;

#[tokio::test]
async fn a_call_that_is_made_again_finds_its_task() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
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
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_was_given_up_cannot_finish() {
    each_engine(async |scratch| {
        use attempts::{AttemptState, Ended};
        let mut tx = scratch.begin().await;
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
        let policy = serde_json::json!({
            "sandbox": "bubblewrap", "user": "1000", "files": [], "network": [], "environment": [], "denied_calls": [],
            "limits": [{ "of": "memory", "most": "4GiB", "by": "a control group (v2)" }], "second_wall": [], "caveats": [],
        });
        attempts::set_policy(&mut tx, lead.id, &policy).await.unwrap();
        let kept = attempts::policy(&mut tx, lead.id).await.unwrap().unwrap();
        assert_eq!(
            (kept.limits[0].most.as_str(), serde_json::to_value(&kept).unwrap()),
            ("4GiB", policy)
        );
        assert_eq!(attempts::policy(&mut tx, work.id).await.unwrap(), None);
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
    })
    .await;
}

#[tokio::test]
async fn a_transcript_is_followed_by_number() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
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
    })
    .await;
}

#[tokio::test]
async fn a_turn_is_kept_once() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
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
    })
    .await;
}

#[tokio::test]
async fn evidence_of_the_same_attempt_replaces_what_it_said_before() {
    each_engine(async |scratch| {
        use ::loops::evidence::{CheckKind, Evidence, Verdict};
        let mut tx = scratch.begin().await;
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
            load_errors: vec![],
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
    })
    .await;
}

#[tokio::test]
async fn a_step_of_one_task_writes_that_task_and_leaves_the_others() {
    each_engine(async |scratch| {
        let (a, b) = (
            TaskId::new(1, [1; 10]).to_string(),
            TaskId::new(2, [2; 10]).to_string(),
        );
        let state = json!({"phase": "leading", "tasks": {&a: {"step": "queued"}, &b: {"step": "queued"}}});
        let mut tx = scratch.begin().await;
        runs::insert(
            &mut tx,
            &runs::Run {
                state: state.clone(),
                ..run(1)
            },
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        let kept = runs::get(&scratch.store, run(1).id).await.unwrap().unwrap();
        assert_eq!(kept.state, state, "rows and all, it comes back as it was");
        let next =
            json!({"phase": "draining", "tasks": {&a: {"step": "working"}, &b: {"step": "lost on the way"}}});
        let mut tx = scratch.begin().await;
        let changed = json!({"phase": "draining", "tasks": {&a: {"step": "working"}}});
        let saved = runs::save_changed(&mut tx, run(1).id, &changed, ("draining", None));
        assert!(saved.await.unwrap());
        tx.commit().await.unwrap();
        let kept = runs::open_run(&scratch.store, "loop-1").await.unwrap().unwrap();
        let expected =
            json!({"phase": "draining", "tasks": {&a: {"step": "working"}, &b: {"step": "queued"}}});
        assert_eq!(kept.state, expected);
        let mut tx = scratch.begin().await;
        assert!(
            runs::save(&mut tx, run(1).id, &next, "ended", Some(at(9)))
                .await
                .unwrap()
        );
        assert!(
            !runs::save(&mut tx, run(1).id, &state, "ended", None)
                .await
                .unwrap(),
            "it has ended"
        );
        tx.commit().await.unwrap();
        let kept = runs::get(&scratch.store, run(1).id).await.unwrap().unwrap();
        assert_eq!(kept.state, next, "what came after the end changed no row");
    })
    .await;
}

#[tokio::test]
async fn a_state_of_before_there_were_rows_is_read_and_moves_into_them() {
    each_engine(async |scratch| {
        let task = TaskId::new(1, [1; 10]).to_string();
        let mut tx = scratch.begin().await;
        runs::insert(&mut tx, &run(1)).await.unwrap();
        tx.commit().await.unwrap();
        scratch
            .tamper("UPDATE runs SET state = '{\"phase\": \"leading\", \"tasks\": {\"old\": {\"step\": \"queued\"}}}'")
            .await;
        let kept = runs::get(&scratch.store, run(1).id).await.unwrap().unwrap();
        assert_eq!(kept.state["tasks"]["old"]["step"], "queued");
        let mut state = kept.state.clone();
        state["tasks"][&task] = json!({"step": "working"});
        let mut tx = scratch.begin().await;
        runs::save(&mut tx, run(1).id, &state, "leading", None).await.unwrap();
        tx.commit().await.unwrap();
        let kept = runs::get(&scratch.store, run(1).id).await.unwrap().unwrap();
        assert_eq!(kept.state, state);
    })
    .await;
}

#[tokio::test]
async fn tasks_that_are_spawned_together_are_numbered_on_and_the_same_calls_find_them_again() {
    each_engine(async |scratch| {
        let named = |number: u32| Task {
            id: TaskId::named(&number.to_string()),
            title: format!("title \0 {number}"),
            ..task(1, &[finding(1, "f").id])
        };
        let all: Vec<(String, Task)> = (1..=1_200).map(|n| (format!("call#{n}"), named(n))).collect();
        let calls: Vec<(&str, &Task)> = all.iter().map(|(call, task)| (call.as_str(), task)).collect();
        let whose = (run(1).id, "loop-1");
        let spawn = async |calls: &[(&str, &Task)]| {
            let mut tx = scratch.begin().await;
            let made = tasks::spawn_all(&mut tx, whose, calls, "queued", at(1))
                .await
                .unwrap();
            tx.commit().await.unwrap();
            made
        };
        assert_eq!(spawn(&calls[..1]).await[0].number, 1);
        let made = spawn(&calls).await;
        for (place, (made, (_, task))) in made.iter().zip(&calls).enumerate() {
            let expected = (task.id, u32::try_from(place).unwrap() + 1, place == 0);
            assert_eq!((made.id, made.number, made.known), expected);
        }
        let again = spawn(&calls).await;
        assert!(again.iter().all(|made| made.known));
        assert!(again.iter().map(|made| made.number).eq(1..=1_200));
        let names = tasks::names(&scratch.store, whose.0).await.unwrap();
        assert_eq!((names.len(), names[1_199].call_id.as_str()), (1_200, "call#1200"));
        let page = tasks::page(&scratch.store, whose.0, 1_150, 100).await.unwrap();
        assert_eq!((page.len(), page[0].number), (50, 1_151));
        assert_eq!(page[0].task.title, "title \u{fffd} 1151", "as any text is kept");
    })
    .await;
}
