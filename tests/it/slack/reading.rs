//! Channels are read whole, politely, and once.

use harness::{
    slack::{Fault, SCOPES, Slack, World as Workspace},
    world::{LoopFile, Said, World, slack_export},
};

use super::signals::{kept, truth};
use crate::cast::Ratings;

/// A loop that reads `#shop` and starts nothing.
pub(super) fn reader(slack: &str) -> LoopFile {
    Ratings::file()
        .sources(&format!("[{{ slack: {slack} }}]"))
        .more("triage: { min_signals: 1000 }\n")
}

async fn world(settings: &str) -> (World, Slack) {
    let world = World::start().await;
    world.repository(&Ratings::files());
    world.define(&reader("{ channels: ['#shop'] }"));
    let slack = world.slack(settings, "").await;
    (world, slack)
}

async fn run(world: &World) -> String {
    let ran = world.loops(["run", "fix"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    ran.all()
}

/// Two people and a bot talk in `#shop`; the channel, the people, and the first message.
fn talk(world: &mut Workspace) -> (String, String, String, String) {
    let shop = world.channel("shop");
    let (anna, ben) = (world.person("Anna"), world.person("Ben"));
    let first = world.say(&shop, &anna, "The total is wrong for two of the same");
    world.reply(&shop, &first, &ben, "for me, too");
    world.react(&shop, &first, &ben, "thumbsup");
    let ci = world.app("ci");
    world.say(&shop, &ci, "build 42 failed");
    (shop, anna, ben, first)
}

#[tokio::test]
async fn messages_answers_and_reactions_become_signals_and_what_changes_is_seen() {
    let (world, slack) = world("").await;
    let (shop, anna, ben, first) = talk(&mut slack.world());
    run(&world).await;
    let before = kept(&world, "fix", "shop").await;
    assert_eq!(before.len(), 3);
    assert_eq!(before, truth(&slack, "shop"));

    let second = {
        let mut there = slack.world();
        there.edit(
            &shop,
            &first,
            "The total is wrong for three of the same, <@U0LOOPSBOT>",
        );
        there.react(&shop, &first, &anna, "thumbsup");
        there.say(&shop, &ben, "Coupons count once, see <https://x.example/a|this>")
    };
    run(&world).await;
    let after = kept(&world, "fix", "shop").await;
    assert_eq!(
        after[&first].1,
        "The total is wrong for three of the same, @Loops"
    );
    assert_eq!(after[&first].3["thumbsup"], 2);
    assert_eq!(
        after[&second].1,
        "Coupons count once, see this (https://x.example/a)"
    );

    slack.world().delete(&shop, &second);
    run(&world).await;
    assert!(!kept(&world, "fix", "shop").await.contains_key(&second));
    assert_eq!(kept(&world, "fix", "shop").await.len(), 3);
    slack.check();
    world.close().await;
}

#[tokio::test]
async fn what_does_not_change_is_not_read_again_into_anything() {
    let (world, slack) = world("").await;
    talk(&mut slack.world());
    run(&world).await;
    let again = run(&world).await;
    assert!(again.contains("nothing"), "{again}");
    let audit = world.loops(["audit", "verify"]).await;
    assert_eq!(audit.code, 0, "{audit}");
    // Four methods once, then the channel alone: its one thread has not gone on.
    assert_eq!(slack.asked("conversations.history"), 2);
    assert_eq!(slack.asked("conversations.replies"), 1);
    slack.check();
    world.close().await;
}

#[tokio::test]
async fn an_export_and_the_channel_itself_give_the_same_signals() {
    let (world, slack) = world("").await;
    let (first, second) = {
        let mut there = slack.world();
        let shop = there.channel("shop");
        let (anna, ben) = (there.person("anna"), there.person("ben"));
        let first = there.say(&shop, &anna, "The total is wrong");
        (first, there.say(&shop, &ben, "Coupons count once"))
    };
    run(&world).await;
    let read = kept(&world, "fix", "shop").await;
    // The same messages, as an export has them.
    let folder = world.path("export");
    slack_export(
        &folder,
        "shop",
        &[
            Said::by("anna", "The total is wrong"),
            Said::by("ben", "Coupons count once"),
        ],
    );
    let day = std::fs::read_dir(folder.join("shop"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut messages: serde_json::Value = serde_json::from_slice(&std::fs::read(&day).unwrap()).unwrap();
    messages[0]["ts"] = first.into();
    messages[1]["ts"] = second.into();
    std::fs::write(&day, messages.to_string()).unwrap();
    let imported = world.loops(["import", "export", "--loop", "fix"]).await;
    assert_eq!(imported.code, 0, "{imported}");
    assert_eq!(kept(&world, "fix", "shop").await, read, "{imported}");
    world.close().await;
}

#[tokio::test]
async fn a_page_that_shifts_while_it_is_read_hides_nothing() {
    let (world, slack) = world("").await;
    let shop = {
        let mut there = slack.world();
        let shop = there.channel("shop");
        let anna = there.person("Anna");
        for n in 0..450 {
            there.say(
                &shop,
                &anna,
                &format!("Report number {n} of something that is wrong"),
            );
        }
        shop
    };
    for _ in 0..2 {
        let shop = shop.clone();
        // Between two pages ten of the newest go and ten come.
        slack.world().after("conversations.history", move |there| {
            let newest: Vec<String> = there
                .in_channel(&shop)
                .messages
                .keys()
                .rev()
                .take(10)
                .cloned()
                .collect();
            for ts in newest {
                there.delete(&shop, &ts);
                let anna = "U000000002".to_owned();
                there.say(&shop, &anna, &format!("Another one in the place of {ts}"));
            }
        });
    }
    run(&world).await;
    run(&world).await;
    assert_eq!(kept(&world, "fix", "shop").await, truth(&slack, "shop"));
    slack.check();
    world.close().await;
}

#[tokio::test]
async fn the_strict_tier_reads_fifteen_a_minute_and_says_what_waits() {
    let (world, slack) = world("  tier: strict\n  patience: 0s\n").await;
    {
        let mut there = slack.world();
        there.strict();
        let shop = there.channel("shop");
        let anna = there.person("Anna");
        for n in 0..40 {
            there.say(&shop, &anna, &format!("Report number {n}"));
        }
    }
    let said = run(&world).await;
    assert!(said.contains("Slack's rate limit is reached"), "{said}");
    assert_eq!(kept(&world, "fix", "shop").await.len(), 15);
    assert_eq!(
        slack.asked("conversations.history"),
        1,
        "a limit that is known is not tried"
    );
    // The next process does not know it; Slack says so, and nothing is lost.
    run(&world).await;
    assert_eq!(kept(&world, "fix", "shop").await.len(), 15);
    slack.world().limits.clear();
    run(&world).await;
    run(&world).await;
    run(&world).await;
    assert_eq!(kept(&world, "fix", "shop").await, truth(&slack, "shop"));
    slack.check();
    world.close().await;
}

#[tokio::test]
async fn a_storm_of_refusals_is_waited_out_as_long_as_slack_says() {
    let (world, slack) = world("").await;
    talk(&mut slack.world());
    let storm = {
        let mut there = slack.world();
        there.fault("conversations.replies", Fault::Status(503), 2);
        there.fault("users.list", Fault::Cut, 1);
        there.fault("conversations.history", Fault::Limited(Some(1)), 3)
    };
    run(&world).await;
    assert_eq!(slack.world().hits(storm), 3);
    let asked = slack.requests();
    let times: Vec<i64> = asked
        .iter()
        .filter(|one| one.method == "conversations.history")
        .map(|one| one.at)
        .collect();
    assert!(times.windows(2).all(|two| two[1] - two[0] >= 950), "{times:?}");
    assert_eq!(kept(&world, "fix", "shop").await, truth(&slack, "shop"));
    slack.check();
    world.close().await;
}

#[tokio::test]
async fn what_is_missing_is_named_with_what_to_do() {
    let (world, slack) = world("").await;
    let told = world.loops(["run", "fix"]).await;
    assert_eq!(told.code, 1, "{told}");
    assert!(
        told.all().contains("no channel `#shop`") && told.all().contains("/invite"),
        "{told}"
    );

    let shop = slack.world().private_channel("shop");
    let without = {
        let scopes: Vec<&str> = SCOPES
            .into_iter()
            .filter(|scope| !scope.starts_with("groups:"))
            .collect();
        slack.world().token(&scopes)
    };
    world.slack_login(&slack, &without, "xapp-none", "", "");
    let told = world.loops(["run", "fix"]).await;
    assert_eq!(told.code, 1, "{told}");
    assert!(told.all().contains("`groups:read`"), "{told}");

    slack.world().in_channel(&shop).members.clear();
    world.define(&reader(&format!("{{ channels: [{shop}] }}")));
    let told = world.loops(["run", "fix"]).await;
    assert!(told.all().contains("no channel"), "{told}");

    world.slack_login(&slack, "xoxb-wrong", "xapp-none", "", "");
    let told = world.loops(["run", "fix"]).await;
    assert!(told.all().contains("refused the token"), "{told}");
    assert!(!told.all().contains("xoxb-wrong"), "{told}");
    world.close().await;
}
