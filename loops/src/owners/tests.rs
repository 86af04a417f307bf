use proptest::prelude::*;

use super::*;

fn names(owners: &[Owner]) -> Vec<String> {
    owners.iter().map(Owner::to_string).collect()
}

/// Who owns the path, by these lines.
fn of(text: &str, path: &str) -> Vec<String> {
    let owners = Owners::parse(text);
    assert_eq!(owners.skipped(), [], "{text}");
    names(owners.of(path))
}

fn fits(pattern: &str, path: &str) -> bool {
    !of(&format!("{pattern} @a"), path).is_empty()
}

/// Each line of the example in GitHub's documentation, with what it says of it.
#[test]
fn the_lines_of_githubs_own_example_mean_what_it_says() {
    let text = "\
# a comment
*       @global-owner1 @global-owner2

*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/* docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
";
    let expected: &[(&str, &[&str])] = &[
        ("README.md", &["@global-owner1", "@global-owner2"]),
        ("src/deep/a.js", &["@js-owner"]),
        ("a.go", &["docs@example.com"]),
        ("notes/a.txt", &["@octo-org/octocats"]),
        ("build/logs/x/y.txt", &["@octocat"]),
        ("docs/getting-started.md", &["@doctocat"]),
        ("src/apps/a.js", &["@octocat"]),
        ("scripts/build.sh", &["@doctocat", "@octocat"]),
        ("deeply/nested/logs/today", &["@octocat"]),
        ("apps/web/index.js", &["@octocat"]),
        ("apps/github", &[]),
        ("apps/github/index.js", &[]),
    ];
    for (path, who) in expected {
        assert_eq!(of(text, path), *who, "{path}");
    }
}

#[test]
fn a_star_at_the_end_does_not_reach_further_down() {
    assert!(fits("docs/*", "docs/getting-started.md"));
    assert!(!fits("docs/*", "docs/build-app/troubleshooting.md"));
    assert!(
        !fits("docs/*", "src/docs/a.md"),
        "a `/` in the middle counts from the top"
    );
    assert!(fits("docs/**", "docs/build-app/troubleshooting.md"));
    assert!(fits("/*", "a") && !fits("/*", "a/b"));
    assert!(fits("*", "a/b/c") && fits("**", "a/b/c") && fits("/**", "a/b"));
}

#[test]
fn a_name_alone_fits_at_any_depth_and_a_folder_holds_what_is_below() {
    for path in ["apps", "apps/a", "src/apps/b/c"] {
        assert!(fits("apps", path), "{path}");
        assert_eq!(fits("apps/", path), path != "apps", "{path}");
    }
    assert!(!fits("apps", "src/apps2/a") && !fits("apps", "myapps/a"));
    assert!(fits("/src/lib", "src/lib/deep/a.rs") && !fits("/src/lib", "src/library.rs"));
    assert!(fits("/src", "src") && !fits("/src", "a/src"));
    assert!(fits("src/*.rs", "src/a.rs") && !fits("src/*.rs", "src/b/a.rs"));
    assert!(fits("a/**/z", "a/z") && fits("a/**/z", "a/b/c/z") && !fits("a/**/z", "b/a/z"));
    assert!(fits("foo?.c", "x/foo1.c") && !fits("foo?.c", "foo/.c"));
    assert!(
        fits("a**b", "axxb") && !fits("a**b", "ax/xb"),
        "two stars within a name are one"
    );
}

#[test]
fn case_counts_and_odd_characters_are_themselves() {
    assert!(!fits("README", "readme"));
    for name in ["a{b,c}", "a+b", "a,b", "naïve", "a(b)|c", "a!b", "-a"] {
        assert!(fits(name, &format!("x/{name}")), "{name}");
        assert!(fits(&format!("{name}*"), name), "{name}");
    }
    assert!(fits(r"my\ docs/a\*b", "my docs/a*b") && !fits(r"my\ docs/a\*b", "my docs/axb"));
}

#[test]
fn the_last_line_that_fits_decides_and_may_name_nobody() {
    let text = "*.rs @one @two @one\n/src/ @three\n/src/gen/\n";
    assert_eq!(of(text, "a.rs"), ["@one", "@two"]);
    assert_eq!(of(text, "src/a.rs"), ["@three"]);
    assert_eq!(of(text, "src/gen/a.rs"), [""; 0]);
    assert_eq!(of(text, "README"), [""; 0]);
    assert_eq!(of("", "README"), [""; 0]);
}

#[test]
fn lines_that_cannot_be_read_are_passed_over_and_told_of() {
    let text = "\u{feff}*.c @c\n!a.c @d\n\\#b.c @d\nd[1-2].c @d\ne.c @d somebody\nf.c @d @a/b/c\n[Section] @d\n^[Maybe]\n/ @d\ng\\\n";
    let owners = Owners::parse(text);
    let lines: Vec<usize> = owners.skipped().iter().map(|skipped| skipped.line).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert!(owners.skipped()[3].why.contains("`somebody` is no owner"));
    assert!(owners.skipped()[5].why.contains("GitLab"));
    for path in ["a.c", "#b.c", "d1.c", "e.c", "f.c"] {
        assert_eq!(names(owners.of(path)), ["@c"], "{path}");
    }
}

#[test]
fn of_many_bad_lines_the_first_are_told_of_and_the_rest_counted() {
    let owners = Owners::parse(&"!x @a\n".repeat(5_000));
    assert_eq!(owners.skipped().len(), TOLD + 1);
    assert_eq!(owners.skipped()[TOLD].why, "4980 more lines cannot be read");
}

#[test]
fn a_file_that_is_too_large_owns_nothing_and_says_so() {
    let line = "* @a\n";
    let full = line.repeat(MAX_BYTES / line.len());
    assert_eq!(names(Owners::parse(&full).of("a")), ["@a"]);
    let owners = Owners::parse(&format!("{full}{line}"));
    assert_eq!(owners.of("a"), []);
    assert!(owners.skipped()[0].why.contains("3 MB"));
}

#[test]
fn a_file_of_nothing_but_globs_is_read_up_to_a_limit_and_says_so() {
    let text = "a*b @a\n".repeat(MAX_GLOBS) + "* @late\n";
    let owners = Owners::parse(&text);
    assert_eq!(owners.skipped()[0].line, MAX_GLOBS + 1);
    assert_eq!(names(owners.of("axb")), ["@a"]);
    assert_eq!(
        Owners::parse(&"/a/b @a\n/c/ @a\n".repeat(MAX_GLOBS)).skipped(),
        []
    );
}

#[test]
fn owners_of_most_of_a_change_come_first() {
    let owners = Owners::parse("* @all\n/web/ @web @org/design\n/api/ @api a@b.example\n");
    let who = owners.for_change(["web/a", "api/a", "web/b", "README", "docs/x", "docs/y"]);
    assert_eq!(
        names(&who),
        ["@all", "@web", "@org/design", "@api", "a@b.example"]
    );
    assert_eq!(owners.for_change([""; 0]), []);
}

#[test]
fn an_owner_is_a_user_a_team_or_an_address() {
    for good in ["@a", "@a-b_c", "@org/a.team", "x+y@mail.example"] {
        assert_eq!(Owner::parse(good).unwrap().to_string(), good);
    }
    for bad in [
        "", "@", "a", "@a/", "@/b", "@a b", "a@b", "@a@b.c", "a@b@c.d", "@ä",
    ] {
        assert_eq!(Owner::parse(bad), None, "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "([*/?!#@\\\\{}\\[\\], \t\n.^-]|[a-zé\u{0}\u{202e}]){0,60}", path in "[a-z/. *]{0,20}") {
        let owners = Owners::parse(&text);
        owners.of(&path);
        owners.for_change([&path, "a", "/"]);
    }

    #[test]
    fn a_path_written_down_as_it_is_fits_itself(path in "[a-z{}(),+é -]{1,6}(/[a-z{}(),+é -]{1,6}){0,3}") {
        let pattern = path.replace(' ', "\\ ");
        let anchored = format!("/{pattern}");
        prop_assert!(fits(&anchored, &path));
        let below = format!("{path}/below");
        let folder = format!("/{pattern}/");
        prop_assert!(fits(&folder, &below));
    }
}
