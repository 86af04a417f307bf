//! What a single value of YAML is, by the core schema of YAML 1.2, in which `off`, `no` and `y` are text.

use serde_saphyr::granit_parser::{ScalarStyle, Tag};

use super::tree::Data;

/// What a single value is. The error is a tag that has no meaning here.
pub(super) fn scalar<'t>(text: &str, style: ScalarStyle, tag: Option<&'t Tag>) -> Result<Data, &'t Tag> {
    match tag {
        Some(tag) if tag.core_suffix() == Some("str") => return Ok(Data::Text(text.to_owned())),
        Some(tag) => return Err(tag),
        None => {}
    }
    if style != ScalarStyle::Plain {
        return Ok(Data::Text(text.to_owned()));
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        _ => number(text).unwrap_or_else(|| Data::Text(text.to_owned())),
    })
}

/// Whole numbers and decimals. `1e3`, `.inf` and `0x10` stay text: no key of a loop takes them.
fn number(text: &str) -> Option<Data> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit())
        || !digits.chars().all(|c| c.is_ascii_digit() || c == '.')
    {
        return None;
    }
    text.parse()
        .map(Data::Whole)
        .or_else(|_| text.parse().map(Data::Real))
        .ok()
}
