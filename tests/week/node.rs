//! The service in this process: opened on a world's folder, stepped through virtual time, closed in good order or
//! dropped.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use harness::world::World;
use loops::time::Timestamp;
use orchestrator::{
    cli::specs,
    clock,
    config::Config,
    engine::{Definition, Engine, Home, Service, Specs, Word},
    gateway::Gateway,
    github::Hub,
    slack::Slack,
    store::{StateLock, Store},
};
use workers::{Machine, sandbox::Sandbox};

static HANDS: AtomicI64 = AtomicI64::new(0);

/// A clock that goes with this process's own.
type Beside = Box<dyn Fn(i64) + Send>;
static BESIDE: Mutex<Option<Beside>> = Mutex::new(None);

/// From now on `beside` is told what time it is, in Unix milliseconds, whenever the clock is turned.
pub(crate) fn turn_beside(beside: Option<Beside>) {
    *BESIDE.lock().unwrap_or_else(PoisonError::into_inner) = beside;
}

/// Turns the clock of this process.
pub(crate) fn turn_to(at: DateTime<Utc>) {
    static TAKEN: OnceLock<bool> = OnceLock::new();
    HANDS.store(at.timestamp_millis(), Ordering::SeqCst);
    if let Some(beside) = &*BESIDE.lock().unwrap_or_else(PoisonError::into_inner) {
        beside(at.timestamp_millis());
    }
    let taken = TAKEN.get_or_init(|| clock::install(|| Timestamp(HANDS.load(Ordering::SeqCst))));
    assert!(taken, "somebody else turns the clock");
}

pub(crate) fn utc(at: Timestamp) -> DateTime<Utc> {
    at.utc()
}

/// All that the service needs, as its binary lays it out.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    files: Arc<Files>,
    words: Arc<Mutex<Vec<Word>>>,
    _lock: StateLock,
}

/// The specs of a world, read when somebody says that they have changed.
struct Files {
    world: std::path::PathBuf,
    config: Config,
    changed: AtomicBool,
}

impl Node {
    /// Takes the lock, opens the store, starts the gateway.
    pub(crate) async fn open(world: &World) -> Self {
        let (key, token, path) = (world.key(), world.login_token(), world.path("loops.yaml"));
        let text = std::fs::read_to_string(&path).unwrap();
        let slack = world.secret("LOOPS_TEST_SLACK");
        let env = |name: &str| match name {
            "LOOPS_TEST_KEY" => Some(key.to_owned()),
            "LOOPS_TEST_GITHUB" => Some(token.clone()),
            "LOOPS_TEST_SLACK" => slack.clone(),
            _ => None,
        };
        let config = Config::read(&path, &text, None, &env).unwrap();
        let lock = StateLock::take(&config.state).unwrap();
        let store = Store::open(&config.state).await.unwrap();
        let helper = World::binary();
        let machine = Machine {
            sandbox: Some(Sandbox::find(helper).unwrap()),
        };
        let folder = config.state.canonicalize().unwrap();
        let hub = Hub::new(&config.github).unwrap();
        let home = Home::new(store.clone(), Arc::new(machine), folder, hub)
            .with_slack(Slack::new(&config.slack).unwrap())
            .with_review(config.review);
        let gateway = Gateway::start(&config.models, store, None, None).await.unwrap();
        Self {
            engine: Engine {
                home,
                gateway: Arc::new(gateway),
            },
            files: Arc::new(Files {
                world: world.folder().to_owned(),
                config,
                changed: AtomicBool::new(true),
            }),
            words: Arc::default(),
            _lock: lock,
        }
    }

    /// The service on it.
    pub(crate) fn service(&self) -> Service<'_> {
        let files = Arc::clone(&self.files);
        let words = Arc::clone(&self.words);
        Service::new(
            &self.engine,
            move || files.read(),
            move |word| words.lock().unwrap().push(word),
        )
    }

    /// The loop of that name.
    pub(crate) fn definition(&self, name: &str) -> Definition {
        let (all, _) = self.files.read().unwrap();
        all.into_iter().find(|one| one.spec.name == name).unwrap()
    }

    /// The loops' files have changed.
    pub(crate) fn specs_changed(&self) {
        self.files.changed.store(true, Ordering::SeqCst);
    }

    /// What the service has said so far.
    pub(crate) fn words(&self) -> Vec<Word> {
        self.words.lock().unwrap().clone()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.engine.home.store
    }

    /// Closes it, as its binary does.
    pub(crate) async fn close(self) {
        self.engine.gateway.shutdown(Duration::from_millis(200)).await;
        self.store().close().await;
    }
}

impl Files {
    fn read(&self) -> Specs {
        if !self.changed.swap(false, Ordering::SeqCst) {
            return None;
        }
        let files = specs::files_in(&self.world.join(".loops")).unwrap();
        let all = specs::read_all(&files, &specs::known(&self.config.models)).unwrap();
        let definitions = all
            .into_iter()
            .map(|file| {
                let spec = file
                    .spec
                    .unwrap_or_else(|errors| panic!("{}: {errors:?}", file.path.display()));
                Definition {
                    version: loops::spec::version(&spec),
                    spec: Arc::new(spec),
                    path: file.path.canonicalize().unwrap(),
                    repository: None,
                }
            })
            .collect();
        Some((definitions, Vec::new()))
    }
}

/// Lets virtual time pass until `to`, from one moment at which something is due to the next. Each run is driven to its
/// end before time goes on, but those of the loops in `held`: they go on meanwhile. `look` is called after each step.
pub(crate) async fn pass(
    service: &mut Service<'_>,
    to: DateTime<Utc>,
    held: &BTreeSet<String>,
    mut look: impl AsyncFnMut(&Service<'_>),
) {
    loop {
        settle(service, held).await;
        look(service).await;
        let now = utc(clock::now());
        let next = service.next().map_or(to, utc).min(to);
        if next - now <= TimeDelta::seconds(2) && service.under_way().next().is_some() {
            // Somebody waits for a run to stop, which takes a moment of real time.
            let _ = tokio::time::timeout(Duration::from_millis(100), service.end_one()).await;
        }
        // Never longer, or the service takes it that the machine was asleep.
        turn_to(next.max(now).min(now + TimeDelta::minutes(4)));
        service.ring().await.unwrap();
        if utc(clock::now()) >= to && service.next().is_none_or(|next| utc(next) > to) {
            settle(service, held).await;
            look(service).await;
            return;
        }
    }
}

/// Drives what is under way to its end, but what is held.
pub(crate) async fn settle(service: &mut Service<'_>, held: &BTreeSet<String>) {
    loop {
        let under_way: Vec<String> = service.under_way().map(str::to_owned).collect();
        let distinct: BTreeSet<&String> = under_way.iter().collect();
        assert_eq!(
            distinct.len(),
            under_way.len(),
            "two runs of a loop: {under_way:?}"
        );
        if under_way.iter().all(|name| held.contains(name)) {
            return;
        }
        service.end_one().await.unwrap();
    }
}
