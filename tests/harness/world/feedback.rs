//! What people said, in the forms in which it comes: lines of JSON, and Slack exports.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use serde_json::{Value, json};
use zip::{ZipWriter, write::SimpleFileOptions};

/// One thing that somebody said. Its time is fixed by its place in the story, not by any clock.
#[derive(Debug, Clone)]
pub struct Said {
    by: String,
    text: String,
    at: String,
    id: Option<String>,
}

impl Said {
    /// By whom, and what.
    pub fn by(author: &str, text: &str) -> Self {
        Self {
            by: author.to_owned(),
            text: text.to_owned(),
            at: "2026-03-02T09:00:00Z".to_owned(),
            id: None,
        }
    }

    /// When, as RFC 3339.
    #[must_use]
    pub fn at(self, at: &str) -> Self {
        Self {
            at: at.to_owned(),
            ..self
        }
    }

    /// Under which id.
    #[must_use]
    pub fn id(self, id: &str) -> Self {
        Self {
            id: Some(id.to_owned()),
            ..self
        }
    }

    /// As a line of JSON.
    pub fn line(&self) -> String {
        let mut line = json!({"at": self.at, "author": self.by, "text": self.text});
        if let Some(id) = &self.id {
            line["id"] = json!(id);
        }
        format!("{line}\n")
    }
}

/// Writes a Slack export: people, one channel, one day.
pub fn slack_export(folder: &Path, channel: &str, said: &[Said]) {
    let mut people: Vec<&str> = said.iter().map(|said| said.by.as_str()).collect();
    people.sort_unstable();
    people.dedup();
    let users: Vec<Value> = people
        .iter()
        .map(|name| json!({"id": user(name), "name": name, "profile": {"real_name": name, "display_name": name}}))
        .collect();
    let messages: Vec<Value> = (0..)
        .zip(said)
        .map(|(n, said)| {
            let ts = format!("{}.{n:06}", 1_772_442_000 + n * 60);
            json!({"type": "message", "user": user(&said.by), "text": said.text, "ts": ts})
        })
        .collect();
    let write = |path: &str, value: Value| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder can be made");
        fs::write(path, value.to_string()).expect("a file can be written");
    };
    write("users.json", json!(users));
    write("channels.json", json!([{"id": "C0001", "name": channel}]));
    write(&format!("{channel}/2026-03-02.json"), json!(messages));
}

/// The same as a zip at `file`.
pub fn zipped(file: &Path, channel: &str, said: &[Said]) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    slack_export(folder.path(), channel, said);
    let mut zip = ZipWriter::new(File::create(file).expect("a file can be made"));
    for name in [
        "users.json",
        "channels.json",
        &format!("{channel}/2026-03-02.json"),
    ] {
        let text = fs::read(folder.path().join(name)).expect("what was written can be read");
        zip.start_file(name, SimpleFileOptions::default())
            .expect("a zip can be written");
        zip.write_all(&text).expect("a zip can be written");
    }
    zip.finish().expect("a zip can be written");
}

fn user(name: &str) -> String {
    format!("U{}", name.to_uppercase())
}
