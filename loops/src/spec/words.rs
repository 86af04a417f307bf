//! Words for people who write a loop: lists, likely meanings, and plain names for what serde calls things.

/// `one`, `two`, `three`.
pub(super) fn listed<W: AsRef<str>>(words: &[W]) -> String {
    words
        .iter()
        .map(|word| format!("`{}`", word.as_ref()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The word that was probably meant: at most a third of its letters differ.
pub(super) fn nearest<W: AsRef<str>>(word: &str, among: &[W]) -> Option<String> {
    // Longer words are no key of ours, and comparing takes the product of both lengths.
    if word.len() > 64 {
        return None;
    }
    let even = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let word = even(word);
    among
        .iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word, &even(candidate.as_ref())),
                candidate.as_ref(),
            )
        })
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}

/// What serde calls a shape, in plain words.
pub(super) fn plain(shape: &str) -> String {
    if let Some(text) = shape.strip_prefix("string ") {
        return format!("the text {text}");
    }
    let (kind, value) = shape
        .split_once(" `")
        .map_or((shape, ""), |(kind, value)| (kind, value.trim_end_matches('`')));
    match kind {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number".to_owned(),
        "a string" => "text".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a sequence" | "sequence" => "a list".to_owned(),
        "map" | "a map" => "a set of keys".to_owned(),
        "unit value" => "nothing".to_owned(),
        "integer" | "floating point" => format!("the number `{value}`"),
        "boolean" => format!("`{value}`"),
        _ if kind.starts_with("struct ") => "a set of keys".to_owned(),
        _ => shape.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_likely_slip_is_named_and_an_unlikely_one_is_not() {
        assert_eq!(
            nearest("scheduel", &["schedule", "sources"]).as_deref(),
            Some("schedule")
        );
        assert_eq!(nearest("Max-Files", &["max_files"]).as_deref(), Some("max_files"));
        assert_eq!(nearest("colour", &["schedule", "sources"]), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), &["schedule"]), None);
    }
}
