//! YAML text as a tree in which every key and value knows its place.
//!
//! What a file may cost is bounded here: its size, its depth, and how much its aliases may unfold to. Nothing is said
//! here about which keys a loop has.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{ErrorKind, Event, Parser, Span, Tag, options};

use super::{
    error::{Place, SpecError},
    scalar::scalar,
};

/// The largest file that is read, in bytes.
pub(super) const MAX_BYTES: usize = 256 * 1024;
/// How deep keys may nest.
const MAX_DEPTH: usize = 32;
/// How many keys and values a file may have once its aliases are unfolded.
const MAX_NODES: usize = 10_000;

/// A value, where it stands, and a number that no other node of its tree has.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) id: usize,
    pub(super) at: Place,
    pub(super) data: Data,
}

/// A key and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) id: usize,
    pub(super) at: Place,
    pub(super) text: String,
}

/// What a value is, by the core schema of YAML 1.2: `off` and `no` are text.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Null,
    Bool(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
    /// Stands for a key that is missing and has been complained about, so that the rest can be read.
    Filler,
}

/// Why a text is no tree at all.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) at: Place,
    pub(super) message: String,
}

impl Broken {
    fn new(at: Place, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }
}

impl Node {
    /// The value as text, if it is one value.
    pub(super) fn scalar(&self) -> Option<String> {
        match &self.data {
            Data::Null | Data::Filler | Data::List(_) | Data::Map(_) => None,
            Data::Bool(value) => Some(value.to_string()),
            Data::Whole(value) => Some(value.to_string()),
            Data::Real(value) => Some(value.to_string()),
            Data::Text(value) => Some(value.clone()),
        }
    }

    fn size(&self) -> usize {
        1 + match &self.data {
            Data::List(items) => items.iter().map(Self::size).sum(),
            Data::Map(entries) => entries.iter().map(|(_, value)| 1 + value.size()).sum(),
            _ => 0,
        }
    }
}

/// A list or map that is not closed yet.
struct Open {
    at: Place,
    anchor: usize,
    filling: Filling,
}

enum Filling {
    List(Vec<Node>),
    /// The third is the key whose value comes next, and whether the key was there before.
    Map(Vec<(Key, Node)>, HashMap<String, Place>, Option<(Key, bool)>),
}

struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    nodes: usize,
    /// What is wrong, but does not keep the rest from being read.
    errors: Vec<SpecError>,
}

/// Reads `text`. Duplicate keys come back beside the tree, in which the first of them stands; whatever else YAML itself
/// forbids is the one error.
pub(super) fn parse(text: &str) -> Result<(Node, Vec<SpecError>), Broken> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        return Err(Broken::new(Place::START, message));
    }
    let options = options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        disallow_directives: true,
    };
    let mut builder = Builder {
        open: Vec::new(),
        anchors: HashMap::new(),
        root: None,
        nodes: 0,
        errors: Vec::new(),
    };
    let mut documents = 0;
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| {
            let mark = error.marker();
            let at = Place {
                line: mark.line().max(1),
                column: mark.col() + 1,
                length: 1,
            };
            match error.kind() {
                ErrorKind::RecursionLimitExceeded => too_deep(at),
                _ => Broken::new(at, format!("this is not YAML: {}", error.info())),
            }
        })?;
        let at = place(&span);
        if let Event::DocumentStart(..) = event {
            documents += 1;
            if documents > 1 {
                return Err(Broken::new(
                    at,
                    "a second document begins here; a file holds one loop",
                ));
            }
        }
        builder.take(event, at)?;
    }
    let root = builder
        .root
        .ok_or_else(|| Broken::new(Place::START, "the file is empty"))?;
    Ok((root, builder.errors))
}

/// Lines and columns count from 1; a span over several lines is marked on its first only.
fn place(span: &Span) -> Place {
    let one_line = span.start.line() == span.end.line();
    let length = if one_line { span.len().max(1) } else { 1 };
    Place {
        line: span.start.line().max(1),
        column: span.start.col() + 1,
        length,
    }
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: Place) -> Result<(), Broken> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if self.key_is_next() {
                    return self.key(text.into_owned(), at);
                }
                let data = scalar(&text, style, tag.as_deref()).map_err(|tag| no_tag(tag, at))?;
                let node = self.node(at, data)?;
                self.value(node, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(at, anchor, tag.as_deref(), Filling::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => self.begin(
                at,
                anchor,
                tag.as_deref(),
                Filling::Map(Vec::new(), HashMap::new(), None),
            ),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some(named) = self.anchors.get(&anchor) else {
                    return Err(Broken::new(at, "an alias cannot stand inside what it names"));
                };
                // Measured before it is copied, so that a bomb is never unfolded.
                if self.nodes + named.size() > MAX_NODES {
                    return Err(too_large(at));
                }
                if self.key_is_next() {
                    return Err(Broken::new(at, "a key must be plain text, not an alias"));
                }
                let mut copy = named.clone();
                self.number(&mut copy);
                self.value(copy, 0)
            }
            _ => Ok(()),
        }
    }

    fn key_is_next(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                filling: Filling::Map(_, _, None),
                ..
            })
        )
    }

    fn key(&mut self, text: String, at: Place) -> Result<(), Broken> {
        if text == "<<" {
            return Err(Broken::new(
                at,
                "merge keys (`<<`) are not read; write the keys out",
            ));
        }
        let id = self.next_id(at)?;
        let Some(Open {
            filling: Filling::Map(_, seen, next),
            ..
        }) = self.open.last_mut()
        else {
            return Ok(());
        };
        let first = seen.get(&text).copied();
        *next = Some((
            Key {
                id,
                at,
                text: text.clone(),
            },
            first.is_some(),
        ));
        match first {
            None => {
                seen.insert(text, at);
            }
            Some(first) => {
                let message = format!(
                    "the key `{text}` is there twice; the first is on line {}",
                    first.line
                );
                self.errors.push(SpecError::new(at, message).path(text));
            }
        }
        Ok(())
    }

    fn begin(&mut self, at: Place, anchor: usize, tag: Option<&Tag>, filling: Filling) -> Result<(), Broken> {
        if let Some(tag) = tag {
            return Err(no_tag(tag, at));
        }
        if self.key_is_next() {
            return Err(Broken::new(
                at,
                "a key must be plain text, not a list or a set of keys",
            ));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Broken::new(
                at,
                format!("this nests deeper than {MAX_DEPTH} levels"),
            ));
        }
        let at = Place { length: 1, ..at };
        self.open.push(Open { at, anchor, filling });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Broken> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let data = match open.filling {
            Filling::List(items) => Data::List(items),
            Filling::Map(entries, ..) => Data::Map(entries),
        };
        let node = self.node(open.at, data)?;
        self.value(node, open.anchor)
    }

    fn value(&mut self, node: Node, anchor: usize) -> Result<(), Broken> {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.filling) {
            None => self.root = Some(node),
            Some(Filling::List(items)) => items.push(node),
            Some(Filling::Map(entries, _, next)) => {
                if let Some((key, false)) = next.take() {
                    entries.push((key, node));
                }
            }
        }
        Ok(())
    }

    fn node(&mut self, at: Place, data: Data) -> Result<Node, Broken> {
        Ok(Node {
            id: self.next_id(at)?,
            at,
            data,
        })
    }

    fn next_id(&mut self, at: Place) -> Result<usize, Broken> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            Err(too_large(at))
        } else {
            Ok(self.nodes)
        }
    }

    /// Gives a copied subtree numbers of its own.
    fn number(&mut self, node: &mut Node) {
        self.nodes += 1;
        node.id = self.nodes;
        match &mut node.data {
            Data::List(items) => items.iter_mut().for_each(|item| self.number(item)),
            Data::Map(entries) => {
                for (key, value) in entries {
                    self.nodes += 1;
                    key.id = self.nodes;
                    self.number(value);
                }
            }
            _ => {}
        }
    }
}

fn too_deep(at: Place) -> Broken {
    Broken::new(at, format!("this nests deeper than {MAX_DEPTH} levels"))
}

fn too_large(at: Place) -> Broken {
    Broken::new(
        at,
        format!("the file unfolds to more than {MAX_NODES} keys and values"),
    )
}

fn no_tag(tag: &Tag, at: Place) -> Broken {
    Broken::new(
        at,
        format!(
            "the tag `{}` has no meaning in a loop; leave it out",
            tag.original()
        ),
    )
}
