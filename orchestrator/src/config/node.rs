//! How a process carries out orders: `node`.

use std::{collections::BTreeSet, time::Duration};

use loops::spec::Span;
use serde::Deserialize;

use super::Problem;

/// More orders at once on one machine than this are a slip of the hand.
const MOST: u32 = 1_000;
/// A shorter lease would be lost to a busy disk.
const SHORTEST: Duration = Duration::from_secs(2);
/// A longer one would leave work lying.
const LONGEST: Duration = Duration::from_secs(600);

/// How a process carries out orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What people call it.
    pub name: String,
    /// What a loop can ask for with `needs`; sorted, each once.
    pub labels: Vec<String>,
    /// How many orders it carries out at once; 0: none, other nodes do.
    pub places: u32,
    /// How many of them may be proofs: each is a test suite, which wants the machine for itself.
    pub proofs: u32,
    /// After so long without a word it is taken for lost, and its orders are given to others.
    pub lease: Duration,
    /// How often what a worker has so far is saved, for whoever has to go on with it; none: never.
    pub save_every: Option<Duration>,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            name: machine_name(),
            labels: Vec::new(),
            places: 16,
            proofs: 2,
            lease: Duration::from_secs(30),
            save_every: Some(Duration::from_secs(30)),
        }
    }
}

/// What this machine calls itself.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match loops::text::one_line(name.trim(), 60) {
        name if name.is_empty() => "a machine".to_owned(),
        name => name,
    }
}

/// Labels as they are typed: `gpu,big`.
///
/// # Errors
/// In words, if one of them is none.
pub fn labels(typed: impl IntoIterator<Item = String>) -> Result<Vec<String>, String> {
    let labels: BTreeSet<String> = typed.into_iter().map(|label| label.trim().to_owned()).collect();
    let odd = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'));
    match labels
        .iter()
        .find(|label| label.is_empty() || label.len() > 63 || label.contains(odd))
    {
        Some(label) => Err(format!(
            "`{}` is not a label; it has lower-case letters, digits, hyphens and underscores, at most 63, like `gpu`",
            label.escape_default()
        )),
        None => Ok(labels.into_iter().collect()),
    }
}

/// The part of the file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    name: Option<String>,
    labels: Vec<String>,
    places: Option<u32>,
    proofs: Option<u32>,
    lease: Option<String>,
    save_every: Option<String>,
}

impl File {
    /// Checks what is written and fills in the defaults.
    pub(super) fn resolve(self, problems: &mut Vec<Problem>) -> Node {
        let usual = Node::default();
        let mut wrong = |what: String| problems.push(Problem { at: None, what });
        let name = match self.name.map(|name| loops::text::one_line(name.trim(), 60)) {
            Some(name) if name.is_empty() => {
                wrong("`node.name` is empty".to_owned());
                name
            }
            Some(name) => name,
            None => usual.name,
        };
        let labels = labels(self.labels).unwrap_or_else(|why| {
            wrong(format!("`node.labels`: {why}"));
            Vec::new()
        });
        let places = self.places.unwrap_or(usual.places);
        if places > MOST {
            wrong(format!("`node.places` is {places}; it must be 0 to {MOST}"));
        }
        let proofs = self.proofs.unwrap_or(usual.proofs);
        if !(1..=MOST).contains(&proofs) {
            wrong(format!("`node.proofs` is {proofs}; it must be 1 to {MOST}"));
        }
        let lease = match self.lease.map(|text| text.parse::<Span>()) {
            None => usual.lease,
            Some(Ok(span)) if (SHORTEST..=LONGEST).contains(&span.0) => span.0,
            Some(Ok(span)) => {
                wrong(format!("`node.lease` is {span}; it must be 2s to 10m"));
                usual.lease
            }
            Some(Err(why)) => {
                wrong(format!("`node.lease`: {why}"));
                usual.lease
            }
        };
        let save_every = match self.save_every.as_deref() {
            None => usual.save_every,
            Some("never") => None,
            Some(text) => match text.parse::<Span>() {
                Ok(span) if span.0 <= LONGEST => Some(span.0),
                Ok(span) => {
                    wrong(format!(
                        "`node.save_every` is {span}; it must be 0s to 10m, or `never`"
                    ));
                    None
                }
                Err(why) => {
                    wrong(format!("`node.save_every`: {why}"));
                    None
                }
            },
        };
        Node {
            name,
            labels,
            places,
            proofs,
            lease,
            save_every,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::Config, *};

    fn read(text: &str) -> Result<Node, String> {
        Config::read(Path::new("loops.yaml"), text, Some("/s".into()), &|_| None)
            .map(|config| config.node)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_written_is_this_machine_without_labels() {
        assert_eq!(read("").unwrap(), Node::default());
        let own = "node: { name: north, labels: [gpu, big, gpu], places: 0, lease: 5s, save_every: never }";
        let own = read(own).unwrap();
        assert_eq!(own.save_every, None);
        assert_eq!((own.name.as_str(), own.places), ("north", 0));
        assert_eq!(own.labels, ["big", "gpu"]);
        assert_eq!(own.lease, Duration::from_secs(5));
    }

    #[test]
    fn what_makes_no_sense_is_told_of_all_at_once() {
        let wrong =
            read("node: { labels: [GPU], places: 5000, proofs: 0, lease: 1s, save_every: 1h }").unwrap_err();
        for key in ["labels", "places", "proofs", "lease", "save_every"] {
            assert!(wrong.contains(&format!("node.{key}")), "{key}: {wrong}");
        }
        assert!(read("node: { labels: [\"\"] }").is_err());
    }
}
