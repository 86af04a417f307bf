//! Facts about leases and about whose turn it is, whatever the order of events.

use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1000)
}

fn claimed(holder: &str, until: i64) -> Event {
    Event::Claimed {
        holder: holder.to_owned(),
        until: at(until),
    }
}

#[test]
fn who_lost_a_lease_can_say_nothing_any_more() {
    let lease = Lease::default().after(&claimed("a", 10), at(0)).unwrap();
    assert_eq!(
        lease.after(&Event::LookedAfter, at(10)),
        None,
        "it has until then"
    );
    let lost = lease.after(&Event::LookedAfter, at(11)).unwrap();
    assert_eq!(lost.after(&Event::Done { token: 1 }, at(11)), None);
    let taken = lost.after(&claimed("b", 30), at(11)).unwrap();
    assert_eq!(taken.after(&Event::Done { token: 1 }, at(12)), None);
    assert_eq!(taken.after(&Event::GivenBack { token: 1 }, at(12)), None);
    assert!(taken.after(&Event::Done { token: 2 }, at(12)).is_some());
}

#[test]
fn the_first_loss_is_made_good_at_once_and_later_ones_wait_longer_and_longer() {
    let pauses: Vec<u64> = (0..9).map(|losses| pause(losses).as_secs()).collect();
    assert_eq!(pauses, [0, 0, 2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn what_was_given_back_in_good_order_is_no_loss() {
    let lease = Lease::default().after(&claimed("a", 10), at(0)).unwrap();
    let back = lease.after(&Event::GivenBack { token: 1 }, at(5)).unwrap();
    assert_eq!((back.losses, back.standing), (0, Standing::Waiting));
}

fn lane(name: &str, priority: i64, waiting: u32, under_way: u32) -> Lane {
    Lane {
        loop_name: name.to_owned(),
        kind: "fix".to_owned(),
        needs: "[]".to_owned(),
        priority,
        waiting,
        under_way,
        oldest: 0,
    }
}

#[test]
fn a_loop_with_ten_thousand_orders_does_not_starve_one_with_two() {
    let lanes = [lane("loud", 10, 10_000, 0), lane("quiet", 10, 2, 0)];
    assert_eq!(share(&lanes, 4, |_, _| true), [2, 2]);
    let lanes = [lane("loud", 10, 10_000, 8), lane("quiet", 10, 5, 0)];
    assert_eq!(share(&lanes, 4, |_, _| true), [0, 4], "what is under way counts");
}

#[test]
fn a_higher_priority_goes_first_and_a_bound_holds() {
    let lanes = [lane("a", 10, 5, 0), lane("b", 30, 5, 0)];
    assert_eq!(share(&lanes, 5, |_, _| true), [0, 5]);
    let two = |lane: &Lane, taken: &[u32]| lane.priority < 30 || taken[1] < 2;
    assert_eq!(share(&lanes, 5, two), [3, 2]);
}

fn any_event() -> impl Strategy<Value = (Event, i64)> {
    let who = prop_oneof![Just("a".to_owned()), Just("b".to_owned())];
    let event = prop_oneof![
        3 => (who.clone(), 1_i64..20).prop_map(|(holder, until)| Event::Claimed { holder, until: at(until) }),
        2 => (who, 1_i64..20).prop_map(|(holder, until)| Event::Renewed { holder, until: at(until) }),
        2 => (1_i64..4).prop_map(|token| Event::Done { token }),
        1 => (1_i64..4).prop_map(|token| Event::GivenBack { token }),
        3 => Just(Event::LookedAfter),
        1 => Just(Event::Cancelled),
    ];
    (event, 0_i64..30)
}

proptest! {
    #[test]
    fn whatever_happens_a_token_only_grows_and_the_end_is_the_end(
        events in prop::collection::vec(any_event(), 0..60),
    ) {
        let mut lease = Lease::default();
        let mut ends = 0;
        for (event, now) in events {
            let Some(next) = lease.after(&event, at(now)) else { continue };
            prop_assert!(next.token >= lease.token);
            prop_assert!(next.losses >= lease.losses);
            prop_assert!(!lease.cancelled || next.cancelled, "who cancelled once need not again");
            let over = |lease: &Lease| matches!(lease.standing, Standing::Done | Standing::Cancelled);
            prop_assert!(!over(&lease), "nothing happens after the end: {lease:?} {event:?}");
            if next.standing == Standing::Done {
                // Only the newest holder says what became of it, once.
                prop_assert_eq!(&event, &Event::Done { token: lease.token });
                prop_assert!(!next.cancelled);
                ends += 1;
            }
            if let (Standing::Held { .. }, Standing::Held { .. }) = (&lease.standing, &next.standing) {
                prop_assert_eq!(next.token, lease.token, "nobody takes what somebody has");
            }
            lease = next;
        }
        prop_assert!(ends <= 1);
    }

    #[test]
    fn places_are_all_given_and_no_loop_gets_two_more_than_another_that_waits(
        waiting in prop::collection::vec((0_u32..20, 0_u32..5), 1..6),
        free in 0_u32..40,
    ) {
        let lanes: Vec<Lane> = waiting
            .iter()
            .enumerate()
            .map(|(n, (waiting, under_way))| lane(&n.to_string(), 10, *waiting, *under_way))
            .collect();
        let taken = share(&lanes, free, |_, _| true);
        let all: u32 = lanes.iter().map(|lane| lane.waiting).sum();
        prop_assert_eq!(taken.iter().sum::<u32>(), free.min(all));
        for (a, lane_a) in lanes.iter().enumerate() {
            prop_assert!(taken[a] <= lane_a.waiting);
            for (b, lane_b) in lanes.iter().enumerate() {
                let (has_a, has_b) = (lane_a.under_way + taken[a], lane_b.under_way + taken[b]);
                // Who still waits has not less than one below whoever was given something.
                prop_assert!(taken[a] == 0 || taken[b] == lane_b.waiting || has_a <= has_b + 1);
            }
        }
    }
}
