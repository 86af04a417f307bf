//! What GitHub itself knows at the end of the week, and what is wrong in it. Nothing that the service says of itself
//! is used.

use std::collections::{BTreeMap, BTreeSet};

use harness::{
    github::{GitHub, Issue},
    world::BOT,
};

use super::cast::{Role, of_title};

/// What the dashboard is called.
const BOARD: &str = "Loops: what is open here";

/// A pull request of ours.
#[derive(Debug, Clone)]
pub(super) struct Pull {
    pub(super) repository: String,
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) branch: String,
    /// The proposal that its hidden marker names.
    pub(super) proposal: String,
    /// In Unix milliseconds.
    pub(super) opened: i64,
    pub(super) closed: Option<i64>,
    pub(super) merged: bool,
    /// Whether a person closed it without merging it.
    pub(super) refused: bool,
    /// The hidden markers of what we said under it, those of the updating comment without what follows its name.
    pub(super) said: Vec<String>,
}

/// All that matters.
#[derive(Debug, Clone)]
pub(super) struct Truth {
    pub(super) pulls: Vec<Pull>,
    /// How many dashboards each repository has.
    pub(super) boards: BTreeMap<String, usize>,
}

/// The part of a text between `from` and `to`.
fn between<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(from)?;
    rest.split_once(to).map(|(inner, _)| inner)
}

impl Truth {
    /// As it is now.
    pub(super) fn of(hub: &GitHub) -> Self {
        let there = hub.world();
        let (mut pulls, mut boards) = (Vec::new(), BTreeMap::new());
        for repository in &there.repositories {
            let name = repository.full_name();
            let ours = repository.issues.values().filter(|issue| issue.author == BOT);
            boards.insert(
                name.clone(),
                ours.clone().filter(|issue| issue.title == BOARD).count(),
            );
            for issue in ours {
                let said = repository.comments.values();
                let said = said.filter(|comment| comment.issue == issue.number && comment.author == BOT);
                let said = said.map(|comment| marker(&comment.body)).collect();
                pulls.extend(pull(&name, issue, said));
            }
        }
        Self { pulls, boards }
    }

    /// What is wrong in it. Nobody has to review more than `per_reviewer` at once.
    pub(super) fn wrong(&self, roles: &[Role], per_reviewer: usize) -> Vec<String> {
        let mut wrong = self.doubled();
        for (repository, count) in &self.boards {
            let worth = self.pulls.iter().any(|pull| pull.repository == *repository);
            if *count > 1 || (worth && *count == 0) {
                wrong.push(format!("{repository} has {count} dashboards"));
            }
        }
        let role = |pull: &Pull| of_title(roles, &pull.title).map(|(role, _)| role);
        for pull in self.pulls.iter().filter(|pull| role(pull).is_none()) {
            wrong.push(format!("{} is nobody's: {}", pull.number, pull.title));
        }
        let at_most = |what: &str, most: usize, fits: &dyn Fn(&Role) -> bool| {
            let those: Vec<&Pull> = self
                .pulls
                .iter()
                .filter(|pull| role(pull).is_some_and(fits))
                .collect();
            let open = most_at_once(&those);
            (open > most).then(|| format!("{open} of {what} are open at once, {most} may be"))
        };
        for one in roles {
            let most = one.max_open as usize;
            wrong.extend(at_most(one.name(), most, &|role| role.name() == one.name()));
        }
        let reviewers: BTreeSet<&str> = roles.iter().map(|role| role.reviewer).collect();
        for who in reviewers {
            wrong.extend(at_most(who, per_reviewer, &|role| role.reviewer == who));
        }
        wrong
    }

    fn doubled(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (at, one) in self.pulls.iter().enumerate() {
            let said: BTreeSet<&String> = one.said.iter().collect();
            if said.len() < one.said.len() {
                wrong.push(format!(
                    "{} #{} says a thing twice: {:?}",
                    one.repository, one.number, one.said
                ));
            }
            for two in &self.pulls[at + 1..] {
                let (place, numbers) = (one.repository == two.repository, (one.number, two.number));
                if place && one.branch == two.branch {
                    wrong.push(format!(
                        "{numbers:?} of {} are of one branch, {}",
                        one.repository, one.branch
                    ));
                }
                if one.proposal == two.proposal {
                    wrong.push(format!("{numbers:?} of {} are one proposal", one.repository));
                }
                // A title is a finding's here.
                if place && one.title == two.title {
                    let (first, later) = if one.opened <= two.opened {
                        (one, two)
                    } else {
                        (two, one)
                    };
                    if first.merged || first.refused || first.closed.is_none_or(|end| end > later.opened) {
                        wrong.push(format!("{numbers:?} of {} are about one finding", one.repository));
                    }
                }
            }
        }
        wrong
    }
}

fn pull(repository: &str, issue: &Issue, said: Vec<String>) -> Option<Pull> {
    let pull = issue.pull.as_ref()?;
    let body = issue.body.as_deref().unwrap_or_default();
    Some(Pull {
        repository: repository.to_owned(),
        number: issue.number,
        title: issue.title.clone(),
        branch: pull.head.clone(),
        proposal: between(body, "<!-- loops:proposal:", " -->")
            .unwrap_or_default()
            .to_owned(),
        opened: issue.created,
        closed: issue.closed,
        merged: pull.merged.is_some(),
        refused: pull.merged.is_none() && issue.closed_by.as_deref().is_some_and(|who| who != BOT),
        said,
    })
}

fn marker(body: &str) -> String {
    let inner = between(body, "<!-- loops:", " -->").unwrap_or_default();
    inner.to_owned()
}

/// How many of these are open at the fullest moment.
fn most_at_once(pulls: &[&Pull]) -> usize {
    let open_at = |at: i64| {
        let open = pulls
            .iter()
            .filter(|pull| pull.opened <= at && pull.closed.is_none_or(|end| end > at));
        open.count()
    };
    pulls.iter().map(|pull| open_at(pull.opened)).max().unwrap_or(0)
}
