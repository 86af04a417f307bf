//! Loops on disk: finding the files, reading them, and what is wrong across several of them. What is wrong within one
//! is `loops::spec`'s to say.

pub mod repositories;

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use loops::{
    library,
    spec::{self, Known, LoopSpec, SpecError},
};

use super::{CliError, Context};
use crate::config::{Config, Models};

/// More than any loop may have, so that a file that is too large is known by one byte more.
const MAX_READ: u64 = 256 * 1024 + 1;

/// A file that may be a loop.
#[derive(Debug, Clone, PartialEq)]
pub struct SpecFile {
    /// Where it is.
    pub path: PathBuf,
    /// How people know it: the path, or the repository with the path in it.
    pub shown: String,
    /// What stands in it, as far as it is text.
    pub text: String,
    /// The loop, or all that is wrong.
    pub spec: Result<LoopSpec, Vec<SpecError>>,
    /// The key of the repository on whose base branch it stands; none: it lies in the operator's folder.
    pub repository: Option<String>,
    /// Of a repository's file that has errors: what it was when it was served last, if that may still be.
    pub last_good: Option<Box<SpecFile>>,
}

/// A loop that was found by its name.
#[derive(Debug)]
pub struct FoundLoop {
    /// Its file.
    pub path: PathBuf,
    /// What it says.
    pub spec: LoopSpec,
    /// The key of the repository that defines it; none: the operator does.
    pub repository: Option<String>,
}

impl SpecFile {
    /// Reads a file. The error is the file system's; what is wrong with its text comes back in `spec`.
    pub fn read(path: &Path, known: &Known) -> io::Result<Self> {
        Self::read_as(path, path.display().to_string(), None, known)
    }

    /// The same of a file that people know by another name, and that may stand on a repository's base branch.
    fn read_as(path: &Path, shown: String, repository: Option<String>, known: &Known) -> io::Result<Self> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_READ).read_to_end(&mut bytes)?;
        let (text, spec) = match spec::decode(&shown, &bytes) {
            Ok(text) => (text.to_owned(), spec::read(&shown, text, known)),
            Err(errors) => (String::from_utf8_lossy(&bytes).into_owned(), Err(errors)),
        };
        let mut file = Self {
            path: path.to_owned(),
            shown,
            text,
            spec,
            repository,
            last_good: None,
        };
        file.look_at_prompts();
        Ok(file)
    }

    /// What is wrong; empty: nothing.
    pub fn errors(&self) -> &[SpecError] {
        self.spec.as_ref().err().map_or(&[], Vec::as_slice)
    }

    /// Adds an error about the key at `path`.
    fn add(&mut self, path: &str, message: String) {
        let error = spec::error_at(&self.shown, &self.text, path, message);
        match &mut self.spec {
            Err(errors) => errors.push(error),
            Ok(_) => self.spec = Err(vec![error]),
        }
    }

    /// A worker's prompt must be there, beside the file, and every name in it must be one that we fill in.
    fn look_at_prompts(&mut self) {
        let Ok(spec) = &self.spec else { return };
        let context = library::context(spec);
        let problems: Vec<(String, String)> = spec
            .workers
            .iter()
            .filter_map(|(name, worker)| Some((name, worker.prompt.as_deref()?)))
            .filter_map(|(name, prompt)| {
                let path = format!("workers.{name}.prompt");
                match worker_prompt(&self.path, prompt) {
                    Err(error) => Some((path, format!("the prompt `{prompt}` cannot be read: {error}"))),
                    Ok(template) => filled_in(&template, &context, self.repository.is_some())
                        .err()
                        .map(|error| (path, error.to_string())),
                }
            })
            .collect();
        for (path, message) in problems {
            self.add(&path, message);
        }
    }
}

/// A prompt filled in. `foreign`: it stands beside a spec on a repository's base branch, where others write it.
///
/// # Errors
/// If it does not fit the context, makes too much, or does more than its writers may.
pub fn filled_in(
    template: &str,
    context: &serde_json::Value,
    foreign: bool,
) -> Result<String, library::PromptError> {
    match foreign {
        true => library::render_foreign(template, context),
        false => library::render(template, context),
    }
}

/// The text of a worker's prompt: the file of that name beside the spec, else the library's.
pub fn worker_prompt(spec_file: &Path, prompt: &str) -> io::Result<String> {
    let beside = spec_file.parent().unwrap_or(Path::new("")).join(prompt);
    // One byte more than there may be, by which a file that is too large is known.
    let most = library::MAX_PROMPT as u64 + 1;
    let read = File::open(&beside).and_then(|file| {
        let mut text = String::new();
        file.take(most).read_to_string(&mut text).map(|_| text)
    });
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let shipped = prompt.strip_suffix(".md").and_then(library::prompt);
            shipped.map(str::to_owned).ok_or(error)
        }
        other => other,
    }
}

/// The models that a loop may name: those with a price, and the aliases for them.
pub fn known(models: &Models) -> Known {
    let priced = |name: &&String| models.find(name).is_some_and(|(_, model)| model.price.is_some());
    Known {
        models: models
            .aliases
            .keys()
            .chain(models.known.keys())
            .filter(priced)
            .cloned()
            .collect(),
    }
}

/// The files of loops that `context` names: of the folder, and, if no name is wanted or the folder has none of that name,
/// of the repositories in the settings. What is to be said about those is in `notes`, and which of them could not be read
/// now in `unread`.
///
/// # Errors
/// If nothing can be read.
pub async fn everywhere(
    context: &Context,
    config: &Config,
    wanted: Option<&str>,
    notes: &mut Vec<String>,
    unread: &mut Vec<String>,
) -> Result<Vec<SpecFile>, CliError> {
    let mut files = match files_in(&context.global.specs) {
        Ok(paths) => read_all(&paths, &known(&config.models))?,
        Err(_) if !config.github.repositories.is_empty() => Vec::new(),
        Err(error) => return Err(error),
    };
    let is_it = |file: &SpecFile| {
        let name = file.spec.as_ref().ok().map(|spec| spec.name.as_str());
        wanted.is_some() && (name == wanted || file.path.file_stem().and_then(|stem| stem.to_str()) == wanted)
    };
    if config.github.repositories.is_empty() || files.iter().any(is_it) {
        return Ok(files);
    }
    let home = context.home().await?;
    for one in repositories::defined(&home, config, repositories::Fresh::Ask).await? {
        notes.extend(one.notes);
        if one.unread {
            unread.push(one.name.to_string());
        }
        for file in one.files {
            add(&mut files, file);
        }
    }
    Ok(files)
}

/// The operator's settings, as `--config` and `--state` say.
pub fn config(context: &Context) -> Result<Config, CliError> {
    let here = Path::new("loops.yaml");
    let file = context
        .global
        .config
        .as_deref()
        .or_else(|| here.exists().then_some(here));
    Config::load(file, context.global.state.clone())
        .map_err(|error| CliError::usage(error.to_string()).todo("mend it, then type `loops doctor`"))
}

/// The files of loops in a folder, in the order of their names.
pub fn files_in(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let entries = fs::read_dir(folder).map_err(|error| {
        CliError::usage(format!("there are no loops in `{}`", folder.display()))
            .why(error)
            .todo("type `loops init` to write one, or say where they are with `--specs DIR`")
    })?;
    let is_yaml =
        |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "yml") && path.is_file();
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(is_yaml)
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(
            CliError::usage(format!("there are no loops (`*.yaml`) in `{}`", folder.display()))
                .todo("type `loops init` to write one"),
        );
    }
    Ok(files)
}

/// Reads files of loops together: two loops cannot have one name.
pub fn read_all(files: &[PathBuf], known: &Known) -> Result<Vec<SpecFile>, CliError> {
    let mut all: Vec<SpecFile> = Vec::new();
    let mut names: HashMap<String, usize> = HashMap::new();
    for path in files {
        let mut file = SpecFile::read(path, known)
            .map_err(|error| CliError::usage(format!("cannot read `{}`", path.display())).why(error))?;
        let name = file.spec.as_ref().ok().map(|spec| spec.name.clone());
        match name.map(|name| names.entry(name)) {
            Some(Entry::Occupied(twin)) => {
                let twin = all[*twin.get()].path.display();
                file.add("name", format!("another loop has this name: `{twin}`"));
            }
            Some(Entry::Vacant(first)) => drop(first.insert(all.len())),
            None => {}
        }
        all.push(file);
    }
    Ok(all)
}

/// Adds a file to others. One whose loop has a name that is taken is wrong.
pub fn add(all: &mut Vec<SpecFile>, mut file: SpecFile) {
    let name = file.spec.as_ref().ok().map(|spec| spec.name.clone());
    let twin = all
        .iter()
        .find(|other| name.is_some() && other.spec.as_ref().ok().map(|spec| &spec.name) == name.as_ref());
    if let Some(twin) = twin {
        let message = format!("another loop has this name: `{}`", twin.shown);
        file.add("name", message);
    }
    all.push(file);
}

/// The loop with that name among these files.
pub fn find(files: Vec<SpecFile>, name: &str, color: bool) -> Result<FoundLoop, CliError> {
    let mut names = Vec::new();
    let mut broken = Vec::new();
    for file in files {
        let is_called_so = file.path.file_stem().is_some_and(|stem| stem == name);
        match file.spec {
            Ok(spec) if spec.name == name => {
                return Ok(FoundLoop {
                    path: file.path,
                    spec,
                    repository: file.repository,
                });
            }
            Ok(spec) => names.push(format!("`{}`", spec.name)),
            Err(errors) if is_called_so => {
                let shown = spec::render(&errors, &file.text, color);
                return Err(CliError::usage(format!(
                    "the loop `{name}` has errors\n\n{}",
                    shown.trim_end()
                )));
            }
            Err(_) => broken.push(format!("`{}`", file.shown)),
        }
    }
    let mut error = CliError::usage(format!("there is no loop `{name}`"));
    if !names.is_empty() {
        error = error.why(format!("the loops here are {}", names.join(", ")));
    }
    if !broken.is_empty() {
        error = error.todo(format!(
            "{} cannot be read; type `loops validate`",
            broken.join(", ")
        ));
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOP: &str =
        "name: a\nkind: fix\nrepo: ..\nschedule: { every: 10m }\nsources: [{ file: { path: f } }]\n";

    fn known() -> Known {
        Known {
            models: ["top", "standard"].map(str::to_owned).to_vec(),
        }
    }

    #[test]
    fn two_loops_cannot_have_one_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("1.yaml"), LOOP).unwrap();
        fs::write(folder.path().join("2.yml"), LOOP).unwrap();
        fs::write(folder.path().join("notes.txt"), "x").unwrap();
        let all = read_all(&files_in(folder.path()).unwrap(), &known()).unwrap();
        assert_eq!(all.len(), 2);
        assert!(all[0].spec.is_ok());
        assert!(all[1].errors()[0].message.contains("another loop has this name"));
        assert_eq!(all[1].errors()[0].column, 7);
    }

    #[test]
    fn a_prompt_is_the_file_beside_the_spec_else_the_librarys_else_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        let with = |prompt: &str| {
            fs::write(
                &path,
                format!("{LOOP}workers: {{ fix: {{ prompt: {prompt} }} }}\n"),
            )
            .unwrap();
            SpecFile::read(&path, &known()).unwrap()
        };
        assert!(with("fix.md").spec.is_ok(), "the library has one of that name");
        assert!(with("own.md").errors()[0].message.contains("cannot be read"));
        fs::write(folder.path().join("own.md"), "Mend {{ nam }}").unwrap();
        assert!(with("own.md").errors()[0].message.contains("cannot be filled in"));
        fs::write(folder.path().join("own.md"), "Mend {{ name }}").unwrap();
        assert!(with("own.md").spec.is_ok());
    }

    #[test]
    fn a_folder_without_loops_says_what_to_type() {
        let folder = tempfile::tempdir().unwrap();
        let error = files_in(folder.path()).unwrap_err();
        assert!(error.to_string().contains("loops init"));
        assert!(files_in(&folder.path().join("none")).is_err());
    }
}
