//! Days of a busy channel in virtual time, with edits, deletions, reactions, threads, limits, failures and kills: at the
//! end what is kept is what there is, exactly.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use harness::{
    slack::{Fault, Slack},
    world::{LoopFile, World},
};
use loops::signal::Voice;
use orchestrator::{
    engine::{self, Start, Watchers},
    source::Stretch,
    store::{Store, signals},
};
use tokio_util::sync::CancellationToken;

use crate::node::{Node, turn_to};

const DAYS: u32 = 5;
const POLLS_A_DAY: u32 = 8;

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides.max(1) as u64).unwrap()
    }
}

type Kept = BTreeMap<String, (String, Option<String>, BTreeMap<String, u32>, bool)>;

async fn kept(store: &Store, channel: &str) -> Kept {
    let all = Stretch::Roots {
        source: format!("slack:#{channel}"),
        after: String::new(),
        before: "z".to_owned(),
        here: Default::default(),
        childless: Default::default(),
    };
    let mut found = Kept::new();
    for known in signals::in_stretch(store, "fix", &all).await.unwrap() {
        let signal = signals::get(store, "fix", known.id)
            .await
            .unwrap()
            .unwrap()
            .signal;
        let told = (
            signal.text,
            signal.thread,
            signal.reactions,
            signal.voice == Voice::Machine,
        );
        assert!(
            found.insert(signal.external_id, told).is_none(),
            "one message is one signal"
        );
    }
    found
}

fn truth(slack: &Slack, id: &str) -> Kept {
    let world = slack.world();
    let said = world.channels[id].messages.values().filter(|one| !one.tombstone);
    said.map(|one| {
        let count =
            |(name, users): (&String, &Vec<String>)| (name.clone(), u32::try_from(users.len()).unwrap());
        let told = (
            one.text.clone(),
            one.thread.clone(),
            one.reactions.iter().map(count).collect(),
            one.bot.is_some(),
        );
        (one.ts.clone(), told)
    })
    .collect()
}

/// A stretch of life in a channel.
fn live(slack: &Slack, dice: &mut Dice, channel: &str, people: &[String], count: usize) {
    let mut there = slack.world();
    for _ in 0..count {
        let somebody = people[dice.roll(people.len())].clone();
        let all: Vec<(String, Option<String>, bool)> = there.channels[channel]
            .messages
            .values()
            .map(|one| (one.ts.clone(), one.thread.clone(), one.tombstone))
            .collect();
        let n = dice.roll(1_000_000);
        let some = all.get(dice.roll(all.len())).cloned();
        match (dice.roll(12), some) {
            (0..=4, _) | (_, None) => {
                drop(there.say(channel, &somebody, &format!("Report {n} of what is wrong")))
            }
            (5..=7, Some((ts, thread, _))) => {
                let root = thread.unwrap_or(ts);
                there.reply(channel, &root, &somebody, &format!("Word {n} on it"));
            }
            (8, Some((ts, _, false))) => there.edit(channel, &ts, &format!("Report {n}, said anew")),
            (9, Some((ts, _, false))) => there.react(channel, &ts, &somebody, "thumbsup"),
            (10, Some((ts, _, false))) => there.unreact(channel, &ts, &somebody, "thumbsup"),
            (_, Some((ts, _, false))) => there.delete(channel, &ts),
            (_, Some(_)) => {}
        }
    }
}

/// One run, or a part of one: a killed process leaves what a dropped one leaves.
async fn run(world: &World, cut_off: Option<Duration>) {
    let node = Node::open(world).await;
    let definition = node.definition("fix");
    let (watchers, cancel) = (Watchers::default(), CancellationToken::new());
    let ran = engine::run(&node.engine, &definition, Start::NewOrOpen, &watchers, &cancel);
    match cut_off {
        // Whether it got that far or not makes no difference to what must hold.
        Some(after) => drop(tokio::time::timeout(after, ran).await),
        None => drop(ran.await.unwrap()),
    }
    node.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_days_of_edits_deletions_limits_and_kills_what_is_kept_is_what_there_is() {
    let _turn = crate::story::TURN.lock().await;
    let start: DateTime<Utc> = "2026-03-02T06:00:00Z".parse().unwrap();
    turn_to(start);
    let world = World::start().await;
    world.repository(&[("README.md", "shop")]);
    let sources = "[{ slack: { channels: ['#shop', '#help'], lookback: 30d } }]";
    world.define(
        &LoopFile::new("fix", "true")
            .sources(sources)
            .more("triage: { min_signals: 100000 }\n"),
    );
    let slack = world.slack("  patience: 0s\n  sweep: 6h\n", "").await;
    let (channels, people) = {
        let mut there = slack.world();
        there.now = Some(start.timestamp_millis());
        there.limits.insert("conversations.history".to_owned(), (6, 25));
        there.limits.insert("conversations.replies".to_owned(), (20, 5));
        let channels = [there.channel("shop"), there.private_channel("help")];
        let mut people: Vec<String> = (0..8).map(|n| there.person(&format!("Person {n}"))).collect();
        people.push(there.app("ci"));
        (channels, people)
    };
    let mut dice = Dice(20_261_121);
    let mut now = start;
    for poll in 0..DAYS * POLLS_A_DAY {
        now += TimeDelta::hours(i64::from(24 / POLLS_A_DAY));
        turn_to(now);
        slack.world().now = Some(now.timestamp_millis());
        for channel in &channels {
            live(&slack, &mut dice, channel, &people, 12);
        }
        match poll % 8 {
            1 => drop(
                slack
                    .world()
                    .fault("conversations.history", Fault::Limited(Some(30)), 1),
            ),
            2 => drop(
                slack
                    .world()
                    .fault("conversations.replies", Fault::Status(503), 1),
            ),
            3 => drop(slack.world().fault("conversations.history", Fault::Cut, 1)),
            4 => {
                // The channel moves under the reader, between two pages.
                let (channel, person) = (channels[0].clone(), people[0].clone());
                slack.world().after("conversations.history", move |there| {
                    let newest = there.in_channel(&channel).messages.keys().next_back().cloned();
                    if let Some(ts) = newest {
                        there.delete(&channel, &ts);
                    }
                    there.say(&channel, &person, "In its place");
                });
            }
            _ => {}
        }
        let cut_off = (poll % 5 == 4).then(|| Duration::from_millis(60 + u64::from(poll) * 3));
        run(&world, cut_off).await;
    }
    // Quiet days: reading catches up and sweeps once.
    slack.world().limits.clear();
    for _ in 0..4 {
        now += TimeDelta::hours(7);
        turn_to(now);
        slack.world().now = Some(now.timestamp_millis());
        run(&world, None).await;
    }
    let node = Node::open(&world).await;
    for (channel, name) in channels.iter().zip(["shop", "help"]) {
        let (kept, there) = (kept(node.store(), name).await, truth(&slack, channel));
        let missed: Vec<_> = there
            .iter()
            .filter(|(ts, told)| kept.get(*ts) != Some(told))
            .collect();
        let left: Vec<_> = kept.keys().filter(|ts| !there.contains_key(*ts)).collect();
        assert!(
            missed.is_empty() && left.is_empty(),
            "{name}: missed {missed:#?}, left {left:?}"
        );
        assert!(there.len() > 150, "{name} had life in it: {}", there.len());
    }
    node.close().await;
    world.close().await;
}
