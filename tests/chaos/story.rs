//! What happens: two problems are reported, both are proposed; one is sent back by a review, the other refused; then the
//! first is merged. Between two acts of people the service is run until nothing is left to be done.

use harness::{
    github::{GitHub, Role},
    model::Turn,
    world::{BOT, LEAD, LoopFile, SHOP, World},
};
use serde_json::{Value, json};

use super::{
    kills::{Kills, run},
    outcome::Outcome,
};

const CHECK: &str = "python3 -m unittest -v";
const WORDS: &str = "say why";
/// No kill makes the run dearer than this.
pub(super) const BUDGET_USD: u32 = 40;

/// Where the state is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keeps {
    File,
    Postgres,
}

/// One thing that is wrong: what is said, the task's title, the function, what it prints.
pub(super) struct Bug {
    said: &'static str,
    pub(super) title: &'static str,
    does: &'static str,
    word: &'static str,
}

pub(super) const BUGS: [Bug; 2] = [
    Bug {
        said: "The greeting shows Hello None where my name belongs",
        title: "Greet by name",
        does: "greet",
        word: "Hello",
    },
    Bug {
        said: "On logout the page prints Goodbye None to every customer",
        title: "Part by name",
        does: "part",
        word: "Goodbye",
    },
];

impl Bug {
    pub(super) fn path(&self) -> String {
        format!("{}.py", self.does)
    }

    fn asserts(&self) -> String {
        format!(
            "        self.assertIn(\"{}\", {}(\"Ada\"))\n",
            self.word, self.does
        )
    }

    fn files(&self) -> [(String, String); 2] {
        let Self { does, word, .. } = self;
        let test = format!(
            "import unittest\n\nfrom {does} import {does}\n\n\nclass Test(unittest.TestCase):\n    def test_it(self):\n{}",
            self.asserts()
        );
        let code = format!("def {does}(name):\n    return f\"{word} {{None}}\"\n");
        [(self.path(), code), (format!("test_{does}.py"), test)]
    }
}

/// A world in which it happens.
pub(super) struct Story {
    pub(super) world: World,
    pub(super) hub: GitHub,
}

impl Story {
    pub(super) async fn begin(keeps: Keeps) -> Self {
        let world = World::start().await;
        let more = match keeps {
            Keeps::File => "",
            Keeps::Postgres => {
                world.database();
                "database: ${DATABASE_URL}\n"
            }
        };
        let files: Vec<(String, String)> = BUGS.iter().flat_map(Bug::files).collect();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        let hub = world.github(&files, more).await;
        hub.world().grant(SHOP, BOT, Role::Write);
        let budget = format!("budget: {{ run: {BUDGET_USD} USD, day: {BUDGET_USD} USD }}\n");
        let yaml = LoopFile::new("fix", CHECK).on_github(SHOP).more(&budget).yaml();
        world.write(
            ".loops/fix.yaml",
            &yaml.replace("proposal: {", "proposal: { reviewers: ['@carol'],"),
        );
        write_scripts(&world);
        Self { world, hub }
    }

    /// Tells it to its end, and gives what is there then.
    pub(super) async fn tell(self, kills: &mut Kills) -> Outcome {
        for bug in &BUGS {
            self.hub.world().open_issue(SHOP, "carol", bug.said, bug.title);
        }
        self.quiet(kills).await;
        let [greet, part] = [0, 1].map(|at| self.pull(BUGS[at].title));
        {
            let mut there = self.hub.world();
            let words = format!("Please {WORDS}");
            there.review_comment(SHOP, greet, "carol", ("greet.py", 2), &words);
            there.comment(SHOP, greet, "carol", "/loops explain");
            there.comment(SHOP, part, "carol", "They know who they are");
            there.close(SHOP, part, "carol");
        }
        self.quiet(kills).await;
        self.hub.world().set_draft(SHOP, greet, "carol", false);
        self.hub.world().merge(SHOP, greet, "carol");
        self.quiet(kills).await;
        let outcome = Outcome::of(&self).await;
        self.hub.check();
        // The ledger is whole, and nothing is left behind.
        self.world.close().await;
        outcome
    }

    /// Runs the loop until two runs in a row have nothing to do and nothing waits to be sent.
    async fn quiet(&self, kills: &mut Kills) {
        let mut idle = 0;
        for _ in 0..60 {
            let instant = kills.next();
            let (killed, ran) = run(self, instant).await;
            if let (true, Some(instant)) = (killed, instant) {
                kills.hit(instant);
                idle = 0;
                continue;
            }
            assert_eq!(ran.code, 0, "{ran}\n{:#?}", kills.done);
            let done = ran.json()["run"]["state"] == "nothing_to_do" && !ran.stderr.contains("waits  ");
            idle = if done { idle + 1 } else { 0 };
            if idle == 2 {
                return;
            }
        }
        panic!("it never came to rest: {:#?}", kills.done)
    }

    /// The number of the first pull request of this title.
    fn pull(&self, title: &str) -> u64 {
        let mut there = self.hub.world();
        let issues = there.repo(SHOP).issues.values();
        let mut pulls = issues.filter(|issue| issue.pull.is_some() && issue.title == title);
        pulls
            .next()
            .unwrap_or_else(|| panic!("`{title}` was not proposed"))
            .number
    }
}

fn write_scripts(world: &World) {
    world.model().session_of_role(LEAD, |s| {
        s.reply(spawn)
            .call("wait", json!({}))
            .call("finish", json!({"report": "Done."}))
    });
    for bug in &BUGS {
        let (
            asserts,
            Bug {
                does, word, title, ..
            },
        ) = (bug.asserts(), bug);
        let again = format!("# A name is there\ndef {does}(name):\n    return f\"{word} {{name}}\"\n");
        world.worker_told(title, WORDS, |s| {
            s.call("write", json!({"path": bug.path(), "content": again}))
                .say("It says why.")
        });
        let test = format!(
            "{asserts}\n    def test_name(self):\n        self.assertEqual({does}(\"Ada\"), \"{word} Ada\")\n"
        );
        world.worker(title, |s| {
            s.call(
                "edit",
                json!({"path": format!("test_{does}.py"), "old": asserts, "new": test}),
            )
            .call(
                "edit",
                json!({"path": bug.path(), "old": "{None}", "new": "{name}"}),
            )
            .say("It prints the name now.")
        });
    }
    for bug in &BUGS {
        world.reviewer(bug.title, |s| {
            s.call(
                "verdict",
                json!({"approve": true, "concerns": [], "summary": "It holds."}),
            )
        });
    }
}

/// One task for each finding that stands in a lead agent's brief.
fn spawn(request: &Value) -> Turn {
    let brief = request["messages"][0].to_string();
    let mut turn = Turn::new();
    for part in brief.split("\\nF").skip(1) {
        let Some((number, words)) = part.split_once(':') else {
            continue;
        };
        let Some(bug) = BUGS.iter().find(|bug| words.contains(bug.said)) else {
            continue;
        };
        let task = json!({"findings": [format!("F{number}")], "worker": "fix", "title": bug.title, "goal": "The name is printed", "acceptance": ["it is"]});
        turn = turn.call("spawn", task);
    }
    turn
}
