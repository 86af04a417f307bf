//! Proof, from a change to its evidence, on small repositories and in the real sandbox. Shams stand beside the true fix
//! that differs from them in one thing.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{fs, path::Path, process::Command, time::Duration};

use loops::{
    evidence::{CheckKind, Evidence, Verdict},
    id::{AttemptId, RunId, TaskId},
    spec::{CheckCommand, Reproduce, SandboxLimits, Setup, Span, WeakenedTests},
};
use tokio::sync::mpsc;
use workers::{
    Machine, checks,
    git::Mirror,
    order::{Baseline, Change, Job, Order, Prove, Report, Result as Outcome, WaysOut},
    workspace::Workspace,
};

/// A repository with one commit, and a change on it.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    base: String,
    pub(crate) prove: Prove,
    setup: Option<Setup>,
    sandbox: Option<SandboxLimits>,
}

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn git(at: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command
        .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
        .args(args)
        .current_dir(at);
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn command(name: &str, run: &str) -> CheckCommand {
    CheckCommand {
        name: name.to_owned(),
        run: run.to_owned(),
        junit: None,
        timeout: Span(Duration::from_secs(120)),
    }
}

impl World {
    /// A change that writes these files; one without text is removed.
    pub(crate) async fn new(base: &[(&str, &str)], run: &str, edits: &[(&str, Option<&str>)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        write(&source, base);
        git(&source, &["init", "--quiet", "--initial-branch=main"]);
        git(&source, &["add", "--all"]);
        git(&source, &["commit", "--quiet", "--message=base"]);
        let mirror = folder.path().join("mirror");
        let base = Mirror::update(source.to_str().unwrap(), &mirror, "main")
            .await
            .unwrap();
        let agent = folder.path().join("agent");
        fs::create_dir(&agent).unwrap();
        let workspace = Workspace::create(&mirror, &base, None, &agent).await.unwrap();
        for (path, text) in edits {
            match text {
                Some(text) => write(workspace.root(), &[(path, text)]),
                None => fs::remove_file(workspace.root().join(path)).unwrap(),
            }
        }
        let change: Change = workspace
            .capture()
            .await
            .unwrap()
            .expect("the edits change something");
        let prove = Prove {
            change,
            commands: vec![command("unit", run)],
            reproduce: Reproduce::Required,
            weakened_tests: WeakenedTests::Forbid,
            baseline: None,
        };
        Self {
            folder,
            base,
            prove,
            setup: None,
            sandbox: Some(SandboxLimits::default()),
        }
    }

    fn order(&self) -> Order {
        let root = self.folder.path();
        Order {
            attempt: AttemptId::named("a"),
            task: TaskId::named("a"),
            run: RunId::named("a"),
            mirror: root.join("mirror"),
            base: self.base.clone(),
            start: None,
            scratch: root.join("scratch"),
            sandbox: self.sandbox.clone(),
            setup: self.setup.clone(),
            setup_cache: root.join("cache"),
            ways_out: WaysOut::default(),
            timeout: Span(Duration::from_secs(300)),
            job: Job::Prove(self.prove.clone()),
        }
    }

    async fn outcome(&self) -> (Outcome, Vec<String>) {
        let (reports, mut said) = mpsc::unbounded_channel();
        let machine = Machine {
            sandbox: Some(crate::sandbox::sandbox()),
        };
        let outcome = checks::prove(&self.prove, &self.order(), &machine, &reports).await;
        drop(reports);
        let mut stages = Vec::new();
        while let Some(report) = said.recv().await {
            if let Report::Stage { doing } = report {
                stages.push(doing);
            }
        }
        (outcome, stages)
    }

    pub(crate) async fn proved(&self) -> (Vec<Evidence>, Vec<Baseline>) {
        match self.outcome().await.0 {
            Outcome::Proved { evidence, baseline } => (evidence, baseline),
            other => panic!("{other:?}"),
        }
    }

    /// The evidence in short: name, verdict, words.
    async fn said(&self) -> Vec<String> {
        let (evidence, _) = self.proved().await;
        evidence
            .iter()
            .map(|found| format!("{}: {:?}: {}", found.name, found.verdict, found.words))
            .collect()
    }

    async fn verdicts(&self) -> Vec<Verdict> {
        self.proved().await.0.iter().map(|found| found.verdict).collect()
    }
}

const PY: &str = "def total(cart):\n    return sum(cart[1:])\n\n\ndef count(cart):\n    return len(cart)\n";
const PY_FIXED: &str = "def total(cart):\n    return sum(cart)\n\n\ndef count(cart):\n    return len(cart)\n";
const PY_TEST: &str = "import unittest\nimport shop\n\n\nclass ShopTest(unittest.TestCase):\n    def test_empty(self):\n        self.assertEqual(shop.total([]), 0)\n\n    def test_count(self):\n        self.assertEqual(shop.count([1]), 1)\n";
const PY_RUN: &str = "python3 -m unittest -v";

fn py_base() -> [(&'static str, &'static str); 3] {
    [
        ("shop.py", PY),
        ("tests/__init__.py", ""),
        ("tests/test_shop.py", PY_TEST),
    ]
}

fn with_test(body: &str) -> String {
    format!("{PY_TEST}\n    def test_new(self):\n        {body}\n")
}

async fn python(source: &str, test: &str) -> World {
    World::new(
        &py_base(),
        PY_RUN,
        &[("shop.py", Some(source)), ("tests/test_shop.py", Some(test))],
    )
    .await
}

#[tokio::test]
async fn a_true_fix_is_proven() {
    let world = python(PY_FIXED, &with_test("self.assertEqual(shop.total([3]), 3)")).await;
    let (outcome, stages) = world.outcome().await;
    let Outcome::Proved { evidence, baseline } = outcome else {
        panic!("{outcome:?}")
    };
    let said: Vec<String> = evidence
        .iter()
        .map(|found| format!("{}: {:?}: {}", found.name, found.verdict, found.words))
        .collect();
    assert_eq!(
        said,
        [
            "unit: Passed: `unit` passes, as on the base: 3 tests passed.",
            "reproduction: Passed: 1 test fails on the base (`tests.test_shop.ShopTest.test_new`), and all pass on the change.",
            "weakened tests: Passed: No test was removed, skipped or loosened.",
        ]
    );
    assert_eq!(
        baseline[0].passed,
        [
            "tests.test_shop.ShopTest.test_count",
            "tests.test_shop.ShopTest.test_empty"
        ]
    );
    let reproduction = &evidence[1];
    assert_eq!(reproduction.before.as_ref().unwrap().failed, Some(1));
    assert_eq!(reproduction.after.as_ref().unwrap().failed, Some(0));
    assert!(
        reproduction.detail.contains("AssertionError: 0 != 3"),
        "{}",
        reproduction.detail
    );
    assert!(
        stages.contains(&"check unit on the base".to_owned()) && stages.contains(&"reproduction".to_owned()),
        "{stages:?}"
    );
}

#[tokio::test]
async fn a_fix_whose_test_passes_on_the_base_is_refused() {
    let world = python(PY_FIXED, &with_test("self.assertEqual(shop.total([0, 3]), 3)")).await;
    assert_eq!(
        world.said().await[1],
        "reproduction: Failed: The change's tests pass on the base, too, so they prove nothing about it."
    );
}

#[tokio::test]
async fn a_test_that_does_not_load_on_the_base_reproduces_nothing() {
    let source = PY_FIXED.replace(
        "def total",
        "def all_of_it(cart):\n    return sum(cart)\n\n\ndef total",
    );
    let loads_not = with_test("self.assertEqual(all_of_it([3]), 3)")
        .replace("import shop", "import shop\nfrom shop import all_of_it");
    let world = python(&source, &loads_not).await;
    let said = &world.said().await[1];
    assert!(
        said.starts_with("reproduction: Failed: With the change's tests alone, `unit` could not load"),
        "{said}"
    );
    let loads_late = with_test("from shop import all_of_it; self.assertEqual(all_of_it([3]), 3)");
    assert_eq!(
        python(&source, &loads_late).await.verdicts().await[1],
        Verdict::Failed
    );
}

#[tokio::test]
async fn a_change_without_tests_proves_nothing() {
    let world = World::new(&py_base(), PY_RUN, &[("shop.py", Some(PY_FIXED))]).await;
    assert_eq!(
        world.said().await[1],
        "reproduction: Failed: The change has no tests, so nothing shows that it mends anything."
    );
}

#[tokio::test]
async fn what_passed_on_the_base_and_fails_now_stops_the_change() {
    let broken = PY_FIXED.replace("len(cart)", "len(cart) + 1");
    let world = python(&broken, &with_test("self.assertEqual(shop.total([3]), 3)")).await;
    let said = world.said().await;
    assert_eq!(
        said[0],
        "unit: Failed: `unit`: 1 test that passed on the base fails now: `tests.test_shop.ShopTest.test_count`."
    );
    assert!(
        said[1].starts_with("reproduction: Failed: On the whole change, not all tests"),
        "{}",
        said[1]
    );
}

#[tokio::test]
async fn what_failed_on_the_base_already_is_not_held_against_the_change() {
    let broken = PY.replace("len(cart)", "len(cart) + 1");
    let fixed = broken.replace("sum(cart[1:])", "sum(cart)");
    let base = [
        ("shop.py", broken.as_str()),
        ("tests/__init__.py", ""),
        ("tests/test_shop.py", PY_TEST),
    ];
    let test = with_test("self.assertEqual(shop.total([3]), 3)");
    let world = World::new(
        &base,
        PY_RUN,
        &[("shop.py", Some(&fixed)), ("tests/test_shop.py", Some(&test))],
    )
    .await;
    let said = world.said().await;
    assert_eq!(
        said[0],
        "unit: Passed: `unit` fails as it did on the base (1 test: `tests.test_shop.ShopTest.test_count`); nothing else does."
    );
    assert!(said[1].starts_with("reproduction: Passed: "), "{}", said[1]);
}

#[tokio::test]
async fn weakened_tests_are_seen_in_the_diff_and_in_the_results() {
    let test = with_test("self.assertEqual(shop.total([3]), 3)").replace(
        "    def test_count",
        "    @unittest.skip('later')\n    def test_count",
    );
    let world = python(PY_FIXED, &test).await;
    let (evidence, _) = world.proved().await;
    let weakened = &evidence[2];
    assert_eq!(weakened.verdict, Verdict::Failed);
    assert!(
        weakened
            .detail
            .contains("`unit`: 1 test passed on the base and is skipped on the change"),
        "{}",
        weakened.detail
    );
    assert!(
        weakened
            .detail
            .contains("tests/test_shop.py:9: `ShopTest.test_count` is skipped"),
        "{}",
        weakened.detail
    );
}

#[tokio::test]
async fn without_commands_nothing_is_proven() {
    let mut world = python(PY_FIXED, &with_test("self.assertEqual(shop.total([3]), 3)")).await;
    world.prove.commands.clear();
    assert_eq!(
        world.said().await[0],
        "reproduction: CouldNotRun: The loop has no check commands, so the fault could not be reproduced."
    );
}

#[tokio::test]
async fn a_command_that_is_stopped_or_missing_could_not_run() {
    let mut world = python(PY_FIXED, &with_test("self.assertEqual(shop.total([3]), 3)")).await;
    world.prove.commands = vec![command("slow", "sleep 60"), command("gone", "no-such-program")];
    world.prove.commands[0].timeout = Span(Duration::from_secs(1));
    let (evidence, _) = world.proved().await;
    assert_eq!(
        evidence[0].words,
        "`slow` could not run on the change: it was stopped after 1s."
    );
    assert_eq!(evidence[1].verdict, Verdict::CouldNotRun);
    assert_eq!(
        (evidence[2].kind, evidence[2].verdict),
        (CheckKind::Reproduction, Verdict::CouldNotRun)
    );
}

#[tokio::test]
async fn a_baseline_that_is_known_is_not_run_again() {
    let mut world = python(PY_FIXED, &with_test("self.assertEqual(shop.total([3]), 3)")).await;
    let (_, baseline) = world.proved().await;
    world.prove.baseline = Some(baseline.clone());
    let (outcome, stages) = world.outcome().await;
    assert!(
        !stages.iter().any(|stage| stage.ends_with("on the base")),
        "{stages:?}"
    );
    let Outcome::Proved {
        evidence,
        baseline: again,
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(again, baseline);
    assert!(evidence.iter().all(|found| found.verdict == Verdict::Passed));
    // One that could not run, and one of other commands, are of no use.
    if let Some(known) = &mut world.prove.baseline {
        known[0].observation.verdict = Verdict::CouldNotRun;
    }
    assert!(
        world
            .outcome()
            .await
            .1
            .contains(&"check unit on the base".to_owned())
    );
    world.prove.baseline = Some(baseline);
    world.prove.commands[0].name = "other".to_owned();
    assert!(
        world
            .outcome()
            .await
            .1
            .contains(&"check other on the base".to_owned())
    );
}

#[tokio::test]
async fn the_room_is_clean_and_has_no_network_and_no_mirror_to_write() {
    let mut world = python(PY_FIXED, &with_test("self.assertEqual(shop.total([3]), 3)")).await;
    // What an agent leaves beside its workspace, or in another check's, is not there.
    fs::write(world.folder.path().join("agent/leftover"), "x").unwrap();
    world.prove.commands = vec![command(
        "look",
        "find /home /tmp /workspace /run /mnt -name leftover 2>/dev/null | grep . && exit 1; ls /run/loops/gateway.sock 2>/dev/null && exit 1; ls",
    )];
    let (evidence, _) = world.proved().await;
    assert_eq!(evidence[0].verdict, Verdict::Passed, "{}", evidence[0].detail);
}

#[tokio::test]
async fn setup_is_brought_to_every_room() {
    let mut world = python(
        PY_FIXED,
        &with_test("import dep; self.assertEqual(shop.total([dep.THREE]), 3)"),
    )
    .await;
    world.setup = Some(Setup {
        run: "mkdir -p deps && echo 'THREE = 3' > deps/dep.py".to_owned(),
        network: Vec::new(),
        timeout: Span(Duration::from_secs(60)),
    });
    world.prove.commands[0].run = format!("PYTHONPATH=deps {PY_RUN}");
    assert_eq!(world.verdicts().await, [Verdict::Passed; 3]);
    // The control: without it, the test does not load what it needs.
    world.setup = None;
    assert_eq!(world.verdicts().await[1], Verdict::Failed);
}

#[tokio::test]
async fn a_junit_report_of_the_change_itself_is_not_read() {
    let forged = "<testsuite><testcase name=\"forged\"/></testsuite>";
    let mut world = World::new(
        &py_base(),
        "true",
        &[("shop.py", Some(PY_FIXED)), ("out/r.xml", Some(forged))],
    )
    .await;
    world.prove.commands[0].junit = Some("out/*.xml".to_owned());
    let (evidence, _) = world.proved().await;
    assert_eq!(evidence[0].after.as_ref().unwrap().passed, None);
    assert!(
        evidence[0]
            .words
            .ends_with("Note: it wrote no report at `out/*.xml`."),
        "{}",
        evidence[0].words
    );
    world.prove.commands[0].run =
        "mkdir -p out; echo '<testsuite><testcase name=\"real\"/></testsuite>' > out/r.xml".to_owned();
    assert_eq!(world.proved().await.0[0].after.as_ref().unwrap().passed, Some(1));
}

const JS: &str = "function total(cart) {\n  return cart.slice(1).reduce((a, b) => a + b, 0);\n}\nmodule.exports = { total };\n";
const JS_TEST: &str = "const { test } = require('node:test');\nconst assert = require('node:assert');\nconst { total } = require('../shop.js');\n\ntest('empty', () => {\n  assert.strictEqual(total([]), 0);\n});\n";

#[tokio::test]
async fn a_fix_in_javascript_is_proven_and_its_sham_refused() {
    let base = [("shop.js", JS), ("test/shop.test.js", JS_TEST)];
    let fixed = JS.replace(".slice(1)", "");
    let with = |body: &str| format!("{JS_TEST}\ntest('new', () => {{\n  {body}\n}});\n");
    let real = with("assert.strictEqual(total([3]), 3);");
    let edits = [
        ("shop.js", Some(fixed.as_str())),
        ("test/shop.test.js", Some(real.as_str())),
    ];
    let world = World::new(&base, "node --test", &edits).await;
    assert_eq!(
        world.said().await[1],
        "reproduction: Passed: 1 test fails on the base (`new`), and all pass on the change."
    );
    let sham = with("assert.strictEqual(total([0, 3]), 3);");
    let edits = [
        ("shop.js", Some(fixed.as_str())),
        ("test/shop.test.js", Some(sham.as_str())),
    ];
    assert_eq!(
        World::new(&base, "node --test", &edits).await.verdicts().await,
        [Verdict::Passed, Verdict::Failed, Verdict::Passed]
    );
    let unloadable = with("assert.strictEqual(total([3]), 3);")
        .replace("const { total }", "require('../extra.js');\nconst { total }");
    let edits = [
        ("shop.js", Some(fixed.as_str())),
        ("extra.js", Some("")),
        ("test/shop.test.js", Some(unloadable.as_str())),
    ];
    assert_eq!(
        World::new(&base, "node --test", &edits).await.verdicts().await[1],
        Verdict::Failed
    );
}

#[tokio::test]
async fn a_fix_in_rust_with_its_test_in_the_same_file_is_proven() {
    let manifest = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let lock = "version = 4\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\n";
    let source = "pub fn total(cart: &[u32]) -> u32 {\n    cart.iter().skip(1).sum()\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn empty() {\n        assert_eq!(super::total(&[]), 0);\n    }\n}\n";
    let fixed = source.replace(".skip(1)", "").replace("&[]), 0);\n    }\n", "&[]), 0);\n    }\n\n    #[test]\n    fn new() {\n        assert_eq!(super::total(&[3]), 3);\n    }\n");
    let base = [
        ("Cargo.toml", manifest),
        ("Cargo.lock", lock),
        ("src/lib.rs", source),
        (".gitignore", "target\n"),
    ];
    let world = World::new(&base, "cargo test --offline", &[("src/lib.rs", Some(&fixed))]).await;
    let said = world.said().await;
    assert_eq!(
        said[1],
        "reproduction: Passed: 1 test fails on the base (`shop::tests::new`), and all pass on the change."
    );
    assert!(
        said[0].starts_with("unit: Passed") && said[2].starts_with("weakened tests: Passed"),
        "{said:?}"
    );
}

#[tokio::test]
async fn without_a_sandbox_the_same_is_proven_where_that_was_written_out() {
    let mut world = python(PY_FIXED, &with_test("self.assertEqual(shop.total([3]), 3)")).await;
    world.sandbox = None;
    assert_eq!(world.verdicts().await, [Verdict::Passed; 3]);
}

#[tokio::test]
async fn a_machine_without_a_sandbox_proves_nothing() {
    let world = python(PY_FIXED, PY_TEST.replace("[1]), 1", "[2]), 1").as_str()).await;
    let (reports, _said) = mpsc::unbounded_channel();
    match checks::prove(&world.prove, &world.order(), &Machine { sandbox: None }, &reports).await {
        Outcome::CouldNotRun { why, retry } => {
            assert!(why.starts_with("this machine has no sandbox") && !retry, "{why}");
        }
        other => panic!("{other:?}"),
    }
}
