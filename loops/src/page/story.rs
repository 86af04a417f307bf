//! What was wrong, in the words of those who reported it, and what was changed, in the worker's.

use std::fmt::Write as _;

use super::{
    Page, Problem,
    words::{bold, count, grouped, inline},
};
use crate::{
    screen::clean::{self, is_plain_link},
    text::one_line,
};

/// How many problems, and how many reports of each, a page tells of.
const PROBLEMS: usize = 5;
const QUOTES: usize = 3;

impl Page {
    pub(super) fn what_was_wrong(&self) -> String {
        if self.problems.is_empty() {
            return String::new();
        }
        let mut part = "## What was wrong\n\n".to_owned();
        for problem in self.problems.iter().take(PROBLEMS) {
            tell(problem, &mut part);
        }
        if self.problems.len() > PROBLEMS {
            let _ = writeln!(
                part,
                "And {} more.\n",
                count(self.problems.len() - PROBLEMS, "problem")
            );
        }
        part
    }

    pub(super) fn what_was_changed(&self) -> String {
        let account = clean::quote(&self.account, 1_500);
        if account.is_empty() {
            return "## What was changed\n\nThe worker said nothing about it.\n\n".to_owned();
        }
        format!("## What was changed\n\nIn the worker's words:\n\n{account}\n")
    }
}

fn tell(problem: &Problem, part: &mut String) {
    let title = one_line(&problem.title, 120);
    let day = problem.since.to_string();
    let who = if problem.reporters == 0 {
        format!("seen {} by machines", times(problem.signals))
    } else {
        format!(
            "{} from {}",
            count(problem.signals as usize, "report"),
            count(problem.reporters as usize, "person")
        )
    };
    let _ = writeln!(
        part,
        "{}: {who} since {}.\n",
        bold(&title),
        &day[..10.min(day.len())]
    );
    let mut quoted = 0;
    for (words, url) in problem.quotes.iter().take(QUOTES) {
        let words = one_line(words, 200);
        let link = url.as_deref().filter(|url| is_plain_link(url));
        // The title is most often the first report's own first line; twice it tells nothing more, but for its link.
        if words == title && link.is_none() {
            continue;
        }
        if quoted > 0 {
            part.push_str(">\n");
        }
        quoted += 1;
        let link = link.map_or_else(String::new, |url| format!(" ([{}](<{url}>))", label(url)));
        let _ = writeln!(part, "> {}{link}", inline(&words));
    }
    if quoted > 0 {
        part.push('\n');
    }
}

fn times(n: u32) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{} times", grouped(u64::from(n))),
    }
}

/// What a link leads to, in words, where its address says so.
fn label(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let mut parts = path.rsplit('/');
    let (last, kind) = (parts.next().unwrap_or_default(), parts.next());
    let number = last.len() <= 9 && !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
    match kind {
        Some("issues") if number => format!("issue {last}"),
        Some("pull") if number => format!("pull request {last}"),
        _ => "source".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_what_it_leads_to() {
        assert_eq!(label("https://git.example/a/b/issues/12#note-3"), "issue 12");
        assert_eq!(label("https://git.example/a/b/pull/7"), "pull request 7");
        assert_eq!(label("https://git.example/a/b/issues/latest"), "source");
        assert_eq!(label("https://shop.example/feedback/9"), "source");
    }
}
