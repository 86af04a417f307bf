//! The forms that texts in a loop must have: names, repositories, hosts, globs, hours. Pure questions about a text;
//! nothing is looked up.

use std::path::{Component, Path};

/// What a loop's `repo` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepoForm {
    /// `owner/name` on GitHub.
    GitHub {
        /// The account or organisation.
        owner: String,
        /// The repository in it.
        name: String,
    },
    /// A path to a git repository: absolute, or from the spec's folder.
    Path(String),
}

impl RepoForm {
    /// What `text` names, if it has one of the two forms.
    pub fn parse(text: &str) -> Option<Self> {
        if text.chars().any(char::is_control) {
            return None;
        }
        if text.starts_with(['/', '.']) {
            let path = text.starts_with('/')
                || matches!(text, "." | "..")
                || text.starts_with("./")
                || text.starts_with("../");
            return path.then(|| Self::Path(text.to_owned()));
        }
        let (owner, name) = text.split_once('/')?;
        let word = |text: &str| {
            !text.is_empty()
                && text.len() <= 100
                && !text.starts_with(['.', '-'])
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        (word(owner) && word(name)).then(|| Self::GitHub {
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// A loop's or check's or worker's name, by the pattern that the schema shows.
pub(super) fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// A worker's name: like a loop's, underscores too.
pub(super) fn is_worker(text: &str) -> bool {
    is_name(&text.replace('_', "-"))
}

/// A branch name that git takes (`git check-ref-format --branch`) and that no command takes for an option.
pub(super) fn is_branch(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 200
        && !text.starts_with(['-', '/', '.'])
        && !text.ends_with(['/', '.'])
        && !text.ends_with(".lock")
        && !["..", "//", "@{", "/."].iter().any(|part| text.contains(part))
        && !text.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c))
        && text != "@"
}

/// A host's name, or `*.` before one; with or without a port. No scheme, no path, and no address: no name in the world ends
/// with a number, and an address does.
pub fn is_host(text: &str) -> bool {
    let text = text.strip_prefix("*.").unwrap_or(text);
    let (host, port) = text
        .split_once(':')
        .map_or((text, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    !is_number
        && host.len() <= 253
        && host.split('.').all(label)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// An address that may be fetched: `https`, or `http` to this machine itself; without a name or password in it.
pub(super) fn is_address(text: &str) -> bool {
    let (rest, only_here) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (rest, false),
        (None, Some(rest)) => (rest, true),
        (None, None) => return false,
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !text.chars().any(|c| c.is_control() || c.is_whitespace())
        && !rest.contains('#')
        && !host.starts_with('*')
        && (here_on_a_port(host) || (!only_here && is_host(host)))
}

/// Whether an entry of hosts (`registry.example.com`, `*.example.com:8443`) allows all that another one does. Without a
/// port an entry means 443.
pub(super) fn host_covers(wide: &str, narrow: &str) -> bool {
    fn parts(entry: &str) -> (&str, &str) {
        entry.split_once(':').unwrap_or((entry, "443"))
    }
    let ((wide, port), (narrow, wanted)) = (parts(wide), parts(narrow));
    let same = match wide.strip_prefix('*') {
        // `.example.com`: something must stand before it.
        Some(parent) => narrow
            .get(narrow.len().saturating_sub(parent.len())..)
            .is_some_and(|end| narrow.len() > parent.len() && end.eq_ignore_ascii_case(parent)),
        None => wide.eq_ignore_ascii_case(narrow),
    };
    same && port == wanted
}

/// This machine itself, with or without a port.
fn here_on_a_port(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, "80"));
    matches!(name, "localhost" | "127.0.0.1") && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// A Slack channel: its name with its `#`, or its id.
pub(super) fn is_channel(text: &str) -> bool {
    let is_id = text.starts_with(['C', 'G'])
        && (9..=20).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    is_id
        || text.strip_prefix('#').is_some_and(|name| {
            (1..=80).contains(&name.chars().count())
                && !name
                    .chars()
                    .any(|c| c.is_whitespace() || c.is_control() || c.is_uppercase() || c == '#')
        })
}

/// The name of a file in the same folder.
pub(super) fn is_file_name(text: &str) -> bool {
    let mut parts = Path::new(text).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
        && !text.contains(['/', '\\'])
        && !text.starts_with('.')
        && !text.chars().any(char::is_control)
}

/// Why `text` is not a glob of paths inside a repository; none: it is one.
pub(super) fn not_a_glob(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some("a glob cannot be empty".to_owned());
    }
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        return Some("a glob here is from the repository's top: no leading `/`, no `..`".to_owned());
    }
    globset::Glob::new(text)
        .err()
        .map(|error| format!("this is not a glob: {}", error.kind()))
}

/// The minutes of the day between which nothing is started, of text like `22:00-07:00`.
pub(crate) fn quiet_hours(text: &str) -> Option<(u32, u32)> {
    let minute = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let both = [hours, minutes];
        if both
            .iter()
            .any(|part| part.len() != 2 || !part.chars().all(|c| c.is_ascii_digit()))
        {
            return None;
        }
        let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    };
    let (from, to) = text.split_once('-')?;
    let (from, to) = (minute(from)?, minute(to)?);
    (from != to).then_some((from, to))
}

/// An event's name, like `issues.opened` or `message`.
pub(super) fn is_event(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    text.len() <= 100 && text.split('.').count() <= 2 && text.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_owner_and_name_or_a_path_that_says_so() {
        assert!(matches!(
            RepoForm::parse("acme/shop"),
            Some(RepoForm::GitHub { .. })
        ));
        for path in ["/srv/shop", "..", "../shop", "./"] {
            assert!(matches!(RepoForm::parse(path), Some(RepoForm::Path(_))), "{path}");
        }
        for neither in [
            "shop",
            "acme/shop/x",
            "-o/x",
            "acme/",
            ".shop",
            "a\n/b",
            "https://host/a/b",
            "",
        ] {
            assert_eq!(RepoForm::parse(neither), None, "{neither}");
        }
    }

    #[test]
    fn a_branch_cannot_be_taken_for_an_option_or_a_range() {
        assert!(is_branch("release/1.x"));
        for bad in ["-delete", "a..b", "a b", "a.lock", "", "@", "a:b", "a/"] {
            assert!(!is_branch(bad), "{bad}");
        }
    }

    #[test]
    fn a_prompt_is_a_file_beside_the_spec() {
        assert!(is_file_name("fix.md"));
        for bad in [
            "../fix.md",
            "/etc/passwd",
            "a/b.md",
            "..",
            ".",
            "",
            ".env",
            "a\\b",
        ] {
            assert!(!is_file_name(bad), "{bad}");
        }
    }

    #[test]
    fn an_entry_of_hosts_covers_what_it_allows_and_no_more() {
        for (wide, narrow) in [
            ("a.example", "A.example"),
            ("a.example", "a.example:443"),
            ("*.a.example", "x.a.example"),
            ("*.a.example", "*.x.a.example"),
            ("*.a.example", "*.a.example"),
            ("a.example:8443", "a.example:8443"),
        ] {
            assert!(host_covers(wide, narrow), "{wide} {narrow}");
        }
        for (wide, narrow) in [
            ("a.example", "*.a.example"),
            ("a.example", "x.a.example"),
            ("a.example", "a.example:80"),
            ("a.example:80", "a.example"),
            ("*.a.example", "a.example"),
            ("*.a.example", "xa.example"),
            ("*.x.a.example", "*.a.example"),
            ("*.a.example", "evil.example"),
        ] {
            assert!(!host_covers(wide, narrow), "{wide} {narrow}");
        }
    }

    #[test]
    fn hosts_and_hours_have_their_forms() {
        assert!(is_host("registry.example.com") && is_host("*.example.com:443"));
        assert!(!is_host("10.0.0.1") && !is_host("10.0.0.1:443") && !is_host("2130706433"));
        assert!(!is_host("https://example.com") && !is_host("a/b") && !is_host("") && !is_host("a:0"));
        assert_eq!(quiet_hours("22:00-07:30"), Some((1320, 450)));
        for bad in ["24:00-07:00", "22-07", "22:00-22:00", "+1:00-07:00"] {
            assert_eq!(quiet_hours(bad), None, "{bad}");
        }
    }
}
