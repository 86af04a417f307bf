//! What those who reported something hear of it, and what nobody hears who was not told: on GitHub and in Slack.

use harness::{
    github::{Fault, GitHub, Match},
    slack::{SCOPES, Slack},
    world::SHOP,
};
use serde_json::json;

use crate::cast::{Ratings, approves, lead};

const ON: &str = "notify: { reporters: on }\n";
const COMMENTS: &str = "/repos/acme/shop/issues/1/comments";

/// What stands under an issue, ours alone.
fn ours(hub: &GitHub, issue: u64) -> Vec<String> {
    let mut there = hub.world();
    let all = there.repo(SHOP).comments.values();
    all.filter(|comment| comment.issue == issue && comment.body.contains("<!-- loops:"))
        .map(|comment| comment.body.clone())
        .collect()
}

/// The number of the one pull request.
fn pull(hub: &GitHub) -> u64 {
    let mut there = hub.world();
    let all: Vec<u64> = there
        .repo(SHOP)
        .issues
        .values()
        .filter(|issue| issue.pull.is_some())
        .map(|issue| issue.number)
        .collect();
    let [number] = all[..] else {
        panic!("one pull request: {all:?}")
    };
    number
}

/// The shop on GitHub, whose loop tells reporters.
async fn telling() -> (Ratings, GitHub) {
    let (shop, hub) = Ratings::on_github().await;
    shop.world.define(&Ratings::file().on_github(SHOP).more(ON));
    (shop.well_played(), hub)
}

#[tokio::test]
async fn reporters_on_github_hear_once_when_it_is_proposed_and_once_when_it_is_merged() {
    let (shop, hub) = telling().await;
    // The word is said, and nobody hears that it was.
    hub.world()
        .fault(Match::new("POST", COMMENTS).exact(), Fault::CutAfter, 1);
    shop.proposed().await;
    shop.world.loops(["run", "fix"]).await;
    let said = ours(&hub, 1);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("A change for this is proposed: [Give the mean of no ratings](<")
            && said[0].contains("/pull/"),
        "{said:?}"
    );
    let number = pull(&hub);
    {
        let mut there = hub.world();
        there.set_draft(SHOP, number, "carol", false);
        there.merge(SHOP, number, "carol");
    }
    for _ in 0..2 {
        shop.world.loops(["run", "fix"]).await;
    }
    let said = ours(&hub, 1);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[1].contains("A change for this is merged: ["), "{said:?}");
    hub.check();
    shop.world.close().await;
}

#[tokio::test]
async fn reporters_hear_nothing_unless_the_loop_says_so() {
    let (shop, hub) = Ratings::on_github().await;
    let shop = shop.well_played();
    shop.proposed().await;
    assert_eq!(ours(&hub, 1), Vec::<String>::new());
    hub.check();
    shop.world.close().await;
}

const QUESTION: &str = "Which browser was it, and did @everyone see it?";

#[tokio::test]
async fn the_lead_asks_once_where_it_was_reported_and_waits_for_the_answer() {
    let (shop, hub) = Ratings::on_github().await;
    shop.world.define(&Ratings::file().on_github(SHOP).more(ON));
    let ask = json!({"finding": "F1", "question": QUESTION});
    let again = json!({"finding": "F1", "question": "And which version?"});
    // The lead agent of the run after the answer.
    shop.world.lead_about("its reporters were asked", |s| {
        lead(s, Ratings::FILE, Ratings::TITLE, "mean([]) is 0")
    });
    shop.world.lead_about("ZeroDivisionError", |s| {
        s.call("ask", ask)
            .call("ask", again.clone())
            .call("finish", json!({"report": "A question is open."}))
    });
    let first = shop.world.loops(["run", "fix", "--format", "json"]).await;
    assert_eq!(first.code, 0, "{first}");
    let said = ours(&hub, 1);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("Which browser was it") && !said[0].contains("@everyone"),
        "{said:?}"
    );
    let requests = shop.world.model().requests_of("ZeroDivisionError");
    let refused: Vec<String> = requests.iter().flat_map(|one| one.last_texts()).collect();
    assert!(
        refused.iter().any(|text| text.contains("that is the only time")),
        "{refused:?}"
    );

    // Without an answer nothing is begun, and no model is asked.
    let before = shop.world.model().requests().len();
    shop.world.loops(["run", "fix"]).await;
    assert_eq!(shop.world.model().requests().len(), before);

    hub.world().comment(SHOP, 1, "dave", "It was in Firefox.");
    let shop = shop.well_played();
    shop.proposed().await;
    let requests = shop.world.model().requests_of("its reporters were asked");
    let told: String = requests.iter().flat_map(|one| one.last_texts()).collect();
    assert!(
        told.contains("Which browser was it"),
        "the next lead agent knows: {told}"
    );
    assert!(told.contains("It was in Firefox"), "and reads the answer: {told}");
    hub.check();
    shop.world.close().await;
}

#[tokio::test]
async fn who_reports_in_a_file_cannot_be_asked_and_a_loop_that_tells_nobody_asks_nobody() {
    let shop = Ratings::world().await;
    shop.world.define(&Ratings::file().more(ON));
    let script = |s: harness::model::Script| {
        s.call("ask", json!({"finding": "F1", "question": QUESTION}))
            .call("finish", json!({"report": "Nobody knows."}))
    };
    let answers = |about: &str| -> Vec<String> {
        let all = shop.world.model().requests_of(about);
        all.iter().flat_map(|one| one.last_texts()).collect()
    };
    shop.world.lead_about("ZeroDivisionError", script);
    shop.world.loops(["run", "fix"]).await;
    let said = answers("ZeroDivisionError");
    assert!(
        said.iter().any(|text| text.contains("nobody can be asked")),
        "{said:?}"
    );

    shop.world.define(&Ratings::file());
    shop.something_else_said();
    shop.world.lead_about("Danish", script);
    shop.said_again();
    shop.world.lead_about("ZeroDivisionError", script);
    shop.world.loops(["run", "fix"]).await;
    let said = answers("ZeroDivisionError");
    assert!(
        said.iter().any(|text| text.contains("There is no tool `ask`")),
        "{said:?}"
    );
    shop.world.close().await;
}

/// What was said in private; and a title of an agent that repeats it.
const PRIVATE: &str = "ZeroDivisionError: division by zero, the page of our secret partner Umbrella Works crashes on products without ratings";
const TITLE: &str = "Mend the page of our secret partner Umbrella Works";

/// The shop on GitHub with a private report beside the public ones, and agents who repeat its words in the title.
async fn in_private(more: &str, proposal: &str) -> (Ratings, GitHub) {
    let (shop, hub) = Ratings::on_github().await;
    let line =
        json!({"id": "p1", "at": "2026-03-02T09:00:00Z", "author": "eve", "text": PRIVATE, "private": true});
    shop.world.write("feedback.jsonl", &format!("{line}\n"));
    let yaml = Ratings::file()
        .on_github(SHOP)
        .sources("[{ github_issues: {} }, { file: { path: ../feedback.jsonl } }]")
        .more(more)
        .yaml()
        .replace("proposal: {", &format!("proposal: {{ {proposal},"));
    shop.world.write(".loops/fix.yaml", &yaml);
    (shop, hub)
}

#[tokio::test]
async fn a_plan_s_title_says_nothing_in_public_that_was_said_in_private() {
    for (private, is_said) in [("withhold", false), ("quote", true)] {
        let (shop, hub) = in_private("", &format!("autonomy: plan_first, private: {private}")).await;
        shop.world.lead_about("ZeroDivisionError", |s| {
            let task = json!({"findings": ["F1"], "worker": "fix", "title": TITLE, "goal": "mean([]) is 0", "acceptance": ["0"]});
            s.call("spawn", task)
                .call("finish", json!({"report": "One plan waits."}))
        });
        for _ in 0..2 {
            let ran = shop.world.loops(["run", "fix"]).await;
            assert_eq!(ran.code, 0, "{ran}");
        }
        let there: String = {
            let mut there = hub.world();
            let issues = there.repo(SHOP).issues.values();
            issues
                .map(|issue| format!("{}\n{}\n", issue.title, issue.body.clone().unwrap_or_default()))
                .collect()
        };
        assert!(there.contains("A plan, `"), "{there}");
        assert_eq!(there.contains("Umbrella"), is_said, "{private}: {there}");
        hub.check();
        shop.world.close().await;
    }
}

#[tokio::test]
async fn slack_and_an_issue_hear_nothing_of_a_proposal_that_was_said_in_private() {
    for (private, is_said) in [("withhold", false), ("quote", true)] {
        let more = "notify: { slack: '#eng', reporters: on }\n";
        let (shop, hub) = in_private(more, &format!("private: {private}")).await;
        let slack = Slack::start().await;
        let (bot, eng) = {
            let mut there = slack.world();
            (there.token(&SCOPES), there.channel("eng"))
        };
        let settings = format!(
            "github:\n  api: {}\n  token: ${{LOOPS_TEST_GITHUB}}\n  write_gap: 0s\n",
            hub.url()
        );
        shop.world
            .slack_login(&slack, &bot, "xapp-1-unused-in-this-story", "", &settings);
        shop.world.lead_about("ZeroDivisionError", |s| {
            lead(s, Ratings::FILE, TITLE, "mean([]) is 0")
        });
        shop.world.worker(TITLE, |s| {
            let tests = format!("{}{}", Ratings::TEST, Ratings::ADDED);
            s.calls([
                ("write", json!({"path": Ratings::TESTS, "content": tests})),
                (
                    "write",
                    json!({"path": Ratings::FILE, "content": Ratings::MENDED}),
                ),
            ])
            .say("Done.")
        });
        shop.world.reviewer(TITLE, |s| approves(s, Ratings::FILE));
        shop.proposed().await;
        let in_slack: Vec<String> = slack
            .world()
            .said_by_us(&eng)
            .into_iter()
            .map(|one| one.text)
            .collect();
        let on_github = ours(&hub, 1);
        assert_eq!(
            (in_slack.len(), on_github.len()),
            (1, 1),
            "{in_slack:?} {on_github:?}"
        );
        assert_eq!(
            in_slack[0].contains("Umbrella"),
            is_said,
            "{private}: {in_slack:?}"
        );
        assert_eq!(
            on_github[0].contains("Umbrella"),
            is_said,
            "{private}: {on_github:?}"
        );
        hub.check();
        slack.check();
        shop.world.close().await;
    }
}
