//! One small bug from feedback to proposal, for tests that are about what happens around it.

use harness::{
    model::Script,
    world::{LoopFile, Ran, Repository, Said, World},
};
use serde_json::{Value, json};

pub(crate) const TITLE: &str = "Give the mean of no ratings";
pub(crate) const CHECK: &str = "python3 -m unittest -v";
pub(crate) const RUN: [&str; 4] = ["run", "fix", "--format", "json"];
const CODE: &str = "def mean(ratings):\n    return sum(ratings) / len(ratings)\n";
const FIXED: &str = "def mean(ratings):\n    return sum(ratings) / len(ratings) if ratings else 0\n";
const TEST: &str = "import unittest\n\nfrom stats import mean\n\n\nclass MeanTest(unittest.TestCase):\n    def \
                    test_mean(self):\n        self.assertEqual(mean([1, 3]), 2)\n";
const NEW_TEST: &str = "        self.assertEqual(mean([1, 3]), 2)\n\n    def test_nothing(self):\n        self.assertEqual(mean([]), 0)\n";

/// The repository's files.
pub(crate) const FILES: [(&str, &str); 2] = [("stats.py", CODE), ("test_stats.py", TEST)];

/// A repository, a loop on it, and three people's words. Nobody has told the model what to say.
pub(crate) async fn told() -> (World, Repository) {
    let world = World::start().await;
    world.settings("  patience: 2s\n");
    let origin = world.repository(&FILES);
    world.define(&spec());
    people_said(&world);
    (world, origin)
}

/// The same, with a model that does its work well.
pub(crate) async fn well() -> (World, Repository) {
    let (world, origin) = told().await;
    world.lead(lead).worker(TITLE, worker).reviewer(TITLE, reviewer);
    (world, origin)
}

pub(crate) fn spec() -> LoopFile {
    LoopFile::new("fix", CHECK)
}

pub(crate) fn people_said(world: &World) {
    world.feedback(&[
        Said::by(
            "anna",
            "The page of a product without ratings crashes with ZeroDivisionError: division by zero",
        ),
        Said::by(
            "ben",
            "ZeroDivisionError: division by zero on products that have no ratings yet",
        ),
        Said::by(
            "cleo",
            "Opening a new product that has no ratings crashes: ZeroDivisionError division by zero",
        ),
    ]);
}

/// The lead agent's one task.
pub(crate) fn task() -> Value {
    json!({"findings": ["F1"], "worker": "fix", "title": TITLE, "goal": "mean([]) is 0", "acceptance": ["mean([]) is 0"]})
}

pub(crate) fn lead(script: Script) -> Script {
    follow(
        script
            .call("signals", json!({"finding": "F1"}))
            .call("spawn", task()),
    )
}

/// What the lead agent does once its task is under way.
pub(crate) fn follow(script: Script) -> Script {
    script
        .call("wait", json!({}))
        .call("outcome", json!({"task": "T1"}))
        .call("finish", json!({"report": "That is all."}))
}

pub(crate) fn worker(script: Script) -> Script {
    end_of_work(script.call("read", json!({"path": "stats.py"})))
}

/// The edits, a run of the tests, and a summary.
pub(crate) fn end_of_work(script: Script) -> Script {
    let test = json!({"path": "test_stats.py", "old": "        self.assertEqual(mean([1, 3]), 2)\n", "new": NEW_TEST});
    script
        .call("edit", test)
        .call("edit", json!({"path": "stats.py", "old": CODE, "new": FIXED}))
        .call("run", json!({"command": CHECK}))
        .say("The mean of no ratings divided by zero; it is 0 now. The new test failed before and passes.")
}

pub(crate) fn reviewer(script: Script) -> Script {
    let verdict = json!({"approve": true, "concerns": [], "summary": "It holds for what I tried."});
    script
        .call("read", json!({"path": "stats.py"}))
        .call("verdict", verdict)
}

/// The proposals of the run that a command printed, as (title, tree).
pub(crate) fn proposed(origin: &Repository, ran: &Ran) -> Vec<(String, String)> {
    let run = &ran.json()["run"];
    let tasks = run["tasks"].as_array().cloned().unwrap_or_default();
    let open = tasks
        .iter()
        .map(|task| &task["proposal"])
        .filter(|proposal| proposal["state"] == "open");
    open.map(|proposal| {
        let word = |key: &str| proposal[key].as_str().unwrap_or_default().to_owned();
        let tree = origin.git(&["rev-parse", &format!("{}^{{tree}}", word("branch"))]);
        assert_eq!(
            origin.head(&word("branch")),
            word("head"),
            "the branch is what was proposed"
        );
        (word("title"), tree)
    })
    .collect()
}

/// Nothing came of it: `main` is the only branch, and no proposal waits for anybody.
pub(crate) async fn came_to_nothing(world: &World, origin: &Repository) {
    assert_eq!(origin.branches(), ["main"]);
    let status = world.loops(["status"]).await;
    assert!(status.stdout.contains("0 proposals wait for you"), "{status}");
}

/// It came to the one right proposal.
pub(crate) fn came_to_the_fix(origin: &Repository, ran: &Ran) {
    assert_eq!(ran.code, 0, "{ran}");
    let found = proposed(origin, ran);
    assert_eq!(found.len(), 1, "{ran}");
    assert_eq!(
        origin.git(&["show", &format!("{}:stats.py", found[0].1)]),
        FIXED.trim_end()
    );
    assert_eq!(origin.branches().len(), 2, "{:?}", origin.branches());
}
