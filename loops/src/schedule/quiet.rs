//! Hours in which a loop reads its sources and starts nothing.
//!
//! They are what a clock on the wall of the loop's zone shows, and nothing else: where clocks repeat an hour that is
//! quiet, both are; where they skip the end, quiet ends with the skip.

use chrono::Timelike as _;

use super::zone;
use crate::{spec::Schedule, time::Timestamp};

const MINUTE: i64 = 60_000;
/// Longer than any quiet hours, and a day that clocks made longer.
const MOST: i64 = 2 * 24 * 60;

/// Until when nothing is started, if `now` is within the quiet hours `hours` (`22:00-07:00`, see
/// [`crate::spec::Triage::quiet`]) of the loop's zone: the first minute that is not quiet any more. None: something
/// may be started now. Hours that are no hours are never quiet; a spec with such ones is refused when it is read.
pub fn quiet_until(hours: &str, schedule: Option<&Schedule>, now: Timestamp) -> Option<Timestamp> {
    let (from, to) = crate::spec::quiet_hours(hours)?;
    let zone = zone(schedule.map_or("UTC", |schedule| &schedule.timezone))?;
    let quiet = |at: Timestamp| {
        let face = at.utc().with_timezone(&zone);
        let minute = face.hour() * 60 + face.minute();
        if from < to {
            from <= minute && minute < to
        } else {
            from <= minute || minute < to
        }
    };
    if !quiet(now) {
        return None;
    }
    // Minute for minute: clocks may jump anywhere in between.
    let this_minute = now.0 - now.0.rem_euclid(MINUTE);
    (1..=MOST)
        .map(|minutes| Timestamp(this_minute + minutes * MINUTE))
        .find(|at| !quiet(*at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn berlin() -> Schedule {
        Schedule {
            timezone: "Europe/Berlin".to_owned(),
            ..Schedule::default()
        }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn until(hours: &str, now: &str) -> Option<Timestamp> {
        quiet_until(hours, Some(&berlin()), at(now))
    }

    #[test]
    fn quiet_hours_go_across_midnight_in_the_loops_zone() {
        let hours = "22:00-07:00";
        assert_eq!(until(hours, "2026-06-01T19:59:59Z"), None);
        let end = Some(at("2026-06-02T05:00:00Z"));
        for now in [
            "2026-06-01T20:00:00Z",
            "2026-06-01T22:30:17Z",
            "2026-06-02T04:59:59Z",
        ] {
            assert_eq!(until(hours, now), end, "{now}");
        }
        assert_eq!(until(hours, "2026-06-02T05:00:00Z"), None);
        assert_eq!(
            quiet_until(hours, None, at("2026-06-01T20:30:00Z")),
            None,
            "without a zone it is UTC's clock"
        );
    }

    #[test]
    fn quiet_hours_may_lie_within_one_day() {
        let hours = "12:00-13:30";
        assert_eq!(until(hours, "2026-01-05T10:59:00Z"), None);
        assert_eq!(
            until(hours, "2026-01-05T11:00:00Z"),
            Some(at("2026-01-05T12:30:00Z"))
        );
        assert_eq!(until(hours, "2026-01-05T12:30:00Z"), None);
    }

    /// On 2026-03-29 clocks in Berlin go from 02:00 to 03:00.
    #[test]
    fn a_night_that_loses_an_hour_ends_when_the_clock_says_so() {
        let now = "2026-03-28T23:00:00Z";
        assert_eq!(until("22:00-07:00", now), Some(at("2026-03-29T05:00:00Z")));
        assert_eq!(
            until("22:00-02:30", now),
            Some(at("2026-03-29T01:00:00Z")),
            "half past two never was: it ends with the skip"
        );
        assert_eq!(until("02:00-03:00", "2026-03-29T01:00:00Z"), None);
    }

    /// On 2026-10-25 clocks in Berlin go from 03:00 back to 02:00.
    #[test]
    fn a_night_that_gains_an_hour_is_quiet_in_both() {
        let now = "2026-10-24T22:00:00Z";
        assert_eq!(until("22:00-07:00", now), Some(at("2026-10-25T06:00:00Z")));
        let hour = "02:00-02:45";
        assert_eq!(
            until(hour, "2026-10-25T00:10:00Z"),
            Some(at("2026-10-25T00:45:00Z"))
        );
        assert_eq!(until(hour, "2026-10-25T00:50:00Z"), None);
        assert_eq!(
            until(hour, "2026-10-25T01:10:00Z"),
            Some(at("2026-10-25T01:45:00Z"))
        );
    }

    #[test]
    fn hours_that_are_none_are_never_quiet() {
        for bad in ["", "22:00", "25:00-01:00", "22:00-22:00"] {
            assert_eq!(quiet_until(bad, None, Timestamp(0)), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn quiet_ends_within_a_day_and_an_hour_at_a_moment_that_is_not(
            from in 0u32..1440, to in 0u32..1440, now in 0i64..4_000_000_000_000,
        ) {
            prop_assume!(from != to);
            let hours = format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60);
            if let Some(end) = quiet_until(&hours, Some(&berlin()), Timestamp(now)) {
                prop_assert!(end.0 > now && end.0 - now <= 25 * 60 * MINUTE);
                prop_assert_eq!(quiet_until(&hours, Some(&berlin()), end), None);
            }
        }
    }
}
