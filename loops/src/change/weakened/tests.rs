//! True and sham changes. The labels were written before the reader was run on them, and only the reader may change.

use super::*;
use crate::{
    change::testing::{Pair, diff, side},
    evidence::{TestReport, read_output},
};

fn kinds(files: &[Pair<'_>]) -> Vec<WeakeningKind> {
    let mut kinds: Vec<_> = weakened(&diff(files), side(files, false), side(files, true))
        .into_iter()
        .map(|weakening| weakening.kind)
        .collect();
    kinds.dedup();
    kinds
}

const PY: &str = r#"import unittest
from shop import total

class CartTest(unittest.TestCase):
    def test_empty(self):
        self.assertEqual(total([]), 0)

    def test_two(self):
        cart = [1, 2]  # a cart
        self.assertEqual(total(cart), 3)
        self.assertGreater(total(cart), 0)

if __name__ == "__main__":
    unittest.main()
"#;

const JS: &str = r#"import { test, describe } from 'node:test';
import assert from 'node:assert';

describe('cart', () => {
  test('empty', () => {
    assert.strictEqual(total([]), 0);
  });
  test('two', () => {
    const cart = [1, 2];
    assert.strictEqual(total(cart), 3);
    assert.ok(total(cart) > 0);
  });
});
"#;

const RUST: &str = r#"pub fn total(cart: &[u32]) -> u32 {
    assert!(cart.len() < 10);
    cart.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty() {
        assert_eq!(total(&[]), 0);
    }

    #[test]
    fn two() {
        let cart = [1, 2];
        assert_eq!(total(&cart), 3);
        assert!(total(&cart) > 0);
    }
}
"#;

const GO: &str = r#"package shop

import "testing"

func TestEmpty(t *testing.T) {
	if got := Total(nil); got != 0 {
		t.Errorf("got %d", got)
	}
}

func TestTable(t *testing.T) {
	for _, c := range []struct{ in, want int }{
		{1, 1},
		{2, 2},
	} {
		if Total(c.in) != c.want {
			t.Fatal("wrong")
		}
	}
}
"#;

const JAVA: &str = r#"package shop;

class CartTest {
    @Test
    void empty() {
        assertEquals(0, Cart.total());
    }

    @Test
    void two() {
        assertEquals(3, Cart.total(1, 2));
    }
}
"#;

/// Asserts that each sham edit (from, to) of a file is seen as what it is labelled.
fn shams(path: &str, base: &str, edits: &[(&str, &str, WeakeningKind)]) {
    for (from, to, expected) in edits {
        assert!(base.contains(from), "{from} is not in the file");
        let new = base.replacen(from, to, 1);
        let found = kinds(&[(path, Some(base), Some(&new))]);
        assert!(
            found.contains(expected),
            "{path}: `{from}` to `{to}` is {expected:?}, found {found:?}"
        );
    }
}

/// Asserts that none of these edits is taken for a sham.
fn trues(path: &str, base: &str, edits: &[(&str, &str)]) {
    for (from, to) in edits {
        assert!(base.contains(from), "{from} is not in the file");
        let new = base.replacen(from, to, 1);
        let found = weakened(
            &diff(&[(path, Some(base), Some(&new))]),
            side(&[(path, Some(base), Some(&new))], false),
            side(&[(path, Some(base), Some(&new))], true),
        );
        assert!(
            found.is_empty(),
            "{path}: `{from}` to `{to}` is no weakening, found {found:?}"
        );
    }
}

#[test]
fn shams_in_python_are_seen() {
    use WeakeningKind::*;
    shams(
        "tests/test_cart.py",
        PY,
        &[
            (
                "    def test_empty(self):\n        self.assertEqual(total([]), 0)\n\n",
                "",
                Removed,
            ),
            ("def test_empty", "def check_empty", RenamedAway),
            (
                "    def test_empty",
                "    @unittest.skip('later')\n    def test_empty",
                Skipped,
            ),
            (
                "    def test_empty",
                "    @unittest.skipIf(True, 'x')\n    def test_empty",
                Skipped,
            ),
            (
                "class CartTest",
                "@unittest.skip('later')\nclass CartTest",
                Skipped,
            ),
            (
                "        cart = [1, 2]",
                "        self.skipTest('later')\n        cart = [1, 2]",
                Skipped,
            ),
            (
                "    def test_two",
                "    @unittest.expectedFailure\n    def test_two",
                MayFail,
            ),
            (
                "    def test_two",
                "    @pytest.mark.xfail\n    def test_two",
                MayFail,
            ),
            (
                "    def test_two",
                "    @pytest.mark.flaky(reruns=3)\n    def test_two",
                Retried,
            ),
            ("        self.assertEqual(total([]), 0)", "        pass", Emptied),
            (
                "        self.assertEqual(total([]), 0)",
                "        # self.assertEqual(total([]), 0)\n        total([])",
                Emptied,
            ),
            (
                "        self.assertGreater(total(cart), 0)\n",
                "",
                AssertionRemoved,
            ),
            (
                "        cart = [1, 2]",
                "        return\n        cart = [1, 2]",
                Emptied,
            ),
            (
                "        self.assertEqual(total([]), 0)",
                "        if False:\n            self.assertEqual(total([]), 0)",
                Emptied,
            ),
            (
                "        self.assertEqual(total([]), 0)",
                "        try:\n            self.assertEqual(total([]), 0)\n        except AssertionError:\n            pass",
                Emptied,
            ),
            (
                "self.assertEqual(total(cart), 3)",
                "self.assertTrue(total(cart))",
                Loosened,
            ),
            (
                "self.assertEqual(total(cart), 3)",
                "self.assertTrue(True)",
                Loosened,
            ),
            (
                "self.assertEqual(total(cart), 3)",
                "self.assertIsNotNone(total(cart))",
                Loosened,
            ),
            (
                "import unittest",
                "import unittest\nimport pytest\npytestmark = pytest.mark.skip('later')",
                Skipped,
            ),
            ("import unittest", "import sys, unittest\nsys.exit(0)", Skipped),
        ],
    );
}

#[test]
fn true_changes_in_python_pass() {
    trues(
        "tests/test_cart.py",
        PY,
        &[
            (
                "    def test_two",
                "    def test_one(self):\n        self.assertEqual(total([1]), 1)\n\n    def test_two",
            ),
            ("def test_empty", "def test_an_empty_cart_costs_nothing"),
            (
                "self.assertEqual(total(cart), 3)",
                "self.assertEqual(total(cart), 3, 'sum')",
            ),
            (
                "self.assertEqual(total(cart), 3)",
                "self.assertEqual(total(cart), 4)",
            ),
            (
                "self.assertGreater(total(cart), 0)",
                "self.assertEqual(total(cart), 3)",
            ),
            (
                "        cart = [1, 2]  # a cart",
                "        cart = list((1, 2))\n        text = 'pytest.skip(x) @skip'",
            ),
            ("class CartTest", "class TestCart"),
            (
                "        self.assertEqual(total(cart), 3)\n        self.assertGreater(total(cart), 0)",
                "        self.check(cart)\n\n    def check(self, cart):\n        self.assertEqual(total(cart), 3)\n        self.assertGreater(total(cart), 0)",
            ),
        ],
    );
}

#[test]
fn shams_in_javascript_are_seen() {
    use WeakeningKind::*;
    shams(
        "test/cart.test.js",
        JS,
        &[
            (
                "  test('empty', () => {\n    assert.strictEqual(total([]), 0);\n  });\n",
                "",
                Removed,
            ),
            ("test('empty'", "test.skip('empty'", Skipped),
            ("test('empty', ", "test('empty', { skip: true }, ", Skipped),
            ("test('empty', ", "test('empty', { todo: 'later' }, ", Skipped),
            ("test('empty'", "xit('empty'", Skipped),
            ("describe('cart'", "describe.skip('cart'", Skipped),
            ("test('two'", "test.only('two'", Focused),
            ("test('two'", "test.failing('two'", MayFail),
            ("    assert.strictEqual(total([]), 0);\n", "", Emptied),
            (
                "    assert.strictEqual(total([]), 0);",
                "    // assert.strictEqual(total([]), 0);",
                Emptied,
            ),
            ("    assert.ok(total(cart) > 0);\n", "", AssertionRemoved),
            (
                "    const cart = [1, 2];",
                "    return;\n    const cart = [1, 2];",
                Emptied,
            ),
            (
                "    assert.strictEqual(total([]), 0);",
                "    if (false) { assert.strictEqual(total([]), 0); }",
                Emptied,
            ),
            (
                "    assert.strictEqual(total([]), 0);",
                "    try { assert.strictEqual(total([]), 0); } catch (e) {}",
                Emptied,
            ),
            (
                "assert.strictEqual(total(cart), 3)",
                "assert.ok(total(cart))",
                Loosened,
            ),
            ("assert.strictEqual(total(cart), 3)", "assert.ok(true)", Loosened),
            (
                "describe('cart', ",
                "jest.retryTimes(3);\ndescribe('cart', ",
                Retried,
            ),
            (
                "describe('cart', ",
                "process.exit(0);\ndescribe('cart', ",
                Skipped,
            ),
            (
                "test('two', () => {\n    const",
                "test('two', (t) => {\n    t.skip('later');\n    const",
                Skipped,
            ),
        ],
    );
}

#[test]
fn true_changes_in_javascript_pass() {
    trues(
        "test/cart.test.js",
        JS,
        &[
            (
                "  test('two'",
                "  test('one', () => {\n    assert.strictEqual(total([1]), 1);\n  });\n  test('two'",
            ),
            ("test('empty'", "test('an empty cart costs nothing'"),
            ("describe('cart'", "describe('a cart'"),
            (
                "const cart = [1, 2];",
                "const cart = [...`12`].map(Number); const x = 'test.skip(';",
            ),
            (
                "assert.strictEqual(total(cart), 3);",
                "assert.strictEqual(\n      total(cart),\n      3\n    );",
            ),
            (
                "const cart = [1, 2];",
                "const cart = [1, 2]; if (/test/.test('it.only(')) { cart.push(0); }",
            ),
        ],
    );
}

#[test]
fn shams_in_rust_are_seen() {
    use WeakeningKind::*;
    shams(
        "src/cart.rs",
        RUST,
        &[
            (
                "    #[test]\n    fn empty() {\n        assert_eq!(total(&[]), 0);\n    }\n\n",
                "",
                Removed,
            ),
            ("    #[test]\n    fn empty", "    fn empty", RenamedAway),
            (
                "    #[test]\n    fn empty",
                "    #[test]\n    #[ignore]\n    fn empty",
                Skipped,
            ),
            (
                "    #[test]\n    fn empty",
                "    #[test]\n    #[cfg(any())]\n    fn empty",
                Skipped,
            ),
            (
                "#[cfg(test)]\nmod",
                "#[cfg(test)]\n#[cfg(feature = \"slow\")]\nmod",
                Skipped,
            ),
            (
                "    #[test]\n    fn empty",
                "    #[test]\n    #[should_panic]\n    fn empty",
                MayFail,
            ),
            ("        assert_eq!(total(&[]), 0);\n", "", Emptied),
            ("        assert!(total(&cart) > 0);\n", "", AssertionRemoved),
            (
                "        let cart = [1, 2];",
                "        return;\n        let cart = [1, 2];",
                Emptied,
            ),
            (
                "assert_eq!(total(&cart), 3)",
                "assert!(total(&cart) > 2)",
                Loosened,
            ),
            ("assert_eq!(total(&cart), 3)", "assert!(true)", Loosened),
            (
                "        assert_eq!(total(&[]), 0);",
                "        if false { assert_eq!(total(&[]), 0); }",
                Emptied,
            ),
        ],
    );
    let declared = "pub mod cart;\n\n#[cfg(test)]\nmod tests;\n";
    shams(
        "src/lib.rs",
        declared,
        &[("#[cfg(test)]\nmod tests;\n", "", RenamedAway)],
    );
}

#[test]
fn true_changes_in_rust_pass() {
    trues(
        "src/cart.rs",
        RUST,
        &[
            ("    assert!(cart.len() < 10);\n", ""),
            ("fn empty", "fn an_empty_cart_costs_nothing"),
            (
                "let cart = [1, 2];",
                "let cart = vec![1, 2]; let _ = '\\''; let _ = r#\"#[ignore]\"#;",
            ),
            (
                "    #[test]\n    fn two",
                "    #[test]\n    fn one() {\n        assert_eq!(total(&[1]), 1);\n    }\n\n    #[test]\n    fn two",
            ),
        ],
    );
}

#[test]
fn shams_in_go_and_java_are_seen() {
    use WeakeningKind::*;
    shams(
        "shop/cart_test.go",
        GO,
        &[
            ("TestEmpty", "testEmpty", RenamedAway),
            (
                "\tif got := Total(nil); got != 0 {\n\t\tt.Errorf(\"got %d\", got)\n\t}\n",
                "\tTotal(nil)\n",
                Emptied,
            ),
            (
                "func TestEmpty(t *testing.T) {",
                "func TestEmpty(t *testing.T) {\n\tt.Skip(\"later\")",
                Skipped,
            ),
            ("\t\t{2, 2},\n", "", FewerCases),
            ("got != 0 {", "false {", Loosened),
        ],
    );
    shams(
        "src/test/java/shop/CartTest.java",
        JAVA,
        &[
            (
                "    @Test\n    void empty() {\n        assertEquals(0, Cart.total());\n    }\n\n",
                "",
                Removed,
            ),
            ("    @Test\n    void empty", "    void empty", RenamedAway),
            (
                "    @Test\n    void empty",
                "    @Disabled\n    @Test\n    void empty",
                Skipped,
            ),
            ("class CartTest", "@Disabled(\"later\")\nclass CartTest", Skipped),
            ("        assertEquals(0, Cart.total());\n", "", Emptied),
            (
                "assertEquals(3, Cart.total(1, 2))",
                "assertTrue(Cart.total(1, 2) > 0)",
                Loosened,
            ),
        ],
    );
}

#[test]
fn true_changes_in_go_and_java_pass() {
    trues(
        "shop/cart_test.go",
        GO,
        &[
            ("TestEmpty", "TestNothing"),
            ("\t\t{2, 2},", "\t\t{2, 2},\n\t\t{3, 3},"),
            ("t.Errorf(\"got %d\", got)", "t.Fatalf(\"got %d\", got)"),
        ],
    );
    trues(
        "src/test/java/shop/CartTest.java",
        JAVA,
        &[
            ("void empty", "void anEmptyCart"),
            (
                "    @Test\n    void two",
                "    @Test\n    void one() {\n        assertEquals(1, Cart.total(1));\n    }\n\n    @Test\n    void two",
            ),
        ],
    );
}

#[test]
fn a_table_of_cases_that_lost_a_row_is_seen() {
    let base = "import pytest\n\n@pytest.mark.parametrize('a, b', [(1, 1), (2, 2), (3, 3)])\ndef test_same(a, b):\n    assert same(a) == b\n";
    shams(
        "tests/test_same.py",
        base,
        &[(", (3, 3)", "", WeakeningKind::FewerCases)],
    );
    trues(
        "tests/test_same.py",
        base,
        &[("(3, 3)", "(3, 3), (4, 4)"), ("(1, 1)", "(1, 1 + 0)")],
    );
    let base = "test.each([[1, 1], [2, 2]])('same %i', (a, b) => {\n  expect(same(a)).toBe(b);\n});\n";
    shams(
        "same.test.ts",
        base,
        &[(", [2, 2]", "", WeakeningKind::FewerCases)],
    );
}

#[test]
fn a_test_that_moved_to_another_file_is_not_removed() {
    let moved = PY.replace(
        "    def test_empty(self):\n        self.assertEqual(total([]), 0)\n\n",
        "",
    );
    let other = "import unittest\n\nclass EmptyTest(unittest.TestCase):\n    def test_empty(self):\n        self.assertEqual(total([]), 0)\n";
    let files = [
        ("tests/test_cart.py", Some(PY), Some(moved.as_str())),
        ("tests/test_empty.py", None, Some(other)),
    ];
    assert_eq!(kinds(&files), []);
    let without_assertion = other.replace("self.assertEqual(total([]), 0)", "pass");
    let files = [
        ("tests/test_cart.py", Some(PY), Some(moved.as_str())),
        ("tests/test_empty.py", None, Some(&without_assertion)),
    ];
    assert_eq!(kinds(&files), [WeakeningKind::Removed]);
}

#[test]
fn a_deleted_file_of_tests_is_one_sentence() {
    let files = [("tests/test_cart.py", Some(PY), None)];
    let found = weakened(&diff(&files), side(&files, false), side(&files, true));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].words,
        "`tests/test_cart.py` was deleted with 2 of its 2 tests"
    );
}

#[test]
fn a_file_that_the_runner_no_longer_finds_is_seen() {
    let mut change = diff(&[("tests/test_cart.py", Some(PY), Some("x"))]);
    change.files[0].status = Status::Renamed;
    change.files[0].new_path = Some("tests/cart_checks.py".to_owned());
    let found = weakened(&change, |_| Some(PY.to_owned()), |_| Some(PY.to_owned()));
    assert_eq!(
        found.iter().map(|weakening| weakening.kind).collect::<Vec<_>>(),
        [WeakeningKind::RenamedAway; 2]
    );
}

#[test]
fn runner_configuration_that_runs_fewer_tests_is_seen() {
    use WeakeningKind::RunnerConfigured;
    let package = "{\"scripts\": {\"test\": \"node --test\", \"build\": \"tsc\"}}\n";
    shams(
        "package.json",
        package,
        &[("node --test", "true", RunnerConfigured)],
    );
    trues(
        "package.json",
        package,
        &[
            ("tsc", "tsc -b"),
            ("\"scripts\"", "\"license\": \"MIT\", \"scripts\""),
        ],
    );
    let pyproject = "[project]\nname = 'shop'\n\n[tool.pytest.ini_options]\ntestpaths = ['tests']\n";
    shams(
        "pyproject.toml",
        pyproject,
        &[
            ("['tests']", "['tests/unit']", RunnerConfigured),
            ("testpaths = ['tests']", "addopts = '-k cart'", RunnerConfigured),
        ],
    );
    trues("pyproject.toml", pyproject, &[("'shop'", "'store'")]);
    shams(
        "Cargo.toml",
        "[package]\nname = \"shop\"\n\n[lib]\n",
        &[("[lib]\n", "[lib]\ntest = false\n", RunnerConfigured)],
    );
    shams(
        "conftest.py",
        "import pytest\n",
        &[(
            "import pytest\n",
            "import pytest\ncollect_ignore = ['tests/test_cart.py']\n",
            RunnerConfigured,
        )],
    );
    shams(
        "jest.config.js",
        "module.exports = {\n  verbose: true,\n};\n",
        &[(
            "  verbose: true,\n",
            "  verbose: true,\n  testPathIgnorePatterns: ['cart'],\n",
            RunnerConfigured,
        )],
    );
}

#[test]
fn tests_in_other_languages_cannot_be_judged() {
    let files = [("spec/cart_spec.rb", Some("a\n"), Some("b\n"))];
    assert_eq!(kinds(&files), [WeakeningKind::CannotJudge]);
    assert_eq!(kinds(&[("spec/new_spec.rb", None, Some("b\n"))]), []);
    assert_eq!(kinds(&[("tests/data/cart.json", Some("1\n"), Some("2\n"))]), []);
}

#[test]
fn a_hostile_file_of_tests_cannot_be_judged_and_costs_little_time() {
    for text in [
        "test('a',()=>{".repeat(20_000),
        "func TestA(){\n".repeat(20_000),
        "/[".repeat(50_000),
        "#[test] fn a(){".repeat(20_000),
    ] {
        for path in [
            "a.test.js",
            "a_test.go",
            "tests/a.rs",
            "tests/test_a.py",
            "ATest.java",
        ] {
            let files = [(path, Some(text.as_str()), Some("x"))];
            let _ = kinds(&files);
        }
    }
}

fn report(names: &[(&str, &str)]) -> TestReport {
    let lines: Vec<String> = names
        .iter()
        .map(|(name, end)| format!("{name} (t.C.{name}) ... {end}"))
        .collect();
    let skipped = names.iter().filter(|(_, end)| end.starts_with("skipped")).count();
    read_output(&format!(
        "{}\n\nRan {} tests in 0.001s\n\nOK (skipped={skipped})\n",
        lines.join("\n"),
        names.len()
    ))
}

#[test]
fn tests_that_no_longer_run_are_seen_in_the_results() {
    let before = report(&[("test_a", "ok"), ("test_b", "ok")]);
    let words = |after: &TestReport, renamed: &[(String, String)]| -> Vec<String> {
        weakened_by_results(&before, after, renamed)
            .into_iter()
            .map(|weakening| weakening.words)
            .collect()
    };
    assert_eq!(words(&before, &[]), Vec::<String>::new());
    assert_eq!(
        words(&report(&[("test_a", "ok")]), &[]),
        ["1 test passed on the base and did not run on the change: `t.C.test_b`"]
    );
    assert_eq!(
        words(&report(&[("test_a", "ok"), ("test_b", "skipped 'x'")]), &[]),
        ["1 test passed on the base and is skipped on the change: `t.C.test_b`"]
    );
    let renamed = [("test_b".to_owned(), "test_c".to_owned())];
    let after = report(&[("test_a", "ok"), ("test_c", "ok")]);
    assert_eq!(words(&after, &renamed), Vec::<String>::new());
    assert_eq!(words(&after, &[]).len(), 1);
}

#[test]
fn one_new_test_does_not_stand_for_two_that_vanished() {
    let both = |a, b| report(&[(a, "ok"), (b, "ok")]);
    let renamed = [
        ("test_a".to_owned(), "test_c".to_owned()),
        ("test_b".to_owned(), "test_c".to_owned()),
    ];
    let found = weakened_by_results(&both("test_a", "test_b"), &both("test_c", "test_d"), &renamed);
    assert_eq!(
        found[0].words,
        "1 test passed on the base and did not run on the change: `t.C.test_b`"
    );
}

#[test]
fn fewer_tests_are_seen_where_only_counts_are_known() {
    let plain = |count| read_output(&format!("...\nRan {count} tests in 0.001s\n\nOK\n"));
    let found = weakened_by_results(&plain(3), &plain(2), &[]);
    assert_eq!(found[0].words, "2 tests ran, and on the base 3 did");
    assert!(weakened_by_results(&plain(3), &plain(4), &[]).is_empty());
}
