use loops::evidence::{Counts, Observation, TestReport, TestResult};

use super::*;

fn report(tests: &[(&str, TestStatus)]) -> TestReport {
    let count = |wanted| u32::try_from(tests.iter().filter(|(_, status)| *status == wanted).count()).unwrap();
    TestReport {
        runner: Some("unittest".to_owned()),
        results: tests
            .iter()
            .map(|(name, status)| TestResult {
                name: (*name).to_owned(),
                status: *status,
            })
            .collect(),
        load_errors: Vec::new(),
        counts: Some(Counts {
            passed: count(Passed),
            failed: count(Failed),
            skipped: count(TestStatus::Skipped),
        }),
    }
}

/// A run with these results; nothing of it failed, unless a test did.
pub(in crate::checks) fn run(tests: &[(&str, TestStatus)]) -> CheckRun {
    let report = report(tests);
    let counts = report.counts.unwrap();
    let failed = counts.failed > 0;
    CheckRun {
        name: "unit".to_owned(),
        observation: Observation {
            verdict: if failed { Verdict::Failed } else { Verdict::Passed },
            exit_code: Some(i32::from(failed)),
            passed: Some(counts.passed),
            failed: Some(counts.failed),
            skipped: Some(counts.skipped),
            duration_ms: 1,
        },
        report,
        tail: "the end".to_owned(),
        could_not: None,
        notes: Vec::new(),
    }
}

/// A run of a command whose output nobody knows.
fn plain(exit_code: i32) -> CheckRun {
    let mut run = run(&[]);
    run.report = TestReport::default();
    run.observation = Observation {
        verdict: if exit_code == 0 {
            Verdict::Passed
        } else {
            Verdict::Failed
        },
        exit_code: Some(exit_code),
        passed: None,
        failed: None,
        skipped: None,
        duration_ms: 1,
    };
    run
}

fn judged(base: CheckRun, change: &CheckRun) -> (Verdict, String) {
    let found = command(change, &base.into_baseline());
    (found.verdict, found.words)
}

use TestStatus::{Failed, Passed};

#[test]
fn what_passes_as_before_passes() {
    let change = run(&[("a", Passed), ("b", Passed)]);
    assert_eq!(
        judged(run(&[("a", Passed)]), &change),
        (
            Verdict::Passed,
            "`unit` passes, as on the base: 2 tests passed.".to_owned()
        )
    );
    assert_eq!(
        judged(run(&[("a", Failed)]), &change),
        (
            Verdict::Passed,
            "`unit` passes: 2 tests passed; it fails on the base.".to_owned()
        )
    );
}

#[test]
fn what_passed_on_the_base_and_fails_now_stops_the_change() {
    assert_eq!(
        judged(
            run(&[("a", Passed), ("b", Failed)]),
            &run(&[("a", Failed), ("b", Passed)])
        ),
        (
            Verdict::Failed,
            "`unit`: 1 test that passed on the base fails now: `a`.".to_owned()
        )
    );
    assert_eq!(
        judged(plain(0), &plain(1)),
        (
            Verdict::Failed,
            "`unit` passes on the base and fails on the change.".to_owned()
        )
    );
}

#[test]
fn a_new_test_that_fails_stops_the_change() {
    let (verdict, words) = judged(run(&[("a", Failed)]), &run(&[("a", Failed), ("b", Failed)]));
    assert_eq!(
        (verdict, words.as_str()),
        (Verdict::Failed, "`unit`: 1 test of the change fails: `b`.")
    );
}

#[test]
fn what_failed_on_the_base_already_is_not_held_against_the_change() {
    let both = || run(&[("a", Passed), ("b", Failed)]);
    assert_eq!(
        judged(both(), &both()),
        (
            Verdict::Passed,
            "`unit` fails as it did on the base (1 test: `b`); nothing else does.".to_owned()
        )
    );
    let (verdict, words) = judged(plain(1), &plain(1));
    assert_eq!(verdict, Verdict::Passed);
    assert_eq!(
        words,
        "`unit` fails on the base, too, so it says nothing against this change, and nothing for it."
    );
}

#[test]
fn a_run_that_breaks_off_does_not_hide_behind_a_base_that_fails() {
    let base = || run(&[("a", Passed), ("b", Failed)]);
    let (verdict, words) = judged(base(), &run(&[("b", Failed)]));
    assert_eq!(verdict, Verdict::Failed);
    assert_eq!(
        words,
        "`unit` fails, and 1 test that passed on the base did not run to their end: `a`."
    );
    assert_eq!(judged(base(), &plain(1)).0, Verdict::Failed);
    let mut broken = run(&[("b", Failed)]);
    broken.report.load_errors.push("SyntaxError: x".to_owned());
    assert_eq!(
        judged(base(), &broken).1,
        "`unit`: code of the change does not load or compile: `SyntaxError: x`."
    );
}

#[test]
fn what_could_not_run_never_passes() {
    let mut change = plain(0);
    change.could_not = Some("it was stopped after 10m".to_owned());
    change.observation.verdict = Verdict::CouldNotRun;
    assert_eq!(
        judged(change_like(&change), &change),
        (
            Verdict::CouldNotRun,
            "`unit` could not run on the change: it was stopped after 10m.".to_owned()
        )
    );
    assert_eq!(judged(change_like(&change), &plain(1)).0, Verdict::Failed);
}

fn change_like(run: &CheckRun) -> CheckRun {
    let mut base = plain(0);
    base.observation.verdict = run.observation.verdict;
    base
}
