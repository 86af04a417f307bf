//! The folder of specs while it is served: looked at every second, as cheaply as can be. It says what stands there, and
//! starts nothing.
//!
//! A new, removed or replaced file changes the folder itself and is seen at once; one that is written in place is seen
//! when its turn comes, which for up to two hundred files is at once, too. Only files that have changed are read.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use loops::{spec, time::Timestamp};

use super::{run, specs};
use crate::{
    clock,
    config::Models,
    engine::{Broken, Definition, Specs},
};

/// So many files are looked at each time.
const AT_ONCE: usize = 200;
/// A folder that changed so lately may change again without showing it: its time of change has steps.
const FRESH: Duration = Duration::from_secs(2);

/// What tells that a file is another one: when it was changed, and how long it is.
type Stamp = (SystemTime, u64);

/// The folder, as it was last seen.
pub(super) struct Folder {
    path: PathBuf,
    models: Models,
    changed: Option<SystemTime>,
    files: BTreeMap<PathBuf, (Stamp, Result<Definition, Broken>)>,
    /// The file after which the next look begins.
    looked: PathBuf,
    first: bool,
}

impl Folder {
    /// The folder at `path`, of which nothing is known yet.
    pub(super) fn new(path: PathBuf, models: Models) -> Self {
        Self {
            path,
            models,
            changed: None,
            files: BTreeMap::new(),
            looked: PathBuf::new(),
            first: true,
        }
    }

    /// The loops in it; none: nothing has changed since the last look.
    pub(super) fn look(&mut self) -> Specs {
        let (of_folder, of_files) = (self.has_other_files(), self.has_other_words());
        if !(of_folder || of_files || self.first) {
            return None;
        }
        self.first = false;
        self.read();
        let mut wrong = Vec::new();
        let mut definitions = Vec::with_capacity(self.files.len());
        for (_, read) in self.files.values() {
            match read {
                Ok(definition) => definitions.push(definition.clone()),
                Err(broken) => wrong.push(broken.clone()),
            }
        }
        Some((definitions, wrong))
    }

    fn has_other_files(&mut self) -> bool {
        let Ok(changed) = self.path.metadata().and_then(|there| there.modified()) else {
            // It is gone, perhaps for a moment only.
            return self.changed.take().is_some();
        };
        let since_epoch = changed.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let fresh = clock::now().since(Timestamp(0).plus(since_epoch)) < FRESH;
        if self.changed.replace(changed) == Some(changed) && !fresh {
            return false;
        }
        let files = specs::files_in(&self.path).unwrap_or_default();
        !files.iter().eq(self.files.keys())
    }

    /// Whether one of the files whose turn it is was written anew.
    fn has_other_words(&mut self) -> bool {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = (Excluded(self.looked.clone()), Unbounded);
        let turn = self
            .files
            .range(from)
            .chain(&self.files)
            .take(AT_ONCE.min(self.files.len()));
        let mut last = None;
        let mut other = false;
        for (path, (stamp, _)) in turn {
            other |= stamp_of(path) != Some(*stamp);
            last = Some(path);
        }
        if let Some(last) = last.cloned() {
            self.looked = last;
        }
        other
    }

    /// Reads what has changed.
    fn read(&mut self) {
        let known = specs::known(&self.models);
        let mut before = std::mem::take(&mut self.files);
        for path in specs::files_in(&self.path).unwrap_or_default() {
            let Some(stamp) = stamp_of(&path) else {
                continue;
            };
            let read = match before.remove(&path) {
                Some((known, read)) if known == stamp && !is_twin(&read) => read,
                _ => match specs::SpecFile::read(&path, &known) {
                    Ok(file) => serve_it(file),
                    Err(_) => continue,
                },
            };
            self.files.insert(path, (stamp, read));
        }
        let mut names = BTreeSet::new();
        for (_, read) in self.files.values_mut() {
            if let Ok(definition) = read
                && !names.insert(definition.spec.name.clone())
            {
                let words = format!("`{}` is not served: {TWIN}", definition.spec.name);
                *read = Err(Broken {
                    path: definition.path.clone(),
                    words,
                });
            }
        }
    }
}

const TWIN: &str = "another loop has this name; `loops validate` says which";

/// Its fault is another file's, which may be gone.
fn is_twin(read: &Result<Definition, Broken>) -> bool {
    read.as_ref().is_err_and(|broken| broken.words.ends_with(TWIN))
}

fn stamp_of(path: &Path) -> Option<Stamp> {
    let there = path.metadata().ok()?;
    Some((there.modified().ok()?, there.len()))
}

/// The definition that a file holds, if it can be served.
pub(super) fn serve_it(file: specs::SpecFile) -> Result<Definition, Broken> {
    let path = file.path.canonicalize().unwrap_or(file.path);
    let spec = match file.spec {
        Ok(spec) => Arc::new(spec),
        Err(errors) => {
            let how_many = match errors.len() {
                1 => "1 error; `loops validate` shows it".to_owned(),
                n => format!("{n} errors; `loops validate` shows them"),
            };
            let words = format!("`{}` has {how_many}", file.shown);
            return Err(Broken { path, words });
        }
    };
    let definition = Definition {
        version: spec::version(&spec),
        spec,
        path,
        repository: file.repository,
    };
    let waits = spec::unserved(&definition.spec).map(|waits| waits.to_string());
    let no = waits.or_else(|| {
        run::refuse_what_is_not_there(&definition)
            .err()
            .map(|error| error.to_string())
    });
    match no {
        None => Ok(definition),
        Some(why) => Err(Broken {
            words: format!("`{}` is not served: {why}", definition.spec.name),
            path: definition.path,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LOOP: &str = "kind: fix\nrepo: ..\nschedule: { every: 10m }\nsources: [{ file: { path: f } }]\nproposal: { as: \
                        report }\n";

    fn folder(path: &Path) -> Folder {
        let config =
            crate::config::Config::read(Path::new("loops.yaml"), "state: s", None, &|_| None).unwrap();
        Folder::new(path.to_owned(), config.models)
    }

    fn write(folder: &Path, file: &str, name: &str, more: &str) {
        fs::write(folder.join(file), format!("name: {name}\n{LOOP}{more}")).unwrap();
    }

    fn seen(specs: Specs) -> Option<(Vec<String>, usize)> {
        let (definitions, wrong) = specs?;
        let names = definitions.iter().map(|one| one.spec.name.clone()).collect();
        Some((names, wrong.len()))
    }

    #[test]
    fn a_folder_is_read_once_and_again_when_a_file_comes_changes_or_goes() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path();
        write(path, "a.yaml", "a", "");
        let mut folder = folder(path);
        assert_eq!(seen(folder.look()), Some((vec!["a".to_owned()], 0)));
        assert_eq!(seen(folder.look()), None);
        write(path, "b.yaml", "b", "");
        assert_eq!(seen(folder.look()).unwrap().0.len(), 2);
        fs::write(path.join("a.yaml"), "name: [").unwrap();
        assert_eq!(seen(folder.look()), Some((vec!["b".to_owned()], 1)));
        fs::remove_file(path.join("b.yaml")).unwrap();
        assert_eq!(seen(folder.look()), Some((vec![], 1)));
        assert_eq!(seen(folder.look()), None);
    }

    #[test]
    fn of_two_files_with_one_name_the_first_is_served_until_it_is_gone() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path();
        write(path, "1.yaml", "a", "");
        write(path, "2.yaml", "a", "");
        let mut folder = folder(path);
        assert_eq!(seen(folder.look()), Some((vec!["a".to_owned()], 1)));
        fs::remove_file(path.join("1.yaml")).unwrap();
        assert_eq!(seen(folder.look()), Some((vec!["a".to_owned()], 0)));
    }

    #[test]
    fn among_very_many_files_every_one_has_its_turn() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path();
        for n in 0..AT_ONCE + 50 {
            write(path, &format!("{n:04}.yaml"), &format!("l{n}"), "");
        }
        let mut folder = folder(path);
        assert_eq!(seen(folder.look()).unwrap().0.len(), AT_ONCE + 50);
        assert_eq!(seen(folder.look()), None);
        write(path, "0010.yaml", "l10", "# longer\n");
        let looks = (0..3).filter(|_| folder.look().is_some()).count();
        assert_eq!(looks, 1, "within two turns, and once");
    }
}
