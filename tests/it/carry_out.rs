//! Whole orders, carried out on this machine: a real repository, a real sandbox, a scripted model.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use harness::model::{Fault, Model, Turn};
use loops::{
    id::{AttemptId, RunId, TaskId},
    spec::{Backend, Effort, SandboxLimits, Setup, Span},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::mpsc;
use workers::{
    Job, Machine, Order, Outcome, Report, carry_out,
    git::{Git, Mirror},
    order::{AgentSettings, Change, Ending, Entry, Result as Carried, Review, TodoState, WaysOut, Work},
    sandbox::Sandbox,
};

const BUGGY: &str = "def mean(numbers):\n    return sum(numbers) / len(numbers)\n";
const TEST: &str = "import unittest\nfrom stats import mean\n\n\nclass MeanTest(unittest.TestCase):\n    \
                    def test_mean(self):\n        self.assertEqual(mean([1, 3]), 2)\n";

/// A repository with a bug, a scripted model, and room for attempts.
struct Bench {
    folder: TempDir,
    model: Model,
    mirror: PathBuf,
    base: String,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        fs::create_dir_all(source.join("tests")).unwrap();
        for (path, text) in [
            ("stats.py", BUGGY),
            ("tests/__init__.py", ""),
            ("tests/test_stats.py", TEST),
            ("AGENTS.md", "Run the tests with `python3 -m unittest`.\n"),
        ] {
            fs::write(source.join(path), text).unwrap();
        }
        git(&source, &["init", "-q", "-b", "main"]);
        git(&source, &["add", "."]);
        git(
            &source,
            &[
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@t",
                "commit",
                "-qm",
                "first",
            ],
        );
        let mirror = folder.path().join("mirror.git");
        let base = Mirror::update(source.to_str().unwrap(), &mirror, "main")
            .await
            .unwrap();
        Self {
            folder,
            model: Model::start().await,
            mirror,
            base,
        }
    }

    fn agent(&self, brief: &str) -> AgentSettings {
        AgentSettings {
            backend: Backend::Builtin,
            model: "standard".into(),
            effort: Effort::Medium,
            instructions: "Fix what users reported.".into(),
            brief: brief.into(),
            max_turns: 20,
            deny_commands: vec!["*curl*".into()],
            hosts: vec![],
            advisor: None,
            gateway: self.model.gateway(),
        }
    }

    fn order(&self, attempt: &str, job: Job) -> Order {
        Order {
            attempt: AttemptId::named(attempt),
            task: TaskId::named("task"),
            run: RunId::named("run"),
            mirror: self.mirror.clone(),
            base: self.base.clone(),
            start: None,
            scratch: self.folder.path().join(attempt),
            sandbox: Some(SandboxLimits::default()),
            setup: None,
            setup_cache: self.folder.path().join("cache"),
            ways_out: WaysOut::default(),
            timeout: Span(std::time::Duration::from_secs(120)),
            job,
        }
    }

    fn work(&self, attempt: &str, brief: &str) -> Order {
        self.order(
            attempt,
            Job::Work(Work {
                agent: self.agent(brief),
                save_every: None,
                saved: None,
            }),
        )
    }

    async fn run(&self, order: Order) -> (Outcome, Vec<Report>) {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let machine = Machine {
            sandbox: Some(Sandbox::find(helper()).unwrap()),
        };
        let outcome = carry_out(order, &machine, sender).await;
        let mut reports = Vec::new();
        while let Some(report) = receiver.recv().await {
            reports.push(report);
        }
        (outcome, reports)
    }

    /// The content of a file in a change.
    async fn file(&self, change: &Change, path: &str) -> String {
        let git = Git::at(&self.mirror);
        git.import(&change.pack).await.unwrap();
        String::from_utf8(git.show_file(&change.tree, path).await.unwrap().unwrap()).unwrap()
    }
}

fn helper() -> PathBuf {
    crate::programs::built("sandbox-helper")
}

fn git(folder: &Path, args: &[&str]) {
    assert!(
        Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(args)
            .status()
            .unwrap()
            .success()
    );
}

fn stages(reports: &[Report]) -> Vec<&str> {
    let stages = reports.iter().filter_map(|report| match report {
        Report::Stage { doing } => Some(doing.as_str()),
        _ => None,
    });
    stages.collect()
}

fn answers(reports: &[Report]) -> Vec<(bool, String)> {
    let answers = reports.iter().filter_map(|report| match report {
        Report::Entry {
            entry: Entry::Answered { ok, text, .. },
        } => Some((*ok, text.clone())),
        _ => None,
    });
    answers.collect()
}

fn could_not_run(outcome: Outcome) -> (String, bool) {
    match outcome.result {
        Carried::CouldNotRun { why, retry } => (why, retry),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_agent_fixes_a_bug_with_a_wrong_turn_on_the_way() {
    let bench = Bench::new().await;
    bench.model.session("empty list", |s| {
        s.calls([("read", json!({"path": "stats.py"})), ("list", json!({}))])
            .call("todo", json!({"items": [{"text": "guard the empty list", "state": "doing"}]}))
            .call("edit", json!({"path": "stats.py", "old": "return sum(numbers)/len(numbers)", "new": "x"}))
            .fault(Fault::CutInStream)
            .call(
                "edit",
                json!({"path": "stats.py", "old": "    return sum", "new": "    if not numbers:\n        return 0\n    return sum"}),
            )
            .call("run", json!({"command": "python3 -m unittest 2>&1; python3 -c 'import stats; print(stats.mean([]))'"}))
            .say("Done.")
            .call("todo", json!({"items": [{"text": "guard the empty list", "state": "done"}]}))
            .say("`mean` of an empty list is 0 now.")
    });
    let (outcome, reports) = bench
        .run(bench.work("a1", "mean() crashes on an empty list"))
        .await;
    assert_eq!(bench.model.complaints(), Vec::<String>::new());
    let Carried::Worked {
        change: Some(change),
        summary,
        ending,
    } = &outcome.result
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (*ending, summary.as_str()),
        (Ending::Finished, "`mean` of an empty list is 0 now.")
    );
    assert!(bench.file(change, "stats.py").await.contains("if not numbers"));

    assert_eq!(stages(&reports), ["workspace", "agent", "capture"]);
    let answers = answers(&reports);
    assert!(
        !answers[3].0,
        "the edit that does not match fails: {:?}",
        answers[3]
    );
    assert!(
        answers[5].1.contains("OK") && answers[5].1.contains("0\n"),
        "{:?}",
        answers[5]
    );
    let lists: Vec<_> = reports
        .iter()
        .filter(|report| matches!(report, Report::Todo { .. }))
        .collect();
    assert!(matches!(lists[1], Report::Todo { items } if items[0].state == TodoState::Done));
    let told = bench.model.requests().last().unwrap().body.clone();
    assert!(
        told.to_string().contains("open items"),
        "it was not let go while its list was open"
    );
    let first = bench.model.requests()[0].body["messages"][0]["content"].clone();
    assert!(
        first[0]["text"].as_str().unwrap().contains("repository notes"),
        "{first}"
    );
    assert!(outcome.usage.output_tokens > 0 && !outcome.caveats.is_empty());
}

#[tokio::test]
async fn a_claim_without_a_change_is_no_change() {
    let bench = Bench::new().await;
    bench
        .model
        .session("crashes", |s| s.say("Fixed. All tests pass."));
    let (outcome, _) = bench.run(bench.work("a1", "it crashes")).await;
    assert!(
        matches!(outcome.result, Carried::Worked { change: None, .. }),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn what_an_agent_has_when_its_budget_ends_is_taken_home() {
    let bench = Bench::new().await;
    bench.model.session("crashes", |s| {
        s.call("write", json!({"path": "new.py", "content": "x = 1\n"}))
            .fault(Fault::OutOfBudget)
            .say("never")
    });
    let (outcome, _) = bench.run(bench.work("a1", "it crashes")).await;
    let Carried::Worked {
        change: Some(change),
        ending,
        ..
    } = &outcome.result
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(*ending, Ending::OutOfBudget);
    assert_eq!(bench.file(change, "new.py").await, "x = 1\n");
}

#[tokio::test]
async fn a_model_that_cannot_be_reached_is_not_the_agents_failure() {
    let bench = Bench::new().await;
    bench
        .model
        .session("crashes", |s| s.fault(Fault::Overloaded).say("never"));
    let (outcome, _) = bench.run(bench.work("a1", "it crashes")).await;
    let (why, retry) = could_not_run(outcome);
    assert!(why.contains("529") && retry, "{why}");
}

#[tokio::test]
async fn a_reviewer_reads_the_change_and_gives_a_verdict() {
    let bench = Bench::new().await;
    bench.model.session("a1 crashes", |s| {
        s.call("write", json!({"path": "stats.py", "content": "mean = None\n"}))
            .say(".")
    });
    let (outcome, _) = bench.run(bench.work("a1", "a1 crashes")).await;
    let Carried::Worked {
        change: Some(change), ..
    } = outcome.result
    else {
        panic!("{outcome:?}")
    };

    bench.model.session("please refute", |s| {
        s.calls([
            ("read", json!({"path": "stats.py"})),
            ("write", json!({"path": "stats.py", "content": "hacked"})),
        ])
        .say("Looks bad.")
        .call(
            "verdict",
            json!({"approve": false, "concerns": [], "summary": "Bad."}),
        )
        .call(
            "verdict",
            json!({"approve": false, "concerns": ["mean is gone"], "summary": "Bad."}),
        )
    });
    let review = Review {
        agent: bench.agent("please refute"),
        change,
    };
    let (outcome, reports) = bench.run(bench.order("a2", Job::Review(review.clone()))).await;
    let expected = Carried::Reviewed {
        approved: false,
        concerns: vec!["mean is gone".into()],
        summary: "Bad.".into(),
    };
    assert_eq!(outcome.result, expected);
    let answers = answers(&reports);
    assert!(
        answers[0].1.contains("mean = None"),
        "it sees the change: {:?}",
        answers[0]
    );
    assert!(answers[1].1.contains("no tool `write`"), "{:?}", answers[1]);

    bench.model.session("no verdict", |s| {
        s.turn(Turn::new().say("I would rather not.")).forever()
    });
    let silent = Review {
        agent: bench.agent("no verdict"),
        ..review
    };
    let (outcome, _) = bench.run(bench.order("a3", Job::Review(silent))).await;
    let (why, retry) = could_not_run(outcome);
    assert!(why.contains("no verdict") && retry, "{why}");
}

#[tokio::test]
async fn what_is_not_there_is_said_before_anything_is_started() {
    let bench = Bench::new().await;
    let mut order = bench.work("a1", "x");
    if let Job::Work(work) = &mut order.job {
        work.agent.backend = Backend::Codex;
    }
    let (outcome, reports) = bench.run(order).await;
    assert_eq!(
        could_not_run(outcome),
        (
            "not available yet: the agent `codex`; use `builtin`".into(),
            false
        )
    );
    assert_eq!(reports, []);

    let machine = Machine { sandbox: None };
    let outcome = carry_out(bench.work("a2", "x"), &machine, mpsc::unbounded_channel().0).await;
    assert!(could_not_run(outcome).0.contains("no sandbox"));
    assert_eq!(bench.model.requests().len(), 0);
}

#[tokio::test]
async fn a_setup_that_fails_is_told_with_its_output() {
    let bench = Bench::new().await;
    let mut order = bench.work("a1", "x");
    let timeout = Span(std::time::Duration::from_secs(60));
    order.setup = Some(Setup {
        run: "echo no such package; exit 3".into(),
        network: Vec::new(),
        timeout,
    });
    let (outcome, reports) = bench.run(order).await;
    let (why, _) = could_not_run(outcome);
    assert!(why.contains("no such package"), "{why}");
    assert_eq!(stages(&reports), ["workspace", "setup"]);
    assert_eq!(
        bench.model.requests().len(),
        0,
        "no token is spent on a workspace that does not stand"
    );
}

#[tokio::test]
async fn an_attempt_ends_with_its_time() {
    let bench = Bench::new().await;
    bench.model.session("crashes", |s| {
        s.call("write", json!({"path": "half.py", "content": "x = 1\n"}))
            .call("run", json!({"command": "sleep 600"}))
    });
    let mut order = bench.work("a1", "it crashes");
    order.timeout = Span(std::time::Duration::from_secs(5));
    let (outcome, _) = bench.run(order).await;
    let Carried::Worked {
        change: Some(change),
        ending,
        ..
    } = &outcome.result
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(*ending, Ending::OutOfTime);
    assert_eq!(bench.file(change, "half.py").await, "x = 1\n");
}

#[tokio::test]
async fn a_worker_asks_its_advisor_as_often_as_it_may_and_pays_for_it_itself() {
    let bench = Bench::new().await;
    bench
        .model
        .session_of_role("You advise", |s| s.say("Guard against the empty list first."));
    bench.model.session("empty list", |s| {
        s.call(
            "ask_advisor",
            json!({"question": "mean([]) divides by zero. Where to begin?"}),
        )
        .call("ask_advisor", json!({"question": "And then?"}))
        .say("I could not do it.")
    });
    let mut order = bench.work("a", "empty list");
    let Job::Work(work) = &mut order.job else {
        unreachable!()
    };
    work.agent.advisor = Some(loops::spec::Advisor {
        model: "top".into(),
        max_questions: 1,
        ..loops::spec::Advisor::default()
    });
    let (outcome, _) = bench.run(order).await;
    let asked = bench.model.requests_of("You advise");
    assert_eq!(asked.len(), 1, "the second question is one too many");
    assert_eq!(
        (&asked[0].body["model"], &asked[0].key),
        (&json!("top"), &"test-token".to_owned())
    );
    let words = asked[0].body["messages"].to_string();
    assert!(
        words.contains("empty list") && words.contains("Where to begin?"),
        "{words}"
    );
    assert!(asked[0].body["tools"].is_null(), "it can do nothing");
    let worker = bench.model.requests_of("empty list");
    assert!(
        worker[1].last_texts()[0].contains("Guard against the empty list"),
        "{:?}",
        worker[1]
    );
    assert!(
        worker[2].last_texts()[0].contains("asked 1 times"),
        "{:?}",
        worker[2]
    );
    let all: u64 = bench
        .model
        .requests()
        .iter()
        .map(|one| one.usage.output_tokens)
        .sum();
    assert_eq!(outcome.usage.output_tokens, all, "its tokens are the attempt's");
    // The control: without one there is no such tool.
    bench.model.session("alone", |s| {
        s.call("ask_advisor", json!({"question": "Where to begin?"}))
            .say("No.")
    });
    bench.run(bench.work("b", "alone")).await;
    let alone = bench.model.requests_of("alone");
    assert!(alone[1].last_texts()[0].contains("There is no tool `ask_advisor`"));
}
