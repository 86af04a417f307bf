//! Whether Slack lets us in, and what it does not let us do that the loops here need. It asks; it says nothing there.

use std::{collections::BTreeSet, time::Duration};

use loops::spec::{LoopSpec, Source, Trigger};

use super::Look;
use crate::{
    config::Slack as Settings,
    slack::{Slack, SlackError, Uses},
};

/// Nobody waits longer for one channel.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many channels are tried.
const MAX_CHANNELS: usize = 10;

/// The login, its scopes, and each channel that a loop reads or writes to.
pub(super) async fn looks(settings: &Settings, loops: &[LoopSpec]) -> Vec<Look> {
    let read: BTreeSet<&str> = loops
        .iter()
        .flat_map(|spec| &spec.sources)
        .filter_map(|source| match source {
            Source::Slack(slack) => Some(slack.channels.iter().map(String::as_str)),
            _ => None,
        })
        .flatten()
        .collect();
    let written: BTreeSet<&str> = loops
        .iter()
        .filter_map(|spec| spec.notify.slack.as_deref())
        .collect();
    let needed = !(read.is_empty() && written.is_empty());
    let slack = match Slack::new(settings) {
        Ok(Some(slack)) => slack,
        Ok(None) if needed => {
            let mend = "make the app of `docs/slack-app.yaml`, install it, and set `SLACK_BOT_TOKEN`";
            return vec![Look::missing(
                "slack",
                "no login, and a loop here needs one",
                mend,
            )];
        }
        Ok(None) => {
            let mend = "needed only by loops that use Slack: set `SLACK_BOT_TOKEN`, see `docs/slack.md`";
            return vec![Look::absent("slack", "no login", Some(mend))];
        }
        Err(error) => return vec![Look::missing("slack", error.to_string(), "see `docs/slack.md`")],
    };
    let mut looks = vec![login(&slack, &read, &written).await];
    for channel in read.union(&written).take(MAX_CHANNELS) {
        let tried = tokio::time::timeout(PATIENCE, slack.can_read(channel)).await;
        looks.extend(match tried {
            Ok(Ok(())) => None,
            Ok(Err(SlackError::RateLimited { .. })) => None,
            Ok(Err(error)) => Some(Look::missing("slack", error.to_string(), "see `docs/slack.md`")),
            Err(_) => Some(Look::missing(
                "slack",
                format!("`{channel}`: no answer within {} s", PATIENCE.as_secs()),
                "look at the network, or at Slack's own state",
            )),
        });
    }
    let waits = loops.iter().any(|spec| {
        spec.triggers
            .iter()
            .any(|trigger| matches!(trigger, Trigger::Slack(_)))
    });
    if waits && settings.app_token.is_none() && settings.signing_secret.is_none() {
        let mend = "write `slack.app_token` (Socket Mode), or `slack.signing_secret` and `web.listen`, in `loops.yaml`";
        looks.push(Look::missing(
            "slack events",
            "a loop waits for them, and nothing lets them in",
            mend,
        ));
    }
    for secret in [&settings.app_token, &settings.signing_secret]
        .into_iter()
        .flatten()
    {
        if secret.value.is_none() {
            let mend = format!(
                "`export {}=…`, or take it out of `slack` in `loops.yaml`",
                secret.name
            );
            looks.push(Look::missing(
                "slack events",
                format!("`{}` is not set", secret.name),
                &mend,
            ));
        }
    }
    looks
}

async fn login(slack: &Slack, read: &BTreeSet<&str>, written: &BTreeSet<&str>) -> Look {
    let mut private = false;
    for channel in read.union(written) {
        private |= match slack.channel(channel).await {
            Ok(found) => found.private,
            Err(SlackError::MissingScope { needed, .. }) => needed.starts_with("groups:"),
            Err(_) => false,
        };
    }
    let uses = Uses {
        reads: !read.is_empty(),
        private,
        writes: !written.is_empty(),
    };
    let asked = async { Ok::<_, SlackError>((slack.me().await?, slack.lacks(uses).await?)) };
    let (me, lacks) = match asked.await {
        Ok(answers) => answers,
        Err(error) => return Look::missing("slack", error.to_string(), "see `docs/slack.md`"),
    };
    if lacks.is_empty() {
        return Look::found("slack", format!("{} as {}", me.team, me.user));
    }
    let all: Vec<String> = lacks
        .iter()
        .map(|lack| format!("`{}` (to {})", lack.scope, lack.purpose))
        .collect();
    Look::missing(
        "slack",
        format!("{} as {}: {} missing", me.team, me.user, all.join(", ")),
        "give the app what is missing (`docs/slack-app.yaml` has all), install it again, and take its new token",
    )
}
