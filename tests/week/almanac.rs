//! Which ticks are due, worked out a second time and in another way: every minute is looked at, and asked what clocks
//! show. Nothing of the service's own arithmetic is used.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;

/// When a loop is due.
#[derive(Debug, Clone)]
pub(crate) enum When {
    /// Every so many minutes, wherever in them.
    Every(i64),
    /// At these times of these days (0 is Sunday), by the clocks of a zone.
    At {
        zone: Tz,
        times: Vec<(u32, u32)>,
        days: Vec<u32>,
        /// The cron line has a `*` for its minute or hour: whenever a clock shows such a time. Else once a day each, in
        /// the first of two equal hours, and right after one that is skipped.
        often: bool,
    },
}

/// What is wrong with the ticks that left receipts, out of those due after `from` and until `to`. Of the ticks after
/// `sure` any may be absent: their delay may not have passed.
pub(crate) fn wrong(
    when: &When,
    from: DateTime<Utc>,
    sure: DateTime<Utc>,
    to: DateTime<Utc>,
    receipts: &[DateTime<Utc>],
) -> Vec<String> {
    let there: BTreeSet<DateTime<Utc>> = receipts.iter().copied().collect();
    let mut wrong = Vec::new();
    if there.len() != receipts.len() {
        wrong.push("a tick has two receipts".to_owned());
    }
    let due = match when {
        When::Every(minutes) => match there.first() {
            Some(first) => every(*first, TimeDelta::minutes(*minutes), from, to),
            None if to - from > TimeDelta::minutes(*minutes) => return vec!["it never ticked".to_owned()],
            None => BTreeSet::new(),
        },
        When::At {
            zone,
            times,
            days,
            often,
        } => at(*zone, times, days, *often, from, to),
    };
    wrong.extend(
        due.difference(&there)
            .filter(|due| **due <= sure)
            .map(|due| format!("the tick of {due} has no receipt")),
    );
    wrong.extend(
        there
            .difference(&due)
            .map(|at| format!("nothing was due at {at}, and it has a receipt")),
    );
    wrong
}

/// All that is a whole number of intervals away from `one`.
fn every(
    one: DateTime<Utc>,
    interval: TimeDelta,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> BTreeSet<DateTime<Utc>> {
    let mut at = one;
    while at - interval > from {
        at -= interval;
    }
    let mut due = BTreeSet::new();
    while at <= to {
        due.insert(at);
        at += interval;
    }
    due
}

fn at(
    zone: Tz,
    times: &[(u32, u32)],
    days: &[u32],
    often: bool,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> BTreeSet<DateTime<Utc>> {
    let mut due = BTreeSet::new();
    let mut done = BTreeSet::new();
    // From the day before, so that what was due before `from` is known to be over.
    let mut minute = from - TimeDelta::days(2);
    let mut before = minute.with_timezone(&zone);
    while minute <= to {
        let face = minute.with_timezone(&zone);
        for time in times {
            let shows = (face.hour(), face.minute()) == *time;
            // Clocks that jump over a time have come to it all the same.
            let (hour, minute_of) = *time;
            let jumped = face.date_naive() == before.date_naive()
                && (before.hour(), before.minute()) < (hour, minute_of)
                && (face.hour(), face.minute()) > (hour, minute_of);
            let is = if often {
                shows
            } else {
                (shows || jumped) && !done.contains(&(face.date_naive(), *time))
            };
            if is && days.contains(&face.weekday().num_days_from_sunday()) {
                done.insert((face.date_naive(), *time));
                if minute > from {
                    due.insert(minute);
                }
            }
        }
        before = face;
        minute += TimeDelta::minutes(1);
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn berlin(hour: u32, often: bool) -> When {
        When::At {
            zone: Tz::Europe__Berlin,
            times: vec![(hour, 30)],
            days: (0..7).collect(),
            often,
        }
    }

    fn due(when: &When, from: &str, to: &str) -> Vec<String> {
        wrong(when, utc(from), utc(to), utc(to), &[])
    }

    #[test]
    fn a_skipped_time_comes_right_after_the_gap_and_a_doubled_one_once() {
        let spring = due(&berlin(2, false), "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z");
        assert_eq!(spring, ["the tick of 2026-03-29 01:00:00 UTC has no receipt"]);
        let autumn = due(&berlin(2, false), "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z");
        assert_eq!(autumn, ["the tick of 2026-10-25 00:30:00 UTC has no receipt"]);
    }

    #[test]
    fn a_line_with_a_star_follows_the_clocks_face() {
        let spring = due(&berlin(2, true), "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z");
        assert_eq!(spring.len(), 0);
        let autumn = due(&berlin(2, true), "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z");
        assert_eq!(autumn.len(), 2);
    }

    #[test]
    fn what_is_lacking_too_much_or_doubled_is_seen() {
        let (from, to) = (utc("2026-05-01T00:00:00Z"), utc("2026-05-01T01:00:00Z"));
        let ticks: Vec<DateTime<Utc>> = (0..6).map(|n| from + TimeDelta::minutes(n * 10 + 5)).collect();
        let of = |ticks: &[DateTime<Utc>]| wrong(&When::Every(10), from, to, to, ticks).len();
        assert_eq!(of(&ticks), 0);
        assert_eq!(of(&ticks[1..]), 1);
        assert_eq!(of(&[&ticks[..], &ticks[..1]].concat()), 1);
        assert_eq!(of(&[&ticks[..], &[from + TimeDelta::minutes(7)]].concat()), 1);
        assert_eq!(of(&[]), 1);
    }
}
