//! Whether GitHub signed a body: HMAC over SHA-256 with the webhook's secret.
//!
//! <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::config::Secret;

/// Why a request is not believed to be GitHub's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// There is no signature. The old one over SHA-1 is none.
    #[error("the request has no `X-Hub-Signature-256`")]
    Unsigned,
    /// The signature is another one.
    #[error("the signature is wrong")]
    Wrong,
}

/// Looks whether a body was signed with the secret. Nothing of the body is read before.
///
/// # Errors
/// If it was not.
pub fn verify(secret: &Secret, signature: Option<&str>, body: &[u8]) -> Result<(), NotSigned> {
    let given = signature
        .and_then(|text| text.strip_prefix("sha256="))
        .ok_or(NotSigned::Unsigned)?;
    let given = hex::decode(given).map_err(|_| NotSigned::Wrong)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_err(|_| NotSigned::Wrong)?;
    mac.update(body);
    // In constant time: how much of a guess was right must not show.
    mac.verify_slice(&given).map_err(|_| NotSigned::Wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's own page.
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn looked(secret: &str, signature: Option<&str>, body: &[u8]) -> Result<(), NotSigned> {
        verify(&Secret::new(secret.to_owned()), signature, body)
    }

    #[test]
    fn githubs_own_example_is_believed_and_nothing_else() {
        assert_eq!(looked(SECRET, Some(SIGNATURE), BODY), Ok(()));
        for (signature, body) in [
            (SIGNATURE, &b"Hello, World?"[..]),
            (SIGNATURE, b"Hello, World!\n"),
            (SIGNATURE, b""),
            (&SIGNATURE[..SIGNATURE.len() - 2], BODY),
            ("sha256=", BODY),
            ("sha256=zz", BODY),
        ] {
            assert_eq!(
                looked(SECRET, Some(signature), body),
                Err(NotSigned::Wrong),
                "{signature}"
            );
        }
        assert_eq!(looked("another", Some(SIGNATURE), BODY), Err(NotSigned::Wrong));
        assert_eq!(looked("", Some(SIGNATURE), BODY), Err(NotSigned::Wrong));
        for unsigned in [None, Some(""), Some("sha1=0fd0"), Some(&SIGNATURE[7..])] {
            assert_eq!(
                looked(SECRET, unsigned, BODY),
                Err(NotSigned::Unsigned),
                "{unsigned:?}"
            );
        }
    }
}
