use loops::{budget::Money, finding::Finding, spec::Known};

use super::{which::of_remote, *};
use crate::engine::Plan;

fn shop() -> FullName {
    FullName::parse("acme/shop").unwrap()
}

#[test]
fn the_repository_is_the_one_that_the_remote_names_if_it_is_on_that_site() {
    let site = "https://github.com";
    for url in [
        "https://github.com/acme/shop.git",
        "https://github.com/acme/shop/",
        "https://token@github.com/acme/shop",
        "git@github.com:acme/shop.git",
        "ssh://git@github.com/acme/shop.git",
        "ssh://git@github.com:22/acme/shop.git",
    ] {
        assert_eq!(of_remote(url, site), Some(shop()), "{url}");
    }
    for url in [
        "https://gitlab.com/acme/shop.git",
        "git@ghe.example:acme/shop.git",
        "https://github.com.evil.example/acme/shop",
        "/srv/acme/shop",
        "../acme/shop",
        "https://github.com/acme/shop/tree",
        "https://github.com/acme/..",
    ] {
        assert_eq!(of_remote(url, site), None, "{url}");
    }
    assert_eq!(
        of_remote("git@ghe.example:acme/shop.git", "https://ghe.example"),
        Some(shop())
    );
}

fn shown(first: Result<Plan, String>) -> Shown {
    let look = Look {
        base: "main".to_owned(),
        checks: vec![crate::cli::init::look::Check {
            name: "tests".to_owned(),
            run: "npm test".to_owned(),
        }],
        ..Look::default()
    };
    let one = loops_for(&shop(), "shop", &look, &Allowance::default()).remove(0);
    let known = Known {
        models: ["top", "standard"].map(str::to_owned).to_vec(),
    };
    Shown {
        spec: spec::read(&one.file, &one.text, &known).unwrap(),
        file: one.file,
        first,
    }
}

fn written(loops: &[Shown]) -> String {
    let about = About {
        repository: "acme/shop",
        branch: "main",
        files: "https://github.com/acme/shop/blob/loops/start/.loops",
        model: &|alias| format!("`{alias}-model`"),
    };
    page::page(&about, loops)
}

fn finding(title: &str) -> Finding {
    serde_json::from_value(serde_json::json!({
        "id": loops::id::FindingId::named("a").to_string(), "title": title, "fingerprint": "x", "state": "open",
        "score": { "total": 8.25, "parts": [] }, "signals": 3, "reporters": 2, "first_at": "2026-11-20T08:00:00Z", "last_at": "2026-11-20T08:00:00Z",
    }))
    .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_page_says_what_it_would_do_costs_and_never_does() {
    let plan = Plan {
        findings: vec![],
        tasks: 0,
        worst_case: Money::ZERO,
        because: String::new(),
        quiet_until: None,
        plan_first: false,
    };
    insta::assert_snapshot!(written(&[shown(Ok(plan))]));
}

#[test]
fn a_page_is_ours_as_long_as_nobody_has_changed_a_word_of_it() {
    let page = written(&[shown(Err("it is down".to_owned()))]);
    assert!(is_as_written(&page));
    assert!(
        is_as_written(page.replace('\n', "\r\n").trim_end()),
        "GitHub keeps line ends in its own way"
    );
    assert!(!is_as_written(&page.replacen("agents", "robots", 1)));
    assert!(!is_as_written(&format!("{page}\nCarol: on Friday.\n")));
    let (_, rest) = page.split_once('\n').unwrap();
    assert!(
        !is_as_written(&format!("{MARKER} -->\n{rest}")),
        "of what an older one wrote nobody knows"
    );
}

#[test]
fn what_people_wrote_can_neither_name_nor_link_nor_break_the_page() {
    let plan = Plan {
        findings: vec![finding(
            "@everyone | closes #1 <img src=x> [a](http://evil.example) ghp_0123456789abcdefghijklmnopqrstuvwxyzAB",
        )],
        tasks: 1,
        worst_case: Money::usd(5.0),
        because: String::new(),
        quiet_until: None,
        plan_first: false,
    };
    let text = written(&[
        shown(Ok(plan)),
        shown(Err("no | pipes\n# and no heading".to_owned())),
    ]);
    for never in ["@everyone", "#1", "<img", "](http://evil", "ghp_0123", "\n# and"] {
        assert!(!text.contains(never), "{never}: {text}");
    }
    assert!(text.contains(r"| 8.2 |") || text.contains(r"| 8.3 |"), "{text}");
}
