//! What commands need of the rooms: the state folder, the store, the gateway, a loop by name.

use std::{path::PathBuf, sync::Arc, time::Duration};

use loops::spec;
use tokio_util::sync::CancellationToken;
use workers::{Machine, sandbox::Sandbox};

use super::{CliError, Context, specs};
use crate::{
    config::{Config, Database, Secret},
    engine::{Definition, Engine, Home, Plan, Watchers, plan},
    feeds::Feeds,
    gateway::{Cassette, Gateway, GatewayError},
    github::{GitHubError, Hub},
    slack::{Slack, SlackError},
    store::{StateLock, Store, StoreError},
};

/// What a command that changes the world holds.
pub(super) struct Service {
    pub(super) engine: Engine,
    /// Held as long as we work: two processes on one state folder would undo each other's work.
    lock: StateLock,
}

impl Service {
    /// Fires when another process leads: what this one does counts no more.
    pub(super) fn lost(&self) -> CancellationToken {
        self.lock.lost()
    }

    /// Leaves in good order: nobody need wait for our lease to end.
    pub(super) async fn leave(&self) {
        let home = &self.engine.home;
        let left = async {
            home.store.stop_leading().await?;
            home.leave().await
        };
        if let Err(error) = left.await {
            tracing::info!(%error, "nobody learns that we have gone");
        }
    }
}

impl Context {
    pub(super) fn config(&self) -> Result<Config, CliError> {
        specs::config(self)
    }

    /// The store, for looking or for a decision.
    pub(super) async fn store(&self) -> Result<Store, CliError> {
        open(&self.config()?).await
    }

    /// What answers to proposals need.
    pub(super) async fn home(&self) -> Result<Home, CliError> {
        let config = self.config()?;
        let store = open(&config).await?;
        let folder = config
            .state
            .canonicalize()
            .unwrap_or_else(|_| config.state.clone());
        home(config, store, folder)
    }

    /// Everything: the lock, the store, the gateway.
    pub(super) async fn service(&self, cassette: Option<PathBuf>) -> Result<Service, CliError> {
        let (config, lock, home) = self.locked().await?;
        let lock = lock.also_in(&home.store).await?;
        self.leading((config, lock, home), cassette).await
    }

    /// What runs and the service need before they may work.
    async fn locked(&self) -> Result<(Config, StateLock, Home), CliError> {
        let config = self.config()?;
        make_folder(&config)?;
        let lock = StateLock::take(&config.state)?;
        let home = self.home().await?;
        if config.node.places == 0 && config.database.is_none() {
            return Err(
                CliError::usage("nobody would carry anything out: `node.places` is 0")
                    .why("other nodes work on a state in a Postgres")
                    .todo("name a `database` in `loops.yaml`, or give `node.places` a number"),
            );
        }
        Ok((config, lock, home))
    }

    async fn leading(
        &self,
        (config, lock, home): (Config, StateLock, Home),
        cassette: Option<PathBuf>,
    ) -> Result<Service, CliError> {
        let lock = lock.lead(&home.store, home.holder(), home.lease()).await?;
        home.take_over_our_own().await?;
        let playback = match cassette.or_else(|| config.models.play.clone()) {
            Some(path) => Some(Cassette::load(&path).map_err(|error| CliError::usage(error.to_string()))?),
            None => None,
        };
        let gateway = Gateway::start(
            &config.models,
            home.store.clone(),
            playback,
            config.models.record.clone(),
        )
        .await?;
        gateway.limit(config.budget);
        Ok(Service {
            engine: Engine {
                home,
                gateway: Arc::new(gateway),
            },
            lock,
        })
    }

    /// What a node needs that carries out orders and does nothing else: its own folder and gateway, and a state that
    /// others work on, too.
    pub(super) async fn worker_node(
        &self,
        node: crate::config::Node,
        cassette: Option<PathBuf>,
    ) -> Result<Service, CliError> {
        let config = self.config()?;
        if config.database.is_none() {
            return Err(
                CliError::usage("a worker works for a service elsewhere, and here is no `database`")
                    .why("only a state in a Postgres can be shared")
                    .todo("name it in `loops.yaml`: `database: ${DATABASE_URL}`"),
            );
        }
        make_folder(&config)?;
        let lock = StateLock::take(&config.state)?;
        let store = open(&config).await?;
        let folder = config
            .state
            .canonicalize()
            .unwrap_or_else(|_| config.state.clone());
        // It reaches no forge: what it works on comes from the store.
        let home = Home::new(store, Arc::new(machine()), folder, None)
            .with_node(node)
            .with_disk(config.disk);
        home.take_over_our_own().await?;
        let playback = match cassette.or_else(|| config.models.play.clone()) {
            Some(path) => Some(Cassette::load(&path).map_err(|error| CliError::usage(error.to_string()))?),
            None => None,
        };
        let gateway = Gateway::start_beside(&config.models, home.store.clone(), playback).await?;
        gateway.limit(config.budget);
        Ok(Service {
            engine: Engine {
                home,
                gateway: Arc::new(gateway),
            },
            lock,
        })
    }

    /// What [`Context::service`] gives, for who runs loops by their schedules: others can see that.
    /// On a Postgres it waits for its turn while another leads, until `stop`; none: it was stopped before that.
    pub(super) async fn serving(
        &self,
        cassette: Option<PathBuf>,
        stop: &CancellationToken,
    ) -> Result<Option<Service>, CliError> {
        let (config, lock, home) = self.locked().await?;
        let mut told = false;
        let waiting = async |leads: &StoreError| {
            if !told {
                self.out.note(format!("standing by: {leads}"));
                told = true;
            }
            if let Err(error) = home.stand_by().await {
                self.out
                    .note(format!("nobody learns that this one stands by: {error}"));
            }
            let pause = home.lease().min(Duration::from_secs(1));
            tokio::time::timeout(pause, stop.cancelled()).await.is_err()
        };
        let turn = lock.in_turn_in(&home.store, waiting).await?;
        let Some(lock) = turn else {
            home.leave().await?;
            return Ok(None);
        };
        if told {
            self.out.note("the other one has gone; this one leads now");
        }
        let service = self.leading((config, lock, home), cassette).await?;
        Ok(Some(Service {
            lock: service.lock.serving()?,
            ..service
        }))
    }

    /// The loop of that name: from the folder of specs, else from a repository in the settings.
    pub(super) async fn definition(&self, config: &Config, name: &str) -> Result<Definition, CliError> {
        let mut notes = Vec::new();
        let files = specs::everywhere(self, config, Some(name), &mut notes, &mut Vec::new()).await?;
        for words in notes {
            self.out.note(loops::text::plain(&words));
        }
        let file = specs::find(files, name, self.out.color)?;
        Ok(Definition {
            version: spec::version(&file.spec),
            spec: Arc::new(file.spec),
            path: file.path.canonicalize().unwrap_or(file.path),
            repository: file.repository,
        })
    }
}

/// The state, wherever the settings say that it is.
pub(super) async fn open(config: &Config) -> Result<Store, CliError> {
    let Some(database) = &config.database else {
        return Ok(Store::open(&config.state).await?);
    };
    if !config.state.exists() {
        make_folder(config)?;
    }
    Ok(Store::connect(address(database)?.expose()).await?)
}

/// The address of a database; an error that names the variable if there is none.
pub(super) fn address(database: &Database) -> Result<&Secret, CliError> {
    database.address.as_ref().ok_or_else(|| {
        CliError::usage(format!("there is no database: `{}` is not set", database.name)).todo(format!(
            "`export {}=postgres://…`, or take `database` out of `loops.yaml`",
            database.name
        ))
    })
}

fn make_folder(config: &Config) -> Result<(), CliError> {
    std::fs::create_dir_all(&config.state).map_err(|error| {
        CliError::new(format!(
            "cannot make the state folder `{}`",
            config.state.display()
        ))
        .why(error)
    })
}

/// How tasks are carried out on this machine. Without a sandbox the attempts that need one say so.
pub(super) fn machine() -> Machine {
    let helper = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("loops"));
    Machine {
        sandbox: Some(Sandbox::find(helper.clone()).unwrap_or_else(|_| Sandbox::without(helper))),
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let told = CliError::new(error.to_string());
        match error {
            StoreError::Held { .. } => {
                told.todo("wait for it, stop it, or work on another state folder with `--state DIR`")
            }
            StoreError::Claimed { .. } => told.todo("wait for it, or stop it"),
            _ => told,
        }
    }
}

impl From<GitHubError> for CliError {
    fn from(error: GitHubError) -> Self {
        CliError::new(error.to_string()).todo("`loops doctor` looks at the login")
    }
}

impl From<SlackError> for CliError {
    fn from(error: SlackError) -> Self {
        CliError::new(error.to_string()).todo("`loops doctor` looks at the login")
    }
}

impl From<GatewayError> for CliError {
    fn from(error: GatewayError) -> Self {
        CliError::new("the model gateway did not start").why(error)
    }
}

impl From<crate::engine::EngineError> for CliError {
    fn from(error: crate::engine::EngineError) -> Self {
        CliError::new(error.to_string())
    }
}

impl Context {
    /// The only loop in the folder of specs.
    pub(super) fn only_loop(&self) -> Result<String, CliError> {
        let config = self.config()?;
        let all = specs::read_all(
            &specs::files_in(&self.global.specs)?,
            &specs::known(&config.models),
        )?;
        let names: Vec<String> = all
            .into_iter()
            .filter_map(|file| Some(file.spec.ok()?.name))
            .collect();
        match names.as_slice() {
            [one] => Ok(one.clone()),
            [] => {
                Err(CliError::usage("no loop here can be read").todo("`loops validate` shows what is wrong"))
            }
            _ => Err(CliError::usage("say for which loop")
                .why(format!("there are {}", names.join(", ")))
                .todo("add `--loop NAME`")),
        }
    }

    /// What a run would do, worked out on a copy of the state that is thrown away.
    pub(super) async fn look_ahead(&self, definition: &Definition) -> Result<Plan, CliError> {
        let config = self.config()?;
        let failed =
            |error: std::io::Error| CliError::new("the state could not be copied to look ahead").why(error);
        let copy = tempfile::tempdir().map_err(failed)?;
        if config.database.is_some() || config.state.join(crate::store::FILE).exists() {
            open(&config).await?.copy_to(copy.path()).await?;
        }
        // What was fetched before need not be fetched again; a mirror is locked while it is brought up to date.
        let mirrors = config
            .state
            .canonicalize()
            .unwrap_or_else(|_| config.state.clone())
            .join("mirrors");
        if mirrors.is_dir() {
            std::os::unix::fs::symlink(mirrors, copy.path().join("mirrors")).map_err(failed)?;
        }
        let store = Store::open(copy.path()).await?;
        let gateway = Gateway::start(&config.models, store.clone(), None, None).await?;
        gateway.limit(config.budget.clone());
        let engine = Engine {
            home: home(config, store, copy.path().to_owned())?,
            gateway: Arc::new(gateway),
        };
        Ok(plan(&engine, definition, &Watchers::default()).await?)
    }
}

/// What the settings say that stands on this machine, with its files in `folder`.
fn home(config: Config, store: Store, folder: PathBuf) -> Result<Home, CliError> {
    let hub = Hub::new(&config.github)?;
    let feeds = Feeds::new(config.credentials).map_err(|error| CliError::new(error.to_string()))?;
    let slack = Slack::new(&config.slack)?;
    Ok(Home::new(store, Arc::new(machine()), folder, hub)
        .with_slack(slack)
        .with_review(config.review)
        .with_node(config.node)
        .with_disk(config.disk)
        .with_feeds(feeds))
}
