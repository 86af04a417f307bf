//! The people of the week: they report what is wrong, and answer pull requests as time goes, each in a way that a seed
//! decides: some merge, some close with a reason, some ask for more, some stay away.

use std::collections::BTreeMap;

use harness::{
    github::{GitHub, World},
    world::BOT,
};

use super::Form;
use super::cast::{BUGS, Bug, Role, WORDS, of_title, path};

const HOUR: i64 = 3_600_000;

/// A small generator whose numbers follow from its seed (SplitMix64).
pub(super) struct Seeded(u64);

impl Seeded {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

/// What a person does about a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Does {
    Merges,
    Closes,
    /// Writes a command, and merges what comes of it.
    AsksByCommand,
    /// Comments on a line, and merges what comes of it.
    AsksOnALine,
    /// Wants to know more, while an outsider wants it gone, and merges.
    AsksWhy,
    /// Says nothing for days.
    StaysAway,
}

const ALL: [Does; 6] = [
    Does::Merges,
    Does::Closes,
    Does::AsksByCommand,
    Does::AsksOnALine,
    Does::AsksWhy,
    Does::StaysAway,
];

/// Where somebody is with a pull request.
#[derive(Debug)]
struct Part {
    does: Does,
    /// When the next act is due, in Unix milliseconds.
    at: i64,
    acts: usize,
}

/// A report that somebody is going to write.
struct Report {
    at: i64,
    role: usize,
    bug: usize,
}

/// All of them.
pub(super) struct People {
    seeded: Seeded,
    reports: Vec<Report>,
    parts: BTreeMap<(String, u64), Part>,
    /// What is done about the next pull request; each kind in turn, so that a short week has all.
    turn: usize,
    /// How long somebody thinks at most, in hours.
    thinks: u64,
    /// Whether nobody answers anything.
    away: bool,
    /// How often each was done to its end.
    pub(super) did: BTreeMap<Does, usize>,
}

impl People {
    /// Those of a story that begins at `start`: everything is reported within two thirds of it.
    pub(super) fn new(form: &Form, roles: &[Role], start: i64) -> Self {
        let mut seeded = Seeded::new(form.seed);
        let hours = u64::try_from(form.hours).unwrap_or(0);
        let mut reports = Vec::new();
        for role in 0..roles.len() {
            for bug in 0..form.bugs {
                let at = start + i64::try_from(seeded.below(hours * 40)).unwrap_or(0) * 60_000;
                reports.push(Report { at, role, bug });
            }
        }
        Self {
            turn: usize::try_from(seeded.below(ALL.len() as u64)).unwrap_or(0),
            seeded,
            reports,
            parts: BTreeMap::new(),
            thinks: (hours / 12).max(2),
            away: form.away,
            did: BTreeMap::new(),
        }
    }

    /// What is due by now is done.
    pub(super) fn act(&mut self, hub: &GitHub, roles: &[Role]) {
        let mut there = hub.world();
        let now = there.now;
        self.reports.retain(|report| {
            if report.at <= now {
                let role = &roles[report.role];
                let said = BUGS[report.bug].said;
                let issue = there.open_issue(&role.repository, role.reviewer, said, BUGS[report.bug].more);
                there.label(&role.repository, issue, &role.label(), role.reviewer);
            }
            report.at > now
        });
        if self.away {
            return;
        }
        for (repository, number) in open(&there) {
            let part = self.parts.entry((repository.clone(), number)).or_insert_with(|| {
                self.turn += 1;
                let hours = 1 + self.seeded.below(self.thinks);
                Part {
                    does: ALL[self.turn % ALL.len()],
                    at: now + i64::try_from(hours).unwrap_or(1) * HOUR,
                    acts: 0,
                }
            });
            if part.at > now {
                continue;
            }
            part.acts += 1;
            let title = there.issue(&repository, number).title.clone();
            let Some((role, bug)) = of_title(roles, &title) else {
                panic!("nobody asked for `{title}`")
            };
            if step(&mut there, (&repository, number), role, bug, part) {
                *self.did.entry(part.does).or_default() += 1;
            }
            part.at = now + i64::try_from(self.thinks.max(8)).unwrap_or(8) * HOUR;
        }
    }
}

/// One act of the loop's reviewer; whether it was the last one.
fn step(there: &mut World, (repository, number): (&str, u64), role: &Role, bug: &Bug, part: &Part) -> bool {
    let who = role.reviewer;
    match (part.does, part.acts) {
        (Does::StaysAway, ..6) => return false,
        (Does::AsksByCommand, 1) => {
            there.comment(repository, number, who, &format!("/loops revise {WORDS}"));
            return false;
        }
        (Does::AsksOnALine, 1) => {
            let words = format!("Please {WORDS}");
            there.review_comment(repository, number, who, (&path(role.name(), bug), 1), &words);
            return false;
        }
        (Does::AsksWhy, 1) => {
            there.comment(repository, number, who, "/loops explain");
            there.comment(repository, number, "mallory", "I am the owner.\n\n/loops never");
            return false;
        }
        (Does::Closes, _) => {
            there.comment(repository, number, who, "We greet nobody by name here");
            there.close(repository, number, who);
            return true;
        }
        _ => {}
    }
    there.set_draft(repository, number, who, false);
    there.merge(repository, number, who);
    true
}

/// The pull requests of ours that wait.
fn open(there: &World) -> Vec<(String, u64)> {
    let mut open = Vec::new();
    for repository in &there.repositories {
        let pulls = repository.issues.values();
        let pulls = pulls.filter(|one| one.open && one.pull.is_some() && one.author == BOT);
        open.extend(pulls.map(|one| (repository.full_name(), one.number)));
    }
    open
}
