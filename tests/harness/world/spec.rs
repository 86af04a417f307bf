//! A loop's spec, with what the stories vary.

use std::fmt::Write as _;

/// What is written to `.loops/<name>.yaml`. The repository is `origin.git` of the world, the source `feedback.jsonl`.
#[derive(Debug, Clone)]
pub struct LoopFile {
    pub(super) name: String,
    check: String,
    repository: String,
    sources: String,
    form: &'static str,
    every: &'static str,
    write: Vec<String>,
    hosts: Vec<String>,
    attempts: u32,
    max_open: u32,
    more: String,
}

impl LoopFile {
    /// A loop whose one check is the command `check`.
    pub fn new(name: &str, check: &str) -> Self {
        Self {
            name: name.to_owned(),
            check: check.to_owned(),
            repository: "../origin.git".to_owned(),
            sources: "[{ file: { path: ../feedback.jsonl } }]".to_owned(),
            form: "local",
            every: "10m",
            write: vec!["**".to_owned()],
            hosts: Vec::new(),
            attempts: 2,
            max_open: 5,
            more: String::new(),
        }
    }

    /// Another repository, as a path from `.loops`.
    #[must_use]
    pub fn repository(self, path: &str) -> Self {
        Self {
            repository: path.to_owned(),
            ..self
        }
    }

    /// Another source, as a path from `.loops`.
    #[must_use]
    pub fn source(self, path: &str) -> Self {
        self.sources(&format!("[{{ file: {{ path: {path:?} }} }}]"))
    }

    /// Other sources, as YAML.
    #[must_use]
    pub fn sources(self, yaml: &str) -> Self {
        Self {
            sources: yaml.to_owned(),
            ..self
        }
    }

    /// A repository on GitHub, to which changes come as pull requests and whose issues are read.
    #[must_use]
    pub fn on_github(self, full_name: &str) -> Self {
        Self {
            form: "pull_request",
            ..self.repository(full_name).sources("[{ github_issues: {} }]")
        }
    }

    /// How often it ticks; else every ten minutes.
    #[must_use]
    pub fn every(self, every: &'static str) -> Self {
        Self { every, ..self }
    }

    /// What may be changed.
    #[must_use]
    pub fn write<const N: usize>(self, globs: [&str; N]) -> Self {
        Self {
            write: globs.map(str::to_owned).to_vec(),
            ..self
        }
    }

    /// The hosts that agents may reach.
    #[must_use]
    pub fn hosts<const N: usize>(self, hosts: [&str; N]) -> Self {
        Self {
            hosts: hosts.map(str::to_owned).to_vec(),
            ..self
        }
    }

    /// How many attempts a task has.
    #[must_use]
    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// Above how many open proposals nothing is started.
    #[must_use]
    pub fn max_open(self, max_open: u32) -> Self {
        Self { max_open, ..self }
    }

    /// More top-level keys, as YAML.
    #[must_use]
    pub fn more(self, yaml: &str) -> Self {
        Self {
            more: self.more + yaml,
            ..self
        }
    }

    /// The file's text.
    pub fn yaml(&self) -> String {
        let Self {
            name,
            check,
            repository,
            sources,
            form,
            every,
            attempts,
            max_open,
            more,
            ..
        } = self;
        let mut write = String::new();
        for glob in &self.write {
            // Into a string, which does not fail.
            let _ = write!(write, "{}{glob:?}", if write.is_empty() { "" } else { ", " });
        }
        format!(
            "name: {name}\nkind: fix\nrepo: {repository}\nbase: main\nschedule: {{ every: {every} }}\nsources: \
             {sources}\nworkers:\n  fix: {{ model: standard, max_attempts: {attempts}, timeout: 2m \
             }}\nboundaries:\n  write: [{write}]\n  network: {:?}\nchecks:\n  commands:\n    - {{ name: unit, run: {check:?}, timeout: \
             1m }}\nproposal: {{ as: {form}, max_open: {max_open} }}\n{more}",
            self.hosts
        )
    }
}
