//! How news come in while loops are served: Slack's events over HTTP and over sockets, GitHub's over HTTP. What comes is kept; who waits for
//! it is somebody else's to know.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{CliError, Out},
    clock,
    config::{Config, Named, Secret, Slack as Settings},
    engine::{self, Home},
    slack::{Slack, Socket, Take},
    web::{Secrets, Server},
};

/// How often a socket is looked at.
const LOOK: Duration = Duration::from_secs(30);
/// A socket over which nothing came for so long is opened anew: it may be mute.
const MUTE: Duration = Duration::from_secs(15 * 60);

/// All that lets news in.
pub(super) struct Doors {
    server: Option<Server>,
    metrics: Option<Server>,
    sockets: Option<JoinHandle<()>>,
}

impl Doors {
    /// Opens what the settings name.
    pub(super) async fn open(
        home: &Home,
        config: &Config,
        out: Out,
        stop: &CancellationToken,
    ) -> Result<Self, CliError> {
        let server = match &config.web {
            None => None,
            Some(web) => {
                let secrets = Secrets {
                    slack: held(config.slack.signing_secret.as_ref(), "slack.signing_secret")?,
                    github: held(config.github.webhook.as_ref(), "github.webhook")?,
                    signals: web
                        .secrets
                        .iter()
                        .filter_map(|(name, named)| Some((name.clone(), named.value.clone()?)))
                        .collect(),
                };
                let server = Server::start(web, home.clone(), secrets)
                    .await
                    .map_err(|error| CliError::usage(error.to_string()))?;
                out.note(format!("listening on {}", server.address()));
                for (used, what, path) in [
                    (
                        config.slack.signing_secret.is_some(),
                        "Slack's request URL",
                        "slack/events",
                    ),
                    (
                        config.github.webhook.is_some(),
                        "the payload URL of GitHub's webhook",
                        "github",
                    ),
                    (!web.secrets.is_empty(), "the address for signals", "signals/LOOP"),
                ] {
                    if let Some(url) = web.public_url.as_ref().filter(|_| used) {
                        out.note(format!("{what} is {}/{path}", url.as_str().trim_end_matches('/')));
                    }
                }
                Some(server)
            }
        };
        let metrics = match config.metrics {
            None => None,
            Some(address) => {
                let server = Server::metrics(address, home.clone())
                    .await
                    .map_err(|error| CliError::usage(error.to_string()))?;
                out.note(format!("figures are at http://{}/metrics", server.address()));
                Some(server)
            }
        };
        let sockets = match &config.slack.app_token {
            None => None,
            Some(_) => {
                let socket = open(home, &config.slack).await?;
                let (home, settings, stop) = (home.clone(), config.slack.clone(), stop.clone());
                Some(tokio::spawn(keep(home, settings, socket, out, stop)))
            }
        };
        Ok(Self {
            server,
            metrics,
            sockets,
        })
    }

    /// Closes all of it.
    pub(super) async fn close(self) {
        for server in [self.server, self.metrics].into_iter().flatten() {
            server.close().await;
        }
        if let Some(sockets) = self.sockets {
            // It ends with the service's own word; nothing waits for it.
            let _ = tokio::time::timeout(Duration::from_secs(3), sockets).await;
        }
    }
}

/// What a named secret holds; none: none is named.
fn held(named: Option<&Named>, key: &str) -> Result<Option<Secret>, CliError> {
    match named {
        Some(Named { name, value: None }) => {
            Err(CliError::usage(format!("`{name}` is not set"))
                .why(format!("`{key}` in `loops.yaml` names it")))
        }
        named => Ok(named.and_then(|named| named.value.clone())),
    }
}

async fn open(home: &Home, settings: &Settings) -> Result<Option<Socket>, CliError> {
    let home = Arc::new(home.clone());
    let take: Take = Box::new(move |heard| {
        let home = Arc::clone(&home);
        Box::pin(async move {
            match engine::hear(&home, &heard).await {
                Ok(_) => true,
                Err(error) => {
                    tracing::warn!(%error, "an event of Slack could not be kept; it is sent again");
                    false
                }
            }
        })
    });
    // The bot's token is what is asked with; without it nothing could be read.
    Slack::new(settings)?;
    Ok(Socket::open(settings, take).await?)
}

/// Keeps sockets open until `stop`.
async fn keep(home: Home, settings: Settings, mut socket: Option<Socket>, out: Out, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(LOOK) => {}
        }
        if socket.as_ref().is_some_and(|socket| socket.quiet() < MUTE) {
            continue;
        }
        if let Some(mute) = socket.take() {
            mute.close().await;
        }
        match open(&home, &settings).await {
            Ok(opened) => socket = opened,
            Err(error) => out.note(format!("{}  trouble   Slack: {}", clock::now(), error.what)),
        }
    }
    if let Some(socket) = socket {
        socket.close().await;
    }
}
