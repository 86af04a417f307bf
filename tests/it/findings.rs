//! What a person says of findings, and what becomes of people's words.

use harness::world::{BOT, LoopFile, SHOP, Said, World};
use serde_json::{Value, json};

use crate::cast::Ratings;

const EXPORT: &str = "The invoice export is empty when the customer has no tax number";
const EXPORT_AGAIN: &str = "invoice exprot is EMPTY if customer has no tax number!!";
const SEARCH: &str = "Search does not find products with an umlaut in the name";
const SEARCH_AGAIN: &str = "search doesn't find prodcuts with umlauts in their name, thanks";

/// A loop that finds and starts nothing.
fn file() -> LoopFile {
    LoopFile::new("fix", "true").more("triage: { min_signals: 99 }\n")
}

async fn world() -> World {
    let world = World::start().await;
    world.repository(&[("README.md", "a shop")]);
    world.define(&file());
    world.feedback(&[
        Said::by("anna", EXPORT).id("1"),
        Said::by("ben", EXPORT_AGAIN).id("2"),
        Said::by("cleo", SEARCH).id("3"),
    ]);
    ran(&world, ["run", "fix"]).await;
    world
}

async fn ran<const N: usize>(world: &World, args: [&str; N]) -> String {
    let ran = world.loops(args).await;
    assert_eq!(ran.code, 0, "{ran}");
    ran.stdout
}

async fn findings(world: &World) -> Vec<Value> {
    let listed = world.loops(["findings", "--format", "json"]).await.json();
    let mut all = listed.as_array().unwrap().clone();
    all.sort_by_key(|row| std::cmp::Reverse(row["signals"].as_u64()));
    all
}

/// The finding with these words in one of its signals.
async fn finding(world: &World, words: &str) -> String {
    let listed = world
        .loops(["findings", "--text", words, "--format", "json"])
        .await
        .json();
    let all = listed.as_array().unwrap();
    assert_eq!(all.len(), 1, "{words}: {listed:#}");
    all[0]["id"].as_str().unwrap().to_owned()
}

async fn signal(world: &World, id: &str, author: &str) -> String {
    let shown = world.loops(["show", id, "--format", "json"]).await.json();
    let signals = shown["signals"].as_array().unwrap().clone();
    let mut of = signals.iter().filter(|signal| signal["author"] == author);
    of.next().unwrap()["id"].as_str().unwrap().to_owned()
}

async fn says(world: &World, said: Said) {
    world.feedback(&[said]);
    ran(world, ["run", "fix"]).await;
}

#[tokio::test]
async fn what_a_person_merged_draws_what_is_like_any_of_it_also_after_a_restart() {
    let world = world().await;
    assert_eq!(
        findings(&world).await.len(),
        2,
        "a control: they are two by themselves"
    );
    let (export, search) = (finding(&world, "tax").await, finding(&world, "umlaut").await);
    ran(
        &world,
        ["findings", "merge", &export, &search, "--reason", "one cause"],
    )
    .await;
    says(&world, Said::by("dan", SEARCH_AGAIN).id("4")).await;
    let all = findings(&world).await;
    assert_eq!((all.len(), all[0]["signals"].as_u64()), (1, Some(4)), "{all:#?}");
    assert_eq!(all[0]["reporters"], 4, "rows are flat");
    let shown = ran(&world, ["show", &export]).await;
    for words in [
        "made a part of it by ",
        ": one cause",
        "asked by anna, ben, cleo, dan",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    ran(&world, ["audit", "verify"]).await;
    world.close().await;
}

#[tokio::test]
async fn what_a_person_split_stays_apart_whatever_it_says() {
    let world = world().await;
    let export = finding(&world, "tax").await;
    let ben = signal(&world, &export, "ben").await;
    ran(
        &world,
        ["findings", "split", &export, &ben, "--reason", "another export"],
    )
    .await;
    assert_eq!(findings(&world).await.len(), 3);
    // Its words are read anew, and are nearly those of the finding that it was taken out of.
    says(&world, Said::by("ben", EXPORT).id("2")).await;
    let all = findings(&world).await;
    assert_eq!(all.len(), 3, "{all:#?}");
    assert!(all.iter().all(|row| row["signals"] == 1), "{all:#?}");
    let none = world.loops(["findings", "split", &export, &ben]).await;
    assert_eq!(none.code, 1, "{none}");
    assert!(none.stderr.contains("is no signal of"), "{none}");
    // Merged again, it is one: the last word counts.
    let apart = all
        .iter()
        .find(|row| row["id"] != export.as_str() && row["title"] != SEARCH);
    let apart = apart.unwrap()["id"].as_str().unwrap().to_owned();
    ran(&world, ["findings", "merge", &export, &apart]).await;
    says(&world, Said::by("ben", EXPORT_AGAIN).id("2")).await;
    assert_eq!(findings(&world).await[0]["signals"], 2);
    ran(&world, ["audit", "verify"]).await;
    world.close().await;
}

#[tokio::test]
async fn a_person_refuses_and_reopens_while_the_service_has_the_state() {
    let world = world().await;
    let search = finding(&world, "umlaut").await;
    let mut service = world.spawn(["serve"]);
    assert!(service.says("serving the loops").await);
    ran(
        &world,
        [
            "findings",
            "refuse",
            &search,
            "--reason",
            "the index is on its way",
        ],
    )
    .await;
    let refused = ran(&world, ["findings", "--in", "refused"]).await;
    assert!(refused.contains("Search does not find"), "{refused}");
    let shown = ran(&world, ["show", &search]).await;
    assert!(shown.contains("refused: the index is on its way"), "{shown}");
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    says(&world, Said::by("dan", SEARCH_AGAIN).id("4")).await;
    let refused = ran(&world, ["findings", "--in", "refused"]).await;
    assert!(refused.contains("2 signals"), "it stays refused: {refused}");
    ran(&world, ["findings", "reopen", &search]).await;
    let open = ran(
        &world,
        ["findings", "--in", "open", "--text", "UMLAUT", "--kind", "people"],
    )
    .await;
    assert!(open.contains("2 signals"), "{open}");
    for narrow in [
        ["--kind", "machines"],
        ["--since", "2026-03-03T00:00:00Z"],
        ["--text", "100%"],
    ] {
        let listed = ran(&world, ["findings", narrow[0], narrow[1]]).await;
        assert!(listed.contains("no finding like that"), "{listed}");
    }
    world.close().await;
}

/// Whether these bytes stand anywhere in the state.
fn kept(world: &World, words: &str) -> bool {
    let holds = |path: std::path::PathBuf| {
        std::fs::read(path).is_ok_and(|bytes| bytes.windows(words.len()).any(|part| part == words.as_bytes()))
    };
    std::fs::read_dir(world.state())
        .unwrap()
        .any(|entry| holds(entry.unwrap().path()))
}

#[tokio::test]
async fn what_a_loop_redacts_is_never_kept() {
    const TEXT: &str = "ann.lee@shop.example cannot pay, customer CUST-4711, call +49 30 9018 2014";
    for (redact, is_kept) in [
        (
            "redact: { all: [email, phone], file: [\"/CUST-[0-9]+/\"] }\n",
            false,
        ),
        // The control: without the rule all of it stands there.
        ("", true),
    ] {
        let world = World::start().await;
        world.repository(&[("README.md", "a shop")]);
        world.define(&file().more(redact));
        world.feedback(&[Said::by("joe@shop.example", TEXT)]);
        ran(&world, ["run", "fix"]).await;
        for words in ["ann.lee", "CUST-4711", "9018 2014", "joe@shop"] {
            assert_eq!(kept(&world, words), is_kept, "{words}");
        }
        assert!(kept(&world, "cannot pay"), "the rest is what is worked on");
        world.close().await;
    }
}

#[tokio::test]
async fn an_erased_person_has_no_words_left_and_the_ledger_is_whole() {
    let world = world().await;
    let export = finding(&world, "tax").await;
    let anna = signal(&world, &export, "anna").await;
    let only_said = ran(&world, ["erase", "anna"]).await;
    assert!(only_said.contains("--yes"), "{only_said}");
    assert!(
        ran(&world, ["show", &export]).await.contains(EXPORT),
        "nothing is erased yet"
    );
    ran(&world, ["erase", "anna", "--yes"]).await;
    let shown = ran(&world, ["show", &export]).await;
    assert!(!shown.contains(EXPORT) && !shown.contains("anna"), "{shown}");
    let of_anna = ran(&world, ["show", &anna]).await;
    assert!(of_anna.contains("its words were taken away"), "{of_anna}");
    // What reads the file again does not bring them back.
    ran(&world, ["run", "fix"]).await;
    assert!(!ran(&world, ["show", &export]).await.contains(EXPORT));
    // The last one of a finding takes its title along.
    let search = finding(&world, "umlaut").await;
    ran(&world, ["erase", &signal(&world, &search, "cleo").await, "--yes"]).await;
    let listed = ran(&world, ["findings"]).await;
    assert!(!listed.contains("umlaut"), "{listed}");
    ran(&world, ["audit", "verify"]).await;
    let nobody = world.loops(["erase", "zoe"]).await;
    assert_eq!(nobody.code, 2, "{nobody}");
    world.close().await;
}

#[tokio::test]
async fn what_is_older_than_retention_keeps_is_taken_away_by_command_and_by_the_service() {
    let world = world().await;
    world.settings("retention: { transcripts: never }\n");
    let none = world.loops(["erase", "--old", "--yes"]).await;
    assert_eq!(none.code, 2, "a control: without a setting nothing goes: {none}");
    assert!(ran(&world, ["findings"]).await.contains("umlaut"));
    world.settings("retention: { signals: 30d, transcripts: 7d }\n");
    let mut service = world.spawn(["serve"]);
    assert!(
        service
            .says("what is older than `retention` keeps: 3 signals")
            .await
    );
    service.interrupt();
    assert_eq!(world.end(service).await.code, 0);
    assert!(!ran(&world, ["findings"]).await.contains("umlaut"));
    let again = ran(&world, ["erase", "--old", "--yes"]).await;
    assert!(again.contains("0 signals"), "{again}");
    ran(&world, ["audit", "verify"]).await;
    world.close().await;
}

/// What was said in a private channel, in words that an agent might repeat.
const PRIVATE: &str = "ZeroDivisionError: division by zero, the page of our secret partner Umbrella Works crashes on products without ratings";

#[tokio::test]
async fn words_of_a_private_channel_stay_out_of_a_pull_request_unless_the_loop_lets_them() {
    for (private, is_quoted) in [("withhold", false), ("quote", true)] {
        let (shop, hub) = Ratings::on_github().await;
        // The worker says what it has read when somebody asks for something else,
        let content = format!("# Because\n{}", Ratings::MENDED);
        shop.world.worker_told(Ratings::TITLE, "say why", |s| {
            s.call("write", json!({"path": Ratings::FILE, "content": content}))
                .say("It says why the page of our secret partner Umbrella Works crashes.")
        });
        // and before that in its account.
        shop.world.worker(Ratings::TITLE, |s| {
            s.calls([
                (
                    "write",
                    json!({"path": Ratings::TESTS, "content": format!("{}{}", Ratings::TEST, Ratings::ADDED)}),
                ),
                ("write", json!({"path": Ratings::FILE, "content": Ratings::MENDED})),
            ])
            .call("run", json!({"command": Ratings::CHECK}))
            .say("Now the page of our secret partner Umbrella Works is shown.")
        });
        let shop = shop.well_played();
        let line = json!({"id": "p1", "at": "2026-03-02T09:00:00Z", "author": "eve", "text": PRIVATE, "private": true});
        shop.world.write("feedback.jsonl", &format!("{line}\n"));
        let yaml = Ratings::file()
            .on_github(SHOP)
            .sources("[{ file: { path: ../feedback.jsonl } }]")
            .yaml()
            .replace("max_open: 5", &format!("max_open: 5, private: {private}"));
        shop.world.write(".loops/fix.yaml", &yaml);
        let ran = shop.world.loops(["run", "fix", "--format", "json"]).await;
        assert_eq!(ran.code, 0, "{ran}");
        let bodies: String = {
            let mut there = hub.world();
            let issues = &there.repo(SHOP).issues;
            issues
                .values()
                .map(|issue| format!("{}\n{}\n", issue.title, issue.body.clone().unwrap_or_default()))
                .collect()
        };
        assert!(
            bodies.contains(Ratings::TITLE),
            "a pull request was opened: {bodies}"
        );
        assert_eq!(bodies.contains("Umbrella"), is_quoted, "{private}: {bodies}");

        // What is told of it later goes by the same rule.
        {
            let mut there = hub.world();
            let pulls = there.repo(SHOP).issues.values();
            let number = pulls
                .filter(|issue| issue.pull.is_some())
                .map(|issue| issue.number)
                .next()
                .unwrap();
            there.review_comment(SHOP, number, "carol", (Ratings::FILE, 2), "Please say why");
            there.comment(SHOP, number, "carol", "/loops explain");
        }
        for _ in 0..2 {
            let ran = shop.world.loops(["run", "fix"]).await;
            assert!(matches!(ran.code, 0 | 4), "{ran}");
        }
        let (comments, replies): (Vec<String>, Vec<String>) = {
            let mut there = hub.world();
            let there = there.repo(SHOP);
            let comments = there.comments.values();
            let comments = comments
                .filter(|comment| comment.author == BOT)
                .map(|comment| comment.body.clone());
            let replies = there.review_comments.values();
            let replies = replies
                .filter(|comment| comment.author == BOT)
                .map(|comment| comment.body.clone());
            (comments.collect(), replies.collect())
        };
        let explains = comments.iter().find(|body| body.contains("**Tried**")).unwrap();
        let news = comments
            .iter()
            .find(|body| body.contains("<!-- loops:news:"))
            .unwrap();
        assert!(news.contains("done in"), "{news}");
        for said in [explains, news, &replies[0]] {
            assert_eq!(said.contains("Umbrella"), is_quoted, "{private}: {said}");
        }
        shop.world.close().await;
    }
}

#[tokio::test]
async fn what_agents_made_of_an_erased_person_s_words_goes_too_once_it_is_decided() {
    use crate::small_story::{RUN, TITLE, came_to_the_fix, proposed, well};
    let (world, origin) = well().await;
    let first = world.loops(RUN).await;
    came_to_the_fix(&origin, &first);
    let run = first.json()["run"]["id"].as_str().unwrap().to_owned();
    assert_eq!(proposed(&origin, &first)[0].0, TITLE);
    // As long as it is open, people need its words.
    let open = ran(&world, ["erase", "anna", "--yes"]).await;
    assert!(
        open.contains("0 tasks") && open.contains("may quote them"),
        "{open}"
    );
    assert!(ran(&world, ["show", &run]).await.contains(TITLE));
    let review = world.loops(["review", "--format", "json"]).await.json();
    let id = review[0]["id"].as_str().unwrap().to_owned();
    ran(&world, ["reject", &id, "--reason", "not now"]).await;
    let decided = ran(&world, ["erase", "ben", "--yes"]).await;
    assert!(decided.contains("1 task"), "{decided}");
    let shown = ran(&world, ["show", &run]).await;
    assert!(!shown.contains(TITLE) && shown.contains("(erased)"), "{shown}");
    let page = world.loops(["show", &id]).await;
    assert!(!page.all().contains("mean of no ratings"), "{page}");
    ran(&world, ["audit", "verify"]).await;
    world.close().await;
}
