//! GitHub's own OpenAPI document: what is sent and what we answer is held against it.
//!
//! `./x setup` fetches it (npm `@octokit/openapi`, pinned). It is large, so only what our routes use is kept, in a file
//! beside it. It is stricter than GitHub in one point: fields and query parameters that the document does not know are
//! faults, where GitHub would overlook them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry},
    fs,
    path::PathBuf,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::routes::ROUTES;

/// The pinned version; `x` names the same.
const VERSION: &str = "23.0.2";

fn document_path() -> PathBuf {
    if let Some(path) = std::env::var_os("LOOPS_GITHUB_OPENAPI") {
        return path.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".cache"))
    });
    cache
        .unwrap_or_default()
        .join(format!("loops/github-openapi-{VERSION}/api.github.com.json"))
}

/// # Panics
/// If the document is not there.
pub(super) fn must_be_there() {
    let path = document_path();
    assert!(
        path.is_file(),
        "GitHub's OpenAPI document is not at `{}`: type `./x setup`, or name it in LOOPS_GITHUB_OPENAPI",
        path.display()
    );
}

/// What the document says of our routes.
struct Document {
    /// By `METHOD /path`: query parameters, body, answers.
    operations: Map<String, Value>,
    components: Map<String, Value>,
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let slice = slice();
    let part = |name: &str| slice[name].as_object().cloned().unwrap_or_default();
    Document {
        operations: part("operations"),
        components: part("components"),
        compiled: Mutex::default(),
    }
});

/// Reads the slice of the document that our routes use; makes it where it is not there or is of other routes.
fn slice() -> Value {
    let names: Vec<String> = ROUTES
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let path = document_path();
    let kept = path.with_extension("slice.json");
    let fits = |slice: &Value| slice["of"] == json!(names) && slice["form"] == json!(form());
    if let Some(slice) = fs::read(&kept)
        .ok()
        .and_then(|text| serde_json::from_slice::<Value>(&text).ok())
        && fits(&slice)
    {
        return slice;
    }
    let text = fs::read(&path).expect("the document is there");
    let whole: Value = serde_json::from_slice(&text).expect("the document is JSON");
    let slice = cut(&whole, &names);
    // Written beside and moved: another test may do the same now. If it cannot be kept, it is cut anew each time.
    let fresh = path.with_extension(format!("{}.fresh", std::process::id()));
    if fs::write(&fresh, slice.to_string()).is_ok() {
        let _ = fs::rename(&fresh, &kept);
    }
    slice
}

/// Names this very file: a slice that another form of it cut is not used.
fn form() -> String {
    hex::encode(&Sha256::digest(include_str!("openapi.rs"))[..8])
}

fn resolve<'a>(whole: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str().and_then(|at| whole.pointer(&at[1..])) {
        Some(found) => resolve(whole, found),
        None => value,
    }
}

fn cut(whole: &Value, names: &[String]) -> Value {
    let mut operations = Map::new();
    for name in names {
        let Some((method, path)) = name.split_once(' ') else {
            continue;
        };
        let place = &whole["paths"][path];
        let operation = &place[method.to_lowercase()];
        if operation.is_null() {
            continue;
        }
        let mut query = Map::new();
        let lists = [&place["parameters"], &operation["parameters"]];
        for parameter in lists.into_iter().filter_map(Value::as_array).flatten() {
            let parameter = resolve(whole, parameter);
            if parameter["in"] == "query" {
                let name = parameter["name"].as_str().unwrap_or_default().to_owned();
                let mut schema = convert(&parameter["schema"]);
                // The document calls it a time; in GitHub's words, and in what it takes, it is a search for dates.
                if name == "created" && path.ends_with("/actions/runs") {
                    schema = json!({ "type": "string" });
                }
                query.insert(name, schema);
            }
        }
        let schema =
            |content: &Value| convert(&resolve(whole, content)["content"]["application/json"]["schema"]);
        let mut answers = Map::new();
        for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
            answers.insert(status.clone(), schema(answer));
        }
        let body = schema(&operation["requestBody"]);
        operations.insert(
            name.clone(),
            json!({ "query": query, "body": body, "answers": answers }),
        );
    }
    let mut components = BTreeMap::new();
    let mut todo = references(&json!([operations, { "$ref": "#/components/schemas/basic-error" }]));
    while let Some(name) = todo.pop_first() {
        if let Entry::Vacant(place) = components.entry(name) {
            let schema = convert(&whole["components"]["schemas"][place.key()]);
            todo.extend(references(&schema));
            place.insert(schema);
        }
    }
    json!({ "form": form(), "of": names, "operations": operations, "components": components })
}

/// The components that a schema names.
fn references(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut todo = vec![value];
    while let Some(value) = todo.pop() {
        match value {
            Value::Array(list) => todo.extend(list),
            Value::Object(map) => {
                let name = map.get("$ref").and_then(Value::as_str);
                found.extend(name.and_then(|name| name.rsplit('/').next()).map(str::to_owned));
                todo.extend(map.values());
            }
            _ => {}
        }
    }
    found
}

/// From OpenAPI 3.0's dialect to JSON Schema: `nullable`, and away with what only people read.
fn convert(schema: &Value) -> Value {
    let Some(fields) = schema.as_object() else {
        return schema.clone();
    };
    let mut out = Map::new();
    for (name, value) in fields {
        match name.as_str() {
            "description" | "example" | "examples" | "title" | "externalDocs" | "default" | "deprecated"
            | "nullable" | "readOnly" | "writeOnly" | "discriminator" => {}
            name if name.starts_with("x-") => {}
            "properties" | "patternProperties" => {
                let inner = value.as_object().into_iter().flatten();
                out.insert(
                    name.clone(),
                    inner.map(|(key, value)| (key.clone(), convert(value))).collect(),
                );
            }
            "allOf" | "anyOf" | "oneOf" => {
                let inner = value.as_array().into_iter().flatten();
                out.insert(name.clone(), inner.map(convert).collect());
            }
            "items" | "additionalProperties" | "not" => {
                out.insert(name.clone(), convert(value));
            }
            _ => {
                out.insert(name.clone(), value.clone());
            }
        }
    }
    if fields.get("nullable") == Some(&Value::Bool(true)) {
        return json!({ "anyOf": [{ "type": "null" }, out] });
    }
    Value::Object(out)
}

impl Document {
    /// Compiles a schema once, with the components that it reaches.
    fn compiled(&self, key: &str, schema: &Value) -> Arc<Validator> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(done) = compiled.get(key) {
            return Arc::clone(done);
        }
        let mut parts = Map::new();
        let mut todo = references(schema);
        while let Some(name) = todo.pop_first() {
            if let Some(part) = self.components.get(&name).filter(|_| !parts.contains_key(&name)) {
                todo.extend(references(part));
                parts.insert(name, part.clone());
            }
        }
        let whole = json!({ "allOf": [schema], "components": { "schemas": parts } });
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .build(&whole)
            .unwrap_or_else(|error| panic!("the document's schema for {key} cannot be used: {error}"));
        let validator = Arc::new(validator);
        compiled.insert(key.to_owned(), Arc::clone(&validator));
        validator
    }

    fn faults(&self, key: &str, schema: &Value, value: &Value) -> Vec<String> {
        let validator = self.compiled(key, schema);
        let faults = validator.iter_errors(value).take(3);
        faults
            .map(|fault| {
                let mut words = fault.to_string();
                if let Some((at, _)) = words.char_indices().nth(400) {
                    words.truncate(at);
                }
                format!("{key}: at `{}`: {words}", fault.instance_path())
            })
            .collect()
    }

    /// Follows references until there are properties, also through alternatives.
    fn knows(&self, schema: &Value, field: &str) -> bool {
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
            return self
                .components
                .get(name)
                .is_some_and(|schema| self.knows(schema, field));
        }
        let alternatives = ["anyOf", "oneOf", "allOf"];
        schema["properties"].get(field).is_some()
            || (alternatives
                .iter()
                .filter_map(|name| schema[*name].as_array())
                .flatten())
            .any(|schema| self.knows(schema, field))
    }
}

/// What is wrong with a request's query and body.
pub(super) fn request_faults(operation: &str, query: &[(String, String)], body: &Value) -> Vec<String> {
    let known = &DOCUMENT.operations[operation];
    let mut faults = Vec::new();
    for (name, value) in query {
        let Some(schema) = known["query"].get(name) else {
            faults.push(format!(
                "{operation}: the document has no query parameter `{name}`"
            ));
            continue;
        };
        let value = match schema["type"].as_str() {
            Some("integer" | "number" | "boolean") => serde_json::from_str(value).unwrap_or(json!(value)),
            _ => json!(value),
        };
        faults.extend(DOCUMENT.faults(&format!("{operation}, query `{name}`"), schema, &value));
    }
    let schema = &known["body"];
    if schema.is_null() {
        if !body.is_null() {
            faults.push(format!("{operation}: the document has no body here"));
        }
    } else if !body.is_null() {
        faults.extend(DOCUMENT.faults(&format!("{operation}, request"), schema, body));
        for field in body.as_object().into_iter().flat_map(|fields| fields.keys()) {
            if !DOCUMENT.knows(schema, field) {
                faults.push(format!(
                    "{operation}: the document has no field `{field}` in the body"
                ));
            }
        }
    }
    faults
}

/// What is wrong with an answer of ours. A status that the document does not name has the form of an error.
pub(super) fn answer_faults(operation: &str, status: u16, body: &Value) -> Vec<String> {
    let answers = &DOCUMENT.operations[operation]["answers"];
    let key = format!("{operation}, answer {status}");
    match answers.get(status.to_string()) {
        Some(Value::Null) => Vec::new(),
        Some(schema) => DOCUMENT.faults(&key, schema, body),
        None if status >= 400 => {
            DOCUMENT.faults(&key, &json!({ "$ref": "#/components/schemas/basic-error" }), body)
        }
        None => vec![format!("{key}: the document has no such answer")],
    }
}

/// Whether the document has such an operation (GraphQL and what is of the fake only have none).
pub(super) fn has(operation: &str) -> bool {
    DOCUMENT.operations.contains_key(operation)
}
