//! What is said in Slack is said once, where it belongs, and what is answered counts from those who may decide.

use harness::{
    github::GitHub,
    slack::{Fault, Slack},
    world::SHOP,
};

use crate::cast::Ratings;

const NOTIFY: &str = "notify: { slack: '#eng', reporters: on }\n";

/// The shop in a folder, reported on in Slack by two people; the channels `shop` and `eng`.
async fn told() -> (Ratings, Slack, String, String) {
    let shop = Ratings::world().await;
    let spec = Ratings::file()
        .sources("[{ slack: { channels: ['#shop'] } }]")
        .more(NOTIFY);
    shop.world.define(&spec);
    let slack = shop.world.slack("", "").await;
    let (channel, eng) = {
        let mut there = slack.world();
        let (channel, eng) = (there.channel("shop"), there.channel("eng"));
        let (anna, ben) = (there.person("anna"), there.person("ben"));
        let text = "A product without ratings crashes the page: ZeroDivisionError: division by zero";
        let first = there.say(&channel, &anna, text);
        there.reply(
            &channel,
            &first,
            &ben,
            "for me, too: ZeroDivisionError on products without ratings",
        );
        (channel, eng)
    };
    (shop.well_played(), slack, channel, eng)
}

fn words(slack: &Slack, channel: &str) -> Vec<String> {
    let said = slack.world().said_by_us(channel);
    said.into_iter().map(|message| message.text).collect()
}

#[tokio::test]
async fn a_proposal_is_one_message_and_reporters_hear_twice() {
    let (shop, slack, channel, eng) = told().await;
    let id = shop.proposed().await;
    let said = words(&slack, &eng);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains(Ratings::TITLE) && said[0].contains("waits for a person"),
        "{said:?}"
    );
    let answers = words(&slack, &channel);
    assert_eq!(answers.len(), 1, "one thread, one word: {answers:?}");
    assert!(answers[0].contains("is proposed"), "{answers:?}");
    let threads: Vec<_> = slack
        .world()
        .said_by_us(&channel)
        .into_iter()
        .map(|one| one.thread)
        .collect();
    assert!(threads[0].is_some(), "in their thread");

    let approved = shop.world.loops(["approve", &id]).await;
    assert_eq!(approved.code, 0, "{approved}");
    for _ in 0..2 {
        shop.world.loops(["run", "fix"]).await;
    }
    let said = words(&slack, &eng);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("is merged") && said[1] == "Merged.", "{said:?}");
    let answers = words(&slack, &channel);
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert!(answers[1].contains("is merged"), "{answers:?}");
    assert_eq!(slack.asked("chat.postMessage"), 4);
    assert_eq!(slack.asked("chat.update"), 1);
    slack.check();
    shop.world.close().await;
}

/// The message is posted and the process is killed before it knows; then the loop is run again. How many stand there.
async fn killed_between(forgets: bool) -> usize {
    let (shop, slack, _, eng) = told().await;
    let hangs = {
        let mut there = slack.world();
        there.forgets_metadata = forgets;
        there.fault("chat.postMessage", Fault::TimeOutAfter, 1)
    };
    let child = shop.world.spawn(["run", "fix"]);
    slack.until(|there| there.hits(hangs) == 1).await;
    child.kill();
    let killed = shop.world.end(child).await;
    assert_eq!(killed.code, 137, "{killed}");
    assert_eq!(
        words(&slack, &eng).len(),
        1,
        "it was said, and nobody wrote that down"
    );
    for _ in 0..2 {
        let ran = shop.world.loops(["run", "fix"]).await;
        assert_eq!(ran.code, 0, "{ran}");
    }
    let said = words(&slack, &eng).len();
    slack.check();
    shop.world.close().await;
    said
}

#[tokio::test]
async fn a_kill_between_saying_and_writing_down_says_nothing_twice() {
    assert_eq!(killed_between(false).await, 1);
    // Control: where it cannot be looked for, it stands there twice.
    assert_eq!(killed_between(true).await, 2);
}

#[tokio::test]
async fn an_answer_that_is_cut_off_and_a_storm_of_refusals_say_nothing_twice() {
    let (shop, slack, channel, eng) = told().await;
    {
        let mut there = slack.world();
        there.fault("chat.postMessage", Fault::CutAfter, 1);
        there.fault("chat.postMessage", Fault::Limited(Some(1)), 2);
    }
    shop.proposed().await;
    shop.world.loops(["run", "fix"]).await;
    assert_eq!((words(&slack, &eng).len(), words(&slack, &channel).len()), (1, 1));
    slack.check();
    shop.world.close().await;
}

/// The shop on GitHub, whose proposals are told of in `eng`; the channel, carol, who may write there, and dave.
async fn on_github() -> (Ratings, GitHub, Slack, String, [String; 2]) {
    let (shop, hub) = Ratings::on_github().await;
    shop.world.define(
        &Ratings::file()
            .on_github(SHOP)
            .more("notify: { slack: '#eng' }\n"),
    );
    let slack = Slack::start().await;
    let (bot, eng, people) = {
        let mut there = slack.world();
        let people = [there.person("Carol"), there.person("Dave")];
        (there.token(&harness::slack::SCOPES), there.channel("eng"), people)
    };
    let more = format!(
        "github:\n  api: {}\n  token: ${{LOOPS_TEST_GITHUB}}\n  write_gap: 0s\n",
        hub.url()
    );
    let who = format!("  people: {{ {}: carol, {}: dave }}\n", people[0], people[1]);
    shop.world
        .slack_login(&slack, &bot, "xapp-1-unused-in-this-story", &who, &more);
    (shop.well_played(), hub, slack, eng, people)
}

#[tokio::test]
async fn only_who_may_write_to_the_repository_decides_in_slack() {
    let (shop, hub, slack, eng, [carol, dave]) = on_github().await;
    let id = shop.proposed().await;
    let message = {
        let there = slack.world();
        let said = there.said_by_us(&eng);
        assert_eq!(said.len(), 1);
        assert!(said[0].text.contains("/pull/"), "{}", said[0].text);
        said[0].ts.clone()
    };
    {
        let mut there = slack.world();
        let stranger = there.person("carol");
        there.reply(&eng, &message, &dave, "reject nobody wants this");
        there.react(&eng, &message, &dave, "-1");
        there.reply(&eng, &message, &stranger, "approve");
        there.react(&eng, &message, &stranger, "+1");
        there.reply(
            &eng,
            &message,
            &carol,
            "I would approve of this, if it had more tests",
        );
    }
    shop.world.loops(["run", "fix"]).await;
    assert_eq!(shop.shown(&id).await["state"], "open", "nobody of them decides");

    // Control: the same word of somebody who may write there decides.
    slack
        .world()
        .reply(&eng, &message, &carol, "reject nobody wants this");
    let ran = shop.world.loops(["run", "fix"]).await;
    assert!(
        ran.all().contains("refused by carol on GitHub (in Slack)"),
        "{ran}"
    );
    assert_eq!(shop.shown(&id).await["state"], "rejected");
    shop.world.loops(["run", "fix"]).await;
    let said = words(&slack, &eng);
    assert!(said[0].contains("was refused"), "{said:?}");
    assert!(
        said[1].contains("Refused by carol on GitHub (in Slack): nobody wants this"),
        "{said:?}"
    );
    hub.check();
    slack.check();
    shop.world.close().await;
}

#[tokio::test]
async fn who_refuses_in_slack_while_a_merge_waits_is_heard() {
    let (shop, hub, slack, eng, [carol, _]) = on_github().await;
    let id = shop.proposed().await;
    hub.world().protect(SHOP, "main", &["ci"]);
    let message = slack.world().said_by_us(&eng)[0].ts.clone();
    slack.world().react(&eng, &message, &carol, "+1");
    shop.world.loops(["run", "fix"]).await;
    assert_eq!(shop.shown(&id).await["state"], "approved");
    // Once more says nothing new, and a no does.
    slack.world().reply(&eng, &message, &carol, "approve");
    shop.world.loops(["run", "fix"]).await;
    assert_eq!(shop.shown(&id).await["state"], "approved");
    slack
        .world()
        .reply(&eng, &message, &carol, "reject not like this");
    let ran = shop.world.loops(["run", "fix"]).await;
    let shown = shop.shown(&id).await;
    assert_eq!(shown["state"], "rejected", "{ran}");
    let approvals = ran.all().matches("approved by carol").count();
    assert_eq!(approvals, 0, "{ran}");
    hub.check();
    slack.check();
    shop.world.close().await;
}

#[tokio::test]
async fn a_thumb_on_a_base_that_has_moved_is_proven_there_and_told_as_what_came_of_it() {
    // It holds on that base as it is, and not with the change.
    let crashes = "import unittest\n\nfrom ratings.stats import mean\n\n\nclass Crashes(unittest.TestCase):\n    def \
                   test_it(self):\n        with self.assertRaises(ZeroDivisionError):\n            mean([])\n";
    for (file, text, holds) in [("NEWS", "more", true), ("tests/test_more.py", crashes, false)] {
        let (shop, hub, slack, eng, [carol, _]) = on_github().await;
        let id = shop.proposed().await;
        let message = slack.world().said_by_us(&eng)[0].ts.clone();
        hub.world()
            .commit(SHOP, "main", "carol", &[(file, Some(text))], "More");
        slack.world().react(&eng, &message, &carol, "+1");
        let ran = shop.world.loops(["run", "fix"]).await.all();
        assert_eq!(ran.contains("approved by carol on GitHub"), holds, "{ran}");
        shop.world.loops(["run", "fix"]).await;
        let state = if holds { "merged" } else { "open" };
        assert_eq!(shop.shown(&id).await["state"], state, "{ran}");
        let said = words(&slack, &eng).join("\n");
        let no = "it is neither approved nor merged: the base has moved, and the change does not pass its checks there";
        assert_eq!(said.contains(no), !holds, "{said}");
        slack.check();
        shop.world.close().await;
    }
}

#[tokio::test]
async fn a_loop_that_fails_is_told_of_once_a_cause() {
    let (shop, slack, _, eng) = told().await;
    let spec = Ratings::file()
        .sources("[{ slack: { channels: ['#nowhere'] } }]")
        .every("1s")
        .more(NOTIFY);
    shop.world.define(&spec);
    let child = shop.world.spawn(["serve"]);
    slack.until(|there| !there.said_by_us(&eng).is_empty()).await;
    child.interrupt();
    let ended = shop.world.end(child).await;
    assert_eq!(ended.code, 0, "{ended}");
    // Others look at it, too, and nothing is told again.
    for _ in 0..2 {
        shop.world.loops(["run", "fix"]).await;
    }
    let said = words(&slack, &eng);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("`fix` fails: a source could not be read"),
        "{said:?}"
    );
    slack.check();
    shop.world.close().await;
}
