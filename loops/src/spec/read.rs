//! From text to a loop: all errors at once.
//!
//! The tree is read again and again; each time the first thing that does not fit is noted and mended (a misspelt key
//! gets its right name, a wrong value is taken out, a missing key is filled in), until the rest fits. What was mended
//! only lets the rest be checked: a file with an error never becomes a loop.

use std::collections::{HashMap, HashSet};

use serde::Deserialize as _;

use super::{
    LoopSpec,
    check::check,
    de::{Fault, What},
    error::{Place, SpecError},
    tree::{self, Data, Key, MAX_BYTES, Node},
    words::{listed, nearest, plain},
};

/// What a spec may refer to and only the operator's settings know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Every model that can be named: the aliases and the names that have a price.
    pub models: Vec<String>,
}

/// No more errors than this are reported for one file.
const MAX_ERRORS: usize = 100;
/// No file is mended more often than this.
const MAX_ROUNDS: usize = 4 * MAX_ERRORS;
/// The number of every node that stands for a missing key; read nodes count from 1.
const FILLER: usize = 0;

/// The text of a file, if it is one that can be read: UTF-8, and not too large.
pub fn decode<'a>(source_name: &str, bytes: &'a [u8]) -> Result<&'a str, Vec<SpecError>> {
    let refuse = |at, words| {
        vec![SpecError {
            file: source_name.to_owned(),
            ..SpecError::new(at, words)
        }]
    };
    if bytes.len() > MAX_BYTES {
        let words = format!("the file has {} bytes; at most {MAX_BYTES} are read", bytes.len());
        return Err(refuse(Place::START, words));
    }
    std::str::from_utf8(bytes).map_err(|bad| {
        let good = String::from_utf8_lossy(&bytes[..bad.valid_up_to()]);
        let column = good.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        let at = Place {
            line: good.matches('\n').count() + 1,
            column,
            length: 1,
        };
        refuse(
            at,
            "the file is not UTF-8; this byte is not part of any character".to_owned(),
        )
    })
}

/// The loop that `text` describes, or everything that is wrong with it, in the order of the text. `source_name` is
/// how errors call the file.
pub fn read(source_name: &str, text: &str, known: &Known) -> Result<LoopSpec, Vec<SpecError>> {
    let (spec, mut errors) = match tree::parse(text) {
        Ok((root, errors)) => fit(root, errors, known),
        Err(broken) => (None, vec![SpecError::new(broken.at, broken.message)]),
    };
    errors.sort_by_key(|error| (error.line, error.column));
    for error in &mut errors {
        source_name.clone_into(&mut error.file);
    }
    match spec {
        Some(spec) if errors.is_empty() => Ok(spec),
        _ => Err(errors),
    }
}

/// An error about the key at `path` of a loop that was read from `text`, placed where that key stands: for what only a
/// reader of other files can know (a prompt that is not there, a name that another file has).
pub fn error_at(source_name: &str, text: &str, path: &str, message: impl Into<String>) -> SpecError {
    let (at, value) = match tree::parse(text) {
        Ok((root, _)) => place(&index(&root), path),
        Err(broken) => (broken.at, None),
    };
    SpecError {
        file: source_name.to_owned(),
        ..SpecError::new(at, message).path(path).value(value)
    }
}

/// Where `path` stands, or where the nearest of those above it does, if it was not written out.
pub(super) fn place(index: &Index, path: &str) -> (Place, Option<String>) {
    if let Some((at, value)) = index.get(path) {
        return (*at, value.clone());
    }
    let above = path.rfind(['.', '[']).map_or("", |end| &path[..end]);
    (
        if path.is_empty() {
            Place::START
        } else {
            place(index, above).0
        },
        None,
    )
}

/// The loop, as far as one can be made, and what is wrong with it.
fn fit(mut root: Node, mut errors: Vec<SpecError>, known: &Known) -> (Option<LoopSpec>, Vec<SpecError>) {
    let mut removed = HashSet::new();
    for _ in 0..MAX_ROUNDS {
        match LoopSpec::deserialize(&root) {
            Ok(spec) => {
                check(&spec, &index(&root), known, &mut errors);
                errors.truncate(MAX_ERRORS);
                return (Some(spec), errors);
            }
            Err(fault) => {
                if errors.len() >= MAX_ERRORS || !mend(&mut root, fault, &mut removed, &mut errors) {
                    break;
                }
            }
        }
    }
    if errors.is_empty() {
        errors.push(SpecError::new(root.at, "this cannot be read as a loop"));
    }
    (None, errors)
}

/// Where each key's value stands, and the value if it is a single one.
pub(super) type Index = HashMap<String, (Place, Option<String>)>;

fn index(root: &Node) -> Index {
    fn visit(node: &Node, path: String, index: &mut Index) {
        match &node.data {
            Data::List(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(i, item)| visit(item, format!("{path}[{i}]"), index));
            }
            Data::Map(entries) => entries
                .iter()
                .for_each(|(key, value)| visit(value, under(&path, &key.text), index)),
            _ => {}
        }
        index.insert(path, (node.at, node.scalar()));
    }
    let mut index = Index::new();
    visit(root, String::new(), &mut index);
    index
}

fn under(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// One step down the tree; `true` if it is the entry's key, not its value, that is meant.
type Step = (usize, bool);

/// The way from `node` to the key or value with that id, and its path in words.
fn find(node: &Node, id: usize, path: &str) -> Option<(Vec<Step>, String)> {
    if node.id == id {
        return Some((Vec::new(), path.to_owned()));
    }
    let below = |i: usize, child: &Node, path: String| {
        find(child, id, &path).map(|(mut steps, path)| {
            steps.insert(0, (i, false));
            (steps, path)
        })
    };
    match &node.data {
        Data::List(items) => items
            .iter()
            .enumerate()
            .find_map(|(i, item)| below(i, item, format!("{path}[{i}]"))),
        Data::Map(entries) => entries.iter().enumerate().find_map(|(i, (key, value))| {
            let path = under(path, &key.text);
            if key.id == id {
                Some((vec![(i, true)], path))
            } else {
                below(i, value, path)
            }
        }),
        _ => None,
    }
}

fn step(node: &mut Node, i: usize) -> Option<&mut Node> {
    match &mut node.data {
        Data::List(items) => items.get_mut(i),
        Data::Map(entries) => entries.get_mut(i).map(|(_, value)| value),
        _ => None,
    }
}

/// Notes what does not fit and changes the tree so that the next reading comes further; false if it cannot.
fn mend(root: &mut Node, fault: Fault, removed: &mut HashSet<String>, errors: &mut Vec<SpecError>) -> bool {
    if fault.node == Some(FILLER) {
        return false;
    }
    let Some((steps, path)) = fault.node.and_then(|id| find(root, id, "")) else {
        return false;
    };
    let Some((&(last, is_key), above)) = steps.split_last() else {
        return match fault.what {
            What::Missing { key } => fill(root, key, path, removed, errors),
            What::Other { found, .. } => {
                errors.push(SpecError::new(
                    root.at,
                    format!("a loop is a set of keys; this is {found}"),
                ));
                false
            }
            _ => false,
        };
    };
    let mut parent = root;
    for &(i, _) in above {
        let Some(child) = step(parent, i) else {
            return false;
        };
        parent = child;
    }
    if let What::Missing { key } = fault.what {
        return step(parent, last).is_some_and(|node| fill(node, key, path, removed, errors));
    }
    let (at, value) = match &parent.data {
        Data::Map(entries) if is_key => (entries[last].0.at, None),
        Data::Map(entries) => (entries[last].1.at, entries[last].1.scalar()),
        Data::List(items) => (items[last].at, items[last].scalar()),
        _ => return false,
    };
    let (error, meant) = explain(fault.what, at, &path, value, parent, is_key);
    errors.push(error);
    replace(parent, last, is_key, meant, path, removed);
    true
}

/// The error in words, and the word that was probably meant.
fn explain(
    what: What,
    at: Place,
    path: &str,
    value: Option<String>,
    parent: &Node,
    is_key: bool,
) -> (SpecError, Option<String>) {
    match what {
        What::UnknownKey { key: word, allowed } | What::UnknownWord { word, allowed } if is_key => {
            let taken = |key: &&str| matches!(&parent.data, Data::Map(entries) if entries.iter().any(|(k, _)| k.text == *key));
            let free: Vec<&str> = allowed.iter().copied().filter(|key| !taken(key)).collect();
            let meant = nearest(&word, &free);
            let error = SpecError::new(at, format!("unknown key `{word}`")).allowed(listed(allowed));
            (error.path(path).nearest(meant.clone()), meant)
        }
        What::UnknownKey { key: word, allowed } | What::UnknownWord { word, allowed } => {
            let meant = nearest(&word, allowed);
            let message = match value {
                Some(_) => format!("`{word}` is not one of the words that may stand here"),
                None => "one word is wanted here".to_owned(),
            };
            let error = SpecError::new(at, message).allowed(listed(allowed)).value(value);
            (error.path(path).nearest(meant.clone()), meant)
        }
        What::Other { found, wanted } => {
            let text = wanted == "a string" && value.is_some();
            let hint = if text {
                "; put it in quotes if it is meant as text"
            } else {
                ""
            };
            let message = format!("{} is wanted here, not {}{hint}", plain(&wanted), plain(&found));
            (
                SpecError::new(at, message)
                    .path(path)
                    .value(value)
                    .allowed(plain(&wanted)),
                None,
            )
        }
        What::Words(words) => (SpecError::new(at, words).path(path).value(value), None),
        What::Missing { key } => (
            SpecError::new(at, format!("the key `{key}` is missing")).path(path),
            None,
        ),
    }
}

/// Puts the right word in the place of a wrong one, or takes the entry out.
fn replace(
    parent: &mut Node,
    at: usize,
    is_key: bool,
    meant: Option<String>,
    path: String,
    removed: &mut HashSet<String>,
) {
    match (&mut parent.data, meant) {
        (Data::Map(entries), Some(word)) if is_key => entries[at].0.text = word,
        (Data::Map(entries), Some(word)) => entries[at].1.data = Data::Text(word),
        (Data::List(items), Some(word)) => items[at].data = Data::Text(word),
        (Data::Map(entries), None) => {
            entries.remove(at);
            removed.insert(path);
        }
        (Data::List(items), None) => {
            items.remove(at);
        }
        _ => {}
    }
}

/// Puts a filler where a key is missing, and says so unless it was there and taken out.
fn fill(
    node: &mut Node,
    key: &'static str,
    path: String,
    removed: &HashSet<String>,
    errors: &mut Vec<SpecError>,
) -> bool {
    let path = under(&path, key);
    let at = node.at;
    let Data::Map(entries) = &mut node.data else {
        return false;
    };
    if !removed.contains(&path) {
        errors.push(SpecError::new(at, format!("the key `{key}` is missing")).path(path));
    }
    let nobody = Key {
        id: FILLER,
        at,
        text: key.to_owned(),
    };
    entries.push((
        nobody,
        Node {
            id: FILLER,
            at,
            data: Data::Filler,
        },
    ));
    true
}
