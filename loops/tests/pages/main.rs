//! The pages of `docs/pages`: what the page type makes of four changes. `docs/pages.md` shows them as pictures; a page that
//! reads otherwise now fails here, so that no picture goes stale unseen. `./x pages` writes both anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod samples;

use std::{fs, path::Path};

/// Compares a page with the one that is committed, or writes it.
#[expect(
    clippy::disallowed_methods,
    reason = "how this test is told to write instead of compare"
)]
fn fresh(name: &str, page: &loops::page::Page) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/pages/{name}.md"));
    let made = page.markdown();
    if std::env::var("LOOPS_DOCS").is_ok_and(|word| word == "write") {
        fs::write(&file, &made).unwrap();
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    let first = there.lines().zip(made.lines()).find(|(a, b)| a != b);
    assert!(
        there == made,
        "docs/pages/{name}.md is stale: {}. Type `./x pages`, and look at the pictures",
        first.map_or("one is longer".to_owned(), |(a, b)| format!(
            "it has `{a}`, and should have `{b}`"
        ))
    );
}

#[test]
fn the_page_of_the_demo_is_fresh() {
    fresh("demo", &samples::demo());
}

#[test]
fn the_page_of_a_fix_is_fresh() {
    fresh("fix", &samples::fix());
}

#[test]
fn the_page_of_a_doubtful_change_is_fresh() {
    fresh("doubtful", &samples::doubtful());
}

#[test]
fn the_page_of_a_large_change_is_fresh() {
    fresh("large", &samples::large());
}
