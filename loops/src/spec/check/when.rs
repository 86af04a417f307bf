//! Checks of when a loop runs and from where it hears: schedule, triggers, sources, triage.

use std::time::Duration;

use super::{Finds, feeds};
use crate::{
    schedule,
    spec::{GithubIssues, LoopSpec, Schedule, SlackSource, Source, Trigger, WebhookSource, events, forms},
};

/// No interval is longer than this.
const A_YEAR: Duration = Duration::from_secs(366 * 86_400);

pub(super) fn check(spec: &LoopSpec, finds: &mut Finds<'_>) {
    match &spec.schedule {
        Some(schedule) => timing(schedule, finds),
        None if spec.triggers.is_empty() => {
            finds.add(
                "schedule",
                "a loop needs a `schedule` or `triggers`; nothing would ever start it",
            );
        }
        None => {}
    }
    for (i, trigger) in spec.triggers.iter().enumerate() {
        match trigger {
            Trigger::Github(event) => github_event(event, &format!("triggers[{i}].github"), finds),
            Trigger::Slack(event) => finds.expect(
                forms::is_event(event),
                &format!("triggers[{i}].slack"),
                "this is no event's name, like `message`",
            ),
            Trigger::Webhook(secret) => finds.expect(
                webhooks(spec).any(|source| source.secret == *secret),
                &format!("triggers[{i}].webhook"),
                "no `webhook` source of this loop has a secret of this name",
            ),
        }
    }
    finds.expect(
        !spec.sources.is_empty(),
        "sources",
        "a loop needs at least one source",
    );
    for (i, one) in spec.sources.iter().enumerate() {
        source(one, &format!("sources[{i}]"), finds);
        if spec.sources[..i].contains(one) {
            finds.add(&format!("sources[{i}]"), "the same source is there twice");
        } else if let Source::Webhook(this) = one
            && webhooks(spec)
                .filter(|source| source.secret == this.secret)
                .count()
                > 1
        {
            finds.add(
                &format!("sources[{i}].webhook.secret"),
                "another `webhook` source has the same secret; what is sent could be for either",
            );
        }
    }
    triage(spec, finds);
}

fn webhooks(spec: &LoopSpec) -> impl Iterator<Item = &WebhookSource> {
    spec.sources.iter().filter_map(|source| match source {
        Source::Webhook(webhook) => Some(webhook),
        _ => None,
    })
}

fn github_event(event: &str, path: &str, finds: &mut Finds<'_>) {
    if events::is_github_event(event) {
        return;
    }
    let meant = super::words::nearest(event, &events::github_names());
    finds.note(path, |at, value| {
        super::SpecError::new(at, "GitHub has no such event")
            .value(value)
            .allowed("an event and its action, like `issues.opened`, or the event alone, like `push`")
            .nearest(meant)
    });
}

fn timing(schedule: &Schedule, finds: &mut Finds<'_>) {
    match (&schedule.every, &schedule.cron) {
        (None, None) => finds.add("schedule", "a schedule needs `every` or `cron`"),
        (Some(_), Some(_)) => finds.add("schedule.cron", "a schedule has `every` or `cron`, not both"),
        (Some(every), None) => {
            let fits = (Duration::from_secs(1)..=A_YEAR).contains(&every.0);
            finds.expect(
                fits,
                "schedule.every",
                "an interval is at least `1s` and at most `366d`",
            );
        }
        (None, Some(line)) => {
            if let Err(why) = schedule::cron(line) {
                finds.add_allowed(
                    "schedule.cron",
                    why,
                    "minute hour day month weekday, like `0 6 * * 1-5`",
                );
            }
        }
    }
    if schedule::zone(&schedule.timezone).is_none() {
        let names: Vec<&str> = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
        let meant = super::words::nearest(&schedule.timezone, &names);
        finds.note("schedule.timezone", |at, value| {
            super::SpecError::new(at, "there is no such time zone")
                .value(value)
                .allowed("an IANA name, like `Europe/Berlin`")
                .nearest(meant)
        });
    }
    if let (Some(jitter), Some(every)) = (schedule.jitter, schedule.every) {
        finds.expect(
            jitter < every,
            "schedule.jitter",
            "`jitter` must be shorter than `every`",
        );
    }
}

fn source(source: &Source, path: &str, finds: &mut Finds<'_>) {
    match source {
        Source::Slack(SlackSource {
            channels, lookback, ..
        }) => {
            let path = format!("{path}.slack");
            finds.expect(
                !channels.is_empty(),
                &format!("{path}.channels"),
                "at least one channel is needed",
            );
            finds.each(&format!("{path}.channels"), channels, forms::is_channel, CHANNEL);
            finds.expect(
                !lookback.0.is_zero(),
                &format!("{path}.lookback"),
                "this must be longer than nothing",
            );
        }
        Source::GithubIssues(GithubIssues { labels, states, .. }) => {
            let path = format!("{path}.github_issues");
            finds.each(
                &format!("{path}.labels"),
                labels,
                is_said,
                "a label cannot be empty",
            );
            finds.expect(
                !states.is_empty(),
                &format!("{path}.states"),
                "at least one of `open` and `closed` is needed",
            );
        }
        Source::GithubPulls(pulls) => {
            let path = format!("{path}.github_pulls");
            finds.each(
                &format!("{path}.labels"),
                &pulls.labels,
                is_said,
                "a label cannot be empty",
            );
            finds.expect(
                !pulls.states.is_empty(),
                &format!("{path}.states"),
                "at least one of `open` and `closed` is needed",
            );
            finds.each(
                &format!("{path}.bases"),
                &pulls.bases,
                forms::is_branch,
                "this cannot be a branch's name",
            );
        }
        Source::GithubActions(actions) => {
            let path = format!("{path}.github_actions");
            let workflow = "this is no workflow's file name, like `ci.yml`";
            finds.each(
                &format!("{path}.workflows"),
                &actions.workflows,
                forms::is_file_name,
                workflow,
            );
            finds.each(
                &format!("{path}.branches"),
                &actions.branches,
                forms::is_branch,
                "this cannot be a branch's name",
            );
            finds.each(
                &format!("{path}.events"),
                &actions.events,
                is_said,
                "an event cannot be empty",
            );
        }
        other => feeds::check(other, path, finds),
    }
}

/// What is said of a text that is no channel.
pub(super) const CHANNEL: &str =
    "a channel's name begins with `#` and has no spaces or capitals, like `#shop-feedback`";

fn is_said(text: &str) -> bool {
    !text.trim().is_empty()
}

fn triage(spec: &LoopSpec, finds: &mut Finds<'_>) {
    let triage = &spec.triage;
    finds.expect(
        triage.min_signals >= 1,
        "triage.min_signals",
        "this must be at least 1",
    );
    finds.expect(
        triage.max_findings >= 1,
        "triage.max_findings",
        "this must be at least 1",
    );
    finds.expect(
        triage.half_life.0 >= Duration::from_secs(1),
        "triage.half_life",
        "this must be at least `1s`",
    );
    if triage
        .quiet
        .as_deref()
        .is_some_and(|hours| forms::quiet_hours(hours).is_none())
    {
        finds.add_allowed(
            "triage.quiet",
            "these are no quiet hours",
            "two different times of day, like `22:00-07:00`",
        );
    }
}
