//! What kind of repository this is: remote, branch, languages, test commands, CI. Files are read, nothing is run, and
//! what they hold is taken as text.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::Value;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Look {
    /// Where `origin` is, if there is one; without credentials.
    pub(super) remote: Option<String>,
    /// The branch that is checked out.
    pub(super) base: String,
    /// Languages, by the files that their tools want.
    pub(super) languages: Vec<&'static str>,
    /// Commands that prove a change.
    pub(super) checks: Vec<Check>,
    /// What installs dependencies.
    pub(super) setup: Option<&'static str>,
    /// Files that say what CI does.
    pub(super) ci: Vec<String>,
}

/// A command that proves a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) run: String,
}

/// Larger files are not what they seem to be.
const MAX_BYTES: u64 = 1024 * 1024;

impl Look {
    /// Looks at the repository whose top is `top`. The error says why it is none.
    pub(super) fn at(top: &Path) -> Result<Self, String> {
        let git = git_folder(top).ok_or("there is no `.git` here")?;
        Ok(Self::of_files(top, branch(&git), remote(&git)))
    }

    /// Looks at files alone, wherever they came from.
    pub(super) fn of_files(top: &Path, base: String, remote: Option<String>) -> Self {
        let mut look = Self {
            base,
            remote,
            ci: ci(top),
            ..Self::default()
        };
        node(top, &mut look);
        rust(top, &mut look);
        python(top, &mut look);
        go(top, &mut look);
        if look.checks.is_empty() && text(&top.join("Makefile")).is_some_and(|make| has_target(&make, "test"))
        {
            look.add("tests", "make test");
        }
        look
    }

    /// The URL of `origin` of the repository whose top is `top`, without credentials.
    pub(super) fn remote_of(top: &Path) -> Option<String> {
        remote(&git_folder(top)?)
    }

    fn add(&mut self, name: &str, run: &str) {
        let taken = self.checks.iter().any(|check| check.name == name);
        let name = if taken {
            format!("{name}-{}", self.checks.len() + 1)
        } else {
            name.to_owned()
        };
        self.checks.push(Check {
            name,
            run: run.to_owned(),
        });
    }

    /// What was found, for a person.
    pub(super) fn told(&self) -> String {
        let or_none = |words: Vec<&str>| {
            if words.is_empty() {
                "none found".to_owned()
            } else {
                words.join(", ")
            }
        };
        let checks = self.checks.iter().map(|check| check.run.as_str()).collect();
        format!(
            "remote     {}\nbranch     {}\nlanguages  {}\nchecks     {}\nCI         {}\n",
            self.remote.as_deref().unwrap_or("none"),
            self.base,
            or_none(self.languages.clone()),
            or_none(checks),
            or_none(self.ci.iter().map(String::as_str).collect()),
        )
    }
}

fn text(path: &Path) -> Option<String> {
    let is_small = fs::metadata(path).is_ok_and(|there| there.is_file() && there.len() <= MAX_BYTES);
    if is_small {
        fs::read_to_string(path).ok()
    } else {
        None
    }
}

/// The git directory: `.git` itself, or where the file `.git` of a linked work tree points.
fn git_folder(top: &Path) -> Option<PathBuf> {
    let git = top.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let folder = top.join(text(&git)?.trim().strip_prefix("gitdir: ")?);
    folder.is_dir().then_some(folder)
}

fn branch(git: &Path) -> String {
    let head = text(&git.join("HEAD")).unwrap_or_default();
    head.trim()
        .strip_prefix("ref: refs/heads/")
        .unwrap_or("main")
        .to_owned()
}

/// The URL of `origin`. A linked work tree keeps it in the common folder.
fn remote(git: &Path) -> Option<String> {
    let common = text(&git.join("commondir")).map_or_else(|| git.to_owned(), |path| git.join(path.trim()));
    let config = text(&common.join("config"))?;
    let mut in_origin = false;
    let url = config.lines().map(str::trim).find_map(|line| {
        if line.starts_with('[') {
            in_origin = line == "[remote \"origin\"]";
        }
        let (key, value) = line.split_once('=')?;
        (in_origin && key.trim() == "url").then(|| value.trim().to_owned())
    })?;
    Some(without_credentials(&url))
}

fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            format!("{scheme}://{}/{path}", host.rsplit('@').next().unwrap_or(host))
        }
        None => url.to_owned(),
    }
}

fn ci(top: &Path) -> Vec<String> {
    let workflows = top.join(".github/workflows");
    let mut files: Vec<String> = fs::read_dir(workflows)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yml") || name.ends_with(".yaml"))
        .map(|name| format!(".github/workflows/{name}"))
        .collect();
    files.sort();
    let others = [
        ".gitlab-ci.yml",
        ".circleci/config.yml",
        "azure-pipelines.yml",
        "Jenkinsfile",
    ];
    files.extend(
        others
            .iter()
            .filter(|name| top.join(name).is_file())
            .map(|name| (*name).to_owned()),
    );
    files
}

fn node(top: &Path, look: &mut Look) {
    let Some(package) = text(&top.join("package.json")) else {
        return;
    };
    look.languages.push(if top.join("tsconfig.json").is_file() {
        "TypeScript"
    } else {
        "JavaScript"
    });
    let package: Value = serde_json::from_str(&package).unwrap_or_default();
    let (program, setup) = match () {
        () if top.join("pnpm-lock.yaml").is_file() => ("pnpm", "pnpm install --frozen-lockfile"),
        () if top.join("yarn.lock").is_file() => ("yarn", "yarn install --immutable"),
        () => ("npm", "npm ci"),
    };
    let wants = |key: &str| {
        package[key]
            .as_object()
            .is_some_and(|entries| !entries.is_empty())
    };
    if wants("dependencies") || wants("devDependencies") {
        look.setup = Some(setup);
    }
    let script = |name: &str| {
        package["scripts"][name]
            .as_str()
            .is_some_and(|run| !run.contains("no test specified"))
    };
    if script("test") {
        look.add("tests", &format!("{program} test"));
    }
    if script("lint") {
        look.add("lint", &format!("{program} run lint"));
    }
}

fn rust(top: &Path, look: &mut Look) {
    if top.join("Cargo.toml").is_file() {
        look.languages.push("Rust");
        look.add("tests", "cargo test");
    }
}

fn python(top: &Path, look: &mut Look) {
    let files = [
        "pyproject.toml",
        "setup.cfg",
        "setup.py",
        "requirements.txt",
        "requirements-dev.txt",
        "tox.ini",
        "pytest.ini",
    ];
    let found: Vec<String> = files.iter().filter_map(|name| text(&top.join(name))).collect();
    let tests = ["tests", "test"]
        .into_iter()
        .find(|name| has_python(&top.join(name)));
    if found.is_empty() && tests.is_none() {
        return;
    }
    look.languages.push("Python");
    let pytest = top.join("pytest.ini").is_file() || found.iter().any(|text| text.contains("pytest"));
    match (pytest, tests) {
        (true, _) => look.add("tests", "python3 -m pytest -q"),
        (false, Some(folder)) => look.add("tests", &format!("python3 -m unittest discover -s {folder}")),
        (false, None) => {}
    }
}

fn has_python(folder: &Path) -> bool {
    let is_python = |entry: fs::DirEntry| entry.path().extension().is_some_and(|end| end == "py");
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .any(is_python)
}

fn go(top: &Path, look: &mut Look) {
    if top.join("go.mod").is_file() {
        look.languages.push("Go");
        look.add("tests", "go test ./...");
    }
}

fn has_target(makefile: &str, target: &str) -> bool {
    makefile.lines().any(|line| {
        line.strip_prefix(target)
            .is_some_and(|rest| rest.trim_start().starts_with(':') && !rest.contains(":="))
    })
}
