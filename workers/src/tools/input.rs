//! Reads what a model gave a tool, and says what is wrong with it so that the next call is right.

use serde_json::{Map, Value};

/// A tool's input, whose fields have been checked to be known.
#[derive(Debug)]
pub(super) struct Input<'a> {
    tool: &'a str,
    fields: &'a Map<String, Value>,
}

impl<'a> Input<'a> {
    /// Takes an input that must be an object with no fields but these.
    pub(super) fn of(tool: &'a str, value: &'a Value, known: &[&str]) -> Result<Self, String> {
        let Value::Object(fields) = value else {
            return Err(format!(
                "the input of `{tool}` must be an object with: {}",
                known.join(", ")
            ));
        };
        if let Some(unknown) = fields.keys().find(|field| !known.contains(&field.as_str())) {
            let unknown: String = unknown.chars().take(60).collect();
            return Err(format!(
                "`{tool}` has no field `{unknown}`; it has: {}",
                known.join(", ")
            ));
        }
        Ok(Self { tool, fields })
    }

    /// A text that must be there.
    pub(super) fn text(&self, name: &str) -> Result<&'a str, String> {
        self.optional_text(name)?
            .ok_or_else(|| format!("`{}` needs the field `{name}` (a string)", self.tool))
    }

    pub(super) fn optional_text(&self, name: &str) -> Result<Option<&'a str>, String> {
        match self.given(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, "a string", other)),
        }
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &self,
        name: &str,
        default: usize,
        least: usize,
        most: usize,
    ) -> Result<usize, String> {
        let Some(given) = self.given(name) else {
            return Ok(default);
        };
        let number = given.as_u64().and_then(|number| usize::try_from(number).ok());
        match number {
            Some(number) if (least..=most).contains(&number) => Ok(number),
            Some(_) => Err(format!(
                "`{name}` of `{}` must be from {least} to {most}",
                self.tool
            )),
            None => Err(self.wrong(name, "a whole number", given)),
        }
    }

    pub(super) fn yes(&self, name: &str) -> Result<bool, String> {
        match self.given(name) {
            None => Ok(false),
            Some(Value::Bool(yes)) => Ok(*yes),
            Some(other) => Err(self.wrong(name, "true or false", other)),
        }
    }

    /// A field that is there and not null: models write null for what they leave out.
    fn given(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    fn wrong(&self, name: &str, wanted: &str, given: &Value) -> String {
        let given = match given {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        format!("`{name}` of `{}` must be {wanted}, not {given}", self.tool)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_mistake_is_named() {
        let of = |value: &Value| -> Result<(), String> {
            let input = Input::of("read", value, &["path", "limit"])?;
            input.text("path")?;
            input.number("limit", 5, 1, 10)?;
            Ok(())
        };
        assert_eq!(of(&json!({"path": "a", "limit": null})), Ok(()));
        let errors: Vec<String> = [
            json!("a"),
            json!({"file": "a"}),
            json!({}),
            json!({"path": 1}),
            json!({"path": "a", "limit": "3"}),
            json!({"path": "a", "limit": 11}),
            json!({"path": "a", "limit": -1}),
        ]
        .iter()
        .map(|value| of(value).unwrap_err())
        .collect();
        assert_eq!(
            errors,
            [
                "the input of `read` must be an object with: path, limit",
                "`read` has no field `file`; it has: path, limit",
                "`read` needs the field `path` (a string)",
                "`path` of `read` must be a string, not a number",
                "`limit` of `read` must be a whole number, not a string",
                "`limit` of `read` must be from 1 to 10",
                "`limit` of `read` must be a whole number, not a number",
            ]
        );
    }
}
