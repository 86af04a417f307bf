//! Real git against the fake.

use std::{
    path::Path,
    process::{Command, Output},
};

use harness::github::{Access, Fault, Match, Selection};
use serde_json::json;
use tempfile::TempDir;

use super::Shop;

fn git(folder: &Path, arguments: &[&str], token: &str) -> Output {
    use base64::Engine as _;
    let login = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
    Command::new("git")
        .args([
            "-c",
            "user.name=ann",
            "-c",
            "user.email=ann@example.com",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(["-c", &format!("http.extraHeader=Authorization: Basic {login}")])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env_remove("GIT_DIR")
        .output()
        .unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A clone with a commit of its own on the branch `fix`.
fn cloned(shop: &Shop) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let url = shop.hub.clone_url("acme/shop");
    let done = git(folder.path(), &["clone", "-q", &url, "."], &shop.token);
    assert!(done.status.success(), "{}", words(&done));
    std::fs::write(folder.path().join("a.txt"), "a").unwrap();
    for arguments in [
        &["checkout", "-q", "-b", "fix"][..],
        &["add", "."],
        &["commit", "-q", "-m", "A"],
    ] {
        assert!(git(folder.path(), arguments, &shop.token).status.success());
    }
    folder
}

#[tokio::test]
async fn a_push_is_seen_by_the_api_and_one_with_a_stale_lease_is_refused() {
    let shop = Shop::open().await;
    let folder = cloned(&shop);
    let push = |lease: &str| {
        let lease = format!("--force-with-lease=refs/heads/fix:{lease}");
        git(
            folder.path(),
            &["push", "-q", &lease, "origin", "fix"],
            &shop.token,
        )
    };
    let first = push("");
    assert!(first.status.success(), "{}", words(&first));
    let head = shop.hub.world().head("acme/shop", "fix").unwrap();
    assert_eq!(shop.offer("fix").await.body["head"]["sha"], head);
    let moved = shop
        .hub
        .world()
        .commit("acme/shop", "fix", "bob", &[("b.txt", Some("b"))], "B");
    let stale = push(&head);
    assert!(!stale.status.success());
    assert!(words(&stale).contains("stale info"), "{}", words(&stale));
    assert!(
        push(&moved).status.success(),
        "with the head that is there it goes through"
    );
    assert_eq!(
        shop.hub.world().pull("acme/shop", 1).head_sha,
        head,
        "the pull request follows"
    );
    shop.hub.check();
}

#[tokio::test]
async fn who_may_not_push_or_see_is_refused() {
    let shop = Shop::open().await;
    shop.hub.world().repo("acme/shop").private = true;
    let folder = cloned(&shop);
    let only = || Selection::only(["acme/shop"]);
    let reads = shop
        .hub
        .world()
        .fine_grained_token("ann", "acme", only(), &[("contents", Access::Read)]);
    let stranger = shop.hub.world().classic_token("eve", &["repo"]);
    for (token, word) in [
        (reads.as_str(), "403"),
        (&stranger, "not found"),
        ("ghp_no", "could not read Username"),
    ] {
        let push = git(folder.path(), &["push", "-q", "origin", "fix"], token);
        assert!(
            !push.status.success() && words(&push).contains(word),
            "{word}: {}",
            words(&push)
        );
    }
    let fetch = git(folder.path(), &["fetch", "-q", "origin"], &reads);
    assert!(fetch.status.success(), "{}", words(&fetch));
    shop.hub.check();
}

#[tokio::test]
async fn protected_branches_and_workflow_files_are_refused() {
    let shop = Shop::open().await;
    shop.hub.world().protect("acme/shop", "main", &["tests"]);
    let folder = cloned(&shop);
    let protected = git(folder.path(), &["push", "origin", "fix:main"], &shop.token);
    assert!(words(&protected).contains("GH006"), "{}", words(&protected));
    std::fs::create_dir_all(folder.path().join(".github/workflows")).unwrap();
    std::fs::write(folder.path().join(".github/workflows/ci.yml"), "on: push").unwrap();
    git(folder.path(), &["add", "."], "");
    git(folder.path(), &["commit", "-q", "-m", "CI"], "");
    let refused = git(folder.path(), &["push", "origin", "fix"], &shop.token);
    assert!(
        words(&refused).contains("without `workflow` scope"),
        "{}",
        words(&refused)
    );
    let scoped = shop.hub.world().classic_token("ann", &["repo", "workflow"]);
    let taken = git(folder.path(), &["push", "origin", "fix"], &scoped);
    assert!(taken.status.success(), "{}", words(&taken));
    shop.hub.check();
}

#[tokio::test]
async fn a_push_can_happen_though_its_answer_is_cut() {
    let shop = Shop::open().await;
    let folder = cloned(&shop);
    let path = Match::new("POST", "/acme/shop.git/git-receive-pack");
    shop.hub.world().fault(path, Fault::CutAfter, 1);
    assert!(
        !git(folder.path(), &["push", "-q", "origin", "fix"], &shop.token)
            .status
            .success()
    );
    assert!(shop.hub.world().head("acme/shop", "fix").is_some());
    let got = shop
        .ask("GET", "/repos/acme/shop/git/ref/heads/fix", json!(null))
        .await;
    assert_eq!(got.status, 200);
    shop.hub.check();
}
