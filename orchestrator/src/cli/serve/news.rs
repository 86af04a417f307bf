//! How news come in while loops are served: Slack's events over HTTP and over sockets. What comes is kept; who waits for
//! it is somebody else's to know.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{CliError, Out},
    clock,
    config::{Config, Slack as Settings},
    engine::{self, Home},
    slack::{Slack, Socket, Take},
    web::Server,
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
                let secret = match &config.slack.signing_secret {
                    Some(named) if named.value.is_none() => {
                        return Err(CliError::usage(format!("`{}` is not set", named.name))
                            .why("`slack.signing_secret` in `loops.yaml` names it"));
                    }
                    named => named.as_ref().and_then(|named| named.value.clone()),
                };
                let server = Server::start(web, home.clone(), secret)
                    .await
                    .map_err(|error| CliError::usage(error.to_string()))?;
                out.note(format!("listening on {}", server.address()));
                if let Some(url) = web
                    .public_url
                    .as_ref()
                    .filter(|_| config.slack.signing_secret.is_some())
                {
                    out.note(format!(
                        "Slack's request URL is {}/slack/events",
                        url.as_str().trim_end_matches('/')
                    ));
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
