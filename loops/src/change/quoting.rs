//! Paths and modes as git writes them.

use std::borrow::Cow;

/// A path as git wrote it, byte for byte.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Name {
    pub(super) bytes: Vec<u8>,
}

impl Name {
    /// The path as text; bytes that are no UTF-8 become U+FFFD.
    pub(super) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// Whether the text does not name the file.
    pub(super) fn is_lossy(&self) -> bool {
        std::str::from_utf8(&self.bytes).is_err()
    }
}

/// Six octal digits.
pub(super) fn mode(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() == 6)?;
    text.bytes()
        .all(|byte| (b'0'..=b'7').contains(&byte))
        .then(|| u32::from_str_radix(text, 8).ok())?
}

/// The names in `a/x b/x`. Where the two differ (and may hold spaces) this is in doubt, but then `rename from` and
/// `rename to` follow and say it.
pub(super) fn header_names(header: &[u8]) -> Option<(Name, Name)> {
    if header.starts_with(b"\"") || header.ends_with(b"\"") {
        let (old, rest) = if header.starts_with(b"\"") {
            name(header)?
        } else {
            let space = header.windows(2).position(|two| two == b" \"")?;
            (
                Name {
                    bytes: header[..space].to_vec(),
                },
                &header[space..],
            )
        };
        let new = whole_name(rest.strip_prefix(b" ")?)?;
        return Some((unprefixed(old, b"a/")?, unprefixed(new, b"b/")?));
    }
    let half = header.len().checked_sub(1)? / 2;
    let (old, new) = (header.get(..half)?, header.get(half + 1..)?);
    let (old, new) = (old.strip_prefix(b"a/")?, new.strip_prefix(b"b/")?);
    (header[half] == b' ' && old == new).then(|| (Name { bytes: old.to_vec() }, Name { bytes: new.to_vec() }))
}

/// Without git's `a/` or `b/`.
fn unprefixed(name: Name, prefix: &[u8]) -> Option<Name> {
    Some(Name {
        bytes: name.bytes.strip_prefix(prefix)?.to_vec(),
    })
}

/// A path and nothing after it.
pub(super) fn whole_name(text: &[u8]) -> Option<Name> {
    let (name, rest) = name(text)?;
    (rest.is_empty() && !name.bytes.is_empty()).then_some(name)
}

/// A path as git writes it, plain up to a tab or in quotes as in C, and what follows it.
pub(super) fn name(text: &[u8]) -> Option<(Name, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|byte| *byte == b'\t').unwrap_or(text.len());
        return Some((
            Name {
                bytes: text[..end].to_vec(),
            },
            &text[end..],
        ));
    };
    let mut bytes = Vec::new();
    let mut at = 0;
    loop {
        let byte = *quoted.get(at)?;
        at += 1;
        match byte {
            b'"' => return Some((Name { bytes }, &quoted[at..])),
            b'\\' => {
                let escaped = *quoted.get(at)?;
                at += 1;
                bytes.push(match escaped {
                    b'a' => 7,
                    b'b' => 8,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 11,
                    b'f' => 12,
                    b'r' => b'\r',
                    b'"' | b'\\' => escaped,
                    b'0'..=b'3' => {
                        let octal = std::str::from_utf8(quoted.get(at - 1..at + 2)?).ok()?;
                        at += 2;
                        u8::from_str_radix(octal, 8).ok()?
                    }
                    _ => return None,
                });
            }
            _ => bytes.push(byte),
        }
    }
}
