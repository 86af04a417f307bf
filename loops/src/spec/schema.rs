//! The JSON Schema of a loop, made from the same types that are read.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::LoopSpec;

/// Where the schema says that it is found.
const ID: &str = "https://loops-rs.dev/schema/loop.json";

/// The JSON Schema (2020-12) of a loop, for editors that complete and check while typing.
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<LoopSpec>();
    schema.insert("$id".to_owned(), ID.into());
    schema.insert("title".to_owned(), "Loop".into());
    schema.to_value()
}
