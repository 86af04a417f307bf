//! What agents say in most stories, and the first steps that stories share.

use harness::{
    github::GitHub,
    model::Script,
    world::{LoopFile, Repository, SHOP, Said, World},
};
use serde_json::{Value, json};

/// A lead agent that reads the first finding, spawns one task for it, waits and reports.
pub(crate) fn lead(script: Script, file: &str, title: &str, goal: &str) -> Script {
    let task =
        json!({"findings": ["F1"], "worker": "fix", "title": title, "goal": goal, "acceptance": [goal]});
    script
        .calls([
            ("signals", json!({"finding": "F1"})),
            ("read", json!({"path": file})),
        ])
        .call("spawn", task)
        .call("wait", json!({}))
        .call("outcome", json!({"task": "T1"}))
        .call("finish", json!({"report": format!("{title}: proposed.")}))
}

/// What a lead agent does once its task is under way.
pub(crate) fn follow_up(script: Script) -> Script {
    script
        .call("wait", json!({}))
        .call("outcome", json!({"task": "T1"}))
        .call("finish", json!({"report": "That is all."}))
}

/// A reviewer who approves.
pub(crate) fn approves(script: Script, file: &str) -> Script {
    script.call("read", json!({"path": file})).call(
        "verdict",
        json!({"approve": true, "concerns": [], "summary": "It holds for what I tried."}),
    )
}

/// Runs the loop `fix`, which must end well; gives the run.
pub(crate) async fn run(world: &World) -> Value {
    let ran = world.loops(["run", "fix", "--format", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}\n{:#?}", world.model().complaints());
    ran.json()["run"].clone()
}

/// The id of the open proposal of a run of one task.
pub(crate) fn proposal(run: &Value) -> &str {
    assert_eq!(run["tasks"].as_array().map(Vec::len), Some(1), "{run:#}");
    let proposal = &run["tasks"][0]["proposal"];
    assert_eq!(proposal["state"], "open", "{run:#}");
    proposal["id"].as_str().unwrap()
}

/// A shop whose page crashes for products without ratings, for stories that begin with a proposal.
pub(crate) struct Ratings {
    pub(crate) world: World,
    pub(crate) origin: Repository,
}

impl Ratings {
    pub(crate) const CHECK: &str = "python3 -m unittest -v";
    pub(crate) const FILE: &str = "ratings/stats.py";
    pub(crate) const TESTS: &str = "tests/test_stats.py";
    pub(crate) const TITLE: &str = "Give the mean of no ratings";
    pub(crate) const BUGGY: &str = "def mean(ratings):\n    return sum(ratings) / len(ratings)\n";
    pub(crate) const MENDED: &str =
        "def mean(ratings):\n    return sum(ratings) / len(ratings) if ratings else 0\n";
    /// What the repository tests, and what a fix adds to it.
    pub(crate) const TEST: &str = "import unittest\n\nfrom ratings.stats import mean\n\n\nclass \
                                   MeanTest(unittest.TestCase):\n    def test_mean(self):\n        \
                                   self.assertEqual(mean([1, 3]), 2)\n";
    pub(crate) const ADDED: &str = "\n    def test_nothing(self):\n        self.assertEqual(mean([]), 0)\n";

    /// The shop, its loop, what two people said, and agents that know what to do about it.
    pub(crate) async fn world() -> Self {
        let world = World::start().await;
        let origin = world.repository(&Self::files());
        world.define(&Self::file());
        world.feedback(&[
            Said::by(
                "anna",
                "A product without ratings crashes the page: ZeroDivisionError: division by zero",
            ),
            Said::by(
                "ben",
                "ZeroDivisionError: division by zero on products without ratings, the page crashes",
            ),
        ]);
        Self { world, origin }
    }

    /// The loop's spec.
    pub(crate) fn file() -> LoopFile {
        Self::file_of("fix")
    }

    /// The spec of a loop of another name.
    pub(crate) fn file_of(name: &'static str) -> LoopFile {
        LoopFile::new(name, Self::CHECK).write(["ratings/**", "tests/**"])
    }

    /// The same shop on GitHub, where carol, who has write access, and dave report it in an issue. Its `origin` is not used.
    pub(crate) async fn on_github() -> (Self, GitHub) {
        let world = World::start().await;
        let origin = world.repository(&[("README.md", "unused")]);
        let hub = world.github(&Self::files(), "").await;
        world.define(&Self::file().on_github(SHOP));
        {
            let mut there = hub.world();
            let text = "ZeroDivisionError: division by zero on products without ratings, the page crashes";
            let issue = there.open_issue(SHOP, "dave", "A product without ratings crashes the page", text);
            let same = "Same here: ZeroDivisionError: division by zero on a product without ratings";
            there.comment(SHOP, issue, "carol", same);
        }
        (Self { world, origin }, hub)
    }

    pub(crate) fn files() -> [(&'static str, &'static str); 4] {
        [
            ("ratings/__init__.py", ""),
            (Self::FILE, Self::BUGGY),
            ("tests/__init__.py", ""),
            (Self::TESTS, Self::TEST),
        ]
    }

    /// Lets the agents do what is right. What a story wants different it says before.
    pub(crate) fn well_played(self) -> Self {
        let world = &self.world;
        world.lead_about("ZeroDivisionError", |s| {
            lead(s, Self::FILE, Self::TITLE, "mean([]) is 0")
        });
        world.worker(Self::TITLE, |s| {
            s.calls([
                (
                    "write",
                    json!({"path": Self::TESTS, "content": format!("{}{}", Self::TEST, Self::ADDED)}),
                ),
                ("write", json!({"path": Self::FILE, "content": Self::MENDED})),
            ])
            .call("run", json!({"command": Self::CHECK}))
            .say("The mean of no ratings is 0 now.")
        });
        world.reviewer(Self::TITLE, |s| approves(s, Self::FILE));
        self
    }

    /// The same, run: the proposal's id.
    pub(crate) async fn proposed(&self) -> String {
        proposal(&run(&self.world).await).to_owned()
    }

    /// Two people say the same again, in other words.
    pub(crate) fn said_again(&self) {
        self.world.feedback(&[
            Said::by(
                "cleo",
                "The page of a product without ratings still crashes, ZeroDivisionError: division by zero",
            )
            .at("2026-03-03T09:00:00Z"),
            Said::by(
                "dan",
                "products without ratings crash the page: ZeroDivisionError: division by zero",
            )
            .at("2026-03-03T10:00:00Z"),
        ]);
    }

    /// Somebody says something else, which the lead agent reads and leaves alone.
    pub(crate) fn something_else_said(&self) {
        let text = "The invoice PDF is in the wrong language, mine came in Danish";
        self.world
            .feedback(&[Said::by("eva", text).at("2026-03-04T09:00:00Z")]);
        self.world.lead_about("Danish", |s| {
            s.call(
                "dismiss",
                json!({"finding": "F1", "why": "invoices are made elsewhere"}),
            )
            .call("finish", json!({"report": "Invoices are made elsewhere."}))
        });
    }

    /// What the findings are, as `state signals`, most signals first.
    pub(crate) async fn findings(&self) -> Vec<String> {
        let listed = self.world.loops(["findings", "--format", "json"]).await.json();
        let mut all: Vec<String> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|row| format!("{} {}", row["signals"], row["state"].as_str().unwrap()))
            .collect();
        all.sort();
        all.reverse();
        all
    }

    /// The proposal as `loops review` shows it to a script.
    pub(crate) async fn shown(&self, id: &str) -> Value {
        self.world.loops(["review", id, "--format", "json"]).await.json()
    }
}
