//! What stands at the end: everything that people could see at GitHub, and what the service knows of problems. Ids and
//! times are left out, so that two ends can be compared.

use std::collections::BTreeSet;

use harness::world::{BOT, SHOP};
use loops::{budget::Money, time::Timestamp};
use orchestrator::store::calls;

use super::{
    deeds::open,
    story::{BUDGET_USD, BUGS, Story},
};

/// A pull request.
#[derive(Debug, PartialEq)]
pub(super) struct Pull {
    pub(super) title: String,
    open: bool,
    merged: bool,
    labels: BTreeSet<String>,
    reviewers: BTreeSet<String>,
    /// What the file with the problem holds at its head.
    content: String,
    /// Whether its head has a status of what was proven.
    proven: bool,
    /// What kinds of things we said, under it and in its threads, sorted.
    pub(super) said: Vec<String>,
}

/// All of it.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    /// By their titles.
    pub(super) pulls: Vec<Pull>,
    /// How many dashboards there are.
    pub(super) boards: usize,
    /// How many branches of ours.
    branches: usize,
    /// Each problem: how many signals, and its state.
    findings: Vec<String>,
    /// Runs that have not ended.
    open_runs: usize,
}

/// The kind of a hidden marker.
fn kind(body: &str) -> String {
    let (_, rest) = body.split_once("<!-- loops:").unwrap_or_default();
    rest.split(':').next().unwrap_or_default().to_owned()
}

impl Outcome {
    /// Whether GitHub has what it shall have; a quick look, before the service is asked.
    pub(super) fn is_at_hub(story: &Story<'_>, expected: &Self) -> bool {
        let (pulls, boards, branches) = there(story);
        pulls == expected.pulls && boards == expected.boards && branches == expected.branches
    }

    pub(super) async fn of(story: &Story<'_>) -> Self {
        let world = &story.world;
        let findings = world.loops(["findings", "--format", "json"]).await.json();
        let findings = findings.as_array().unwrap().iter();
        let mut findings: Vec<String> = findings
            .map(|row| format!("{} {}", row["signals"], row["state"].as_str().unwrap()))
            .collect();
        findings.sort();
        let runs = world.loops(["runs", "--format", "json"]).await.json();
        let runs = runs.as_array().unwrap().iter();
        let open_runs = runs.filter(|run| run["ended_at"].is_null()).count();
        within_budget(story).await;
        let (pulls, boards, branches) = there(story);
        Self {
            pulls,
            boards,
            branches,
            findings,
            open_runs,
        }
    }
}

fn there(story: &Story<'_>) -> (Vec<Pull>, usize, usize) {
    let mut there = story.hub.world();
    let shop = there.repo(SHOP);
    let ours = shop.issues.values().filter(|issue| issue.author == BOT);
    let (pulls, others): (Vec<_>, Vec<_>) = ours.partition(|issue| issue.pull.is_some());
    let mut all: Vec<Pull> = Vec::new();
    for issue in pulls {
        let pull = issue.pull.as_ref().unwrap();
        let comments = shop.comments.values().filter(|one| one.issue == issue.number);
        let comments = comments.map(|one| (&one.author, &one.body));
        let replies = shop
            .review_comments
            .values()
            .filter(|one| one.pull == issue.number);
        let replies = replies.map(|one| (&one.author, &one.body));
        let said = comments.chain(replies).filter(|(author, _)| *author == BOT);
        let mut said: Vec<String> = said.map(|(_, body)| kind(body)).collect();
        said.sort();
        let path = BUGS
            .iter()
            .find(|bug| bug.title == issue.title)
            .map(super::story::Bug::path);
        all.push(Pull {
            title: issue.title.clone(),
            open: issue.open,
            merged: pull.merged.is_some(),
            labels: issue.labels.clone(),
            reviewers: pull.reviewers.clone(),
            content: content(shop, &pull.head_sha, &path.unwrap_or_default()),
            proven: shop
                .statuses
                .iter()
                .any(|one| one.sha == pull.head_sha && one.state == "success"),
            said,
        });
    }
    all.sort_by(|one, other| one.title.cmp(&other.title));
    let branches = shop.git.branches();
    let branches = branches
        .iter()
        .filter(|(name, _)| name.starts_with("loops/"))
        .count();
    (all, others.len(), branches)
}

fn content(shop: &harness::github::Repository, head: &str, path: &str) -> String {
    let (_, bytes) = shop.git.file(head, path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whatever was killed, every call was paid for and the budget was not left.
async fn within_budget(story: &Story<'_>) {
    let store = open(&story.world).await.unwrap();
    let spent = calls::spend_since(&store, "fix", Timestamp(0)).await.unwrap();
    store.close().await;
    let most = Money::usd(f64::from(BUDGET_USD));
    assert!(spent <= most, "{spent} of {most}");
    let asked: u64 = story
        .world
        .model()
        .requests()
        .iter()
        .map(|request| request.usage.output_tokens)
        .sum();
    assert!(spent > Money::ZERO && asked > 0);
}
