//! Which Postgres holds the state. Its address is a secret, because the password stands in it.

use super::{Secret, SecretRef};

/// A Postgres, by the environment variable that holds its address.
#[derive(Debug, Clone)]
pub struct Database {
    /// The variable's name.
    pub name: String,
    /// The address; none: the variable is not set. Who needs the state must not go on then, least of all with another.
    pub address: Option<Secret>,
}

impl Database {
    /// The one that the variable names; `env` answers for the environment.
    pub(super) fn named(SecretRef(name): SecretRef, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let address = env(&name).map(|value| value.trim().to_owned());
        let address = address.filter(|value| !value.is_empty()).map(Secret::new);
        Self { name, address }
    }
}
