use proptest::prelude::*;

use super::*;

/// What git 2.47 wrote for: an added file whose name is no UTF-8, a binary file that became a link, an empty file, a
/// link that was renamed, a file with a space, and a file renamed to a name that needs quotes.
const REAL: &str = ":000000 100644 0000000 bca70f3 A\t\"bad\\377\"
:100644 120000 bdc955b c1b0730 T\tbin
:000000 100644 0000000 e69de29 A\tempty
:120000 120000 8d14cbf 8d14cbf R100\tl\tl2
:100644 100644 c1b0730 e25f181 M\tsp ace
:100644 100644 7898192 7898192 R100\ta.txt\t\"\\303\\274\\\"b.txt\"

diff --git \"a/bad\\377\" \"b/bad\\377\"
new file mode 100644
index 0000000000000000000000000000000000000000..bca70f35318f31dd1d1d1d2d2e64c19b880899ff
--- /dev/null
+++ \"b/bad\\377\"
@@ -0,0 +1 @@
+q
diff --git a/bin b/bin
deleted file mode 100644
index bdc955b7b2e610ad5a72302b139a2e6cb325519a..0000000000000000000000000000000000000000
Binary files a/bin and /dev/null differ
diff --git a/bin b/bin
new file mode 120000
index 0000000000000000000000000000000000000000..c1b0730e0133447badcfd47fd144e254807b06e1
--- /dev/null
+++ b/bin
@@ -0,0 +1 @@
+x
\\ No newline at end of file
diff --git a/empty b/empty
new file mode 100644
index 0000000000000000000000000000000000000000..e69de29bb2d1d6434b8b29ae775ad8c2e48c5391
diff --git a/l b/l2
similarity index 100%
rename from l
rename to l2
diff --git a/sp ace b/sp ace
index c1b0730e0133447badcfd47fd144e254807b06e1..e25f1814e51579d5f55c0f1fe0135ddb28a47f4a 100644
--- a/sp ace\t
+++ b/sp ace\t
@@ -1 +1,2 @@ fn section()
-x
\\ No newline at end of file
+--- y
+diff --git a/fake b/fake
\\ No newline at end of file
diff --git a/a.txt \"b/\\303\\274\\\"b.txt\"
similarity index 100%
rename from a.txt
rename to \"\\303\\274\\\"b.txt\"
";

#[test]
fn what_git_writes_is_read_whole() {
    let diff = Diff::parse(REAL.as_bytes()).unwrap();
    let shown: Vec<String> = diff
        .files
        .iter()
        .map(|file| {
            format!(
                "{:?} {:?} {:?} {:o} {:o} binary={} lossy={} +{} -{}",
                file.status,
                file.old_path.as_deref().unwrap_or("-"),
                file.new_path.as_deref().unwrap_or("-"),
                file.old_mode.unwrap_or(0),
                file.new_mode.unwrap_or(0),
                file.binary,
                file.lossy_path,
                file.added(),
                file.removed()
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "Added \"-\" \"bad\u{fffd}\" 0 100644 binary=false lossy=true +1 -0",
            "Deleted \"bin\" \"-\" 100644 0 binary=true lossy=false +0 -0",
            "Added \"-\" \"bin\" 0 120000 binary=false lossy=false +1 -0",
            "Added \"-\" \"empty\" 0 100644 binary=false lossy=false +0 -0",
            "Renamed \"l\" \"l2\" 120000 120000 binary=false lossy=false +0 -0",
            "Modified \"sp ace\" \"sp ace\" 100644 100644 binary=false lossy=false +2 -1",
            "Renamed \"a.txt\" \"ü\\\"b.txt\" 100644 100644 binary=false lossy=false +0 -0",
        ]
    );
    assert_eq!((diff.file_count(), diff.added(), diff.removed()), (6, 4, 1));
    let hunk = &diff.files[5].hunks[0];
    assert_eq!(
        (hunk.old_start, hunk.new_start, hunk.section.as_str()),
        (1, 1, "fn section()")
    );
    assert_eq!(hunk.lines[1].text, "--- y");
    assert_eq!((hunk.lines[2].new, hunk.lines[2].no_newline), (Some(2), true));
}

#[test]
fn an_empty_diff_has_no_files() {
    assert_eq!(Diff::parse(b"").unwrap(), Diff::default());
}

#[test]
fn a_file_that_only_the_list_has_is_kept() {
    let diff = Diff::parse(b":100644 100755 c1b0730 c1b0730 M\trun.sh\n").unwrap();
    assert_eq!(
        (diff.files[0].path(), diff.files[0].new_mode),
        ("run.sh", Some(0o100_755))
    );
}

#[test]
fn a_file_that_the_list_does_not_have_is_an_error() {
    let bytes =
        b":100644 100644 c1b0730 e25f181 M\ta\n\ndiff --git a/b b/b\nold mode 100644\nnew mode 100755\n";
    let error = Diff::parse(bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 6 of the diff cannot be read: the file before it is not in the list of files"
    );
}

#[test]
fn what_is_not_as_git_writes_it_is_an_error_with_its_line() {
    for (bytes, line) in [
        (&b"hello\n"[..], 1),
        (b"diff --git a/a b/a\n@@ -1 +1 @@\n-x\n", 4),
        (b"diff --git a/a b/a\n@@ -1 +1 @@\n-x\n-y\n", 4),
        (b"diff --git a/a b/a\n@@ -x +1 @@\n", 2),
        (b"diff --git a/a b/b\nindex 1..2 100644\n", 3),
        (b"diff --cc a\n", 1),
        (b"diff --git \"a/\\q\" b/a\nrename to \"\\q\"\n", 2),
    ] {
        match Diff::parse(bytes).unwrap_err() {
            DiffError::Malformed { line: found, .. } => {
                assert_eq!(found, line, "{}", String::from_utf8_lossy(bytes))
            }
            other => panic!("{other}"),
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Diff::parse(&bytes);
    }

    #[test]
    fn no_damage_to_a_real_diff_makes_it_panic(
        damage in proptest::collection::vec((0..REAL.len(), any::<u8>()), 1..6),
        cut in 0..REAL.len(),
    ) {
        let mut bytes = REAL.as_bytes().to_vec();
        for (at, byte) in damage {
            bytes[at] = byte;
        }
        bytes.drain(..cut / 2);
        let _ = Diff::parse(&bytes);
    }

    #[test]
    fn no_source_makes_reading_its_tests_panic(
        parts in proptest::collection::vec(prop_oneof![
            Just("test('a', () => {"), Just("`${"), Just("'"), Just("\""), Just("\"\"\""), Just("/*"), Just("*/"), Just("}"),
            Just(")"), Just("("), Just("{"), Just("#[test]\nfn a() {"), Just("def test_a(self):\n    "), Just("assert x"),
            Just("ü"), Just("\n"), Just("r#\""), Just("'\\"), Just("mod tests {"), Just("#[cfg(test)]"), Just("/// ```\n"),
            Just("return;"), Just("expect(a)"), Just("@pytest.mark.parametrize('a', ["), Just("\\"), Just("if false {"),
        ], 0..40),
        language in 0..5_usize,
    ) {
        let path = ["tests/a.rs", "tests/test_a.py", "a.test.js", "a_test.go", "ATest.java"][language];
        let source = parts.concat();
        let files = [(path, Some(source.as_str()), Some("changed")), ("src/a.rs", Some(source.as_str()), Some("x"))];
        let change = testing::diff(&files);
        let _ = weakened(&change, testing::side(&files, false), testing::side(&files, true));
        let _ = split(&change, testing::side(&files, false), testing::side(&files, true));
    }
}

const RUST_BASE: &str = "/// Adds.
///
/// ```
/// assert_eq!(shop::add(1, 1), 2);
/// ```
pub fn add(a: i32, b: i32) -> i32 {
    a - b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_adds_nothing() {
        assert_eq!(add(1, 0), 1);
    }
}
";

#[test]
fn tests_inside_a_rust_file_are_split_from_its_source() {
    let new = RUST_BASE
        .replace("a - b", "a + b")
        .replace("shop::add(1, 1), 2)", "shop::add(1, 2), 3)")
        .replace(
            "1);\n    }\n}",
            "1);\n    }\n\n    #[test]\n    fn one_adds_one() {\n        assert_eq!(add(1, 1), 2);\n    }\n}",
        );
    let files = [("src/lib.rs", Some(RUST_BASE), Some(new.as_str()))];
    let split = split(
        &testing::diff(&files),
        testing::side(&files, false),
        testing::side(&files, true),
    );
    let expected = new.replace("a + b", "a - b");
    assert_eq!(split.mixed, [("src/lib.rs".to_owned(), expected)]);
    assert_eq!(split.rest, ["src/lib.rs"]);
    assert!(split.test_files.is_empty());
}

#[test]
fn a_rust_file_with_changed_tests_alone_leaves_no_rest() {
    let new = RUST_BASE.replace("add(1, 0), 1", "add(2, 0), 2");
    let files = [("src/lib.rs", Some(RUST_BASE), Some(new.as_str()))];
    let split = split(
        &testing::diff(&files),
        testing::side(&files, false),
        testing::side(&files, true),
    );
    assert_eq!(split.mixed, [("src/lib.rs".to_owned(), new)]);
    assert!(split.rest.is_empty(), "{:?}", split.rest);
}

#[test]
fn tests_that_a_rust_file_did_not_have_are_put_at_its_end() {
    let base = "pub fn one() -> i32 {\n    2\n}\n";
    let tests = "#[cfg(test)]\nmod tests {\n    #[test]\n    fn one_is_one() {\n        assert_eq!(super::one(), 1);\n    }\n}\n";
    let new = format!("{}\n{tests}", base.replace('2', "1"));
    let files = [("src/lib.rs", Some(base), Some(new.as_str()))];
    let split = split(
        &testing::diff(&files),
        testing::side(&files, false),
        testing::side(&files, true),
    );
    assert_eq!(
        split.mixed,
        [("src/lib.rs".to_owned(), format!("{base}\n{tests}"))]
    );
    assert_eq!(split.rest, ["src/lib.rs"]);
}

#[test]
fn text_that_only_looks_like_a_test_module_is_source() {
    let base = "pub const A: &str = \"\n#[cfg(test)]\nmod tests {\n    // old\n}\n\";\n";
    let new = base.replace("old", "new");
    let files = [("src/lib.rs", Some(base), Some(new.as_str()))];
    let split = split(
        &testing::diff(&files),
        testing::side(&files, false),
        testing::side(&files, true),
    );
    assert!(split.mixed.is_empty());
    assert_eq!(split.rest, ["src/lib.rs"]);
}

#[test]
fn files_that_belong_to_tests_are_split_by_name() {
    let files = [
        ("src/cart.py", Some("a\n"), Some("b\n")),
        ("tests/test_cart.py", Some("a\n"), Some("b\n")),
        ("tests/fixtures/cart.json", None, Some("{}\n")),
        ("tests/old_test.py", Some("a\n"), None),
        ("conftest.py", Some("a\n"), Some("b\n")),
    ];
    let split = split(
        &testing::diff(&files),
        testing::side(&files, false),
        testing::side(&files, true),
    );
    assert_eq!(
        split.test_files,
        [
            "conftest.py",
            "tests/fixtures/cart.json",
            "tests/old_test.py",
            "tests/test_cart.py"
        ]
    );
    assert_eq!(split.rest, ["src/cart.py"]);
}
