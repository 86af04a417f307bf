//! Five bugs in five small repositories, from what people said to an approved merge. Only the model is scripted.

mod node;
mod python;
mod rust;

use harness::world::{Ran, Repository, World};
use serde_json::Value;

use crate::cast::proposal;

/// Every attempt of the run's one task at working, proving and reviewing, in order.
fn attempts(run: &Value) -> Vec<String> {
    run["tasks"][0]["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["role"].as_str().unwrap().to_owned())
        .collect()
}

/// `name: verdict` of each piece of evidence of the run's one task.
fn evidence(run: &Value) -> Vec<String> {
    let all = run["tasks"][0]["evidence"].as_array().unwrap().iter();
    let words = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    all.map(|found| format!("{}: {}", words(&found["name"]), words(&found["verdict"])))
        .collect()
}

/// What all that passed looks like.
const PROVEN: [&str; 6] = [
    "boundaries: passed",
    "screens: passed",
    "unit: passed",
    "reproduction: passed",
    "weakened tests: passed",
    "independent review: passed",
];

/// A person looks at the proposal and says yes; the base branch holds the change then, and `check` passes in a fresh
/// clone of it. It must not have held it before.
async fn look_and_approve(
    world: &World,
    origin: &Repository,
    run: &Value,
    file: &str,
    fix: &str,
    check: &str,
) -> Ran {
    let id = proposal(run);
    let base = origin.head("main");
    assert!(
        !origin.file("main", file).contains(fix),
        "the fix is not in the base yet"
    );
    let page = world.loops(["review", id]).await;
    assert_eq!(page.code, 0, "{page}");
    assert!(
        page.stdout.contains("reproduction") && page.stdout.contains(fix),
        "{page}"
    );

    let approved = world.loops(["approve", id]).await;
    assert_eq!(approved.code, 0, "{approved}");
    assert!(approved.stdout.contains("is merged"), "{approved}");
    assert!(origin.file("main", file).contains(fix));
    assert_eq!(
        origin.git(&["rev-list", "--count", &format!("{base}..main")]),
        "1"
    );
    let (well, output) = origin.runs(check);
    assert!(well, "{output}");

    let findings = world.loops(["findings", "--format", "json"]).await.json();
    let fixed = findings
        .as_array()
        .into_iter()
        .flatten()
        .filter(|finding| finding["state"] == "fixed");
    assert_eq!(fixed.count(), 1, "{findings:#}");
    page
}
