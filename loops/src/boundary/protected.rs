//! Files that tell somebody else what to do, or what to install. A change to them acts before anybody reviews it, so
//! `**` does not cover them: the loop must name them.

/// Folders, at any depth, and what is in them.
const FOLDERS: &[(&str, &str)] = &[
    (".github", "tells CI what to run"),
    (".gitlab", "tells CI what to run"),
    (".circleci", "tells CI what to run"),
    (".buildkite", "tells CI what to run"),
    (".woodpecker", "tells CI what to run"),
    (".forgejo", "tells CI what to run"),
    (".gitea", "tells CI what to run"),
    (".teamcity", "tells CI what to run"),
    (".ci", "tells CI what to run"),
    (".claude", "tells agents what to do"),
    (".cursor", "tells agents what to do"),
    (".codex", "tells agents what to do"),
    (".gemini", "tells agents what to do"),
    (".windsurf", "tells agents what to do"),
    (".roo", "tells agents what to do"),
    (".continue", "tells agents what to do"),
    (".agents", "tells agents what to do"),
    (".kiro", "tells agents what to do"),
    (".junie", "tells agents what to do"),
    (".amazonq", "tells agents what to do"),
    (".opencode", "tells agents what to do"),
    (".trae", "tells agents what to do"),
    (".augment", "tells agents what to do"),
    (".qwen", "tells agents what to do"),
    (".goose", "tells agents what to do"),
    (".tekton", "tells CI what to run"),
    (".semaphore", "tells CI what to run"),
    (".azure-pipelines", "tells CI what to run"),
    (".azuredevops", "tells CI what to run"),
    (".harness", "tells CI what to run"),
    (".mise", "is run by shells"),
    (".loops", "tells this service what to do"),
    (".husky", "is run by git"),
    (".githooks", "is run by git"),
    (".hooks", "is run by git"),
    ("githooks", "is run by git"),
    (".vscode", "is run by editors"),
    (".idea", "is run by editors"),
    (".devcontainer", "is run by editors"),
];

/// Files, at any depth, and folders of these names with what is in them.
const FILES: &[(&str, &str)] = &[
    (".gitlab-ci.yml", "tells CI what to run"),
    (".gitlab-ci.yaml", "tells CI what to run"),
    (".travis.yml", "tells CI what to run"),
    (".drone.yml", "tells CI what to run"),
    (".cirrus.yml", "tells CI what to run"),
    (".woodpecker.yml", "tells CI what to run"),
    ("appveyor.yml", "tells CI what to run"),
    (".appveyor.yml", "tells CI what to run"),
    ("azure-pipelines.yml", "tells CI what to run"),
    ("bitbucket-pipelines.yml", "tells CI what to run"),
    ("cloudbuild.yaml", "tells CI what to run"),
    ("jenkinsfile", "tells CI what to run"),
    ("codeowners", "says who must review"),
    ("claude.md", "tells agents what to do"),
    ("claude.local.md", "tells agents what to do"),
    ("agents.md", "tells agents what to do"),
    ("agent.md", "tells agents what to do"),
    ("agents.override.md", "tells agents what to do"),
    ("gemini.md", "tells agents what to do"),
    (".cursorrules", "tells agents what to do"),
    (".cursorignore", "tells agents what to do"),
    (".windsurfrules", "tells agents what to do"),
    (".clinerules", "tells agents what to do"),
    (".goosehints", "tells agents what to do"),
    (".mcp.json", "tells agents what to do"),
    ("mcp.json", "tells agents what to do"),
    (".roorules", "tells agents what to do"),
    (".roomodes", "tells agents what to do"),
    (".clineignore", "tells agents what to do"),
    (".augment-guidelines", "tells agents what to do"),
    ("opencode.json", "tells agents what to do"),
    ("opencode.jsonc", "tells agents what to do"),
    ("warp.md", "tells agents what to do"),
    ("crush.json", "tells agents what to do"),
    ("buildspec.yml", "tells CI what to run"),
    ("buildspec.yaml", "tells CI what to run"),
    ("cloudbuild.yml", "tells CI what to run"),
    ("cloudbuild.json", "tells CI what to run"),
    (".build.yml", "tells CI what to run"),
    (".builds", "tells CI what to run"),
    (".drone.yaml", "tells CI what to run"),
    (".drone.jsonnet", "tells CI what to run"),
    (".drone.star", "tells CI what to run"),
    (".woodpecker.yaml", "tells CI what to run"),
    (".cirrus.star", "tells CI what to run"),
    ("azure-pipelines.yaml", "tells CI what to run"),
    ("codefresh.yml", "tells CI what to run"),
    ("wercker.yml", "tells CI what to run"),
    (".screwdriver.yaml", "tells CI what to run"),
    ("dagger.json", "tells CI what to run"),
    ("mise.toml", "is run by shells"),
    (".mise.toml", "is run by shells"),
    ("mise.local.toml", "is run by shells"),
    (".mise.local.toml", "is run by shells"),
    (".aider.conf.yml", "tells agents what to do"),
    ("loops.yaml", "tells this service what to do"),
    ("loops.yml", "tells this service what to do"),
    (".pre-commit-config.yaml", "is run by git"),
    (".pre-commit-config.yml", "is run by git"),
    ("lefthook.yml", "is run by git"),
    ("lefthook.yaml", "is run by git"),
    (".lefthook.yaml", "is run by git"),
    (".lefthook.yml", "is run by git"),
    (".gitattributes", "tells git how to read files"),
    (".gitmodules", "tells git where to fetch from"),
    (".gitconfig", "tells git what to do"),
    (".lfsconfig", "tells git where to fetch from"),
    (".envrc", "is run by shells"),
];

/// Files that say what is depended on, or where it comes from.
const DEPENDENCY_FILES: &[&str] = &[
    "cargo.toml",
    "cargo.lock",
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "bun.lock",
    "bun.lockb",
    "deno.json",
    "deno.lock",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "pipfile",
    "pipfile.lock",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "pixi.lock",
    "environment.yml",
    "pip.conf",
    "go.mod",
    "go.sum",
    "go.work",
    "go.work.sum",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "settings.gradle",
    "settings.gradle.kts",
    "gradle.lockfile",
    "libs.versions.toml",
    "gradle-wrapper.properties",
    "gemfile",
    "gemfile.lock",
    "composer.json",
    "composer.lock",
    "packages.config",
    "packages.lock.json",
    "directory.packages.props",
    "nuget.config",
    "mix.exs",
    "mix.lock",
    "pubspec.yaml",
    "pubspec.lock",
    "package.swift",
    "package.resolved",
    "podfile",
    "podfile.lock",
    "conanfile.txt",
    "conanfile.py",
    "vcpkg.json",
    "flake.nix",
    "flake.lock",
    "rust-toolchain",
    "rust-toolchain.toml",
    ".pnpmfile.cjs",
    ".pnpmfile.mjs",
    "deno.jsonc",
    "jsr.json",
    "bunfig.toml",
    "environment.yaml",
    "pixi.toml",
    "pylock.toml",
    "hatch.toml",
    "directory.build.props",
    "directory.build.targets",
    "global.json",
    "paket.dependencies",
    "paket.lock",
    "build.sbt",
    "build.properties",
    "plugins.sbt",
    "project.clj",
    "deps.edn",
    "rebar.config",
    "rebar.lock",
    "stack.yaml",
    "cabal.project",
    "shard.yml",
    "module.bazel",
    "module.bazel.lock",
    "workspace.bazel",
    ".bazelversion",
    "conan.lock",
    "cartfile",
    "cartfile.resolved",
    ".tool-versions",
    ".nvmrc",
    ".node-version",
    ".python-version",
    ".ruby-version",
    ".java-version",
    ".go-version",
    ".sdkmanrc",
    ".terraform.lock.hcl",
];

/// Folders, at any depth, of what is depended on, or of what fetches it.
const DEPENDENCY_FOLDERS: &[&str] = &[
    "vendor",
    "node_modules",
    // Programs that package managers and build tools run before anything else.
    ".yarn",
    ".mvn",
    // The parts of a list that `requirements.txt` brings together.
    "requirements",
];

/// What such a file may end with.
const DEPENDENCY_ENDS: &[&str] = &[
    ".csproj", ".fsproj", ".vbproj", ".gemspec", ".cabal", ".nuspec", ".opam", ".podspec",
];

fn parts(path: &str) -> impl DoubleEndedIterator<Item = String> {
    path.split('/').map(str::to_lowercase)
}

/// What a path tells somebody else to do, if it does.
pub(super) fn configuration(path: &str) -> Option<&'static str> {
    let named = |table: &'static [(&str, &'static str)], part: &str| {
        table
            .iter()
            .find(|(name, _)| *name == part)
            .map(|(_, what)| *what)
    };
    let in_cargo =
        || (path.to_lowercase().contains(".cargo/config")).then_some("tells the build what to run");
    // The innermost first, in both tables: some programs take a file or a folder of the same name.
    parts(path)
        .rev()
        .find_map(|part| named(FOLDERS, &part).or_else(|| named(FILES, &part)))
        .or_else(in_cargo)
}

/// Whether a path is a migration of a database.
pub(super) fn is_migration(path: &str) -> bool {
    parts(path)
        .rev()
        .skip(1)
        .any(|part| matches!(part.as_str(), "migrations" | "migration" | "migrate"))
}

/// Whether a path says what is depended on, or where it comes from.
pub(crate) fn is_dependency_file(path: &str) -> bool {
    let file = parts(path).next_back().unwrap_or_default();
    let is_list = ["requirements", "constraints"]
        .iter()
        .any(|list| file.starts_with(list))
        && (file.ends_with(".txt") || file.ends_with(".in"));
    DEPENDENCY_FILES.contains(&file.as_str())
        || DEPENDENCY_ENDS.iter().any(|end| file.ends_with(end))
        || file.ends_with(".versions.toml")
        || is_list
        || parts(path)
            .rev()
            .skip(1)
            .any(|part| is_dependency_folder(&part, &file))
}

/// Whether what lies in a folder of that name is depended on, or fetches it. `requirements` is a word of other things,
/// too: of those only lists count.
fn is_dependency_folder(folder: &str, file: &str) -> bool {
    DEPENDENCY_FOLDERS.contains(&folder)
        && (folder != "requirements" || file.ends_with(".txt") || file.ends_with(".in"))
}

/// Whether a glob that covers the path spells out the part of it that is protected. `**` and `*` do not.
pub(super) fn is_named(path: &str, write: &[String]) -> bool {
    let names: Vec<String> = parts(path).filter(|part| is_protected_part(part)).collect();
    write.iter().any(|glob| {
        let spelled: Vec<String> = parts(glob).collect();
        let covers = super::globs(std::slice::from_ref(glob), false).is_ok_and(|set| set.is_match(path));
        covers && !names.is_empty() && names.iter().all(|name| spelled.contains(name))
    })
}

fn is_protected_part(part: &str) -> bool {
    FOLDERS.iter().chain(FILES).any(|(name, _)| *name == part)
        || matches!(part, "migrations" | "migration" | "migrate" | ".cargo")
}
