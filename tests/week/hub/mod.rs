//! Loops whose repositories are on GitHub, for days of virtual time: people answer or stay away, answers get lost, the
//! service is stopped and killed. What holds is read from the fake GitHub itself and from the table of ticks.
//!
//! The tests take two days of six loops, over each change of the clocks. `LOOPS_WEEK=whole` makes them a
//! week and a day of twenty (`./x week`); `LOOPS_WEEK_SEED` is what people do and where answers get lost.

mod cast;
mod people;
mod truth;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use harness::{
    github::{Fault, FaultId, GitHub, Match},
    world::{BOT, World},
};
use orchestrator::{
    engine::{Home, Service, expire, keep_boards, send, watch},
    store::{
        Store,
        proposals::{self, ProposalState},
        pulls, ticks,
    },
};

use self::{
    cast::{BUGS, Role, lay_out, roles, write_scripts},
    people::{Does, People, Seeded},
    truth::Truth,
};
use crate::{
    almanac::wrong,
    node::{Node, pass, settle, turn_beside, turn_to, utc},
    story::TURN,
};

/// The loops of the short form: every kind of schedule that a change of the clocks could break.
const SHORT: [&str; 6] = ["gap", "fine", "york", "often", "skip", "late"];

/// How a story is told.
#[derive(Clone, Copy)]
struct Form {
    /// None: all of them.
    loops: &'static [&'static str],
    hours: i64,
    bugs: usize,
    per_reviewer: u32,
    seed: u64,
    /// What every loop may have open, where the form wants all to be alike.
    max_open: Option<u32>,
    /// How many of a hundred looks at GitHub find it unwell.
    unwell: u64,
    /// Nobody answers anything.
    away: bool,
    /// GitHub neither shows nor refuses what would be doubled.
    hides: bool,
}

impl Form {
    fn usual() -> Self {
        let said = |name: &str| std::env::var_os(name)?.into_string().ok();
        let seed = said("LOOPS_WEEK_SEED")
            .and_then(|seed| seed.parse().ok())
            .unwrap_or(7);
        let short = Self {
            loops: &SHORT,
            hours: 48,
            bugs: 2,
            per_reviewer: 2,
            seed,
            max_open: None,
            unwell: 15,
            away: false,
            hides: false,
        };
        match said("LOOPS_WEEK").as_deref() {
            Some("whole") => Self {
                loops: &[],
                hours: 196,
                bugs: BUGS.len(),
                per_reviewer: 4,
                ..short
            },
            _ => short,
        }
    }
}

/// What is beside the service: GitHub, its people, and what goes wrong there.
struct Beside<'w> {
    hub: &'w GitHub,
    roles: &'w [Role],
    form: Form,
    people: People,
    seeded: Seeded,
    faults: Vec<FaultId>,
    /// When GitHub is looked at next, in Unix milliseconds.
    look_at: i64,
    /// Nothing goes wrong from here on, so that all ends.
    well_from: i64,
}

impl Beside<'_> {
    /// What the service's errands and the people do at this moment.
    async fn go_on(&mut self, home: &Home) {
        let now = orchestrator::clock::now().0;
        if now >= self.look_at {
            self.look_at = now + 3_600_000;
            self.people.act(self.hub, self.roles);
            if now < self.well_from && self.seeded.below(100) < self.form.unwell {
                self.fall_ill();
            }
            watch(home).await.unwrap();
            expire(home).await.unwrap();
            keep_boards(home).await.unwrap();
        }
        send(home, false).await.unwrap();
    }

    fn fall_ill(&mut self) {
        let kinds = [
            ("GET", "/repos/", Fault::Status(502)),
            ("GET", "/repos/", Fault::Cut),
            ("GET", "/repos/", Fault::Torn),
            ("POST", "/acme/", Fault::Status(502)),
            ("POST", "/repos/", Fault::Status(502)),
            ("POST", "/repos/", Fault::CutAfter),
            ("POST", "/repos/", Fault::Torn),
            ("PATCH", "/repos/", Fault::CutAfter),
        ];
        let (method, path, fault) = kinds[usize::try_from(self.seeded.below(8)).unwrap_or(0)];
        let matching = Match::new(method, path);
        self.faults.push(self.hub.world().fault(matching, fault, 1));
    }
}

/// What is left at the end of a story.
struct Left {
    truth: Truth,
    did: BTreeMap<Does, usize>,
    hits: usize,
}

/// Who serves the loops now, and until when.
struct Stage<'w> {
    start: DateTime<Utc>,
    beside: Beside<'w>,
    held: BTreeSet<String>,
}

impl Stage<'_> {
    async fn until(&mut self, node: &Node, service: &mut Service<'_>, hour: i64) {
        let to = self.start + TimeDelta::hours(hour);
        let (beside, home) = (&mut self.beside, &node.engine.home);
        pass(service, to, &self.held, async |_| beside.go_on(home).await).await;
    }
}

async fn story(start: &str, form: Form) -> Left {
    let _turn = TURN.lock().await;
    let start: DateTime<Utc> = start.parse().unwrap();
    turn_to(start);
    let world = World::start().await;
    let hub = GitHub::start_at(start.timestamp_millis()).await;
    let roles = roles(form.loops, form.max_open);
    lay_out(&world, &hub, &roles);
    let token = {
        let mut there = hub.world();
        there.hides_own = form.hides;
        there.classic_token(BOT, &["repo"])
    };
    // A limit that is met is not sat out while the clock stands, but comes back to.
    let more = format!(
        "  patience: 0s\nreview: {{ per_reviewer: {}, slow_after: 2d, expire_after: 6d }}\n",
        form.per_reviewer
    );
    world.log_in(&hub, &token, &more);
    write_scripts(&world, &roles);
    let follow = hub.clock();
    turn_beside(Some(Box::new(follow)));
    let millis = start.timestamp_millis();
    let mut stage = Stage {
        start,
        beside: Beside {
            hub: &hub,
            roles: &roles,
            form,
            people: People::new(&form, &roles, millis),
            seeded: Seeded::new(form.seed ^ 0xF00D),
            faults: Vec::new(),
            look_at: 0,
            well_from: millis + form.hours * 3_600_000 * 5 / 6,
        },
        held: BTreeSet::new(),
    };

    // Stopped in good order after a third, for two hours.
    let node = Node::open(&world).await;
    let mut service = node.service();
    service.begin().await.unwrap();
    stage.until(&node, &mut service, form.hours / 3).await;
    service.drain(std::time::Duration::ZERO).await.unwrap();
    drop(service);
    node.close().await;
    turn_to(start + TimeDelta::hours(form.hours / 3 + 2));

    // Killed after two thirds: nobody drains, nobody says goodbye.
    let node = Node::open(&world).await;
    let mut service = node.service();
    service.begin().await.unwrap();
    stage.until(&node, &mut service, form.hours * 2 / 3).await;
    drop(service);
    drop(node);
    turn_to(start + TimeDelta::hours(form.hours * 2 / 3 + 1));

    let node = Node::open(&world).await;
    let mut service = node.service();
    service.begin().await.unwrap();
    stage.until(&node, &mut service, form.hours).await;
    settle(&mut service, &BTreeSet::new()).await;
    drop(service);
    let end = utc(orchestrator::clock::now());
    every_tick_has_its_receipt(node.store(), &roles, start, end).await;
    let truth = Truth::of(&hub);
    if !form.hides {
        what_we_know_is_what_is_there(node.store(), &truth).await;
    }
    node.close().await;
    turn_beside(None);
    // What was to go wrong last may have met nobody.
    let complaints: Vec<String> = hub.complaints();
    let complaints = complaints
        .iter()
        .filter(|words| !words.ends_with("was never met"));
    assert_eq!(complaints.collect::<Vec<_>>(), [""; 0]);
    let hits = {
        let there = hub.world();
        stage.beside.faults.iter().map(|fault| there.hits(*fault)).sum()
    };
    let did = stage.beside.people.did;
    world.close().await;
    Left { truth, did, hits }
}

/// Every tick has exactly one receipt, and none is still running.
async fn every_tick_has_its_receipt(store: &Store, roles: &[Role], start: DateTime<Utc>, end: DateTime<Utc>) {
    let mut complaints = Vec::new();
    let mut counted = 0;
    for role in roles {
        let all = ticks::list(store, role.name(), 10_000).await.unwrap();
        counted += all.len();
        let receipts: Vec<DateTime<Utc>> = all.iter().map(|tick| utc(tick.due_at)).collect();
        let sure = end - TimeDelta::minutes(role.schedule.jitter);
        let found = wrong(&role.schedule.when, start, sure, end, &receipts);
        complaints.extend(found.into_iter().map(|words| format!("{}: {words}", role.name())));
        let running = all.iter().filter(|tick| tick.receipt == ticks::Receipt::Running);
        complaints.extend(running.map(|tick| format!("{}: {} never ended", role.name(), tick.due_at)));
    }
    assert_eq!(complaints, [""; 0]);
    assert!(counted > 3 * roles.len(), "{counted} ticks are not much");
}

/// The store's pull requests are GitHub's, one for one, and so is what became of them.
async fn what_we_know_is_what_is_there(store: &Store, truth: &Truth) {
    use ProposalState::{Merged, Rejected};
    let known = proposals::list(store, None, None).await.unwrap();
    assert_eq!(known.len(), truth.pulls.len(), "{known:#?}\n{truth:#?}");
    for proposal in known {
        let row = pulls::get(store, proposal.id)
            .await
            .unwrap()
            .expect("it was opened");
        let pull = truth
            .pulls
            .iter()
            .find(|pull| pull.proposal == proposal.id.to_string());
        let pull = pull.unwrap_or_else(|| panic!("{} is not there", proposal.title));
        assert_eq!((&row.repository, row.number), (&pull.repository, pull.number));
        assert_eq!(proposal.state == Merged, pull.merged, "{proposal:?} {pull:?}");
        assert_eq!(proposal.state == Rejected, pull.refused, "{proposal:?} {pull:?}");
    }
}

async fn holds(start: &str) {
    let form = Form::usual();
    let left = story(start, form).await;
    let roles = roles(form.loops, form.max_open);
    let judge = |truth: &Truth| truth.wrong(&roles, form.per_reviewer as usize);
    assert_eq!(judge(&left.truth), [""; 0]);
    // How much of a week it was, for who reads the figures.
    eprintln!(
        "{} pull requests; done about them: {:?}; {} requests went wrong",
        left.truth.pulls.len(),
        left.did,
        left.hits
    );
    assert!(
        left.truth.pulls.len() * 2 > roles.len(),
        "{:#?}",
        left.truth.pulls
    );
    assert!(
        left.did.len() >= 3 && left.hits >= 3,
        "{:?}, {} went wrong",
        left.did,
        left.hits
    );

    // Controls: what must not be is planted, and seen.
    let planted = |change: &dyn Fn(&mut Truth)| {
        let mut truth = left.truth.clone();
        change(&mut truth);
        judge(&truth).join("; ")
    };
    let branch = planted(&|truth| {
        let mut again = truth.pulls[0].clone();
        (again.number, again.proposal) = (900, "another".to_owned());
        again.title = truth.pulls[1].title.clone();
        truth.pulls.push(again);
    });
    assert!(branch.contains("of one branch"), "{branch}");
    let finding = planted(&|truth| {
        let mut again = truth.pulls[0].clone();
        (again.number, again.proposal, again.branch) = (900, "another".to_owned(), "loops/x".to_owned());
        truth.pulls.push(again);
    });
    assert!(finding.contains("about one finding"), "{finding}");
    let board = planted(&|truth| *truth.boards.values_mut().next().unwrap() = 2);
    assert!(board.contains("2 dashboards"), "{board}");
    let said = planted(&|truth| truth.pulls[0].said = vec!["news:1".to_owned(); 2]);
    assert!(said.contains("says a thing twice"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_github_a_week_with_the_clocks_put_forward_doubles_nothing_and_holds_every_limit() {
    holds("2026-03-28T00:00:00Z").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_github_a_week_with_the_clocks_put_back_doubles_nothing_and_holds_every_limit() {
    holds("2026-10-24T12:00:00Z").await;
}

/// A few loops for some hours, while everybody is away; what is wrong at its end, by the same rules as in the week.
async fn without(change: fn(&mut Form)) -> String {
    let mut form = Form {
        loops: &["plain", "often", "skip", "all"],
        hours: 15,
        bugs: 2,
        per_reviewer: 1,
        unwell: 0,
        away: true,
        ..Form::usual()
    };
    let (per_reviewer, max_open) = (form.per_reviewer, form.max_open);
    change(&mut form);
    let left = story("2026-05-04T00:00:00Z", form).await;
    left.truth
        .wrong(&roles(form.loops, max_open), per_reviewer as usize)
        .join("; ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_governor_a_reviewer_has_more_to_do_than_may_be() {
    let wrong = without(|form| (form.per_reviewer, form.bugs) = (1000, 1)).await;
    assert!(wrong.contains("of carol are open at once"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_max_open_a_loop_has_more_open_than_may_be() {
    let wrong = without(|form| {
        (form.loops, form.hours) = (&["all"], 12);
        (form.max_open, form.per_reviewer) = (Some(50), 1000);
    })
    .await;
    assert!(wrong.contains("of all are open at once, 1 may be"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_looking_first_what_got_lost_is_doubled() {
    let wrong = without(|form| {
        (form.loops, form.hours) = (&["all", "skip"], 12);
        (form.hides, form.unwell) = (true, 100);
    })
    .await;
    assert!(
        wrong.contains("of one branch") || wrong.contains("dashboards"),
        "{wrong}"
    );
}
