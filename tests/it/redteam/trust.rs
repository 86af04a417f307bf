//! Whose words bring code about: what users of a product typed comes back as a machine's report, and what somebody calls
//! themselves is not who they are. Told through the service as a whole: a finding either leads to a task or to a report.

use std::sync::Arc;

use axum::{Router, routing::any};
use harness::{
    slack::{SCOPES, Slack},
    world::SHOP,
};

use super::{Family, Row};
use crate::cast::Ratings;

pub(crate) fn family() -> Family {
    let row = |attack: &Attack| Row {
        tried: attack.tried.to_owned(),
        by: "it leads to a report, and to no code".to_owned(),
        control: attack.control.to_owned(),
    };
    Family {
        name: "Asking for code as somebody else",
        how: "The real service beside a Slack, a Sentry and files that hold what users typed; the agents would do what is asked.",
        rows: [&SENTRY, &CSV, &APP, &NAMED, &CALLED].map(row).to_vec(),
    }
}

struct Attack {
    tried: &'static str,
    control: &'static str,
}

static SENTRY: Attack = Attack {
    tried: "an error's words, which a user typed, in what Sentry repeats",
    control: "where the loop names Sentry as trusted, code follows",
};
static CSV: Attack = Attack {
    tried: "a request in a row of a CSV file that customers fill",
    control: "where the loop trusts whoever writes (`members: 0`), code follows",
};
static APP: Attack = Attack {
    tried: "a form's answer that an app repeats in a Slack channel",
    control: "the same words of a person in that channel lead to code",
};
static NAMED: Attack = Attack {
    tried: "a name of `trust.names` that somebody gives themselves in Slack",
    control: "the same name in a file counts",
};
static CALLED: Attack = Attack {
    tried: "a member's name in Slack, of somebody who is not that member on GitHub",
    control: "the person whom the settings name as that member leads to code",
};

const ASKED: &str = "A product without ratings crashes the page: ZeroDivisionError: division by zero";

/// Whether a run makes code of what was read, and what it says.
async fn code_follows(shop: &Ratings) -> (bool, String) {
    let ran = shop.world.loops(["run", "fix", "--format", "json"]).await;
    let tasks = ran.json()["run"]["tasks"].as_array().map_or(0, Vec::len);
    (tasks > 0, ran.to_string())
}

/// The one finding, as a person sees it.
async fn shown(shop: &Ratings) -> String {
    let listed = shop.world.loops(["findings", "--format", "json"]).await.json();
    let finding = listed[0]["id"].as_str().unwrap().to_owned();
    shop.world.loops(["show", &finding]).await.to_string()
}

#[tokio::test]
async fn what_a_customer_wrote_into_a_row_brings_no_code_about() {
    let shop = Ratings::world().await.well_played();
    shop.world
        .write("rows.csv", &format!("text,author\n\"{ASKED}\",anna\n"));
    let spec =
        Ratings::file().sources("[{ csv: { path: ../rows.csv, columns: { text: text, author: author } } }]");
    shop.world
        .define(&spec.clone().more("triage: { trust: { names: [anna] } }\n"));
    let (follows, said) = code_follows(&shop).await;
    assert!(!follows, "NOT STOPPED: {}: {said}", CSV.tried);
    let shown = shown(&shop).await;
    assert!(
        shown.contains("report only: nobody with write access reported it, and users may have shaped"),
        "{shown}"
    );
    shop.world
        .define(&spec.more("triage: { trust: { members: 0 } }\n"));
    let (follows, said) = code_follows(&shop).await;
    assert!(follows, "NO HARM IN THE CONTROL: {}: {said}", CSV.tried);
    shop.world.close().await;
}

#[tokio::test]
async fn what_an_error_says_brings_no_code_about() {
    let shop = Ratings::world().await.well_played();
    let issue = Arc::new(format!(
        r#"[{{"id": "1", "title": "{ASKED}", "culprit": "ratings.stats", "permalink": "https://sentry.io/i/1", "level": "error",
            "userCount": 9, "count": "40", "lastSeen": "2026-11-03T00:00:00Z", "metadata": {{}}}}]"#
    ));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let face = Router::new().fallback(any(move || {
        let issue = issue.clone();
        async move { issue.to_string() }
    }));
    tokio::spawn(async move { axum::serve(listener, face).await });
    shop.world.settings(&format!(
        "credentials: {{ s: {{ value: \"${{PATH}}\", hosts: [\"{address}\"] }} }}\n"
    ));
    let spec = Ratings::file().sources(&format!(
        "[{{ sentry: {{ organization: acme, project: shop, credential: s, url: \"http://{address}\" }} }}]"
    ));
    shop.world.define(&spec);
    let (follows, said) = code_follows(&shop).await;
    assert!(!follows, "NOT STOPPED: {}: {said}", SENTRY.tried);
    shop.world
        .define(&spec.more("triage: { trust: { sources: [sentry] } }\n"));
    let (follows, said) = code_follows(&shop).await;
    assert!(follows, "NO HARM IN THE CONTROL: {}: {said}", SENTRY.tried);
    shop.world.close().await;
}

#[tokio::test]
async fn what_an_app_repeats_in_slack_brings_no_code_about() {
    let shop = Ratings::world().await.well_played();
    shop.world
        .define(&Ratings::file().sources("[{ slack: { channels: ['#shop'] } }]"));
    let slack = shop.world.slack("", "").await;
    let channel = {
        let mut there = slack.world();
        let (channel, form) = (there.channel("shop"), there.app("Form"));
        there.say(&channel, &form, ASKED);
        channel
    };
    let (follows, said) = code_follows(&shop).await;
    assert!(!follows, "NOT STOPPED: {}: {said}", APP.tried);
    {
        let mut there = slack.world();
        let anna = there.person("anna");
        there.say(&channel, &anna, ASKED);
    }
    let (follows, said) = code_follows(&shop).await;
    assert!(follows, "NO HARM IN THE CONTROL: {}: {said}", APP.tried);
    shop.world.close().await;
}

#[tokio::test]
async fn a_name_that_somebody_gives_themselves_brings_no_code_about() {
    let shop = Ratings::world().await.well_played();
    let trust = "triage: { trust: { members: 1, names: [anna] } }\n";
    let spec = Ratings::file().more(trust);
    shop.world
        .define(&spec.clone().sources("[{ slack: { channels: ['#shop'] } }]"));
    let slack = shop.world.slack("", "").await;
    {
        let mut there = slack.world();
        let (channel, stranger) = (there.channel("shop"), there.person("anna"));
        there.say(&channel, &stranger, ASKED);
    }
    let (follows, said) = code_follows(&shop).await;
    assert!(!follows, "NOT STOPPED: {}: {said}", NAMED.tried);
    shop.world.define(&spec);
    let (follows, said) = code_follows(&shop).await;
    assert!(follows, "NO HARM IN THE CONTROL: {}: {said}", NAMED.tried);
    shop.world.close().await;
}

#[tokio::test]
async fn only_the_person_behind_a_name_in_slack_is_the_member() {
    let (shop, hub) = Ratings::on_github().await;
    let spec = Ratings::file()
        .on_github(SHOP)
        .sources("[{ slack: { channels: ['#shop'] } }]")
        .more("triage: { trust: { members: 1 } }\n");
    shop.world.define(&spec);
    let slack = Slack::start().await;
    let (bot, channel, carol, stranger, dave) = {
        let mut there = slack.world();
        let people = ["Caroline", "carol", "dave"].map(|name| there.person(name));
        let [carol, stranger, dave] = people;
        (there.token(&SCOPES), there.channel("shop"), carol, stranger, dave)
    };
    let more = format!(
        "github:\n  api: {}\n  token: ${{LOOPS_TEST_GITHUB}}\n  write_gap: 0s\n",
        hub.url()
    );
    // Dave may read the repository, and no more.
    let who = format!("  people: {{ {carol}: carol, {dave}: dave }}\n");
    shop.world
        .slack_login(&slack, &bot, "xapp-1-unused-in-this-story", &who, &more);
    let shop = shop.well_played();
    {
        let mut there = slack.world();
        there.say(&channel, &stranger, ASKED);
        there.say(&channel, &dave, ASKED);
    }
    let (follows, said) = code_follows(&shop).await;
    assert!(!follows, "NOT STOPPED: {}: {said}", CALLED.tried);
    slack.world().say(&channel, &carol, ASKED);
    let (follows, said) = code_follows(&shop).await;
    assert!(follows, "NO HARM IN THE CONTROL: {}: {said}", CALLED.tried);
    hub.check();
    slack.check();
    shop.world.close().await;
}
