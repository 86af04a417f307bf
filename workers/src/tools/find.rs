//! The tool `list`, and the globs of all tools.

use std::fs;

use globset::{GlobBuilder, GlobMatcher};
use serde_json::Value;

use super::{Answer, files::Place, input::Input};

/// After so many entries the rest is only counted.
const ENTRIES: usize = 400;
/// After so many entries counting ends, too.
const COUNTED: usize = 100_000;

/// A glob over paths from the workspace's root; one without `/` is meant for last names at any depth.
pub(super) fn glob(pattern: &str) -> Result<GlobMatcher, String> {
    let anywhere = if pattern.contains('/') {
        pattern.trim_start_matches("./").to_owned()
    } else {
        format!("**/{pattern}")
    };
    let glob = GlobBuilder::new(&anywhere).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| format!("`glob` makes no sense: {}", error.kind()))
}

/// The tool `list`.
pub(super) fn list(place: &Place, input: &Value) -> Answer {
    let input = Input::of("list", input, &["path", "glob", "depth"])?;
    let path = input.optional_text("path")?.unwrap_or(".");
    let glob = input.optional_text("glob")?.map(glob).transpose()?;
    let depth = input.number("depth", if glob.is_some() { 50 } else { 2 }, 1, 50)?;
    let from = place.at(path)?;
    if let Err(error) = fs::symlink_metadata(&from) {
        return Err(place.trouble(path, &error));
    }
    let mut text = String::new();
    let mut count = 0;
    for entry in place
        .walk(&from)
        .max_depth(Some(depth))
        .build()
        .flatten()
        .take(COUNTED)
    {
        let folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        let shown = place.shown(entry.path());
        let fits = glob.as_ref().is_none_or(|glob| !folder && glob.is_match(&shown));
        if entry.depth() == 0 && folder || !fits {
            continue;
        }
        count += 1;
        if count <= ENTRIES {
            text.push_str(&shown);
            text.push_str(if folder { "/\n" } else { "\n" });
        }
    }
    if count == 0 {
        return Ok("nothing\n".into());
    }
    if count > ENTRIES {
        text.push_str(&format!(
            "[{count} entries, {ENTRIES} shown; narrow by path or glob]\n"
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn folders_are_listed_to_a_depth_and_files_by_glob_at_any() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b/c")).unwrap();
        for file in ["x.py", "a/y.py", "a/b/z.py", "a/b/c/w.py", ".gitignore"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        let place = Place::new(folder.path().to_owned());
        assert_eq!(
            list(&place, &json!({})).unwrap(),
            ".gitignore\na/\na/b/\na/y.py\nx.py\n"
        );
        assert_eq!(
            list(&place, &json!({"glob": "*.py"})).unwrap(),
            "a/b/c/w.py\na/b/z.py\na/y.py\nx.py\n"
        );
        assert_eq!(list(&place, &json!({"glob": "a/*.py"})).unwrap(), "a/y.py\n");
        assert_eq!(list(&place, &json!({"path": "a/b/c"})).unwrap(), "a/b/c/w.py\n");
        assert_eq!(list(&place, &json!({"glob": "*.rs"})).unwrap(), "nothing\n");
    }
}
