//! Runner configuration that runs fewer tests, or asks less of them.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{FileChange, Weakening, WeakeningKind, quoted};
use crate::change::{Side, pattern};

static PYTEST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"^\s*"?(?:addopts|testpaths|python_files|python_classes|python_functions|norecursedirs|collect_ignore\w*|reruns\w*|retries|minversion_ignore|filterwarnings_ignore|required_plugins)"?\s*[:=]|--(?:ignore|deselect|reruns|exitfirst|last-failed|maxfail|no-summary)\b|\s-k\s|\s-p\s+no:"#,
    )
});
static CARGO: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^\s*(?:test|harness|autotests|doctest|bench)\s*=\s*false\b|^\s*(?:default-members|exclude)\s*=")
});
static CARGO_TARGET: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*\[\[test\]\]"));
static NEXTEST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^\s*(?:default-filter|retries|filter|slow-timeout|fail-fast|flaky-result)\s*=")
});
static SCRIPT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:testMatch|testRegex|testPathIgnorePatterns|modulePathIgnorePatterns|roots|exclude|include|bail|retries|retry|passWithNoTests|testTimeout|coverageThreshold|thresholds|grep|fgrep|invert|spec|ignore|files|testIgnore|testDir|forbidOnly|setupFiles\w*|allowOnly|dangerouslyIgnoreUnhandledErrors)\b\s*['\x22]?\s*:",
    )
});
static BUILD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)<skipTests>|<skip>|maven\.test\.skip|<testFailureIgnore>|<exclude>|<excludedGroups>|<groups>|rerunFailingTestsCount|ignoreFailures|excludeTestsMatching|excludeTags|\benabled\s*=\s*false|maxRetries|failOnNoDiscoveredTests|exclude\s*\(?['\x22]",
    )
});

/// What a file of runner configuration lost.
pub(super) fn weakened(
    file: &FileChange,
    base_file: &impl Fn(&str) -> Option<String>,
    new_file: &impl Fn(&str) -> Option<String>,
) -> Vec<Weakening> {
    let path = file.path();
    let name = path.rsplit('/').next().unwrap_or(path);
    if name == "package.json" {
        return package_json(file, base_file, new_file);
    }
    let (pattern, sides): (&Regex, &[Side]) = match name {
        "pytest.ini" | "tox.ini" | "setup.cfg" | "pyproject.toml" | "conftest.py" | "noxfile.py"
        | ".pytest.ini" | "pytest.toml" => (&PYTEST, &[Side::Added, Side::Removed]),
        "Cargo.toml" => (&CARGO, &[Side::Added]),
        "nextest.toml" => (&NEXTEST, &[Side::Added, Side::Removed]),
        "pom.xml" | "build.gradle" | "build.gradle.kts" => (&BUILD, &[Side::Added]),
        _ if is_script_config(name) => (&SCRIPT, &[Side::Added, Side::Removed]),
        _ => return Vec::new(),
    };
    let hit = |line: &&crate::change::Line| {
        (sides.contains(&line.side) && pattern.is_match(&line.text))
            || (name == "Cargo.toml" && line.side == Side::Removed && CARGO_TARGET.is_match(&line.text))
    };
    let lines = file
        .hunks
        .iter()
        .flat_map(|hunk| &hunk.lines)
        .filter(|line| line.side != Side::Context);
    lines
        .filter(hit)
        .map(|line| {
            say(
                file,
                line.new,
                &format!("has {}", quoted(line.text.trim())),
                line.side,
            )
        })
        .collect()
}

fn is_script_config(name: &str) -> bool {
    let stems = [
        "jest.config",
        "vitest.config",
        "vite.config",
        "vitest.workspace",
        "karma.conf",
        "playwright.config",
        "cypress.config",
        "ava.config",
    ];
    stems.iter().any(|stem| name.starts_with(stem)) || name.starts_with(".mocharc")
}

fn say(file: &FileChange, line: Option<u32>, what: &str, side: Side) -> Weakening {
    let when = if side == Side::Removed {
        "no longer "
    } else {
        "now "
    };
    Weakening {
        path: Some(file.path().to_owned()),
        line,
        kind: WeakeningKind::RunnerConfigured,
        words: format!(
            "{} {when}{what}, which can change which tests run and what is asked of them",
            quoted(file.path())
        ),
    }
}

/// The scripts that run tests, and the runners' own parts.
fn package_json(
    file: &FileChange,
    base_file: &impl Fn(&str) -> Option<String>,
    new_file: &impl Fn(&str) -> Option<String>,
) -> Vec<Weakening> {
    let Some(old) = file.old_path.as_deref() else {
        return Vec::new();
    };
    let read = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let (Some(old), Some(new)) = (
        read(base_file(old)),
        read(file.new_path.as_deref().and_then(new_file)),
    ) else {
        return vec![Weakening {
            path: Some(file.path().to_owned()),
            line: None,
            kind: WeakeningKind::CannotJudge,
            words: format!(
                "{} cannot be read on both sides, so nobody knows which tests it runs",
                quoted(file.path())
            ),
        }];
    };
    let mut places: Vec<String> = ["jest", "vitest", "mocha", "ava", "c8", "nyc", "type"]
        .map(|part| format!("/{part}"))
        .to_vec();
    for side in [&old, &new] {
        let scripts = side.get("scripts").and_then(Value::as_object);
        let names = scripts
            .into_iter()
            .flat_map(|scripts| scripts.keys())
            .filter(|name| name.contains("test"));
        places.extend(names.map(|name| format!("/scripts/{}", name.replace('~', "~0").replace('/', "~1"))));
    }
    places.sort_unstable();
    places.dedup();
    let changed = places
        .iter()
        .filter(|place| old.pointer(place) != new.pointer(place) && old.pointer(place).is_some());
    changed
        .map(|place| {
            let now = new
                .pointer(place)
                .map_or_else(|| "nothing".to_owned(), |value| quoted(&value.to_string()));
            say(
                file,
                None,
                &format!("has {now} as {}", quoted(place.trim_start_matches('/'))),
                Side::Added,
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one() {
        for pattern in [&PYTEST, &CARGO, &CARGO_TARGET, &NEXTEST, &SCRIPT, &BUILD] {
            assert!(!pattern.as_str().is_empty());
        }
    }
}
