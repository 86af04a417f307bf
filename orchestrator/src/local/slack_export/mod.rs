//! A Slack export, as a folder or a zip: `users.json`, `channels.json` and `<channel>/<day>.json`. Direct messages are
//! not read: only channels that the export lists are.

mod tree;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Batch, Skipped, SourceError,
    cursor::{Cursor, Export, mark},
    paths::Found,
};
use crate::slack::{Message, Names, Person, Said};
use tree::Tree;

/// After so many signals the rest is left to the next batch, at the end of a channel;
const ENOUGH: usize = 10_000;
/// after so many at the end of a day, however long the channel goes on.
const MOST: usize = 50_000;

pub(super) fn read_folder(found: &Found, cursor: &mut Cursor, batch: &mut Batch) -> Result<(), SourceError> {
    let before = cursor.exports.remove(&found.name).unwrap_or_default();
    let after = read(Tree::folder(&found.path)?, found, &before, batch)?;
    cursor.exports.insert(found.name.clone(), after);
    Ok(())
}

pub(super) fn read_zip(found: &Found, cursor: &mut Cursor, batch: &mut Batch) -> Result<(), SourceError> {
    let before = cursor.exports.remove(&found.name).unwrap_or_default();
    let meta = std::fs::metadata(&found.path).map_err(SourceError::io(&found.path))?;
    let now = mark(&meta);
    if now.is_some() && now == before.mark {
        cursor.exports.insert(found.name.clone(), before);
        return Ok(());
    }
    let mut after = read(Tree::zip(&found.path)?, found, &before, batch)?;
    after.mark = now.filter(|_| !batch.more);
    cursor.exports.insert(found.name.clone(), after);
    Ok(())
}

fn read(mut tree: Tree, found: &Found, before: &Export, batch: &mut Batch) -> Result<Export, SourceError> {
    let files = tree.files();
    let root = root(&files).ok_or_else(|| SourceError::NotAnExport {
        path: found.path.clone(),
    })?;
    let mut names = None;
    let mut after = Export::default();
    let mut listed = None;
    // Of a file that changed just now nobody knows that it was read: what follows it is read in the same go.
    let (mut sure, mut last) = (true, None);
    for (file, mark) in &files {
        let Some((channel, day)) = file.strip_prefix(&root).and_then(|inner| inner.split_once('/')) else {
            continue;
        };
        if !is_day(day) {
            continue;
        }
        let mark_now = mark.clone();
        if mark_now.is_some() && before.days.get(file) == mark_now.as_ref() {
            after.days.extend(mark_now.map(|mark| (file.clone(), mark)));
            continue;
        }
        let read = batch.signals.len();
        if sure && (read >= MOST || read >= ENOUGH && last != Some(channel)) {
            batch.more = true;
            let rest = before
                .days
                .iter()
                .filter(|(name, _)| files.contains_key(*name) && *name > file);
            after
                .days
                .extend(rest.map(|(name, mark)| (name.clone(), mark.clone())));
            break;
        }
        (sure, last) = (sure && mark.is_some(), Some(channel));
        let (listed, private): &(Option<BTreeSet<String>>, BTreeSet<String>) = match &listed {
            Some(listed) => listed,
            None => listed.insert(channels(&mut tree, &files, &root, found, batch)?),
        };
        if listed.as_ref().is_some_and(|listed| !listed.contains(channel)) {
            continue;
        }
        let names = match &names {
            Some(names) => names,
            None => names.insert(people(&mut tree, &files, &root, found, batch)?),
        };
        match tree.read(file) {
            Ok(bytes) => {
                let place = format!("{}/{file}", found.name);
                let day = Day {
                    channel,
                    private: private.contains(channel),
                    place: &place,
                };
                day.read(&bytes, names, batch);
            }
            Err(SourceError::TooMuch { path, limit }) => return Err(SourceError::TooMuch { path, limit }),
            Err(error) => batch.skipped.push(Skipped {
                place: format!("{}/{file}", found.name),
                why: error.to_string(),
            }),
        }
        after.days.extend(mark_now.map(|mark| (file.clone(), mark)));
    }
    Ok(after)
}

/// Where the export begins: zips often have one folder around everything.
fn root(files: &BTreeMap<String, Option<String>>) -> Option<String> {
    let listing = files.keys().filter_map(|file| {
        let (folder, name) = file
            .rsplit_once('/')
            .map_or(("", file.as_str()), |(folder, name)| (folder, name));
        matches!(name, "channels.json" | "users.json").then(|| folder.to_owned())
    });
    let day = files.keys().filter_map(|file| {
        let (folder, day) = file.rsplit_once('/')?;
        is_day(day).then(|| {
            folder
                .rsplit_once('/')
                .map_or_else(String::new, |(above, _)| above.to_owned())
        })
    });
    let folder = listing
        .min_by_key(String::len)
        .or_else(|| day.min_by_key(String::len))?;
    Some(if folder.is_empty() {
        folder
    } else {
        format!("{folder}/")
    })
}

/// `2026-11-03.json`
fn is_day(name: &str) -> bool {
    name.strip_suffix(".json").is_some_and(|day| {
        day.len() == 10
            && day.bytes().enumerate().all(|(n, byte)| {
                if n == 4 || n == 7 {
                    byte == b'-'
                } else {
                    byte.is_ascii_digit()
                }
            })
    })
}

#[derive(Debug, Deserialize)]
struct Channel {
    id: Option<String>,
    name: Option<String>,
}

/// A listing of the export; an unreadable one is reported, and read as empty.
fn listing<T: DeserializeOwned>(
    tree: &mut Tree,
    files: &BTreeMap<String, Option<String>>,
    name: &str,
    found: &Found,
    batch: &mut Batch,
) -> Result<Option<Vec<T>>, SourceError> {
    if !files.contains_key(name) {
        return Ok(None);
    }
    let read = match tree.read(name) {
        Ok(bytes) => serde_json::from_slice::<Vec<T>>(&bytes).map_err(|error| error.to_string()),
        Err(SourceError::TooMuch { path, limit }) => return Err(SourceError::TooMuch { path, limit }),
        Err(error) => Err(error.to_string()),
    };
    match read {
        Ok(list) => Ok(Some(list)),
        Err(why) => {
            batch.skipped.push(Skipped {
                place: format!("{}/{name}", found.name),
                why,
            });
            Ok(Some(Vec::new()))
        }
    }
}

/// The names of the channels that may be read (nothing if the export does not list them, then all may), and of those
/// among them that not everyone may read.
fn channels(
    tree: &mut Tree,
    files: &BTreeMap<String, Option<String>>,
    root: &str,
    found: &Found,
    batch: &mut Batch,
) -> Result<(Option<BTreeSet<String>>, BTreeSet<String>), SourceError> {
    let (mut all, mut private) = (None, BTreeSet::new());
    for list in ["channels.json", "groups.json"] {
        if let Some(listed) = listing::<Channel>(tree, files, &format!("{root}{list}"), found, batch)? {
            let names: BTreeSet<String> = listed.into_iter().filter_map(|channel| channel.name).collect();
            if list == "groups.json" {
                private.clone_from(&names);
            }
            all.get_or_insert_with(BTreeSet::new).extend(names);
        }
    }
    Ok((all, private))
}

/// What people and channels are called. Two people with one name get their ids after it.
fn people(
    tree: &mut Tree,
    files: &BTreeMap<String, Option<String>>,
    root: &str,
    found: &Found,
    batch: &mut Batch,
) -> Result<Names, SourceError> {
    let users =
        listing::<Person>(tree, files, &format!("{root}users.json"), found, batch)?.unwrap_or_default();
    let mut names = Names::of(users);
    let channels = listing::<Channel>(tree, files, &format!("{root}channels.json"), found, batch)?;
    for channel in channels.unwrap_or_default() {
        names.channels.extend(channel.id.zip(channel.name));
    }
    Ok(names)
}

/// A day in a channel.
struct Day<'a> {
    channel: &'a str,
    /// Only its members may read the channel.
    private: bool,
    /// How people call the file.
    place: &'a str,
}

impl Day<'_> {
    /// Its messages.
    fn read(&self, bytes: &[u8], names: &Names, batch: &mut Batch) {
        let messages: Vec<serde_json::Value> = match serde_json::from_slice(bytes) {
            Ok(messages) => messages,
            Err(error) => {
                batch.skipped.push(Skipped {
                    place: self.place.to_owned(),
                    why: format!("it is not a list of messages: {error}"),
                });
                return;
            }
        };
        let source = format!("slack:#{}", self.channel);
        for (n, message) in messages.into_iter().enumerate() {
            let read = if message.is_object() {
                serde_json::from_value::<Message>(message).map_err(|error| error.to_string())
            } else {
                Err("it is not a message".to_owned())
            };
            match read.and_then(|message| message.said(&source, names)) {
                Ok(Said::Signal(mut signal)) => {
                    signal.private = self.private;
                    batch.signals.push(*signal);
                }
                Ok(Said::Edited(mut signal)) => {
                    signal.private = self.private;
                    // An edit tells the new words only; what others did to the message stands with the message.
                    if let Some(before) = batch.signals.iter().rev().find(|before| before.id == signal.id) {
                        signal.reactions.clone_from(&before.reactions);
                        signal.thread.clone_from(&before.thread);
                    }
                    batch.signals.push(*signal);
                }
                Ok(Said::Deleted(id)) => batch.deleted.push(id),
                Ok(Said::Nothing) => {}
                Err(why) => batch.skipped.push(Skipped {
                    place: format!("{} message {}", self.place, n + 1),
                    why,
                }),
            }
        }
    }
}
