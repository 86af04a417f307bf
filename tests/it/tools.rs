//! The tool server, used from outside its sandbox as the agent uses it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{fs, time::Instant};

use serde_json::json;
use workers::tools::{ToolAnswer, ToolHost};

use crate::sandbox::{policy, sandbox};

async fn host(policy: &workers::sandbox::Policy) -> ToolHost {
    ToolHost::start(&sandbox(), policy, &["git push*".into()])
        .await
        .unwrap()
}

fn good(answer: ToolAnswer) -> String {
    assert!(answer.ok, "{}", answer.text);
    answer.text
}

fn refused(answer: ToolAnswer) -> String {
    assert!(!answer.ok, "{}", answer.text);
    answer.text
}

#[tokio::test]
async fn files_are_written_edited_read_and_run_inside() {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(folder.path());
    let host = host(&policy).await;
    good(
        host.call("write", json!({"path": "src/a.py", "content": "print('one')\n"}))
            .await,
    );
    good(
        host.call(
            "edit",
            json!({"path": "/workspace/src/a.py", "old": "one", "new": "two"}),
        )
        .await,
    );
    assert_eq!(
        good(host.call("read", json!({"path": "src/a.py"})).await),
        "1\tprint('two')\n"
    );
    assert_eq!(
        good(host.call("search", json!({"pattern": "tw."})).await),
        "src/a.py:1:print('two')\n"
    );
    assert_eq!(good(host.call("list", json!({})).await), "src/\nsrc/a.py\n");
    assert!(
        good(host.call("run", json!({"command": "python3 src/a.py"})).await).starts_with("two\n[exit code 0")
    );
    assert_eq!(
        fs::read_to_string(policy.workspace.join("src/a.py")).unwrap(),
        "print('two')\n"
    );
    host.stop().await;
}

#[tokio::test]
async fn wrong_calls_are_answered_so_that_they_can_be_mended() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&policy(folder.path())).await;
    let words = [
        (
            "fly",
            json!({}),
            "there is no tool `fly`; there are: read, search, list, edit, write, run",
        ),
        (
            "read",
            json!("x"),
            "the input of `read` must be an object with: path, offset, limit",
        ),
        (
            "edit",
            json!({"path": "x"}),
            "`edit` needs the field `old` (a string)",
        ),
        ("read", json!({"path": "nope"}), "there is no `nope`"),
        (
            "write",
            json!({"path": "/etc/passwd", "content": ""}),
            "`/etc/passwd` is outside the workspace `/workspace`",
        ),
        (
            "run",
            json!({"command": "git push"}),
            "this command is not allowed here: it matches `git push*`",
        ),
        (
            "read",
            json!({"path": "/etc/shadow"}),
            "there is no `/etc/shadow`",
        ),
    ];
    for (tool, input, expected) in words {
        assert_eq!(refused(host.call(tool, input).await), expected);
    }
}

#[tokio::test]
async fn calls_run_at_once_and_one_that_is_given_up_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&policy(folder.path())).await;
    let began = Instant::now();
    // Each waits for the other: one after the other they would never end.
    let one = host.call(
        "run",
        json!({"command": "mkfifo a b 2>/dev/null; until [ -p b ]; do :; done; echo x > a; cat b"}),
    );
    let two = host.call(
        "run",
        json!({"command": "until [ -p b ]; do :; done; cat a; echo y > b"}),
    );
    let (one, two) = tokio::join!(one, two);
    assert!(good(one).starts_with("y\n") && good(two).starts_with("x\n"));
    {
        let mut given_up = Box::pin(host.call("run", json!({"command": "sleep 30"})));
        assert!(futures_util::poll!(given_up.as_mut()).is_pending());
    }
    assert!(good(host.call("run", json!({"command": "echo on"})).await).starts_with("on\n"));
    assert!(began.elapsed().as_secs() < 25);
}

#[tokio::test]
async fn a_read_only_workspace_is_read_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = policy(folder.path());
    fs::write(policy.workspace.join("a"), "x\n").unwrap();
    policy.writable = false;
    let host = host(&policy).await;
    assert_eq!(good(host.call("read", json!({"path": "a"})).await), "1\tx\n");
    for tool in ["edit", "write", "run"] {
        let answer = refused(host.call(tool, json!({})).await);
        assert_eq!(
            answer,
            format!("`{tool}` is not available: the workspace is read-only")
        );
    }
}

#[tokio::test]
async fn a_command_that_kills_all_it_can_ends_the_sandbox_and_the_calls_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&policy(folder.path())).await;
    let answer = host
        .call(
            "run",
            json!({"command": "kill -9 -1; kill -9 $PPID", "timeout_s": 20}),
        )
        .await;
    assert_eq!(refused(answer), "the sandbox has ended");
    assert_eq!(
        refused(host.call("read", json!({"path": "a"})).await),
        "the sandbox has ended"
    );
}

#[tokio::test]
async fn without_a_sandbox_the_same_tools_work_in_the_folder_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = policy(folder.path());
    policy.limits = None;
    let host = host(&policy).await;
    let place = good(host.call("run", json!({"command": "pwd -P"})).await);
    let workspace = policy.workspace.canonicalize().unwrap();
    assert!(
        place.starts_with(&format!("{}\n", workspace.display())),
        "{place}"
    );
    assert_eq!(
        refused(host.call("write", json!({"path": "../x", "content": ""})).await)
            .split('`')
            .nth(1),
        Some("../x")
    );
}
