//! The loops that repositories define for themselves: read like those of a folder, and held to what a repository may
//! ask for. What may be asked for is `loops::spec`'s to say; how they come here is `crate::specs`'s.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use loops::{
    budget::Money,
    spec::{self, Allowance, Known},
};

use super::{SpecFile, add};
use crate::{
    config::{Config, github::FullName},
    engine::{EngineError, Home},
    specs::{FOLDER, Laid, look},
    store::loops as loop_rows,
};

/// What one repository defines, as far as it can be read.
#[derive(Debug)]
pub struct Defined {
    /// The repository.
    pub name: FullName,
    /// Its loops, good and bad.
    pub files: Vec<SpecFile>,
    /// What else is to be said about it.
    pub notes: Vec<String>,
    /// Whether they could not be read now, though that was asked for.
    pub unread: bool,
}

/// How to come to what a repository defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fresh {
    /// Ask GitHub; what lies here only if that fails.
    Ask,
    /// Take what lies here.
    AsItLies,
}

/// What the repositories that the settings list define.
///
/// # Errors
/// If the store cannot be read. A repository that cannot be reached has a note that says so.
pub async fn defined(home: &Home, config: &Config, fresh: Fresh) -> Result<Vec<Defined>, EngineError> {
    let known = super::known(&config.models);
    let mut all = Vec::new();
    for name in &config.github.repositories {
        let (mut notes, mut unread) = (Vec::new(), false);
        let mut laid = Laid::read(&home.folder, name);
        if fresh == Fresh::Ask {
            match look(home, name).await {
                Ok(found) => laid = Some(found.laid()),
                Err(error) => {
                    unread = true;
                    let then = if laid.is_some() {
                        "; what was read last counts"
                    } else {
                        ""
                    };
                    notes.push(format!("the loops of `{name}` cannot be read now: {error}{then}"));
                }
            }
        }
        let Some(laid) = laid else {
            all.push(Defined {
                name: name.clone(),
                files: Vec::new(),
                notes,
                unread,
            });
            continue;
        };
        notes.extend(laid.notes.iter().cloned());
        let mut judge = Judge {
            home,
            name,
            laid: &laid,
            known: &known,
            allowance: &config.github.limits,
        };
        let files = judge.files().await?;
        if files.is_empty() {
            notes.push(format!(
                "`{name}` has no loops in `{FOLDER}` on `{}`; `loops init --pr --repo {name}` proposes some",
                laid.branch
            ));
        }
        all.push(Defined {
            name: name.clone(),
            files,
            notes,
            unread,
        });
    }
    Ok(all)
}

/// Judges the loops of one repository.
struct Judge<'a> {
    home: &'a Home,
    name: &'a FullName,
    laid: &'a Laid,
    known: &'a Known,
    allowance: &'a Allowance,
}

impl Judge<'_> {
    async fn files(&mut self) -> Result<Vec<SpecFile>, EngineError> {
        let mut all = self.read().unwrap_or_default();
        // Which repository a name's findings, runs and proposals came from: they are not for another one to see.
        let rows = loop_rows::list(&self.home.store).await?;
        let key = self.name.key();
        let owners: BTreeMap<&str, String> = rows
            .iter()
            .filter(|row| row.repository.as_ref() != Some(&key))
            .map(|row| {
                let owner = match &row.repository {
                    Some(repository) => format!("`{repository}`"),
                    None => "the operator's own folder".to_owned(),
                };
                (row.name.as_str(), owner)
            })
            .collect();
        let (mut spent, mut good) = (Money::ZERO, 0_u32);
        let mut branches = BTreeMap::new();
        for file in &mut all {
            let Ok(spec) = &file.spec else { continue };
            let (loop_name, base, day) = (spec.name.clone(), spec.base.clone(), spec.budget.day.0);
            for over in spec::overreach(spec, &self.name.to_string(), self.allowance, spent) {
                file.add(&over.path, over.words);
            }
            if let Some(owner) = owners.get(loop_name.as_str()) {
                file.add(
                    "name",
                    format!("`{loop_name}` was a loop of {owner}, and what it knows stays there; take another name"),
                );
            }
            if good >= self.allowance.loops {
                let words = format!(
                    "the operator lets this repository have {} loops, and those before it are as many",
                    self.allowance.loops
                );
                file.add("name", words);
            }
            if file.spec.is_ok() {
                // Each branch is asked for once.
                let why = match branches.get(&base) {
                    Some(known) => Option::clone(known),
                    None => {
                        let why = self.no_branch(&base).await;
                        branches.insert(base.clone(), why.clone());
                        why
                    }
                };
                if let Some(why) = why {
                    file.add("base", why);
                }
            }
            if file.spec.is_ok() {
                good += 1;
                spent = Money(spent.0.saturating_add(day.0));
            }
        }
        let taken: BTreeSet<String> = all
            .iter()
            .filter_map(|file| Some(file.spec.as_ref().ok()?.name.clone()))
            .collect();
        for file in all.iter_mut().filter(|file| file.spec.is_err()) {
            if let Some((good, day)) = self.last_good(file, &rows, &taken, spent) {
                spent = Money(spent.0.saturating_add(day.0));
                file.last_good = Some(Box::new(good));
            }
        }
        Ok(all)
    }

    /// What a file was when its loop was served last, and what that may spend in a day: it is held to what the operator
    /// allows now. Whether its branch is there is not asked, because that may be what cannot be.
    fn last_good(
        &self,
        file: &SpecFile,
        rows: &[loop_rows::Loop],
        taken: &BTreeSet<String>,
        spent: Money,
    ) -> Option<(SpecFile, Money)> {
        let key = self.name.key();
        let row = rows.iter().find(|row| {
            row.repository.as_ref() == Some(&key)
                && row.served_since.is_some()
                && !taken.contains(&row.name)
                && Path::new(&row.path).file_name() == file.path.file_name()
        })?;
        let path = Path::new(&row.path);
        let good = SpecFile::read_as(path, file.shown.clone(), Some(key), self.known).ok()?;
        let spec = good.spec.as_ref().ok().filter(|spec| spec.name == row.name)?;
        let over = spec::overreach(spec, &self.name.to_string(), self.allowance, spent);
        let day = spec.budget.day.0;
        over.is_empty().then_some((good, day))
    }

    fn read(&self) -> io::Result<Vec<SpecFile>> {
        let folder = self.laid.folder(&self.home.folder, self.name);
        let mut paths: Vec<_> = std::fs::read_dir(folder)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "yaml" || end == "yml"))
            .collect();
        paths.sort();
        let mut all = Vec::new();
        for path in paths {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let shown = format!("{}/{FOLDER}/{file}", self.name);
            let file = SpecFile::read_as(&path, shown, Some(self.name.key()), self.known)?;
            add(&mut all, file);
        }
        Ok(all)
    }

    /// Why a loop cannot work from that branch.
    async fn no_branch(&self, base: &str) -> Option<String> {
        if base == self.laid.branch {
            return None;
        }
        let repository = self
            .home
            .hub
            .as_ref()?
            .repository(&self.name.owner, &self.name.name)
            .ok()?;
        match repository.branch_head(base).await {
            Ok(Some(_)) => None,
            Ok(None) => Some(format!(
                "`{}` has no branch `{base}`; it opens with `{}`",
                self.name, self.laid.branch
            )),
            Err(error) => Some(format!(
                "whether `{}` has a branch `{base}` cannot be asked now: {error}",
                self.name
            )),
        }
    }
}
