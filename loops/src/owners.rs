//! Who owns which paths of a repository, by its CODEOWNERS file: GitHub's format, as its documentation has it.
//!
//! The last line that fits a path decides, also when it names nobody. A line that cannot be read is passed over and told
//! of, as GitHub does; nothing that stands in such a file makes this fail.

mod pattern;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use self::pattern::Pattern;

/// Where GitHub looks for the file; the first one that is there counts.
pub const PLACES: [&str; 3] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"];
/// GitHub does not load a file that is larger, so neither do we: nobody owns anything then.
pub const MAX_BYTES: usize = 3 * 1024 * 1024;
/// A matcher is made of every glob; a file of nothing but globs would take gigabytes. Paths without any wildcard are not
/// counted.
const MAX_GLOBS: usize = 5_000;
/// Bad lines that are told of one by one; the rest is counted.
const TOLD: usize = 20;

/// Somebody who can own paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Owner {
    /// `@login`.
    User {
        /// Without the `@`.
        login: String,
    },
    /// `@organisation/team`.
    Team {
        /// The organisation.
        org: String,
        /// The team's name in addresses.
        slug: String,
    },
    /// Somebody by their e-mail address.
    Email {
        /// The address.
        address: String,
    },
}

impl Owner {
    /// The owner that `text` names: `@login`, `@organisation/team` or an e-mail address. None: it is no owner.
    pub fn parse(text: &str) -> Option<Self> {
        let name = |text: &str| {
            !text.is_empty()
                && text.len() <= 100
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        if let Some(handle) = text.strip_prefix('@') {
            return match handle.split_once('/') {
                Some((org, slug)) if name(org) && name(slug) => Some(Self::Team {
                    org: org.to_owned(),
                    slug: slug.to_owned(),
                }),
                // Accounts that a company manages end with `_` and its short code.
                None if name(handle) => Some(Self::User {
                    login: handle.to_owned(),
                }),
                _ => None,
            };
        }
        let (local, host) = text.rsplit_once('@')?;
        let plain = |text: &str| {
            !text
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || c == '@')
        };
        (text.len() <= 254 && !local.is_empty() && plain(local) && name(host) && host.contains('.')).then(
            || Self::Email {
                address: text.to_owned(),
            },
        )
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { login } => write!(f, "@{login}"),
            Self::Team { org, slug } => write!(f, "@{org}/{slug}"),
            Self::Email { address } => f.write_str(address),
        }
    }
}

/// A line that says nothing, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The line's number, from 1; 0: the file as a whole.
    pub line: usize,
    /// Why, for a person.
    pub why: String,
}

#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    owners: Vec<Owner>,
}

/// A CODEOWNERS file.
#[derive(Debug, Default)]
pub struct Owners {
    rules: Vec<Rule>,
    skipped: Vec<Skipped>,
}

impl Owners {
    /// Reads the text of such a file. What cannot be read is passed over; see [`Owners::skipped`].
    pub fn parse(text: &str) -> Self {
        let mut owners = Self::default();
        if text.len() > MAX_BYTES {
            owners.skipped.push(Skipped {
                line: 0,
                why: format!(
                    "the file is larger than {} MB, so nobody owns anything",
                    MAX_BYTES >> 20
                ),
            });
            return owners;
        }
        let (mut more, mut globs) = (0, 0);
        for (number, line) in (1..).zip(text.lines()) {
            let read = if globs < MAX_GLOBS {
                rule(line)
            } else {
                Err(format!("there are {MAX_GLOBS} globs above, which is the most"))
            };
            match read {
                Ok(None) => {}
                Ok(Some(rule)) => {
                    globs += usize::from(rule.pattern.is_glob());
                    owners.rules.push(rule);
                }
                Err(_) if owners.skipped.len() >= TOLD => more += 1,
                Err(why) => owners.skipped.push(Skipped { line: number, why }),
            }
        }
        if more > 0 {
            owners.skipped.push(Skipped {
                line: 0,
                why: format!("{more} more lines cannot be read"),
            });
        }
        owners
    }

    /// The lines that say nothing, the first few of them one by one.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Who owns a path, which is counted from the repository's top, without a leading `/`. Empty: nobody.
    pub fn of(&self, path: &str) -> &[Owner] {
        self.rules
            .iter()
            .rev()
            .find(|rule| rule.pattern.fits(path))
            .map_or(&[], |rule| &rule.owners)
    }

    /// Who owns what a change touches: those of most of its paths first, and among equals in the order of their names.
    pub fn for_change<P: AsRef<str>>(&self, paths: impl IntoIterator<Item = P>) -> Vec<Owner> {
        let mut touched: BTreeMap<&Owner, usize> = BTreeMap::new();
        for path in paths {
            for owner in self.of(path.as_ref()) {
                *touched.entry(owner).or_default() += 1;
            }
        }
        let mut all: Vec<(&Owner, usize)> = touched.into_iter().collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all.into_iter().map(|(owner, _)| owner.clone()).collect()
    }
}

impl Owners {
    /// The different sets of owners that these paths have, each once; the empty one, where a path is nobody's.
    pub fn sets<P: AsRef<str>>(&self, paths: impl IntoIterator<Item = P>) -> Vec<Vec<Owner>> {
        let all: BTreeSet<&[Owner]> = paths.into_iter().map(|path| self.of(path.as_ref())).collect();
        all.into_iter().map(<[Owner]>::to_vec).collect()
    }
}

/// What a line says; nothing, for an empty one and a comment. The error is for a person.
fn rule(line: &str) -> Result<Option<Rule>, String> {
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.starts_with('[') || line.starts_with("^[") {
        return Err(
            "sections are GitLab's: GitHub knows none, so what stands below holds without them".to_owned(),
        );
    }
    let (pattern, rest) = split(line);
    let mut owners = Vec::new();
    for word in rest.split_whitespace().take_while(|word| !word.starts_with('#')) {
        let owner = Owner::parse(word).ok_or_else(|| {
            let shown = crate::text::one_line(word, 60);
            format!("`{shown}` is no owner: `@login`, `@organisation/team` or an e-mail address")
        })?;
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    let pattern = Pattern::new(pattern)?;
    Ok(Some(Rule { pattern, owners }))
}

/// The pattern, up to the first space that is not escaped, and the rest of the line.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if c.is_whitespace() && !escaped {
            return line.split_at(at);
        }
        escaped = c == '\\' && !escaped;
    }
    (line, "")
}

#[cfg(test)]
mod tests;
