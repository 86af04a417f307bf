//! Which hosts an attempt may reach, as its loop says: `registry.example.com`, `*.example.com`, with or without a port.

/// The port of an entry that names none: TLS.
const TLS: u16 = 443;

/// The host and port that a client wants to be connected with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Wanted {
    /// Reads `host:port`. A name only: letters, digits, hyphens and dots, in lower case afterwards, without the dot at its
    /// end. None: it is something else, such as an address.
    pub(super) fn read(authority: &str) -> Option<Self> {
        let (host, port) = authority.rsplit_once(':')?;
        let host = host.strip_suffix('.').unwrap_or(host);
        let plain = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        // No name in the world ends with a number; an address does, in each of its many forms.
        let last = host.rsplit('.').next()?;
        let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
            || last
                .get(..2)
                .is_some_and(|start| start.eq_ignore_ascii_case("0x"));
        if host.len() > 253 || !host.split('.').all(plain) || is_number {
            return None;
        }
        let port = port.parse().ok().filter(|&port| port > 0)?;
        Some(Self {
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    /// Whether one of the entries allows it.
    pub(super) fn is_allowed(&self, entries: &[String]) -> bool {
        entries.iter().any(|entry| self.fits(entry))
    }

    fn fits(&self, entry: &str) -> bool {
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (entry, Some(TLS)),
        };
        let host = host.to_ascii_lowercase();
        let same = match host.strip_prefix("*.") {
            // Something stands before it, and a dot between.
            Some(parent) => self
                .host
                .strip_suffix(parent)
                .is_some_and(|before| before.len() > 1 && before.ends_with('.')),
            None => self.host == host,
        };
        same && port == Some(self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(entries: &[&str], authority: &str) -> bool {
        let entries: Vec<String> = entries.iter().map(|&entry| entry.to_owned()).collect();
        Wanted::read(authority).is_some_and(|wanted| wanted.is_allowed(&entries))
    }

    #[test]
    fn a_host_is_allowed_by_name_and_port() {
        let entries = ["Registry.example.com", "git.example.com:9418"];
        assert!(allowed(&entries, "registry.example.com:443"));
        assert!(allowed(&entries, "REGISTRY.example.com.:443"));
        assert!(allowed(&entries, "git.example.com:9418"));
        for other in [
            "registry.example.com:80",
            "registry.example.com:22",
            "git.example.com:443",
            "example.com:443",
            "a.registry.example.com:443",
            "registry.example.com.evil.example:443",
            "xregistry.example.com:443",
        ] {
            assert!(!allowed(&entries, other), "{other}");
        }
        assert!(!allowed(&[], "registry.example.com:443"));
    }

    #[test]
    fn a_star_stands_for_what_is_below_and_not_for_the_name_itself() {
        assert!(allowed(&["*.example.com"], "a.example.com:443"));
        assert!(allowed(&["*.example.com"], "a.b.example.com:443"));
        for other in [
            "example.com:443",
            ".example.com:443",
            "evilexample.com:443",
            "a.example.com:80",
        ] {
            assert!(!allowed(&["*.example.com"], other), "{other}");
        }
    }

    #[test]
    fn an_address_in_any_form_is_no_name() {
        for address in [
            "127.0.0.1:443",
            "[::1]:443",
            "::1:443",
            "2130706433:443",
            "0x7f000001:443",
            "0x7f.1:443",
            "127.1:443",
            "1.2.3.0X4:443",
            "a b:443",
            "a\0b:443",
            "user@host:443",
            "host/path:443",
            "höst:443",
            "host:0",
            "host:65536",
            "host:",
            "host",
            ":443",
            "",
            "..:443",
        ] {
            assert_eq!(Wanted::read(address), None, "{address}");
        }
    }
}
