//! What languages with braces have in common.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use crate::change::{
    mask::{Masked, is_word},
    pattern,
};

/// No function's head is longer, what its brackets hold left out.
pub(super) const MAX_HEAD: usize = 4_000;

static NEVER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b(?:if|while)\s*\(?\s*(?:false|0|!true|!1|null|undefined)\s*(?:&&[^{}\n]{0,200})?\)?\s*\{")
});
static TRY: LazyLock<Regex> = LazyLock::new(|| pattern(r"\btry\s*\{"));
static CATCH: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*catch\s*(?:\([^(){}\n]{0,200}\)\s*)?\{\s*\}"));

/// Blocks that never run, and blocks whose failures are swallowed.
pub(super) fn dead(masked: &Masked) -> Vec<Range<usize>> {
    let blocks = |pattern: &'static Regex| {
        pattern.find_iter(&masked.code).filter_map(|found| {
            let open = found.end() - 1;
            Some(open..masked.closing(open)?)
        })
    };
    let swallowed =
        blocks(&TRY).filter(|block| CATCH.is_match(masked.code.get(block.end + 1..).unwrap_or_default()));
    blocks(&NEVER).chain(swallowed).collect()
}

/// The end of the first `return` of a body outside inner brackets: what comes after it is not reached.
pub(super) fn cut(masked: &Masked, body: Range<usize>) -> Option<usize> {
    let code = masked.code.as_bytes();
    let mut at = body.start;
    let mut returned = false;
    while at < body.end.min(code.len()) {
        match code[at] {
            b'(' | b'[' | b'{' => at = masked.closing(at)?,
            b';' | b'\n' if returned => return Some(at),
            b'r' if !returned && code[at..].starts_with(b"return") => {
                let is_whole = |byte: Option<&u8>| byte.is_none_or(|byte| !is_word(*byte));
                returned = is_whole(code.get(at + 6)) && (at == 0 || is_whole(code.get(at - 1)));
                at += if returned { 5 } else { 0 };
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The block between the first opening brace after `from` and its end, if nothing but a head stands before it.
pub(super) fn block(masked: &Masked, from: usize) -> Option<Range<usize>> {
    let code = masked.code.as_bytes();
    let mut at = from;
    for _ in 0..MAX_HEAD {
        match code.get(at)? {
            b'{' => return Some(at + 1..masked.closing(at)?),
            b'(' | b'[' => at = masked.closing(at)?,
            b';' | b'}' => return None,
            _ => {}
        }
        at += 1;
    }
    None
}

/// How many items a list between brackets has, by its commas outside inner brackets.
pub(super) fn items(masked: &Masked, open: usize) -> usize {
    let Some(close) = masked.closing(open) else {
        return 0;
    };
    let (code, mut at) = (masked.code.as_bytes(), open + 1);
    let (mut items, mut filled) = (0, false);
    while at < close {
        match code[at] {
            b'(' | b'[' | b'{' => (at, filled) = (masked.closing(at).unwrap_or(at), true),
            b',' => (items, filled) = (items + usize::from(filled), false),
            byte => filled |= !byte.is_ascii_whitespace(),
        }
        at += 1;
    }
    items + usize::from(filled)
}
