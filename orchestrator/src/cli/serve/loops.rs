//! Which loops are served: those of the operator's folder, and those that repositories define on their base branches.
//! Files are read only when one of them has changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use ::loops::{spec, text::plain};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        CliError, Out, run,
        specs::{
            self, SpecFile,
            repositories::{Defined, Fresh, defined},
        },
    },
    clock,
    config::{Config, Models},
    engine::{Broken, Definition, EngineError, Home, Specs},
};

/// The loops that repositories define, as they were read last. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(super) struct Shelf(Arc<Mutex<Shelved>>);

#[derive(Default)]
struct Shelved {
    /// One more with each change.
    edition: u64,
    files: Vec<SpecFile>,
}

impl Shelf {
    /// What lies on this machine: runs under way go on with it even if GitHub cannot be reached.
    pub(super) async fn new(home: &Home, config: &Config) -> Result<Self, CliError> {
        let shelf = Self(Arc::default());
        shelf.put(defined(home, config, Fresh::AsItLies).await?);
        Ok(shelf)
    }

    /// Looks again and again whether repositories have changed, until `stop`. What is to be said is said once.
    pub(super) async fn keep_fresh(self, home: Home, config: Config, out: Out, stop: CancellationToken) {
        if config.github.repositories.is_empty() {
            return;
        }
        let mut told = BTreeSet::new();
        loop {
            let notes = self.look(&home, &config).await.unwrap_or_else(|error| {
                BTreeSet::from([format!("the loops of repositories cannot be read: {error}")])
            });
            for words in notes.difference(&told) {
                out.note(plain(&format!("{}  spec      {words}", clock::now())));
            }
            told = notes;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(config.github.look_every) => {}
            }
        }
    }

    async fn look(&self, home: &Home, config: &Config) -> Result<BTreeSet<String>, EngineError> {
        let found = defined(home, config, Fresh::Ask).await?;
        let notes = found.iter().flat_map(|one| one.notes.iter().cloned()).collect();
        self.put(found);
        Ok(notes)
    }

    fn put(&self, found: Vec<Defined>) {
        let files: Vec<SpecFile> = found.into_iter().flat_map(|one| one.files).collect();
        let mut shelved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shelved.files != files {
            shelved.edition += 1;
            shelved.files = files;
        }
    }

    fn edition(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).edition
    }

    fn files(&self) -> Vec<SpecFile> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .files
            .clone()
    }
}

/// All loops that are served, looked at as cheaply as can be.
pub(super) struct Loops {
    folder: PathBuf,
    models: Models,
    shelf: Shelf,
    seen: Option<(BTreeMap<PathBuf, (SystemTime, u64)>, u64)>,
    /// The last good form of each file of a repository. A new commit is a new folder, so a path does not tell.
    good: BTreeMap<String, Definition>,
}

impl Loops {
    /// Those in `folder`, and those on the shelf.
    pub(super) fn new(folder: PathBuf, config: &Config, shelf: Shelf) -> Self {
        Self {
            folder,
            models: config.models.clone(),
            shelf,
            seen: None,
            good: BTreeMap::new(),
        }
    }

    /// The loops, if anything about them has changed.
    pub(super) fn changed(&mut self) -> Specs {
        let paths = specs::files_in(&self.folder).unwrap_or_default();
        let stamps: BTreeMap<PathBuf, (SystemTime, u64)> = paths
            .iter()
            .filter_map(|path| {
                let there = path.metadata().ok()?;
                Some((path.clone(), (there.modified().ok()?, there.len())))
            })
            .collect();
        let now = (stamps, self.shelf.edition());
        if self.seen.as_ref() == Some(&now) {
            return None;
        }
        self.seen = Some(now);
        let mut files = specs::read_all(&paths, &specs::known(&self.models)).unwrap_or_default();
        let ours = files.len();
        for file in self.shelf.files() {
            specs::add(&mut files, file);
        }
        let shown: BTreeSet<String> = files.iter().skip(ours).map(|file| file.shown.clone()).collect();
        self.good.retain(|file, _| shown.contains(file));
        let (mut definitions, mut wrong): (Vec<Definition>, Vec<Broken>) = (Vec::new(), Vec::new());
        for (at, file) in files.into_iter().enumerate() {
            let shown = (at >= ours).then(|| file.shown.clone());
            match (serve_it(file), shown) {
                (Ok(definition), shown) => {
                    if let Some(shown) = shown {
                        self.good.insert(shown, definition.clone());
                    }
                    definitions.push(definition);
                }
                (Err(broken), shown) => {
                    wrong.push(broken);
                    let good = shown.and_then(|shown| self.good.get(&shown));
                    let free = |good: &&Definition| {
                        definitions.iter().all(|other| other.spec.name != good.spec.name)
                    };
                    definitions.extend(good.filter(free).cloned());
                }
            }
        }
        Some((definitions, wrong))
    }
}

fn serve_it(file: SpecFile) -> Result<Definition, Broken> {
    let path = file.path.canonicalize().unwrap_or(file.path);
    let spec = match file.spec {
        Ok(spec) => Arc::new(spec),
        Err(errors) => {
            let words = format!(
                "`{}` has {}; `loops validate` shows {}",
                file.shown,
                if errors.len() == 1 {
                    "1 error".to_owned()
                } else {
                    format!("{} errors", errors.len())
                },
                if errors.len() == 1 { "it" } else { "them" }
            );
            return Err(Broken { path, words });
        }
    };
    let version = spec::version(&spec);
    let definition = Definition { spec, version, path };
    if let Some(waits) = spec::unserved(&definition.spec) {
        let words = format!("`{}` is not served: {waits}", definition.spec.name);
        return Err(Broken {
            path: definition.path,
            words,
        });
    }
    match run::refuse_what_is_not_there(&definition) {
        Ok(()) => Ok(definition),
        Err(error) => {
            let words = format!("`{}` is not served: {error}", definition.spec.name);
            Err(Broken {
                path: definition.path,
                words,
            })
        }
    }
}
