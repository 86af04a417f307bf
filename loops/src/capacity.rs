//! How much review people can bear: how many findings may be started while what was proposed before waits for them, and
//! whom to ask. It counts and weighs; it asks nobody.
//!
//! What waits counts more the longer it waits, so dispatch slows before it stops: see [`Limits::weight`]. More that
//! waits, or longer, never lets more be started.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::{owners::Owner, spec::Span, time::Timestamp};

/// What waits counts for at most this many, however old it is: one forgotten proposal alone stops nobody.
const HEAVIEST: u32 = 3;
/// So many owners are asked for one change.
const ASKED: usize = 2;

/// What one reviewer bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nothing is started for a reviewer for whom so much waits, over all loops; at least 1.
    pub per_reviewer: u32,
    /// What waits for longer than this counts twice, and longer than twice this, three times.
    pub slow_after: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_reviewer: 5,
            slow_after: Span(Duration::from_secs(3 * 86_400)),
        }
    }
}

impl Limits {
    /// For how many something counts that waits for so long.
    pub fn weight(&self, age: Duration) -> u32 {
        let slow = self.slow_after.0.as_millis().max(1);
        let steps = u32::try_from(age.as_millis() / slow).unwrap_or(u32::MAX);
        steps.saturating_add(1).min(HEAVIEST)
    }
}

/// Somebody who is to look at proposals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reviewer {
    /// A person or team, by a name in small letters without `@`.
    Named(String),
    /// Whoever looks after this loop, where nobody is named.
    OfLoop(String),
}

impl Reviewer {
    /// The one that this name, with or without `@`, means.
    pub fn named(name: &str) -> Self {
        Self::Named(name.trim().trim_start_matches('@').to_lowercase())
    }
}

impl fmt::Display for Reviewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "`{name}`"),
            Self::OfLoop(name) => write!(f, "whoever looks after `{name}`"),
        }
    }
}

/// Something that waits for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Since when.
    pub since: Timestamp,
    /// For whom.
    pub reviewers: Vec<Reviewer>,
}

/// What waits for one reviewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// For whom.
    pub reviewer: Reviewer,
    /// How many things.
    pub waiting: u32,
    /// For how many they count.
    pub weight: u32,
    /// How long the oldest has waited.
    pub oldest: Duration,
}

impl Load {
    fn none(reviewer: &Reviewer) -> Self {
        Self {
            reviewer: reviewer.clone(),
            waiting: 0,
            weight: 0,
            oldest: Duration::ZERO,
        }
    }

    /// How many more may be started for this reviewer.
    pub fn room(&self, limits: &Limits) -> u32 {
        limits.per_reviewer.saturating_sub(self.weight)
    }

    /// What waits, for a person.
    pub fn words(&self, limits: &Limits) -> String {
        let things = if self.waiting == 1 {
            "1 thing waits".to_owned()
        } else {
            format!("{} things wait", self.waiting)
        };
        format!(
            "{things} for {}, the oldest for {}: that counts as {} of {} (`review.per_reviewer`)",
            self.reviewer,
            age(self.oldest),
            self.weight,
            limits.per_reviewer
        )
    }
}

/// How long something has waited, for a person: days, below one hours, below one minutes.
pub fn age(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    let (n, unit) = match minutes {
        0 => return "less than a minute".to_owned(),
        1..60 => (minutes, "minute"),
        60..1_440 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}

/// What waits for each reviewer for whom anything does, most first.
pub fn loads(limits: &Limits, waiting: &[Waiting], now: Timestamp) -> Vec<Load> {
    let mut all: BTreeMap<&Reviewer, Load> = BTreeMap::new();
    for thing in waiting {
        let age = now.since(thing.since);
        let mut told: Vec<&Reviewer> = thing.reviewers.iter().collect();
        told.sort();
        told.dedup();
        for reviewer in told {
            let load = all.entry(reviewer).or_insert_with(|| Load::none(reviewer));
            load.waiting = load.waiting.saturating_add(1);
            load.weight = load.weight.saturating_add(limits.weight(age));
            load.oldest = load.oldest.max(age);
        }
    }
    let mut all: Vec<Load> = all.into_values().collect();
    all.sort_by_key(|load| std::cmp::Reverse(load.weight));
    all
}

/// Who is going to look at what a loop proposes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// All of these.
    All(Vec<Reviewer>),
    /// Some of one of these groups, or of several; which, depends on what is changed.
    Each(Vec<Vec<Reviewer>>),
}

/// How many findings may be started now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// At most so many.
    pub start: u32,
    /// What waits for the one whom it depends on.
    pub load: Load,
}

/// How many findings may be started of which `next` will see the proposals: as many as the most burdened bears of those
/// who are going to be asked. Of a group those are the freest; and which group it will be nobody knows, so each of them
/// has to bear it: somebody who is idle makes no room for others. None: nobody is to look at them.
pub fn room(limits: &Limits, waiting: &[Waiting], next: &Next, now: Timestamp) -> Option<Room> {
    let all = loads(limits, waiting, now);
    let of = |reviewer: &Reviewer| {
        let found = all.iter().find(|load| load.reviewer == *reviewer);
        found.cloned().unwrap_or_else(|| Load::none(reviewer))
    };
    let load = match next {
        Next::All(reviewers) => reviewers.iter().map(of).max_by_key(|load| load.weight),
        Next::Each(groups) => {
            let asked = |group: &Vec<Reviewer>| {
                let mut loads: Vec<Load> = group.iter().map(of).collect();
                loads.sort_by_key(|load| load.weight);
                loads.truncate(ASKED);
                loads.pop()
            };
            groups.iter().filter_map(asked).max_by_key(|load| load.weight)
        }
    }?;
    Some(Room {
        start: load.room(limits),
        load,
    })
}

/// Whom to ask of those who own what a change touches: at most two who can be asked, those for whom the least waits, and
/// among equals those who own the most of it.
pub fn ask(limits: &Limits, waiting: &[Waiting], owners: &[Owner], now: Timestamp) -> Vec<String> {
    let all = loads(limits, waiting, now);
    let weight = |owner: &String| {
        let reviewer = Reviewer::named(owner);
        all.iter()
            .find(|load| load.reviewer == reviewer)
            .map_or(0, |load| load.weight)
    };
    let mut names: Vec<String> = owners
        .iter()
        .filter(|owner| !matches!(owner, Owner::Email { .. }))
        .map(ToString::to_string)
        .collect();
    names.sort_by_key(weight);
    names.truncate(ASKED);
    names
}

#[cfg(test)]
mod tests;
