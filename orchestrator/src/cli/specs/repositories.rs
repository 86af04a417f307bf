//! The loops that repositories define for themselves: read like those of a folder, and held to what a repository may
//! ask for. What may be asked for is `loops::spec`'s to say; how they come here is `crate::specs`'s.

use std::{collections::BTreeMap, io};

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
        let mut notes = Vec::new();
        let mut laid = Laid::read(&home.folder, name);
        if fresh == Fresh::Ask {
            match look(home, name).await {
                Ok(found) => laid = Some(found.laid()),
                Err(error) => {
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
        let owners: BTreeMap<String, String> = loop_rows::list(&self.home.store)
            .await?
            .into_iter()
            .map(|row| (row.name, row.spec["repo"].as_str().unwrap_or_default().to_owned()))
            .collect();
        let mut spent = Money::ZERO;
        for file in &mut all {
            let Ok(spec) = &file.spec else { continue };
            let (loop_name, base, day) = (spec.name.clone(), spec.base.clone(), spec.budget.day.0);
            for over in spec::overreach(spec, &self.name.to_string(), self.allowance, spent) {
                file.add(&over.path, over.words);
            }
            if let Some(owner) = owners
                .get(&loop_name)
                .filter(|owner| **owner != self.name.to_string())
            {
                file.add(
                    "name",
                    format!("`{loop_name}` was a loop of `{owner}`, and what it knows stays there; take another name"),
                );
            }
            if let Some(why) = self.no_branch(&base).await {
                file.add("base", why);
            }
            if file.spec.is_ok() {
                spent = Money(spent.0.saturating_add(day.0));
            }
        }
        Ok(all)
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
            let mut file = SpecFile::read_as(&path, shown, self.known)?;
            file.repository = Some(self.name.key());
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
