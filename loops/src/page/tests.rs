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
                cache_write_tokens: 0,
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

## What was wrong

**Coupon only counts for one of my three mugs**: 14 reports from 9 people since 2025-11-01.

> Coupon only counts for one of my three mugs ([source](<https://shop.example/t/1>))

## What was changed, in the worker's words

> The discount was taken from the unit price.
> Now it is taken from the line.

## What was proven

| check | before | after | time | |
|---|---|---|---|---|
| ✓ unit | passes (4 ok, 0 failed) | passes (5 ok, 0 failed) | 0.4 s | all 5 tests pass |
| ✗ reproduction |  |  |  | the new test passes on the base, too |

## What was not proven

- reproduction: the new test passes on the base, too

## Risk and cost

1 file, +3 −1:

- `shop/cart.py` +3 −1

Cost: $0.42 for 1 attempt: 1000 tokens in (90 % from cache), 50 out.

## Your answer

- `loops approve proposal-1f3a9c2e`
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
