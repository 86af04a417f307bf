//! The service's settings: `loops.yaml` and the environment.
//!
//! This is the one place that reads the environment. A secret is only ever written as `${NAME}`; its value stays
//! in a [`Secret`], which cannot be printed. Nothing here opens a connection or a database.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Deserialize;

mod allowance;
pub mod budget;
pub mod builtin;
pub mod credentials;
pub mod database;
pub mod disk;
pub mod github;
mod metrics;
pub mod models;
pub mod node;
pub mod retention;
pub mod review;
pub mod secret;
pub mod serve;
pub mod slack;
pub mod web;

pub use budget::Budget;
pub use credentials::{Credential, Credentials};
pub use database::Database;
pub use disk::Disk;
pub use github::GitHub;
pub use models::{Model, Models, Provider, Vendor};
pub use node::Node;
pub use retention::Retention;
pub use review::Review;
pub use secret::{Named, Secret, SecretRef};
pub use serve::Serve;
pub use slack::Slack;
pub use web::Web;

/// Larger files are not settings.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the settings file `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says things that do not hold.
    #[error("the settings file `{}` has errors:\n{}", path.display(), lines(problems))]
    Bad {
        /// The file.
        path: PathBuf,
        /// All that was found.
        problems: Vec<Problem>,
    },
    /// There is no place for the state.
    #[error("there is no home folder to keep state in: give `--state DIR`, or set `state` in loops.yaml")]
    NoState,
}

/// One thing that is wrong in the settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, counted from 1, where they are known.
    pub at: Option<(u64, u64)>,
    /// What is wrong, and what is allowed.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => write!(f, "line {line}, column {column}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("  {problem}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The service's settings, checked and with every default filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where mirrors, workspaces and, without a `database`, the database are kept.
    pub state: PathBuf,
    /// The Postgres that holds the state; none: a SQLite file in the state folder.
    pub database: Option<Database>,
    /// Models, what they cost, and who provides them.
    pub models: Models,
    /// What all loops together may spend.
    pub budget: Budget,
    /// GitHub: where, as whom, and which repositories.
    pub github: GitHub,
    /// Slack: as whom, and how.
    pub slack: Slack,
    /// Where the service listens; none: nothing comes in over HTTP.
    pub web: Option<Web>,
    /// Where a monitor finds figures; none: nowhere.
    pub metrics: Option<std::net::SocketAddr>,
    /// How much review people can bear.
    pub review: Review,
    /// How long people's words are kept.
    pub retention: Retention,
    /// How much of the disk is left alone.
    pub disk: Disk,
    /// How this process carries out orders.
    pub node: Node,
    /// What the service may do at once.
    pub serve: Serve,
    /// Logins for addresses that sources read.
    pub credentials: Credentials,
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    state: Option<PathBuf>,
    database: Option<SecretRef>,
    models: models::File,
    budget: budget::File,
    github: github::File,
    slack: slack::File,
    web: web::File,
    metrics: metrics::File,
    review: review::File,
    retention: retention::File,
    disk: disk::File,
    node: node::File,
    serve: serve::File,
    credentials: credentials::File,
}

impl Config {
    /// Reads `file`, or takes the defaults if there is none; `state` (the command line's) wins over the file's.
    pub fn load(file: Option<&Path>, state: Option<PathBuf>) -> Result<Self, Error> {
        let (path, text) = match file {
            None => (PathBuf::from("loops.yaml"), String::new()),
            Some(path) => (path.to_owned(), read(path)?),
        };
        Self::read(&path, &text, state, &environment)
    }

    /// Reads settings from `text`; `env` answers for the environment. Paths in it are relative to the folder of `path`.
    pub fn read(
        path: &Path,
        text: &str,
        state: Option<PathBuf>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let bad = |problems| Error::Bad {
            path: path.to_owned(),
            problems,
        };
        let file: File = parse(text).map_err(|problem| bad(vec![problem]))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut problems = Vec::new();
        let models = file.models.resolve(folder, env, &mut problems);
        let budget = file.budget.resolve(&mut problems);
        let review = file.review.resolve(&mut problems);
        let retention = file.retention.resolve(&mut problems);
        let node = file.node.resolve(&mut problems);
        let serve = file.serve.resolve(&mut problems);
        let credentials = file.credentials.resolve(env, &mut problems);
        let slack = file.slack.resolve(env, &mut problems);
        let web = file.web.resolve(env, &mut problems);
        let metrics = file.metrics.resolve(&mut problems);
        let github = file.github.resolve(folder, env, &mut problems);
        let (Some(github), Some(slack), true) = (github, slack, problems.is_empty()) else {
            return Err(bad(problems));
        };
        let state = state
            .or_else(|| file.state.map(|written| folder.join(written)))
            .or_else(|| env("XDG_STATE_HOME").map(|base| Path::new(&base).join("loops")))
            .or_else(|| env("HOME").map(|home| Path::new(&home).join(".local/state/loops")))
            .ok_or(Error::NoState)?;
        let budget = Budget {
            repository: Some(github.limits.day.0),
            ..budget
        };
        let database = file.database.map(|name| Database::named(name, env));
        Ok(Self {
            state,
            database,
            models,
            budget,
            github,
            slack,
            web,
            metrics,
            review,
            retention,
            disk: file.disk.resolve(),
            node,
            serve,
            credentials,
        })
    }
}

fn parse(text: &str) -> Result<File, Problem> {
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        return Ok(File::default());
    }
    // Without a snippet: the offending line may hold a key that somebody wrote out.
    let mut options = serde_saphyr::options::Options::default();
    options.with_snippet = false;
    options.strict_booleans = true;
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let at = error
            .location()
            .map(|location| (location.line(), location.column()));
        let what = error.without_snippet().to_string();
        let what = match at {
            // The parser says the place once for each level that the error passed through.
            Some((line, column)) => what.trim_end_matches(&format!(" at line {line}, column {column}")),
            None => &what,
        };
        Problem {
            at,
            what: what.to_owned(),
        }
    })
}

fn read(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > MAX_BYTES {
        let what = format!("the file has {length} bytes; at most {MAX_BYTES} are allowed");
        return Err(Error::Bad {
            path: path.to_owned(),
            problems: vec![Problem { at: None, what }],
        });
    }
    std::fs::read_to_string(path).map_err(failed)
}

impl SecretRef {
    /// What the environment holds under this name.
    pub fn value(&self) -> Option<Secret> {
        environment(&self.0).map(Secret::new)
    }
}

/// The environment; a variable that is empty counts as not set.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
