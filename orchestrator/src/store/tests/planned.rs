//! Plans: they wait once, are answered once, and hold their findings as long as nobody has begun.

use ::loops::{budget::Money, finding::FindingState};

use super::*;
use crate::store::{
    findings::{Suppression, suppression},
    plans::{Plan, PlanState},
};

/// A task of a run with a plan that waits.
async fn planned(tx: &mut Tx, number: u8, finding: FindingId) -> Plan {
    let task = task(number, &[finding]);
    let call = format!("call-{number}");
    tasks::spawn(tx, run(1).id, "loop-1", &call, &task, "planned", at(1))
        .await
        .unwrap();
    let plan = Plan::of(
        &task,
        run(1).id,
        "loop-1",
        Money(3_000_000),
        at(i64::from(number)),
    );
    assert!(plans::insert(tx, &plan).await.unwrap());
    plan
}

async fn open(tx: &mut Tx) -> u32 {
    plans::open_count(tx, "loop-1").await.unwrap()
}

#[tokio::test]
async fn a_plan_is_answered_once_and_read_back_as_it_was_shown() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let plan = planned(&mut tx, 1, finding(1, "f").id).await;
        assert_eq!(plans::get(&mut tx, plan.task).await.unwrap().unwrap(), plan);
        assert!(
            !plans::insert(&mut tx, &plan).await.unwrap(),
            "the same call makes it once"
        );

        assert!(
            plans::revise(&mut tx, plan.task, "more", "do more", "ada", at(5))
                .await
                .unwrap()
        );
        assert!(
            plans::decide(&mut tx, plan.task, PlanState::Approved, None, "ben", at(6))
                .await
                .unwrap()
        );
        assert!(
            !plans::decide(&mut tx, plan.task, PlanState::Refused, Some("no"), "cleo", at(7))
                .await
                .unwrap(),
            "the first answer counts"
        );
        assert!(
            !plans::revise(&mut tx, plan.task, "less", "do less", "cleo", at(7))
                .await
                .unwrap()
        );
        let kept = plans::get(&mut tx, plan.task).await.unwrap().unwrap();
        assert_eq!(
            (kept.goal.as_str(), kept.state, kept.who.as_deref()),
            ("more", PlanState::Approved, Some("ben"))
        );
        assert_eq!(kept.decided_at, Some(at(6)));
    })
    .await;
}

#[tokio::test]
async fn a_plan_is_open_until_somebody_begins_with_it_or_refuses_it() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let (a, b) = (finding(1, "a").id, finding(2, "b").id);
        for (number, state) in [(1, FindingState::Working), (2, FindingState::Open)] {
            let found = Finding {
                state,
                ..finding(number, "f")
            };
            findings::insert(&mut tx, "loop-1", &found, &json!(""), at(0))
                .await
                .unwrap();
        }
        let first = planned(&mut tx, 1, a).await;
        let second = planned(&mut tx, 2, b).await;
        assert_eq!(open(&mut tx).await, 2);
        assert_eq!(plans::open_count(&mut tx, "loop-2").await.unwrap(), 0);
        let waits = Some(Suppression::Planned { task: second.task });
        assert_eq!(suppression(&mut tx, b).await.unwrap(), waits);

        plans::decide(&mut tx, first.task, PlanState::Approved, None, "ada", at(3))
            .await
            .unwrap();
        assert_eq!(open(&mut tx).await, 2, "nobody has begun with it");
        let ready = plans::not_taken_up(&mut tx, Some("loop-1")).await.unwrap();
        assert_eq!(
            ready.iter().map(|plan| plan.task).collect::<Vec<_>>(),
            [first.task]
        );
        assert_eq!(plans::not_taken_up(&mut tx, None).await.unwrap(), ready);
        assert_eq!(plans::not_taken_up(&mut tx, Some("loop-2")).await.unwrap(), []);
        tasks::set_state(&mut tx, first.task, "queued", None, at(4))
            .await
            .unwrap();
        assert_eq!(plans::not_taken_up(&mut tx, None).await.unwrap(), []);
        assert_eq!(open(&mut tx).await, 1);

        let no = Some("not now");
        plans::decide(&mut tx, second.task, PlanState::Refused, no, "ada", at(5))
            .await
            .unwrap();
        assert_eq!(open(&mut tx).await, 0);
        assert_eq!(suppression(&mut tx, b).await.unwrap(), None);
        let answered = plans::answered(&mut tx, run(1).id).await.unwrap();
        assert_eq!(
            answered.iter().map(|plan| plan.task).collect::<Vec<_>>(),
            [second.task],
            "the first one's task knows"
        );
        let waiting = plans::list(&mut tx, None, Some(PlanState::Waiting))
            .await
            .unwrap();
        assert_eq!(waiting, []);
        assert_eq!(plans::list(&mut tx, Some("loop-1"), None).await.unwrap().len(), 2);
    })
    .await;
}
