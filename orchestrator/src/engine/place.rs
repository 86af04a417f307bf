//! Where a loop's repository is: a folder on this machine, or one on GitHub. What differs between the two is asked
//! here, so that the stages of the pipeline need not know.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use loops::spec::RepoForm;
use workers::git::{Mirror, Remote};

use super::{EngineError, Home};
use crate::github::Repository;

/// Where a repository is. Its text (a path, or `owner/name`) is what effects and baselines know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A folder on this machine.
    Folder(PathBuf),
    /// On GitHub.
    GitHub {
        /// The account or organisation.
        owner: String,
        /// The repository in it.
        name: String,
    },
}

impl Place {
    /// The place that `repo`, as a spec in `folder` has it, names.
    pub(crate) fn of(repo: &str, folder: &Path) -> Self {
        match RepoForm::parse(repo) {
            Some(RepoForm::GitHub { owner, name }) => Self::GitHub { owner, name },
            _ => {
                let path = folder.join(repo);
                Self::Folder(path.canonicalize().unwrap_or(path))
            }
        }
    }

    /// The place that a text of [`Place`] names.
    pub(crate) fn parse(text: &str) -> Self {
        Self::of(text, Path::new("/"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::GitHub { owner, name } => write!(f, "{owner}/{name}"),
        }
    }
}

impl Home {
    /// The repository on GitHub that `place` is; none: it is a folder.
    ///
    /// # Errors
    /// If it is on GitHub and nobody said how to log in there.
    pub(crate) fn on_github(&self, place: &Place) -> Result<Option<Repository>, EngineError> {
        match (place, &self.hub) {
            (Place::Folder(_), _) => Ok(None),
            (Place::GitHub { owner, name }, Some(hub)) => Ok(Some(hub.repository(owner, name)?)),
            (Place::GitHub { .. }, None) => Err(EngineError::NoLogin(place.to_string())),
        }
    }

    /// Brings the mirror of `place` up to date with a branch, and gives the mirror and the branch's commit.
    ///
    /// # Errors
    /// If the repository or its branch cannot be reached.
    pub(crate) async fn fetch(&self, place: &Place, branch: &str) -> Result<(PathBuf, String), EngineError> {
        let mirror = self.mirror(&place.to_string());
        let remote = match self.on_github(place)? {
            Some(repository) => {
                // Whatever is wrong there, git says in its own words.
                let there = repository.branch_lately(branch).await.ok().flatten();
                if let Some(base) =
                    there.filter(|there| Mirror::known(&mirror, branch).as_ref() == Some(there))
                {
                    return Ok((mirror, base));
                }
                repository.git_access().await?
            }
            None => Remote::from(place.to_string().as_str()),
        };
        let base = Mirror::update(&remote, &mirror, branch).await?;
        Ok((mirror, base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_by_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let shop = folder.path().canonicalize().unwrap().join("shop");
        std::fs::create_dir(&shop).unwrap();
        let here = Place::of("./shop", folder.path());
        assert_eq!(here, Place::Folder(shop));
        assert_eq!(Place::parse(&here.to_string()), here);
        let there = Place::of("acme/shop", folder.path());
        assert_eq!(Place::parse(&there.to_string()), there);
        assert!(
            matches!(there, Place::GitHub { .. }),
            "a folder would begin with a dot"
        );
    }
}
