use TestStatus::{Failed, Passed, Skipped};

use super::*;
use crate::checks::compare::tests::run;

fn judged(base: CheckRun, tests: CheckRun, change: &CheckRun) -> (Verdict, String) {
    let base = base.into_baseline();
    let evidence = judge(&[Tried {
        base: &base,
        tests,
        change,
    }]);
    (evidence.verdict, evidence.words)
}

#[test]
fn a_test_that_fails_on_the_base_and_passes_on_the_change_reproduces() {
    assert_eq!(
        judged(
            run(&[("a", Passed)]),
            run(&[("a", Passed), ("b", Failed)]),
            &run(&[("a", Passed), ("b", Passed)])
        ),
        (
            Verdict::Passed,
            "1 test fails on the base (`b`), and all pass on the change.".to_owned()
        )
    );
}

#[test]
fn tests_that_pass_on_the_base_prove_nothing() {
    let both = || run(&[("a", Passed), ("b", Passed)]);
    assert_eq!(
        judged(run(&[("a", Passed)]), both(), &both()),
        (
            Verdict::Failed,
            "The change's tests pass on the base, too, so they prove nothing about it.".to_owned()
        )
    );
}

#[test]
fn a_test_that_does_not_load_reproduces_nothing() {
    let mut tests = run(&[("a", Passed), ("c", Failed)]);
    tests.report.load_errors.push("test_b: ImportError".to_owned());
    let (verdict, words) = judged(
        run(&[("a", Passed)]),
        tests,
        &run(&[("a", Passed), ("b", Passed), ("c", Passed)]),
    );
    assert_eq!(verdict, Verdict::Failed);
    assert!(
        words.ends_with("a test that does not load reproduces nothing: `test_b: ImportError`."),
        "{words}"
    );
}

#[test]
fn a_load_error_that_the_base_has_too_is_no_fault_of_the_change() {
    let broken = |mut run: CheckRun| {
        run.report.load_errors.push("test_old: ImportError".to_owned());
        run
    };
    let (verdict, words) = judged(
        broken(run(&[("a", Passed)])),
        broken(run(&[("a", Passed), ("b", Failed)])),
        &broken(run(&[("a", Passed), ("b", Passed)])),
    );
    assert_eq!(verdict, Verdict::Passed, "{words}");
}

#[test]
fn a_test_that_failed_on_the_base_already_reproduces_nothing() {
    let base = || run(&[("a", Passed), ("b", Failed)]);
    assert_eq!(
        judged(base(), base(), &run(&[("a", Passed), ("b", Passed)])).0,
        Verdict::Failed
    );
}

#[test]
fn a_test_that_the_change_skips_is_not_mended() {
    let change = run(&[("a", Passed), ("b", Skipped)]);
    assert_eq!(
        judged(
            run(&[("a", Passed)]),
            run(&[("a", Passed), ("b", Failed)]),
            &change
        )
        .0,
        Verdict::Failed
    );
}

#[test]
fn a_change_on_which_not_all_tests_pass_mends_nothing() {
    let (verdict, words) = judged(
        run(&[("a", Passed)]),
        run(&[("a", Passed), ("b", Failed)]),
        &run(&[("a", Failed), ("b", Passed)]),
    );
    assert_eq!(
        (verdict, words.as_str()),
        (
            Verdict::Failed,
            "On the whole change, not all tests of `unit` pass, so nothing is mended yet."
        )
    );
}

#[test]
fn a_run_that_was_stopped_reproduces_nothing() {
    let mut tests = run(&[]);
    tests.could_not = Some("it was stopped after 10m".to_owned());
    tests.observation.verdict = Verdict::CouldNotRun;
    assert_eq!(
        judged(
            run(&[("a", Passed)]),
            tests,
            &run(&[("a", Passed), ("b", Passed)])
        )
        .0,
        Verdict::CouldNotRun
    );
}

#[test]
fn counts_alone_can_reproduce() {
    let nameless = |tests: &[(&str, TestStatus)]| {
        let mut run = run(tests);
        run.report.results.clear();
        run
    };
    let (verdict, words) = judged(
        nameless(&[("a", Passed)]),
        nameless(&[("a", Passed), ("b", Failed)]),
        &nameless(&[("a", Passed), ("b", Passed)]),
    );
    assert_eq!(verdict, Verdict::Passed);
    assert_eq!(
        words,
        "With the change's tests alone, more tests fail on the base, and all pass on the change."
    );
}
