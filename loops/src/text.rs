//! Text from outside, made harmless for a place where people or programs read it.

pub use crate::screen::hidden::{is_hidden as is_treacherous, plain};

/// `text` on one line, plain, and at most `max` characters long, the last of which is `…` if something was cut.
pub fn one_line(text: &str, max: usize) -> String {
    let flat = plain(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= max {
        return flat;
    }
    let mut cut: String = flat.chars().take(max.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// The last `max` bytes of `text` or less, from the beginning of a line, with a word about what was left out.
pub fn tail(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let from = text.ceil_char_boundary(text.len() - max);
    let from = text[from..].find('\n').map_or(from, |at| from + at + 1);
    format!("[… {from} bytes left out]\n{}", &text[from..])
}

/// The text of a piece of HTML: without tags, comments, scripts and styles, references resolved. For reading, not for
/// showing: what comes out may hold anything that a text may.
pub fn from_html(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let name: String = rest[1..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "/!-".contains(*c))
            .flat_map(char::to_lowercase)
            .collect();
        let end = match &*name {
            // A smaller-than sign, not a tag.
            "" => {
                text.push('<');
                rest = &rest[1..];
                continue;
            }
            "script" => after(rest, "</script>"),
            "style" => after(rest, "</style>"),
            _ if name.starts_with("!--") => after(rest, "-->"),
            _ => after(rest, ">"),
        };
        if ["br", "/p", "/div", "/li", "/h1", "/h2", "/h3", "/pre", "/tr"]
            .contains(&name.trim_end_matches('/'))
        {
            text.push('\n');
        }
        rest = &rest[end..];
    }
    text.push_str(rest);
    resolved(&text).trim().to_owned()
}

/// Where `text` goes on after the first `end`; its own end if there is none. Case does not matter.
fn after(text: &str, end: &str) -> usize {
    let (bytes, end) = (text.as_bytes(), end.as_bytes());
    // No further than to the first hit, and nothing is copied: a text of many tags is read once.
    bytes
        .windows(end.len())
        .position(|window| window.eq_ignore_ascii_case(end))
        .map_or(text.len(), |at| at + end.len())
}

/// The usual references of HTML, resolved once; others are left as they are.
fn resolved(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        let letter = end.and_then(|end| match &rest[1..end] {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            "nbsp" => Some(' '),
            number => {
                let digits = number.strip_prefix('#')?;
                let code = match digits.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => digits.parse(),
                };
                char::from_u32(code.ok()?)
            }
        });
        let taken = match (letter, end) {
            (Some(letter), Some(end)) => {
                out.push(letter);
                end + 1
            }
            _ => {
                out.push('&');
                1
            }
        };
        rest = &rest[taken..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_taken_out() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}c\r\n\td"), "a[31mbc\n\td");
    }

    #[test]
    fn html_of_very_many_tags_is_read_once() {
        let tags = "<b>x".repeat(500_000) + "<SCRIPT>y</Script>z";
        let began = std::time::Instant::now();
        let text = from_html(&tags);
        assert!(text.len() == 500_001 && text.ends_with("xz"));
        // A tenth of a second; half an hour where the rest is copied for each tag.
        assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    }

    #[test]
    fn a_long_line_is_cut_with_a_sign() {
        assert_eq!(one_line("one  two\nthree", 9), "one two…");
        assert_eq!(one_line("short", 9), "short");
    }

    #[test]
    fn a_tail_begins_with_a_whole_line() {
        assert_eq!(tail("aaaa\nbbbb\ncccc", 7), "[… 10 bytes left out]\ncccc");
    }

    #[test]
    fn html_is_read_without_its_tags_and_scripts() {
        let html = "<p>It <b>crashes</b> &amp; hangs</p><script>alert('x')</script><!-- no -->a &lt;b&gt; &#39;c&#x27;";
        assert_eq!(from_html(html), "It crashes & hangs\na <b> 'c'");
        for odd in [
            "a < b",
            "5 <",
            "&",
            "&;",
            "&#xD800;",
            "<unclosed",
            "&#99999999999;",
        ] {
            let _ = from_html(odd);
        }
        assert_eq!(from_html("1 < 2 & 3"), "1 < 2 & 3");
    }
}
