use super::*;
use crate::{
    change::Diff,
    evidence::{CheckKind, Observation, Verdict},
    owners::Owners,
};

fn page() -> Page {
    Page {
        title: "Fix the coupon that is taken off one item only".into(),
        problems: vec![Problem {
            title: "Coupon only counts for one of my three mugs".into(),
            signals: 14,
            reporters: 9,
            since: Timestamp(1_762_000_000_000),
            quotes: vec![(
                "Coupon only counts for one of my three mugs".into(),
                Some("https://shop.example/t/1".into()),
            )],
        }],
        account: "The discount was taken from the unit price.\nNow it is taken from the line.".into(),
        evidence: vec![
            Evidence {
                name: "unit".into(),
                kind: CheckKind::Command,
                verdict: Verdict::Passed,
                before: Some(Observation {
                    verdict: Verdict::Passed,
                    exit_code: Some(0),
                    passed: Some(4),
                    failed: Some(0),
                    skipped: None,
                    duration_ms: 420,
                }),
                after: Some(Observation {
                    verdict: Verdict::Passed,
                    exit_code: Some(0),
                    passed: Some(5),
                    failed: Some(0),
                    skipped: None,
                    duration_ms: 440,
                }),
                words: "all 5 tests pass".into(),
                detail: String::new(),
            },
            Evidence {
                name: "reproduction".into(),
                kind: CheckKind::Reproduction,
                verdict: Verdict::Failed,
                before: None,
                after: None,
                words: "the new test passes on the base, too".into(),
                detail: String::new(),
            },
        ],
        concerns: vec![],
        files: vec![FileStat {
            path: "shop/cart.py".into(),
            added: 3,
            removed: 1,
            status: Some(Status::Modified),
        }],
        risk: Some(Risk::default()),
        caveats: vec![],
        cost: Cost {
            money: Money::usd(0.42),
            usage: Usage {
                input_tokens: 100,
                output_tokens: 50,
                cache_read_tokens: 900,
                ..Usage::default()
            },
            attempts: 1,
            rehearsed: false,
            estimated: false,
        },
        answers: vec!["`loops approve proposal-1f3a9c2e`".into()],
    }
}

#[test]
fn a_page_tells_what_was_wrong_what_was_proven_and_what_was_not() {
    insta::assert_snapshot!(page().markdown(), @r#"
# Fix the coupon that is taken off one item only

- **Proof:** 1 of 2 checks hold
- **Open:** `reproduction` does not hold
- **Size:** 1 file (+3 −1)

## What was wrong

**Coupon only counts for one of my three mugs**: 14 reports from 9 people since 2025-11-01.

> Coupon only counts for one of my three mugs ([source](<https://shop.example/t/1>))

## What was changed

In the worker's words:

> The discount was taken from the unit price.
> Now it is taken from the line.

## What was proven

| check  | before | after  | time  |
| ------ | ------ | ------ | ----- |
| ✓ unit | 4 pass | 5 pass | 0.4 s |

## What was not proven

- reproduction: the new test passes on the base, too.
- No second agent reviewed it.

## Risk

Counted from the diff:

- Not touched: public declarations, dependencies, migrations, build and CI, binary files

Files:

- `shop/cart.py` +3 −1

## Your answer

- `loops approve proposal-1f3a9c2e`

Cost: $0.42 for 1 attempt; 1,000 tokens in (90 % from cache), 50 out.
"#);
}

#[test]
fn a_rehearsal_says_so_at_the_top() {
    let mut page = page();
    page.cost.rehearsed = true;
    assert!(
        page.markdown()
            .lines()
            .nth(2)
            .is_some_and(|line| line.starts_with("> **Rehearsal.**"))
    );
}

#[test]
fn what_an_agent_wrote_can_neither_load_nor_mention_nor_close() {
    let mut page = page();
    page.account =
        "![x](https://evil.example/p.png) <img src=x> @everyone fixes #12 [a](javascript:alert(1))".into();
    page.problems[0].quotes[0].1 = Some("javascript:alert(1)".into());
    let markdown = page.markdown();
    for harm in [
        "![",
        "<img",
        "@everyone",
        "#12",
        "(<javascript",
        " [",
        "https://evil",
    ] {
        assert!(!markdown.contains(harm), "{harm} came through:\n{markdown}");
    }
}

#[test]
fn however_long_its_parts_are_a_page_fits_and_ends_with_the_answer() {
    let mut page = page();
    let long = "<&lt;*`[|@a #1\n".repeat(5_000);
    page.title = long.clone();
    page.account = long.clone();
    page.problems[0].quotes = vec![
        (
            long.clone(),
            Some(format!("https://shop.example/{}", "a".repeat(400)))
        );
        50
    ];
    page.problems = vec![page.problems[0].clone(); 50];
    page.evidence[1].words = long.clone();
    page.evidence[1].name = long.clone();
    page.evidence[1].detail = "`".repeat(8_000);
    page.evidence = vec![page.evidence[1].clone(); 60];
    page.concerns = vec![long.clone(); 60];
    page.caveats = vec![long.clone(); 60];
    page.files = vec![
        FileStat {
            path: long,
            ..page.files[0].clone()
        };
        5_000
    ];
    let markdown = page.markdown();
    assert!(
        markdown.chars().count() <= LONGEST,
        "{}",
        markdown.chars().count()
    );
    assert!(markdown.contains("## Your answer\n\n- `loops approve"));
    let alone = |tag: &str| markdown.lines().filter(|line| *line == tag).count();
    assert_eq!(alone("<details>"), alone("</details>"));
}

#[test]
fn what_a_check_printed_cannot_end_the_block_that_it_stands_in() {
    let mut page = page();
    page.evidence[1].detail = "```\n</details>\n@everyone\n`````".into();
    let markdown = page.markdown();
    let inside = markdown
        .split("\n``````text\n")
        .nth(1)
        .and_then(|rest| rest.split("\n``````\n").next());
    assert_eq!(inside, Some("```\n</details>\n@everyone\n`````"), "{markdown}");
}

#[test]
fn what_is_open_stands_at_the_top() {
    let mut page = page();
    page.concerns = vec!["It breaks leap years.".into()];
    page.evidence.clear();
    page.risk = None;
    let markdown = page.markdown();
    let head = markdown.split("## ").next().unwrap();
    for words in [
        "nothing was checked",
        "1 concern of the reviewing agent",
        "not known, as the diff could not be read",
    ] {
        assert!(head.contains(words), "{words} in:\n{head}");
    }
    for words in [
        "No test was asked for",
        "None of the repository's own checks",
        "No second agent",
    ] {
        assert!(markdown.contains(words), "{words} in:\n{markdown}");
    }
}

#[test]
fn a_large_change_folds_its_files_and_never_what_it_touches() {
    let mut page = page();
    page.files = vec![page.files[0].clone(); 11];
    let risk = Risk {
        sensitive: [(Sensitive::Migrations, vec!["db/migrate/1.sql".to_owned()])].into(),
        ..Risk::default()
    };
    page.risk = Some(risk);
    let markdown = page.markdown();
    let (open, folded) = markdown.split_once("<details>").unwrap();
    assert!(
        open.contains("- **Touches:** migrations") && open.contains("- **Migrations:** `db/migrate/1.sql`")
    );
    assert!(folded.contains("All 11 files") && folded.contains("## Your answer"));
}

#[test]
fn owners_are_named_and_not_called() {
    let mut page = page();
    let text = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,1 +1,1 @@\n-a\n+b\n";
    let diff = Diff::parse(text.as_bytes()).unwrap();
    page.risk = Some(Risk::of(&diff, Some(&Owners::parse("* @acme/core"))));
    let markdown = page.markdown();
    assert!(
        markdown.contains("- Owners: `acme/core` (1 file)") && !markdown.contains('@'),
        "{markdown}"
    );
}

#[test]
fn the_title_is_left_out_where_it_stands_already() {
    let markdown = page().markdown();
    assert!(without_title(&markdown).starts_with("- **Proof:**"));
    assert_eq!(without_title("no title\n\n# x\n"), "no title\n\n# x\n");
}
