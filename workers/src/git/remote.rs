//! Where a repository is fetched from, and what git must send there to be let in. What it must send is a secret: it
//! stands in a file that only we can read, for as long as one command runs; never in an address, an argument or the
//! environment. Nothing here is shown or logged.

use std::{fmt, io::Write as _};

use super::GitError;

/// A repository and the way in.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote {
    /// A folder, or an `https://` address (`http://` only to this machine itself).
    pub address: String,
    /// Lines of git's configuration with which it is let in, for example an `http.<url>.extraHeader`; holds secrets.
    pub config: Option<String>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("address", &self.address)
            .field("config", &self.config.as_ref().map(|_| "***"))
            .finish()
    }
}

impl<A: AsRef<str> + ?Sized> From<&A> for Remote {
    fn from(address: &A) -> Self {
        Self {
            address: address.as_ref().to_owned(),
            config: None,
        }
    }
}

impl From<&Remote> for Remote {
    fn from(remote: &Remote) -> Self {
        remote.clone()
    }
}

impl Remote {
    /// The file for `GIT_CONFIG_GLOBAL`: readable by us alone, gone when it is dropped.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn config_file(&self) -> Result<tempfile::NamedTempFile, GitError> {
        let temporary = std::env::temp_dir();
        let mut file = tempfile::NamedTempFile::new().map_err(GitError::file(&temporary))?;
        if let Some(config) = &self.config {
            file.write_all(config.as_bytes())
                .map_err(GitError::file(&temporary))?;
        }
        Ok(file)
    }

    /// What git may speak with this address; none: it is not an address that we fetch from or push to.
    #[must_use]
    pub fn protocols(&self) -> Option<&'static [&'static str]> {
        let address = &self.address;
        if address.starts_with("https://") {
            Some(&["https"])
        } else if address.starts_with("http://") {
            is_loopback(address).then_some(&["http"] as &[_])
        } else if address.contains("::") || address.contains("://") {
            None
        } else {
            Some(&["file"])
        }
    }
}

/// Whether an `http://` address leads to this machine itself.
fn is_loopback(address: &str) -> bool {
    let rest = address.strip_prefix("http://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    // With a name and password in it, what looks like the host may not be it.
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_we_can_read_the_file_with_the_secret() {
        let remote = Remote {
            address: "https://forge.example/a/b.git".to_owned(),
            config: Some("[http]\n\textraHeader = hush\n".to_owned()),
        };
        let file = remote.config_file().unwrap();
        let mode = file.as_file().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(std::fs::read_to_string(file.path()).unwrap().contains("hush"));
        let path = file.path().to_owned();
        drop(file);
        assert!(!path.exists());
        assert!(!format!("{remote:?}").contains("hush"));
    }

    #[test]
    fn an_unencrypted_address_leads_to_this_machine_only() {
        let speaks = |address: &str| Remote::from(address).protocols();
        for good in [
            "http://127.0.0.1:80/a",
            "http://localhost/a",
            "http://[::1]:8080/a",
        ] {
            assert_eq!(speaks(good), Some(&["http"] as &[_]), "{good}");
        }
        for bad in [
            "http://forge.example/a",
            "http://127.0.0.1@forge.example/",
            "http://127.0.0.1.forge.example/",
            "http://localhost:x@forge.example/a",
            "ssh://host/a",
            "ext::sh -c date",
        ] {
            assert_eq!(speaks(bad), None, "{bad}");
        }
        assert_eq!(speaks("https://forge.example/a"), Some(&["https"] as &[_]));
        assert_eq!(speaks("../a"), Some(&["file"] as &[_]));
    }
}
