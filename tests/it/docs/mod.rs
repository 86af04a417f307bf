//! What the documents claim, as far as a test can tell: that they are fresh, that what they name is there, and that what
//! they show to be copied is right.

mod commands;
mod examples;
mod links;
mod security;
mod spec;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A page: where it is, from the root, and what stands in it.
struct Page {
    path: String,
    text: String,
}

/// Every page of Markdown, those of tests' and demos' repositories left out.
fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    for folder in ["", "docs"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(Page {
                    path: path.strip_prefix(root()).unwrap().display().to_string(),
                    text: fs::read_to_string(&path).unwrap(),
                });
            }
        }
    }
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    pages
}

/// A fenced block: its language, the line that it begins on, and its text.
struct Block {
    language: String,
    line: usize,
    text: String,
}

impl Page {
    /// Its fenced blocks, and its lines outside of them, numbered from 1.
    fn parts(&self) -> (Vec<Block>, Vec<(usize, &str)>) {
        let (mut blocks, mut prose) = (Vec::new(), Vec::new());
        let mut open: Option<Block> = None;
        for (at, line) in self.text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), open.as_mut()) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(language), None) => {
                    open = Some(Block {
                        language: language.trim().to_owned(),
                        line: at + 1,
                        text: String::new(),
                    });
                }
                (None, Some(block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => prose.push((at + 1, line)),
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.path);
        (blocks, prose)
    }

    /// What stands between single backticks.
    fn code(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (number, line) in self.parts().1 {
            let odd = line.split('`').skip(1).step_by(2);
            found.extend(odd.map(|code| (number, code.to_owned())));
        }
        found
    }
}

/// Compares a generated page with the one that is committed, or writes it: `./x docs`.
#[expect(
    clippy::disallowed_methods,
    reason = "how this test is told to write instead of compare"
)]
fn fresh(path: &str, made: &str) {
    let file = root().join(path);
    if std::env::var("LOOPS_DOCS").is_ok_and(|word| word == "write") {
        fs::write(&file, made).unwrap();
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    if there != made {
        let first = there.lines().zip(made.lines()).position(|(a, b)| a != b);
        let line = first.unwrap_or_else(|| there.lines().count().min(made.lines().count()));
        panic!(
            "{path} is stale from line {}: it has `{}`, and should have `{}`. Type `./x docs`",
            line + 1,
            there.lines().nth(line).unwrap_or("nothing"),
            made.lines().nth(line).unwrap_or("nothing"),
        );
    }
}

#[test]
fn no_page_names_a_folder_of_somebodys_machine() {
    let scripts = [
        "x",
        ".ci/run",
        ".github/workflows/ci.yml",
        "tests/bench/startup.sh",
    ];
    let files = pages().into_iter().map(|page| (page.path, page.text));
    let files =
        files.chain(scripts.map(|path| (path.to_owned(), fs::read_to_string(root().join(path)).unwrap())));
    for (path, text) in files {
        for folder in [
            "/root/",
            "/home/",
            "/Users/",
            "/work/wt",
            "/work/main",
            "/work/shared",
        ] {
            assert!(!text.contains(folder), "{path} names `{folder}`");
        }
    }
}

#[test]
fn the_pages_that_people_look_for_are_there() {
    let names: Vec<String> = pages().into_iter().map(|page| page.path).collect();
    for wanted in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
    ] {
        assert!(names.iter().any(|name| name == wanted), "{wanted} is missing");
    }
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(root().join(licence).exists(), "{licence} is missing");
    }
}

#[test]
fn ci_runs_the_command_that_the_readme_names() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    let command = ci
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("exec "))
        .unwrap();
    assert!(
        readme.contains(&format!("\n{command} ")) || readme.contains(&format!("\n{command}\n")),
        "`{command}`"
    );
}
