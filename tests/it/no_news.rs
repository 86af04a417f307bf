//! Nothing new costs nothing: no model is asked, and the receipt says so.

use crate::cast::Ratings;

/// The states of the runs, latest first.
async fn receipts(shop: &Ratings) -> Vec<String> {
    let runs = shop.world.loops(["runs", "--format", "json"]).await.json();
    let all = runs.as_array().unwrap().iter();
    all.map(|run| run["state"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_run_without_news_asks_no_model_and_leaves_a_receipt() {
    let shop = Ratings::world().await.well_played();
    shop.proposed().await;
    let asked = shop.world.model().requests().len();
    assert!(asked > 0, "the first run had news");

    let ran = shop.world.loops(["run", "fix", "--format", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let run = &ran.json()["run"];
    assert_eq!(run["state"], "nothing_to_do", "{run:#}");
    assert_eq!(
        (
            run["usage"]["input_tokens"].as_u64(),
            run["usage"]["output_tokens"].as_u64()
        ),
        (Some(0), Some(0))
    );
    let ran = shop.world.loops(["run", "fix", "--exit-code"]).await;
    assert_eq!(ran.code, 5, "{ran}");
    assert!(ran.stdout.contains("no model was asked"), "{ran}");
    assert_eq!(shop.world.model().requests().len(), asked);
    assert_eq!(receipts(&shop).await, ["nothing_to_do", "nothing_to_do", "done"]);
    shop.world.close().await;
}

#[tokio::test]
async fn the_same_complaint_again_starts_nothing_while_a_proposal_is_open() {
    let shop = Ratings::world().await.well_played();
    let id = shop.proposed().await;
    let asked = shop.world.model().requests().len();
    shop.said_again();
    let ran = shop.world.loops(["run", "fix", "--exit-code"]).await;
    assert_eq!(ran.code, 5, "{ran}");
    assert!(ran.stderr.contains("2 new"), "it was read: {ran}");
    assert_eq!(shop.world.model().requests().len(), asked);
    assert_eq!(shop.findings().await, ["4 proposed"], "the finding grew");
    assert_eq!(shop.origin.branches().len(), 2);

    shop.something_else_said();
    let ran = shop.world.loops(["run", "fix", "--exit-code"]).await;
    assert_eq!(ran.code, 0, "another complaint is looked at: {ran}");
    assert!(shop.world.model().requests().len() > asked);
    assert_eq!(shop.shown(&id).await["state"], "open");
    shop.world.close().await;
}

#[tokio::test]
async fn the_same_complaint_after_the_merge_is_worked_on_again() {
    let shop = Ratings::world().await.well_played();
    let id = shop.proposed().await;
    assert_eq!(shop.world.loops(["approve", &id]).await.code, 0);
    assert_eq!(shop.findings().await, ["2 fixed"]);
    let asked = shop.world.model().requests().len();
    shop.said_again();
    let ran = shop
        .world
        .loops(["run", "fix", "--dry-run", "--format", "json"])
        .await;
    assert_eq!(ran.code, 0, "{ran}");
    let would = ran.json()["dry_run"]["findings"].clone();
    assert_eq!(would.as_array().map(Vec::len), Some(1), "it came back: {would:#}");
    assert_eq!(
        shop.world.model().requests().len(),
        asked,
        "a dry run asks nobody"
    );
    assert_eq!(
        shop.findings().await,
        ["2 fixed"],
        "a dry run writes nothing down"
    );
    shop.world.close().await;
}

#[tokio::test]
async fn nothing_is_started_above_the_number_of_open_proposals_that_people_want() {
    let shop = Ratings::world().await.well_played();
    shop.world.define(&Ratings::file().max_open(1));
    let id = shop.proposed().await;
    let asked = shop.world.model().requests().len();
    shop.something_else_said();
    let ran = shop.world.loops(["run", "fix", "--exit-code"]).await;
    assert_eq!(ran.code, 5, "{ran}");
    assert!(ran.all().contains("`max_open` is 1"), "{ran}");
    assert_eq!(shop.world.model().requests().len(), asked);

    assert_eq!(shop.world.loops(["reject", &id, "--reason", "no"]).await.code, 0);
    let ran = shop.world.loops(["run", "fix", "--exit-code"]).await;
    assert_eq!(
        ran.code, 0,
        "there is room again, and nothing was forgotten: {ran}"
    );
    assert!(shop.world.model().requests().len() > asked);
    shop.world.close().await;
}

#[tokio::test]
async fn what_was_said_before_and_was_dismissed_waits_for_news() {
    let shop = Ratings::world().await;
    shop.something_else_said();
    shop.world.lead(|s| {
        s.call("dismiss", serde_json::json!({"finding": "F1", "why": "not ours"}))
            .call("finish", serde_json::json!({"report": "Nothing to mend."}))
    });
    let first = shop.world.loops(["run", "fix", "--exit-code"]).await;
    assert_eq!(first.code, 0, "{first}");
    let asked = shop.world.model().requests().len();
    let second = shop.world.loops(["run", "fix", "--exit-code"]).await;
    assert_eq!(second.code, 5, "{second}");
    assert_eq!(shop.world.model().requests().len(), asked);
    shop.world.close().await;
}
