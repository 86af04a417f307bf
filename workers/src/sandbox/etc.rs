//! The `/etc` of a sandbox: a few files of the host that programs need to start, and a few of our own making.
//! Never a password, a key, or the names of the host's users.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::SandboxError;

/// Files and folders of the host, seen read-only where they exist. Keys (`ssl/private`) are not among them.
pub(super) const FROM_HOST: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/debian_version",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/etc/crypto-policies",
    "/etc/terminfo",
    "/etc/maven",
    "/etc/perl",
    "/etc/python3",
];

/// Files of our own making.
const OWN: &[(&str, &str)] = &[
    (
        "passwd",
        "root:x:0:0:root:/nonexistent:/bin/false\nagent:x:1000:1000:agent:/home/agent:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    ),
    ("group", "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n"),
    ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ("hostname", "sandbox\n"),
];

/// Writes our own files into a folder and gives each with the path that it is seen at.
pub(super) fn write(folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>, SandboxError> {
    fs::create_dir_all(folder).map_err(SandboxError::file(folder))?;
    OWN.iter()
        .map(|(name, text)| {
            let at = folder.join(name);
            // Several sandboxes of one attempt may come up at once: an existing file is whole, because it is renamed
            // into its place.
            if !at.is_file() {
                let new = tempfile::NamedTempFile::new_in(folder).map_err(SandboxError::file(folder))?;
                fs::write(new.path(), text).map_err(SandboxError::file(&at))?;
                let readable = fs::Permissions::from_mode(0o644);
                fs::set_permissions(new.path(), readable).map_err(SandboxError::file(&at))?;
                new.persist(&at).map_err(|error| SandboxError::File {
                    path: at.clone(),
                    error: error.error,
                })?;
            }
            Ok((at, Path::new("/etc").join(name)))
        })
        .collect()
}
