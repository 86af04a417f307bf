//! A finding, whole: why it stands where it stands, who asked for it, what was said and done about it since when.

use std::collections::BTreeMap;

use loops::{
    finding::FindingState,
    score::explained,
    signal::Voice,
    text::{one_line, plain},
    time::Timestamp,
};
use serde_json::json;

use super::flags;
use crate::{
    cli::{CliError, Format, Out, findings::came_back, report},
    engine,
    store::{
        Store,
        findings::{self, Filter, Kept},
        ledger, loops as loop_rows, proposals, signals, tasks, verdicts,
    },
};

/// How many signals are looked at, and how many are shown to a person.
const MOST: u32 = 10_000;
const SHOWN: usize = 50;

/// Something that happened to it.
struct Event {
    at: Timestamp,
    what: String,
}

/// What was tried.
struct Tried {
    task: tasks::Kept,
    proposal: Option<proposals::Proposal>,
}

pub(super) async fn finding(home: &engine::Home, out: Out, id: loops::id::FindingId) -> Result<(), CliError> {
    let store = &home.store;
    let kept = findings::get(store, id)
        .await?
        .ok_or_else(|| CliError::new("it is gone"))?;
    let said = signals::of_finding(store, id, MOST).await?;
    let held = held_back(home, &kept.loop_name, &said).await?;
    let people = who(&said);
    let history = history(store, &kept).await?;
    let tried = tried(store, &kept).await?;
    let place = place(store, &kept).await?;
    if out.format == Format::Json {
        let flags: BTreeMap<_, _> = said
            .iter()
            .filter(|kept| !kept.flags.is_empty())
            .map(|kept| (kept.signal.id.to_string(), &kept.flags))
            .collect();
        let said: Vec<_> = said.iter().map(|kept| &kept.signal).collect();
        let history: Vec<_> = history
            .iter()
            .map(|event| json!({ "at": event.at, "what": event.what }))
            .collect();
        let tried: Vec<_> = tried
            .iter()
            .map(|tried| {
                json!({
                    "task": tried.task.task.id, "title": tried.task.task.title, "state": tried.task.state,
                    "why": tried.task.why, "proposal": tried.proposal.as_ref().map(|proposal| json!({
                        "id": proposal.id, "state": proposal.state.as_str(),
                    })),
                })
            })
            .collect();
        let people: Vec<_> = people
            .iter()
            .map(|(name, times)| json!({ "name": name, "signals": times }))
            .collect();
        out.json(&json!({
            "finding": kept.finding, "loop": kept.loop_name, "refused_why": kept.refused_why, "never": kept.never,
            "report_only": held, "came_back_at": kept.came_back_at, "merged_into": kept.merged_into, "place": place,
            "people": people, "history": history, "tried": tried, "signals": said, "flags": flags,
        }));
        return Ok(());
    }
    head(out, &kept, held, place);
    if !people.is_empty() {
        let names: Vec<String> = people
            .iter()
            .take(20)
            .map(|(name, times)| match times {
                1 => plain(name),
                times => format!("{} ({times} times)", plain(name)),
            })
            .collect();
        let more = people.len().saturating_sub(names.len());
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        out.line(format!("asked by {}{more}", names.join(", ")));
    }
    for event in &history {
        out.line(format!("  {}  {}", event.at, event.what));
    }
    for tried in &tried {
        let task = &tried.task;
        let proposal = tried.proposal.as_ref().map(|proposal| {
            format!(
                "; proposed as {}, {}",
                proposal.id.short(),
                proposal.state.as_str()
            )
        });
        let why = task.why.as_ref().map(|why| format!(": {}", one_line(why, 120)));
        out.line(format!(
            "tried {}  {}{}{}  {}",
            task.task.id.short(),
            task.state,
            why.unwrap_or_default(),
            proposal.unwrap_or_default(),
            one_line(&task.task.title, 80)
        ));
    }
    print_signals(out, &kept, &said);
    Ok(())
}

fn head(out: Out, kept: &Kept, held: Option<String>, place: Option<(usize, usize)>) {
    let finding = &kept.finding;
    out.line(format!("{}  {}", finding.id, finding.state.as_str()));
    out.line(out.paint("1", &plain(&finding.title)));
    let place = place.map(|(place, all)| format!(", {place} of {all} open of `{}`", plain(&kept.loop_name)));
    out.line(format!(
        "score {:.2}{}",
        finding.score.total,
        place.unwrap_or_default()
    ));
    for (name, part) in finding.score.parts.iter().filter(|(_, part)| *part != 0.0) {
        out.line(format!("    {part:>6.2}  {name}: {}", explained(name)));
    }
    if let Some(at) = kept.came_back_at.filter(|_| came_back(kept)) {
        out.line(format!(
            "it was fixed, and reported again on {at}: it is open again"
        ));
    }
    if let Some(into) = kept.merged_into {
        out.line(format!("it is a part of {} now", into.short()));
    }
    if let Some(why) = &kept.refused_why {
        let kind = if kept.never {
            " (and nothing of the kind again)"
        } else {
            ""
        };
        out.line(format!("refused: {}{kind}", plain(why)));
    }
    if let Some(why) = held {
        out.line(why);
    }
}

fn print_signals(out: Out, kept: &Kept, said: &[signals::Kept]) {
    let finding = &kept.finding;
    out.line(format!(
        "{} from {}:",
        report::count(finding.signals, "signal"),
        report::people(finding.reporters)
    ));
    let older = said.len().saturating_sub(SHOWN);
    if older > 0 {
        out.line(format!("  {older} older ones; `--format json` has them all"));
    }
    for kept in said.iter().skip(older) {
        let signal = &kept.signal;
        let who = plain(signal.author.as_deref().unwrap_or("nobody named"));
        let text = match kept.erased_at {
            Some(_) => "(its words were taken away)".to_owned(),
            None => one_line(&signal.text, 140),
        };
        let private = if signal.private { "  in private" } else { "" };
        out.line(format!(
            "  {}  {}  {who}{private}  {text}",
            signal.id.short(),
            signal.at
        ));
        if let Some(url) = &signal.url {
            out.line(format!("      {}", plain(url)));
        }
        flags(out, kept);
    }
}

/// Who asked for it, and how often; most often first.
fn who(said: &[signals::Kept]) -> Vec<(String, usize)> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for kept in said.iter().filter(|kept| kept.signal.voice == Voice::Person) {
        if let Some(author) = kept.signal.author.as_deref() {
            *times.entry(author).or_default() += 1;
        }
    }
    let mut people: Vec<(String, usize)> = times
        .into_iter()
        .map(|(name, times)| (name.to_owned(), times))
        .collect();
    people.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    people
}

/// The how-manieth of its loop's open findings it is, and how many there are.
async fn place(store: &Store, kept: &Kept) -> Result<Option<(usize, usize)>, CliError> {
    if kept.finding.state != FindingState::Open {
        return Ok(None);
    }
    let filter = Filter {
        loop_name: Some(&kept.loop_name),
        state: Some(FindingState::Open),
        ..Filter::default()
    };
    let all = findings::list(store, &filter).await?;
    let at = all.iter().position(|other| other.finding.id == kept.finding.id);
    Ok(at.map(|at| (at + 1, all.len())))
}

/// What happened to it, oldest first: the ledger's rows, in words, and what people said.
async fn history(store: &Store, kept: &Kept) -> Result<Vec<Event>, CliError> {
    let finding = &kept.finding;
    let mut events = vec![Event {
        at: finding.first_at,
        what: "first reported".to_owned(),
    }];
    for row in ledger::rows_of_subject(store, &finding.id.to_string(), 0, 1_000).await? {
        let what = match row.kind.as_str() {
            "finding.found" => "found".to_owned(),
            "finding.grew" => {
                let n = row.data["signals"]
                    .as_u64()
                    .and_then(|n| u32::try_from(n).ok())
                    .unwrap_or(0);
                format!("reported again: {}", report::count(n, "signal"))
            }
            "finding.came_back" => "reported again after it was fixed: open again".to_owned(),
            // These stand among what people said, with their words.
            _ if row.data["by"] == "person" => continue,
            other => other.trim_start_matches("finding.").replace(['.', '_'], " "),
        };
        events.push(Event { at: row.at, what });
    }
    for said in verdicts::of_finding(store, finding.id).await? {
        let other = said.other.map(|other| other.short()).unwrap_or_default();
        let what = match said.act {
            verdicts::Act::Merge if said.finding == finding.id => format!("made a part of {other}"),
            verdicts::Act::Merge => format!("{} made a part of it", said.finding.short()),
            verdicts::Act::Split if said.finding == finding.id => format!("taken out of {other}"),
            verdicts::Act::Split => format!("{} taken out of it", said.finding.short()),
            verdicts::Act::Refuse => "refused".to_owned(),
            verdicts::Act::Reopen => "reopened".to_owned(),
        };
        let why = said.why.map(|why| format!(": {}", one_line(&why, 140)));
        events.push(Event {
            at: said.at,
            what: format!("{what} by {}{}", plain(&said.who), why.unwrap_or_default()),
        });
    }
    events.sort_by_key(|event| event.at);
    Ok(events)
}

/// The tasks that were for it, and what was proposed, oldest first.
async fn tried(store: &Store, kept: &Kept) -> Result<Vec<Tried>, CliError> {
    let mut all = Vec::new();
    for task in tasks::of_finding(store, kept.finding.id).await? {
        let proposal = proposals::of_task(store, task.task.id).await?;
        all.push(Tried { task, proposal });
    }
    Ok(all)
}

/// Why the finding leads to no code, by what its loop says now.
async fn held_back(
    home: &engine::Home,
    loop_name: &str,
    said: &[signals::Kept],
) -> Result<Option<String>, CliError> {
    let Some(known) = loop_rows::get(&home.store, loop_name).await? else {
        return Ok(None);
    };
    let spec: loops::spec::LoopSpec = match serde_json::from_value(known.spec) {
        Ok(spec) => spec,
        // An older loops wrote it; the next run writes it anew.
        Err(_) => return Ok(None),
    };
    Ok(engine::held_back(home, &spec, said).await)
}
