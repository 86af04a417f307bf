//! A loop's version: what tells two texts of it apart once defaults are filled in.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::LoopSpec;

/// How many hex digits a version has.
const DIGITS: usize = 12;

/// The loop's version: the first twelve hex digits of the SHA-256 of its canonical JSON (keys sorted, defaults written
/// out). Comments, order and ways of writing the same value do not change it.
pub fn version(spec: &LoopSpec) -> String {
    // A loop is made of texts, numbers and maps with text keys, which always have a JSON form.
    let value = serde_json::to_value(spec).unwrap_or_default();
    let digest = Sha256::digest(sorted(value).to_string().as_bytes());
    hex::encode(digest)[..DIGITS].to_owned()
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries
                .into_iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect();
            entries.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(Map::from_iter(entries))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
