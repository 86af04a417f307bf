//! What all loops together may spend, beside what each loop says of itself: the service, its teams, and its roles.

use std::collections::BTreeMap;

use loops::{
    budget::{Cap, Money, Period, Shared, Whose},
    schedule::{day_start, month_start},
    spec::Dollars,
    time::Timestamp,
};
use serde::Deserialize;

use super::Problem;

/// Caps of the whole service. Days and months are those of the zone of the loop that asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Budget {
    /// All loops.
    pub service: Allowance,
    /// Some of the loops, by the team's name.
    pub teams: BTreeMap<String, Team>,
    /// All attempts that do the same (`lead`, `work`, `review`), by the role.
    pub roles: BTreeMap<&'static str, Allowance>,
    /// What the loops that one repository defines may spend together in a day, each repository by itself
    /// (`github.limits.day`); none: as much as it takes.
    pub repository: Option<Money>,
}

/// Loops that share money.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Team {
    /// Their names.
    pub loops: Vec<String>,
    /// What they may spend together.
    pub allowance: Allowance,
}

/// What may be spent in some time; none: as much as it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowance {
    /// In one run; only roles have it.
    pub run: Option<Money>,
    /// In one day.
    pub day: Option<Money>,
    /// In one month.
    pub month: Option<Money>,
}

impl Budget {
    /// The caps that hold for a call of the loop named `loop_name`, by an attempt with this role, in this zone.
    pub fn shared(&self, loop_name: &str, role: &str, zone: &str, now: Timestamp) -> Vec<Shared> {
        let mut caps = Vec::new();
        let mut add = |allowance: &Allowance, cap: &dyn Fn(Period) -> Cap, of: &dyn Fn(Period) -> Whose| {
            for (limit, period, since) in [
                (allowance.run, Period::Run, Timestamp(0)),
                (allowance.day, Period::Day, day_start(zone, now)),
                (allowance.month, Period::Month, month_start(zone, now)),
            ] {
                caps.extend(limit.map(|limit| Shared {
                    cap: cap(period),
                    limit,
                    of: of(period),
                    since,
                }));
            }
        };
        add(&self.service, &Cap::Service, &|_| Whose::Everybody);
        for (name, team) in &self.teams {
            if team.loops.iter().any(|one| one == loop_name) {
                add(
                    &team.allowance,
                    &|period| Cap::Team(name.clone(), period),
                    &|_| Whose::Loops(team.loops.clone()),
                );
            }
        }
        if let Some(allowance) = self.roles.get(role) {
            add(
                allowance,
                &|period| Cap::Role(role.to_owned(), period),
                &|period| match period {
                    Period::Run => Whose::RoleInRun(role.to_owned()),
                    Period::Day | Period::Month => Whose::Role(role.to_owned()),
                },
            );
        }
        caps
    }

    /// The cap on all loops that `repository` (its [key](super::github::FullName::key)) defines. Its day is UTC's: a
    /// loop's zone is the repository's to choose, and each zone begins a day of its own.
    pub fn of_repository(&self, repository: &str, now: Timestamp) -> Option<Shared> {
        self.repository.map(|limit| Shared {
            cap: Cap::Repository(repository.to_owned(), Period::Day),
            limit,
            of: Whose::Repository(repository.to_owned()),
            since: day_start("UTC", now),
        })
    }
}

/// `budget:` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    day: Option<Dollars>,
    month: Option<Dollars>,
    teams: BTreeMap<String, TeamFile>,
    roles: RolesFile,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TeamFile {
    loops: Vec<String>,
    #[serde(default)]
    day: Option<Dollars>,
    #[serde(default)]
    month: Option<Dollars>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RolesFile {
    lead: Option<RoleFile>,
    work: Option<RoleFile>,
    review: Option<RoleFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RoleFile {
    run: Option<Dollars>,
    day: Option<Dollars>,
    month: Option<Dollars>,
}

impl File {
    pub(super) fn resolve(self, problems: &mut Vec<Problem>) -> Budget {
        let mut say = |what: String| problems.push(Problem { at: None, what });
        let amount = |dollars: Option<Dollars>| dollars.map(|Dollars(money)| money);
        let mut check = |place: &str, allowance: Allowance| {
            if let (Some(day), Some(month)) = (allowance.day, allowance.month)
                && day > month
            {
                say(format!(
                    "`budget.{place}day`: a day may spend {day}, more than the whole month ({month})"
                ));
            }
            allowance
        };
        let service = check(
            "",
            Allowance {
                run: None,
                day: amount(self.day),
                month: amount(self.month),
            },
        );
        let mut teams = BTreeMap::new();
        let mut without = Vec::new();
        for (name, team) in self.teams {
            let allowance = Allowance {
                run: None,
                day: amount(team.day),
                month: amount(team.month),
            };
            let allowance = check(&format!("teams.{name}."), allowance);
            if team.loops.is_empty() {
                without.push(format!("`budget.teams.{name}.loops` names no loop"));
            }
            if allowance == Allowance::default() {
                without.push(format!(
                    "`budget.teams.{name}` has neither a `day` nor a `month`, so it holds nothing back"
                ));
            }
            let loops = team.loops;
            teams.insert(name, Team { loops, allowance });
        }
        let mut roles = BTreeMap::new();
        for (role, written) in [
            ("lead", self.roles.lead),
            ("work", self.roles.work),
            ("review", self.roles.review),
        ] {
            let Some(written) = written else { continue };
            let allowance = Allowance {
                run: amount(written.run),
                day: amount(written.day),
                month: amount(written.month),
            };
            roles.insert(role, check(&format!("roles.{role}."), allowance));
        }
        without.into_iter().for_each(say);
        Budget {
            service,
            teams,
            roles,
            repository: None,
        }
    }
}
