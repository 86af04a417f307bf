//! Logins for addresses that sources read: `credentials`. Each is sent to the hosts that are written beside it, and to
//! no other, whatever a loop says.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Problem, Secret, SecretRef};

/// The logins, by name.
#[derive(Debug, Clone, Default)]
pub struct Credentials(BTreeMap<String, Credential>);

/// One login.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The variable that holds the secret.
    pub variable: String,
    /// The secret; none: the variable is not set.
    pub secret: Option<Secret>,
    /// The header that it is sent in; none: as a bearer token in `Authorization`.
    pub header: Option<String>,
    /// The hosts that it may be sent to, with a port where it is not the usual one.
    pub hosts: Vec<String>,
}

impl Credentials {
    /// The login of this name.
    pub fn get(&self, name: &str) -> Option<&Credential> {
        self.0.get(name)
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// The part of the file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct File(BTreeMap<String, One>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    value: SecretRef,
    header: Option<String>,
    hosts: Vec<String>,
}

impl File {
    /// Checks what is written; `env` answers for the environment.
    pub(super) fn resolve(
        self,
        env: &dyn Fn(&str) -> Option<String>,
        problems: &mut Vec<Problem>,
    ) -> Credentials {
        let mut wrong = |what: String| problems.push(Problem { at: None, what });
        let mut all = BTreeMap::new();
        for (name, one) in self.0 {
            if one.hosts.is_empty() {
                wrong(format!(
                    "`credentials.{name}.hosts` is empty; say which hosts it may be sent to"
                ));
            }
            for host in &one.hosts {
                let url = reqwest::Url::parse(&format!("https://{host}/"));
                let plain = url
                    .is_ok_and(|url| !host.contains(['/', '@', '?', '#', '*']) && url.host_str().is_some());
                if !plain {
                    wrong(format!(
                        "`credentials.{name}.hosts`: `{host}` is no host's name, like `api.example.com`"
                    ));
                }
            }
            let header = one.header.as_deref();
            if header.is_some_and(|header| header.parse::<hyper::header::HeaderName>().is_err()) {
                wrong(format!(
                    "`credentials.{name}.header` is no header's name, like `X-Api-Key`"
                ));
            }
            let secret = env(&one.value.0).map(Secret::new);
            all.insert(
                name,
                Credential {
                    variable: one.value.0,
                    secret,
                    header: one.header,
                    hosts: one.hosts.iter().map(|host| host.to_lowercase()).collect(),
                },
            );
        }
        Credentials(all)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::Config, *};

    fn read(text: &str) -> Result<Credentials, String> {
        let env = |name: &str| (name == "SENTRY_TOKEN").then(|| "sntrys_1".to_owned());
        Config::read(Path::new("loops.yaml"), text, Some("/s".into()), &env)
            .map(|config| config.credentials)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_login_is_a_variable_and_the_hosts_that_it_may_be_sent_to() {
        let text = "credentials:\n  sentry: { value: \"${SENTRY_TOKEN}\", hosts: [Sentry.io] }\n";
        let all = read(text).unwrap();
        let sentry = all.get("sentry").unwrap();
        assert_eq!(
            (sentry.variable.as_str(), sentry.hosts.as_slice()),
            ("SENTRY_TOKEN", &["sentry.io".to_owned()][..])
        );
        assert!(sentry.secret.is_some() && !format!("{all:?}").contains("sntrys_1"));
    }

    #[test]
    fn a_login_without_hosts_or_with_its_secret_written_out_is_refused_without_showing_it() {
        let wrong = read("credentials: { a: { value: \"${A}\", hosts: [], header: \"X Y\" } }").unwrap_err();
        assert!(wrong.contains("a.hosts") && wrong.contains("a.header"), "{wrong}");
        let wrong = read("credentials: { a: { value: hunter2, hosts: [b.example] } }").unwrap_err();
        assert!(!wrong.contains("hunter2") && wrong.contains("${NAME}"), "{wrong}");
        for host in ["https://b.example", "*.example", "b.example/x", "me@b.example"] {
            let text = format!("credentials: {{ a: {{ value: \"${{A}}\", hosts: [\"{host}\"] }} }}");
            assert!(read(&text).unwrap_err().contains("no host's name"), "{host}");
        }
    }
}
