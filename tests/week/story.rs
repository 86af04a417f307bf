//! What happens in the week, and what must hold at its end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use chrono::{DateTime, TimeDelta, Utc};
use harness::world::{Repository, Said, World};
use orchestrator::{
    engine::{Answer, Service, Word, answer},
    store::{
        Store, loops as loop_rows,
        proposals::{self, ProposalState},
        runs,
        ticks::{self, Receipt, Tick},
    },
};
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    almanac::wrong,
    cast::{Role, cast, find_what_was_lost, lay_out},
    node::{Node, pass, settle, turn_to, utc},
};

/// Weeks share the process's clock, so they come one after the other.
pub(crate) static TURN: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_week_with_the_clocks_put_forward_in_berlin_leaves_a_receipt_for_every_tick() {
    week("2026-03-28T00:00:00Z").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_week_with_the_clocks_put_back_in_berlin_and_new_york_leaves_a_receipt_for_every_tick() {
    week("2026-10-24T12:00:00Z").await;
}

/// One bug of a busy loop: what people say, and the task that mends it.
struct Bug {
    said: &'static str,
    title: String,
    module: &'static str,
    word: &'static str,
}

fn bugs(of: &str) -> [Bug; 2] {
    let bug = |said, title: &str, module, word| Bug {
        said,
        title: format!("{title} in the {of}"),
        module,
        word,
    };
    [
        bug(
            "The greeting shows Hello None where my name belongs",
            "Greet by name",
            "greet",
            "Hello",
        ),
        bug(
            "On logout the page prints Goodbye None to every customer",
            "Part by name",
            "part",
            "Goodbye",
        ),
    ]
}

fn mends(world: &World, bug: &Bug) {
    let Bug {
        module, word, title, ..
    } = bug;
    world.worker(title, |s| {
        let asserts = format!("        self.assertIn(\"{word}\", {module}(\"Ada\"))\n");
        let new = format!("{asserts}\n    def test_name(self):\n        self.assertEqual({module}(\"Ada\"), \"{word} Ada\")\n");
        s.call("edit", json!({"path": format!("test_{module}.py"), "old": asserts, "new": new}))
            .call("edit", json!({"path": format!("{module}.py"), "old": "{None}", "new": "{name}"}))
            .say("It prints the name now.")
    });
}

/// The model's part: leads of busy loops spawn, the others look and finish.
fn write_scripts(world: &World) {
    for name in ["shop", "site"] {
        for bug in bugs(name) {
            let spawn = json!({"findings": ["F1"], "worker": "fix", "title": bug.title, "goal": "The name is printed", "acceptance": ["it is"]});
            let said = format!("{} ({name})", bug.said);
            world.lead_about(&said, |s| {
                s.call("spawn", spawn)
                    .call("wait", json!({}))
                    .call("finish", json!({"report": "Done."}))
            });
            mends(world, &bug);
        }
    }
    for name in HELD {
        world.lead_about(&about(name), |s| {
            s.call("finish", json!({"report": "Nothing to be done."}))
        });
    }
    for name in ["shop", "site"] {
        for bug in bugs(name) {
            world.reviewer(&bug.title, |s| {
                s.call(
                    "verdict",
                    json!({"approve": true, "concerns": [], "summary": "It holds."}),
                )
            });
        }
    }
}

/// Loops with a run that goes on for a day.
const HELD: [&str; 3] = ["skip", "queue", "stop"];

fn about(name: &str) -> String {
    format!("Something about {name} takes a day to think over")
}

fn say(world: &World, name: &str, text: &str) {
    let now = orchestrator::clock::now().to_string();
    let path = format!("{name}.jsonl");
    let before = std::fs::read_to_string(world.path(&path)).unwrap();
    world.write(&path, &(before + &Said::by("anna", text).at(&now).line()));
}

/// What must hold at every instant.
async fn look(store: &Store, cast: &[Role]) {
    for role in cast {
        if let Some(most) = role.max_open {
            let open = proposals::open_count(store, role.name).await.unwrap();
            assert!(
                open <= most,
                "{}: {open} proposals are open, {most} may be",
                role.name
            );
        }
    }
}

struct Story<'w> {
    world: &'w World,
    cast: Vec<Role>,
    start: DateTime<Utc>,
    held: BTreeSet<String>,
}

impl Story<'_> {
    async fn until(&self, node: &Node, service: &mut Service<'_>, hour: i64) {
        let to = self.start + TimeDelta::hours(hour);
        pass(service, to, &self.held, async |_| {
            look(node.store(), &self.cast).await
        })
        .await;
    }

    fn hold(&mut self, names: &[&str]) {
        for name in names {
            self.world.model().hold(&about(name));
            say(self.world, name, &about(name));
            self.held.insert((*name).to_owned());
        }
    }

    fn release(&mut self, names: &[&str]) {
        for name in names {
            self.world.model().release(&about(name));
            self.held.remove(*name);
        }
    }
}

async fn week(start: &str) {
    let _turn = TURN.lock().await;
    let start: DateTime<Utc> = start.parse().unwrap();
    turn_to(start);
    let world = World::start().await;
    let cast = cast();
    lay_out(&world, &cast);
    write_scripts(&world);
    let mut story = Story {
        world: &world,
        cast,
        start,
        held: BTreeSet::new(),
    };

    // The first node: until it is stopped in good order, while runs are under way.
    let node = Node::open(&world).await;
    let mut service = node.service();
    service.begin().await.unwrap();
    story.until(&node, &mut service, 6).await;
    for name in ["shop", "site"] {
        say(&world, name, &format!("{} ({name})", bugs(name)[0].said));
    }
    story.until(&node, &mut service, 14).await;
    story.hold(&HELD);
    story.until(&node, &mut service, 38).await;
    let stopped = orchestrator::clock::now();
    service.drain(std::time::Duration::ZERO).await.unwrap();
    drop(service);
    node.close().await;

    // The second: seven hours later. A pause, a proposal that is refused, a repository that is found.
    turn_to(start + TimeDelta::hours(45));
    let back = orchestrator::clock::now();
    let node = Node::open(&world).await;
    let mut service = node.service();
    service.begin().await.unwrap();
    story.until(&node, &mut service, 46).await;
    story.release(&HELD);
    story.until(&node, &mut service, 50).await;
    pause(node.store(), true).await;
    let paused = orchestrator::clock::now();
    for name in ["shop", "site"] {
        say(&world, name, &format!("{} ({name})", bugs(name)[1].said));
    }
    story.until(&node, &mut service, 72).await;
    assert_eq!(
        open(node.store(), "shop").await,
        1,
        "`max_open` is 1, and there are two problems"
    );
    refuse(&node, "shop").await;
    find_what_was_lost(&world);
    story.until(&node, &mut service, 80).await;
    pause(node.store(), false).await;
    let resumed = orchestrator::clock::now();

    // It is killed in the middle of a run: nobody drains, nobody says goodbye.
    story.until(&node, &mut service, 110).await;
    story.hold(&["skip", "queue"]);
    story.until(&node, &mut service, 121).await;
    let under_way = service.under_way().count();
    assert!(under_way > 0, "a kill while nothing is under way shows little");
    drop(service);
    drop(node);
    turn_to(start + TimeDelta::hours(123));
    let node = Node::open(&world).await;
    let mut service = node.service();
    service.begin().await.unwrap();
    assert_eq!(
        service.under_way().count(),
        under_way,
        "what was under way goes on"
    );
    story.until(&node, &mut service, 130).await;
    story.release(&["skip", "queue"]);
    story.until(&node, &mut service, 150).await;
    service.drain(std::time::Duration::ZERO).await.unwrap();
    drop(service);
    node.close().await;

    // The last: a restart on the spot, and the rest of the week.
    let node = Node::open(&world).await;
    let mut service = node.service();
    service.begin().await.unwrap();
    node.specs_changed();
    story.until(&node, &mut service, 196).await;
    settle(&mut service, &BTreeSet::new()).await;
    drop(service);

    let end = utc(orchestrator::clock::now());
    let store = node.store();
    let mut all = BTreeMap::new();
    for role in &story.cast {
        all.insert(role.name, ticks::list(store, role.name, 10_000).await.unwrap());
    }
    every_tick_has_its_receipt(&story, &all, end);
    held_to_their_words(&all, (stopped, back), (paused, resumed));
    let complaints = overlapping(store).await;
    assert_eq!(complaints, [""; 0]);
    no_proposal_is_doubled(&world, store).await;
    let troubles: Vec<String> = node
        .words()
        .into_iter()
        .filter_map(|word| match word {
            Word::Trouble(name, why) => Some(format!("{name}: {why}")),
            _ => None,
        })
        .collect();
    assert_eq!(troubles, [""; 0]);
    node.close().await;
    world.close().await;
}

async fn pause(store: &Store, pause: bool) {
    let mut tx = store.begin().await.unwrap();
    let now = orchestrator::clock::now();
    let done = if pause {
        loop_rows::pause(&mut tx, "paused", now).await
    } else {
        loop_rows::resume(&mut tx, "paused").await
    };
    assert!(done.unwrap());
    tx.commit().await.unwrap();
}

async fn open(store: &Store, name: &str) -> u32 {
    proposals::open_count(store, name).await.unwrap()
}

async fn refuse(node: &Node, name: &str) {
    let open = proposals::list(node.store(), Some(name), Some(ProposalState::Open))
        .await
        .unwrap();
    let no = Answer::Reject {
        reason: "we greet nobody".to_owned(),
        never: false,
    };
    answer(&node.engine.home, None, &open[0], &no, "bea")
        .await
        .unwrap();
}

fn every_tick_has_its_receipt(story: &Story<'_>, all: &BTreeMap<&str, Vec<Tick>>, end: DateTime<Utc>) {
    let mut complaints = Vec::new();
    let mut counted = 0;
    for role in &story.cast {
        let ticks = &all[role.name];
        counted += ticks.len();
        let receipts: Vec<DateTime<Utc>> = ticks.iter().map(|tick| utc(tick.due_at)).collect();
        let sure = end - TimeDelta::minutes(role.jitter);
        let judge = |receipts: &[DateTime<Utc>]| wrong(&role.when, story.start, sure, end, receipts);
        complaints.extend(
            judge(&receipts)
                .into_iter()
                .map(|words| format!("{}: {words}", role.name)),
        );
        // The control: one receipt less, or one at a time at which nothing was due, and it is seen.
        if receipts.len() > 2 {
            let less: Vec<_> = [&receipts[..1], &receipts[2..]].concat();
            assert_eq!(judge(&less).len(), 1, "{}: a lost receipt is not seen", role.name);
            let more = [&receipts[..], &[receipts[1] + TimeDelta::seconds(90)]].concat();
            assert_eq!(
                judge(&more).len(),
                1,
                "{}: a receipt too much is not seen",
                role.name
            );
        }
        for tick in ticks.iter().filter(|tick| tick.receipt == Receipt::Running) {
            complaints.push(format!("{}: the tick of {} never ended", role.name, tick.due_at));
        }
    }
    assert_eq!(complaints, [""; 0]);
    assert!(counted > 500, "{counted} ticks are not much of a week");
}

type Span = (loops::time::Timestamp, loops::time::Timestamp);

/// What became of the ticks is what each loop's spec asks for.
fn held_to_their_words(all: &BTreeMap<&str, Vec<Tick>>, down: Span, paused: Span) {
    let within = |name: &str, span: Span| {
        let ticks = all[name].iter().rev();
        ticks
            .filter(move |tick| tick.due_at > span.0 && tick.due_at < span.1)
            .cloned()
            .collect::<Vec<_>>()
    };
    let why = |tick: &Tick| tick.why.clone().unwrap_or_default();
    let missed = "missed while nothing was running here";
    let none = within("none", down);
    assert!(
        none.len() >= 2 && none.iter().all(|tick| why(tick) == missed),
        "{none:?}"
    );
    let each = within("all", down);
    assert!(
        each.len() >= 2 && each.iter().all(|tick| tick.run.is_some()),
        "{each:?}"
    );
    let latest = within("plain", down);
    assert!(
        latest.iter().rev().skip(1).all(|tick| why(tick) == missed),
        "{latest:?}"
    );
    assert!(latest.last().is_none_or(|tick| tick.run.is_some()), "{latest:?}");
    let asleep = within("paused", paused);
    assert!(
        asleep.len() >= 5 && asleep.iter().all(|tick| why(tick) == "the loop is paused"),
        "{asleep:?}"
    );
    assert!(
        all["skip"]
            .iter()
            .any(|tick| why(tick) == "the run before it was still under way")
    );
    let queued = &all["queue"];
    assert!(
        queued
            .iter()
            .all(|tick| tick.run.is_some() || why(tick) == missed),
        "each waits for its turn, unless nobody was there: {queued:?}"
    );
    assert!(all["stop"].iter().filter(|tick| why(tick) == "cancelled").count() >= 2);
    let lost = &all["lost"];
    let tried = lost.iter().filter(|tick| tick.receipt == Receipt::Failed).count();
    let left = lost
        .iter()
        .filter(|tick| why(tick).starts_with("backing off after"))
        .count();
    assert!(
        (8..=14).contains(&tried) && left > 10,
        "{tried} were tried, {left} were not"
    );
    assert!(lost[0].run.is_some(), "it works in the end");
}

/// Runs of a loop that went on at the same time.
async fn overlapping(store: &Store) -> Vec<String> {
    let mut all = runs::list(store, None, None, 10_000).await.unwrap();
    all.sort_by_key(|run| (run.loop_name.clone(), run.started_at, run.id));
    let mut complaints = Vec::new();
    for run in &all {
        if run.ended_at.is_none() {
            complaints.push(format!("{}: {} never ended", run.loop_name, run.id));
        }
    }
    for pair in all.windows(2) {
        let (one, next) = (&pair[0], &pair[1]);
        if one.loop_name == next.loop_name && one.ended_at.is_none_or(|end| end > next.started_at) {
            complaints.push(format!("{}: {} and {} overlap", one.loop_name, one.id, next.id));
        }
    }
    complaints
}

async fn no_proposal_is_doubled(world: &World, store: &Store) {
    let all = proposals::list(store, None, None).await.unwrap();
    let mut titles: Vec<&str> = all.iter().map(|proposal| proposal.title.as_str()).collect();
    titles.sort_unstable();
    let mut wanted: Vec<String> = ["shop", "site"]
        .iter()
        .flat_map(|name| bugs(name))
        .map(|bug| bug.title)
        .collect();
    wanted.sort_unstable();
    assert_eq!(titles, wanted, "each problem has one proposal");
    for (name, branches) in [("shop", 2), ("site", 3), ("quiet", 1)] {
        let there = Repository::at(&world.path(&format!("{name}.git"))).branches();
        assert_eq!(there.len(), branches, "{name}: {there:?}");
    }
}
