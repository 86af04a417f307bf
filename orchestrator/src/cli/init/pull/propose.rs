//! Which loops fit a repository on GitHub, and their text. Each is small enough to be read at once; what is left out has
//! its default.

use loops::{
    budget::Money,
    spec::{Allowance, Dollars},
};

use crate::{
    cli::init::{look::Look, write::quoted},
    config::github::FullName,
};

/// A loop that is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proposed {
    /// The name of its file in the folder of loops.
    pub(super) file: String,
    /// Its text.
    pub(super) text: String,
}

/// What no loop is given more of at first, however much it may have.
const DAY: f64 = 10.0;
const RUN: f64 = 5.0;
const TASK: f64 = 2.0;

/// The loops for a repository of which `look` is known, with names that begin with `prefix`.
pub(super) fn loops_for(name: &FullName, prefix: &str, look: &Look, allowance: &Allowance) -> Vec<Proposed> {
    let on_actions = look.ci.iter().any(|file| file.starts_with(".github/workflows/"));
    let count = if on_actions { 2 } else { 1 };
    let one = |what: &str, told: &str, every: &str, source: &str| Proposed {
        file: format!("{what}.yaml"),
        text: text(
            name,
            &format!("{prefix}-{what}"),
            told,
            every,
            source,
            look,
            allowance,
            count,
        ),
    };
    let mut all = vec![one(
        "issues",
        "Turn what issues report into reviewed fixes.",
        "30m",
        "github_issues: { comments: true }   # `labels: [bug]` reads only those",
    )];
    if on_actions {
        all.push(one(
            "ci",
            "Mend what fails in CI on the base branch.",
            "1h",
            "github_actions: {}                  # `workflows: [ci.yml]` reads only those",
        ));
    }
    all
}

/// The beginning of loops' names for a repository: its own name, as far as a loop's name can have it.
pub(super) fn prefix(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
    }
    let short: String = out.chars().take(48).collect();
    let short = short.trim_matches('-');
    if short.is_empty() {
        "repository".to_owned()
    } else {
        short.to_owned()
    }
}

#[expect(clippy::too_many_arguments, reason = "each is one line of the text")]
fn text(
    repository: &FullName,
    name: &str,
    told: &str,
    every: &str,
    source: &str,
    look: &Look,
    allowance: &Allowance,
    count: i64,
) -> String {
    let day = least(DAY, Money(allowance.day.0.0 / count));
    let run = least(RUN, allowance.run.0.min(day));
    let task = least(TASK, run);
    let (day, run, task) = (Dollars(day), Dollars(run), Dollars(task));
    let mut out = format!(
        "# {told}\n# Every key, with its default: docs/spec.md of Loops, or `loops schema`.\nname: {name}\nkind: fix\n\
         description: {told}\nrepo: {repository}\nbase: {}\n\nschedule: {{ every: {every} }}\n\nsources:\n  - {source}\n\n\
         triage: {{ max_findings: 2 }}         # per run, best first\n\n\
         boundaries:\n  write: [\"**\"]                        # narrow this to your sources and tests\n  \
         deny: [\".github/**\", \".loops/**\"]\n\n",
        quoted(&look.base)
    );
    if let Some(setup) = look.setup {
        out += &format!(
            "# setup: {{ run: {}, network: [registry.example.com] }}   # with the hosts that it downloads from\n\n",
            quoted(setup)
        );
    }
    let autonomy = if look.checks.is_empty() {
        out += "# No command that runs the tests was found, so nothing could be proven: it only reports. Write the command here and\n\
                # `autonomy: propose` below to have changes proposed.\n# checks:\n#   commands:\n#     - { name: tests, run: \"make test\" }\n\n";
        "report"
    } else {
        out += "checks:\n  commands:\n";
        for check in &look.checks {
            let (name, run) = (quoted(&check.name), quoted(&check.run));
            out += &format!("    - {{ name: {name}, run: {run}, timeout: 10m }}\n");
        }
        out += "  reproduce: required                  # a new test must fail before the change and pass after it\n\n";
        "propose"
    };
    out + &format!(
        "budget: {{ task: {task}, run: {run}, day: {day} }}\n\nproposal: {{ as: pull_request, draft: true, labels: [loops], max_open: 3, autonomy: {autonomy} }}\n"
    )
}

fn least(usual: f64, most: Money) -> Money {
    Money::usd(usual).min(most)
}

#[cfg(test)]
mod tests {
    use loops::spec::{self, Known, LoopSpec};

    use super::*;
    use crate::cli::init::look::Check;

    fn shop() -> FullName {
        FullName::parse("acme/Shop.js").unwrap()
    }

    fn look(checks: &[&str], ci: &[&str]) -> Look {
        Look {
            base: "trunk".to_owned(),
            checks: checks
                .iter()
                .map(|run| Check {
                    name: "tests".to_owned(),
                    run: (*run).to_owned(),
                })
                .collect(),
            ci: ci.iter().map(|file| (*file).to_owned()).collect(),
            ..Look::default()
        }
    }

    fn read(look: &Look, allowance: &Allowance) -> Vec<LoopSpec> {
        let known = Known {
            models: ["top", "standard"].map(str::to_owned).to_vec(),
        };
        loops_for(&shop(), &prefix("Shop.js"), look, allowance)
            .iter()
            .map(|one| {
                spec::read(&one.file, &one.text, &known)
                    .unwrap_or_else(|errors| panic!("{}\n{errors:?}", one.text))
            })
            .collect()
    }

    #[test]
    fn what_is_proposed_is_valid_keeps_to_its_repository_and_to_what_may_be_spent() {
        let tight = Allowance {
            day: Dollars(Money::usd(3.0)),
            run: Dollars(Money::usd(1.0)),
            ..Allowance::default()
        };
        for allowance in [Allowance::default(), tight] {
            let specs = read(&look(&["npm test"], &[".github/workflows/ci.yml"]), &allowance);
            let mut spent = Money::ZERO;
            for spec in &specs {
                assert_eq!(
                    spec::overreach(spec, "acme/Shop.js", &allowance, spent),
                    [],
                    "{}",
                    spec.name
                );
                spent = Money(spent.0 + spec.budget.day.0.0);
                assert_eq!(spec.base, "trunk");
            }
            let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
            assert_eq!(names, ["shop-js-issues", "shop-js-ci"]);
        }
    }

    #[test]
    fn without_github_actions_there_is_no_loop_for_ci_and_without_tests_nothing_is_changed() {
        let specs = read(&look(&[], &["Jenkinsfile"]), &Allowance::default());
        assert_eq!(specs.len(), 1);
        assert!(specs[0].proposal.reports_only());
        assert!(
            !read(&look(&["make test"], &[]), &Allowance::default())[0]
                .proposal
                .reports_only()
        );
    }

    #[test]
    fn hostile_commands_and_branches_stay_text() {
        let mut look = look(&["a\" }\n    - { name: b, run: \"c # d\\"], &[]);
        look.base = "main".to_owned();
        let specs = read(&look, &Allowance::default());
        assert_eq!(specs[0].checks.commands.len(), 1);
        assert_eq!(specs[0].checks.commands[0].run, look.checks[0].run);
    }

    #[test]
    fn any_repositorys_name_makes_the_beginning_of_a_loops_name() {
        assert_eq!(
            [prefix("Shop.js"), prefix("_"), prefix("a__b.")],
            ["shop-js", "repository", "a-b"]
        );
        assert_eq!(prefix(&"x".repeat(100)).len(), 48);
    }
}
