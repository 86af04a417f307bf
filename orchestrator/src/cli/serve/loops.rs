//! Which loops are served: those of the operator's folder, and those that repositories define on their base branches.
//! Files are read only when one of them has changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use ::loops::text::plain;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        CliError, Out,
        folder::{Folder, serve_it},
        specs::{
            SpecFile,
            repositories::{Defined, Fresh, defined},
        },
    },
    clock,
    config::Config,
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
    folder: Folder,
    of_folder: (Vec<Definition>, Vec<Broken>),
    shelf: Shelf,
    edition: Option<u64>,
    /// The last good form of each file of a repository. A new commit is a new folder, so a path does not tell.
    good: BTreeMap<String, Definition>,
}

impl Loops {
    /// Those in `folder`, and those on the shelf.
    pub(super) fn new(folder: Folder, shelf: Shelf) -> Self {
        Self {
            folder,
            of_folder: Default::default(),
            shelf,
            edition: None,
            good: BTreeMap::new(),
        }
    }

    /// The loops, if anything about them has changed. A name that the operator's folder has is no repository's.
    pub(super) fn changed(&mut self) -> Specs {
        let (folder, edition) = (self.folder.look(), self.shelf.edition());
        if folder.is_none() && self.edition == Some(edition) {
            return None;
        }
        self.edition = Some(edition);
        if let Some(folder) = folder {
            self.of_folder = folder;
        }
        let (mut definitions, mut wrong) = self.of_folder.clone();
        let mut taken: BTreeSet<String> = definitions.iter().map(|one| one.spec.name.clone()).collect();
        let files = self.shelf.files();
        let shown: BTreeSet<String> = files.iter().map(|file| file.shown.clone()).collect();
        self.good.retain(|file, _| shown.contains(file));
        for mut file in files {
            let last_good = file.last_good.take();
            let shown = file.shown.clone();
            let definition = match serve_it(file) {
                Ok(definition) if taken.contains(&definition.spec.name) => {
                    let words = format!(
                        "`{shown}` is not served: another loop has its name, `{}`",
                        definition.spec.name
                    );
                    wrong.push(Broken {
                        path: definition.path,
                        words,
                    });
                    continue;
                }
                Ok(definition) => {
                    self.good.insert(shown, definition.clone());
                    Some(definition)
                }
                Err(broken) => {
                    wrong.push(broken);
                    // After a restart what is on the disk stands for what was remembered.
                    let kept = || serve_it(*last_good?).ok();
                    self.good.get(&shown).cloned().or_else(kept)
                }
            };
            if let Some(definition) = definition
                && taken.insert(definition.spec.name.clone())
            {
                definitions.push(definition);
            }
        }
        Some((definitions, wrong))
    }
}
