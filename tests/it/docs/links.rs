//! Links between pages, and to headings within them.

use std::path::{Component, Path, PathBuf};

use super::{Page, pages, root};

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut seen = 0;
    for page in &pages {
        for (line, target) in links(page) {
            if target.starts_with("https://") || target.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let folder = Path::new(&page.path).parent().unwrap();
            let path = if file.is_empty() {
                PathBuf::from(&page.path)
            } else {
                tidy(&folder.join(file))
            };
            assert!(
                root().join(&path).exists(),
                "{}:{line}: `{target}` is not there",
                page.path
            );
            if heading.is_empty() {
                continue;
            }
            let other = pages.iter().find(|other| Path::new(&other.path) == path);
            let there = other.is_some_and(|other| headings(other).iter().any(|slug| slug == heading));
            assert!(
                there,
                "{}:{line}: `{target}`: there is no such heading",
                page.path
            );
        }
    }
    assert!(seen > 20, "only {seen} links were found");
}

fn links(page: &Page) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in page.parts().1 {
        // Code is no link.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for part in prose.split("](").skip(1) {
            if let Some((target, _)) = part.split_once(')') {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// Headings as they are addressed: lower case, words joined by hyphens, the rest left out.
fn headings(page: &Page) -> Vec<String> {
    let heads = page.parts().1.into_iter().filter_map(|(_, line)| {
        let text = line.trim_start_matches('#');
        (line.starts_with('#') && text.starts_with(' ')).then_some(text.trim())
    });
    heads
        .map(|text| {
            let kept = text.to_lowercase();
            let kept = kept
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// `docs/../README.md` is `README.md`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                tidy.pop();
            }
            Component::Normal(name) => tidy.push(name),
            _ => {}
        }
    }
    tidy
}
