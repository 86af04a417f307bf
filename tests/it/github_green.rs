//! `merge_when_green`: what is merged without a person, and everything that keeps it from being so.

use harness::{github::GitHub, world::SHOP};
use serde_json::Value;

use crate::cast::{Ratings, proposal, run};

/// A shop whose loop merges when green, with one proposal; its number on GitHub.
async fn proposed() -> (Ratings, GitHub, String, u64) {
    let (shop, hub) = Ratings::on_github().await;
    let yaml = Ratings::file().on_github(SHOP).yaml();
    let yaml = yaml.replace("max_open: 5 }", "max_open: 5, autonomy: merge_when_green }");
    assert!(yaml.contains("merge_when_green"), "{yaml}");
    shop.world.write(".loops/fix.yaml", &yaml);
    let shop = shop.well_played();
    let ran = run(&shop.world).await;
    let id = proposal(&ran).to_owned();
    let number = {
        let mut there = hub.world();
        let pulls = there.repo(SHOP).issues.values();
        pulls
            .filter(|issue| issue.pull.is_some())
            .map(|issue| issue.number)
            .next()
            .unwrap()
    };
    (shop, hub, id, number)
}

async fn look(shop: &Ratings) -> String {
    let ran = shop.world.loops(["run", "fix"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    ran.all()
}

async fn state(shop: &Ratings, id: &str) -> Value {
    shop.shown(id).await["state"].clone()
}

fn head(hub: &GitHub, number: u64) -> String {
    hub.world().pull(SHOP, number).head_sha.clone()
}

#[tokio::test]
async fn what_is_proven_protected_and_green_is_merged_without_a_person() {
    let (shop, hub, id, number) = proposed().await;
    assert!(
        !hub.world().pull(SHOP, number).draft,
        "nobody would make it ready"
    );
    let told = look(&shop).await;
    assert!(told.contains("`main` is not protected"), "{told}");
    let why = "`main` is not protected, so a person merges it";
    let comments: Vec<String> = {
        let mut there = hub.world();
        let all = there.repo(SHOP).comments.values();
        all.map(|comment| comment.body.clone()).collect()
    };
    let said = comments
        .iter()
        .filter(|body| body.contains(&format!("It is not merged by itself: {why}")));
    assert_eq!(said.count(), 1, "{comments:#?}");
    for args in [["status", "--format=text"], ["review", &id]] {
        let shown = shop.world.loops(args).await;
        assert!(shown.all().contains(why), "{shown}");
    }
    hub.world().protect(SHOP, "main", &["ci"]);
    look(&shop).await;
    assert_eq!(state(&shop, &id).await, "open", "the check has not run");
    let status = shop.world.loops(["status", "--format", "json"]).await.json();
    assert_eq!(
        status["unmerged"][0]["why"], "a required check is not green",
        "{status:#}"
    );
    // What fails, or what somebody wants different, goes back to a worker: that is the conversation's.
    let sha = head(&hub, number);
    hub.world().check(SHOP, &sha, "lint", "success");
    look(&shop).await;
    assert_eq!(
        state(&shop, &id).await,
        "open",
        "another check is not the one that is required"
    );
    hub.world().check(SHOP, &sha, "ci", "success");
    let told = look(&shop).await;
    assert_eq!(state(&shop, &id).await, "merged", "{told}");
    let merged = hub.world().pull(SHOP, number).merged.clone();
    assert!(merged.is_some(), "GitHub has it, too");
    hub.check();
    shop.world.close().await;
}

#[tokio::test]
async fn what_somebody_pushed_to_and_what_its_base_has_left_behind_is_not_merged() {
    let (shop, hub, id, number) = proposed().await;
    hub.world().protect(SHOP, "main", &["ci"]);
    let sha = head(&hub, number);
    hub.world().check(SHOP, &sha, "ci", "success");
    hub.world()
        .commit(SHOP, "main", "carol", &[("new.txt", Some("x"))], "The base moves");
    look(&shop).await;
    assert_eq!(state(&shop, &id).await, "open", "it was proven on another base");
    let branch = hub.world().pull(SHOP, number).head.clone();
    let theirs = hub
        .world()
        .commit(SHOP, &branch, "mallory", &[("evil.py", Some("x"))], "More");
    hub.world().check(SHOP, &theirs, "ci", "success");
    look(&shop).await;
    assert_eq!(state(&shop, &id).await, "open", "it is not what was proven");
    hub.check();
    shop.world.close().await;
}

#[tokio::test]
async fn an_outsiders_objection_is_told_on_the_pull_request_and_left_to_a_person() {
    let (shop, hub, id, number) = proposed().await;
    hub.world().protect(SHOP, "main", &["ci"]);
    let sha = head(&hub, number);
    hub.world().check(SHOP, &sha, "ci", "success");
    hub.world()
        .review(SHOP, number, "mallory", "CHANGES_REQUESTED", "I do not like it");
    look(&shop).await;
    assert_eq!(state(&shop, &id).await, "open");
    look(&shop).await;
    let said: String = {
        let mut there = hub.world();
        let all = there.repo(SHOP).comments.values();
        all.map(|comment| comment.body.clone()).collect()
    };
    assert!(
        said.contains("`mallory` has requested changes and has no write access"),
        "{said}"
    );
    shop.world.close().await;
}

#[tokio::test]
async fn a_loop_one_of_whose_merges_was_taken_back_only_proposes_until_its_record_is_better() {
    let (shop, hub, id, number) = proposed().await;
    hub.world().protect(SHOP, "main", &["ci"]);
    let sha = head(&hub, number);
    hub.world().check(SHOP, &sha, "ci", "success");
    look(&shop).await;
    assert_eq!(state(&shop, &id).await, "merged");
    let before = shop.world.loops(["status"]).await;
    assert!(
        !before.all().contains("only proposes for now"),
        "control: {before}"
    );
    let (_, _, merged) = hub.world().pull(SHOP, number).merged.clone().unwrap();
    let words = format!("Revert \"{}\"\n\nThis reverts commit {merged}.", Ratings::TITLE);
    let back = [(Ratings::FILE, Some(Ratings::BUGGY))];
    hub.world().commit(SHOP, "main", "carol", &back, &words);
    let ran = shop.world.loops(["run", "fix"]).await;
    assert!(matches!(ran.code, 0 | 4), "{ran}");
    let after = shop.world.loops(["status"]).await;
    assert!(after.all().contains("1 of its last"), "{after}");
    assert!(after.all().contains("reverted"), "{after}");
    shop.world.close().await;
}
