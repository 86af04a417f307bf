use proptest::prelude::*;

use super::*;
use crate::change::testing::diff;

fn boundaries(write: &[&str], deny: &[&str]) -> Boundaries {
    let texts = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect();
    Boundaries {
        write: texts(write),
        deny: texts(deny),
        dependencies: Dependencies::Allow,
        ..Boundaries::default()
    }
}

fn rules_with(boundaries: &Boundaries, path: &str) -> Vec<Rule> {
    let change = diff(&[(path, Some("a\n"), Some("b\n"))]);
    judge(&change, boundaries, &[])
        .into_iter()
        .map(|violation| violation.rule)
        .collect()
}

fn rules(write: &[&str], path: &str) -> Vec<Rule> {
    rules_with(&boundaries(write, &[]), path)
}

#[test]
fn what_is_written_must_be_among_what_may_be() {
    assert_eq!(rules(&["src/**"], "src/a/b.rs"), []);
    assert_eq!(rules(&["src/"], "src/a/b.rs"), []);
    assert_eq!(rules(&["src/*"], "src/a/b.rs"), [Rule::Write]);
    assert_eq!(rules(&["src/**"], "lib/a.rs"), [Rule::Write]);
    assert_eq!(rules(&[], "a.rs"), [Rule::Write]);
}

#[test]
fn what_is_denied_is_denied_in_any_case_of_its_letters() {
    let boundaries = boundaries(&["**"], &["secret/**"]);
    assert_eq!(rules_with(&boundaries, "secret/a"), [Rule::Deny]);
    assert_eq!(rules_with(&boundaries, "Secret/a"), [Rule::Deny]);
}

#[test]
fn both_names_of_a_renamed_file_count() {
    let mut change = diff(&[("src/a.rs", Some("a\n"), Some("b\n"))]);
    change.files[0].status = Status::Renamed;
    change.files[0].old_path = Some("vendor.rs".to_owned());
    let found = judge(&change, &boundaries(&["src/**"], &[]), &[]);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].words,
        "`vendor.rs` is not among the paths that may change"
    );
}

#[test]
fn a_task_narrows_what_its_loop_may_write() {
    let change = diff(&[("src/a.rs", Some("a\n"), Some("b\n"))]);
    let found = judge(&change, &boundaries(&["src/**"], &[]), &["src/b.rs".to_owned()]);
    assert_eq!(found[0].words, "`src/a.rs` is not among the paths of this task");
    assert_eq!(
        judge(&change, &boundaries(&["src/**"], &[]), &["src/a.rs".to_owned()]),
        []
    );
}

#[test]
fn what_tells_others_what_to_do_must_be_named() {
    for path in [
        ".github/workflows/ci.yml",
        "web/.github/a",
        ".gitlab-ci.yml",
        "CLAUDE.md",
        "docs/claude.MD",
        "AGENTS.md",
        ".cursor/rules",
        ".claude/settings.json",
        ".loops/fix.yaml",
        ".husky/pre-commit",
        ".gitattributes",
        "src/.gitmodules",
        ".pre-commit-config.yaml",
        ".cargo/config.toml",
        "Jenkinsfile",
    ] {
        assert!(rules(&["**"], path).contains(&Rule::Configuration), "{path}");
        assert!(
            rules(&["*", "*/*", "**/*"], path).contains(&Rule::Configuration),
            "{path}"
        );
    }
    assert_eq!(rules(&["**", ".github/**"], ".github/workflows/ci.yml"), []);
    assert_eq!(rules(&["**/CLAUDE.md"], "docs/CLAUDE.md"), []);
    assert_eq!(
        rules(&["**", ".github/**"], ".github/AGENTS.md"),
        [Rule::Configuration]
    );
    assert_eq!(
        rules(
            &["**", ".github/workflows/release.yml"],
            ".github/workflows/ci.yml"
        ),
        [Rule::Configuration]
    );
    assert_eq!(rules(&["**"], "src/agents.rs"), []);
    assert_eq!(rules(&["**"], "db/migrations/1.sql"), [Rule::Migration]);
    assert_eq!(rules(&["db/migrations/*.sql"], "db/migrations/1.sql"), []);
}

#[test]
fn a_task_cannot_name_what_its_loop_does_not() {
    let change = diff(&[("CLAUDE.md", Some("a\n"), Some("b\n"))]);
    let found = judge(&change, &boundaries(&["**"], &[]), &["CLAUDE.md".to_owned()]);
    assert_eq!(found[0].rule, Rule::Configuration);
}

#[test]
fn modes_links_and_binary_files_are_refused() {
    let with = |edit: &dyn Fn(&mut FileChange)| -> Vec<Rule> {
        let mut change = diff(&[("a", Some("a\n"), Some("b\n"))]);
        edit(&mut change.files[0]);
        judge(&change, &boundaries(&["**"], &[]), &[])
            .into_iter()
            .map(|violation| violation.rule)
            .collect()
    };
    assert_eq!(with(&|file| file.new_mode = Some(0o120_000)), [Rule::Symlink]);
    assert_eq!(with(&|file| file.new_mode = Some(0o160_000)), [Rule::Submodule]);
    let gone = |file: &mut FileChange| {
        (file.status, file.new_path, file.old_mode, file.new_mode) =
            (Status::Deleted, None, Some(0o160_000), None);
    };
    assert_eq!(with(&gone), [Rule::Submodule]);
    assert_eq!(with(&|file| file.new_mode = Some(0o100_755)), [Rule::FileMode]);
    assert_eq!(with(&|file| file.new_mode = Some(0o100_664)), [Rule::FileMode]);
    assert_eq!(with(&|file| file.new_mode = None), [Rule::FileMode]);
    assert_eq!(
        with(&|file| (file.old_mode, file.new_mode) = (Some(0o100_755), Some(0o100_755))),
        []
    );
    assert_eq!(with(&|file| file.binary = true), [Rule::Binary]);
    assert_eq!(with(&|file| file.lossy_path = true), [Rule::OddName]);
    assert_eq!(
        with(&|file| (file.status, file.new_path, file.new_mode) = (Status::Deleted, None, None)),
        []
    );
}

#[test]
fn odd_names_are_refused() {
    for path in [
        "a\nb",
        "a\u{202e}b",
        "a\u{200b}",
        ".git/config",
        "src/.GIT/hooks/x",
        ".g\u{200c}it/x",
        "GIT~1/config",
        ".git /x",
        ".git./x",
        "a/../b",
        "a\\b",
        "a//b",
        "con:x",
        "\u{ff0e}git/x",
        "a ",
        " a",
    ] {
        assert!(rules(&["**"], path).contains(&Rule::OddName), "{path:?}");
    }
    for path in [
        "src/ü.rs",
        "src/日本.md",
        ".gitignore",
        "a b.txt",
        ".github.md",
        "digit~1",
    ] {
        assert_eq!(rules(&["**"], path), [], "{path:?}");
    }
    let shown = judge(
        &diff(&[("a\u{202e}b", None, Some("x"))]),
        &boundaries(&["**"], &[]),
        &[],
    );
    assert!(
        shown[0].words.starts_with("`a\\u{202e}b` has characters"),
        "{}",
        shown[0].words
    );
}

#[test]
fn names_that_differ_only_in_case_are_refused() {
    let change = diff(&[("src/a.rs", None, Some("x\n")), ("src/A.rs", None, Some("y\n"))]);
    let found = judge(&change, &boundaries(&["**"], &[]), &[]);
    assert_eq!(
        found[0].words,
        "`src/A.rs` differs from `src/a.rs` only in case or in the form of its letters"
    );
}

#[test]
fn dependencies_are_allowed_asked_about_or_forbidden() {
    for path in [
        "Cargo.lock",
        "web/package.json",
        "requirements-dev.txt",
        "go.sum",
        "pyproject.toml",
        "vendor/a/b.go",
    ] {
        let with = |dependencies| {
            let boundaries = Boundaries {
                dependencies,
                ..boundaries(&["**"], &[])
            };
            judge(&diff(&[(path, Some("a\n"), Some("b\n"))]), &boundaries, &[])
        };
        assert_eq!(with(Dependencies::Allow), [], "{path}");
        assert!(with(Dependencies::Ask)[0].needs_a_person(), "{path}");
        assert_eq!(with(Dependencies::Forbid)[0].rule, Rule::Dependencies);
    }
}

#[test]
fn a_change_that_is_too_large_is_refused() {
    let change = diff(&[("a", Some("1\n2\n"), Some("3\n4\n")), ("b", None, Some("1\n"))]);
    let small = Boundaries {
        max_files: 1,
        max_lines: 4,
        ..boundaries(&["**"], &[])
    };
    let words: Vec<String> = judge(&change, &small, &[])
        .into_iter()
        .map(|violation| violation.words)
        .collect();
    assert_eq!(
        words,
        [
            "2 files changed, and at most 1 may",
            "5 lines were added and removed, and at most 4 may be"
        ]
    );
    let enough = Boundaries {
        max_files: 2,
        max_lines: 5,
        ..small
    };
    assert_eq!(judge(&change, &enough, &[]), []);
}

#[test]
fn a_glob_that_cannot_be_read_refuses_everything() {
    let found = judge(&diff(&[]), &boundaries(&["**"], &["a["]), &[]);
    assert_eq!(found[0].rule, Rule::BadGlob);
}

#[test]
fn a_task_within_its_loop_is_known() {
    let outer = boundaries(&["src/**", "tests/*.py", "docs/{a,b}/**"], &["src/secret/**"]);
    let is_within = |glob: &str| within(&[glob.to_owned()], &outer).is_empty();
    for glob in [
        "src/**",
        "src/a.rs",
        "src/a/**",
        "src/**/*.rs",
        "tests/test_a.py",
        "tests/test_*.py",
        "src/{a,b}.rs",
        "docs/a/x.md",
        "src/",
    ] {
        assert!(is_within(glob) || glob == "tests/test_*.py", "{glob}");
    }
    for glob in [
        "**",
        "lib/a.rs",
        "tests/**",
        "tests/a/b.py",
        "src/../lib/a.rs",
        "src/secret/a",
        "src/secret/**",
        "docs/c/x",
        "src",
        "src[",
        "{src,lib}/a",
        "*/a",
    ] {
        assert!(!is_within(glob), "{glob}");
    }
    let said = within(&["lib/**".to_owned()], &outer).remove(0).to_string();
    assert_eq!(
        said,
        "`lib/**` is not within what this loop may write: `src/**`, `tests/*.py`, `docs/{a,b}/**`"
    );
}

proptest! {
    #[test]
    fn what_is_said_to_be_within_is(outer in "[ab*?/]{1,8}", inner in "[ab*?/]{1,8}", path in "[ab/]{1,8}") {
        let set = |glob: &str| globs(&[glob.to_owned()], false);
        let (Ok(wide), Ok(narrow)) = (set(&outer), set(&inner)) else { return Ok(()) };
        let outer = boundaries(&[outer.as_str()], &[]);
        let clean = !path.contains("//") && !path.starts_with('/') && !path.ends_with('/');
        if clean && within(&[inner], &outer).is_empty() && narrow.is_match(&path) {
            prop_assert!(wide.is_match(&path));
        }
    }
}
