//! What the service keeps of Slack, and what it should: read from its store after it has ended.

use std::collections::BTreeMap;

use harness::{slack::Slack, world::World};
use loops::signal::Voice;
use orchestrator::{
    source::Stretch,
    store::{Store, signals},
};

/// What a message says: who, what, in which thread, with which reactions, by a machine or not.
pub(crate) type Told = (String, String, Option<String>, BTreeMap<String, u32>, bool);

/// What the service keeps of a channel, by the messages' ids.
pub(crate) async fn kept(world: &World, loop_name: &str, channel: &str) -> BTreeMap<String, Told> {
    let store = Store::open(&world.state()).await.unwrap();
    let kept = kept_in(&store, loop_name, channel).await;
    store.close().await;
    kept
}

pub(crate) async fn kept_in(store: &Store, loop_name: &str, channel: &str) -> BTreeMap<String, Told> {
    let all = Stretch::Roots {
        source: format!("slack:#{channel}"),
        after: String::new(),
        before: "z".to_owned(),
        here: Default::default(),
        childless: Default::default(),
    };
    let mut found = BTreeMap::new();
    for known in signals::in_stretch(store, loop_name, &all).await.unwrap() {
        let kept = signals::get(store, loop_name, known.id).await.unwrap().unwrap();
        let signal = kept.signal;
        let told = (
            signal.author.unwrap_or_default(),
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

/// What there is in a channel that the app has not said itself.
pub(crate) fn truth(slack: &Slack, channel: &str) -> BTreeMap<String, Told> {
    let world = slack.world();
    let there = world.channels.values().find(|one| one.name == channel).unwrap();
    let said = there
        .messages
        .values()
        .filter(|message| !message.tombstone && message.user != "U0LOOPSBOT" && message.subtype.is_none());
    said.map(|message| {
        let count =
            |(name, users): (&String, &Vec<String>)| (name.clone(), u32::try_from(users.len()).unwrap());
        let told = (
            world.users[&message.user].display_name.clone(),
            message.text.clone(),
            message.thread.clone(),
            message.reactions.iter().map(count).collect(),
            message.bot.is_some(),
        );
        (message.ts.clone(), told)
    })
    .collect()
}
