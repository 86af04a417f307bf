//! The JSON Schema of a loop, made from the same types that are read.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::LoopSpec;

/// The version of JSON Schema.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Where the schema says that it is found.
const ID: &str = "https://loops-rs.dev/schema/loop.json";

/// The JSON Schema (2020-12) of a loop, for editors that complete and check while typing.
pub fn schema() -> Value {
    let made = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<LoopSpec>();
    let mut schema = Map::from_iter([
        ("$schema".to_owned(), DRAFT.into()),
        ("$id".to_owned(), ID.into()),
        ("title".to_owned(), "Loop".into()),
    ]);
    for (word, said) in made.as_object().into_iter().flatten() {
        schema.entry(word).or_insert_with(|| said.clone());
    }
    Value::Object(schema)
}
