//! What a loop may not ask for when the repository that it works on defines it. Whoever can push there decides about
//! that repository; the operator's machine, money and messages, and other repositories, are not theirs to give away.
//!
//! Nothing is looked up here: whether a branch exists, or a name is taken, is asked by who reads the repository.

use std::time::Duration;

use super::{Backend, Bytes, Dollars, LoopSpec, Sandbox, SandboxLimits, Source, Span, forms::host_covers};
use crate::{budget::Money, schedule::next_due, time::Timestamp};

/// What the operator lets the loops of one repository use.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowance {
    /// All loops of the repository together, in a day.
    pub day: Dollars,
    /// One run of one loop.
    pub run: Dollars,
    /// The most memory of a sandbox.
    pub memory: Bytes,
    /// The most disk of a sandbox.
    pub disk: Bytes,
    /// The most processors of a sandbox.
    pub cpus: u32,
    /// How many workers of one loop work at once, of all kinds together.
    pub parallel: u32,
    /// The least time between two ticks of one loop.
    pub every: Span,
    /// How many loops.
    pub loops: u32,
    /// The longest time that a worker has, and that all checks have together.
    pub timeout: Span,
    /// The hosts that sandboxes may be let out to, as in a spec; none by default.
    pub network: Vec<String>,
}

impl Default for Allowance {
    /// What a loop has that says nothing about it.
    fn default() -> Self {
        let sandbox = SandboxLimits::default();
        let budget = super::Budget::default();
        Self {
            day: budget.day,
            run: budget.run,
            memory: sandbox.memory,
            disk: sandbox.disk,
            cpus: sandbox.cpus,
            parallel: super::Worker::default().max_parallel,
            every: Span(Duration::from_secs(5 * 60)),
            loops: 10,
            timeout: Span(Duration::from_secs(3600)),
            network: Vec::new(),
        }
    }
}

/// A key that asks for more than a repository may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overreach {
    /// The key, from the file's top.
    pub path: String,
    /// What may not be, why, and what may stand there.
    pub words: String,
}

/// Everything in `spec` that `repository` (`owner/name`, where it stands) may not ask for; empty: it keeps to what is its own. `spent` is what the
/// repository's other loops may spend in a day already.
pub fn overreach(spec: &LoopSpec, repository: &str, allowance: &Allowance, spent: Money) -> Vec<Overreach> {
    let mut list = List(Vec::new());
    if spec.repo != repository {
        let words =
            format!("a loop that stands in `{repository}` works on it alone; write `repo: {repository}`");
        list.add("repo", words);
    }
    sources(spec, &mut list);
    surroundings(spec, allowance, &mut list);
    let mut together = 0_u32;
    network(spec, allowance, &mut list);
    for (name, worker) in &spec.workers {
        if matches!(worker.agent, Backend::Command | Backend::Rehearsal | Backend::Acp) {
            let words =
                "which program works on the operator's machine is the operator's to say; use `builtin`";
            list.add(&format!("workers.{name}.agent"), words.to_owned());
        }
        together = together.saturating_add(worker.max_parallel);
        if together > allowance.parallel {
            let words = format!(
                "with the kinds before it {together} would work at once, and the operator lets {} of this loop",
                allowance.parallel
            );
            list.add(&format!("workers.{name}.max_parallel"), words);
        }
    }
    pace(spec, allowance, &mut list);
    money(spec, allowance, spent, &mut list);
    list.0
}

struct List(Vec<Overreach>);

impl List {
    fn add(&mut self, path: &str, words: String) {
        self.0.push(Overreach {
            path: path.to_owned(),
            words,
        });
    }
}

fn sources(spec: &LoopSpec, list: &mut List) {
    for (i, source) in spec.sources.iter().enumerate() {
        let whose = match source {
            Source::File(_) | Source::Junit(_) | Source::Sarif(_) | Source::Csv(_) => {
                "files on the operator's machine are"
            }
            Source::Slack(_) => "Slack's channels are",
            Source::Json(_) | Source::Rss(_) | Source::Sentry(_) => {
                "addresses that the operator's machine can reach are"
            }
            Source::Webhook(_) => "what others send to the operator's service is",
            Source::GithubIssues(_) | Source::GithubPulls(_) | Source::GithubActions(_) => continue,
        };
        let words = format!(
            "{whose} not this repository's to read; use `github_issues`, `github_pulls` or `github_actions`"
        );
        list.add(&format!("sources[{i}].{}", source.key()), words);
    }
    if spec.notify.slack.is_some() {
        let words = "Slack's channels are not this repository's to write to; leave it out".to_owned();
        list.add("notify.slack", words);
    }
    if !spec.triage.trust.names.is_empty() {
        let words = "who has write access is asked of GitHub; leave the names out".to_owned();
        list.add("triage.trust.names", words);
    }
}

fn surroundings(spec: &LoopSpec, allowance: &Allowance, list: &mut List) {
    let Sandbox::Limits(limits) = &spec.sandbox else {
        let words = "work without a sandbox is the operator's to allow; leave it out".to_owned();
        return list.add("sandbox", words);
    };
    if limits.image.is_some() || limits.engine.is_some() {
        let words =
            "which image runs on the operator's machine is the operator's to say; leave it out".to_owned();
        list.add(
            if limits.image.is_some() {
                "sandbox.image"
            } else {
                "sandbox.engine"
            },
            words,
        );
    }
    if limits.memory > allowance.memory {
        let words = format!("the operator lets it have {} of memory", allowance.memory);
        list.add("sandbox.memory", words);
    }
    if limits.disk > allowance.disk {
        list.add(
            "sandbox.disk",
            format!("the operator lets it have {} of disk", allowance.disk),
        );
    }
    if limits.cpus > allowance.cpus {
        let words = format!("the operator lets it have {} processors", allowance.cpus);
        list.add("sandbox.cpus", words);
    }
}

/// So many attempts a task may have.
const ATTEMPTS: u32 = 5;

/// So many ticks of a `cron` are looked at for how close they come.
const TICKS: usize = 200;

/// A loop that ticks all the time, or works without end, leaves nothing of the machine for others.
fn pace(spec: &LoopSpec, allowance: &Allowance, list: &mut List) {
    if let Some(schedule) = &spec.schedule {
        let key = if schedule.cron.is_some() {
            "schedule.cron"
        } else {
            "schedule.every"
        };
        let mut dues = Vec::new();
        let mut last = Timestamp(0);
        while dues.len() < TICKS
            && let Some(due) = next_due(schedule, &spec.name, last)
        {
            dues.push(due);
            last = due;
        }
        if dues
            .windows(2)
            .any(|pair| pair[1].since(pair[0]) < allowance.every.0)
        {
            let words = format!(
                "it would tick more often than every {}, which is what the operator lets a loop of a repository do",
                allowance.every
            );
            list.add(key, words);
        }
    }
    let too_long = |span: Span| {
        (span > allowance.timeout).then(|| format!("the operator lets it have {}", allowance.timeout))
    };
    for (name, worker) in &spec.workers {
        if let Some(words) = too_long(worker.timeout) {
            list.add(&format!("workers.{name}.timeout"), words);
        }
        if worker.max_attempts > ATTEMPTS {
            let words = format!("a task of a repository's loop has {ATTEMPTS} attempts at most");
            list.add(&format!("workers.{name}.max_attempts"), words);
        }
    }
    let mut together = Duration::ZERO;
    for (i, check) in spec.checks.commands.iter().enumerate() {
        together = together.saturating_add(check.timeout.0);
        let words = too_long(check.timeout).or_else(|| {
            too_long(Span(together)).map(|words| {
                format!(
                    "with the checks before it a proof may take {}; {words}",
                    Span(together)
                )
            })
        });
        if let Some(words) = words {
            list.add(&format!("checks.commands[{i}].timeout"), words);
        }
    }
    if let Some(words) = spec.setup.as_ref().and_then(|setup| too_long(setup.timeout)) {
        list.add("setup.timeout", words);
    }
}

fn network(spec: &LoopSpec, allowance: &Allowance, list: &mut List) {
    let setup = spec.setup.as_ref().map_or(&[][..], |setup| &setup.network);
    for (key, hosts) in [
        ("setup.network", setup),
        ("boundaries.network", &spec.boundaries.network),
        ("checks.network", &spec.checks.network),
    ] {
        for (i, host) in hosts.iter().enumerate() {
            if !allowance.network.iter().any(|allowed| host_covers(allowed, host)) {
                let words = format!(
                    "the operator does not let this repository's sandboxes reach `{host}` (`github.limits.network`); leave it out"
                );
                list.add(&format!("{key}[{i}]"), words);
            }
        }
    }
}

fn money(spec: &LoopSpec, allowance: &Allowance, spent: Money, list: &mut List) {
    let budget = &spec.budget;
    if budget.run > allowance.run {
        let words = format!(
            "a run may spend {}, and the operator lets one of this repository spend {}; write less",
            budget.run, allowance.run
        );
        list.add("budget.run", words);
    }
    if budget.day > allowance.day {
        let words = format!(
            "a day may cost {}, and the operator lets this repository spend {}; write less",
            budget.day, allowance.day
        );
        list.add("budget.day", words);
    } else if Money(budget.day.0.0.saturating_add(spent.0)) > allowance.day.0 {
        let words = format!(
            "with the repository's other loops ({} a day) it would be more than the {} that the operator lets \
             this repository spend; write less",
            Dollars(spent),
            allowance.day
        );
        list.add("budget.day", words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Known, read};

    const OWN: &str = "name: a\nkind: fix\nrepo: acme/shop\nschedule: { every: 10m }\n";

    fn spec(text: &str) -> LoopSpec {
        let known = Known {
            models: vec!["top".to_owned(), "standard".to_owned()],
        };
        read("loop.yaml", text, &known).unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    /// The keys that are refused.
    fn refused(text: &str) -> Vec<String> {
        overreach(&spec(text), "acme/shop", &Allowance::default(), Money::ZERO)
            .into_iter()
            .map(|one| one.path)
            .collect()
    }

    const ISSUES: &str = "sources: [{ github_issues: {} }]\n";

    #[test]
    fn a_loop_that_keeps_to_its_repository_is_let_be() {
        assert_eq!(refused(&format!("{OWN}{ISSUES}")), [""; 0]);
        let all = "sources: [{ github_issues: {} }, { github_pulls: {} }, { github_actions: {} }]\nbase: release\ntriage: { trust: { members: 2 } }\n\
                   budget: { task: 1 USD, run: 10 USD, day: 50 USD }\nsandbox: { memory: 4GiB, cpus: 2, disk: 20GiB }\n\
                   workers: { fix: { agent: builtin, max_parallel: 4 } }\n";
        assert_eq!(refused(&format!("{OWN}{all}")), [""; 0]);
    }

    #[test]
    fn each_thing_that_is_not_the_repositorys_is_refused_by_its_key() {
        for (more, key) in [
            ("sandbox: none\n", "sandbox"),
            ("sandbox: { memory: 5GiB }\n", "sandbox.memory"),
            ("sandbox: { disk: 21GiB }\n", "sandbox.disk"),
            ("sandbox: { cpus: 3 }\n", "sandbox.cpus"),
            ("sandbox: { image: evil }\n", "sandbox.image"),
            (
                "triage: { trust: { members: 1, names: [eve] } }\n",
                "triage.trust.names",
            ),
            ("workers: { fix: { agent: command } }\n", "workers.fix.agent"),
            ("workers: { fix: { agent: rehearsal } }\n", "workers.fix.agent"),
            ("workers: { fix: { agent: acp } }\n", "workers.fix.agent"),
            (
                "workers: { fix: { max_parallel: 5 } }\n",
                "workers.fix.max_parallel",
            ),
            ("workers: { fix: { timeout: 61m } }\n", "workers.fix.timeout"),
            (
                "checks: { commands: [{ name: unit, run: make, timeout: 2h }] }\n",
                "checks.commands[0].timeout",
            ),
            (
                "checks: { commands: [{ name: a, run: make, timeout: 40m }, { name: b, run: make, timeout: 21m }] }\n",
                "checks.commands[1].timeout",
            ),
            (
                "workers: { fix: { max_attempts: 6 } }\n",
                "workers.fix.max_attempts",
            ),
            ("budget: { run: 11 USD }\n", "budget.run"),
            ("budget: { day: 51 USD }\n", "budget.day"),
            ("notify: { slack: '#all' }\n", "notify.slack"),
        ] {
            assert_eq!(refused(&format!("{OWN}{ISSUES}{more}")), [key], "{more}");
        }
        for source in [
            "file: { path: /etc/passwd }",
            "junit: { path: x.xml }",
            "sarif: { path: x.sarif }",
            "csv: { path: x.csv, columns: { text: t } }",
            "json: { url: 'http://localhost/x', fields: { text: /t } }",
            "rss: { url: 'https://intern.example/feed' }",
            "sentry: { organization: a, project: b, credential: c }",
            "slack: { channels: ['#hr'] }",
        ] {
            let key = format!("sources[0].{}", source.split(':').next().unwrap());
            assert_eq!(refused(&format!("{OWN}sources: [{{ {source} }}]\n")), [key]);
        }
    }

    #[test]
    fn a_pace_that_leaves_others_nothing_is_refused() {
        let at = |schedule: &str| refused(&format!("{}{ISSUES}", OWN.replace("every: 10m", schedule)));
        for good in ["every: 5m", "cron: '*/5 * * * *'", "cron: '0 6 * * 1-5'"] {
            assert_eq!(at(good), [""; 0], "{good}");
        }
        assert_eq!(at("every: 1s"), ["schedule.every"]);
        for often in ["cron: '* * * * *'", "cron: '0,1 9 1 * *'"] {
            assert_eq!(at(often), ["schedule.cron"], "{often}");
        }
        let kinds = "workers: { a: { max_parallel: 2 }, b: { max_parallel: 3 } }\n";
        assert_eq!(
            refused(&format!("{OWN}{ISSUES}{kinds}")),
            ["workers.b.max_parallel"]
        );
    }

    #[test]
    fn only_hosts_that_the_operator_lists_are_reached_by_a_repositorys_loops() {
        let text = format!(
            "{OWN}{ISSUES}setup: {{ run: make, network: [registry.example.com, evil.example] }}\nboundaries: {{ network: ['*.cdn.example'] }}\nchecks: {{ \
             network: ['db.example:5432'] }}\n"
        );
        let refused = |network: &[&str]| -> Vec<String> {
            let allowance = Allowance {
                network: network.iter().map(|&host| host.to_owned()).collect(),
                ..Allowance::default()
            };
            let found = overreach(&spec(&text), "acme/shop", &allowance, Money::ZERO);
            found.into_iter().map(|one| one.path).collect()
        };
        let all = [
            "setup.network[0]",
            "setup.network[1]",
            "boundaries.network[0]",
            "checks.network[0]",
        ];
        assert_eq!(refused(&[]), all);
        let listed = ["registry.example.com", "*.cdn.example", "*.example:5432"];
        assert_eq!(refused(&listed), ["setup.network[1]"]);
    }

    #[test]
    fn only_the_repository_itself_is_worked_on_to_the_letter() {
        for repo in ["..", "/srv/shop", "acme/other", "evil/shop", "Acme/shop"] {
            let text = OWN.replace("acme/shop", repo);
            assert_eq!(refused(&format!("{text}{ISSUES}")), ["repo"], "{repo}");
        }
    }

    #[test]
    fn many_small_loops_spend_no_more_than_one() {
        let day = |text: &str, spent| {
            overreach(&spec(text), "acme/shop", &Allowance::default(), Money::usd(spent)).len()
        };
        let text = format!("{OWN}{ISSUES}budget: {{ day: 20 USD }}\n");
        assert_eq!((day(&text, 30.0), day(&text, 30.01)), (0, 1));
    }
}
