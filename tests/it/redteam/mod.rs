//! The red team: one entry an attack, and with each its control, in which the one wall is off and the harm is seen. A
//! family is a file: a table of entries, and the test that plays all of them. What is played is what is counted, and
//! what is counted is what docs/security.md shows.

mod asking;
mod budget;
mod corpus;
mod door;
mod egress;
mod escaping;
mod forging;
mod git;
mod jail;
mod marks;
mod network;
mod ordinary;
pub(crate) mod page;
mod reading;
mod resources;
mod service;
mod sharing;
mod signals;
mod smuggling;
mod supply;
mod trust;
mod words;
mod writing;

/// An attack in words, as a row of docs/security.md.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What is tried.
    pub(crate) tried: String,
    /// What stops it.
    pub(crate) by: String,
    /// What is off in the control, where the harm is seen.
    pub(crate) control: String,
}

/// Attacks of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    /// Its title.
    pub(crate) name: &'static str,
    /// Where they are stopped and how they are played, in a sentence or two.
    pub(crate) how: &'static str,
    /// The attacks.
    pub(crate) rows: Vec<Row>,
}

/// All of them. Each row comes from the table that its family's test plays.
pub(crate) fn catalogue() -> Vec<Family> {
    vec![
        reading::family(),
        writing::family(),
        escaping::family(),
        network::family(),
        egress::family(),
        asking::family(),
        budget::family(),
        git::family(),
        sharing::family(),
        supply::family(),
        smuggling::family(),
        words::family(),
        forging::family(),
        marks::family(),
        signals::family(),
        service::family(),
        resources::family(),
        trust::family(),
    ]
}

#[test]
fn no_attack_is_counted_twice() {
    let mut seen = std::collections::BTreeSet::new();
    for family in catalogue() {
        for row in family.rows {
            assert!(!row.by.is_empty() && !row.control.is_empty(), "{}", row.tried);
            assert!(seen.insert(row.tried.clone()), "`{}` is there twice", row.tried);
        }
    }
}
