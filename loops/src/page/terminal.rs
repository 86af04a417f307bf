//! A page for the terminal: the same words in the same order, without what only a browser reads.

use std::sync::LazyLock;

use regex::Regex;

use crate::change::pattern;

/// Our own links; those of others were broken before.
static LINK: LazyLock<Regex> = LazyLock::new(|| pattern(r"\(\[(?:[^\]\[]*)\]\(<([^<>\s]*)>\)\)"));
static BOLD: LazyLock<Regex> = LazyLock::new(|| pattern(r"\*\*([^*]+)\*\*"));
static SUMMARY: LazyLock<Regex> = LazyLock::new(|| pattern(r"^<summary>(.*)</summary>$"));

/// A page's Markdown, as one reads it in a terminal: links are addresses, nothing is folded, and `<` is `<`. What steers
/// a terminal was taken out when the page was made, and is taken out again by whoever prints.
pub fn in_terminal(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    let mut fence: Option<String> = None;
    for line in markdown.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) => {
                if ticks.len() >= open.len() && line.len() == ticks.len() {
                    fence = None;
                } else {
                    text.push_str("    ");
                    text.push_str(line);
                    text.push('\n');
                }
                continue;
            }
            None if ticks.len() >= 3 => {
                fence = Some(ticks);
                continue;
            }
            None if line == "<details>" || line == "</details>" => continue,
            None => {}
        }
        let line = SUMMARY.replace(line, "$1:");
        let line = LINK.replace_all(&line, "($1)");
        let line = BOLD.replace_all(&line, "$1");
        let line = line.replace("\\[", "[").replace("\\|", "|").replace("\\*", "*");
        // The ampersand last, or what somebody wrote as an entity would become what it stands for.
        text.push_str(
            &line
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&"),
        );
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_a_terminal_has_no_marks_of_a_browser() {
        let markdown = "# A\n\n- **Proof:** it holds ([issue 3](<https://git.example/issues/3>))\n\
            > a &lt;b&gt; &amp;lt; \\[x] 2 * 3\n\n<details>\n<summary>All files</summary>\n\n````text\n**raw** &lt;\n```\n````\n\n</details>\nend\n";
        insta::assert_snapshot!(in_terminal(markdown), @r#"
# A

- Proof: it holds (https://git.example/issues/3)
> a <b> &lt; [x] 2 * 3

All files:

    **raw** &lt;
    ```

end
"#);
    }
}
