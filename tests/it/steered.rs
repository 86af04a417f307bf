//! Steered from GitHub while the service is at work: what a review sent back is taken up, and an attempt under way is
//! stopped by a word.

use harness::{
    github::GitHub,
    world::{Child, SHOP},
};
use serde_json::json;

use crate::cast::{Ratings, proposal, run};

async fn said(child: &mut Child, words: &str) {
    assert!(child.says(words).await, "the service never said `{words}`");
}

fn pull(hub: &GitHub) -> (u64, String) {
    let mut there = hub.world();
    let issues = there.repo(SHOP).issues.values();
    let pulls = issues.filter_map(|issue| Some((issue.number, issue.pull.as_ref()?.head_sha.clone())));
    let [one] = &pulls.collect::<Vec<_>>()[..] else {
        panic!("there is one pull request")
    };
    one.clone()
}

#[tokio::test]
async fn the_service_takes_up_what_a_review_sent_back_and_a_word_stops_an_attempt_under_way() {
    let (shop, hub) = Ratings::on_github().await;
    shop.world.worker_told(Ratings::TITLE, "say why", |s| {
        let content = format!("# A product may be new\n{}", Ratings::MENDED);
        s.call("write", json!({"path": Ratings::FILE, "content": content}))
            .say("It says why.")
    });
    shop.world
        .worker_told(Ratings::TITLE, "in Danish", |s| s.say("Det er gjort."));
    let shop = shop.well_played();
    let id = proposal(&run(&shop.world).await).to_owned();
    let (number, before) = pull(&hub);
    hub.world()
        .review_comment(SHOP, number, "carol", (Ratings::FILE, 2), "Please say why");
    shop.world.define(&Ratings::file().on_github(SHOP).every("1s"));
    let mut service = shop.world.spawn(["serve", "--grace", "1"]);
    said(&mut service, "sent back").await;
    said(&mut service, " done").await;
    let revised = pull(&hub).1;
    assert_ne!(revised, before, "the service took it up by itself");
    service.interrupt();
    assert_eq!(shop.world.end(service).await.code, 0);

    // An attempt that takes its time is under way when somebody says stop.
    let danish = format!("{} told in Danish", Ratings::TITLE);
    shop.world.model().hold(&danish);
    hub.world()
        .comment(SHOP, number, "carol", "/loops revise in Danish");
    let mut service = shop.world.spawn(["serve", "--grace", "1"]);
    said(&mut service, "sent back").await;
    shop.world.model().is_asked(&danish).await;
    hub.world().comment(SHOP, number, "carol", "/loops stop");
    said(&mut service, "left      ").await;
    said(&mut service, "run       fix").await;
    shop.world.model().release(&danish);
    for _ in 0..2 {
        said(&mut service, "nothing to do").await;
    }
    service.interrupt();
    assert_eq!(shop.world.end(service).await.code, 0);
    let shown = shop.shown(&id).await;
    assert_eq!(
        (pull(&hub).1, &shown["head"]),
        (revised.clone(), &json!(revised)),
        "{shown:#}"
    );
    assert!(
        hub.world().issue(SHOP, number).open,
        "it is left alone, not closed"
    );
    let status = shop.world.loops(["runs", "--format", "json"]).await.json();
    let open = status
        .as_array()
        .unwrap()
        .iter()
        .filter(|run| run["ended_at"].is_null())
        .count();
    assert_eq!(open, 0, "no run is left under way: {status:#}");
    hub.check();
    shop.world.close().await;
}
