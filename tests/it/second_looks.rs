//! What GitHub shows a little late, or shows again: closings and reopenings, words that wait, merges that were not taken.

use harness::{
    github::{Fault, Match},
    world::{BOT, SHOP},
};
use serde_json::json;

use crate::{
    cast::{Ratings, run},
    conversation::Talk,
};

const PULLS: &str = "/repos/acme/shop/pulls";

/// What stands of the proposal.
async fn state(talk: &Talk) -> String {
    let shown = talk.shop.shown(&talk.id).await;
    shown["state"].as_str().unwrap().to_owned()
}

/// A minute goes by at GitHub.
fn later(talk: &Talk) {
    talk.hub.world().advance(std::time::Duration::from_secs(60));
}

/// A person restores the branch and opens the pull request again.
async fn restore(talk: &Talk) {
    let shown = talk.shop.shown(&talk.id).await;
    let head = shown["head"].as_str().unwrap();
    let mut there = talk.hub.world();
    let branch = there.pull(SHOP, talk.number).head.clone();
    there.force_push(SHOP, &branch, head, "carol");
    there.reopen(SHOP, talk.number, "carol");
}

#[tokio::test]
async fn who_reopens_takes_an_old_never_back_and_it_is_not_heard_again() {
    let talk = Talk::begin(&["say why"]).await;
    let number = talk.number;
    talk.hub
        .world()
        .comment(SHOP, number, "carol", "/loops never not wanted");
    talk.look().await;
    assert_eq!(state(&talk).await, "rejected");
    later(&talk);
    restore(&talk).await;
    for _ in 0..3 {
        talk.look().await;
        assert_eq!(state(&talk).await, "open");
    }
    assert!(talk.hub.world().issue(SHOP, number).open);
    let shown = talk.shop.world.loops(["show", &talk.id]).await.stdout;
    assert_eq!(
        shown.matches("never by carol").count(),
        1,
        "carol said it once: {shown}"
    );

    // What is said from now on is heard.
    later(&talk);
    let before = talk.head();
    talk.hub
        .world()
        .comment(SHOP, number, "carol", "/loops revise say why");
    talk.look().await;
    assert_ne!(talk.head(), before);
    talk.close().await;
}

#[tokio::test]
async fn who_asks_for_something_else_while_a_merge_waits_takes_the_approval_back() {
    let talk = Talk::begin(&["say why"]).await;
    let (number, before) = (talk.number, talk.head());
    let merge = Match::new("PUT", &format!("{PULLS}/{number}/merge"));
    talk.hub.world().fault(merge, Fault::Status(503), 20);
    let said = talk.shop.world.loops(["approve", &talk.id]).await;
    assert_eq!(said.code, 0, "{said}");
    assert_eq!(state(&talk).await, "approved");
    talk.hub
        .world()
        .comment(SHOP, number, "carol", "/loops revise say why");
    talk.look().await;
    assert_eq!(state(&talk).await, "open");
    let news = talk.news();
    assert!(
        news.contains("It was approved, but is not merged: carol asked for something else"),
        "{news}"
    );
    assert_eq!(talk.head(), before, "what was approved is taken back first");
    later(&talk);
    // Anybody may say anything; it moves nothing on.
    talk.hub.world().comment(SHOP, number, "mallory", "+1");
    talk.look().await;
    assert_ne!(talk.head(), before, "what carol asked for is done");
    assert!(talk.brief("say why").contains("> say why"));
    talk.close().await;
}

#[tokio::test]
async fn a_stop_and_what_is_asked_after_it_count_in_the_order_in_which_they_were_said() {
    for (said, is_done) in [
        (["/loops stop", "/loops revise say why"], true),
        (["/loops revise say why", "/loops stop"], false),
    ] {
        let talk = Talk::begin(&["say why"]).await;
        let (number, before) = (talk.number, talk.head());
        for words in said {
            talk.hub.world().comment(SHOP, number, "carol", words);
            later(&talk);
        }
        talk.hub.world().comment(SHOP, number, "dave", "Thanks!");
        for _ in 0..3 {
            talk.look().await;
            later(&talk);
        }
        assert_eq!(talk.head() != before, is_done, "{said:?}: {}", talk.news());
        assert_eq!(
            talk.news().contains("It is left alone"),
            !is_done,
            "{said:?}: {}",
            talk.news()
        );
        talk.close().await;
    }
}

/// The updating comments, whoever wrote them.
fn updating(talk: &Talk) -> Vec<(String, String)> {
    let mut there = talk.hub.world();
    let comments = there.repo(SHOP).comments.values();
    comments
        .filter(|comment| comment.body.contains("<!-- loops:news:"))
        .map(|comment| (comment.author.clone(), comment.body.clone()))
        .collect()
}

#[tokio::test]
async fn another_login_keeps_the_updating_comment_up_or_says_once_what_became_of_it() {
    for may in [true, false] {
        let talk = Talk::begin(&["say why"]).await;
        let number = talk.number;
        talk.hub
            .world()
            .comment(SHOP, number, "carol", "/loops revise say why");
        talk.look().await;
        assert_eq!(updating(&talk).len(), 1);
        let token = {
            let mut there = talk.hub.world();
            there.grant(SHOP, "other-bot", harness::github::Role::Write);
            if !may {
                let edit = Match::new("PATCH", "/repos/acme/shop/issues/comments/");
                there.fault(edit, Fault::Status(403), 1);
            }
            there.classic_token("other-bot", &["repo"])
        };
        talk.shop.world.log_in(&talk.hub, &token, "");
        later(&talk);
        talk.hub.world().comment(SHOP, number, "carol", "/loops stop");
        for _ in 0..3 {
            talk.look().await;
        }
        let all = updating(&talk);
        let (last_author, last) = all.last().unwrap();
        assert!(last.contains("It is left alone"), "{all:#?}");
        let said = last.matches("our earlier comment of this kind stays").count();
        if may {
            assert_eq!((all.len(), said), (1, 0), "{all:#?}");
        } else {
            assert_eq!((all.len(), said), (2, 1), "{all:#?}");
            assert_eq!(last_author, "other-bot");
        }
        talk.close().await;
    }
}

#[tokio::test]
async fn a_merge_that_was_given_up_is_said_and_can_be_approved_again() {
    let talk = Talk::begin(&[]).await;
    let number = talk.number;
    let merge = Match::new("PUT", &format!("{PULLS}/{number}/merge"));
    talk.hub.world().fault(merge, Fault::Status(503), 3);
    assert_eq!(talk.shop.world.loops(["approve", &talk.id]).await.code, 0);
    assert_eq!(state(&talk).await, "approved");
    {
        let mut there = talk.hub.world();
        there.commit(SHOP, "main", "carol", &[("NEWS", Some("more"))], "More");
    }
    talk.look().await;
    assert_eq!(state(&talk).await, "open", "it waits for a person again");
    let news = talk.news();
    assert!(
        news.contains("It was approved, but was not merged: the base has moved"),
        "{news}"
    );
    let status = talk.shop.world.loops(["status"]).await.stdout;
    assert!(
        status.contains("does not work: something was given up"),
        "{status}"
    );

    let again = talk.shop.world.loops(["approve", &talk.id]).await;
    assert_eq!(again.code, 0, "{again}");
    for _ in 0..3 {
        talk.look().await;
    }
    assert_eq!(state(&talk).await, "merged");
    let status = talk.shop.world.loops(["status"]).await.stdout;
    assert!(!status.contains("does not work"), "{status}");
    talk.close().await;
}

#[tokio::test]
async fn a_merge_that_github_does_not_take_for_hours_does_not_hold_its_loop() {
    let talk = Talk::begin(&[]).await;
    let number = talk.number;
    let merge = Match::new("PUT", &format!("{PULLS}/{number}/merge"));
    talk.hub.world().fault(merge, Fault::Status(405), 1_000);
    assert_eq!(talk.shop.world.loops(["approve", &talk.id]).await.code, 0);
    for _ in 0..20 {
        if state(&talk).await == "open" {
            break;
        }
        talk.look().await;
    }
    assert_eq!(state(&talk).await, "open");
    let asked = |talk: &Talk| {
        let all = talk.hub.requests();
        all.iter().filter(|one| one.path.ends_with("/merge")).count()
    };
    let before = asked(&talk);
    // The same head and the same base, approved once more: a merge is asked for once more.
    assert_eq!(talk.shop.world.loops(["approve", &talk.id]).await.code, 0);
    assert_eq!(asked(&talk), before + 1);
    talk.close().await;
}

#[tokio::test]
async fn a_proposal_that_github_does_not_take_ends_and_says_why() {
    let (shop, hub) = Ratings::on_github().await;
    let shop = shop.well_played();
    hub.world()
        .fault(Match::new("POST", PULLS).exact(), Fault::Status(422), 1_000);
    let ran = shop.world.loops(["run", "fix", "--format", "json"]).await.json();
    let id = ran["run"]["tasks"][0]["proposal"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for _ in 0..20 {
        if shop.shown(&id).await["state"] == "expired" {
            break;
        }
        shop.world.loops(["run", "fix"]).await;
    }
    assert_eq!(shop.shown(&id).await["state"], "expired");
    assert_eq!(
        shop.findings().await,
        ["2 open"],
        "it is free again, and waits for news"
    );
    shop.world.loops(["run", "fix"]).await;
    let status = shop.world.loops(["status"]).await.stdout;
    assert!(
        status.contains("does not work: something was given up"),
        "{status}"
    );
    assert!(!branches(&hub), "its branch is not left behind");
    let told = {
        let mut there = hub.world();
        let issues = there.repo(SHOP).issues.values();
        let all: Vec<String> = issues.filter_map(|issue| issue.body.clone()).collect();
        all.join("\n")
    };
    assert!(told.contains("proven, but it could not be sent"), "{told}");
    shop.world.close().await;
}

fn branches(hub: &harness::github::GitHub) -> bool {
    let mut there = hub.world();
    let all = there.repo(SHOP).git.branches();
    all.iter().any(|(name, _)| name.starts_with("loops/"))
}

#[tokio::test]
async fn a_proposal_that_waits_for_a_permission_can_be_refused() {
    let (shop, hub) = Ratings::on_github().await;
    let shop = shop.well_played();
    let fault = hub
        .world()
        .fault(Match::new("POST", PULLS).exact(), Fault::Status(403), 1_000);
    let ran = shop.world.loops(["run", "fix", "--format", "json"]).await.json();
    let id = ran["run"]["tasks"][0]["proposal"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(shop.shown(&id).await["state"], "preparing");
    assert!(hub.world().hits(fault) > 0);
    let refused = shop
        .world
        .loops(["reject", &id, "--reason", "we do not want it"])
        .await;
    assert_eq!(refused.code, 0, "{refused}");
    shop.world.loops(["run", "fix"]).await;
    assert_eq!(shop.shown(&id).await["state"], "rejected");
    assert!(!branches(&hub), "its branch is taken away");
    assert_eq!(shop.findings().await, ["2 refused"]);
    shop.world.close().await;
}

#[tokio::test]
async fn a_push_of_ours_that_github_shows_late_is_no_strangers() {
    let talk = Talk::begin(&["say why", "say more"]).await;
    let number = talk.number;
    talk.hub.world().late_heads = 3;
    talk.hub
        .world()
        .comment(SHOP, number, "carol", "/loops revise say why");
    talk.look().await;
    later(&talk);
    let before = talk.head();
    talk.hub
        .world()
        .comment(SHOP, number, "carol", "/loops revise say more");
    for _ in 0..4 {
        talk.look().await;
    }
    assert_ne!(talk.head(), before, "what was said meanwhile is done");
    assert!(!talk.news().contains("left alone"), "{}", talk.news());

    // Control: somebody who did push is left the branch.
    let branch = {
        let mut there = talk.hub.world();
        there.late_heads = 0;
        let branch = there.pull(SHOP, number).head.clone();
        there.commit(SHOP, &branch, "carol", &[("NEWS", Some("mine"))], "Mine");
        branch
    };
    for _ in 0..2 {
        talk.look().await;
    }
    assert!(
        talk.news()
            .contains(&format!("somebody has pushed to `{branch}`")),
        "{}",
        talk.news()
    );
    talk.close().await;
}

#[tokio::test]
async fn one_that_was_let_go_and_is_opened_again_is_listened_to_and_closed_with_a_word_again() {
    let talk = Talk::begin(&["say why"]).await;
    let number = talk.number;
    // Some program closes what is stale: that is nobody's refusal.
    talk.hub.world().close(SHOP, number, "stale[bot]");
    talk.look().await;
    assert_eq!(state(&talk).await, "expired");
    assert_eq!(talk.shop.findings().await, ["2 open"]);
    later(&talk);
    talk.hub.world().reopen(SHOP, number, "carol");
    talk.look().await;
    assert_eq!(state(&talk).await, "open");
    assert_eq!(talk.shop.findings().await, ["2 proposed"]);
    let before = talk.head();
    talk.hub
        .world()
        .comment(SHOP, number, "carol", "/loops revise say why");
    talk.look().await;
    assert_ne!(talk.head(), before);

    for why in ["first", "second"] {
        later(&talk);
        let refused = talk.shop.world.loops(["reject", &talk.id, "--reason", why]).await;
        assert_eq!(refused.code, 0, "{refused}");
        assert!(!talk.hub.world().issue(SHOP, number).open, "{why}");
        let said = talk.said().join("\n");
        assert!(said.contains(why), "{said}");
        if why == "first" {
            later(&talk);
            restore(&talk).await;
            talk.look().await;
            assert_eq!(state(&talk).await, "open");
        }
    }
    talk.close().await;
}

#[tokio::test]
async fn only_the_closers_own_words_about_the_closing_are_the_reason() {
    let talk = Talk::begin(&[]).await;
    let number = talk.number;
    {
        let mut there = talk.hub.world();
        there.grant(SHOP, "erin", harness::github::Role::Write);
        there.comment(SHOP, number, "carol", "Which release is this for?");
        there.comment(SHOP, number, "erin", "Nice work, thanks");
        there.comment(SHOP, number, "carol", "/loops explain");
    }
    talk.look().await;
    talk.hub
        .world()
        .advance(std::time::Duration::from_secs(7 * 86_400));
    talk.hub.world().close(SHOP, number, "carol");
    talk.look().await;
    assert_eq!(state(&talk).await, "rejected");
    let findings = talk
        .shop
        .world
        .loops(["findings", "--format", "json"])
        .await
        .json();
    let finding = findings[0]["id"].as_str().unwrap().to_owned();
    let shown = talk
        .shop
        .world
        .loops(["show", &finding, "--format", "json"])
        .await
        .json();
    assert_eq!(
        shown["refused_why"],
        json!("closed on GitHub without a word"),
        "{shown:#}"
    );
    talk.close().await;
}

#[tokio::test]
async fn a_service_that_waits_for_an_answer_ends_a_few_seconds_after_its_grace() {
    let (shop, hub) = Ratings::on_github().await;
    shop.world.define(&Ratings::file().on_github(SHOP).every("1s"));
    let fault = hub
        .world()
        .fault(Match::new("GET", "/acme/shop.git"), Fault::TimeOut, 1_000);
    let mut service = shop.world.spawn(["serve", "--grace", "1"]);
    assert!(service.says("the tick of").await, "a run begins");
    while hub.world().hits(fault) == 0 {
        tokio::task::yield_now().await;
    }
    let asked = std::time::Instant::now();
    service.interrupt();
    let ended = shop.world.end(service).await;
    assert_eq!(ended.code, 0, "{ended}");
    assert!(asked.elapsed().as_secs() < 20, "{:?}: {ended}", asked.elapsed());
    assert!(ended.stderr.contains("was cut off"), "{ended}");
    shop.world.close().await;
}

#[tokio::test]
async fn what_a_person_wrote_into_title_or_description_stays() {
    let talk = Talk::begin(&["say why", "say more"]).await;
    let number = talk.number;
    let edited = |talk: &Talk| {
        let mut there = talk.hub.world();
        let issue = there.issue(SHOP, number);
        (issue.title.clone(), issue.body.clone().unwrap_or_default())
    };
    let before = edited(&talk);
    for (round, words) in ["say why", "say more"].into_iter().enumerate() {
        talk.hub
            .world()
            .comment(SHOP, number, "carol", &format!("/loops revise {words}"));
        let head = talk.head();
        talk.look().await;
        assert_ne!(talk.head(), head);
        let (title, body) = edited(&talk);
        if round == 0 {
            // Control: as long as nobody has edited it, the page follows.
            assert_ne!(body, before.1);
            talk.hub
                .world()
                .edit_body(SHOP, number, "carol", &format!("By carol\n\n{body}"));
            later(&talk);
        } else {
            assert_eq!(title, before.0);
            assert!(body.starts_with("By carol"), "{body}");
        }
    }
    assert!(
        talk.news().contains("The description was edited here"),
        "{}",
        talk.news()
    );
    talk.close().await;
}

#[tokio::test]
async fn a_dashboard_tells_nothing_of_another_repository() {
    const SECRET: &str = "acme/secret-billing";
    let (shop, hub) = Ratings::on_github().await;
    let shop = shop.well_played();
    {
        let mut there = hub.world();
        there.add_repository(SECRET).private = true;
        there.grant(SECRET, BOT, harness::github::Role::Write);
        there.grant(SECRET, "carol", harness::github::Role::Maintain);
        let files = [
            ("ratings/__init__.py", Some("")),
            (Ratings::FILE, Some(Ratings::BUGGY)),
            ("tests/__init__.py", Some("")),
            (Ratings::TESTS, Some(Ratings::TEST)),
        ];
        there.commit(SECRET, "main", "carol", &files, "Billing");
        let text = "ZeroDivisionError: division by zero on products without ratings, the page crashes";
        there.open_issue(SECRET, "carol", "Billing crashes", text);
    }
    shop.world.write(
        ".loops/pay.yaml",
        &Ratings::file_of("pay").on_github(SECRET).yaml(),
    );
    run(&shop.world).await;
    let pulls = format!("/repos/{SECRET}/pulls");
    let fault = hub
        .world()
        .fault(Match::new("POST", &pulls).exact(), Fault::Status(503), 1_000);
    shop.world.loops(["run", "pay"]).await;
    assert!(hub.world().hits(fault) > 0, "something of the other one waits");
    run(&shop.world).await;
    run(&shop.world).await;
    let boards = |name: &str| -> String {
        let mut there = hub.world();
        let issues = there.repo(name).issues.values();
        let all: Vec<String> = issues
            .filter(|issue| issue.title.contains("Loops: what is open"))
            .filter_map(|issue| issue.body.clone())
            .collect();
        all.join("\n")
    };
    assert!(boards(SHOP).contains("## Open"), "{}", boards(SHOP));
    assert!(
        !boards(SHOP).contains("billing") && !boards(SHOP).contains("does not work"),
        "{}",
        boards(SHOP)
    );
    assert!(
        boards(SECRET).contains("## What does not work"),
        "it is told where it belongs: {}",
        boards(SECRET)
    );
    let status = shop.world.loops(["status"]).await.stdout;
    assert!(
        status.contains("secret-billing"),
        "the operator sees it all: {status}"
    );
    shop.world.close().await;
}
