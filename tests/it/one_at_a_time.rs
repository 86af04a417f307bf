//! One `loops` at a time works on a state folder; others may look.

use harness::world::LEAD;

use crate::small_story::{RUN, came_to_the_fix, well};

#[tokio::test]
async fn a_second_run_on_the_same_state_is_refused_with_the_pid_of_the_first() {
    let (world, origin) = well().await;
    world.model().hold(LEAD);
    let first = world.spawn(RUN);
    world.model().is_asked(LEAD).await;

    let second = world.loops(RUN).await;
    assert_eq!(second.code, 1, "{second}");
    assert!(second.stderr.contains(&first.pid().to_string()), "{second}");
    assert!(
        second.stderr.contains("--state DIR") && second.stdout.is_empty(),
        "{second}"
    );
    assert!(second.stderr.lines().count() <= 3, "{second}");
    assert_eq!(world.model().requests().len(), 1, "the second one asked nobody");

    let status = world.loops(["status"]).await;
    assert_eq!(status.code, 0, "looking is allowed: {status}");
    assert!(status.stdout.contains("run-"), "{status}");

    world.model().release(LEAD);
    came_to_the_fix(&origin, &world.end(first).await);
    let third = world.loops(RUN).await;
    assert_eq!(third.code, 0, "nobody holds the state any more: {third}");
    world.close().await;
}

#[tokio::test]
async fn a_holder_that_was_killed_holds_nobody_up() {
    let (world, origin) = well().await;
    world.model().hold(LEAD);
    let first = world.spawn(RUN);
    world.model().is_asked(LEAD).await;
    first.kill();
    world.end(first).await;
    world.model().release(LEAD);
    came_to_the_fix(&origin, &world.loops(RUN).await);
    world.close().await;
}
