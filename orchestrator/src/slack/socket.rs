//! Socket Mode: Slack's events over sockets that we open, for who has no address that Slack could reach.
//!
//! An event is acknowledged when it was taken, and not before. slack-morphism opens sockets anew that close or that do
//! not answer its pings; since a socket may be open and mute all the same, whoever keeps one looks at [`Socket::quiet`]
//! and opens another.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use loops::time::Timestamp;
use serde_json::{Value, json};
use slack_morphism::{
    SlackApiToken, SlackApiTokenValue, SlackClient, SlackClientSocketModeConfig,
    SlackSocketModeClientListener, SlackSocketModeWssClientId,
    listener::SlackClientEventsListenerEnvironment,
    socket_mode::clients_manager::{
        SlackSocketModeClientsManager, SlackSocketModeClientsManagerFactory as _,
    },
};

use super::{Heard, SlackError, call};
use crate::{
    clock,
    config::{Slack as Settings, slack::Named},
};

/// Longer messages are acknowledged and not read.
const LONGEST: usize = 1 << 20;

/// What takes an event: true, it is kept and need not be sent again.
pub type Take = Box<dyn Fn(Heard) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// Sockets to Slack that are kept open until this is closed.
pub struct Socket {
    manager: Arc<dyn SlackSocketModeClientsManager + Send + Sync>,
    ear: Arc<Ear>,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket")
            .field("last", &self.ear.last())
            .finish_non_exhaustive()
    }
}

impl Socket {
    /// Opens sockets; none: the settings have no token of the app. What comes is given to `take`.
    ///
    /// # Errors
    /// If the token is named and is not set, or no connection can be made from this machine.
    pub async fn open(settings: &Settings, take: Take) -> Result<Option<Self>, SlackError> {
        let Some(Named { name, value }) = &settings.app_token else {
            return Ok(None);
        };
        let Some(value) = value else {
            return Err(SlackError::Login(format!("the variable `{name}` is not set")));
        };
        let connector = call::connector(&settings.api)?;
        let client = Arc::new(SlackClient::new(connector));
        let environment = Arc::new(SlackClientEventsListenerEnvironment::new(Arc::clone(&client)));
        let manager = client.http_api.connector.new_clients_manager(environment);
        let ear = Arc::new(Ear {
            manager: Arc::downgrade(&manager),
            take,
            last: Mutex::new(clock::now()),
            open: AtomicBool::new(false),
            count: AtomicUsize::new(0),
        });
        let config = SlackClientSocketModeConfig::new()
            .with_max_connections_count(1)
            .with_reconnect_timeout_in_seconds(5);
        let token = SlackApiToken::new(SlackApiTokenValue(value.expose().to_owned()));
        let listener: Arc<dyn SlackSocketModeClientListener + Send + Sync> = Arc::clone(&ear) as _;
        let registered = manager.register_new_token(&config, token, listener).await;
        registered.map_err(|error| SlackError::Unreachable {
            doing: "open a socket".to_owned(),
            why: value.scrub(&error.to_string()),
        })?;
        manager.start().await;
        Ok(Some(Self { manager, ear }))
    }

    /// For how long nothing has come over it, not even a greeting.
    #[must_use]
    pub fn quiet(&self) -> Duration {
        clock::now().since(self.ear.last())
    }

    /// How many events came over it.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ear.count.load(Ordering::Relaxed)
    }

    /// Closes it.
    pub async fn close(self) {
        self.manager.shutdown().await;
    }
}

/// What listens to a socket.
struct Ear {
    manager: Weak<dyn SlackSocketModeClientsManager + Send + Sync>,
    take: Take,
    last: Mutex<Timestamp>,
    open: AtomicBool,
    count: AtomicUsize,
}

impl Ear {
    fn last(&self) -> Timestamp {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what came; what is to be answered.
    async fn hear(&self, message: &str) -> Option<String> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = clock::now();
        let envelope: Value = serde_json::from_str(message).ok()?;
        let id = envelope["envelope_id"].as_str()?;
        let acknowledged = json!({ "envelope_id": id }).to_string();
        if envelope["type"] != "events_api" || message.len() > LONGEST {
            // Nobody here waits for it; it would only come again.
            return Some(acknowledged);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let heard = Heard::read(&envelope["payload"]).unwrap_or(Heard::Nothing);
        (self.take)(heard).await.then_some(acknowledged)
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

// Written out as the macro `async_trait` would, which the trait was made with.
impl SlackSocketModeClientListener for Ear {
    fn on_message<'a, 'b, 'c>(
        &'a self,
        client: &'b SlackSocketModeWssClientId,
        message: String,
    ) -> Boxed<'c, Option<String>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            let is = |kind: &str| {
                let read = serde_json::from_str::<Value>(&message).unwrap_or_default();
                read["type"] == kind
            };
            if is("hello") && !self.open.swap(true, Ordering::Relaxed) {
                tracing::info!("Slack's socket is open");
            }
            if is("disconnect") {
                // Slack says so before it closes one: the next is opened at once.
                if let Some(manager) = self.manager.upgrade() {
                    manager.restart_client(client).await;
                }
                return None;
            }
            self.hear(&message).await
        })
    }

    fn on_error<'a, 'c>(&'a self, error: Box<dyn std::error::Error + Send + Sync>) -> Boxed<'c, ()>
    where
        'a: 'c,
        Self: 'c,
    {
        Box::pin(async move { tracing::info!(%error, "Slack's socket failed") })
    }

    fn on_disconnect<'a, 'b, 'c>(&'a self, client: &'b SlackSocketModeWssClientId) -> Boxed<'c, ()>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            if let Some(manager) = self.manager.upgrade() {
                manager.restart_client(client).await;
            }
        })
    }
}
