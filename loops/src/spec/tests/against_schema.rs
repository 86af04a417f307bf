//! The schema and the reader say the same: what is read fits the schema, what the schema forbids is not read.

use serde_json::{Value, json};

use super::*;

/// Whether `value` fits `schema`, and else where not. It knows the words that our schema uses and no others.
fn fits(root: &Value, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let Some(words) = schema.as_object() else {
        return Ok(());
    };
    for (word, said) in words {
        let fine = match word.as_str() {
            "$ref" => {
                let pointer = said.as_str().unwrap().trim_start_matches('#');
                fits(root, root.pointer(pointer).unwrap(), value, path)?;
                true
            }
            "anyOf" | "oneOf" => said
                .as_array()
                .unwrap()
                .iter()
                .any(|one| fits(root, one, value, path).is_ok()),
            "type" => said
                .as_array()
                .map_or_else(|| vec![said], |all| all.iter().collect())
                .iter()
                .any(|name| match name.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_u64() || value.is_i64(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("type {other}"),
                }),
            "properties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = said.get(key) {
                        fits(root, schema, value, &format!("{path}.{key}"))?;
                    }
                }
                true
            }
            "additionalProperties" => value.as_object().into_iter().flatten().all(|(key, value)| {
                let known = words
                    .get("properties")
                    .is_some_and(|properties| properties.get(key).is_some());
                known || (said != &json!(false) && fits(root, said, value, path).is_ok())
            }),
            "required" => said
                .as_array()
                .unwrap()
                .iter()
                .all(|key| value.get(key.as_str().unwrap()).is_some()),
            "items" => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    fits(root, said, item, &format!("{path}[{i}]"))?;
                }
                true
            }
            "const" => value == said,
            "enum" => said.as_array().unwrap().contains(value),
            "pattern" => {
                let pattern = regex::Regex::new(said.as_str().unwrap()).unwrap();
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            "minimum" => value
                .as_f64()
                .is_none_or(|number| number >= said.as_f64().unwrap()),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| number <= said.as_f64().unwrap()),
            "minItems" => value
                .as_array()
                .is_none_or(|items| items.len() as u64 >= said.as_u64().unwrap()),
            "$schema" | "$id" | "$defs" | "title" | "description" | "default" | "examples" | "format" => true,
            other => panic!("the schema has a new word: {other}"),
        };
        if !fine {
            return Err(format!("{path}: {value} does not fit `{word}: {said}`"));
        }
    }
    Ok(())
}

fn all_examples() -> impl Iterator<Item = (&'static str, &'static str)> {
    crate::library::loops()
        .iter()
        .copied()
        .chain([("whole", WHOLE), ("small", SMALL)])
}

#[test]
fn every_example_fits_the_schema() {
    let schema = schema();
    for (name, text) in all_examples() {
        let value = serde_json::to_value(read(name, text, &known()).unwrap()).unwrap();
        assert_eq!(fits(&schema, &schema, &value, name), Ok(()));
    }
}

#[test]
fn every_default_that_the_schema_shows_is_one_that_is_read() {
    let schema = schema();
    let small = serde_json::to_value(read("small", SMALL, &known()).unwrap()).unwrap();
    for (key, property) in schema["properties"].as_object().unwrap() {
        if let Some(default) = property
            .get("default")
            .filter(|default| !default.is_null() && **default != json!([]))
        {
            assert_eq!(default, &small[key], "{key}");
        }
    }
}

#[test]
fn what_the_schema_forbids_is_not_read_either() {
    let schema = schema();
    let whole = serde_json::to_value(read("whole", WHOLE, &known()).unwrap()).unwrap();
    for (place, wrong) in [
        ("/name", json!("Not A Name")),
        ("/kind", json!("fx")),
        ("/sources", json!([])),
        ("/sources/0", json!({ "slak": {} })),
        ("/schedule/every", json!("ten")),
        ("/triage/quiet", json!("10pm")),
        ("/lead", json!("nobody")),
        ("/lead/max_turns", json!(0)),
        ("/workers/fix/max_attempts", json!(21)),
        ("/sandbox/memory", json!("4GB")),
        ("/sandbox/cpus", json!(0)),
        ("/checks/commands/0", json!({ "name": "x" })),
        ("/budget/task", json!("3 EUR")),
        ("/proposal/max_open", json!(0)),
        ("/proposal/draft", json!("yes")),
        ("/notify/reporters", json!(false)),
    ] {
        let mut copy = whole.clone();
        *copy.pointer_mut(place).unwrap() = wrong;
        assert!(fits(&schema, &schema, &copy, "").is_err(), "{place}");
        assert!(!errors(&copy.to_string()).is_empty(), "{place}");
    }
}
