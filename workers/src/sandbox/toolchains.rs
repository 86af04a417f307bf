//! Which programs the host has for a sandbox to see: its search path, and the toolchains that live outside `/usr`.
//! Beside it only git, which `PATH` has to be known to, reads the environment. It never offers a home folder, or
//! anything above one.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

/// What the system's packages install into; a sandbox always has these.
const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];
/// The search path of the system's programs.
const SYSTEM_PATH: &[&str] = &["/usr/local/bin", "/usr/bin", "/bin"];
/// Places inside a sandbox that a toolchain cannot be seen at.
const OURS: &[&str] = &["/proc", "/dev", "/run", "/sys", "/workspace", "/mirror", "/etc"];
/// Programs whose installation is looked for on the search path.
const TOOLS: &[&str] = &[
    "python3", "node", "go", "java", "ruby", "php", "deno", "bun", "uv", "dotnet", "mvn", "gradle", "zig",
    "ghc", "elixir", "swift", "just", "cmake", "ninja",
];

/// The host's programs.
#[derive(Debug, Clone, Default)]
pub(super) struct Host {
    path: Vec<PathBuf>,
    found: Found,
    rustup: Option<PathBuf>,
    /// The registry's downloaded files and index: `(source, name below the cargo home)`.
    pub(super) registry: Vec<(PathBuf, &'static str)>,
}

/// What a sandbox is given of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// Folders and files outside the system's, seen read-only at their own path.
    pub(super) binds: Vec<PathBuf>,
    /// The search path inside.
    pub(super) path: Vec<PathBuf>,
    /// Variables by which toolchains find themselves.
    pub(super) env: Vec<(&'static str, PathBuf)>,
}

impl Host {
    /// Reads our environment and looks at the disk, without running anything.
    pub(super) fn look() -> Self {
        Self::from(|name| std::env::var_os(name))
    }

    fn from(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let path: Vec<PathBuf> = std::env::split_paths(&variable("PATH").unwrap_or_default())
            .filter(|entry| entry.is_absolute())
            .collect();
        let home = variable("HOME")
            .map(PathBuf::from)
            .filter(|home| home.is_absolute());
        let folder = |name: &str, default: &str| {
            let given = variable(name).map(PathBuf::from);
            given
                .or_else(|| home.as_ref().map(|home| home.join(default)))
                .filter(|folder| folder.is_absolute() && folder.is_dir())
        };
        let mut host = Self {
            path,
            ..Self::default()
        };
        host.rustup = folder("RUSTUP_HOME", ".rustup");
        if let Some(rustup) = host.rustup.clone() {
            host.found.add(&rustup, home.as_deref(), Some("RUSTUP_HOME"));
        }
        if let Some(cargo) = folder("CARGO_HOME", ".cargo") {
            // Only the programs and what was downloaded: the folder also holds credentials.
            host.found.add(&cargo.join("bin"), home.as_deref(), None);
            host.registry = ["registry/cache", "registry/index"]
                .into_iter()
                .map(|name| (cargo.join(name), name))
                .filter(|(source, _)| source.is_dir())
                .collect();
        }
        if let Some(pyenv) = folder("PYENV_ROOT", ".pyenv") {
            host.found.add(&pyenv, home.as_deref(), Some("PYENV_ROOT"));
        }
        if let Some(java) = variable("JAVA_HOME")
            .map(PathBuf::from)
            .filter(|java| java.is_absolute())
        {
            host.found.add(&java, home.as_deref(), Some("JAVA_HOME"));
        }
        for tool in TOOLS {
            host.add_installation(tool, home.as_deref());
        }
        host.found.path = host.found.search_path(&host.path);
        host
    }

    /// Adds the installation that a program belongs to: the folder above the `bin` that it really lies in.
    fn add_installation(&mut self, tool: &str, home: Option<&Path>) {
        let Some(named) = self.program(tool) else { return };
        let Ok(real) = named.canonicalize() else { return };
        if self.found.has(&named) && self.found.has(&real) {
            return;
        }
        if real.starts_with("/nix/store") {
            self.found.binds.push("/nix/store".into());
            self.found.path.extend(real.parent().map(Path::to_owned));
            return;
        }
        let prefix = real
            .parent()
            .filter(|bin| bin.file_name() == Some(OsStr::new("bin")))
            .and_then(Path::parent);
        if let Some(prefix) = prefix
            && self.found.add(prefix, home, None)
        {
            self.found.path.push(prefix.join("bin"));
        } else if named.is_file()
            && !self.found.has(&named)
            && !OURS.iter().any(|ours| named.starts_with(ours))
        {
            // It lies among other things (`~/.local/bin`): it alone.
            self.found.path.extend(named.parent().map(Path::to_owned));
            self.found.binds.push(named);
        }
    }

    /// Where a program is on our own search path.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        let usual = SYSTEM_PATH.iter().map(PathBuf::from);
        self.path
            .iter()
            .cloned()
            .chain(usual)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    }

    /// What a sandbox is given: all that was found, or only what the system has.
    pub(super) fn offer(&self, auto: bool) -> Found {
        if auto {
            return self.found.clone();
        }
        Found {
            path: SYSTEM_PATH.iter().map(PathBuf::from).collect(),
            ..Found::default()
        }
    }

    /// The search path of a command without a sandbox: our own.
    pub(super) fn plain_path(&self) -> OsString {
        std::env::join_paths(&self.path).unwrap_or_default()
    }

    /// The variables of a command without a sandbox.
    pub(super) fn plain_env(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        self.found.env.clone().into_iter()
    }
}

impl Found {
    /// Adds a folder, unless it is none, or giving it would give away more than a toolchain.
    fn add(&mut self, folder: &Path, home: Option<&Path>, variable: Option<&'static str>) -> bool {
        let Ok(real) = folder.canonicalize() else {
            return false;
        };
        let wide = home.is_some_and(|home| home.starts_with(folder) || home.starts_with(&real))
            || home.is_some_and(|home| real == home.join(".local"))
            || real.components().count() < 3;
        if wide || !real.is_dir() || OURS.iter().any(|ours| folder.starts_with(ours)) {
            return false;
        }
        if !self.has(folder) {
            self.binds.push(folder.to_owned());
        }
        if !self.has(&real) {
            self.binds.push(real);
        }
        if let Some(variable) = variable {
            self.env.push((variable, folder.to_owned()));
        }
        true
    }

    /// Whether a path is seen already.
    fn has(&self, path: &Path) -> bool {
        SYSTEM.iter().any(|system| path.starts_with(system))
            || self.binds.iter().any(|bind| path.starts_with(bind))
    }

    /// Our own search path as far as it is seen, then what was found beside it, then the system's.
    fn search_path(&self, ours: &[PathBuf]) -> Vec<PathBuf> {
        let seen = ours
            .iter()
            .filter(|entry| self.has(entry))
            .chain(&self.path)
            .cloned();
        let mut path: Vec<PathBuf> = vec![];
        for entry in seen.chain(SYSTEM_PATH.iter().map(PathBuf::from)) {
            if !path.contains(&entry) {
                path.push(entry);
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn program(at: &Path) {
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, "").unwrap();
    }

    fn host(home: &Path, path: &[PathBuf]) -> Host {
        let path = std::env::join_paths(path).unwrap();
        Host::from(|name| match name {
            "PATH" => Some(path.clone()),
            "HOME" => Some(home.into()),
            _ => None,
        })
    }

    #[test]
    fn toolchains_in_a_home_are_offered_and_the_home_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        program(&home.join(".nvm/versions/node/v20/bin/node"));
        program(&home.join(".cargo/bin/cargo"));
        program(&home.join(".cargo/credentials.toml"));
        fs::create_dir_all(home.join(".rustup")).unwrap();
        let found = host(
            &home,
            &[home.join(".nvm/versions/node/v20/bin"), home.join(".cargo/bin")],
        )
        .offer(true);
        assert_eq!(
            found.binds,
            [
                home.join(".rustup"),
                home.join(".cargo/bin"),
                home.join(".nvm/versions/node/v20")
            ]
        );
        assert_eq!(found.path[0], home.join(".nvm/versions/node/v20/bin"));
        assert_eq!(found.env, [("RUSTUP_HOME", home.join(".rustup"))]);
    }

    #[test]
    fn a_program_that_lies_right_in_the_home_is_offered_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        program(&home.join("bin/go"));
        program(&home.join(".local/bin/uv"));
        let found = host(&home, &[home.join("bin"), home.join(".local/bin")]).offer(true);
        assert_eq!(found.binds, [home.join("bin/go"), home.join(".local/bin/uv")]);
    }

    #[test]
    fn a_linked_program_brings_the_installation_that_it_lies_in() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        program(&dir.path().join("tools/go/bin/go"));
        fs::create_dir_all(home.join("links")).unwrap();
        symlink(dir.path().join("tools/go/bin/go"), home.join("links/go")).unwrap();
        let found = host(&home, &[home.join("links")]).offer(true);
        assert_eq!(found.binds, [dir.path().join("tools/go")]);
        assert!(found.path.contains(&dir.path().join("tools/go/bin")));
    }

    #[test]
    fn without_toolchains_only_the_systems_path_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let offered = host(dir.path(), &[dir.path().join("x")]).offer(false);
        assert_eq!((offered.binds.len(), offered.path.len()), (0, 3));
    }
}
