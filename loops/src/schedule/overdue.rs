//! The dead-man check: which loops should have ticked and did not. It looks at receipts alone, so it holds however the
//! service came to be silent.

use std::time::Duration;

use super::{come, next_due, starts_at};
use crate::{spec::Schedule, time::Timestamp};

/// So much later than that may a receipt come without anybody being told.
pub const GRACE: Duration = Duration::from_secs(60);

/// Ticks that left no receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overdue {
    /// When the first of them was due.
    pub since: Timestamp,
    /// How many there were; a thousand stands for more, too.
    pub ticks: usize,
}

/// Whether the loop `name` is silent: the first tick after `last` (its last receipt, or since when it is served) has
/// been due for longer than the time to the tick after it, and [`GRACE`].
pub fn overdue(schedule: &Schedule, name: &str, last: Timestamp, now: Timestamp) -> Option<Overdue> {
    let since = next_due(schedule, name, last)?;
    let interval = next_due(schedule, name, since).map_or(Duration::ZERO, |next| next.since(since));
    if now <= starts_at(schedule, name, since).plus(interval).plus(GRACE) {
        return None;
    }
    let ticks = come(schedule, name, last, now).len();
    (ticks > 0).then_some(Overdue { since, ticks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Span;

    const MINUTE: i64 = 60_000;

    fn every(minutes: u64) -> Schedule {
        Schedule {
            every: Some(Span(Duration::from_secs(minutes * 60))),
            timezone: "UTC".to_owned(),
            ..Schedule::default()
        }
    }

    #[test]
    fn a_loop_is_silent_after_its_interval_and_the_grace_and_not_before() {
        let schedule = every(10);
        let first = next_due(&schedule, "shop", Timestamp(0)).unwrap();
        let edge = Timestamp(first.0 + 11 * MINUTE);
        assert_eq!(overdue(&schedule, "shop", Timestamp(0), edge), None);
        let told = overdue(&schedule, "shop", Timestamp(0), Timestamp(edge.0 + 1));
        assert_eq!(
            told,
            Some(Overdue {
                since: first,
                ticks: 2
            })
        );
        assert_eq!(
            overdue(
                &schedule,
                "shop",
                Timestamp(first.0 + 10 * MINUTE),
                Timestamp(edge.0 + 1)
            ),
            None,
            "a receipt quiets it"
        );
    }

    #[test]
    fn a_delay_that_was_asked_for_is_no_silence() {
        let mut schedule = every(10);
        schedule.jitter = Some(Span(Duration::from_secs(9 * 60)));
        let first = next_due(&schedule, "shop", Timestamp(0)).unwrap();
        let starts = starts_at(&schedule, "shop", first);
        assert!(starts > first, "this name is not delayed; choose another");
        assert_eq!(
            overdue(&schedule, "shop", Timestamp(0), Timestamp(starts.0 + 11 * MINUTE)),
            None
        );
    }

    #[test]
    fn a_loop_that_is_never_due_is_never_silent() {
        let never = Schedule::default();
        assert_eq!(
            overdue(&never, "shop", Timestamp(0), Timestamp(i64::MAX / 2)),
            None
        );
    }
}
