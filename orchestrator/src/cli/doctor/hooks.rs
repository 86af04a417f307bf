//! Whether what others tell by themselves over HTTP can come in. It looks at the settings only; nobody is asked.

use loops::spec::{LoopSpec, Source, Trigger};

use super::Look;
use crate::config::{Config, Named};

/// GitHub's webhooks, and the senders of signals.
pub(super) fn looks(config: &Config, loops: &[LoopSpec]) -> Vec<Look> {
    github(config, loops)
        .into_iter()
        .chain(senders(config, loops))
        .collect()
}

fn github(config: &Config, loops: &[LoopSpec]) -> Option<Look> {
    let of_github = |trigger: &Trigger| matches!(trigger, Trigger::Github(_));
    let waits = loops.iter().any(|spec| spec.triggers.iter().any(of_github));
    let name = "github events";
    let Some(webhook) = &config.github.webhook else {
        let mend = "write `github.webhook` and `web.listen` in `loops.yaml`, see `docs/github.md`";
        return waits.then(|| Look::missing(name, "a loop waits for them, and nothing lets them in", mend));
    };
    Some(
        secret(name, webhook, "github.webhook").unwrap_or_else(|| match at(config) {
            None => Look::missing(
                name,
                "`github.webhook` has no address to come in at",
                "write `web.listen` in `loops.yaml`",
            ),
            Some(at) => Look::found(name, format!("come in at {at}/github")),
        }),
    )
}

/// Each secret that a loop's `webhook` source names.
fn senders(config: &Config, loops: &[LoopSpec]) -> Vec<Look> {
    let name = "signals";
    let mut looks = Vec::new();
    for spec in loops {
        for source in &spec.sources {
            let Source::Webhook(webhook) = source else {
                continue;
            };
            let wanted = &webhook.secret;
            let known = config.web.as_ref().and_then(|web| web.secrets.get(wanted));
            looks.push(match (known, at(config)) {
                (Some(named), Some(at)) => secret(name, named, &format!("web.secrets.{wanted}"))
                    .unwrap_or_else(|| Look::found(name, format!("come in at {at}/signals/{}", spec.name))),
                _ => Look::missing(
                    name,
                    format!("`{}` waits for what is signed with `{wanted}`, and there is no such secret", spec.name),
                    &format!("write `web: {{ listen: …, secrets: {{ {wanted}: ${{NAME}} }} }}` in `loops.yaml`, see `docs/sources.md`"),
                ),
            });
        }
    }
    looks
}

/// Where things come in, as others call it.
fn at(config: &Config) -> Option<String> {
    config.web.as_ref().map(|web| match &web.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{}", web.listen),
    })
}

/// What is to be said of a secret that is named and not set.
fn secret(name: &str, named: &Named, key: &str) -> Option<Look> {
    let mend = format!("`export {}=…`, or take `{key}` out of `loops.yaml`", named.name);
    named
        .value
        .is_none()
        .then(|| Look::missing(name, format!("`{}` is not set", named.name), &mend))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use loops::spec;

    use super::{super::State, *};

    fn looked(settings: &str, triggers: &str, secret: Option<&str>) -> Vec<(State, String)> {
        let env = |name: &str| match name {
            "GITHUB_TOKEN" => Some("ghp_1".to_owned()),
            _ => secret.map(str::to_owned),
        };
        let config = Config::read(Path::new("loops.yaml"), settings, Some("/s".into()), &env).unwrap();
        let known = spec::Known {
            models: ["top", "standard"].map(str::to_owned).to_vec(),
        };
        let source = match triggers.contains("webhook") {
            true => "webhook: { secret: desk }",
            false => "github_issues: {}",
        };
        let text = format!(
            "name: a\nkind: fix\nrepo: a/b\nschedule: {{ every: 1h }}\n{triggers}sources: [{{ {source} }}]\n"
        );
        let looks = looks(&config, &[spec::read("a", &text, &known).unwrap()]);
        looks.into_iter().map(|look| (look.state, look.found)).collect()
    }

    #[test]
    fn a_loop_that_waits_for_what_cannot_come_in_is_told_of() {
        const WAITS: &str = "triggers: [{ github: issues.opened }]\n";
        const HOOK: &str = "github: { webhook: '${HOOK}' }\n";
        let all = format!("{HOOK}web: {{ listen: '127.0.0.1:80', public_url: 'https://l.example/' }}\n");
        let long = Some("0123456789abcdef");
        assert_eq!(looked("", "", None), []);
        for (settings, secret, words) in [
            ("", None, "nothing lets them in"),
            (HOOK, None, "`HOOK` is not set"),
            (HOOK, long, "no address to come in at"),
        ] {
            let found = looked(settings, WAITS, secret);
            assert_eq!((found.len(), found[0].0), (1, State::Missing), "{settings}");
            assert!(found[0].1.contains(words), "{found:?}");
        }
        let found = looked(&all, "", long);
        assert_eq!(
            found,
            [(State::Found, "come in at https://l.example/github".to_owned())]
        );
    }
}
