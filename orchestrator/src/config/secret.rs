//! Secrets: written as the name of an environment variable, held so that they cannot be printed.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// A value that must not be seen. It prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a value into keeping.
    pub fn new(value: String) -> Self {
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
