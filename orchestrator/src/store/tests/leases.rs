//! Facts about orders and who holds them: the statements do what [`::loops::lease`] says, on both engines.

use std::time::Duration;

use ::loops::lease::{Event, Lane, Lease};

use super::*;
use crate::store::orders::{
    NewOrder,
    lease::{self as leases, Able},
};

const ABLE: Able = Able {
    protocols: (1, 1),
    mirrors: true,
};

fn order(number: u8, loop_name: &str) -> NewOrder {
    NewOrder {
        attempt: AttemptId::new(u64::from(number), [number; 10]),
        run: RunId::new(1, [1; 10]),
        task: TaskId::new(u64::from(number), [number; 10]),
        loop_name: loop_name.to_owned(),
        kind: "fix".to_owned(),
        needs: Vec::new(),
        priority: 10,
        protocol: 1,
        packed: false,
        body: "{}".to_owned(),
        created_at: at(i64::from(number)),
    }
}

async fn post(store: &Store, order: &NewOrder) {
    let mut tx = store.begin().await.unwrap();
    orders::post(&mut tx, order).await.unwrap();
    tx.commit().await.unwrap();
}

fn lane(loop_name: &str) -> Lane {
    Lane {
        loop_name: loop_name.to_owned(),
        kind: "fix".to_owned(),
        needs: "[]".to_owned(),
        priority: 10,
        waiting: 0,
        under_way: 0,
        oldest: 0,
    }
}

/// Does to the stored order what `event` says; whether that changed anything.
async fn happen(store: &Store, order: &NewOrder, event: &Event, now: Timestamp) -> bool {
    let mut tx = store.begin_beside().await.unwrap();
    let attempt = order.attempt;
    let fits = match event {
        Event::Claimed { holder, until } => {
            let span = Duration::from_millis(u64::try_from(until.0 - now.0).unwrap_or(0));
            let lane = lane(&order.loop_name);
            let claimed = leases::claim(&mut tx, &lane, 5, holder, ABLE, (now, span));
            !claimed.await.unwrap().is_empty()
        }
        Event::Renewed { holder, until } => !leases::renew(&mut tx, holder, *until).await.unwrap().is_empty(),
        Event::Done { token } => leases::done(&mut tx, attempt, *token, "{}").await.unwrap(),
        Event::GivenBack { token } => leases::give_back(&mut tx, attempt, *token, None).await.unwrap(),
        Event::LookedAfter => !leases::look_after(&mut tx, "nobody", now)
            .await
            .unwrap()
            .is_empty(),
        Event::Cancelled => leases::cancel_task(&mut tx, order.task, now).await.unwrap() > 0,
    };
    tx.commit().await.unwrap();
    fits
}

/// A row of numbers that is the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

#[tokio::test]
async fn whatever_happens_the_stored_lease_is_what_the_state_machine_says() {
    each_engine(async |scratch| {
        let mut dice = Dice(7);
        for round in 0..12_u8 {
            let order = order(round + 1, &format!("loop-{round}"));
            post(&scratch.store, &order).await;
            let mut expected = Lease::default();
            let mut now = at(0);
            for _ in 0..25 {
                now = now.plus(Duration::from_millis(dice.roll(4_000)));
                let until = now.plus(Duration::from_millis(dice.roll(6_000)));
                let holder = ["a", "b"][dice.roll(2) as usize].to_owned();
                let token = expected.token - i64::from(dice.roll(3) == 0);
                let event = match dice.roll(10) {
                    0..=3 => Event::Claimed { holder, until },
                    4 | 5 => Event::Renewed { holder, until },
                    6 if dice.roll(3) == 0 => Event::Done { token },
                    6 | 7 => Event::GivenBack { token },
                    8 if dice.roll(8) == 0 => Event::Cancelled,
                    _ => Event::LookedAfter,
                };
                let fits = happen(&scratch.store, &order, &event, now).await;
                let after = expected.after(&event, now);
                assert_eq!(
                    fits,
                    after.is_some(),
                    "round {round}, {event:?} at {now} on {expected:?}"
                );
                expected = after.unwrap_or(expected);
                let kept = orders::get(&scratch.store, order.attempt).await.unwrap().unwrap();
                assert_eq!(kept.lease, expected, "round {round}, after {event:?} at {now}");
            }
            let mut tx = scratch.begin().await;
            leases::close(&mut tx, order.attempt).await.unwrap();
            tx.commit().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn many_that_take_at_once_never_take_the_same_order() {
    each_engine(async |scratch| {
        for number in 1..=30 {
            post(&scratch.store, &order(number, "shop")).await;
        }
        let take = async |who: String| {
            let mut mine = Vec::new();
            loop {
                let mut tx = scratch.store.begin_beside().await.unwrap();
                let claimed = leases::claim(
                    &mut tx,
                    &lane("shop"),
                    3,
                    &who,
                    ABLE,
                    (at(50), Duration::from_secs(9)),
                )
                .await
                .unwrap();
                tx.commit().await.unwrap();
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed.into_iter().map(|claim| claim.attempt));
            }
        };
        let takers = (0..6).map(|who| take(format!("node-{who}")));
        let mut all: Vec<_> = futures_util::future::join_all(takers)
            .await
            .into_iter()
            .flatten()
            .collect();
        all.sort();
        let count = all.len();
        all.dedup();
        assert_eq!((count, all.len()), (30, 30));
    })
    .await;
}

#[tokio::test]
async fn a_node_takes_neither_what_is_newer_than_it_nor_what_was_not_packed_for_it() {
    each_engine(async |scratch| {
        let newer = NewOrder {
            protocol: 2,
            ..order(1, "newer")
        };
        let packed = NewOrder {
            packed: true,
            ..order(3, "packed")
        };
        for order in [&newer, &order(2, "bare"), &packed] {
            post(&scratch.store, order).await;
        }
        let names = async |able| {
            let lanes = leases::lanes(&scratch.store, able, at(9)).await.unwrap();
            let mut names: Vec<_> = lanes.into_iter().map(|lane| lane.loop_name).collect();
            names.sort();
            names
        };
        assert_eq!(names(ABLE).await, ["bare", "packed"]);
        let elsewhere = Able {
            mirrors: false,
            ..ABLE
        };
        assert_eq!(names(elsewhere).await, ["packed"]);
        let newest = Able {
            protocols: (1, 2),
            ..ABLE
        };
        assert_eq!(names(newest).await, ["bare", "newer", "packed"]);
    })
    .await;
}

#[tokio::test]
async fn a_pack_of_any_size_comes_back_as_it_was_and_goes_when_nobody_needs_it() {
    each_engine(async |scratch| {
        let pack: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8).collect();
        let mut open = run(1);
        open.base = Some("b".repeat(40));
        let id = packs::of_base(&"b".repeat(40));
        let mut tx = scratch.begin().await;
        runs::insert(&mut tx, &open).await.unwrap();
        packs::put(&mut tx, &id, &pack, at(0)).await.unwrap();
        packs::put(&mut tx, &packs::of_base(&"c".repeat(40)), &pack, at(0))
            .await
            .unwrap();
        packs::put(&mut tx, &packs::of_change(&"d".repeat(40)), &pack, at(0))
            .await
            .unwrap();
        packs::prune(&mut tx, at(1)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(packs::get(&scratch.store, &id).await.unwrap(), Some(pack));
        for gone in [packs::of_base(&"c".repeat(40)), packs::of_change(&"d".repeat(40))] {
            assert_eq!(packs::get(&scratch.store, &gone).await.unwrap(), None);
        }
    })
    .await;
}

/// What nodes do needs no turn with the one writer: each statement is guarded by state and token.
#[tokio::test]
async fn orders_are_taken_renewed_and_ended_while_somebody_else_writes() {
    let scratch = Scratch::on_postgres().await;
    for number in 1..=3 {
        post(&scratch.store, &order(number, "shop")).await;
    }
    let writing = scratch.begin().await;
    let work = async {
        let mut tx = scratch.store.begin_beside().await.unwrap();
        let terms = (at(50), Duration::from_secs(9));
        let claimed = leases::claim(&mut tx, &lane("shop"), 3, "a", ABLE, terms)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let mut tx = scratch.store.begin_beside().await.unwrap();
        assert_eq!(leases::renew(&mut tx, "a", at(90)).await.unwrap().len(), 3);
        let ended: Vec<_> = claimed.iter().map(|one| (one.attempt, one.token, "{}")).collect();
        assert_eq!(leases::done_all(&mut tx, &ended).await.unwrap().len(), 3);
        tx.commit().await.unwrap();
    };
    let done = tokio::time::timeout(Duration::from_secs(20), work).await;
    assert!(done.is_ok(), "it waits for the writer");
    writing.commit().await.unwrap();
}

/// Twelve orders that `a` holds; the leases of the odd ones were lost, and `b` has them now.
async fn half_lost(store: &Store) -> Vec<AttemptId> {
    let take = async |holder: &str, limit: u32, now: Timestamp| {
        let mut tx = store.begin_beside().await.unwrap();
        let terms = (now, Duration::from_secs(1));
        let claimed = leases::claim(&mut tx, &lane("shop"), limit, holder, ABLE, terms)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        claimed.into_iter().map(|claim| claim.attempt).collect::<Vec<_>>()
    };
    for number in 1..=12 {
        post(store, &order(number, "shop")).await;
    }
    let mut all = take("a", 12, at(20)).await;
    all.sort();
    let mut tx = store.begin_beside().await.unwrap();
    for lost in all.iter().step_by(2) {
        assert!(leases::give_back(&mut tx, *lost, 1, None).await.unwrap());
    }
    tx.commit().await.unwrap();
    assert_eq!(take("b", 12, at(30)).await.len(), 6);
    all
}

#[tokio::test]
async fn of_orders_that_end_together_those_that_were_lost_record_nothing() {
    each_engine(async |scratch| {
        let all = half_lost(&scratch.store).await;
        let said = all
            .iter()
            .map(|attempt| (*attempt, 1, "{\"by\":\"a\"}"))
            .collect::<Vec<_>>();
        let mut tx = scratch.store.begin_beside().await.unwrap();
        let mut done = leases::done_all(&mut tx, &said).await.unwrap();
        tx.commit().await.unwrap();
        done.sort();
        let kept: Vec<_> = all
            .iter()
            .skip(1)
            .step_by(2)
            .map(|attempt| (*attempt, 1))
            .collect();
        assert_eq!(done, kept);
        for (place, attempt) in all.iter().enumerate() {
            let order = orders::get(&scratch.store, *attempt).await.unwrap().unwrap();
            assert_eq!(order.outcome.is_some(), place % 2 == 1, "{place}: {order:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_ends_an_order_at_the_desk_hears_of_that_one_whoever_wrote_it_down() {
    each_engine(async |scratch| {
        let all = half_lost(&scratch.store).await;
        let desk = orders::Desk::new(scratch.store.clone());
        let ended = |attempt: AttemptId, token| orders::Ended {
            attempt,
            token,
            outcome: "{}".to_owned(),
            change: Some((format!("{:040}", token), vec![7; 10])),
            policy: None,
            at: at(40),
        };
        // Both holders say something of each order at once, and one who began is gone before the end.
        let gone = futures_util::FutureExt::now_or_never(desk.end(ended(all[0], 1)));
        assert!(gone.is_none(), "it was asked for an answer once");
        let both = all.iter().flat_map(|attempt| [(*attempt, 1), (*attempt, 2)]);
        let answers = both
            .map(async |(attempt, token)| (attempt, token, desk.end(ended(attempt, token)).await.unwrap()));
        for (attempt, token, ours) in futures_util::future::join_all(answers).await {
            let lost = all.iter().step_by(2).any(|lost| *lost == attempt);
            assert_eq!(ours, lost == (token == 2), "{attempt} by {token}");
        }
    })
    .await;
}
