//! Which files are tests, by the conventions of common languages. A file that belongs to tests alone (fixtures,
//! helpers, snapshots, `conftest.py`) counts as tests.
//!
//! Wrong answers are safe: source that counts as a test makes the reproduction pass on the base, and a test that
//! counts as source leaves nothing to reproduce with. Both are refused.

/// Folders that hold tests, at any depth.
const TEST_FOLDERS: &[&str] = &[
    "test",
    "tests",
    "__tests__",
    "__snapshots__",
    "__mocks__",
    "__fixtures__",
    "testdata",
    "e2e",
    "cypress",
];

/// Folders that hold tests at the root of a repository only; deeper they often mean something else.
const ROOT_TEST_FOLDERS: &[&str] = &[
    "spec",
    "specs",
    "testing",
    "integration-tests",
    "fixtures",
    "features",
];

/// File names that are tests as they are.
const TEST_FILES: &[&str] = &[
    "conftest.py",
    "tests.py",
    "test.py",
    "tests.rs",
    "test.rs",
    "test.js",
    "test.mjs",
    "test.ts",
];

const SCRIPTS: &[&str] = &["js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts"];

/// Whether a path, from the repository's root, belongs to tests alone.
pub fn is_test_path(path: &str) -> bool {
    let mut folders: Vec<&str> = path.split('/').collect();
    let file = folders.pop().unwrap_or_default();
    folders.iter().any(|folder| TEST_FOLDERS.contains(folder))
        || folders
            .first()
            .is_some_and(|folder| ROOT_TEST_FOLDERS.contains(folder))
        || is_test_file(file)
}

fn is_test_file(file: &str) -> bool {
    if TEST_FILES.contains(&file) {
        return true;
    }
    let Some((stem, extension)) = file.rsplit_once('.') else {
        return false;
    };
    match extension {
        "snap" => true,
        "py" => stem.starts_with("test_") || stem.ends_with("_test") || stem.ends_with("_tests"),
        "rs" | "go" | "rb" | "exs" | "dart" | "c" | "cc" | "cpp" => {
            ["_test", "_tests", "_spec"].iter().any(|end| stem.ends_with(end))
                || (extension == "rb" && stem.starts_with("test_"))
        }
        "java" | "kt" | "kts" | "scala" | "groovy" | "cs" | "swift" | "php" => {
            ["Test", "Tests", "TestCase", "Spec", "IT"].iter().any(|end| {
                stem.strip_suffix(end)
                    .is_some_and(|before| before.ends_with(|c: char| !c.is_ascii_uppercase()))
            })
        }
        _ if SCRIPTS.contains(&extension) => [".test", ".spec", "_test", "-test", ".e2e", ".cy"]
            .iter()
            .any(|end| stem.ends_with(end)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_conventions_are_known() {
        for path in [
            "tests/test_cart.py",
            "shop/cart_test.py",
            "conftest.py",
            "src/cart.test.ts",
            "src/__tests__/cart.js",
            "src/__snapshots__/cart.snap",
            "pkg/cart_test.go",
            "pkg/testdata/golden.json",
            "src/test/java/shop/CartTest.java",
            "app/CartIT.java",
            "spec/cart_spec.rb",
            "src/cart/tests.rs",
            "crates/a/tests/it/main.rs",
        ] {
            assert!(is_test_path(path), "{path}");
        }
    }

    #[test]
    fn source_whose_name_only_sounds_like_tests_is_source() {
        for path in [
            "src/spec/types.rs",
            "src/testing.py",
            "latest.js",
            "src/contest.rs",
            "src/Latest.java",
            "src/EXIT.java",
            "attestation.go",
            "fixtures.py",
            "docs/tests.md",
        ] {
            assert!(!is_test_path(path), "{path}");
        }
    }
}
