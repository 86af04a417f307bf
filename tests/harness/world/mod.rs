//! A folder with all that the service needs, and the service in it as a person has it: the real binary, a real
//! repository, real files of feedback. Only the model is scripted.
//!
//! ```no_run
//! # async fn example() {
//! use harness::world::{LoopFile, Said, World};
//!
//! let world = World::start().await;
//! let origin = world.repository(&[("mean.py", "…"), ("tests/test_mean.py", "…")]);
//! world.define(&LoopFile::new("fix", "python3 -m unittest -v"));
//! world.feedback(&[Said::by("anna", "mean() of an empty list crashes")]);
//! world.lead(|s| s.call("finish", serde_json::json!({"report": "nothing"})));
//! let ran = world.loops(["run", "fix", "--format", "json"]).await;
//! assert_eq!(ran.code, 0, "{ran}");
//! world.close().await;
//! # }
//! ```
//!
//! A world must be closed: [`World::close`] looks for what no story may leave behind. The service's own code is used
//! for nothing here; what is asserted is what a person or a script could see.

mod closing;
mod feedback;
mod hub;
mod process;
mod repository;
mod slack;
mod spec;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tempfile::TempDir;

use crate::{
    model::{Model, Script},
    postgres,
};

pub use feedback::{Said, slack_export, zipped};
pub use hub::{BOT, HOOK_SECRET, SHOP, free_port};
pub use process::{Child, Ran};
pub use repository::Repository;
pub use spec::LoopFile;

/// What stands in every prompt of a lead agent and in no other one; the words of the session of [`World::lead`].
pub const LEAD: &str = "You lead one run of a loop";
/// What stands in every brief of an attempt that is not a task's first one.
const AGAIN: &str = "# This is another attempt";

/// A temporary folder with the service's settings, a scripted model, and what a test puts there.
#[derive(Debug)]
pub struct World {
    folder: TempDir,
    model: Model,
    key: String,
    /// The address of the Postgres that its settings may name.
    database: OnceLock<String>,
    /// The token with which the service logs in at GitHub; empty: it does not.
    token: Mutex<String>,
    /// Other secrets that the service finds in its environment, by the variables that hold them.
    secrets: Mutex<Vec<(&'static str, String)>>,
    /// All that the service has printed, with the command that printed it.
    printed: Mutex<Vec<Ran>>,
    closed: bool,
}

impl World {
    /// An empty folder with settings that lead to a scripted model.
    pub async fn start() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = tempfile::Builder::new()
            .prefix("world-")
            .tempdir()
            .expect("a temporary folder can be made");
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let world = Self {
            folder,
            model: Model::start().await,
            key: format!("sk-of-a-test-{}-{n}-very-secret", std::process::id()),
            database: OnceLock::new(),
            token: Mutex::default(),
            secrets: Mutex::default(),
            printed: Mutex::default(),
            closed: false,
        };
        world.settings("");
        fs::create_dir_all(world.path("home")).expect("a folder can be made");
        world
    }

    /// Writes `loops.yaml` anew, with `more` at its end.
    pub fn settings(&self, more: &str) {
        let address = self.model.address();
        self.write(
            "loops.yaml",
            &format!(
                "state: state\nmodels:\n  providers:\n    anthropic:\n      base_url: {address}\n      key: \
                 ${{LOOPS_TEST_KEY}}\n{more}"
            ),
        );
    }

    /// The address of a Postgres for this world, which the service finds in the variable `DATABASE_URL`. With
    /// `database: ${DATABASE_URL}` in its settings the state is kept there.
    pub fn database(&self) -> &str {
        self.database.get_or_init(postgres::database)
    }

    /// Makes that the database at this address. Before anybody asked for one.
    ///
    /// # Panics
    /// If there is one already.
    pub fn database_at(&self, address: &str) {
        let set = self.database.set(address.to_owned());
        assert!(set.is_ok(), "this world has a database already");
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the folder.
    pub fn path(&self, inner: &str) -> PathBuf {
        self.folder.path().join(inner)
    }

    /// The state folder of the service.
    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// The scripted model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The key by which the service asks the model.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Writes a file in the folder.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).expect("a folder can be made");
        }
        fs::write(path, text).expect("a file can be written");
    }

    /// Makes `origin.git`, a bare repository as a server has it, with one commit of these files on `main`.
    pub fn repository(&self, files: &[(&str, &str)]) -> Repository {
        Repository::create(&self.path("origin.git"), files)
    }

    /// Writes a loop's spec to `.loops`.
    pub fn define(&self, file: &LoopFile) {
        self.write(&format!(".loops/{}.yaml", file.name), &file.yaml());
    }

    /// Adds lines to `feedback.jsonl`.
    pub fn feedback(&self, said: &[Said]) {
        let before = fs::read_to_string(self.path("feedback.jsonl")).unwrap_or_default();
        let lines: String = said.iter().map(Said::line).collect();
        self.write("feedback.jsonl", &(before + &lines));
    }

    /// What the lead agents say.
    pub fn lead(&self, write: impl FnOnce(Script) -> Script) -> &Self {
        self.model.session_of_role(LEAD, write);
        self
    }

    /// What the lead agent says whose brief contains `words`. To be written before a [`World::lead`] for all.
    pub fn lead_about(&self, words: &str, write: impl FnOnce(Script) -> Script) -> &Self {
        self.model.session_for(LEAD, words, write);
        self
    }

    /// What the worker on the task of this title says in its first attempt.
    pub fn worker(&self, title: &str, write: impl FnOnce(Script) -> Script) -> &Self {
        self.model.session(&format!("# Task: {title}\n"), write);
        self
    }

    /// What it says in an attempt whose brief contains `words`: those that it was sent back with. To be written
    /// before the first attempt, whose title it shares.
    pub fn worker_told(&self, title: &str, words: &str, write: impl FnOnce(Script) -> Script) -> &Self {
        let task = format!("# Task: {title}\n");
        let words = words.to_owned();
        self.model.session_if(
            &format!("{title} told {words}"),
            move |_, first| first.contains(&task) && first.contains(AGAIN) && first.contains(&words),
            write,
        );
        self
    }

    /// What the reviewer of the task of this title says. To be written last: a diff may quote anything.
    pub fn reviewer(&self, title: &str, write: impl FnOnce(Script) -> Script) -> &Self {
        self.model
            .session(&format!("# Change under review: {title}\n"), write);
        self
    }

    /// What the reviewer says of a change whose diff contains `words`.
    pub fn reviewer_of(&self, title: &str, words: &str, write: impl FnOnce(Script) -> Script) -> &Self {
        let change = format!("# Change under review: {title}\n");
        let words = words.to_owned();
        self.model.session_if(
            &format!("review of {title} with {words}"),
            move |_, first| first.contains(&change) && first.contains(&words),
            write,
        );
        self
    }

    fn token(&self) -> MutexGuard<'_, String> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn secrets(&self) -> MutexGuard<'_, Vec<(&'static str, String)>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, ran: &Ran) {
        self.printed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(ran.clone());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !self.closed && !std::thread::panicking() {
            panic!("this world was never closed, so nobody looked for what the story left behind");
        }
    }
}
