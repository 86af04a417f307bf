//! Slack's way to write text: `<@U1>`, `<#C1|general>`, `<https://x|label>`, `&amp;`. What a person saw comes out.

use std::collections::BTreeSet;

use super::people::Names;

/// The text as a person saw it.
pub(crate) fn seen(raw: &str, names: &Names) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(start) = rest.find('<') {
        out.push_str(&plain(&rest[..start]));
        let inside = &rest[start + 1..];
        match inside.find(['>', '<', '\n']) {
            Some(end) if inside.as_bytes()[end] == b'>' => {
                out.push_str(&reference(&inside[..end], names));
                rest = &inside[end + 1..];
            }
            _ => {
                out.push('<');
                rest = inside;
            }
        }
    }
    out.push_str(&plain(rest));
    out
}

/// Adds the ids of the people and the channels that a text names.
pub(crate) fn named(raw: &str, people: &mut BTreeSet<String>, channels: &mut BTreeSet<String>) {
    for part in raw.split('<').skip(1) {
        let Some((inside, _)) = part.split_once('>') else {
            continue;
        };
        let id = inside.split('|').next().unwrap_or_default();
        let is_id = |id: &str| (2..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if let Some(id) = id.strip_prefix('@').filter(|id| is_id(id)) {
            people.insert(id.to_owned());
        } else if let Some(id) = id.strip_prefix('#').filter(|id| is_id(id)) {
            channels.insert(id.to_owned());
        }
    }
}

/// The three entities that Slack writes; the ampersand last, so that `&amp;lt;` is `&lt;`.
fn plain(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

fn reference(inside: &str, names: &Names) -> String {
    let (target, label) = inside
        .split_once('|')
        .map_or((inside, None), |(target, label)| (target, Some(plain(label))));
    let label = label.filter(|label| !label.is_empty());
    let named = |sign: char, id: &str, known: Option<&String>| {
        let name = known
            .cloned()
            .or_else(|| label.clone())
            .unwrap_or_else(|| id.to_owned());
        format!("{sign}{}", name.trim_start_matches(sign))
    };
    match target.as_bytes().first() {
        Some(b'@') => named('@', &target[1..], names.users.get(&target[1..])),
        Some(b'#') => named('#', &target[1..], names.channels.get(&target[1..])),
        Some(b'!') => {
            let word = target[1..].split('^').next().unwrap_or_default();
            label.map_or_else(
                || format!("@{word}"),
                |label| {
                    if word == "date" {
                        label
                    } else {
                        format!("@{}", label.trim_start_matches('@'))
                    }
                },
            )
        }
        _ => {
            let target = plain(target);
            let address = target.strip_prefix("mailto:").unwrap_or(&target);
            match label {
                Some(label) if !address.ends_with(&label) => format!("{label} ({address})"),
                _ => address.to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read(raw in "[<>|@#!&;a-z\\PC]{0,60}") {
            prop_assert!(seen(&raw, &Names::default()).len() <= raw.len() * 3 + 16);
        }
    }

    #[test]
    fn references_read_as_people_saw_them() {
        let names = Names {
            users: [("U1".to_owned(), "Ann".to_owned())].into(),
            channels: [("C1".to_owned(), "shop".to_owned())].into(),
        };
        for (raw, wanted) in [
            ("<@U1> and <@U2|bob> and <@U3>", "@Ann and @bob and @U3"),
            ("in <#C1> or <#C2|other>", "in #shop or #other"),
            ("<!here> <!subteam^S1|@devs>", "@here @devs"),
            (
                "see <https://x.example/a?b=1&amp;c=2|the page>",
                "see the page (https://x.example/a?b=1&c=2)",
            ),
            (
                "<https://x.example|x.example> <mailto:a@b.example|a@b.example>",
                "https://x.example a@b.example",
            ),
            ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
            ("&lt;@U1&gt; &amp;lt;", "<@U1> &lt;"),
            ("a < b, <unclosed", "a < b, <unclosed"),
            ("é<", "é<"),
        ] {
            assert_eq!(seen(raw, &names), wanted);
        }
    }
}
