//! What Slack sends by itself, over HTTP or a socket: whether it is Slack that sends it, and what it is about. It only
//! says that something came; what came is read by asking.
//!
//! The signature: <https://docs.slack.dev/authentication/verifying-requests-from-slack/>.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use loops::time::Timestamp;
use serde_json::Value;
use sha2::Sha256;

use crate::config::Secret;

/// What is older, or further ahead, was not sent just now.
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// Why a request is not believed to be Slack's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// There is no signature, or no time.
    #[error("the request has no signature")]
    Unsigned,
    /// It was sent too long ago, or is not to be sent yet.
    #[error("the request was signed more than five minutes ago, or its clock is ahead")]
    Old,
    /// The signature is another one.
    #[error("the signature is wrong")]
    Wrong,
}

/// Looks whether a body was signed with the secret, just now. Nothing of the body is read before.
///
/// # Errors
/// If it was not.
pub fn verify(
    secret: &Secret,
    time: Option<&str>,
    signature: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<(), NotSigned> {
    let (Some(time), Some(signature)) = (time, signature) else {
        return Err(NotSigned::Unsigned);
    };
    let seconds: i64 = time.parse().map_err(|_| NotSigned::Unsigned)?;
    let window = i64::try_from(WINDOW.as_secs()).unwrap_or(i64::MAX);
    if (now.0 / 1000).abs_diff(seconds) > window.unsigned_abs() {
        return Err(NotSigned::Old);
    }
    let given = signature
        .strip_prefix("v0=")
        .and_then(|hex| hex::decode(hex).ok());
    let given = given.ok_or(NotSigned::Wrong)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_err(|_| NotSigned::Wrong)?;
    for part in [b"v0:", time.as_bytes(), b":", body] {
        mac.update(part);
    }
    // In constant time: how much of a guess was right must not show.
    mac.verify_slice(&given).map_err(|_| NotSigned::Wrong)
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Slack wants to know whether this is the right address: it is told this.
    Challenge(String),
    /// Something happened in a channel.
    Event {
        /// The event's id: the same if it is sent again.
        id: String,
        /// Such as `message`.
        kind: String,
        /// The channel's id.
        channel: String,
    },
    /// Something that nobody here waits for: what we said ourselves, another kind of event.
    Nothing,
}

impl Heard {
    /// Reads what was sent; none: it cannot be understood.
    #[must_use]
    pub fn read(body: &Value) -> Option<Self> {
        match body["type"].as_str()? {
            "url_verification" => Some(Self::Challenge(
                body["challenge"].as_str()?.chars().take(500).collect(),
            )),
            "event_callback" => {
                let event = &body["event"];
                let channel = event["channel"].as_str().or(event["item"]["channel"].as_str());
                let id = body["event_id"].as_str()?;
                let kind = event["type"].as_str()?;
                let us = body["authorizations"][0]["user_id"].as_str();
                let ours = us.is_some() && event["user"].as_str() == us;
                match channel {
                    Some(channel) if !ours && !id.is_empty() => Some(Self::Event {
                        id: id.chars().take(100).collect(),
                        kind: kind.chars().take(60).collect(),
                        channel: channel.chars().take(40).collect(),
                    }),
                    _ => Some(Self::Nothing),
                }
            }
            _ => Some(Self::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The example of Slack's own page on signatures.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const TIME: &str = "1531420618";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn looked(time: Option<&str>, signature: Option<&str>, body: &str, now: i64) -> Result<(), NotSigned> {
        let secret = Secret::new(SECRET.to_owned());
        verify(&secret, time, signature, body.as_bytes(), Timestamp(now * 1000))
    }

    #[test]
    fn slacks_own_example_is_believed_and_nothing_else() {
        let now = 1_531_420_618;
        assert_eq!(looked(Some(TIME), Some(SIGNATURE), BODY, now), Ok(()));
        assert_eq!(looked(Some(TIME), Some(SIGNATURE), BODY, now + 300), Ok(()));
        assert_eq!(
            looked(Some(TIME), Some(SIGNATURE), BODY, now + 301),
            Err(NotSigned::Old)
        );
        assert_eq!(
            looked(Some(TIME), Some(SIGNATURE), BODY, now - 301),
            Err(NotSigned::Old)
        );
        let altered = BODY.replace("testteamnow", "otherteam");
        assert_eq!(
            looked(Some(TIME), Some(SIGNATURE), &altered, now),
            Err(NotSigned::Wrong)
        );
        assert_eq!(
            looked(Some("1531420619"), Some(SIGNATURE), BODY, now),
            Err(NotSigned::Wrong)
        );
        assert_eq!(looked(None, Some(SIGNATURE), BODY, now), Err(NotSigned::Unsigned));
        assert_eq!(looked(Some(TIME), None, BODY, now), Err(NotSigned::Unsigned));
        assert_eq!(
            looked(Some("soon"), Some(SIGNATURE), BODY, now),
            Err(NotSigned::Unsigned)
        );
        let far = i64::MIN.to_string();
        assert_eq!(
            looked(Some(&far), Some(SIGNATURE), BODY, now),
            Err(NotSigned::Old)
        );
        for wrong in ["", "v0=", "v0=zz", &SIGNATURE[3..], &SIGNATURE[..20]] {
            assert_eq!(
                looked(Some(TIME), Some(wrong), BODY, now),
                Err(NotSigned::Wrong),
                "{wrong}"
            );
        }
    }

    #[test]
    fn what_happened_is_known_by_its_id_and_channel_and_our_own_words_are_no_news() {
        let event = |event: Value| {
            Heard::read(&json!({
                "type": "event_callback", "event_id": "Ev1", "event": event,
                "authorizations": [{ "user_id": "UBOT" }],
            }))
        };
        let heard = |kind: &str| {
            Some(Heard::Event {
                id: "Ev1".into(),
                kind: kind.into(),
                channel: "C1".into(),
            })
        };
        assert_eq!(
            event(json!({ "type": "message", "channel": "C1", "user": "U1" })),
            heard("message")
        );
        assert_eq!(
            event(json!({ "type": "reaction_added", "user": "U1", "item": { "channel": "C1" } })),
            heard("reaction_added")
        );
        let ours = event(json!({ "type": "message", "channel": "C1", "user": "UBOT" }));
        assert_eq!(ours, Some(Heard::Nothing));
        assert_eq!(event(json!({ "type": "team_join" })), Some(Heard::Nothing));
        let challenge = Heard::read(&json!({ "type": "url_verification", "challenge": "3eZb" }));
        assert_eq!(challenge, Some(Heard::Challenge("3eZb".into())));
        assert_eq!(Heard::read(&json!([])), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at(body in proptest::collection::vec(any::<u8>(), 0..200), time in ".{0,20}", hex in ".{0,80}") {
            let secret = Secret::new(SECRET.to_owned());
            prop_assert!(verify(&secret, Some(&time), Some(&hex), &body, Timestamp(0)).is_err());
            if let Ok(value) = serde_json::from_slice::<Value>(&body) {
                drop(Heard::read(&value));
            }
        }
    }
}
