//! Text that stands in a text encoded, once: base64 in both alphabets, and hex. Bounded, so that a large file costs
//! no more than a few times its size.

use std::sync::LazyLock;

use regex::Regex;

use crate::change::pattern;

static BASE64: LazyLock<Regex> = LazyLock::new(|| pattern(r"[0-9A-Za-z+/_-]{20,20000}={0,2}"));
static HEX: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?:[0-9A-Fa-f]{2}){16,10000}"));
/// How many runs of one text are decoded.
const MOST: usize = 2_000;

/// What runs of `text` say when decoded, where that is text.
pub(crate) fn decoded(text: &str) -> Vec<String> {
    let base64 = BASE64
        .find_iter(text)
        .take(MOST)
        .filter_map(|run| from_base64(run.as_str()));
    let hex = HEX
        .find_iter(text)
        .take(MOST)
        .filter_map(|run| hex::decode(run.as_str()).ok());
    base64.chain(hex).filter_map(readable).collect()
}

/// Bytes of base64, padded or not, in either alphabet.
fn from_base64(run: &str) -> Option<Vec<u8>> {
    let run = run.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(run.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in run.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// Decoded bytes as text, if nearly all of them are printable ASCII; random bytes are not.
fn readable(bytes: Vec<u8>) -> Option<String> {
    let printable = bytes
        .iter()
        .filter(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
        .count();
    (bytes.len() >= 12 && printable * 20 >= bytes.len() * 19)
        .then(|| String::from_utf8_lossy(&bytes).into_owned())
}
