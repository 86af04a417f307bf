//! Too little room on the disk: nothing new is begun, it is said wherever somebody looks, and nothing is lost. And what a
//! monitor is told of it, and of loops that are silent.

use harness::{postgres, world::World};

use crate::small_story::{RUN, TITLE, came_to_the_fix, lead, reviewer, spec, told, well, worker};

/// More than any disk has.
const NO_ROOM: &str = "  patience: 2s\ndisk: { keep_free: 900000TiB }\n";

fn requests(world: &World) -> usize {
    world.model().requests().len()
}

#[tokio::test]
async fn with_too_little_room_nothing_new_is_begun_and_it_is_said_wherever_somebody_looks() {
    let (world, origin) = well().await;
    world.settings(NO_ROOM);
    let refused = world.loops(RUN).await;
    assert_eq!(refused.code, 1, "{refused}");
    assert!(
        refused
            .stderr
            .contains("nothing new is begun until there is more room"),
        "{refused}"
    );
    let status = world.loops(["status"]).await;
    assert!(status.stdout.contains("nothing is started: only "), "{status}");
    let json = world.loops(["status", "--format", "json"]).await.json();
    assert!(json["disk"]["short"].is_string(), "{json}");
    let doctor = world.loops(["doctor"]).await;
    assert_eq!(doctor.code, 1, "{doctor}");
    assert!(
        doctor.stdout.contains("`disk.keep_free` is 900000TiB"),
        "{doctor}"
    );
    assert_eq!(requests(&world), 0, "no model was asked");
    // With room it comes to the same as if nothing had been.
    world.settings("  patience: 2s\n");
    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    let status = world.loops(["status"]).await;
    assert!(status.stdout.contains(" free; the state takes "), "{status}");
    let parts = world.loops(["status", "--format", "json"]).await.json();
    let bytes = |name: &str| {
        let parts = parts["disk"]["parts"].as_array().unwrap();
        let part = parts.iter().find(|part| part["name"] == name);
        part.unwrap_or_else(|| panic!("{name}: {parts:#?}"))["bytes"]
            .as_u64()
            .unwrap()
    };
    for name in ["database", "mirrors", "transcripts"] {
        assert!(bytes(name) > 0, "{name}: {parts:#}");
    }
    assert!(bytes("transcripts") < bytes("database"), "{parts:#}");
    assert!(
        bytes("workspaces") < 64 << 10,
        "no attempt is under way: {parts:#}"
    );
    world.close().await;
}

#[tokio::test]
async fn a_service_without_room_keeps_its_ticks_and_runs_them_when_there_is_some() {
    let (world, origin) = told().await;
    world.define(&spec().every("1s"));
    world.lead(lead).worker(TITLE, worker).reviewer(TITLE, reviewer);
    world.settings(NO_ROOM);
    let mut service = world.spawn(["serve", "--grace", "0"]);
    assert!(
        service
            .says("nothing new is begun until there is more room")
            .await
    );
    assert!(
        service.says("waits     fix").await,
        "its tick is taken, and waits"
    );
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    assert_eq!(requests(&world), 0);
    world.settings("  patience: 2s\n");
    let mut service = world.spawn(["serve", "--grace", "0"]);
    assert!(service.says(" done").await, "what waited runs");
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    assert_eq!(origin.branches().len(), 2, "{:?}", origin.branches());
    world.close().await;
}

#[tokio::test]
async fn a_monitor_is_told_which_loops_are_silent() {
    let (world, _origin) = told().await;
    world.database();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    world.settings(&format!(
        "  patience: 2s\ndatabase: ${{DATABASE_URL}}\nmetrics: {{ listen: '127.0.0.1:{port}' }}\n"
    ));
    let mut service = world.spawn(["serve", "--grace", "0"]);
    assert!(
        service
            .says(&format!("figures are at http://127.0.0.1:{port}/metrics"))
            .await
    );
    assert!(service.says("loop      fix").await);
    // The client wants a provider, though nothing here is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let page = async || {
        let page = reqwest::get(format!("http://127.0.0.1:{port}/metrics"))
            .await
            .unwrap();
        page.text().await.unwrap()
    };
    let quiet = page().await;
    for line in [
        "loops_loop_missed_ticks{loop=\"fix\"} 0",
        "loops_overdue 0",
        "loops_disk_short 0",
        "# TYPE loops_spent_usd_total counter",
    ] {
        assert!(quiet.contains(line), "{line}: {quiet}");
    }
    // Its ticks left no receipts, whoever is to blame.
    let since = "UPDATE loops SET served_since = 1760000000000; DELETE FROM ticks";
    postgres::sql(world.database(), since);
    let silent = page().await;
    assert!(silent.contains("loops_overdue 1"), "{silent}");
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    world.close().await;
}
