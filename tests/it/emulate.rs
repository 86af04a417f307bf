//! A second opinion on our GitHub client: the same exchanges against npm `emulate`, a stand-in for GitHub by somebody
//! else, so that a mistake which our own fake shares with our client is seen.
//!
//! What it cannot serve, and what is therefore shown by our own fake alone: git over HTTP (branches are made by its API
//! here), GraphQL (a draft made ready), answers in a review's thread, reactions, commit statuses (what was proven), the
//! list of all comments of a repository (they are read issue by issue here), marks of unchanged answers, rate limits, and
//! refusing what is doubled: a second pull request of a branch gets 201, so that only our own looking keeps it from being
//! made.

use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use loops::spec::GithubIssues;
use orchestrator::{
    config::Config,
    github::{EditIssue, EditPull, Hub, NewIssue, NewPull, PullState, Repository},
};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

/// Pinned; `x` names the same.
const FOLDER: &str = "loops/emulate-0.12.2-node-24.21.0";
const BRANCH: &str = "loops/fix/give-the-mean-abc123";
const MARKER: &str = "<!-- loops:proposal:P1 -->";

/// Who is there: the service, and a person with write access.
const SEED: &str = "
tokens:
  token-of-the-bot: { login: loops-bot, scopes: [repo] }
  token-of-carol: { login: carol, scopes: [repo] }
github:
  users: [{ login: loops-bot }, { login: carol }, { login: dave }]
  orgs:
    - { login: acme, members: [{ login: carol, role: admin }, { login: loops-bot, role: admin }] }
  repos:
    - { owner: acme, name: shop, auto_init: true }
";

/// The stand-in, as a process; it ends when it is dropped.
struct Emulate {
    _child: Child,
    _folder: tempfile::TempDir,
    url: String,
    client: reqwest::Client,
}

fn installed() -> PathBuf {
    if let Some(path) = std::env::var_os("LOOPS_EMULATE") {
        return path.into();
    }
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home);
    cache.unwrap_or_default().join(FOLDER)
}

impl Emulate {
    async fn start() -> Self {
        let installed = installed();
        let (node, program) = (
            installed.join("node"),
            installed.join("node_modules/emulate/dist/index.js"),
        );
        assert!(
            node.exists() && program.is_file(),
            "emulate is not in `{}`: type `./x setup`, or name its folder in LOOPS_EMULATE",
            installed.display()
        );
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent("carol")
            .no_proxy()
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let seed = folder.path().join("seed.yaml");
        std::fs::write(&seed, SEED).unwrap();
        // It takes no port of the system's choice; one that somebody else takes in between is left for another one.
        for _ in 0..5 {
            let port = std::net::TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let mut child = Command::new(&node)
                .arg(&program)
                .args([
                    "start",
                    "--service",
                    "github",
                    "--port",
                    &port.to_string(),
                    "--seed",
                ])
                .arg(&seed)
                .current_dir(folder.path())
                .env_clear()
                .env("HOME", folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let url = format!("http://127.0.0.1:{port}");
            let began = Instant::now();
            while child.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(60) {
                let asked = client
                    .get(format!("{url}/user"))
                    .bearer_auth("token-of-carol")
                    .send()
                    .await;
                if asked.is_ok_and(|answer| answer.status().is_success()) {
                    return Self {
                        _child: child,
                        _folder: folder,
                        url,
                        client,
                    };
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        panic!("emulate does not start")
    }

    /// What a person does there, who must be let.
    async fn carol(&self, method: reqwest::Method, path: &str, body: Value) -> Value {
        let asked = self
            .client
            .request(method.clone(), format!("{}/repos/acme/shop/{path}", self.url));
        let answer = asked
            .bearer_auth("token-of-carol")
            .json(&body)
            .send()
            .await
            .unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// A branch with one commit on top of `main`.
    async fn branch(&self) {
        use reqwest::Method;
        let main = self.carol(Method::GET, "git/ref/heads/main", json!({})).await;
        let made = json!({ "ref": format!("refs/heads/{BRANCH}"), "sha": main["object"]["sha"] });
        self.carol(Method::POST, "git/refs", made).await;
        let file = json!({ "message": "Give the mean", "content": "cmV0dXJuIDA=", "branch": BRANCH });
        self.carol(Method::PUT, "contents/mean.py", file).await;
    }

    /// Our own way in.
    fn shop(&self) -> Repository {
        let text = format!(
            "state: s\ngithub: {{ api: '{}', token: '${{T}}', write_gap: 0s }}\n",
            self.url
        );
        let token = |name: &str| (name == "T").then(|| "token-of-the-bot".to_owned());
        let folder = self._folder.path();
        let config = Config::read(&folder.join("loops.yaml"), &text, None, &token).unwrap();
        let hub = Hub::new(&config.github).unwrap().expect("there is a login");
        hub.repository("acme", "shop").unwrap()
    }
}

fn new_pull() -> NewPull {
    NewPull {
        title: "Give the mean of no ratings".to_owned(),
        body: format!("What was proven.\n\n{MARKER}\n"),
        head: BRANCH.to_owned(),
        base: "main".to_owned(),
        draft: true,
    }
}

#[tokio::test]
async fn another_stand_in_for_github_reads_issues_and_comments_to_us_once() {
    let emulate = Emulate::start().await;
    let shop = emulate.shop();
    use reqwest::Method;
    let issue = json!({ "title": "The page crashes", "body": "ZeroDivisionError", "labels": ["bug"] });
    let issue = emulate.carol(Method::POST, "issues", issue).await;
    let comments = format!("issues/{}/comments", issue["number"]);
    emulate
        .carol(Method::POST, &comments, json!({ "body": "Same here" }))
        .await;
    let ours = shop
        .comment(issue["number"].as_u64().unwrap(), "Ours <!-- loops:x -->")
        .await
        .unwrap();

    let source: GithubIssues = serde_json::from_value(json!({ "comments": false })).unwrap();
    let first = shop.read_issues(&source, None).await.unwrap();
    assert_eq!(first.skipped, [], "all of it is understood");
    let [signal] = &first.signals[..] else {
        panic!("{:#?}", first.signals)
    };
    assert!(
        signal.text.contains("The page crashes") && signal.text.contains("ZeroDivisionError"),
        "{signal:#?}"
    );
    let second = shop.read_issues(&source, Some(&first.cursor)).await.unwrap();
    assert_eq!(second.signals, [], "it is read once");
    let said = shop
        .comments(issue["number"].as_u64().unwrap(), None)
        .await
        .unwrap();
    let said: Vec<_> = said.iter().map(|one| (one.id, one.author.as_str())).collect();
    assert!(
        said.len() == 2 && said[0].1 == "carol" && said[1] == (ours.id, "loops-bot"),
        "{said:?}"
    );
    assert!(shop.permission("carol").await.unwrap().writes());
    assert!(!shop.permission("dave").await.unwrap().writes());
    assert_eq!(shop.me().await.unwrap().login, "loops-bot");
}

#[tokio::test]
async fn another_stand_in_for_github_takes_a_pull_request_and_gives_it_back() {
    let emulate = Emulate::start().await;
    let shop = emulate.shop();
    emulate.branch().await;
    assert!(shop.pull_of_branch(BRANCH).await.unwrap().is_none());
    let pull = shop.open_pull(&new_pull()).await.unwrap();
    assert!((pull.draft, pull.state) == (true, PullState::Open), "{pull:?}");
    assert!(
        pull.body.contains(MARKER) && pull.author.as_deref() == Some("loops-bot"),
        "{pull:?}"
    );

    // Found again, as who looks before doing it again finds it.
    let found = shop
        .pull_of_branch(BRANCH)
        .await
        .unwrap()
        .expect("it is found by its branch");
    assert_eq!((found.number, found.head_branch.as_str()), (pull.number, BRANCH));
    // The control: it does not refuse a second one, so that our look is all there is.
    let doubled = shop.open_pull(&new_pull()).await.unwrap();
    assert_ne!(doubled.number, pull.number);
    assert_eq!(
        shop.pull_of_branch(BRANCH).await.unwrap().unwrap().number,
        doubled.number
    );

    let edit = EditPull {
        title: Some("Another title".to_owned()),
        body: Some(format!("Anew.\n\n{MARKER}\n")),
        ..EditPull::default()
    };
    let edited = shop.edit_pull(pull.number, &edit).await.unwrap();
    assert_eq!(edited.title, "Another title");
    assert!(edited.body.starts_with("Anew."), "{edited:?}");
    shop.add_labels(pull.number, &["loops".to_owned()]).await.unwrap();
    assert_eq!(shop.pull(pull.number).await.unwrap().labels, ["loops"]);
    let refused = shop
        .request_reviewers(pull.number, &["carol".to_owned()], &[])
        .await
        .unwrap();
    assert_eq!(refused, [""; 0]);
    assert_eq!(
        shop.pull(pull.number).await.unwrap().requested_reviewers,
        ["carol"]
    );

    // One comment, found by its marker and edited in its place; another's words with our marker are not ours.
    let marker = "<!-- loops:news:P1 -->";
    use reqwest::Method;
    let theirs = json!({ "body": format!("I am you {marker}") });
    emulate
        .carol(Method::POST, &format!("issues/{}/comments", pull.number), theirs)
        .await;
    assert!(shop.find_comment(pull.number, marker).await.unwrap().is_none());
    let said = shop
        .comment(pull.number, &format!("News {marker}"))
        .await
        .unwrap();
    let there = shop
        .find_comment(pull.number, marker)
        .await
        .unwrap()
        .expect("it is found");
    assert_eq!(there.id, said.id);
    shop.edit_comment(said.id, &format!("More news {marker}"))
        .await
        .unwrap();
    let all = shop.comments(pull.number, None).await.unwrap();
    let ours: Vec<&str> = all
        .iter()
        .filter(|one| one.author == "loops-bot")
        .map(|one| one.body.as_str())
        .collect();
    assert_eq!(ours, [format!("More news {marker}")]);
}

#[tokio::test]
async fn another_stand_in_for_github_tells_us_how_pull_requests_ended() {
    use reqwest::Method;
    let emulate = Emulate::start().await;
    let shop = emulate.shop();
    emulate.branch().await;
    let pull = shop
        .open_pull(&NewPull {
            draft: false,
            ..new_pull()
        })
        .await
        .unwrap();
    let review = json!({ "event": "REQUEST_CHANGES", "body": "Say why" });
    emulate
        .carol(Method::POST, &format!("pulls/{}/reviews", pull.number), review)
        .await;
    let reviews = shop.reviews(pull.number).await.unwrap();
    assert_eq!(
        (
            reviews[0].state.as_str(),
            reviews[0].author.as_str(),
            reviews[0].body.as_str()
        ),
        ("CHANGES_REQUESTED", "carol", "Say why")
    );

    let closed = json!({ "state": "closed" });
    emulate
        .carol(Method::PATCH, &format!("pulls/{}", pull.number), closed)
        .await;
    assert_eq!(shop.pull(pull.number).await.unwrap().state, PullState::Closed);
    let open = json!({ "state": "open" });
    emulate
        .carol(Method::PATCH, &format!("pulls/{}", pull.number), open)
        .await;
    assert_eq!(shop.pull(pull.number).await.unwrap().state, PullState::Open);
    emulate
        .carol(Method::PUT, &format!("pulls/{}/merge", pull.number), json!({}))
        .await;
    let merged = shop.pull(pull.number).await.unwrap();
    assert_eq!(
        (merged.state, merged.merged_by.as_deref()),
        (PullState::Merged, Some("carol"))
    );
    assert!(merged.merge_commit.is_some(), "{merged:?}");
}

#[tokio::test]
async fn another_stand_in_for_github_keeps_one_dashboard() {
    let emulate = Emulate::start().await;
    let shop = emulate.shop();
    let marker = "<!-- loops:board:acme/shop -->";
    assert!(shop.find_issue("loops", marker).await.unwrap().is_none());
    let new = NewIssue {
        title: "Loops: what is open here".to_owned(),
        body: format!("Nothing\n{marker}"),
        labels: vec!["loops".to_owned()],
    };
    let made = shop.create_issue(&new).await.unwrap();
    let found = shop
        .find_issue("loops", marker)
        .await
        .unwrap()
        .expect("it is found");
    assert_eq!((found.number, found.open), (made.number, true));
    let edit = EditIssue {
        body: Some(format!("Something\n{marker}")),
        ..EditIssue::default()
    };
    let edited = shop.edit_issue(made.number, &edit).await.unwrap();
    assert!(edited.body.starts_with("Something"), "{edited:?}");
    assert_eq!(shop.issue(made.number).await.unwrap().body, edited.body);
}
