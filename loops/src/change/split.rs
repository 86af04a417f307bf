//! A change, split into its tests and the rest: by file, and by line where tests live inside source files.

use std::collections::HashMap;

use super::{
    Diff, FileChange, Side,
    cases::{TestRegion, test_regions},
    languages::Language,
    paths::is_test_path,
};

/// The parts of a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// Paths that belong to tests alone, on either side of the change, sorted. The tests-only tree has them as the
    /// change has them: changed, added or gone.
    pub test_files: Vec<String>,
    /// Source files with tests inside, and what they hold with only the tests changed.
    pub mixed: Vec<(String, String)>,
    /// Paths with changes that are no tests, sorted. A path can be here and in `mixed`.
    pub rest: Vec<String>,
}

impl Split {
    /// Whether the change has any tests.
    pub fn has_tests(&self) -> bool {
        !self.test_files.is_empty() || !self.mixed.is_empty()
    }
}

/// Splits a change. `base_file` and `new_file` give the text of a path on either side; none: it is not there, is no
/// text, or is too large, and then its file counts as a whole.
pub fn split(
    diff: &Diff,
    base_file: impl Fn(&str) -> Option<String>,
    new_file: impl Fn(&str) -> Option<String>,
) -> Split {
    let mut split = Split::default();
    for file in &diff.files {
        let (tests, rest): (Vec<&str>, Vec<&str>) = file.paths().partition(|path| is_test_path(path));
        split.test_files.extend(tests.into_iter().map(str::to_owned));
        if rest.is_empty() {
            continue;
        }
        let only_tests = only_tests(file, &base_file, &new_file);
        let is_all_tests = only_tests.as_ref().is_some_and(|only| only.is_all);
        if let (Some(only), Some(path)) = (only_tests, &file.old_path)
            && only.changes
        {
            split.mixed.push((path.clone(), only.text));
        }
        if !is_all_tests {
            split.rest.extend(rest.into_iter().map(str::to_owned));
        }
    }
    for paths in [&mut split.test_files, &mut split.rest] {
        paths.sort_unstable();
        paths.dedup();
    }
    split
}

struct OnlyTests {
    text: String,
    changes: bool,
    is_all: bool,
}

/// The base's source file, with its tests as the change has them.
fn only_tests(
    file: &FileChange,
    base_file: &impl Fn(&str) -> Option<String>,
    new_file: &impl Fn(&str) -> Option<String>,
) -> Option<OnlyTests> {
    let (old_path, new_path) = (file.old_path.as_deref()?, file.new_path.as_deref()?);
    if Language::of(new_path) != Some(Language::Rust)
        || file.binary
        || file.lossy_path
        || file.hunks.is_empty()
    {
        return None;
    }
    let (base, new) = (base_file(old_path)?, new_file(new_path)?);
    let (base_tests, new_tests) = (test_regions(&base), test_regions(&new));
    let text = graft((&base, &base_tests), (&new, &new_tests));
    let is_in = |regions: &[TestRegion], line: u32| {
        let after = regions.partition_point(|region| region.lines.start <= line);
        after > 0 && regions[after - 1].lines.contains(&line)
    };
    let mut changed = file.lines(Side::Removed).chain(file.lines(Side::Added));
    let same_file = old_path == new_path && file.old_mode == file.new_mode;
    let is_all = same_file
        && changed.all(|line| {
            let in_base = line.old.is_some_and(|number| is_in(&base_tests, number));
            let in_new = line.new.is_some_and(|number| is_in(&new_tests, number));
            in_base || in_new || line.text.trim().is_empty()
        });
    Some(OnlyTests {
        changes: text != base,
        text,
        is_all,
    })
}

/// The base with each part that is tests taken from the change. Parts are known again by what they are; those that the
/// base does not have come last, and those that the change does not have are left out.
fn graft((base, base_tests): (&str, &[TestRegion]), (new, new_tests): (&str, &[TestRegion])) -> String {
    let new_lines: Vec<&str> = new.split_inclusive('\n').collect();
    let text_of = |region: &TestRegion| -> String {
        let (from, to) = (region.lines.start as usize - 1, region.lines.end as usize - 1);
        new_lines
            .get(from..to.min(new_lines.len()))
            .unwrap_or_default()
            .concat()
    };
    let mut ours: HashMap<&str, std::collections::VecDeque<&TestRegion>> = HashMap::new();
    for region in new_tests {
        ours.entry(&region.key).or_default().push_back(region);
    }
    // Documentation tests have no names; unless there are as many as before, nobody knows which is which.
    let docs = |regions: &[TestRegion]| regions.iter().filter(|region| region.key == "doc").count();
    let docs_pair = docs(base_tests) == docs(new_tests);
    let mut text = String::with_capacity(base.len());
    let mut regions = base_tests.iter().peekable();
    for (number, line) in (1_u32..).zip(base.split_inclusive('\n')) {
        regions.next_if(|region| region.lines.end <= number);
        match regions.peek().filter(|region| region.lines.contains(&number)) {
            Some(region) if region.key != "doc" || docs_pair => {
                if region.lines.start == number
                    && let Some(new) = ours
                        .get_mut(region.key.as_str())
                        .and_then(|regions| regions.pop_front())
                {
                    text.push_str(&text_of(new));
                }
            }
            _ => text.push_str(line),
        }
    }
    let mut added: Vec<&TestRegion> = ours
        .into_values()
        .flatten()
        .filter(|region| region.key != "doc")
        .collect();
    added.sort_by_key(|region| region.lines.start);
    for region in added {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&text_of(region));
    }
    text
}
