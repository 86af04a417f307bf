//! Two bugs in Python, tested with unittest.

use harness::world::{LoopFile, Said, World, slack_export};
use serde_json::json;

use super::{PROVEN, attempts, evidence, look_and_approve};
use crate::cast::{approves, lead, run};

const CHECK: &str = "python3 -m unittest -v";

#[tokio::test]
async fn a_mean_of_nothing_is_nothing_after_a_wrong_edit_a_wrong_file_and_a_broken_command() {
    const TITLE: &str = "Give the mean of no ratings";
    let world = World::start().await;
    let origin = world.repository(&[
        ("ratings/__init__.py", ""),
        ("ratings/stats.py", "def mean(ratings):\n    return sum(ratings) / len(ratings)\n"),
        ("tests/__init__.py", ""),
        (
            "tests/test_stats.py",
            "import unittest\n\nfrom ratings.stats import mean\n\n\nclass MeanTest(unittest.TestCase):\n    def \
             test_mean(self):\n        self.assertEqual(mean([1, 3]), 2)\n",
        ),
    ]);
    world.define(&LoopFile::new("fix", CHECK).write(["ratings/**", "tests/**"]));
    world.feedback(&[
        Said::by(
            "anna",
            "The page of a product without ratings crashes with ZeroDivisionError: division by zero",
        ),
        Said::by(
            "ben",
            "ZeroDivisionError: division by zero on products that have no ratings yet",
        ),
        Said::by(
            "cleo",
            "Opening a new product that has no ratings crashes: ZeroDivisionError division by zero",
        ),
        Said::by("dora", "thanks, great shop!"),
    ]);
    world.lead(|s| lead(s, "ratings/stats.py", TITLE, "mean([]) is 0"));
    world.worker(TITLE, |s| {
        s.call("read", json!({"path": "ratings/statistics.py"}))
            .calls([("read", json!({"path": "ratings/stats.py"})), ("read", json!({"path": "tests/test_stats.py"}))])
            .call("edit", json!({"path": "ratings/stats.py", "old": "return sum(ratings)/len(ratings)", "new": "?"}))
            .call("run", json!({"command": "python3 -m unitest"}))
            .call(
                "edit",
                json!({"path": "tests/test_stats.py", "old": "(mean([1, 3]), 2)\n", "new": "(mean([1, 3]), 2)\n\n    \
                       def test_nothing(self):\n        self.assertEqual(mean([]), 0)\n"}),
            )
            .call("run", json!({"command": CHECK}))
            .call(
                "edit",
                json!({"path": "ratings/stats.py", "old": "    return sum(ratings) / len(ratings)", "new": "    return \
                       sum(ratings) / len(ratings) if ratings else 0"}),
            )
            .call("run", json!({"command": CHECK}))
            .say("The mean of no ratings divided by zero; it is 0 now. The new test failed before and passes.")
    });
    world.reviewer(TITLE, |s| approves(s, "ratings/stats.py"));

    let run = run(&world).await;
    assert_eq!(attempts(&run), ["work", "prove", "review"]);
    assert_eq!(evidence(&run), PROVEN);
    assert_eq!(run["findings"][0]["reporters"], 3, "{run:#}");
    let session = world.model().requests_of(&format!("# Task: {TITLE}\n"));
    let heard: Vec<String> = session.iter().flat_map(|request| request.last_texts()).collect();
    for trouble in ["statistics.py", "No module named unitest", "test_nothing", "OK"] {
        assert!(
            heard.iter().any(|text| text.contains(trouble)),
            "{trouble} is not in {heard:#?}"
        );
    }
    let page = look_and_approve(
        &world,
        &origin,
        &run,
        "ratings/stats.py",
        "if ratings else 0",
        CHECK,
    )
    .await;
    assert!(page.stdout.contains("3 people"), "{page}");
    world.close().await;
}

#[tokio::test]
async fn a_sham_fix_is_sent_back_with_words_and_the_second_one_is_right() {
    const TITLE: &str = "Read dates with the day first";
    const CODE: &str = "from datetime import date\n\n\ndef read(text):\n    first, second, year = text.split(\".\")\n    \
                        return date(int(year), int(first), int(second))\n";
    const TEST: &str = "import unittest\nfrom datetime import date\n\nfrom booking.dates import read\n\n\nclass \
                        ReadTest(unittest.TestCase):\n    def test_same(self):\n        \
                        self.assertEqual(read(\"4.4.2026\"), date(2026, 4, 4))\n";
    let world = World::start().await;
    let origin = world.repository(&[
        ("booking/__init__.py", ""),
        ("booking/dates.py", CODE),
        ("tests/__init__.py", ""),
        ("tests/test_dates.py", TEST),
    ]);
    slack_export(
        &world.path("export"),
        "booking-feedback",
        &[
            Said::by(
                "emil",
                "I booked for 3.4.2026 and the confirmation says the 4th of March, day and month are swapped",
            ),
            Said::by(
                "fay",
                "day and month are swapped in my confirmation: booked 3.4.2026, it says 4th of March",
            ),
            Said::by("gus", "good morning everyone"),
        ],
    );
    world.define(&LoopFile::new("fix", CHECK).source("../export"));
    world.lead(|s| {
        lead(
            s,
            "booking/dates.py",
            TITLE,
            "read(\"3.4.2026\") is the third of April",
        )
    });
    let fix = json!({"path": "booking/dates.py", "old": "int(first), int(second))", "new": "int(second), int(first))"});
    let added = |day: &str, month: u32| {
        format!(
            "{TEST}\n    def test_day_first(self):\n        self.assertEqual(read(\"{day}\"), date(2026, {month}, \
             {}))\n",
            if month == 4 { 3 } else { 5 }
        )
    };
    let (sham, right) = (added("5.5.2026", 5), added("3.4.2026", 4));
    world.worker_told(TITLE, "reproduction", |s| {
        s.call("read", json!({"path": "tests/test_dates.py"}))
            .call("write", json!({"path": "tests/test_dates.py", "content": right}))
            .call("run", json!({"command": CHECK}))
            .say("The test now uses a date that tells day from month; it fails without the fix.")
    });
    world.worker(TITLE, |s| {
        s.call("write", json!({"path": "tests/test_dates.py", "content": sham}))
            .call("edit", fix)
            .say("Fixed, with a test.")
    });
    world.reviewer(TITLE, |s| approves(s, "booking/dates.py"));

    let run = run(&world).await;
    assert_eq!(attempts(&run), ["work", "prove", "work", "prove", "review"]);
    assert_eq!(evidence(&run), PROVEN, "of the change that is proposed");
    let again = &world.model().requests_of(&format!("{TITLE} told reproduction"))[0];
    let told = again.last_texts().join("\n");
    assert!(
        told.contains("- reproduction:") && told.contains("these did not pass"),
        "{told}"
    );
    look_and_approve(
        &world,
        &origin,
        &run,
        "booking/dates.py",
        "int(second), int(first)",
        CHECK,
    )
    .await;
    assert!(origin.file("main", "tests/test_dates.py").contains("3.4.2026"));
    world.close().await;
}
