//! Webhooks as a person has them: the real binary listens, a stateful GitHub sends.

use harness::{
    github::{GitHub, signature},
    world::{Child, HOOK_SECRET, SHOP, World},
};

use crate::cast::Ratings;

async fn world(more: &str) -> (World, GitHub, u16) {
    let world = World::start().await;
    world.repository(&[("README.md", "unused")]);
    let hub = world.github(&Ratings::files(), "").await;
    let port = world.hook_up(&hub, "", "");
    let spec = Ratings::file()
        .on_github(SHOP)
        .sources("[{ github_issues: {} }]")
        .every("300d")
        .more("triage: { min_signals: 1000 }\n")
        .more(more);
    world.write(".loops/fix.yaml", &spec.yaml());
    (world, hub, port)
}

async fn says(child: &mut Child, words: &str) {
    assert!(child.says(words).await, "the service never said `{words}`");
}

async fn end(world: &World, child: Child) {
    child.interrupt();
    let ran = world.end(child).await;
    assert_eq!(ran.code, 0, "{ran}");
}

async fn runs(world: &World) -> usize {
    let runs = world.loops(["runs", "--format", "json"]).await.json();
    runs.as_array().unwrap().len()
}

#[tokio::test]
async fn a_burst_is_one_run_and_a_delivery_that_comes_again_wakes_nobody() {
    let (world, hub, _) = world("triggers: [{ github: issues.opened }]\n").await;
    let doctor = world.loops(["doctor"]).await;
    assert!(doctor.all().contains("github events"), "{doctor}");
    let mut child = world.spawn(["serve"]);
    says(&mut child, "listening on").await;
    says(&mut child, "next at").await;
    for n in 0..5 {
        hub.world().open_issue(SHOP, "dave", &format!("Report {n}"), "");
    }
    hub.world().comment(SHOP, 1, "erin", "nobody waits for comments");
    hub.delivered().await;
    says(&mut child, "woken by 5 news").await;
    says(&mut child, "nothing to do").await;
    hub.world().deliver(0);
    hub.world().open_issue(SHOP, "dave", "One more", "");
    hub.delivered().await;
    says(&mut child, "woken by news").await;
    says(&mut child, "nothing to do").await;
    let statuses: Vec<Option<u16>> = hub.world().deliveries.iter().map(|one| one.status).collect();
    assert_eq!(statuses[0], Some(200), "it was known");
    assert!(
        statuses[1..].iter().all(|status| *status == Some(202)),
        "{statuses:?}"
    );
    end(&world, child).await;
    assert_eq!(runs(&world).await, 2);
    let status = world.loops(["status"]).await;
    assert!(
        status.stdout.contains("the last news from GitHub came at"),
        "{status}"
    );
    hub.check();
    world.close().await;
}

#[tokio::test]
async fn a_loop_with_triggers_alone_reads_what_no_event_told_when_it_starts() {
    let (world, hub, _) = world("triggers: [{ github: issues }]\n").await;
    let text = std::fs::read_to_string(world.path(".loops/fix.yaml")).unwrap();
    world.write(
        ".loops/fix.yaml",
        &text.replace("schedule: { every: 300d }\n", ""),
    );
    hub.world().hold_deliveries = true;
    hub.world().open_issue(SHOP, "dave", "Nobody told of it", "");
    let mut child = world.spawn(["serve"]);
    says(&mut child, "nothing to do").await;
    end(&world, child).await;
    let store = orchestrator::store::Store::open(&world.state()).await.unwrap();
    assert_eq!(
        orchestrator::store::signals::count(&store, "fix").await.unwrap(),
        1
    );
    store.close().await;
    hub.check();
    world.close().await;
}

async fn send(port: u16, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut request = reqwest::Client::new()
        .post(format!("http://127.0.0.1:{port}/github"))
        .body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn who_does_not_sign_learns_nothing_and_wakes_nobody() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (world, hub, port) = world("triggers: [{ github: issues }]\n").await;
    hub.world().hold_deliveries = true;
    hub.world().open_issue(SHOP, "dave", "It crashes", "");
    let payload = hub.world().deliveries[0].payload.clone();
    let mut child = world.spawn(["serve"]);
    says(&mut child, "next at").await;
    let good = signature(HOOK_SECRET, payload.as_bytes());
    let guess = signature("guess", payload.as_bytes());
    let (event, id) = (("x-github-event", "issues"), ("x-github-delivery", "1"));
    let signed = |with| ("x-hub-signature-256", with);
    let other = payload.replacen("crashes", "crashex", 1);
    for (what, headers, body) in [
        ("unsigned", vec![event, id], &payload),
        ("with another secret", vec![event, id, signed(&*guess)], &payload),
        (
            "with half a signature",
            vec![event, id, signed(&good[..40])],
            &payload,
        ),
        (
            "with the old signature",
            vec![event, id, ("x-hub-signature", "sha1=00")],
            &payload,
        ),
        ("with other words", vec![event, id, signed(&*good)], &other),
    ] {
        assert_eq!(send(port, &headers, body).await, (401, String::new()), "{what}");
    }
    let huge = "x".repeat(5 << 20);
    let signed_huge = signature(HOOK_SECRET, huge.as_bytes());
    assert_eq!(
        send(port, &[event, id, signed(&*signed_huge)], &huge).await.0,
        413
    );
    let ping = r#"{"zen":"Design for failure."}"#;
    let signed_ping = signature(HOOK_SECRET, ping.as_bytes());
    let asked = send(
        port,
        &[("x-github-event", "ping"), id, signed(&*signed_ping)],
        ping,
    )
    .await;
    assert_eq!(asked.0, 204);
    for (name, status) in [("issue_comment", 400), ("Issues", 400), ("organization", 204)] {
        let headers = [("x-github-event", name), id, signed(&*good)];
        assert_eq!(send(port, &headers, &payload).await.0, status, "{name}");
    }
    // Control: the same body, signed as GitHub does, wakes the loop; again, it does not.
    assert_eq!(send(port, &[event, id, signed(&*good)], &payload).await.0, 202);
    let again = [event, ("x-github-delivery", "2"), signed(&*good)];
    assert_eq!(send(port, &again, &payload).await.0, 200);
    says(&mut child, "woken by news").await;
    says(&mut child, "nothing to do").await;
    end(&world, child).await;
    assert_eq!(runs(&world).await, 1);
    hub.check();
    world.close().await;
}
