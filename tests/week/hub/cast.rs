//! The loops of the week on GitHub: half as many repositories, each with two loops that tell their issues apart by a
//! label, and what is wrong in them.

use harness::{
    github::{GitHub, Role as Access},
    model::Turn,
    world::{BOT, LEAD, LoopFile, World},
};
use serde_json::{Value, json};

use crate::cast::{Role as Schedule, cast};

const CHECK: &str = "python3 -m unittest -v";
/// Who reviews; each for every third loop.
const REVIEWERS: [&str; 3] = ["carol", "dave", "erin"];
/// Who owns what no loop ever changes, so that nothing waits for them.
const IDLE: &str = "zoe";
/// What a reviewer may ask for, and the worker knows how to do.
pub(super) const WORDS: &str = "say why";

/// One loop.
pub(super) struct Role {
    pub(super) schedule: Schedule,
    /// Its repository on GitHub.
    pub(super) repository: String,
    pub(super) reviewer: &'static str,
    /// Whether its spec names who reviews; else CODEOWNERS does.
    names: bool,
    pub(super) max_open: u32,
}

impl Role {
    pub(super) fn name(&self) -> &'static str {
        self.schedule.name
    }

    /// The label of its issues.
    pub(super) fn label(&self) -> String {
        format!("for-{}", self.name())
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bug {
    /// What people say of it.
    pub(super) said: &'static str,
    /// What they write besides.
    pub(super) more: &'static str,
    title: &'static str,
    /// The function that is wrong.
    does: &'static str,
    /// What it prints before the name.
    word: &'static str,
}

/// What is wrong in every loop's part of the code: unlike each other, so that each is a finding of its own.
pub(super) const BUGS: [Bug; 4] = [
    Bug {
        said: "The greeting shows Hello None where my name belongs",
        more: "Since Monday, in every browser.",
        title: "Greet by name",
        does: "greet",
        word: "Hello",
    },
    Bug {
        said: "On logout the page prints Goodbye None to every customer",
        more: "Only after the session has ended.",
        title: "Part by name",
        does: "part",
        word: "Goodbye",
    },
    Bug {
        said: "Invoices are addressed to Dear None in place of a buyer",
        more: "The PDF and the mail both have it.",
        title: "Address the buyer",
        does: "address",
        word: "Dear",
    },
    Bug {
        said: "Whoever searches is told Thanks None above all the results",
        more: "Even with filters by colour or size.",
        title: "Thank whoever searches",
        does: "thank",
        word: "Thanks",
    },
];

impl Bug {
    /// The title of the task that mends it, which is the pull request's.
    pub(super) fn title(&self, name: &str) -> String {
        format!("{} in {name}", self.title)
    }
}

/// The loop and the bug that a pull request of this title is about.
pub(super) fn of_title<'r>(roles: &'r [Role], title: &str) -> Option<(&'r Role, &'static Bug)> {
    roles.iter().find_map(|role| {
        let bug = BUGS.iter().find(|bug| bug.title(role.name()) == title)?;
        Some((role, bug))
    })
}

/// The week's loops that have a repository, or those of these names; `max_open` of all in place of one to three.
pub(super) fn roles(names: &[&str], max_open: Option<u32>) -> Vec<Role> {
    let all = cast().into_iter().filter(|role| role.name != "lost");
    let all = all.filter(|role| names.is_empty() || names.contains(&role.name));
    let role = |(at, schedule)| Role {
        schedule,
        repository: format!("acme/shop-{}", at / 2),
        reviewer: REVIEWERS[at % REVIEWERS.len()],
        names: at % 4 < 2,
        max_open: max_open.unwrap_or(at as u32 % 3 + 1),
    };
    all.enumerate().map(role).collect()
}

/// Writes the loops and makes their repositories.
pub(super) fn lay_out(world: &World, hub: &GitHub, roles: &[Role]) {
    for role in roles {
        let owners = owners(roles, &role.repository);
        let mut there = hub.world();
        if !there
            .repositories
            .iter()
            .any(|one| one.full_name() == role.repository)
        {
            there.add_repository(&role.repository);
            there.grant(&role.repository, BOT, Access::Write);
            for person in REVIEWERS.into_iter().chain([IDLE]) {
                there.grant(&role.repository, person, Access::Maintain);
            }
            let files = [
                (".github/CODEOWNERS", Some(owners.as_str())),
                ("docs/guide.md", Some("How to shop\n")),
            ];
            there.commit(&role.repository, "main", "carol", &files, "Who owns what");
        }
        let files: Vec<(String, String)> = BUGS.iter().flat_map(|bug| files(role.name(), bug)).collect();
        let files: Vec<(&str, Option<&str>)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), Some(text.as_str())))
            .collect();
        there.commit(&role.repository, "main", "carol", &files, "What the shop does");
        drop(there);
        let mut yaml = LoopFile::new(role.name(), CHECK)
            .on_github(&role.repository)
            .sources(&format!(
                "[{{ github_issues: {{ labels: [{}] }} }}]",
                role.label()
            ))
            .max_open(role.max_open)
            .yaml()
            .replace("{ every: 10m }", role.schedule.schedule);
        if role.names {
            let names = format!("proposal: {{ reviewers: ['@{}'],", role.reviewer);
            yaml = yaml.replace("proposal: {", &names);
        }
        world.write(&format!(".loops/{}.yaml", role.name()), &yaml);
    }
}

/// The CODEOWNERS file of a repository: each loop's part is its reviewer's, and what nobody works on is somebody's who has
/// nothing to do.
fn owners(roles: &[Role], repository: &str) -> String {
    let mut owners = format!("docs/ @{IDLE}\n.github/ @{IDLE}\n*.md @{IDLE}\n");
    for role in roles.iter().filter(|role| role.repository == repository) {
        let (name, reviewer) = (role.name(), role.reviewer);
        owners += &format!("/{name}_*.py @{reviewer}\n/test_{name}_*.py @{reviewer}\n");
    }
    owners
}

/// Where a bug is.
pub(super) fn path(name: &str, bug: &Bug) -> String {
    format!("{name}_{}.py", bug.does)
}

fn test_path(name: &str, bug: &Bug) -> String {
    format!("test_{name}_{}.py", bug.does)
}

fn asserts(bug: &Bug) -> String {
    let Bug { word, does, .. } = bug;
    format!("        self.assertIn(\"{word}\", {does}(\"Ada\"))\n")
}

/// The code with the bug, and its test that does not see it.
fn files(name: &str, bug: &Bug) -> [(String, String); 2] {
    let Bug { word, does, .. } = bug;
    let code = format!("def {does}(name):\n    return f\"{word} {{None}}\"\n");
    let test = format!(
        "import unittest\n\nfrom {name}_{does} import {does}\n\n\nclass Test(unittest.TestCase):\n    def test_it(self):\n{}",
        asserts(bug)
    );
    [(path(name, bug), code), (test_path(name, bug), test)]
}

/// What leads, workers and reviewers say.
pub(super) fn write_scripts(world: &World, roles: &[Role]) {
    world.model().session_of_role(LEAD, |s| {
        s.reply(|request| spawn(&first(request)))
            .call("wait", json!({}))
            .call("finish", json!({"report": "Done."}))
    });
    for (name, bug) in roles.iter().flat_map(|role| BUGS.map(|bug| (role.name(), bug))) {
        let (title, asserts) = (bug.title(name), asserts(&bug));
        let Bug { word, does, .. } = bug;
        let again = format!("# They asked to {WORDS}\ndef {does}(name):\n    return f\"{word} {{name}}\"\n");
        world.worker_told(&title, WORDS, |s| {
            s.call("write", json!({"path": path(name, &bug), "content": again}))
                .say("It says why now.")
        });
        let test = format!(
            "{asserts}\n    def test_name(self):\n        self.assertEqual({does}(\"Ada\"), \"{word} Ada\")\n"
        );
        world.worker(&title, |s| {
            s.call(
                "edit",
                json!({"path": test_path(name, &bug), "old": asserts, "new": test}),
            )
            .call(
                "edit",
                json!({"path": path(name, &bug), "old": "{None}", "new": "{name}"}),
            )
            .say("It prints the name now.")
        });
    }
    for (name, bug) in roles.iter().flat_map(|role| BUGS.map(|bug| (role.name(), bug))) {
        world.reviewer(&bug.title(name), |s| {
            let verdict = json!({"approve": true, "concerns": [], "summary": "It holds."});
            s.call("verdict", verdict)
        });
    }
}

/// The first message of a conversation.
fn first(request: &Value) -> String {
    let content = &request["messages"][0]["content"];
    let parts = content.as_array().into_iter().flatten();
    let texts: Vec<&str> = parts.filter_map(|part| part["text"].as_str()).collect();
    content.as_str().map_or_else(|| texts.join("\n"), str::to_owned)
}

/// One task for each finding that stands in a lead agent's brief.
fn spawn(brief: &str) -> Turn {
    let name = brief.split('`').nth(1).unwrap_or_default();
    let mut turn = Turn::new();
    let mut findings = 0;
    for part in brief.split("\nF").skip(1) {
        let Some((number, words)) = part.split_once(':') else {
            continue;
        };
        let Some(bug) = BUGS.iter().find(|bug| words.contains(bug.said)) else {
            continue;
        };
        findings += 1;
        let task = json!({"findings": [format!("F{number}")], "worker": "fix", "title": bug.title(name), "goal": "The name is printed", "acceptance": ["it is"]});
        turn = turn.call("spawn", task);
    }
    assert!(
        findings > 0,
        "a lead agent was asked about nothing that we know: {brief}"
    );
    turn
}
