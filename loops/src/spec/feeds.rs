//! Sources that tell everything in documents: files of reports, and addresses that answer with lists. The keys only:
//! nothing is fetched here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::signal::Voice;

/// Rows of a CSV file whose first line names its columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvSource {
    /// A path or glob, from the spec's folder.
    pub path: String,
    /// The names of the columns that are read.
    pub columns: Fields,
    /// What stands between columns, one ASCII character.
    #[serde(default = "comma")]
    #[schemars(length(min = 1, max = 1))]
    pub delimiter: String,
    /// Who wrote the rows.
    #[serde(default = "person")]
    pub voice: Voice,
}

/// The answer of any HTTP address that is JSON with a list in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonSource {
    /// The address: `https://`, or `http://` to this machine itself.
    pub url: String,
    /// Where the list is, as a JSON Pointer; empty: the answer is the list.
    #[serde(default)]
    pub items: String,
    /// Where an item says what is read, as JSON Pointers from the item.
    pub fields: Fields,
    /// Where the answer names its next page, as a JSON Pointer: an address on the same host, or, with `next_param`, what
    /// goes into that parameter. Without it the `Link` header is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The parameter that asks for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_param: Option<String>,
    /// The parameter by which the address gives only what changed since a time (RFC 3339). Without it everything is
    /// read each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_param: Option<String>,
    /// A login of `credentials` in loops.yaml.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Who wrote the items.
    #[serde(default = "person")]
    pub voice: Voice,
}

/// Where a record says what is read of it: names of columns, or JSON Pointers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// What was said.
    pub text: String,
    /// A headline, put before the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the record is called; the same again is an edit of it. Without it, records are told apart by what they say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it was said: RFC 3339, a date, or seconds or milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Where a person can see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Labels: a list, or words with commas between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// How many people agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub votes: Option<String>,
    /// The id of the record that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
}

impl Fields {
    /// Each that is given, with its key.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("text", Some(&self.text)),
            ("title", self.title.as_ref()),
            ("id", self.id.as_ref()),
            ("at", self.at.as_ref()),
            ("author", self.author.as_ref()),
            ("url", self.url.as_ref()),
            ("labels", self.labels.as_ref()),
            ("votes", self.votes.as_ref()),
            ("thread", self.thread.as_ref()),
        ]
        .into_iter()
        .filter_map(|(key, field)| Some((key, field?.as_str())))
    }
}

/// Records that others send, signed, to `POST /signals/LOOP`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSource {
    /// A secret of `web.secrets` in loops.yaml, by its name: what the sender signs with.
    pub secret: String,
    /// Where the list is, as a JSON Pointer; empty: what is sent is the list, one record, or a record a line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub items: String,
    /// Where a record says what is read, as JSON Pointers from the record. Without it, a record is what a line of a signal
    /// file is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
    /// Who wrote the records, where `fields` says what they are.
    #[serde(default = "person")]
    pub voice: Voice,
}

/// An RSS or Atom feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RssSource {
    /// The address: `https://`, or `http://` to this machine itself.
    pub url: String,
    /// A login of `credentials` in loops.yaml.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// Issues of a Sentry project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SentrySource {
    /// The organisation's short name.
    pub organization: String,
    /// The project's short name.
    pub project: String,
    /// A login of `credentials` in loops.yaml: a token that may read issues (`event:read`).
    pub credential: String,
    /// Which issues, in Sentry's search language.
    #[serde(default = "unresolved")]
    pub query: String,
    /// Where Sentry is.
    #[serde(default = "sentry")]
    pub url: String,
}

fn comma() -> String {
    ",".to_owned()
}

fn person() -> Voice {
    Voice::Person
}

fn unresolved() -> String {
    "is:unresolved".to_owned()
}

fn sentry() -> String {
    "https://sentry.io".to_owned()
}
