//! A proposal's page after it was made anew: what was found out on the base as it is now. It judges nothing.

use loops::{evidence::Verdict, page::without_title};

use super::{Proven, news};

/// How the word on a page begins that it was made anew.
const NOTE: &str = "> **Made anew on `";

/// The page with what was found out on the new base, below its title; what it said of an earlier one is taken off.
pub(super) fn page(body: &str, proven: &Proven) -> String {
    let body = without_note(body);
    let rest = without_title(body);
    let title = &body[..body.len() - rest.len()];
    let holds = proven
        .evidence
        .iter()
        .filter(|found| found.verdict == Verdict::Passed);
    format!(
        "{title}{NOTE}{}`**, because the base had moved: {} of {} proofs hold there. The table below was measured on the base \
         before.\n\n{}",
        news::short(&proven.base),
        holds.count(),
        proven.evidence.len(),
        without_note(rest)
    )
}

fn without_note(page: &str) -> &str {
    match page.strip_prefix(NOTE) {
        Some(old) => old.split_once("\n\n").map_or("", |(_, rest)| rest),
        None => page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_made_anew_keeps_its_title_first_and_says_of_the_last_base_alone() {
        let on = |base: &str| Proven {
            tree: String::new(),
            base: base.to_owned(),
            evidence: Vec::new(),
        };
        let first = page("# Read it\n\nWhy.\n\n> A quote\n", &on("aaaaaaaaaa"));
        assert!(
            first.starts_with("# Read it\n\n> **Made anew on `aaaaaaa`**")
                && first.ends_with("before.\n\nWhy.\n\n> A quote\n"),
            "{first}"
        );
        assert!(
            !without_title(&first).contains("# Read it"),
            "GitHub has a title of its own"
        );
        let second = page(&first, &on("bbbbbbbbbb"));
        assert_eq!(second, first.replace("aaaaaaa", "bbbbbbb"));
        // As it was written before: above the title.
        let old = format!("{NOTE}ccccccc`**, because.\n\n# Read it\n\nWhy.\n\n> A quote\n");
        assert_eq!(page(&old, &on("aaaaaaaaaa")), first);
        assert!(page("", &on("aaaaaaaaaa")).starts_with(NOTE));
    }
}
