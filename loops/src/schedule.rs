//! When a loop is due. Pure: the moment to count from is an argument, and nothing is woken here.
//!
//! `every` counts from the Unix epoch plus an offset that the loop's name alone decides, so restarts and edits do not
//! move it; `cron` counts in the loop's zone, daylight saving included.

mod backoff;
mod overdue;
mod quiet;
mod ticks;

use std::str::FromStr as _;

pub use backoff::{Cause, Setback, hindered};
pub use overdue::{GRACE, Overdue, overdue};
pub use quiet::quiet_until;
pub use ticks::{Judgement, come, judge, starts_at};

use chrono::{
    DateTime, Datelike as _, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset as _, TimeDelta,
    TimeZone as _, Timelike as _,
};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use sha2::{Digest as _, Sha256};

use crate::{spec::Schedule, time::Timestamp};

/// The first moment after `after` at which the loop `name` is due; none if it never is again, or if the schedule has
/// neither a valid interval nor a valid cron line.
pub fn next_due(schedule: &Schedule, name: &str, after: Timestamp) -> Option<Timestamp> {
    if let Some(every) = schedule.every {
        let every = i64::try_from(every.0.as_millis())
            .ok()
            .filter(|millis| *millis > 0)?;
        let since = (i128::from(after.0) - i128::from(offset(name, every))).rem_euclid(i128::from(every));
        return i64::try_from(i128::from(after.0) - since + i128::from(every))
            .ok()
            .map(Timestamp);
    }
    let cron = cron(schedule.cron.as_deref()?).ok()?;
    next_in(&cron, zone(&schedule.timezone)?, after)
}

/// Where in its interval a loop stands, in milliseconds: the same for the same name, spread evenly over all names.
fn offset(name: &str, every: i64) -> i64 {
    let digest = Sha256::digest(name.as_bytes());
    let first: [u8; 8] = std::array::from_fn(|i| digest[i]);
    i64::try_from(u64::from_be_bytes(first) % every.unsigned_abs()).unwrap_or(0)
}

/// Clocks go back by less than this, moves of the date line aside.
const FOLD: TimeDelta = TimeDelta::hours(3);
/// A search gives up after this many times on the clock's face that never were.
const MAX_STEPS: usize = 2_000;

/// The first moment after `after` at which clocks in `zone` show a time of the line.
///
/// croner loses the second half of an hour that clocks repeat, so it is asked about the clock's face only, and the
/// moments are worked out here, as cron has always done it: a line with `*` for its minute or hour comes whenever a
/// clock shows its time; any other comes once a day, in the first of two equal hours, or right after a skipped one.
fn next_in(cron: &Cron, zone: Tz, after: Timestamp) -> Option<Timestamp> {
    let now = after.utc().with_timezone(&zone);
    let back_soon = (now.offset().fix(), now.checked_add_signed(FOLD)?.offset().fix());
    let folds = back_soon.1.local_minus_utc() < back_soon.0.local_minus_utc();
    let often = cron
        .as_str()
        .split_whitespace()
        .take(2)
        .any(|field| field.contains('*'));
    let face = now.naive_local().with_nanosecond(0)?;
    let last = if folds {
        face.checked_add_signed(FOLD)?
    } else {
        face
    };
    let mut from = if folds {
        face.checked_sub_signed(FOLD)?
    } else {
        face
    };
    let mut best: Option<Timestamp> = None;
    for _ in 0..MAX_STEPS {
        let shown = cron
            .find_next_occurrence(&from.and_utc(), false)
            .ok()?
            .naive_utc();
        if best.is_some() && shown > last {
            break;
        }
        let later = moments(zone, shown, often)
            .into_iter()
            .flatten()
            .filter(|at| *at > after)
            .min();
        best = best.into_iter().chain(later).min();
        if best.is_some() && !folds {
            break;
        }
        from = shown;
    }
    best
}

/// The moments at which clocks in `zone` show `face` and a line is due: with `often` all of them, else exactly one.
fn moments(zone: Tz, face: NaiveDateTime, often: bool) -> [Option<Timestamp>; 2] {
    let stamp = |at: DateTime<Tz>| Some(Timestamp(at.timestamp_millis()));
    match zone.from_local_datetime(&face) {
        LocalResult::Single(at) => [stamp(at), None],
        LocalResult::Ambiguous(first, second) => [stamp(first), if often { stamp(second) } else { None }],
        LocalResult::None => [
            if often {
                None
            } else {
                first_shown(zone, face).and_then(stamp)
            },
            None,
        ],
    }
}

/// The first moment at which clocks in `zone` show `face` or, where they skip it, what comes after it. No zone has
/// skipped more than a day, and all skip whole minutes since 1972.
fn first_shown(zone: Tz, face: NaiveDateTime) -> Option<DateTime<Tz>> {
    (0..=24 * 60)
        .filter_map(|minutes| face.checked_add_signed(TimeDelta::minutes(minutes)))
        .find_map(|face| zone.from_local_datetime(&face).earliest())
}

/// The cron line, if it is one: five fields, and a time that comes at all. The error is in words for a person.
pub fn cron(line: &str) -> Result<Cron, String> {
    let fields = line.split_whitespace().count();
    if fields != 5 {
        return Err(format!(
            "a cron line has five fields (minute, hour, day, month, weekday); this one has {fields}"
        ));
    }
    let cron = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build()
        .parse(line)
        .map_err(|error| {
            format!(
                "this is not a cron line: {}",
                error.to_string().trim_end_matches('.')
            )
        })?;
    // Whether a time comes at all does not depend on where the search begins: it goes on for thousands of years.
    match cron.find_next_occurrence(&DateTime::UNIX_EPOCH, false) {
        Ok(_) => Ok(cron),
        Err(_) => Err("this time never comes".to_owned()),
    }
}

/// The zone with that IANA name.
pub fn zone(name: &str) -> Option<Tz> {
    Tz::from_str(name).ok()
}

/// When the day began that `now` is in, in the zone with that name (UTC if there is none): midnight, or the first moment
/// after it where clocks skip midnight.
pub fn day_start(zone_name: &str, now: Timestamp) -> Timestamp {
    begun(zone_name, now, |day| day)
}

/// The same for the month that `now` is in.
pub fn month_start(zone_name: &str, now: Timestamp) -> Timestamp {
    begun(zone_name, now, |day| day.with_day(1).unwrap_or(day))
}

fn begun(zone_name: &str, now: Timestamp, of: fn(NaiveDate) -> NaiveDate) -> Timestamp {
    let zone = zone(zone_name).unwrap_or(Tz::UTC);
    let day = now.utc().with_timezone(&zone).date_naive();
    let midnight = of(day).and_time(NaiveTime::MIN);
    first_shown(zone, midnight).map_or(now, |start| Timestamp(start.timestamp_millis()).min(now))
}

#[cfg(test)]
mod tests;
