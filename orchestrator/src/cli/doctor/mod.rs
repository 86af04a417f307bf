//! `loops doctor`: each thing that is needed, found or not, and how to mend it. It looks and tries; it changes nothing,
//! and of a key it says whether it is set, never what it is.

mod credentials;
mod github;
mod hooks;
mod sandbox;
mod slack;
mod words;

use std::{path::Path, process::Stdio, time::Duration};

use loops::spec::{LoopSpec, RepoForm};
use serde::Serialize;
use tokio::process::Command;

use super::{CliError, Context, Exit, Format, Out, specs};
use crate::{
    config::{Config, Database, Models, Vendor, github::FullName},
    engine::{disk::Disk, rough},
};

/// What is needed, what is there, and how to mend the rest.
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Look {
    /// What it is.
    name: String,
    /// How it stands.
    state: State,
    /// What was found, in words.
    found: String,
    /// What to do about it, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It is there.
    Found,
    /// It is not there, and some loops do without.
    Absent,
    /// It is not there, and nothing runs without.
    Missing,
}

/// No program that is asked for its version takes longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// `git merge-tree --write-tree`, which checks and merges stand on.
const OLDEST_GIT: (u32, u32) = (2, 38);
/// Programs that a loop's own commands may need.
const TOOLCHAINS: &[(&str, &str)] = &[
    ("node", "--version"),
    ("python3", "--version"),
    ("cargo", "--version"),
    ("go", "version"),
];

impl Doctor {
    /// Looks at everything; the exit says whether something that is needed is missing.
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, CliError> {
        let mut looks = vec![git(version_of("git", "--version").await)];
        let state = specs::config(context).map(|config| config.state).ok();
        looks.extend(sandbox::sandbox(state.as_deref()).await);
        match specs::config(context) {
            Err(error) => looks.push(Look::missing("settings", error.what, "mend `loops.yaml`")),
            Ok(config) => {
                looks.extend(settings(&config, context).await);
                looks.extend(github::looks(&config.github, &worked_on(context, &config)).await);
                let here = defined_here(&config, context);
                looks.extend(sandbox::engines(&here).await);
                looks.extend(slack::looks(&config.slack, &here).await);
                looks.extend(hooks::looks(&config, &here));
                looks.extend(credentials::looks(&config.credentials));
                looks.extend(words::looks(config.retention, &defined_here(&config, context)));
            }
        }
        for (program, argument) in TOOLCHAINS {
            looks.push(toolchain(program, version_of(program, argument).await));
        }
        print(&looks, context.out);
        Ok(if looks.iter().any(|look| look.state == State::Missing) {
            Exit::Failed
        } else {
            Exit::Done
        })
    }
}

impl Look {
    fn found(name: &str, found: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            state: State::Found,
            found: found.into(),
            mend: None,
        }
    }

    fn absent(name: &str, found: impl Into<String>, mend: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            state: State::Absent,
            found: found.into(),
            mend: mend.map(str::to_owned),
        }
    }

    fn missing(name: &str, found: impl Into<String>, mend: &str) -> Self {
        Self {
            state: State::Missing,
            ..Self::absent(name, found, Some(mend))
        }
    }
}

/// What programs find their own parts by. Nothing else of our environment reaches them: keys and tokens stand there.
const FOUND_BY: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "CARGO_HOME",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "NVM_DIR",
    "GOROOT",
    "GOPATH",
    "JAVA_HOME",
];

/// The first line that a program says of its version; none if it cannot be started or fails.
async fn version_of(program: &str, argument: &str) -> Option<String> {
    let mut command = Command::new(program);
    command
        .arg(argument)
        .current_dir("/")
        .env_clear()
        .envs(
            FOUND_BY
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output())
        .await
        .ok()?
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output
        .status
        .success()
        .then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

fn git(version: Option<String>) -> Look {
    let (major, minor) = OLDEST_GIT;
    let mend = format!("install git {major}.{minor} or later (Debian, Ubuntu: `apt-get install git`)");
    let Some(version) = version else {
        return Look::missing("git", "not found", &mend);
    };
    let numbers: Vec<u32> = version
        .trim_start_matches("git version ")
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect();
    match numbers.as_slice() {
        [one, two, ..] if (*one, *two) >= OLDEST_GIT => Look::found("git", version),
        _ => Look::missing("git", format!("{version} is too old"), &mend),
    }
}

/// The repositories on GitHub that loops of the operator's folder work on. A folder that cannot be read names none.
fn worked_on(context: &Context, config: &Config) -> Vec<FullName> {
    let files = specs::files_in(&context.global.specs)
        .and_then(|paths| specs::read_all(&paths, &specs::known(&config.models)))
        .unwrap_or_default();
    let named = files.iter().filter_map(|file| {
        let spec = file.spec.as_ref().ok()?;
        match RepoForm::parse(&spec.repo) {
            Some(RepoForm::GitHub { .. }) => FullName::parse(&spec.repo),
            _ => None,
        }
    });
    named.collect()
}

async fn settings(config: &Config, context: &Context) -> Vec<Look> {
    let database = match &config.database {
        None => file(&config.state),
        Some(database) => server(database).await,
    };
    [
        Some(database),
        room(config),
        node(config),
        Some(models(&config.models)),
        Some(key(&config.models)),
        Some(loops_here(config, context)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether the disk has room for something new; none: nobody can tell.
fn room(config: &Config) -> Option<Look> {
    let disk = Disk::of(&config.state, config.disk);
    let free = rough(disk.free()?);
    Some(match disk.short() {
        Some(short) => Look::missing(
            "disk",
            short.to_string(),
            "make room, or write a smaller `disk.keep_free` in `loops.yaml`",
        ),
        None => Look::found(
            "disk",
            format!(
                "{free} are free; nothing new is begun below {}",
                config.disk.keep_free
            ),
        ),
    })
}

/// How this process would carry out orders, where that is not a matter of course.
fn node(config: &Config) -> Option<Look> {
    let node = &config.node;
    if config.database.is_none() {
        return (node.places == 0).then(|| {
            Look::missing(
                "node",
                "nobody would carry anything out: `node.places` is 0".to_owned(),
                "name a `database` in `loops.yaml`, or give `node.places` a number",
            )
        });
    }
    let labels = match node.labels.join(", ") {
        labels if labels.is_empty() => "without labels".to_owned(),
        labels => format!("with {labels}"),
    };
    let found = match node.places {
        0 => format!("`{}` carries out nothing itself: workers must", node.name),
        places => format!("`{}` has {places} places, {labels}", node.name),
    };
    Some(Look::found("node", found))
}

/// Whether the database's folder takes files: it is made if that is all that is missing.
fn file(state: &Path) -> Look {
    let existing = state
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("."));
    match tempfile::Builder::new()
        .prefix(".loops-doctor")
        .tempfile_in(existing)
    {
        Ok(_) => Look::found("database", format!("`{}` can be written", state.display())),
        Err(error) => Look::missing(
            "database",
            format!("`{}` cannot be written: {error}", state.display()),
            "make the folder writable, or name another with `--state DIR`",
        ),
    }
}

/// Whether the Postgres answers, lets us in and is new enough.
async fn server(database: &Database) -> Look {
    let Some(address) = &database.address else {
        let mend = format!(
            "`export {}=postgres://…`, or take `database` out of `loops.yaml`",
            database.name
        );
        return Look::missing("database", format!("`{}` is not set", database.name), &mend);
    };
    match crate::store::server::look(address.expose()).await {
        Ok(found) => Look::found("database", found),
        Err(error) => Look::missing(
            "database",
            address.scrub(&error.to_string()),
            &format!(
                "see that the database runs and that `{}` leads to it",
                database.name
            ),
        ),
    }
}

fn models(models: &Models) -> Look {
    let mut lacking = Vec::new();
    let mut named = Vec::new();
    for alias in models.aliases.keys() {
        match models.find(alias) {
            Some((name, model)) if model.price.is_some() => named.push(format!("{alias} is {name}")),
            _ => lacking.push(format!("`{alias}`")),
        }
    }
    if lacking.is_empty() {
        Look::found("models", named.join(", "))
    } else {
        let found = format!("no model with a known price for {}", lacking.join(", "));
        Look::missing(
            "models",
            found,
            "give the model a price under `models.known` in `loops.yaml`",
        )
    }
}

fn key(models: &Models) -> Look {
    if let Some(cassette) = &models.play {
        return Look::found(
            "model key",
            format!("none needed: answers are played from `{}`", cassette.display()),
        );
    }
    let mut names = Vec::new();
    for (vendor, provider) in [
        (Vendor::Anthropic, &models.anthropic),
        (Vendor::Openai, &models.openai),
    ] {
        let is_asked = |alias: &String| {
            models
                .find(alias)
                .is_some_and(|(_, model)| model.provider == vendor)
        };
        if !models.aliases.keys().any(is_asked) {
            continue;
        }
        let name = &provider.key_name;
        if provider.key.is_none() {
            return Look::absent(
                "model key",
                format!("`{name}` is not set"),
                Some(&format!("`export {name}=…`; `loops demo` works without")),
            );
        }
        names.push(format!("`{name}` is set"));
    }
    Look::found("model key", names.join(", "))
}

fn loops_here(config: &Config, context: &Context) -> Look {
    let folder = &context.global.specs;
    let read =
        specs::files_in(folder).and_then(|files| specs::read_all(&files, &specs::known(&config.models)));
    let Ok(all) = read else {
        return Look::absent(
            "loops",
            format!("none in `{}`", folder.display()),
            Some("type `loops init`"),
        );
    };
    let bad = all.iter().filter(|file| file.spec.is_err()).count();
    if bad == 0 {
        Look::found("loops", format!("{} in `{}`", all.len(), folder.display()))
    } else {
        Look::absent(
            "loops",
            format!("{bad} of {} have errors", all.len()),
            Some("type `loops validate`"),
        )
    }
}

/// The loops of the folder that can be read.
fn defined_here(config: &Config, context: &Context) -> Vec<LoopSpec> {
    let read = specs::files_in(&context.global.specs)
        .and_then(|files| specs::read_all(&files, &specs::known(&config.models)));
    let all = read.unwrap_or_default().into_iter();
    all.filter_map(|file| file.spec.ok()).collect()
}

fn toolchain(program: &str, version: Option<String>) -> Look {
    match version {
        Some(version) => Look::found(program, version),
        None => Look::absent(
            program,
            "not found",
            Some("needed only by loops whose commands use it"),
        ),
    }
}

fn print(looks: &[Look], out: Out) {
    if out.format == Format::Json {
        let ok = looks.iter().all(|look| look.state != State::Missing);
        out.json(&serde_json::json!({ "ok": ok, "looks": looks }));
        return;
    }
    for look in looks {
        let (sgr, word) = match look.state {
            State::Found => ("32", "found  "),
            State::Absent => ("33", "absent "),
            State::Missing => ("31", "missing"),
        };
        out.line(format!(
            "{}  {:<10} {}",
            out.paint(sgr, word),
            look.name,
            look.found
        ));
        if let Some(mend) = &look.mend {
            out.line(format!("{:21}{mend}", ""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        sandbox::{limits, namespaces},
        *,
    };

    #[test]
    fn git_must_be_there_and_new_enough() {
        assert_eq!(
            git(Some("git version 2.39.5 (Apple Git-154)".to_owned())).state,
            State::Found
        );
        assert_eq!(git(Some("git version 3.0.0".to_owned())).state, State::Found);
        for old in [
            Some("git version 2.25.1".to_owned()),
            Some("nonsense".to_owned()),
            None,
        ] {
            let look = git(old);
            assert_eq!(look.state, State::Missing);
            assert!(look.mend.unwrap().contains("2.38"));
        }
    }

    #[test]
    fn limits_that_hold_only_about_are_no_fault_but_are_said() {
        assert_eq!(limits(Ok("v2")).state, State::Found);
        let look = limits(Err("this machine has none"));
        assert_eq!(
            (look.state, look.found.as_str()),
            (State::Absent, "approximate: this machine has none")
        );
        assert!(look.mend.unwrap().contains("sandbox.require"));
    }

    #[test]
    fn the_mending_names_the_setting_that_is_in_the_way() {
        let only =
            |on: &'static str, value: &'static str| move |name: &str| (name == on).then(|| value.to_owned());
        assert!(namespaces(&only("kernel/apparmor_restrict_unprivileged_userns", "1")).contains("AppArmor"));
        assert!(
            namespaces(&only("kernel/unprivileged_userns_clone", "0"))
                .contains("unprivileged_userns_clone=1")
        );
        assert!(namespaces(&only("user/max_user_namespaces", "0")).contains("max_user_namespaces"));
        assert!(namespaces(&|_| None).contains("container"));
    }

    #[test]
    fn a_key_is_told_by_its_name_only() {
        let text = "models: { providers: { anthropic: { key: \"${SOME_KEY}\" } } }\n";
        let value = "sk-value-of-the-key";
        for set in [true, false] {
            let env = |name: &str| (set && name == "SOME_KEY").then(|| value.to_owned());
            let config = Config::read(Path::new("loops.yaml"), text, Some("/tmp".into()), &env).unwrap();
            let look = key(&config.models);
            assert_eq!(look.state == State::Found, set);
            assert!(look.found.contains("`SOME_KEY`"));
            assert!(!format!("{look:?}").contains(value));
            assert_eq!(models(&config.models).state, State::Found);
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_has_no_version() {
        assert_eq!(version_of("no-such-program-here", "--version").await, None);
    }

    #[test]
    fn a_state_folder_that_is_not_there_yet_is_fine_where_it_can_be_made() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(file(&folder.path().join("a/b")).state, State::Found);
        assert!(!folder.path().join("a").exists(), "looking makes nothing");
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(file(&folder.path().join("file/x")).state, State::Missing);
    }
}
