//! What a person says of a proposal, and what becomes of it then.

use std::fs;

use harness::world::Repository;
use serde_json::json;

use crate::cast::Ratings;

#[tokio::test]
async fn a_change_is_proven_again_on_a_base_that_has_moved_and_merged_there() {
    let shop = Ratings::world().await.well_played();
    let id = shop.proposed().await;
    let moved = shop
        .origin
        .commit("Say hello", &[("ratings/hello.py", "HELLO = \"hello\"\n")]);

    let approved = shop.world.loops(["approve", &id]).await;
    assert_eq!(approved.code, 0, "{approved}");
    for words in ["unit:", "reproduction:", "merged and proven again"] {
        assert!(approved.stdout.contains(words), "{words}: {approved}");
    }
    assert_eq!(
        shop.origin.file("main", Ratings::FILE),
        Ratings::MENDED.trim_end()
    );
    assert_eq!(shop.origin.file("main", "ratings/hello.py"), "HELLO = \"hello\"");
    let parents = shop.origin.git(&["show", "-s", "--format=%P", "main"]);
    assert!(parents.starts_with(&moved) && parents.contains(' '), "{parents}");
    let (well, output) = shop.origin.runs(Ratings::CHECK);
    assert!(well && output.contains("Ran 2 tests"), "{output}");
    assert_eq!(shop.findings().await, ["2 fixed"]);
    shop.world.close().await;
}

#[tokio::test]
async fn a_change_that_conflicts_with_the_moved_base_or_fails_there_is_not_merged() {
    let conflicts = (
        Ratings::FILE,
        Ratings::BUGGY.replace("sum(ratings)", "float(sum(ratings))"),
    );
    let other = "import unittest\n\nfrom ratings.stats import mean\n\n\nclass NothingTest(unittest.TestCase):\n    def \
                 test_nothing_is_an_error(self):\n        with self.assertRaises(ZeroDivisionError):\n            \
                 mean([])\n";
    let fails = ("tests/test_nothing.py", other.to_owned());
    for ((path, text), words) in [(conflicts, "conflicts"), (fails, "does not pass its checks")] {
        let shop = Ratings::world().await.well_played();
        let id = shop.proposed().await;
        let moved = shop.origin.commit("Something else", &[(path, &text)]);
        let approved = shop.world.loops(["approve", &id]).await;
        assert_eq!(approved.code, 4, "{approved}");
        assert!(
            approved.stdout.contains("is not merged") && approved.stdout.contains(words),
            "{approved}"
        );
        assert_eq!(shop.origin.head("main"), moved);
        let shown = shop.shown(&id).await;
        assert_eq!(
            shown["state"], "open",
            "it can still be revised or rejected: {shown:#}"
        );
        assert_eq!(shop.findings().await, ["2 proposed"]);
        shop.world.close().await;
    }
}

#[tokio::test]
async fn a_tree_that_somebody_works_in_is_left_alone_and_the_command_is_said() {
    let shop = Ratings::world().await.well_played();
    let work = shop.origin.checkout(&shop.world.path("work"));
    shop.world.define(&Ratings::file().repository("../work"));
    let id = shop.proposed().await;
    fs::write(work.path().join("ratings/__init__.py"), "# half a thought\n").unwrap();
    fs::write(work.path().join("notes.txt"), "half another\n").unwrap();
    let seen = |work: &Repository| (work.head("main"), work.git(&["status", "--porcelain"]));
    let before = seen(&work);
    assert!(
        before.1.contains("__init__.py") && before.1.contains("notes.txt"),
        "the tree is dirty: {before:?}"
    );

    let approved = shop.world.loops(["approve", &id, "--format", "json"]).await;
    assert_eq!(approved.code, 0, "{approved}");
    let answered = &approved.json()["answered"];
    assert_eq!(answered["state"], "approved", "{answered:#}");
    assert_eq!(seen(&work), before);
    assert_eq!(shop.shown(&id).await["state"], "approved");

    let command = answered["command"].as_str().unwrap();
    assert!(
        command.starts_with("git -C ") && command.contains("/work merge loops/fix/"),
        "{command}"
    );
    let words: Vec<&str> = command.split(' ').skip(3).collect();
    work.git(&words);
    assert_eq!(
        fs::read_to_string(work.path().join(Ratings::FILE)).unwrap(),
        Ratings::MENDED
    );
    assert_eq!(
        fs::read_to_string(work.path().join("notes.txt")).unwrap(),
        "half another\n"
    );
    let noticed = shop.world.loops(["status"]).await;
    assert!(noticed.stderr.contains("was merged"), "{noticed}");
    assert_eq!(shop.shown(&id).await["state"], "merged");
    assert_eq!(shop.findings().await, ["2 fixed"]);
    shop.world.close().await;
}

#[tokio::test]
async fn a_persons_words_reach_another_attempt_of_the_same_proposal() {
    const WORDS: &str = "Please write it as an early return";
    const EARLY: &str =
        "def mean(ratings):\n    if not ratings:\n        return 0\n    return sum(ratings) / len(ratings)\n";
    let shop = Ratings::world().await;
    shop.world.worker_told(Ratings::TITLE, WORDS, |s| {
        s.call("read", json!({"path": Ratings::FILE}))
            .call("write", json!({"path": Ratings::FILE, "content": EARLY}))
            .say("It returns early now, as was asked.")
    });
    let shop = shop.well_played();
    let id = shop.proposed().await;
    let first = shop.shown(&id).await;

    let revised = shop.world.loops(["revise", &id, WORDS, "--format", "json"]).await;
    assert_eq!(revised.code, 0, "{revised}");
    let task = &revised.json()["run"]["tasks"][0];
    assert_eq!(
        (&task["state"], &task["proposal"]["id"]),
        (&json!("proposed"), &json!(id)),
        "{task:#}"
    );
    let again = shop.shown(&id).await;
    for same in ["id", "branch", "task", "finding"] {
        assert_eq!(first[same], again[same], "{same}");
    }
    assert_ne!(first["head"], again["head"]);
    assert_eq!(again["state"], "open");
    assert!(
        again["page"].as_str().unwrap().contains("returns early now"),
        "{again:#}"
    );
    let branch = again["branch"].as_str().unwrap();
    assert_eq!(shop.origin.branches(), [branch, "main"]);
    assert_eq!(shop.origin.head(branch), again["head"].as_str().unwrap());
    assert_eq!(shop.origin.file(branch, Ratings::FILE), EARLY.trim_end());
    let old = format!("{}..{branch}", first["base"].as_str().unwrap());
    assert_eq!(
        shop.origin.git(&["rev-list", "--count", &old]),
        "1",
        "one commit, not a history of attempts"
    );

    let approved = shop.world.loops(["approve", &id]).await;
    assert_eq!(approved.code, 0, "{approved}");
    assert_eq!(shop.origin.file("main", Ratings::FILE), EARLY.trim_end());
    shop.world.close().await;
}

#[tokio::test]
async fn what_conflicts_with_the_moved_base_is_revised_on_it_and_merged() {
    const WORDS: &str = "the base has moved; do it again on it";
    let moved = Ratings::BUGGY.replace("sum(ratings)", "float(sum(ratings))");
    let shop = Ratings::world().await;
    shop.world.worker_told(Ratings::TITLE, WORDS, |s| {
        s.call("read", json!({"path": Ratings::FILE}))
            .calls([
                ("edit", json!({"path": Ratings::FILE, "old": "len(ratings)\n", "new": "len(ratings) if ratings else 0\n"})),
                ("write", json!({"path": Ratings::TESTS, "content": format!("{}{}", Ratings::TEST, Ratings::ADDED)})),
            ])
            .say("The same, on the code as it is now.")
    });
    let shop = shop.well_played();
    let id = shop.proposed().await;
    let head = shop
        .origin
        .commit("Divide floats", &[(Ratings::FILE, &moved), ("NEWS", "floats\n")]);
    assert_eq!(shop.world.loops(["approve", &id]).await.code, 4, "it conflicts");

    let revised = shop.world.loops(["revise", &id, WORDS]).await;
    assert_eq!(revised.code, 0, "{revised}");
    let named = format!("task      T1 {}", Ratings::TITLE);
    assert!(
        revised.stderr.contains(&named) && !revised.stderr.contains("T0"),
        "a task that goes on has its name: {revised}"
    );
    let told = shop
        .world
        .model()
        .requests_of(&format!("{} told {WORDS}", Ratings::TITLE));
    assert!(
        told[1].last_texts()[0].contains("float(sum(ratings))"),
        "it works on the base of now"
    );
    let first = told[0].last_texts().join("\n");
    assert!(
        first.contains("holds the code as it is now") && first.contains(WORDS),
        "{first}"
    );
    let shown = shop.shown(&id).await;
    assert_eq!((&shown["state"], &shown["base"]), (&json!("open"), &json!(head)));
    let approved = shop.world.loops(["approve", &id]).await;
    assert_eq!(approved.code, 0, "{approved}");
    let merged = shop.origin.file("main", Ratings::FILE);
    assert!(
        merged.contains("float(sum(ratings)) / len(ratings) if ratings else 0"),
        "{merged}"
    );
    assert_eq!(shop.origin.file("main", "NEWS"), "floats");
    shop.world.close().await;
}

#[tokio::test]
async fn an_attempt_on_a_base_that_moved_elsewhere_begins_with_what_the_last_one_left() {
    const WORDS: &str = "Please say why in a comment";
    let shop = Ratings::world().await;
    shop.world.worker_told(Ratings::TITLE, WORDS, |s| {
        s.calls([("read", json!({"path": Ratings::FILE})), ("read", json!({"path": "NEWS"}))])
            .call("edit", json!({"path": Ratings::FILE, "old": "def mean", "new": "# New products have no ratings.\ndef mean"}))
            .say("It says why now.")
    });
    let shop = shop.well_played();
    let id = shop.proposed().await;
    let head = shop.origin.commit("Tell news", &[("NEWS", "a new shop\n")]);
    let revised = shop.world.loops(["revise", &id, WORDS]).await;
    assert_eq!(revised.code, 0, "{revised}");
    let told = shop
        .world
        .model()
        .requests_of(&format!("{} told {WORDS}", Ratings::TITLE));
    let seen = told[1].last_texts().join("\n");
    assert!(
        seen.contains("if ratings else 0") && seen.contains("a new shop"),
        "{seen}"
    );
    assert_eq!(shop.world.loops(["approve", &id]).await.code, 0);
    assert_eq!(
        shop.origin.git(&["show", "-s", "--format=%P", "main"]),
        head,
        "nothing was left to merge"
    );
    assert_eq!(shop.origin.file("main", "NEWS"), "a new shop");
    shop.world.close().await;
}

#[tokio::test]
async fn an_attempt_that_a_person_asked_for_in_vain_leaves_the_proposal_as_it_stood() {
    const WORDS: &str = "Please make it return None";
    let shop = Ratings::world().await;
    shop.world.worker_told(Ratings::TITLE, WORDS, |s| {
        s.call(
            "write",
            json!({"path": Ratings::FILE, "content": "def mean(ratings):\n    return None\n"}),
        )
        .say("None it is.")
    });
    let shop = shop.well_played();
    let id = shop.proposed().await;
    let first = shop.shown(&id).await;
    let revised = shop.world.loops(["revise", &id, WORDS]).await;
    assert_ne!(revised.code, 0, "{revised}");
    let again = shop.shown(&id).await;
    for same in ["state", "head", "branch", "page"] {
        assert_eq!(first[same], again[same], "{same}");
    }
    assert_eq!(shop.findings().await, ["2 proposed"]);
    let approved = shop.world.loops(["approve", &id]).await;
    assert_eq!(
        approved.code, 0,
        "what was proven before can still be merged: {approved}"
    );
    assert_eq!(
        shop.origin.file("main", Ratings::FILE),
        Ratings::MENDED.trim_end()
    );
    shop.world.close().await;
}

#[tokio::test]
async fn what_a_person_refused_is_not_proposed_again_when_the_same_is_said_again() {
    for never in [false, true] {
        let shop = Ratings::world().await.well_played();
        let id = shop.proposed().await;
        assert_eq!(shop.origin.branches().len(), 2);
        let args = [
            "reject",
            &id,
            "--reason",
            "products without ratings are not shown",
            "--never",
        ];
        let rejected = match never {
            true => shop.world.loops(args).await,
            false => shop.world.loops([args[0], args[1], args[2], args[3]]).await,
        };
        assert_eq!(rejected.code, 0, "{rejected}");
        assert!(rejected.stdout.contains("branch is gone"), "{rejected}");
        assert_eq!(shop.origin.branches(), ["main"]);
        assert_eq!(shop.origin.file("main", Ratings::FILE), Ratings::BUGGY.trim_end());
        let answered = shop.world.loops(["approve", &id]).await;
        assert_eq!(answered.code, 1, "what is refused cannot be approved: {answered}");

        let asked = shop.world.model().requests().len();
        shop.said_again();
        let ran = shop.world.loops(["run", "fix", "--exit-code"]).await;
        assert_eq!(ran.code, 5, "{ran}");
        assert_eq!(shop.world.model().requests().len(), asked, "no model was asked");
        assert_eq!(shop.findings().await, ["4 refused"]);
        shop.something_else_said();
        let ran = shop.world.loops(["run", "fix", "--exit-code"]).await;
        assert_eq!(ran.code, 0, "another problem is worked on: {ran}");
        assert!(shop.world.model().requests().len() > asked);
        shop.world.close().await;
    }
}

#[tokio::test]
async fn a_reviewer_who_stays_unconvinced_is_heard_on_the_page() {
    let concern = "ratings/stats.py:2: mean(None) is 0 now, and was an error";
    let shop = Ratings::world().await;
    shop.world.define(&Ratings::file().attempts(1));
    shop.world.reviewer(Ratings::TITLE, |s| {
        s.call(
            "verdict",
            json!({"approve": false, "concerns": [concern], "summary": "None is hidden."}),
        )
    });
    let shop = shop.well_played();
    let id = shop.proposed().await;
    let page = shop.world.loops(["review", &id, "--markdown"]).await;
    assert!(page.stdout.contains(concern), "{page}");
    shop.world.close().await;
}
