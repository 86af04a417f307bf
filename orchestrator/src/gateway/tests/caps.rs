//! Caps under many callers at once: none is ever passed, whichever it is.

use std::{collections::BTreeMap, sync::Arc};

use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};

use loops::time::Timestamp;

use super::{
    super::OVER_BUDGET,
    provider::{self, Piece, end, start, words},
    *,
};

/// How many ask at once.
const CALLERS: usize = 1_000;

/// Caps of the whole service, for the loops `shop` and `blog`.
fn budget() -> crate::config::Budget {
    let text = "budget:\n  day: 3.1 USD\n  month: 3.2 USD\n  teams:\n    checkout: { loops: [shop], day: 1.9 USD, month: 2 USD }\n    \
                writers: { loops: [blog], day: 1.5 USD }\n  roles:\n    review: { run: 0.4 USD, day: 0.9 USD }\n";
    Config::read(Path::new("loops.yaml"), text, Some("/nowhere".into()), &|_| None)
        .unwrap()
        .budget
}

/// What one caller was charged, and whom it belongs to.
struct Charged {
    task: usize,
    run: usize,
    in_shop: bool,
    role: Role,
    cost: Money,
}

/// Starts all callers at once, against a provider that answers none of them before all that will come are there, and
/// that then uses all that each was granted: so what is charged in the end was once reserved all at the same time.
async fn all_at_once(limits: bool) -> Vec<Charged> {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let there = watch::Sender::new(0);
    let at_provider = there.clone();
    let world = World::new(move |_, came| {
        at_provider.send_modify(|there| *there += 1);
        let granted = came.body["max_tokens"].as_u64().unwrap();
        Act::Stream(vec![
            Piece::Text(start(1_000)),
            Piece::Wait(Arc::clone(&held)),
            Piece::Text(words("x") + &end(granted)),
        ])
    })
    .await;
    if limits {
        world.gateway.limit(budget());
    }
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let (task, run, in_shop) = (number % 20, number % 4, number % 3 != 0);
        let role = if number % 5 < 2 { Role::Review } else { Role::Work };
        let usd = |dollars| limits.then(|| Money::usd(dollars));
        let caps = Caps {
            task: usd(0.35),
            run: usd(1.3),
            day: usd(2.8),
            month: usd(2.7),
            ..Caps::default()
        };
        let token = world.gateway.admit(Admission {
            task: Some(TaskId::named(&format!("task {task}"))),
            run: RunId::named(&format!("run {run}")),
            loop_name: if in_shop { "shop" } else { "blog" }.to_owned(),
            role,
            ..admission(&format!("attempt {number}"), caps)
        });
        let (client, address) = (world.client.clone(), world.gateway.address.clone());
        let refused = there.clone();
        callers.spawn(async move {
            let request = client
                .post(format!("{address}/v1/messages"))
                .header("x-api-key", token.expose());
            let response = request.body(stream(2_000).to_string()).send().await.unwrap();
            let answered = response.status() == 200;
            if !answered {
                refused.send_modify(|there| *there += 1);
            }
            let text = response.text().await.unwrap();
            let output = text
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .filter_map(|data| {
                    serde_json::from_str::<Value>(data).ok()?["usage"]["output_tokens"].as_i64()
                })
                .next_back();
            let cost = Money(if answered { 1_000 + 10 * output.unwrap() } else { 0 });
            Charged {
                task,
                run,
                in_shop,
                role,
                cost,
            }
        });
    }
    // None is let go before each is at the provider or refused: all reservations are open then.
    let _ = there.subscribe().wait_for(|&there| there == CALLERS).await;
    gate.add_permits(CALLERS);
    callers.join_all().await
}

/// Sums by whatever a cap is about.
fn sums<K: Ord>(charged: &[Charged], of: impl Fn(&Charged) -> Option<K>) -> BTreeMap<K, Money> {
    let mut sums = BTreeMap::new();
    for one in charged {
        if let Some(key) = of(one) {
            *sums.entry(key).or_insert(Money::ZERO) += one.cost;
        }
    }
    sums
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_at_once_never_pass_any_cap() {
    let charged = all_at_once(true).await;
    let all: Money = charged.iter().map(|one| one.cost).sum();
    assert!(all <= Money::usd(3.1) && all > Money::usd(2.5), "{all}");
    let within = |what: &str, sums: Vec<Money>, cap: f64| {
        assert!(sums.iter().all(|sum| *sum <= Money::usd(cap)), "{what}: {sums:?}");
    };
    let values = |sums: BTreeMap<usize, Money>| sums.into_values().collect::<Vec<_>>();
    within("task", values(sums(&charged, |one| Some(one.task))), 0.35);
    within("run", values(sums(&charged, |one| Some(one.run))), 1.3);
    within(
        "team checkout",
        values(sums(&charged, |one| one.in_shop.then_some(0))),
        2.0,
    );
    within(
        "team writers",
        values(sums(&charged, |one| (!one.in_shop).then_some(0))),
        1.5,
    );
    let review = |one: &Charged| (one.role == Role::Review).then_some(one.run);
    within("review in a run", values(sums(&charged, review)), 0.4);
    within(
        "review in a day",
        values(sums(&charged, |one| review(one).map(|_| 0))),
        0.9,
    );

    // The control: the same callers without caps pass every one of them, so it was the caps that held.
    let charged = all_at_once(false).await;
    assert!(charged.iter().all(|one| one.cost > Money::ZERO));
    let above = |what: &str, sums: Vec<Money>, cap: f64| {
        assert!(sums.iter().all(|sum| *sum > Money::usd(cap)), "{what}: {sums:?}");
    };
    above("task", values(sums(&charged, |one| Some(one.task))), 0.35);
    above("run", values(sums(&charged, |one| Some(one.run))), 1.3);
    above(
        "team checkout",
        values(sums(&charged, |one| one.in_shop.then_some(0))),
        3.0,
    );
    above(
        "team writers",
        values(sums(&charged, |one| (!one.in_shop).then_some(0))),
        1.5,
    );
    above("review in a run", values(sums(&charged, review)), 0.4);
    above("all", vec![charged.iter().map(|one| one.cost).sum()], 5.0);
}

#[tokio::test]
async fn a_call_that_a_shared_cap_does_not_bear_is_refused_and_the_cap_is_named() {
    for (text, named) in [
        ("day: 0.0001 USD", "the service's budget of $0.0001 a day"),
        ("month: 0.0001 USD", "the service's budget of $0.0001 a month"),
        (
            "teams: { ours: { loops: [other, feedback], month: 0.0001 USD } }",
            "the team `ours`'s budget of $0.0001 a month",
        ),
        (
            "roles: { work: { run: 0.0001 USD } }",
            "the role `work`'s budget of $0.0001 a run",
        ),
        (
            "roles: { work: { day: 0.0001 USD } }",
            "the role `work`'s budget of $0.0001 a day",
        ),
    ] {
        let world = World::new(|_, came| provider::whole(came, 10, 20)).await;
        let config = format!("budget:\n  {text}\n");
        let config = Config::read(Path::new("loops.yaml"), &config, Some("/nowhere".into()), &|_| {
            None
        });
        world.gateway.limit(config.unwrap().budget);
        let token = world.admit("a", Caps::default());
        let (status, kind, message) = world.refused(token.expose(), &request(1_000)).await;
        assert_eq!((status, kind.as_str()), (400, OVER_BUDGET));
        assert!(message.starts_with(named), "{message}");
        assert!(world.provider.came().is_empty());
    }
}

#[tokio::test]
async fn a_cap_on_others_holds_nobody_back_and_last_months_money_is_forgotten() {
    let world = World::new(|_, came| provider::whole(came, 10, 20)).await;
    let text = "budget:\n  teams: { theirs: { loops: [other], day: 0 USD } }\n  roles: { lead: { run: 0 USD }, review: { month: 0 USD } }\n";
    let config = Config::read(Path::new("loops.yaml"), text, Some("/nowhere".into()), &|_| None);
    world.gateway.limit(config.unwrap().budget);
    let caps = |month_start| Caps {
        month: Some(Money(30_000)),
        month_start,
        ..Caps::default()
    };
    let later = Timestamp(crate::clock::now().0 + 1_000_000);
    for (since, status) in [(Timestamp(0), 200), (Timestamp(0), 200), (later, 200)] {
        let token = world.admit("a", caps(since));
        assert_eq!(world.post(token.expose(), &request(2_000)).await.status(), status);
    }
    let token = world.admit(
        "a",
        Caps {
            month: Some(Money(300)),
            ..caps(Timestamp(0))
        },
    );
    let (_, _, message) = world.refused(token.expose(), &request(2_000)).await;
    assert!(message.starts_with("the month's budget of $0.0003"), "{message}");
}

/// What a repository's loops may spend in a day.
fn of_each_repository(dollars: f64) -> crate::config::Budget {
    crate::config::Budget {
        repository: Some(Money::usd(dollars)),
        ..Default::default()
    }
}

/// A loop of this name that this repository defines.
fn defined_by(repository: Option<&str>, name: &str) -> Admission {
    Admission {
        loop_name: name.to_owned(),
        run: RunId::named(name),
        repository: repository.map(str::to_owned),
        // Somewhere else a new day has begun.
        zone: "Pacific/Kiritimati".to_owned(),
        ..admission(name, Caps::default())
    }
}

#[tokio::test]
async fn a_repositorys_day_is_one_whatever_its_loops_are_called() {
    let shop = Some("acme/shop");
    // Each call costs 10 + 10 * 200 = 2,010 millionths.
    let world = World::new(|_, came| provider::whole(came, 10, 200)).await;
    let status = async |world: &World, who: Admission| {
        let token = world.gateway.admit(who);
        let status = world.post(token.expose(), &request(200)).await.status().as_u16();
        world.gateway.dismiss(&token);
        status
    };
    world.gateway.limit(of_each_repository(0.006));
    assert_eq!(status(&world, defined_by(shop, "fix")).await, 200);
    // Renamed, also while the first one's run is still under way: not a cent is new.
    assert_eq!(status(&world, defined_by(shop, "mend")).await, 200);
    let token = world.gateway.admit(defined_by(shop, "fresh"));
    let (code, kind, message) = world.refused(token.expose(), &request(200)).await;
    assert_eq!((code, kind.as_str()), (400, OVER_BUDGET));
    assert!(
        message.starts_with("the repository `acme/shop`'s budget of $0.0060 a day"),
        "{message}"
    );

    // Control: whoever is not of this repository has that money, so it was the repository's cap that held.
    assert_eq!(
        status(&world, defined_by(Some("acme/site"), "fresh-2")).await,
        200
    );
    assert_eq!(status(&world, defined_by(None, "fresh-3")).await, 200);
    world.gateway.limit(crate::config::Budget::default());
    assert_eq!(status(&world, defined_by(shop, "fresh-4")).await, 200);

    // With more there is more, and what was spent under every name still counts when it is less again.
    world.gateway.limit(of_each_repository(0.02));
    assert_eq!(status(&world, defined_by(shop, "fresh-5")).await, 200);
    world.gateway.limit(of_each_repository(0.008));
    assert_eq!(status(&world, defined_by(shop, "fresh-6")).await, 400);

    // After a restart, too.
    world.gateway.shutdown(Duration::ZERO).await;
    let config = config(&world.provider.address);
    let gateway = Gateway::start(&config.models, world.store.clone(), None, None)
        .await
        .unwrap();
    let World {
        provider,
        store,
        folder,
        client,
        ..
    } = world;
    let world = World {
        gateway,
        provider,
        store,
        folder,
        client,
    };
    world.gateway.limit(of_each_repository(0.008));
    assert_eq!(status(&world, defined_by(shop, "fresh-7")).await, 400);
    assert_eq!(
        status(&world, defined_by(Some("acme/site"), "fresh-8")).await,
        200
    );
}
