//! Files of feedback that are empty, broken, huge, gone or rewritten: what can be read is read, and nothing twice.

use std::fs;

use harness::world::{Ran, Said, World};

use crate::small_story::{RUN, came_to_the_fix, people_said, spec, told, well};

/// How many signals a run read as new, by its own words.
fn new(ran: &Ran) -> &str {
    let line = ran
        .stderr
        .lines()
        .find(|line| line.starts_with("collect"))
        .unwrap_or_default();
    line.rsplit_once(": ").map_or("nothing", |(_, found)| found)
}

async fn nothing_to_do(world: &World) -> Ran {
    let ran = world
        .loops(["run", "fix", "--exit-code", "--format", "json"])
        .await;
    assert_eq!(ran.code, 5, "{ran}");
    assert!(
        world.model().requests().is_empty(),
        "no model is asked about nothing"
    );
    ran
}

#[tokio::test]
async fn an_empty_file_is_nothing_to_do_and_costs_nothing() {
    let (world, _) = told().await;
    for text in ["", "\n\n \n", "\u{feff}"] {
        world.write("feedback.jsonl", text);
        assert_eq!(new(&nothing_to_do(&world).await), "0 new", "{text:?}");
    }
    world.close().await;
}

#[tokio::test]
async fn bad_lines_are_told_by_their_numbers_and_the_rest_is_read() {
    let (world, origin) = well().await;
    let good = fs::read_to_string(world.path("feedback.jsonl")).unwrap();
    let huge = format!("{{\"text\": \"{}\"}}\n", "a".repeat(5 << 20));
    let bad = "{\"text\": 7}\nnot json \u{1b}[31m at all\n{\"at\": \"2026-03-02T09:00:00Z\"}\n";
    let mut bytes = format!("{bad}{huge}").into_bytes();
    bytes.extend(b"{\"text\": \"\xff\"}\n");
    bytes.extend(good.as_bytes());
    bytes.extend(b"{\"text\": \"cut o");
    fs::write(world.path("feedback.jsonl"), bytes).unwrap();
    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    assert_eq!(new(&ran), "3 new", "{ran}");
    for words in ["line 1: ", "line 2: ", "line 3: ", "and 3 more"] {
        assert!(ran.stderr.contains(words), "`{words}` is not in {ran}");
    }
    assert!(
        !ran.stderr.contains('\u{1b}'),
        "what a file says does not reach the terminal as commands: {ran}"
    );
    world.close().await;
}

#[tokio::test]
async fn a_line_of_five_megabytes_does_not_hold_up_the_others() {
    let (world, _) = told().await;
    let huge = format!("{{\"text\": \"{}\"}}\n", "a".repeat(5 << 20));
    world.write("feedback.jsonl", &huge);
    let ran = nothing_to_do(&world).await;
    assert!(
        ran.stderr.contains("line 1: the line is longer than 1 MiB"),
        "{ran}"
    );
    assert!(ran.all().len() < 10_000, "it is not printed");
    world.close().await;
}

#[tokio::test]
async fn a_file_that_is_gone_fails_the_run_in_words_and_does_not_hurt_what_is_known() {
    let (world, origin) = well().await;
    world.model().outage(Some(harness::model::Fault::WrongKey));
    assert_eq!(world.loops(RUN).await.code, 1);
    world.model().outage(None);
    fs::rename(world.path("feedback.jsonl"), world.path("elsewhere.jsonl")).unwrap();
    let gone = world.loops(RUN).await;
    assert_eq!(gone.code, 1, "{gone}");
    assert!(
        gone.stderr.contains("there is no file at") && gone.stderr.contains("feedback.jsonl"),
        "{gone}"
    );
    assert_eq!(
        gone.stderr.matches("there is no file at").count(),
        1,
        "it is told once: {gone}"
    );
    fs::rename(world.path("elsewhere.jsonl"), world.path("feedback.jsonl")).unwrap();
    let back = world.loops(RUN).await;
    came_to_the_fix(&origin, &back);
    assert_eq!(new(&back), "0 new", "nothing is read twice: {back}");
    world.close().await;
}

#[tokio::test]
async fn a_file_that_is_named_twice_is_refused_and_one_that_is_rewritten_gives_each_signal_once() {
    let (world, origin) = well().await;
    let source = "{ file: { path: ../feedback.jsonl } }";
    world.define(&spec().sources(&format!("[{source}, {source}]")));
    let twice = world.loops(RUN).await;
    assert_eq!(twice.code, 2, "{twice}");
    assert!(twice.stderr.contains("the same source is there twice"), "{twice}");
    world.define(&spec());
    came_to_the_fix(&origin, &world.loops(RUN).await);
    let asked = world.model().requests().len();
    fs::remove_file(world.path("feedback.jsonl")).unwrap();
    world.feedback(&[Said::by("dora", "thanks, great shop!")]);
    people_said(&world);
    let again = world.loops(RUN).await;
    assert_eq!(again.code, 0, "{again}");
    assert_eq!(again.json()["run"]["state"], "nothing_to_do", "{again}");
    assert_eq!(new(&again), "1 new", "{again}");
    assert_eq!(world.model().requests().len(), asked);
    world.close().await;
}
