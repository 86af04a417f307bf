use proptest::prelude::*;

use super::*;

fn shown(report: &TestReport) -> Vec<String> {
    let results = report
        .results
        .iter()
        .map(|test| format!("{:?} {}", test.status, test.name));
    results
        .chain(report.load_errors.iter().map(|error| format!("load {error}")))
        .collect()
}

fn counts(report: &TestReport) -> (u32, u32, u32) {
    let counts = report.counts.unwrap();
    (counts.passed, counts.failed, counts.skipped)
}

#[test]
fn libtest_is_read() {
    let report = read_output(include_str!("samples/libtest.txt"));
    assert_eq!(
        shown(&report),
        [
            "Skipped shop_ct::tests::b",
            "Passed shop_ct::tests::a",
            "Passed shop_ct::tests::c",
            "Failed shop_ct::tests::d",
            "Passed it::it",
            "Passed shop_ct::src/lib.rs - f",
        ]
    );
    assert_eq!(
        (report.runner.as_deref(), counts(&report)),
        (Some("libtest"), (4, 1, 1))
    );
}

#[test]
fn code_that_does_not_compile_runs_no_test() {
    let report = read_output(include_str!("samples/libtest-broken.txt"));
    assert_eq!(shown(&report)[0], "load error[E0308]: mismatched types");
    assert_eq!(report.executed(), Some(0));
}

#[test]
fn nextest_is_read() {
    let report = read_output(
        " Nextest run ID 5ffd with nextest profile: default\n    Starting 3 tests across 1 binary\n        \
         PASS [   0.050s] (1/3) shop tests::a\n        FAIL [   0.285s] (2/3) shop tests::b\n        \
         SKIP [         ] (3/3) shop tests::c\n     Summary [   0.4s] 3 tests run\n        FAIL [   0.285s] (2/3) shop tests::b\n",
    );
    assert_eq!(
        shown(&report),
        [
            "Passed shop::tests::a",
            "Failed shop::tests::b",
            "Skipped shop::tests::c"
        ]
    );
}

#[test]
fn unittest_is_read_with_names_and_without() {
    let verbose = read_output(include_str!("samples/unittest-verbose.txt"));
    let load = [
        "load test_err: ImportError: cannot import name 'nope' from 'os' (/usr/lib/python3.11/os.py)",
        "load test_b: ModuleNotFoundError: No module named 'nope'",
    ];
    assert_eq!(
        shown(&verbose)[..6],
        [
            "Failed tests.test_a.A.test_bad",
            "Passed tests.test_a.A.test_doc",
            "Passed tests.test_a.A.test_ok",
            "Skipped tests.test_a.A.test_sk",
            "Failed tests.test_a.A.test_sub",
            "Passed tests.test_a.A.test_xf",
        ]
    );
    assert_eq!(shown(&verbose)[6..], load);
    let plain = read_output(include_str!("samples/unittest-plain.txt"));
    assert_eq!(
        shown(&plain)[..2],
        ["Failed tests.test_a.A.test_bad", "Failed tests.test_a.A.test_sub"]
    );
    assert_eq!(shown(&plain)[2..], load);
    assert_eq!((counts(&verbose), counts(&plain)), ((3, 2, 1), (3, 2, 1)));
}

#[test]
fn node_is_read_in_both_of_its_forms() {
    for sample in [
        include_str!("samples/node-tap.txt"),
        include_str!("samples/node-spec.txt"),
    ] {
        let report = read_output(sample);
        assert_eq!(
            shown(&report),
            [
                "Passed one",
                "Failed two",
                "Passed s > in",
                "Skipped s > sk",
                "Failed s > bad",
                "Passed todo",
                "load /workspace/b.test.js: Error: Cannot find module './nope'",
                "load /workspace/c.test.js: SyntaxError: Unexpected identifier 'error'",
            ],
            "{sample}"
        );
        assert_eq!(counts(&report), (3, 2, 1));
    }
}

#[test]
fn pytest_is_read_with_names_and_without() {
    let verbose = "============ test session starts ============\ncollected 4 items\n\n\
        tests/test_a.py::A::test_ok PASSED      [ 25%]\ntests/test_a.py::test_p[a b-1] FAILED      [ 50%]\n\
        tests/test_a.py::test_s SKIPPED (later)      [ 75%]\ntests/test_a.py::test_i FAILED [100%]\n\n\
        ========= short test summary info =========\nFAILED tests/test_a.py::test_p[a b-1] - assert 1 == 2\n\
        FAILED tests/test_a.py::test_i - ImportError: cannot import name 'x'\n\
        ========= 2 failed, 1 passed, 1 skipped in 0.05s =========\n";
    let report = read_output(verbose);
    assert_eq!(
        shown(&report),
        [
            "Passed tests/test_a.py::A::test_ok",
            "Failed tests/test_a.py::test_p[a b-1]",
            "Skipped tests/test_a.py::test_s",
            "load tests/test_a.py::test_i: ImportError: cannot import name 'x'",
        ]
    );
    assert_eq!(counts(&report), (1, 1, 1));
    let plain = read_output(
        ".F                       [100%]\nFAILED tests/test_a.py::test_b - assert 1 == 2\n1 failed, 1 passed in 0.05s\n",
    );
    assert_eq!(
        (shown(&plain), counts(&plain)),
        (vec!["Failed tests/test_a.py::test_b".to_owned()], (1, 1, 0))
    );
    let broken = read_output(
        "ERROR tests/test_a.py - ModuleNotFoundError: No module named 'x'\n!!! Interrupted: 1 error during collection !!!\n=== 1 error in 0.09s ===\n",
    );
    assert_eq!(
        shown(&broken),
        ["load tests/test_a.py: ModuleNotFoundError: No module named 'x'"]
    );
    assert_eq!(counts(&broken), (0, 0, 0));
}

#[test]
fn jest_vitest_and_mocha_are_read() {
    let jest = read_output(
        "PASS src/cart.test.js\n  cart\n    ✓ adds (2 ms)\n    ✕ takes away\n    ○ skipped later\n\nTests:       1 failed, 1 skipped, 1 passed, 3 total\n",
    );
    assert_eq!(
        shown(&jest),
        [
            "Passed cart > adds",
            "Failed cart > takes away",
            "Skipped cart > later"
        ]
    );
    assert_eq!((jest.runner.as_deref(), counts(&jest)), (Some("jest"), (1, 1, 1)));
    let broken = read_output(
        "FAIL src/cart.test.js\n  ● Test suite failed to run\n\n    Cannot find module './x' from 'src/cart.test.js'\n\nTests:       0 total\n",
    );
    assert!(!broken.load_errors.is_empty());
    let vitest = read_output(
        " ✓ src/cart.test.ts (2 tests) 3ms\n ❯ src/b.test.ts (1 test | 1 failed) 4ms\n   × takes away 3ms\n\n Test Files  1 failed | 1 passed (2)\n      Tests  1 failed | 2 passed (3)\n",
    );
    assert_eq!(
        (vitest.runner.as_deref(), counts(&vitest)),
        (Some("vitest"), (2, 1, 0))
    );
    let mocha = read_output(
        "\n  cart\n    ✔ adds\n    1) takes away\n    - later\n\n\n  1 passing (5ms)\n  1 pending\n  1 failing\n\n  1) cart\n       takes away:\n",
    );
    assert_eq!(
        shown(&mocha),
        [
            "Passed cart > adds",
            "Failed cart > takes away",
            "Skipped cart > later"
        ]
    );
    assert_eq!(counts(&mocha), (1, 1, 1));
}

#[test]
fn go_is_read() {
    let report = read_output(
        "=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n    a_test.go:3: x\n--- FAIL: TestB (0.00s)\n    --- SKIP: TestB/sub (0.00s)\nFAIL\nFAIL\tshop/cart\t0.003s\nFAIL\tshop/other [build failed]\nFAIL\n",
    );
    assert_eq!(
        shown(&report),
        [
            "Passed shop/cart TestA",
            "Failed shop/cart TestB",
            "Skipped shop/cart TestB/sub",
            "load shop/other [build failed]"
        ]
    );
    assert_eq!(read_output("ok  \tshop/cart\t0.003s\n").executed(), None);
}

#[test]
fn what_cannot_be_loaded_is_known_without_a_runner() {
    for output in [
        "Traceback (most recent call last):\n  File \"a.py\"\nModuleNotFoundError: No module named 'x'\n",
        "  File \"a.py\", line 1\nSyntaxError: invalid syntax\n",
        "node:internal\n\nError: Cannot find module './x'\n",
        "SyntaxError: The requested module './a.js' does not provide an export named 'b'\n",
    ] {
        let report = read_output(output);
        assert!(
            report.runner.is_none() && !report.load_errors.is_empty(),
            "{output}"
        );
    }
    assert_eq!(
        read_output("all is well: 12 tests passed\n"),
        TestReport::default()
    );
}

#[test]
fn colors_do_not_hide_results() {
    let report = read_output(
        "\u{1b}[32m.\u{1b}[0m\n\u{1b}[32m\u{1b}[1m1 passed\u{1b}[0m\u{1b}[32m in 0.01s\u{1b}[0m\n",
    );
    assert_eq!(counts(&report), (1, 0, 0));
}

#[test]
fn junit_is_read() {
    let report = read_junit(
        r#"<?xml version="1.0"?><testsuites><testsuite name="s"><testcase classname="A" name="a &lt;1&gt;"/>
        <testcase classname="A" name="b"><failure message="no">x</failure></testcase>
        <testcase name="c"><skipped/></testcase>
        <testcase name="tests.d"><error message="collection failure"/></testcase></testsuite></testsuites>"#,
    )
    .unwrap();
    assert_eq!(
        shown(&report),
        [
            "Passed A.a <1>",
            "Failed A.b",
            "Skipped c",
            "load tests.d: collection failure"
        ]
    );
}

#[test]
fn a_hostile_junit_report_is_an_error() {
    let large = " ".repeat(MAX_JUNIT + 1);
    let deep = "<testsuite>".repeat(100);
    for (xml, expected) in [
        (
            "<!DOCTYPE a [<!ENTITY b \"c\">]><testsuite/>",
            "the report has a document type, which is not read",
        ),
        (
            "<testsuite><testcase name=\"a\">",
            "the report ends before it is complete",
        ),
        (
            "<html/>",
            "the report is XML, but no JUnit report: it has no `testsuite`",
        ),
        (deep.as_str(), "the report is more than 64 levels deep"),
        (
            large.as_str(),
            "the report has 16777217 bytes, and at most 16777216 are read",
        ),
    ] {
        assert_eq!(read_junit(xml).unwrap_err(), expected);
    }
    assert!(
        read_junit("<testsuite></wrong>")
            .unwrap_err()
            .starts_with("the report is no XML at byte")
    );
}

const MAX_JUNIT: usize = 16 << 20;

proptest! {
    #[test]
    fn no_output_makes_it_panic(
        parts in proptest::collection::vec(prop_oneof![
            Just("TAP version 13\n".to_owned()), Just("Ran 3 tests in 0.1s\n".to_owned()), Just("running 2 tests\n".to_owned()),
            Just("test a ... ".to_owned()), Just("    ok 1 - a # SKIP\n".to_owned()), Just("FAILED (failures=9)\n".to_owned()),
            Just("ERROR: a (b.c)\n".to_owned()), Just("=== 1 failed in 0.1s ===\n".to_owned()), Just("ℹ pass 1\n".to_owned()),
            Just("▶ s\n  ✔ a (1ms)\n".to_owned()), Just("ok  \tp\t0.1s\n".to_owned()), Just("Tests:  1 passed, 1 total\n".to_owned()),
            ".{0,20}\n",
        ], 0..20),
    ) {
        let _ = read_output(&parts.concat());
        let _ = read_junit(&parts.concat());
    }
}
