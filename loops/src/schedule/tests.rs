use proptest::prelude::*;

use super::*;

fn cron_in(line: &str, zone: &str) -> Schedule {
    Schedule {
        cron: Some(line.to_owned()),
        timezone: zone.to_owned(),
        ..Schedule::default()
    }
}

fn every(text: &str) -> Schedule {
    Schedule {
        every: text.parse().ok(),
        timezone: "UTC".to_owned(),
        ..Schedule::default()
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// The next `n` moments after `after`, in the zone's own clock.
fn clock(schedule: &Schedule, after: &str, n: usize) -> Vec<String> {
    let zone = zone(&schedule.timezone).unwrap();
    let mut after = at(after);
    let mut next = || {
        after = next_due(schedule, "loop", after)?;
        Some(after.utc().with_timezone(&zone).format("%d %H:%M %Z").to_string())
    };
    (0..n).map_while(|_| next()).collect()
}

#[test]
fn a_daily_loop_keeps_its_hour_when_clocks_change() {
    let nine = cron_in("0 9 * * *", "Europe/Berlin");
    assert_eq!(
        clock(&nine, "2026-03-28T00:00:00Z", 2),
        ["28 09:00 CET", "29 09:00 CEST"]
    );
    assert_eq!(
        clock(&nine, "2026-10-24T00:00:00Z", 2),
        ["24 09:00 CEST", "25 09:00 CET"]
    );
}

#[test]
fn an_hour_that_clocks_repeat_brings_a_daily_loop_once() {
    let half_past_two = cron_in("30 2 * * *", "Europe/Berlin");
    assert_eq!(
        clock(&half_past_two, "2026-10-24T12:00:00Z", 2),
        ["25 02:30 CEST", "26 02:30 CET"]
    );
}

#[test]
fn an_hour_that_clocks_skip_does_not_skip_a_daily_loop() {
    let half_past_two = cron_in("30 2 * * *", "Europe/Berlin");
    let due = clock(&half_past_two, "2026-03-28T12:00:00Z", 2);
    assert_eq!(due, ["29 03:00 CEST", "30 02:30 CEST"]);
}

#[test]
fn a_loop_of_every_few_minutes_goes_on_through_a_repeated_hour() {
    let half_hours = cron_in("*/30 * * * *", "Europe/Berlin");
    assert_eq!(
        clock(&half_hours, "2026-10-24T23:45:00Z", 6),
        [
            "25 02:00 CEST",
            "25 02:30 CEST",
            "25 02:00 CET",
            "25 02:30 CET",
            "25 03:00 CET",
            "25 03:30 CET"
        ]
    );
}

#[test]
fn a_cron_line_has_five_fields_and_a_time_that_comes() {
    assert!(cron("0 6 * * 1-5").is_ok());
    assert!(cron("0 0 29 2 *").is_ok());
    for bad in [
        "",
        "* * * *",
        "0 0 6 * * 1-5",
        "@daily",
        "99 * * * *",
        "0 0 31 2 *",
        "a b c d e",
    ] {
        assert!(cron(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_interval_does_not_move_with_the_moment_it_is_asked_at() {
    let ten = every("10m");
    let first = next_due(&ten, "a", at("2026-05-01T00:00:00Z")).unwrap();
    let second = next_due(&ten, "a", first).unwrap();
    assert_eq!(second.since(first).as_secs(), 600);
    assert_eq!(
        next_due(&ten, "a", first.minus(std::time::Duration::from_millis(1))),
        Some(first)
    );
    assert_ne!(
        Some(first),
        next_due(&ten, "b", at("2026-05-01T00:00:00Z")),
        "names spread"
    );
}

#[test]
fn a_day_begins_at_the_first_moment_that_clocks_show() {
    assert_eq!(
        day_start("Europe/Berlin", at("2026-03-29T12:00:00Z")),
        at("2026-03-28T23:00:00Z")
    );
    // Clocks in Beirut went from 00:00 to 01:00.
    assert_eq!(
        day_start("Asia/Beirut", at("2022-03-27T12:00:00Z")),
        at("2022-03-26T22:00:00Z")
    );
    assert_eq!(
        day_start("no such zone", at("2026-03-29T12:00:00Z")),
        at("2026-03-29T00:00:00Z")
    );
}

#[test]
fn a_month_begins_with_its_first_day_in_the_loops_zone() {
    assert_eq!(
        month_start("Europe/Berlin", at("2026-03-29T12:00:00Z")),
        at("2026-02-28T23:00:00Z")
    );
    // Still October in New York.
    assert_eq!(
        month_start("America/New_York", at("2026-11-01T03:00:00Z")),
        at("2026-10-01T04:00:00Z")
    );
    assert_eq!(
        month_start("no such zone", at("2026-03-01T00:00:00Z")),
        at("2026-03-01T00:00:00Z")
    );
}

const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Beirut",
    "Africa/Casablanca",
    "Pacific/Apia",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_due_is_later_on_a_whole_second_and_next(
        zone in proptest::sample::select(&ZONES[..]),
        line in proptest::sample::select(&["*/7 * * * *", "30 2 * * *", "0 0 * * *", "15 1-3 * * 0", "0 9 1 * *"][..]),
        after in 1_600_000_000_000_i64..1_900_000_000_000,
    ) {
        let schedule = cron_in(line, zone);
        let due = next_due(&schedule, "x", Timestamp(after)).unwrap();
        prop_assert!(due.0 > after);
        prop_assert_eq!(due.0 % 1000, 0);
        // Asking from any moment between gives the same one: nothing lies between.
        let between = Timestamp(after + (due.0 - after) / 2);
        prop_assert_eq!(next_due(&schedule, "x", between), Some(due));
    }

    #[test]
    fn every_interval_lands_on_its_grid(millis in 1_000_i64..100_000_000, after in -1_000_000_000_000_i64..4_000_000_000_000) {
        let schedule = Schedule {
            every: Some(crate::spec::Span(std::time::Duration::from_millis(millis.unsigned_abs()))),
            ..every("1s")
        };
        let due = next_due(&schedule, "x", Timestamp(after)).unwrap();
        prop_assert!(due.0 > after && due.0 - after <= millis);
        prop_assert_eq!((due.0 - offset("x", millis)).rem_euclid(millis), 0);
    }

    #[test]
    fn a_day_has_begun_and_holds_its_moment(zone in proptest::sample::select(&ZONES[..]), now in 0_i64..4_000_000_000_000) {
        let start = day_start(zone, Timestamp(now));
        prop_assert!(start.0 <= now && now - start.0 <= 26 * 3_600_000);
        prop_assert_eq!(day_start(zone, start), start);
    }
}
