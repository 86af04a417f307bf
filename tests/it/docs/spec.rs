//! `docs/spec.md`, made of the same types that read a loop.

use std::{fmt::Write as _, fs};

use loops::spec;
use serde_json::{Map, Value};

use super::{fresh, root};

const INTRODUCTION: &str = "\
# The spec of a loop

Made from the types that read it, by `./x docs`; a test fails when it is stale. `loops schema` prints the same as JSON
Schema for editors, and `loops validate` tells everything that is wrong with a file at once.

A loop is a file `NAME.yaml` in `.loops/`. Only `name`, `kind`, `repo`, `sources` and one of `schedule` and `triggers`
must be written; everything else has the default that is shown. Unknown keys are errors.
";

const WHOLE: &str = "\
## All of it

Every key that there is. Much of it cannot run yet; the list after it says what.
";

const LATER: &str = "\
## What is checked, and cannot run yet

Nothing is passed over in silence: a loop that asks for one of these validates, and is refused when it is to run (for
triggers: when it is to be served). Of the loop above that is:
";

#[test]
fn the_page_of_the_spec_is_fresh() {
    let schema = spec::schema();
    let mut page = format!("{INTRODUCTION}\n## The keys\n\n");
    table(&mut page, &schema);
    let definitions = schema["$defs"].as_object().unwrap();
    for (name, definition) in definitions {
        let _ = write!(page, "\n### {name}\n\n");
        if let Some(words) = definition["description"].as_str() {
            let _ = write!(page, "{}\n\n", one_line(words));
        }
        define(&mut page, definition);
    }
    let whole = fs::read_to_string(root().join("loops/src/spec/fixtures/whole.yaml")).unwrap();
    let _ = write!(page, "\n{WHOLE}\n```yaml\n{}\n```\n\n{LATER}\n", whole.trim_end());
    let known = spec::Known {
        models: ["top", "standard", "small"].map(str::to_owned).into(),
    };
    let read = spec::read("whole.yaml", &whole, &known).unwrap();
    let later: Vec<_> = spec::unavailable(&read)
        .into_iter()
        .chain(spec::unserved(&read))
        .collect();
    for later in &later {
        let _ = writeln!(page, "- `{}`: {}", later.path, later.words);
    }
    if later.is_empty() {
        page.push_str("nothing.\n");
    }
    fresh("docs/spec.md", &page);
}

/// The keys of an object.
fn table(page: &mut String, object: &Value) {
    page.push_str("| key | value | default | |\n|---|---|---|---|\n");
    let required: Vec<&str> = object["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (key, property) in object["properties"].as_object().unwrap() {
        let words = property["description"]
            .as_str()
            .unwrap_or_else(|| panic!("`{key}` does not say what it is for"));
        let default = match &property["default"] {
            Value::Null if required.contains(&key.as_str()) => "must be written".to_owned(),
            Value::Null => String::new(),
            default => format!("`{}`", yaml(default)),
        };
        let _ = writeln!(
            page,
            "| `{key}` | {} | {} | {} |",
            kind(property),
            cell(&default),
            cell(&one_line(words))
        );
    }
}

fn define(page: &mut String, definition: &Value) {
    if definition["properties"].is_object() {
        return table(page, definition);
    }
    let Some(choices) = definition["oneOf"].as_array() else {
        let _ = writeln!(page, "{}", upper(&kind(definition)));
        return;
    };
    page.push_str("| | |\n|---|---|\n");
    for choice in choices {
        let words = cell(&one_line(choice["description"].as_str().unwrap_or_default()));
        match choice["const"].as_str() {
            Some(word) => {
                let _ = writeln!(page, "| `{word}` | {words} |");
            }
            None => {
                let (key, of) = choice["properties"]
                    .as_object()
                    .and_then(|keys| keys.iter().next())
                    .unwrap();
                let _ = writeln!(page, "| `{key}:` {} | {words} |", kind(of));
            }
        }
    }
}

/// What may stand there, in words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(word) = schema["const"].as_str() {
        return format!("`{word}`");
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let words: Vec<String> = choices
            .iter()
            .filter(|choice| choice["type"] != "null")
            .map(kind)
            .collect();
        return words.join(" or ");
    }
    let types = match &schema["type"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).find(|word| *word != "null"),
        one => one.as_str(),
    };
    match types {
        Some("array") => format!("list of {}", kind(&schema["items"])),
        Some("object") => format!("names, each with {}", kind(&schema["additionalProperties"])),
        Some("integer") => match (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("{least} or more"),
            _ => "a number".to_owned(),
        },
        Some("number") => "a number".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("string") => match schema["examples"][0].as_str() {
            Some(example) => format!(
                "text like `{example}` (`{}`)",
                schema["pattern"].as_str().unwrap_or_default()
            ),
            None => "text".to_owned(),
        },
        _ => panic!("this test does not know how to describe {schema}"),
    }
}

/// A default as one would write it.
fn yaml(value: &Value) -> String {
    let pairs = |map: &Map<String, Value>| {
        let pairs: Vec<String> = map
            .iter()
            .map(|(key, value)| format!("{key}: {}", yaml(value)))
            .collect();
        pairs.join(", ")
    };
    match value {
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => format!("{{ {} }}", pairs(map)),
        Value::Array(all) => format!("[{}]", all.iter().map(yaml).collect::<Vec<_>>().join(", ")),
        Value::String(word) if word.contains(['*', '#', '@']) => format!("\"{word}\""),
        Value::String(word) => word.clone(),
        other => other.to_string(),
    }
}

fn one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cell(words: &str) -> String {
    words.replace('|', "\\|")
}

fn upper(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars
        .next()
        .map(|c| c.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}
