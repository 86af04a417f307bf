//! Which ticks of a schedule have come, and what is to become of each. Every one gets a judgement, so that every one
//! leaves a receipt.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::next_due;
use crate::{
    spec::{CatchUp, Overlap, Schedule},
    time::Timestamp,
};

/// After so many ticks without anybody looking, the older ones are not counted any more.
const MOST: usize = 1_000;
/// The same, and some for the delay of the first.
const MOST_AT_ONCE: u32 = 1_100;
/// The shortest time between two ticks of a cron line.
const FINEST: Duration = Duration::from_secs(60);

/// What is to become of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It starts a run.
    Run,
    /// It starts a run, after the one under way was stopped.
    RunInstead,
    /// It waits until the run under way has ended; it is judged again then.
    Wait,
    /// It leaves its receipt, with this reason, and does nothing.
    Skip(&'static str),
}

/// The ticks of loop `name` after `after` that have come by `now`, jitter included; oldest first. If there are more
/// than a thousand, the latest thousand. A tick whose delay has not passed holds up those after it, so that what left a
/// receipt is always all up to some moment.
pub fn come(schedule: &Schedule, name: &str, after: Timestamp, now: Timestamp) -> Vec<Timestamp> {
    // After years of silence nobody wants to count every minute of them: it is looked back twice as far each time.
    let mut back = schedule
        .every
        .map_or(FINEST, |every| every.0)
        .saturating_mul(MOST_AT_ONCE);
    loop {
        let from = now.minus(back).max(after);
        let ticks = come_since(schedule, name, from, now);
        if from == after || ticks.len() >= MOST {
            let older = ticks.len().saturating_sub(MOST);
            return ticks[older..].to_vec();
        }
        back = back.saturating_mul(2);
    }
}

fn come_since(schedule: &Schedule, name: &str, after: Timestamp, now: Timestamp) -> Vec<Timestamp> {
    let mut ticks = Vec::new();
    let mut from = after;
    while let Some(due) = next_due(schedule, name, from).filter(|due| starts_at(schedule, name, *due) <= now)
    {
        ticks.push(due);
        from = due;
    }
    ticks
}

/// When a tick starts: at its due time and a delay that is random over loops and ticks, and always the same for this
/// one, so that a restart does not move it.
pub fn starts_at(schedule: &Schedule, name: &str, due: Timestamp) -> Timestamp {
    let most = schedule
        .jitter
        .map_or(0, |jitter| i64::try_from(jitter.0.as_millis()).unwrap_or(0));
    if most == 0 {
        return due;
    }
    let digest = Sha256::digest(format!("{name}\u{1f}{}", due.0));
    let first: [u8; 8] = std::array::from_fn(|i| digest[i]);
    let delay = u64::from_be_bytes(first) % (most.unsigned_abs() + 1);
    Timestamp(due.0.saturating_add(i64::try_from(delay).unwrap_or(0)))
}

/// Judges ticks that have come. Those before `up_since` were missed while nobody was there to start them; `running`
/// says whether a run of the loop is under way.
pub fn judge(
    schedule: &Schedule,
    ticks: &[Timestamp],
    up_since: Timestamp,
    running: bool,
) -> Vec<(Timestamp, Judgement)> {
    let missed = ticks.iter().filter(|due| **due < up_since).count();
    let wanted = |at: usize| match schedule.catch_up {
        _ if at >= missed => true,
        CatchUp::All => true,
        CatchUp::Latest => at + 1 == missed,
        CatchUp::None => false,
    };
    let candidates: Vec<usize> = (0..ticks.len()).filter(|at| wanted(*at)).collect();
    let last = candidates.last().copied();
    let mut busy = running;
    let mut judged = Vec::with_capacity(ticks.len());
    for (at, due) in ticks.iter().enumerate() {
        let judgement = if !wanted(at) {
            Judgement::Skip("missed while nothing was running here")
        } else if !busy {
            busy = true;
            Judgement::Run
        } else {
            match schedule.overlap {
                // Catching up on all of them means one after the other.
                _ if at < missed && schedule.catch_up == CatchUp::All => Judgement::Wait,
                Overlap::Skip => Judgement::Skip("the run before it was still under way"),
                Overlap::Queue => Judgement::Wait,
                Overlap::CancelRunning if Some(at) == last && running => Judgement::RunInstead,
                Overlap::CancelRunning => Judgement::Skip("a later tick took its place"),
            }
        };
        judged.push((*due, judgement));
    }
    judged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spec::Span;

    const MINUTE: i64 = 60_000;

    fn every_minute(catch_up: CatchUp, overlap: Overlap) -> Schedule {
        Schedule {
            every: Some(Span(Duration::from_secs(60))),
            catch_up,
            overlap,
            timezone: "UTC".to_owned(),
            ..Schedule::default()
        }
    }

    fn judgements(schedule: &Schedule, up_since: i64, running: bool) -> Vec<Judgement> {
        let ticks: Vec<Timestamp> = (1..=4).map(|n| Timestamp(n * MINUTE)).collect();
        judge(schedule, &ticks, Timestamp(up_since), running)
            .into_iter()
            .map(|(_, judgement)| judgement)
            .collect()
    }

    #[test]
    fn every_tick_comes_once_and_in_order() {
        let schedule = every_minute(CatchUp::All, Overlap::Skip);
        let ticks = come(&schedule, "shop", Timestamp(0), Timestamp(10 * MINUTE));
        assert_eq!(ticks.len(), 10);
        assert!(ticks.windows(2).all(|pair| pair[1].0 - pair[0].0 == MINUTE));
        assert_eq!(come(&schedule, "shop", ticks[9], Timestamp(10 * MINUTE)), []);
    }

    #[test]
    fn of_very_many_missed_ticks_the_latest_thousand_count() {
        let schedule = every_minute(CatchUp::All, Overlap::Skip);
        let now = Timestamp(5_000 * MINUTE);
        let ticks = come(&schedule, "shop", Timestamp(0), now);
        assert_eq!(ticks.len(), MOST);
        assert!(now.since(ticks[MOST - 1]).as_secs() < 60);
    }

    #[test]
    fn years_of_silence_are_counted_from_their_end() {
        let seconds = Schedule {
            every: Some(Span(Duration::from_secs(1))),
            timezone: "UTC".to_owned(),
            ..Schedule::default()
        };
        let now = Timestamp(1_790_000_000_500);
        let ticks = come(&seconds, "shop", Timestamp(0), now);
        assert_eq!(ticks.len(), MOST);
        assert!(now.since(ticks[MOST - 1]).as_secs() < 1);
        let yearly = Schedule {
            every: None,
            cron: Some("0 0 1 1 *".to_owned()),
            ..seconds
        };
        assert_eq!(come(&yearly, "shop", Timestamp(0), now).len(), 56);
    }

    #[test]
    fn a_tick_whose_delay_has_not_passed_holds_up_those_after_it() {
        let mut schedule = every_minute(CatchUp::Latest, Overlap::Skip);
        schedule.jitter = Some(Span(Duration::from_secs(600)));
        let last = Timestamp(100 * MINUTE);
        let mut known = last;
        let mut all = Vec::new();
        // Looked at every second, the ticks are those of one look at the end, in their order and without a gap.
        for second in 0..3_600 {
            let came = come(&schedule, "shop", known, Timestamp(last.0 + second * 1_000));
            known = came.last().copied().unwrap_or(known);
            all.extend(came);
        }
        assert!(
            all.windows(2).all(|pair| pair[1].0 - pair[0].0 == MINUTE),
            "{all:?}"
        );
        assert!(all.len() >= 49, "{}", all.len());
    }

    #[test]
    fn jitter_delays_by_the_same_amount_every_time_and_by_no_more_than_asked() {
        let mut schedule = every_minute(CatchUp::Latest, Overlap::Skip);
        schedule.jitter = Some(Span(Duration::from_secs(30)));
        let delays: Vec<i64> = (0..50)
            .map(|n| {
                let due = Timestamp(n * MINUTE);
                assert_eq!(
                    starts_at(&schedule, "shop", due),
                    starts_at(&schedule, "shop", due)
                );
                starts_at(&schedule, "shop", due).0 - due.0
            })
            .collect();
        assert!(delays.iter().all(|delay| (0..=30_000).contains(delay)));
        assert!(delays.iter().any(|delay| *delay != delays[0]));
    }

    #[test]
    fn catch_up_says_what_becomes_of_missed_ticks() {
        use Judgement::{Run, Skip, Wait};
        let missed = "missed while nothing was running here";
        let up = 3 * MINUTE + 1;
        let of = |catch_up| judgements(&every_minute(catch_up, Overlap::Skip), up, false);
        assert_eq!(of(CatchUp::None), [Skip(missed), Skip(missed), Skip(missed), Run]);
        assert_eq!(
            of(CatchUp::Latest),
            [
                Skip(missed),
                Skip(missed),
                Run,
                Skip("the run before it was still under way")
            ]
        );
        assert_eq!(
            of(CatchUp::All),
            [Run, Wait, Wait, Skip("the run before it was still under way")]
        );
    }

    #[test]
    fn overlap_says_what_becomes_of_ticks_that_meet_a_running_one() {
        use Judgement::{RunInstead, Skip, Wait};
        let of = |overlap| judgements(&every_minute(CatchUp::Latest, overlap), 0, true);
        assert_eq!(
            of(Overlap::Skip),
            [Skip("the run before it was still under way"); 4]
        );
        assert_eq!(of(Overlap::Queue), [Wait; 4]);
        let later = Skip("a later tick took its place");
        assert_eq!(of(Overlap::CancelRunning), [later, later, later, RunInstead]);
    }

    proptest! {
        #[test]
        fn every_tick_is_judged_and_at_most_one_starts(
            count in 0usize..20, up in 0i64..25, running: bool, catch_up in 0u8..3, overlap in 0u8..3,
        ) {
            let catch_up = [CatchUp::None, CatchUp::Latest, CatchUp::All][usize::from(catch_up)];
            let overlap = [Overlap::Skip, Overlap::Queue, Overlap::CancelRunning][usize::from(overlap)];
            let ticks: Vec<Timestamp> = (0..count).map(|n| Timestamp(i64::try_from(n).unwrap() * MINUTE)).collect();
            let judged = judge(&every_minute(catch_up, overlap), &ticks, Timestamp(up * MINUTE), running);
            prop_assert_eq!(judged.iter().map(|(due, _)| *due).collect::<Vec<_>>(), ticks);
            let starts = judged.iter().filter(|(_, j)| matches!(j, Judgement::Run | Judgement::RunInstead)).count();
            prop_assert!(starts <= 1);
            prop_assert!(!running || judged.iter().all(|(_, j)| *j != Judgement::Run));
        }
    }
}
