//! What `loops status` says of the service and of each loop: who is at work, what is due, what came of the last tick,
//! and which loops are silent. It looks; it changes nothing.

use std::collections::BTreeMap;

use loops::{
    schedule::{Overdue, Setback, next_due, overdue},
    spec::{LoopSpec, Schedule},
    text::plain,
    time::Timestamp,
};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{CliError, report, serve::missed};
use crate::{
    clock, engine,
    store::{
        Store,
        lock::Holder,
        loops::{self as loop_rows, Loop},
        proposals::Proposal,
        runs::Run,
        ticks::{self, Tick},
    },
};

/// A loop that was served or run here.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) row: Loop,
    /// When its schedule is due next, whether or not anybody serves it.
    next: Option<Timestamp>,
    last: Option<Tick>,
    overdue: Option<Overdue>,
    open_proposals: usize,
    /// Why it goes less far by itself than its spec says, if it does.
    lowered: Option<String>,
}

/// All loops that are known here. `holder` is who works on the state now, `open` are the runs under way.
pub(super) async fn served(
    store: &Store,
    holder: Option<&Holder>,
    open: &[Run],
    waiting: &[Proposal],
) -> Result<Vec<Served>, CliError> {
    let now = clock::now();
    let mut proposals: BTreeMap<&str, usize> = BTreeMap::new();
    for proposal in waiting {
        *proposals.entry(&proposal.loop_name).or_default() += 1;
    }
    let mut all = Vec::new();
    for row in loop_rows::list(store).await? {
        let lowered = match LoopSpec::deserialize(&row.spec) {
            Ok(spec) => engine::lowered(store, &spec).await?,
            Err(_) => None,
        };
        let schedule = serde_json::from_value::<Option<Schedule>>(row.spec["schedule"].clone())
            .ok()
            .flatten();
        let last = ticks::list(store, &row.name, 1).await?.into_iter().next();
        let counted = row
            .served_since
            .map(|since| last.as_ref().map_or(since, |last| last.due_at.max(since)));
        // Behind a run that is under way ticks wait for its end, and while nobody serves, a pause is kept by itself.
        let works = holder.is_some() && open.iter().any(|run| run.loop_name == row.name);
        let quiet = works || row.paused_at.is_some();
        all.push(Served {
            next: schedule
                .as_ref()
                .and_then(|schedule| next_due(schedule, &row.name, now)),
            overdue: schedule
                .as_ref()
                .zip(counted)
                .filter(|_| !quiet)
                .and_then(|(schedule, counted)| overdue(schedule, &row.name, counted, now)),
            open_proposals: proposals.get(row.name.as_str()).copied().unwrap_or_default(),
            last,
            lowered,
            row,
        });
    }
    Ok(all)
}

/// Who works here, for a person.
pub(super) fn who(holder: Option<&Holder>) -> String {
    let Some(holder) = holder else {
        return "no service is up: nothing ticks until `loops serve` is started".to_owned();
    };
    let by = match (holder.process, &holder.elsewhere) {
        (Some(process), _) => format!("process {process}"),
        (None, Some(elsewhere)) => plain(elsewhere),
        (None, None) => "a process whose id could not be read".to_owned(),
    };
    if holder.serves {
        format!("the service is up: {by}")
    } else {
        format!("no service is up; {by} works on a run")
    }
}

impl Served {
    /// As it is printed.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut about = vec![match (self.row.paused_at, self.next) {
            (Some(_), _) => "paused".to_owned(),
            (None, Some(next)) => format!("next tick {next}"),
            (None, None) => "no schedule".to_owned(),
        }];
        about.push(self.last.as_ref().map_or_else(|| "no tick yet".to_owned(), told));
        if self.open_proposals > 0 {
            let open = u32::try_from(self.open_proposals).unwrap_or(u32::MAX);
            about.push(format!("{} open", report::count(open, "proposal")));
        }
        let mut lines = vec![format!("loop {}  {}", plain(&self.row.name), about.join("; "))];
        if let Some(overdue) = &self.overdue {
            lines.push(format!(
                "    silent: no receipt since the tick of {}; {}",
                overdue.since,
                missed(overdue.ticks)
            ));
        }
        lines.extend(self.lowered.iter().map(|why| format!("    {why}")));
        lines.extend(
            self.backing_off()
                .map(|setback| format!("    {}", setback.words())),
        );
        lines
    }

    /// As a script reads it.
    pub(super) fn json(&self) -> Value {
        json!({
            "name": self.row.name,
            "paused_at": self.row.paused_at,
            "next": self.next,
            "lowered": self.lowered,
            "last": self.last.as_ref().map(told),
            "last_tick": self.last.as_ref().map(|tick| json!({
                "due_at": tick.due_at, "receipt": tick.receipt, "why": tick.why, "run": tick.run,
            })),
            "silent": self.overdue.map(|overdue| json!({ "since": overdue.since, "ticks": overdue.ticks })),
            "backing_off": self.backing_off().map(|setback| json!({
                "cause": setback.cause.as_str(), "failures": setback.failures, "until": setback.until(),
            })),
            "open_proposals": self.open_proposals,
        })
    }

    fn backing_off(&self) -> Option<Setback> {
        self.row.setback.filter(|setback| setback.until() > clock::now())
    }
}

fn told(tick: &Tick) -> String {
    let why = tick
        .why
        .as_ref()
        .map(|why| format!(", {}", plain(why).replace('_', " ")));
    format!(
        "the tick of {} {}{}",
        tick.due_at,
        tick.receipt.as_str(),
        why.unwrap_or_default()
    )
}
