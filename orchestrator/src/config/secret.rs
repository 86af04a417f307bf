//! Secrets: written as the name of an environment variable, held so that they cannot be printed.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt,
    sync::{PoisonError, RwLock},
};

use serde::{Deserialize, Deserializer, de};

/// Every value that this process has taken into keeping, so that whoever prints or keeps words of others can take them
/// out. Values that are too short to be found in a text by anything but chance are left out.
static TAKEN: RwLock<BTreeSet<String>> = RwLock::new(BTreeSet::new());
/// Shorter values are not looked for.
const SHORTEST: usize = 8;

/// `text` with every value that this process keeps replaced by `***`.
pub fn scrub(text: &str) -> Cow<'_, str> {
    let taken = TAKEN.read().unwrap_or_else(PoisonError::into_inner);
    let mut text = Cow::Borrowed(text);
    for value in taken.iter().filter(|value| value.len() >= SHORTEST) {
        if text.contains(value.as_str()) {
            text = Cow::Owned(text.replace(value.as_str(), "***"));
        }
    }
    text
}

/// A value that must not be seen. It prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a value into keeping.
    pub fn new(value: String) -> Self {
        let mut taken = TAKEN.write().unwrap_or_else(PoisonError::into_inner);
        taken.insert(value.clone());
        // A key of several lines is printed line by line, too.
        let lines = value.lines().filter(|line| *line != value && line.len() >= 32);
        taken.extend(lines.map(str::to_owned));
        drop(taken);
        Self(value)
    }

    /// The value itself, for the one who must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` with every trace of the value replaced by `***`.
    pub fn scrub(&self, text: &str) -> String {
        if self.0.is_empty() {
            text.to_owned()
        } else {
            text.replace(&self.0, "***")
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The name of the environment variable that holds a secret; in YAML `${NAME}` and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef(pub String);

/// A secret by the name of its variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The variable.
    pub name: String,
    /// What it holds; none: it is not set.
    pub value: Option<Secret>,
}

/// A shorter secret that signs could be guessed by whoever sees one signed body, in characters.
const LEAST: usize = 16;

impl Named {
    /// Why what it holds cannot sign; nothing: it can, or is not set.
    pub(super) fn too_short(&self) -> Option<String> {
        let short = self
            .value
            .as_ref()
            .is_some_and(|secret| secret.expose().len() < LEAST);
        short.then(|| {
            format!(
                "what `{}` holds is shorter than {LEAST} characters, and could be guessed; make one with `openssl rand \
                 -hex 32`",
                self.name
            )
        })
    }

    /// What `env` says the variable holds, without blanks around it.
    pub(super) fn read(SecretRef(name): SecretRef, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let value = env(&name).map(|value| value.trim().to_owned());
        Self {
            value: value.filter(|value| !value.is_empty()).map(Secret::new),
            name,
        }
    }
}

/// Says nothing of what was written: it may be the secret.
const WANTED: &str = "a secret is only ever written as `${NAME}`, the name of an environment variable; \
                      what stands here is not shown";

impl SecretRef {
    /// Reads `${NAME}`; none: it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.strip_prefix("${")?.strip_suffix('}')?;
        let mut bytes = name.bytes();
        let first = bytes.next()?;
        let plain = (first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        plain.then(|| Self(name.to_owned()))
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        // Each kind of scalar is taken, because serde's own message for a wrong one repeats the value.
        impl de::Visitor<'_> for Visitor {
            type Value = SecretRef;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`${NAME}`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretRef, E> {
                SecretRef::parse(text).ok_or_else(|| E::custom(WANTED))
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<SecretRef, E> {
                Err(E::custom(WANTED))
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<SecretRef, E> {
                Err(E::custom(WANTED))
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<SecretRef, E> {
                Err(E::custom(WANTED))
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<SecretRef, E> {
                Err(E::custom(WANTED))
            }
            fn visit_unit<E: de::Error>(self) -> Result<SecretRef, E> {
                Err(E::custom(WANTED))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::new("sk-very-secret".to_owned());
        assert_eq!(
            format!("{secret} {secret:?} {:?}", Some(&secret)),
            "*** *** Some(***)"
        );
        assert_eq!(secret.scrub("key sk-very-secret refused"), "key *** refused");
    }

    #[test]
    fn what_is_kept_is_taken_out_of_any_text() {
        let key = "first line of a key that is long enough\nsecond line of a key that is long enough";
        let kept = [
            Secret::new("kept-by-us-77".to_owned()),
            Secret::new("short".to_owned()),
            Secret::new(key.to_owned()),
        ];
        assert_eq!(scrub("a kept-by-us-77 b"), "a *** b");
        assert_eq!(scrub("x second line of a key that is long enough y"), "x *** y");
        assert_eq!(scrub("short words stay"), "short words stay");
        drop(kept);
    }

    #[test]
    fn only_a_plain_name_in_braces_is_a_reference() {
        assert_eq!(
            SecretRef::parse("${ANTHROPIC_API_KEY}"),
            Some(SecretRef("ANTHROPIC_API_KEY".to_owned()))
        );
        for text in [
            "sk-ant-1",
            "$KEY",
            "${}",
            "${A B}",
            "${1A}",
            "x${A}",
            "${A}x",
            "${A:-sk-ant-1}",
        ] {
            assert_eq!(SecretRef::parse(text), None, "{text}");
        }
    }
}
