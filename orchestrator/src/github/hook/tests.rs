use loops::spec::GITHUB_EVENTS;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const ID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

fn read(event: &str, payload: &Value) -> Result<Hook, NotHeard> {
    Hook::read(Some(event), Some(ID), payload.to_string().as_bytes())
}

fn about(rest: Value) -> Value {
    let mut payload = json!({
        "action": "deleted", "repository": { "full_name": "acme/shop" }, "sender": { "login": "bob" },
    });
    for (key, value) in rest.as_object().unwrap() {
        payload[key] = value.clone();
    }
    payload
}

#[test]
fn an_event_says_what_happened_where_and_by_whom() {
    let hook = read("issues", &about(json!({ "issue": { "number": 1 } }))).unwrap();
    assert_eq!(hook.name(), "issues.deleted");
    assert_eq!(hook.repository.to_string(), "acme/shop");
    assert_eq!(hook.sender.as_deref(), Some("bob"));
    assert!(hook.takes_away());
    let push = json!({ "repository": { "full_name": "acme/shop" }, "ref": "refs/heads/main" });
    assert_eq!(read("push", &push).unwrap().name(), "push");
}

#[test]
fn a_body_under_another_events_name_is_not_read() {
    // The header is not signed: who has the body of a deleted comment could else take the issue away.
    let comment = about(json!({ "issue": { "number": 1 }, "comment": { "id": 7 } }));
    assert!(read("issue_comment", &comment).is_ok(), "control");
    for other in ["issues", "pull_request"] {
        assert_eq!(
            read(other, &comment),
            Err(NotHeard::Other(other.to_owned())),
            "{other}"
        );
    }
    let line = about(json!({ "pull_request": { "number": 1 }, "comment": { "id": 7 } }));
    assert!(read("pull_request_review_comment", &line).is_ok(), "control");
    for other in ["pull_request", "pull_request_review", "issue_comment"] {
        assert!(read(other, &line).is_err(), "{other}");
    }
}

#[test]
fn what_is_no_event_of_a_repository_is_told_apart_from_what_is_not_githubs() {
    let issue = about(json!({ "issue": {} }));
    let text = issue.to_string();
    assert_eq!(
        Hook::read(None, Some(ID), text.as_bytes()),
        Err(NotHeard::Header("X-GitHub-Event"))
    );
    for id in [None, Some(""), Some("a b"), Some(&*"x".repeat(101))] {
        assert_eq!(
            Hook::read(Some("issues"), id, text.as_bytes()),
            Err(NotHeard::Header("X-GitHub-Delivery"))
        );
    }
    for body in ["", "[]", "payload=%7B%7D", "{", "\"issues\""] {
        assert_eq!(
            Hook::read(Some("issues"), Some(ID), body.as_bytes()),
            Err(NotHeard::Body),
            "{body}"
        );
    }
    assert_eq!(
        read("ping", &json!({ "zen": "Design for failure." })),
        Err(NotHeard::Ping)
    );
    assert!(matches!(
        read("organization", &issue),
        Err(NotHeard::Ignored { .. })
    ));
    assert!(matches!(
        read("made_up_tomorrow", &issue),
        Err(NotHeard::Ignored { .. })
    ));
    for name in [json!(null), json!("shop"), json!("a/../b"), json!(7)] {
        let mut nameless = issue.clone();
        nameless["repository"]["full_name"] = name;
        assert_eq!(
            read("issues", &nameless),
            Err(NotHeard::NoRepository("issues".to_owned()))
        );
    }
}

#[test]
fn every_event_that_a_loop_may_wait_for_is_heard() {
    for (event, _) in GITHUB_EVENTS {
        assert!(!matches!(use_of(event), Use::Ignored(_)), "{event}");
    }
    let heard = EVENTS.iter().filter(|(_, use_)| !matches!(use_, Use::Ignored(_)));
    for (event, _) in heard {
        assert!(GITHUB_EVENTS.iter().any(|(known, _)| known == event), "{event}");
    }
    assert!(
        EVENTS.is_sorted_by(|one, other| one.0 < other.0),
        "in their order, each once"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_looked_at(event in ".{0,20}", id in ".{0,20}", body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Hook::read(Some(&event), Some(&id), &body);
        for (event, _) in EVENTS {
            prop_assert!(Hook::read(Some(event), Some(ID), &body).is_err());
        }
    }
}
