//! What `loops run --format json` promises to scripts: names of fields, and standard output for JSON alone.

use serde_json::Value;

use crate::cast::Ratings;

/// Every promised field, as a path; `0` is the first of a list.
const PROMISED: &[&str] = &[
    "/run/id",
    "/run/loop",
    "/run/state",
    "/run/tick",
    "/run/findings/0/id",
    "/run/tasks/0/id",
    "/run/tasks/0/kind",
    "/run/tasks/0/state",
    "/run/tasks/0/attempts/0",
    "/run/tasks/0/evidence/0",
    "/run/tasks/0/proposal/id",
    "/run/usage/input_tokens",
    "/run/usage/output_tokens",
    "/run/usage/cache_read_tokens",
    "/run/usage/cache_write_tokens",
    "/run/usage/cost_usd",
];

#[tokio::test]
async fn a_run_told_to_scripts_has_every_field_that_was_promised() {
    let shop = Ratings::world().await.well_played();
    let ran = shop.world.loops(["run", "fix", "--format", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let told: Value = ran.json();
    let missing: Vec<_> = PROMISED
        .iter()
        .filter(|path| told.pointer(path).is_none_or(Value::is_null))
        .collect();
    assert!(missing.is_empty(), "{missing:?} are not in {told:#}");
    assert_eq!(
        told.as_object().map(serde_json::Map::len),
        Some(1),
        "`run` is all: {told:#}"
    );
    assert!(
        ran.stderr.contains("triage"),
        "progress goes to standard error: {ran}"
    );

    let text = |path: &str| {
        told.pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        (text("/run/loop"), text("/run/state")),
        ("fix".into(), "done".into())
    );
    assert_eq!(
        (text("/run/tasks/0/kind"), text("/run/tasks/0/state")),
        ("fix".into(), "proposed".into())
    );
    let usage = &told["run"]["usage"];
    let counted = shop
        .world
        .model()
        .requests()
        .iter()
        .fold((0, 0), |(input, output), request| {
            (
                input + request.usage.all_input(),
                output + request.usage.output_tokens,
            )
        });
    let sum: u64 = ["input_tokens", "cache_read_tokens", "cache_write_tokens"]
        .iter()
        .filter_map(|key| usage[key].as_u64())
        .sum();
    assert_eq!(
        (sum, usage["output_tokens"].as_u64().unwrap()),
        counted,
        "every token is counted once"
    );
    assert!(usage["cost_usd"].as_f64().unwrap() > 0.0, "{usage:#}");
    shop.world.close().await;
}

#[tokio::test]
async fn what_cannot_be_run_is_said_on_standard_error_alone() {
    let shop = Ratings::world().await;
    let ran = shop.world.loops(["run", "fixx", "--format", "json"]).await;
    assert_eq!(ran.code, 2, "{ran}");
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("`fix`"), "the nearest name is said: {ran}");
    shop.world.close().await;
}
