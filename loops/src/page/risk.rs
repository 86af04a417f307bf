//! What a change touches, read from its diff: what a reviewer weighs before reading it. Nothing here is a claim of an
//! agent's, and nothing here judges: it counts and names.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::{
    boundary::is_dependency_file,
    change::{Diff, FileChange, Side, is_other_code, is_test_path, pattern},
    owners::Owners,
};

/// How many declarations are kept by name.
const KEPT: usize = 20;

/// A kind of file that asks for a second look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensitive {
    /// What the code is built from: manifests and lock files.
    Dependencies,
    /// What changes stored data: migrations, schemas, SQL.
    Migrations,
    /// What builds, tests, ships and guards it.
    BuildAndCi,
    /// What a diff does not show.
    Binary,
}

impl Sensitive {
    /// All of them, as a page lists them.
    pub const ALL: [Self; 4] = [
        Self::Dependencies,
        Self::Migrations,
        Self::BuildAndCi,
        Self::Binary,
    ];

    /// As a page calls it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Dependencies => "dependencies",
            Self::Migrations => "migrations",
            Self::BuildAndCi => "build and CI",
            Self::Binary => "binary files",
        }
    }
}

/// What a change touches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Risk {
    /// Paths that ask for a second look, by kind.
    pub sensitive: BTreeMap<Sensitive, Vec<String>>,
    /// Public declarations that are gone or read otherwise, as they stood on the base; the first few.
    pub interface: Vec<String>,
    /// How many there are of them.
    pub interface_changed: usize,
    /// Public declarations that are new.
    pub interface_added: usize,
    /// Source in languages whose declarations are not read here.
    pub interface_unread: Vec<String>,
    /// Folders with source that changed, and how many files of each; at most two levels deep, the most touched first.
    pub folders: Vec<(String, usize)>,
    /// Who owns how many of the paths, by CODEOWNERS; those of most paths first. Nothing: there is no such file.
    pub owners: Option<Vec<(String, usize)>>,
    /// Paths that nobody owns.
    pub unowned: usize,
}

impl Risk {
    /// Reads it from a diff, and from the base's CODEOWNERS if it has one.
    pub fn of(diff: &Diff, owners: Option<&Owners>) -> Self {
        let mut risk = Self::default();
        for file in &diff.files {
            risk.sensitive(file);
        }
        risk.interface(diff);
        risk.folders = folders(diff);
        if let Some(owners) = owners {
            risk.owned(diff, owners);
        }
        risk
    }

    fn sensitive(&mut self, file: &FileChange) {
        for path in file.paths() {
            if let Some(kind) = kind(path) {
                self.note(kind, path);
            }
        }
        if file.binary {
            self.note(Sensitive::Binary, file.path());
        }
    }

    fn note(&mut self, kind: Sensitive, path: &str) {
        let paths = self.sensitive.entry(kind).or_default();
        if !paths.iter().any(|there| there == path) {
            paths.push(path.to_owned());
        }
    }

    fn interface(&mut self, diff: &Diff) {
        // Over all files: what only moves from one to another is neither gone nor new.
        let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
        for file in diff.files.iter().filter(|file| !is_test_path(file.path())) {
            let path = file.path();
            match declarations(path) {
                Some(public) => {
                    before.extend(declared(file, Side::Removed, public));
                    after.extend(declared(file, Side::Added, public));
                }
                None if is_other_code(path) || unread(path) => self.interface_unread.push(path.to_owned()),
                None => {}
            }
        }
        self.interface_changed = before.difference(&after).count();
        self.interface = before.difference(&after).take(KEPT).cloned().collect();
        // What reads otherwise now is one gone and one new; it is told of as changed.
        self.interface_added = after
            .difference(&before)
            .count()
            .saturating_sub(self.interface_changed);
    }

    fn owned(&mut self, diff: &Diff, owners: &Owners) {
        let paths = diff.paths();
        let count =
            |name: &crate::owners::Owner| paths.iter().filter(|path| owners.of(path).contains(name)).count();
        let all = owners.for_change(&paths).into_iter().take(KEPT);
        self.owners = Some(all.map(|owner| (owner.to_string(), count(&owner))).collect());
        self.unowned = paths.iter().filter(|path| owners.of(path).is_empty()).count();
    }
}

fn folders(diff: &Diff) -> Vec<(String, usize)> {
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for file in diff.files.iter().filter(|file| !is_test_path(file.path())) {
        let mut parts: Vec<&str> = file.path().split('/').collect();
        parts.pop();
        parts.truncate(2);
        let folder = match parts.join("/") {
            top if top.is_empty() => "./".to_owned(),
            folder => format!("{folder}/"),
        };
        *counted.entry(folder).or_default() += 1;
    }
    let mut all: Vec<_> = counted.into_iter().collect();
    all.sort_by_key(|(_, files)| std::cmp::Reverse(*files));
    all
}

// --- kinds of files, by their names ------------------------------------------------------------------------------

static MIGRATIONS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:^|/)(?:migrations?|migrate|alembic|flyway|liquibase)/|\.sql$|(?:^|/)schema\.(?:prisma|rb)$",
    )
});
static BUILD_AND_CI: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?x)^(?:\.github|\.circleci|\.buildkite|\.ci|\.cargo|\.husky)/ | \.tf$
        | (?:^|/)(?: \.gitlab-ci\.ya?ml | \.travis\.yml | Jenkinsfile | azure-pipelines\.yml | CODEOWNERS
            | (?:Dockerfile|Containerfile)[\w.-]* | (?:docker-)?compose[\w.-]*\.ya?ml | GNUmakefile | [Mm]akefile
            | [Jj]ustfile | build\.rs | CMakeLists\.txt | BUILD(?:\.bazel)? | tox\.ini | noxfile\.py
            | \.pre-commit-config\.yaml | (?:webpack|vite|rollup|babel|jest|vitest)\.config\.\w+ )$",
    )
});

fn kind(path: &str) -> Option<Sensitive> {
    if is_dependency_file(path) {
        Some(Sensitive::Dependencies)
    } else if MIGRATIONS.is_match(path) {
        Some(Sensitive::Migrations)
    } else if BUILD_AND_CI.is_match(path) {
        Some(Sensitive::BuildAndCi)
    } else {
        None
    }
}

// --- public declarations, by their first lines --------------------------------------------------------------------

static RUST: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*pub\s+[a-z]"));
static PYTHON: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:    |\t)?(?:async\s+)?(?:def|class)\s+[A-Za-z]"));
static JAVASCRIPT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*export\b|^\s*(?:module\.)?exports\b.*="));
static GO: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^func (?:\([^)]*\) ?)?\p{Lu}|^(?:type|var|const) \p{Lu}"));
static JAVA: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*(?:public|protected)\s"));

/// What a public declaration begins like in a file of this name; nothing, where that is not known.
fn declarations(path: &str) -> Option<&'static Regex> {
    Some(match extension(path) {
        "rs" => &RUST,
        "py" | "pyi" => &PYTHON,
        "js" | "jsx" | "mjs" | "cjs" | "ts" | "tsx" | "mts" | "cts" => &JAVASCRIPT,
        "go" => &GO,
        "java" => &JAVA,
        _ => return None,
    })
}

/// Languages in which everything is public that does not say otherwise.
fn unread(path: &str) -> bool {
    matches!(extension(path), "kt" | "kts" | "groovy")
}

fn extension(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or_default();
    file.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The declarations on one side, each on one line, without what opens its body.
fn declared(file: &FileChange, side: Side, public: &Regex) -> Vec<String> {
    file.lines(side)
        .filter(|line| public.is_match(&line.text))
        .map(|line| {
            let flat = line.text.split_whitespace().collect::<Vec<_>>().join(" ");
            flat.trim_end_matches(['{', ':', ';', '(', ' ']).to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(path: &str, lines: &str) -> Diff {
        let text = format!("diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1,9 +1,9 @@\n");
        let count = |sign: char| lines.lines().filter(|line| !line.starts_with(sign)).count();
        let range = format!("@@ -1,{} +1,{} @@", count('+'), count('-'));
        let text = text.replace("@@ -1,9 +1,9 @@", &range) + lines;
        Diff::parse(text.as_bytes()).unwrap()
    }

    fn risk(path: &str, lines: &str) -> Risk {
        Risk::of(&diff(path, lines), None)
    }

    #[test]
    fn a_changed_signature_is_named_and_a_changed_body_is_not() {
        for (path, before, after, body) in [
            (
                "src/a.rs",
                "pub fn total(cart: &Cart) -> u64 {",
                "pub fn total(cart: &Cart) -> i64 {",
                "    cart.sum()",
            ),
            (
                "shop/a.py",
                "def total(cart):",
                "def total(cart, tax):",
                "    return cart.sum()",
            ),
            (
                "web/a.ts",
                "export function total(a: Cart) {",
                "export function total(b: Cart) {",
                "  return a.sum();",
            ),
            (
                "pkg/a.go",
                "func Total(c Cart) int {",
                "func Total(c Cart) int64 {",
                "\treturn c.sum()",
            ),
            (
                "src/A.java",
                "    public int total() {",
                "    public long total() {",
                "        return 1;",
            ),
        ] {
            let changed = risk(path, &format!("-{before}\n+{after}\n"));
            assert_eq!(
                (changed.interface_changed, changed.interface_added),
                (1, 0),
                "{path}"
            );
            let told = before.trim().trim_end_matches(['{', ':', ' ']);
            assert_eq!(changed.interface, [told], "{path}");
            let inside = risk(path, &format!("-{body}\n+{body} \n"));
            assert_eq!(
                (inside.interface_changed, inside.interface_added),
                (0, 0),
                "{path}"
            );
        }
    }

    #[test]
    fn what_is_private_moved_or_of_tests_is_no_interface() {
        for (path, lines) in [
            ("src/a.rs", "-pub(crate) fn a() {\n-fn b() {\n"),
            ("shop/a.py", "-def _a():\n-        def nested():\n"),
            ("pkg/a.go", "-func total() int {\n"),
            ("src/a.rs", "-pub fn a() {\n-}\n+/// More.\n+pub fn a() {\n+}\n"),
            ("tests/a.rs", "-pub fn helper() {\n"),
        ] {
            assert_eq!(risk(path, lines).interface_changed, 0, "{lines}");
        }
    }

    #[test]
    fn a_language_that_is_not_read_is_said_to_be_unread() {
        assert_eq!(risk("lib/a.rb", "-def a\n").interface_unread, ["lib/a.rb"]);
        assert_eq!(risk("README.md", "-a\n").interface_unread, [""; 0]);
    }

    #[test]
    fn files_that_ask_for_a_second_look_are_known_by_their_names() {
        for (path, expected) in [
            ("Cargo.lock", Some(Sensitive::Dependencies)),
            ("web/package.json", Some(Sensitive::Dependencies)),
            ("requirements-dev.txt", Some(Sensitive::Dependencies)),
            ("db/migrate/20261101_add.rb", Some(Sensitive::Migrations)),
            ("app/migrations/0001_initial.py", Some(Sensitive::Migrations)),
            (".github/workflows/ci.yml", Some(Sensitive::BuildAndCi)),
            ("services/api/Dockerfile", Some(Sensitive::BuildAndCi)),
            ("src/migration_plan.rs", None),
            ("docs/package.json.md", None),
            ("src/main.rs", None),
        ] {
            assert_eq!(kind(path), expected, "{path}");
        }
        assert!(!RUST.is_match("fn") && !JAVA.is_match("int a;"));
    }

    #[test]
    fn owners_are_counted_by_the_paths_that_they_own() {
        let mut two = diff("shop/a.py", "-a\n");
        two.files.extend(diff("web/a.py", "-a\n").files);
        two.files.extend(diff("shop/b.py", "-a\n").files);
        let owners = Owners::parse("/shop/ @acme/shop\n");
        let risk = Risk::of(&two, Some(&owners));
        assert_eq!(risk.owners, Some(vec![("@acme/shop".to_owned(), 2)]));
        assert_eq!(risk.unowned, 1);
        assert_eq!(risk.folders, [("shop/".to_owned(), 2), ("web/".to_owned(), 1)]);
        assert_eq!(Risk::of(&two, None).owners, None);
    }
}
