//! Which languages' tests can be judged.

/// A language whose tests can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Rust,
    Python,
    JavaScript,
    Go,
    /// Java, and what is like it in the places that matter here: Kotlin and Groovy.
    Java,
}

/// Extensions of code whose tests cannot be judged. Other files of a tests folder are data.
const OTHER_CODE: &[&str] = &[
    "rb", "php", "cs", "fs", "vb", "swift", "scala", "clj", "ex", "exs", "erl", "hs", "ml", "c", "cc", "cpp",
    "cxx", "h", "hpp", "m", "mm", "dart", "lua", "pl", "t", "r", "jl", "zig", "nim", "sh", "bats", "bash",
    "ps1", "elm", "vue", "svelte", "feature", "robot", "sol", "cr", "d", "pas", "coffee",
];

fn extension(path: &str) -> &str {
    path.rsplit('/')
        .next()
        .and_then(|file| file.rsplit_once('.'))
        .map_or("", |(_, extension)| extension)
}

impl Language {
    /// The language of a file, by its name.
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(match extension(path) {
            "rs" => Self::Rust,
            "py" | "pyi" => Self::Python,
            "js" | "jsx" | "mjs" | "cjs" | "ts" | "tsx" | "mts" | "cts" => Self::JavaScript,
            "go" => Self::Go,
            "java" | "kt" | "kts" | "groovy" => Self::Java,
            _ => return None,
        })
    }
}

/// Whether a file is code of a language whose tests cannot be judged.
pub(crate) fn is_other_code(path: &str) -> bool {
    OTHER_CODE.contains(&extension(path))
}
