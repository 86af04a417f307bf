//! What is told becomes what would have been read: the same signals, each once, in whatever order it comes.

use std::time::Duration;

use harness::world::SHOP;
use loops::spec::{Known, Source, read as read_spec};
use orchestrator::engine::Came;

use super::{Ears, SOURCES, changed, hook, spec};

/// People talk in the shop for a while; what is left in the end.
fn talk(ears: &Ears) {
    let mut there = ears.hub.world();
    let step = Duration::from_secs(7);
    let first = there.open_issue(SHOP, "dave", "It crashes", "on the second page");
    there.advance(step);
    let said = there.comment(SHOP, first, "erin", "for me, too");
    let gone = there.comment(SHOP, first, "mallory", "buy things");
    there.advance(step);
    there.edit_comment(SHOP, said, "for me, too, since Monday");
    there.label(SHOP, first, "bug", "carol");
    there.advance(step);
    there.delete_comment(SHOP, gone, "carol");
    there.edit_body(SHOP, first, "dave", "on every page");
    there.advance(step);
    there.commit(SHOP, "fast", "carol", &[("b.txt", Some("b"))], "Faster");
    let pull = there.open_pull(SHOP, "carol", "fast", "main", "Faster pages");
    there.advance(step);
    there.comment(SHOP, pull, "erin", "does this help with the crash?");
    there.review(SHOP, pull, "dave", "CHANGES_REQUESTED", "not without a test");
    there.review_comment(SHOP, pull, "dave", ("b.txt", 1), "this is slow");
    there.advance(step);
    there.comment(SHOP, first, BOT_WORDS.0, BOT_WORDS.1);
}

/// What we said ourselves.
const BOT_WORDS: (&str, &str) = (
    harness::world::BOT,
    "A change is proposed <!-- loops:effect x -->",
);

/// The same shop as reading would give it, in another loop.
async fn read(ears: &Ears) -> std::collections::BTreeMap<String, super::Told> {
    let shop = ears
        .home
        .hub
        .as_ref()
        .unwrap()
        .repository("acme", "shop")
        .unwrap();
    let mut found = std::collections::BTreeMap::new();
    for source in &spec("read", SHOP, SOURCES).sources {
        let batch = match source {
            Source::GithubIssues(issues) => shop.read_issues(issues, None).await.unwrap(),
            Source::GithubPulls(pulls) => shop.read_pulls(pulls, None).await.unwrap(),
            other => panic!("{other:?}"),
        };
        assert!(!batch.more);
        for signal in batch.signals {
            let told = (
                signal.author.unwrap_or_default(),
                signal.text,
                signal.thread,
                signal.labels,
                signal.reactions,
            );
            found.insert(signal.external_id, told);
        }
    }
    found
}

#[tokio::test]
async fn what_is_told_is_what_reading_gives_in_any_order_and_however_often() {
    for order in [
        Vec::from_iter as fn(std::ops::Range<usize>) -> Vec<usize>,
        |all| all.rev().collect(),
        |all| {
            // Every second first, then the others, and all of it again.
            let odd = all.clone().filter(|n| n % 2 == 1);
            odd.chain(all.clone().filter(|n| n % 2 == 0))
                .chain(all.clone())
                .collect()
        },
    ] {
        let ears = Ears::open(SOURCES).await;
        talk(&ears);
        let told = ears.deliveries();
        for at in order(0..told.len()) {
            ears.hears(&hook(&told[at])).await;
        }
        let truth = read(&ears).await;
        assert_eq!(truth.len(), 6, "{truth:#?}");
        assert_eq!(ears.kept("fix").await, truth);
        ears.hub.check();
    }
}

#[tokio::test]
async fn a_deleted_issue_takes_what_was_said_under_it_with_it() {
    let ears = Ears::open(SOURCES).await;
    let (first, second) = {
        let mut there = ears.hub.world();
        let first = there.open_issue(SHOP, "dave", "My address is 1 High Street", "");
        there.comment(SHOP, first, "erin", "I know that street");
        let second = there.open_issue(SHOP, "dave", "Another", "");
        there.comment(SHOP, second, "erin", "stays");
        (first, second)
    };
    for delivery in ears.deliveries() {
        assert_eq!(ears.hears(&hook(&delivery)).await, Came::Kept(1));
    }
    assert_eq!(ears.kept("fix").await.len(), 4);
    ears.hub.world().delete_issue(SHOP, first, "carol");
    ears.hears(&ears.last()).await;
    let kept = ears.kept("fix").await;
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(
        kept.values()
            .all(|told| !told.1.contains("High Street") && !told.1.contains("I know"))
    );
    assert!(kept.contains_key(&format!("issue:{second}")));
}

#[tokio::test]
async fn only_what_a_source_asks_for_becomes_a_signal() {
    let ears = Ears::open("[{ github_issues: { labels: [bug], comments: false } }]").await;
    let tell = async || ears.hears(&ears.last()).await;
    let number = ears.hub.world().open_issue(SHOP, "dave", "No label yet", "");
    assert_eq!(tell().await, Came::Kept(0));
    ears.hub.world().label(SHOP, number, "Bug", "carol");
    assert_eq!(
        tell().await,
        Came::Kept(1),
        "labels are the same however they are written"
    );
    ears.hub.world().comment(SHOP, number, "erin", "me, too");
    assert_eq!(tell().await, Came::Kept(0), "comments are not read");
    let ours = format!("{} here is the dashboard", loops::board::MARK);
    let board = ears.hub.world().open_issue(SHOP, "carol", "Dashboard", &ours);
    ears.hub.world().label(SHOP, board, "bug", "carol");
    assert_eq!(tell().await, Came::Kept(0), "our own dashboard");
    let closed = ears.hub.world().open_issue(SHOP, "dave", "Closed", "");
    ears.hub.world().close(SHOP, closed, "dave");
    ears.hub.world().label(SHOP, closed, "bug", "carol");
    assert_eq!(tell().await, Came::Kept(0), "only open ones are asked for");
    assert_eq!(ears.kept("fix").await.len(), 1);
}

#[tokio::test]
async fn reactions_that_an_event_does_not_tell_stay_as_they_are_known() {
    let ears = Ears::open("[{ github_issues: {} }]").await;
    let number = ears.hub.world().open_issue(SHOP, "dave", "It crashes", "");
    ears.hub.world().react(SHOP, number, "erin", "+1");
    ears.hub.world().advance(Duration::from_secs(9));
    ears.hub.world().edit_body(SHOP, number, "dave", "often");
    let all = ears.deliveries();
    ears.hears(&hook(&all[1])).await;
    ears.hub.world().advance(Duration::from_secs(9));
    ears.hub.world().edit_body(SHOP, number, "dave", "always");
    let silent = changed(ears.deliveries().last().unwrap(), |payload| {
        payload["issue"].as_object_mut().unwrap().remove("reactions");
    });
    ears.hears(&hook(&silent)).await;
    let kept = ears.kept("fix").await.remove(&format!("issue:{number}")).unwrap();
    assert_eq!(kept.1, "It crashes\n\nalways");
    assert_eq!(kept.4.get("+1"), Some(&1));
}

#[tokio::test]
async fn every_loop_of_the_repository_keeps_what_it_asks_for_by_its_own_rules() {
    let ears = Ears::open(SOURCES).await;
    let text = "name: shy\nkind: fix\nrepo: Acme/Shop\nschedule: { every: 1h }\nsources: [{ github_issues: {} }]\n\
                redact: { github_issues: [email] }\n";
    let models = ["top", "standard", "small"].map(str::to_owned).to_vec();
    ears.serve(&read_spec("shy", text, &Known { models }).unwrap())
        .await;
    ears.serve(&spec("other", "acme/other", "[{ github_issues: {} }]"))
        .await;
    ears.hub
        .world()
        .open_issue(SHOP, "dave", "It crashes", "write to dave@example.com");
    assert_eq!(ears.hears(&ears.last()).await, Came::Kept(2));
    assert!(ears.words("issue:1").await.unwrap().contains("dave@example.com"));
    assert_eq!(ears.kept("other").await.len(), 0);
    // As it spells the repository, so are its signals called; for that, it is asked for by its own name.
    let id = loops::signal::Signal::id_of("github:Acme/Shop", "issue:1");
    let kept = orchestrator::store::signals::get(&ears.home.store, "shy", id)
        .await
        .unwrap()
        .unwrap();
    assert!(
        !kept.signal.text.contains("dave@example.com"),
        "{}",
        kept.signal.text
    );
}
