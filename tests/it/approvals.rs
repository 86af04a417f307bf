//! An approval holds for what was approved, where it goes, and only as long as nobody has said anything else: a merge that
//! waits is not sent whatever comes after it.

use harness::world::SHOP;

use crate::{cast::Ratings, conversation::Talk};

/// What stands of the proposal.
async fn state(talk: &Talk) -> String {
    let shown = talk.shop.shown(&talk.id).await;
    shown["state"].as_str().unwrap().to_owned()
}

/// A proposal that was approved, whose merge waits for a check.
async fn approved(told: &[&str]) -> Talk {
    let talk = Talk::begin(told).await;
    talk.hub.world().protect(SHOP, "main", &["ci"]);
    let said = talk.shop.world.loops(["approve", &talk.id]).await;
    assert_eq!(said.code, 0, "{said}");
    assert_eq!(state(&talk).await, "approved", "{said}");
    talk
}

/// The check that the merge waits for is green.
fn turns_green(talk: &Talk) {
    let head = talk.head();
    talk.hub.world().check(SHOP, &head, "ci", "success");
}

fn is_merged(talk: &Talk) -> bool {
    talk.hub.world().pull(SHOP, talk.number).merged.is_some()
}

#[tokio::test]
async fn a_stop_is_a_brake_for_a_merge_that_waits_and_for_later_approvals() {
    let talk = approved(&["say why"]).await;
    // Control: nobody says anything, and it goes its way.
    let control = approved(&[]).await;
    turns_green(&control);
    control.look().await;
    assert!(is_merged(&control) && state(&control).await == "merged");
    control.close().await;

    talk.hub
        .world()
        .comment(SHOP, talk.number, "carol", "/loops stop");
    talk.look().await;
    turns_green(&talk);
    for _ in 0..2 {
        talk.look().await;
    }
    assert!(!is_merged(&talk), "{}", talk.news());
    assert_eq!(state(&talk).await, "open");
    let news = talk.news();
    assert!(
        news.contains("It was approved, but is not merged: carol wrote `/loops stop`"),
        "{news}"
    );
    let again = talk.shop.world.loops(["approve", &talk.id]).await;
    assert_ne!(again.code, 0, "{again}");
    assert!(again.all().contains("is left alone: carol wrote"), "{again}");
    talk.look().await;
    assert!(!is_merged(&talk));
    talk.close().await;
}

#[tokio::test]
async fn what_was_sent_back_from_a_terminal_is_not_merged_as_it_was_approved() {
    let talk = approved(&["say why"]).await;
    let before = talk.head();
    turns_green(&talk);
    let said = talk.shop.world.loops(["revise", &talk.id, "say why"]).await;
    assert_eq!(said.code, 0, "{said}");
    talk.look().await;
    assert!(!is_merged(&talk), "{said}");
    assert_ne!(talk.head(), before, "it is done again");
    assert_eq!(state(&talk).await, "open", "and waits for another yes");
    talk.close().await;
}

#[tokio::test]
async fn a_pull_request_that_goes_elsewhere_by_now_is_neither_merged_nor_approved() {
    let talk = approved(&[]).await;
    let retarget = |to: &str| {
        let mut there = talk.hub.world();
        let sha = there.head(SHOP, to).unwrap();
        let pull = there.pull(SHOP, talk.number);
        (pull.base, pull.base_sha, pull.base_shown) = (to.to_owned(), sha.clone(), sha);
    };
    {
        let mut there = talk.hub.world();
        let main = there.head(SHOP, "main").unwrap();
        there.force_push(SHOP, "release", &main, "carol");
    }
    retarget("release");
    talk.look().await;
    assert!(!is_merged(&talk), "`release` asks for no checks");
    assert_eq!(state(&talk).await, "open");
    let news = talk.news();
    assert!(
        news.contains("somebody has changed its base branch to `release`, and it was proven for `main`"),
        "{news}"
    );
    let said = talk.shop.world.loops(["approve", &talk.id]).await;
    assert_ne!(said.code, 0, "{said}");
    assert!(said.all().contains("base branch to `release`"), "{said}");
    talk.look().await;
    assert!(!is_merged(&talk));

    // Control: where it was proven for, it may go.
    retarget("main");
    turns_green(&talk);
    let said = talk.shop.world.loops(["approve", &talk.id]).await;
    assert_eq!(said.code, 0, "{said}");
    talk.look().await;
    assert!(is_merged(&talk));
    talk.close().await;
}

#[tokio::test]
async fn a_review_that_requests_changes_takes_an_approval_back_that_is_no_merge_yet() {
    for (reviewed, is_back) in [("CHANGES_REQUESTED", true), ("COMMENTED", false)] {
        let talk = approved(&["say why"]).await;
        talk.hub
            .world()
            .review(SHOP, talk.number, "carol", reviewed, "say why");
        talk.look().await;
        turns_green(&talk);
        let before = talk.head();
        talk.look().await;
        assert_eq!(!is_merged(&talk), is_back, "{reviewed}: {}", talk.news());
        if is_back {
            let news = talk.news();
            assert!(
                news.contains("It was approved, but is not merged: carol asked for something else"),
                "{news}"
            );
            assert_ne!(talk.head(), before, "what carol asked for is done");
        }
        talk.close().await;
    }
}

/// What [`base_taken_back`] gives, looked at once and made anew.
async fn made_anew(file: &str, text: &str) -> Talk {
    let talk = base_taken_back(file, text).await;
    let before = talk.head();
    talk.look().await;
    assert_ne!(talk.head(), before, "it was made anew");
    talk
}

/// A shop with a proposal whose loop merges when green, on a base that was taken back for one with this other commit.
/// Its loop does not tick by itself.
async fn base_taken_back(file: &str, text: &str) -> Talk {
    let (shop, hub) = Ratings::on_github().await;
    let yaml = Ratings::file().on_github(SHOP).every("300d").yaml();
    let yaml = yaml.replace("max_open: 5 }", "max_open: 5, autonomy: merge_when_green }");
    assert!(yaml.contains("merge_when_green"), "{yaml}");
    shop.world.write(".loops/fix.yaml", &yaml);
    hub.world()
        .commit(SHOP, "main", "carol", &[("NEWS", Some("told"))], "News");
    let talk = Talk::of(shop, hub).await;
    {
        let mut there = talk.hub.world();
        let first = there.repo(SHOP).git.sha("main~1").unwrap();
        there.force_push(SHOP, "fresh", &first, "carol");
        let moved = there.commit(SHOP, "fresh", "carol", &[(file, Some(text))], "Another one");
        there.force_push(SHOP, "main", &moved, "carol");
        there.pull(SHOP, talk.number).base_sha = moved;
        there.protect(SHOP, "main", &["ci"]);
    }
    talk
}

/// How many conversations with reviewers were begun.
fn reviews(talk: &Talk) -> usize {
    let session = format!("# Change under review: {}\n", Ratings::TITLE);
    let requests = talk.shop.world.model().requests_of(&session);
    requests.iter().filter(|request| request.turn == 0).count()
}

#[tokio::test]
async fn what_was_made_anew_is_merged_by_itself_with_the_review_of_the_same_change() {
    let talk = made_anew("other", "").await;
    assert_eq!(reviews(&talk), 1, "nobody is asked again about the same change");
    talk.look().await;
    assert!(!is_merged(&talk), "the check is missing");
    turns_green(&talk);
    talk.look().await;
    assert!(is_merged(&talk), "{}", talk.news());
    talk.close().await;
}

#[tokio::test]
async fn what_was_made_anew_in_files_that_others_have_changed_is_reviewed_again_before_it_is_merged() {
    let text = format!("# What is told of stars.\n\n{}", Ratings::TEST);
    let talk = made_anew(Ratings::TESTS, &text).await;
    assert_eq!(reviews(&talk), 2, "what was read is not what stands there now");
    turns_green(&talk);
    talk.look().await;
    assert!(is_merged(&talk), "{}", talk.news());
    talk.close().await;
}

#[tokio::test]
async fn a_service_sees_to_the_review_of_what_was_made_anew_and_nothing_said_meanwhile_is_lost() {
    let text = format!("# What is told of stars.\n\n{}", Ratings::TEST);
    let talk = base_taken_back(Ratings::TESTS, &text).await;
    let world = &talk.shop.world;
    let session = format!("# Change under review: {}\n", Ratings::TITLE);
    assert_eq!(reviews(&talk), 1);
    world.model().hold(&session);
    let mut service = world.spawn(["serve"]);
    assert!(service.says("rebuilt").await, "it was never made anew");
    while reviews(&talk) < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let said = world.loops(["revise", &talk.id, "say why"]).await;
    assert_ne!(said.code, 0, "{said}");
    assert!(said.all().contains("a reviewer looks at it again"), "{said}");
    let shown = talk.shop.shown(&talk.id).await;
    assert_eq!(shown["state"], "open", "{shown:#}");
    world.model().release(&session);
    assert!(service.says(" done").await, "the review has no end");
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    turns_green(&talk);
    talk.look().await;
    assert!(is_merged(&talk), "{}", talk.news());
    talk.close().await;
}
