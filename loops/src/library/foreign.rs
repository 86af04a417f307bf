//! The form of prompts that repositories may bring. Whoever may push to a repository writes them, and the service fills
//! them in itself, again at each start: so they may place what we hand them, and compute nothing. Whole templates could
//! make gigabytes out of forty lines (`{% set x = x ~ x %}`), within any number of steps.

use super::PromptError;

/// The words that a block may begin with.
const BLOCKS: &[&str] = &["for", "endfor", "if", "elif", "else", "endif"];
/// Words that no block may hold: a loop that calls itself.
const NOT: &[&str] = &["recursive"];

/// Whether each tag of a template is of the simple form: names with dots, texts in quotes, `if`, `for` and `in`; no
/// operators, calls, filters or assignments.
///
/// # Errors
/// With the first tag that is more.
pub(super) fn check(template: &str) -> Result<(), PromptError> {
    let mut rest = template;
    while let Some((at, kind)) = next_tag(rest) {
        let inner = &rest[at + 2..];
        rest = match kind {
            Kind::Comment => inner.find("#}").map(|end| &inner[end + 2..]),
            Kind::Value => tag(inner, "}}", None),
            Kind::Block => tag(inner, "%}", Some(BLOCKS)),
        }
        .ok_or_else(|| PromptError::TooMuch {
            tag: rest[at..].chars().take(60).collect::<String>().replace('\n', " "),
        })?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Kind {
    Value,
    Block,
    Comment,
}

/// Where the next tag begins.
fn next_tag(text: &str) -> Option<(usize, Kind)> {
    let marks = [("{{", Kind::Value), ("{%", Kind::Block), ("{#", Kind::Comment)];
    marks
        .into_iter()
        .filter_map(|(mark, kind)| Some((text.find(mark)?, kind)))
        .min_by_key(|(at, _)| *at)
}

/// What comes after a tag of the simple form; none: it is of another.
fn tag<'a>(inner: &'a str, end: &str, begins: Option<&[&str]>) -> Option<&'a str> {
    let mut rest = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let mut first = true;
    loop {
        rest = rest.trim_start();
        let bare = rest.strip_prefix(['-', '+']).unwrap_or(rest);
        if let Some(after) = bare.strip_prefix(end) {
            return (!first).then_some(after);
        }
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let close = rest[1..].find(quote)? + 1;
            if (first && begins.is_some()) || rest[..close].contains('\\') {
                return None;
            }
            rest = &rest[close + 1..];
        } else {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let word = &rest[..length];
            if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) || NOT.contains(&word) {
                return None;
            }
            if first && begins.is_some_and(|known| !known.contains(&word)) {
                return None;
            }
            rest = &rest[length..];
        }
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships_is_of_the_simple_form() {
        for (name, text) in super::super::PROMPTS {
            check(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn whatever_could_make_much_out_of_little_is_more_than_the_simple_form() {
        for text in [
            "{% set x = 'a' %}",
            "{%- set x %}a{% endset %}",
            "{{ name ~ name }}",
            "{{ name * 99 }}",
            "{{ name + name }}",
            "{{ name|replace('a', 'aa') }}",
            "{{ '%99999999d'|format(1) }}",
            "{{ range(100) }}",
            "{% macro m() %}{% endmacro %}",
            "{% for a in write recursive %}{{ loop(write) }}{% endfor %}",
            "{% filter upper %}{% endfilter %}",
            "{% with x = 1 %}{% endwith %}",
            "{% raw %}{{ a ~ a }}{% endraw %}",
            "{% include 'x' %}",
            "{# a #}{{ a ~ a }}",
            "{{ '}}' ~ a }}",
            "{{ \"\\\"}}\" }}",
            "{{ a[0] }}",
            "{{ {'a': 1} }}",
            "{{",
            "{{ }}",
            "{%%}",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
