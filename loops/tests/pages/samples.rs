//! Four changes, as a reviewer meets them. The risk of each is read from a diff, as it is in a run.

use std::fmt::Write as _;

use loops::{
    budget::{Money, Usage},
    change::Diff,
    evidence::{CheckKind, Evidence, Observation, Verdict},
    owners::Owners,
    page::{Cost, FileStat, Page, Problem, Risk},
    time::Timestamp,
};

/// What `./x demo` proposes for the coupon.
pub(crate) fn demo() -> Page {
    let diff = diff(&[
        Edit::of(
            "shop/cart.py",
            "-        return sum(line.unit_price * self.coupon_percent // 100 for line in self.lines)\n+        return sum(line.total() * self.coupon_percent // 100 for line in self.lines)\n",
        ),
        Edit::of(
            "tests/test_cart.py",
            "+    def test_a_coupon_counts_for_every_piece_of_a_line(self):\n+        cart = Cart()\n+        cart.add(\"mug\", 1200, quantity=2)\n+        cart.add(\"pen\", 250)\n+        cart.apply_coupon(10)\n+        self.assertEqual(cart.discount(), 265)\n+        self.assertEqual(cart.total(), 2385)\n+\n",
        ),
    ]);
    page(
        "Take the coupon off every piece of a line",
        &diff,
        None,
        Parts {
            problems: vec![problem(
                "Discount coupon is applied to one unit only, not to the whole line",
                (14, 13),
                "2026-11-04T08:12:00Z",
                &[
                    (
                        "Coupon discount is wrong when I buy more than one of the same item. Ordered 3 mugs at 10.00 with SAVE10 and paid 29.00 instead of 27.00.",
                        Some("https://shop.example/feedback/2"),
                    ),
                    (
                        "coupon only applied once when quantity is 2 or more, I was charged too much for the order",
                        Some("https://shop.example/feedback/6"),
                    ),
                    (
                        "Hi team, the coupon discount is wrong as soon as I order more than one of an item, it seems to be taken off a single unit only.",
                        Some("https://shop.example/feedback/10"),
                    ),
                ],
            )],
            account: "`Cart.discount` took the coupon's percentage off the unit price of each line, so every piece after the first was charged in full. It now takes it off the line's total. The new test buys two mugs and a pen with a 10 % coupon; it fails without the fix and passes with it.",
            evidence: proven(
                "unit",
                (8, 9),
                420,
                "tests.test_cart.CartTest.test_a_coupon_counts_for_every_piece_of_a_line",
                "The discount follows the line's total; one piece costs what it did, and rounding is still down, per line.",
            ),
            concerns: &[],
            caveats: &["disk use (`20GiB`) is limited by measuring it from time to time"],
            cost: Cost {
                money: Money::ZERO,
                usage: usage(37_785, 0, 881),
                attempts: 1,
                rehearsed: true,
                estimated: false,
            },
            answers: local("proposal-6b3944ce"),
        },
    )
}

/// A small fix from GitHub's issues, as one wishes them to be.
pub(crate) fn fix() -> Page {
    let diff = diff(&[
        Edit::of(
            "src/import/csv.rs",
            "-    let delimiter = b',';\n+    let delimiter = sniff(&first_line);\n+}\n+\n+/// The delimiter that a header line uses.\n+fn sniff(header: &str) -> u8 {\n+    if header.matches(';').count() > header.matches(',').count() { b';' } else { b',' }\n",
        ),
        Edit::of(
            "tests/import.rs",
            "+#[test]\n+fn a_file_with_semicolons_keeps_its_columns() {\n+    let table = import(\"name;city\\nAda;London\\n\");\n+    assert_eq!(table.columns(), [\"name\", \"city\"]);\n+}\n",
        ),
    ]);
    let mut evidence = proven(
        "cargo test",
        (412, 413),
        41_800,
        "import::a_file_with_semicolons_keeps_its_columns",
        "Tried tabs, quoted semicolons, an empty file and a header of one column; all read as before.",
    );
    evidence.insert(
        3,
        run(
            "clippy",
            (Verdict::Passed, None, None),
            (Verdict::Passed, None, None),
            12_300,
            "`clippy` passes, as on the base.",
        ),
    );
    page(
        "Read CSV files that separate with semicolons",
        &diff,
        Some("/src/ @acme/core\n/src/import/ @acme/data\n/tests/ @acme/core\n"),
        Parts {
            problems: vec![problem(
                "Import puts everything into one column",
                (9, 7),
                "2026-10-28T14:03:00Z",
                &[
                    (
                        "Every file that Excel saves here (German locale) ends up in ONE column. The preview looks right, the import does not.",
                        Some("https://github.example/acme/ledger/issues/812"),
                    ),
                    (
                        "Same for me, French Excel. Renaming `;` to `,` by hand is what I do now, for 40 files a month",
                        Some("https://github.example/acme/ledger/issues/812#issuecomment-4401"),
                    ),
                    (
                        "CSV import: columns are lost with semicolon",
                        Some("https://github.example/acme/ledger/issues/847"),
                    ),
                ],
            )],
            account: "The importer always split at commas. It now looks at the header line and takes the semicolon where there are more of them.\n\nFiles with commas are read as before. Tabs are not part of this change.",
            evidence,
            concerns: &[],
            caveats: &[],
            cost: Cost {
                money: Money::usd(0.38),
                usage: usage(31_200, 214_800, 6_130),
                attempts: 1,
                rehearsed: false,
                estimated: false,
            },
            answers: github("proposal-41c07ab2"),
        },
    )
}

/// One that a reviewer has to think about: concerns, a check that could not run, one that fails on the base, too.
pub(crate) fn doubtful() -> Page {
    let diff = diff(&[
        Edit::of(
            "web/src/session/refresh.ts",
            "-export function refresh(token: Token): Promise<Token> {\n-  return post('/refresh', token);\n+export function refresh(token: Token, signal?: AbortSignal): Promise<Token> {\n+  pending ??= post('/refresh', token, signal).finally(() => { pending = undefined; });\n+  return pending;\n",
        ),
        Edit::of(
            "web/src/session/index.ts",
            "-  await refresh(token);\n+  await refresh(token, controller.signal);\n",
        ),
        Edit::of(
            "web/src/session/refresh.test.ts",
            "+test('two tabs refresh once', async () => {\n+  await Promise.all([refresh(old), refresh(old)]);\n+  expect(posts).toBe(1);\n+});\n",
        ),
        Edit::of(
            "web/package.json",
            "-    \"undici\": \"^6.0.0\",\n+    \"undici\": \"^7.1.0\",\n",
        ),
    ]);
    let mut evidence = proven(
        "npm test",
        (188, 189),
        63_000,
        "session/refresh.test.ts › two tabs refresh once",
        "",
    );
    evidence[2] = Evidence {
        before: Some(seen(Verdict::Failed, Some(186), Some(2), 61_000)),
        after: Some(seen(Verdict::Failed, Some(187), Some(2), 63_000)),
        words: "2 tests fail on the base and on the change alike: `clock › winter time`, `clock › leap day`. Nothing that passed there fails now.".into(),
        ..evidence[2].clone()
    };
    // The two that fail anyway fail here, too.
    evidence[3].before = Some(seen(Verdict::Failed, Some(186), Some(3), 63_000));
    evidence[3].after = evidence[2].after.clone();
    evidence[3].words = "1 test that passes on the change fails on the base: `session/refresh.test.ts › two tabs refresh once`.".into();
    evidence.insert(3, Evidence {
        verdict: Verdict::CouldNotRun,
        before: Some(seen(Verdict::Passed, Some(22), Some(0), 118_000)),
        after: Some(seen(Verdict::CouldNotRun, None, None, 300_000)),
        detail: "Running 22 tests using 2 workers\n  ✓ login › remembers the user (2.1s)\n  ✓ login › refuses a wrong password (1.4s)\nError: browser has been closed: out of memory\n    at Worker.run (e2e/runner.ts:88:11)\n".into(),
        ..run("e2e", (Verdict::Passed, None, None), (Verdict::CouldNotRun, None, None), 0, "`e2e` was stopped after 5 minutes; it asks for more memory than the sandbox has.")
    });
    if let Some(review) = evidence.iter_mut().find(|e| e.kind == CheckKind::AgentReview) {
        review.verdict = Verdict::Failed;
        review.words = "The reviewer keeps two points against it.".into();
    }
    page(
        "Refresh the session once when two tabs ask at the same time",
        &diff,
        Some("/web/ @acme/web\n/web/src/session/ @acme/identity @acme/web\n"),
        Parts {
            problems: vec![
                problem(
                    "Logged out at random when the app is open in two tabs",
                    (23, 19),
                    "2026-09-30T07:40:00Z",
                    &[
                        (
                            "I get logged out several times a day. Only since I keep the calendar open in a second tab.",
                            Some("https://github.example/acme/desk/issues/2204"),
                        ),
                        ("+1, lost a half-written report to this", None),
                    ],
                ),
                problem(
                    "`session expired` right after sleep",
                    (4, 3),
                    "2026-11-02T16:20:00Z",
                    &[(
                        "Laptop wakes up, both windows say session expired",
                        Some("https://github.example/acme/desk/issues/2291"),
                    )],
                ),
            ],
            account: "Both tabs posted to `/refresh` with the same token, and the server revokes a session whose token is used twice. Calls that come while one is under way now wait for that one.\n\nThe newer `undici` is needed for `AbortSignal` in the test.",
            evidence,
            concerns: &[
                "Tabs are separate pages: `pending` is a variable of one page, so two real tabs still post twice. The test calls it twice within one page.",
                "A caller that aborts its signal aborts the refresh for every other caller that waits for it (refresh.ts, line 3).",
            ],
            caveats: &[
                "memory (`4GiB`) is limited for each process, not for all of them",
                "disk use (`20GiB`) is limited by measuring it from time to time",
            ],
            cost: Cost {
                money: Money::usd(1.94),
                usage: usage(88_400, 1_120_000, 31_020),
                attempts: 3,
                rehearsed: false,
                estimated: true,
            },
            answers: github("proposal-9b2e77d0"),
        },
    )
}

/// One that is too large to be read in a minute; the page says where to begin.
pub(crate) fn large() -> Page {
    let mut edits = vec![
        Edit::of(
            "migrations/20261112_amounts_in_cents.sql",
            "+ALTER TABLE invoice ADD COLUMN amount_cents BIGINT;\n+UPDATE invoice SET amount_cents = ROUND(amount * 100);\n",
        ),
        Edit::of("pyproject.toml", "-python-decimal-utils = \"^1.2\"\n"),
        Edit::of(
            "poetry.lock",
            "-name = \"python-decimal-utils\"\n-version = \"1.2.0\"\n",
        ),
        Edit::of(
            ".github/workflows/ci.yml",
            "-      - run: pytest\n+      - run: pytest -W error\n",
        ),
        Edit::of(
            "billing/money.py",
            "-def parse(text):\n-def total(lines):\n-class Amount(float):\n+def parse(text, currency):\n+class Money:\n+    def plus(self, other):\n+    def times(self, n):\n+    def split(self, parts):\n",
        ),
        Edit::of(
            "billing/export/datev.py",
            "-def write(invoice, amount):\n+def write(invoice, amount_cents):\n",
        ),
    ];
    for (folder, files) in [
        ("billing/api", 9),
        ("billing/reports", 7),
        ("billing/export", 5),
        ("tests/billing", 16),
    ] {
        for n in 0..files {
            let name = [
                "invoice", "reminder", "refund", "tax", "discount", "ledger", "payment", "customer",
            ][n % 8];
            let number = n / 8;
            let path = format!(
                "{folder}/{}{name}{}.py",
                if folder.starts_with("tests") { "test_" } else { "" },
                if number == 0 {
                    String::new()
                } else {
                    format!("_{number}")
                }
            );
            edits.push(Edit { path, lines: "-    amount = float(row['amount'])\n-    return round(amount, 2)\n+    amount = Money(row['amount_cents'])\n+    return amount\n".repeat(n % 4 + 1) });
        }
    }
    let diff = diff(&edits);
    let mut evidence = proven(
        "pytest",
        (1_904, 1_921),
        164_000,
        "tests.billing.test_tax.test_three_thirds_are_a_whole",
        "Looked for amounts that are still floats: none in billing/; reports/ formats cents as it formatted euros.",
    );
    evidence.insert(
        3,
        run(
            "types",
            (Verdict::Passed, None, None),
            (Verdict::Passed, None, None),
            38_000,
            "`types` passes, as on the base.",
        ),
    );
    evidence.insert(
        4,
        run(
            "schema",
            (Verdict::Passed, Some(12), Some(0)),
            (Verdict::Passed, Some(13), Some(0)),
            21_000,
            "`schema` passes, as on the base: 13 tests passed.",
        ),
    );
    page(
        "Count money in whole cents, so that totals of invoices add up",
        &diff,
        Some("* @acme/billing\n/migrations/ @acme/data @acme/billing\n/.github/ @acme/platform\n"),
        Parts {
            problems: vec![
                problem(
                    "Invoice total is one cent off",
                    (31, 22),
                    "2026-08-19T09:00:00Z",
                    &[
                        (
                            "Three lines of 33.33 and the total says 99.98. Our accountant sends every one of these back.",
                            Some("https://github.example/acme/billing/issues/390"),
                        ),
                        (
                            "total on PDF ≠ total in DATEV export (1 cent)",
                            Some("https://github.example/acme/billing/issues/402"),
                        ),
                    ],
                ),
                problem(
                    "test_tax fails on some machines",
                    (6, 0),
                    "2026-10-04T03:10:00Z",
                    &[(
                        "AssertionError: 19.000000000000004 != 19.0",
                        Some("https://github.example/acme/billing/actions/runs/77120"),
                    )],
                ),
            ],
            account: "Amounts were floats, so sums of rounded lines drifted. They are whole cents now, in a type `Money` that rounds in one place.\n\n- `billing/money.py`: the type, and what it replaces\n- the migration fills `amount_cents` from `amount`; the old column stays until the next release\n- everything else follows from the type",
            evidence,
            concerns: &[],
            caveats: &[],
            cost: Cost {
                money: Money::usd(6.12),
                usage: usage(402_000, 3_980_000, 118_400),
                attempts: 2,
                rehearsed: false,
                estimated: false,
            },
            answers: github("proposal-d03b6f18"),
        },
    )
}

// --- what they are made of ---------------------------------------------------------------------------------------

struct Parts {
    problems: Vec<Problem>,
    account: &'static str,
    evidence: Vec<Evidence>,
    concerns: &'static [&'static str],
    caveats: &'static [&'static str],
    cost: Cost,
    answers: Vec<String>,
}

fn page(title: &str, diff: &Diff, owners: Option<&str>, parts: Parts) -> Page {
    let own = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect();
    Page {
        title: title.to_owned(),
        problems: parts.problems,
        account: parts.account.to_owned(),
        evidence: parts.evidence,
        concerns: own(parts.concerns),
        files: diff.files.iter().map(FileStat::of).collect(),
        risk: Some(Risk::of(diff, owners.map(Owners::parse).as_ref())),
        caveats: own(parts.caveats),
        cost: parts.cost,
        answers: parts.answers,
    }
}

struct Edit {
    path: String,
    lines: String,
}

impl Edit {
    fn of(path: &str, lines: &str) -> Self {
        Self {
            path: path.to_owned(),
            lines: lines.to_owned(),
        }
    }
}

/// What git would write of these edits. One without removed lines, at the top of a migration, is a new file.
fn diff(edits: &[Edit]) -> Diff {
    let mut text = String::new();
    for Edit { path, lines } in edits {
        let count = |sign| lines.lines().filter(|line| line.starts_with(sign)).count();
        let (removed, added) = (count('-'), count('+'));
        let new = path.starts_with("migrations/");
        let mode = if new { "new file mode 100644\n" } else { "" };
        let old = if new {
            "/dev/null".to_owned()
        } else {
            format!("a/{path}")
        };
        let from = if new { "0,0" } else { "10" };
        let range = if new {
            from.to_owned()
        } else {
            format!("{from},{removed}")
        };
        let to = if new { 1 } else { 10 };
        let _ = write!(
            text,
            "diff --git a/{path} b/{path}\n{mode}--- {old}\n+++ b/{path}\n@@ -{range} +{to},{added} @@\n{lines}"
        );
    }
    Diff::parse(text.as_bytes()).unwrap()
}

fn problem(
    title: &str,
    (signals, reporters): (u32, u32),
    since: &str,
    quotes: &[(&str, Option<&str>)],
) -> Problem {
    Problem {
        title: title.to_owned(),
        signals,
        reporters,
        since: Timestamp::parse(since).unwrap(),
        quotes: quotes
            .iter()
            .map(|(words, url)| ((*words).to_owned(), url.map(str::to_owned)))
            .collect(),
    }
}

fn seen(verdict: Verdict, passed: Option<u32>, failed: Option<u32>, duration_ms: u64) -> Observation {
    Observation {
        verdict,
        exit_code: Some(i32::from(verdict != Verdict::Passed)),
        passed,
        failed,
        skipped: None,
        duration_ms,
    }
}

fn judged(name: &str, kind: CheckKind, words: &str) -> Evidence {
    Evidence {
        name: name.to_owned(),
        kind,
        verdict: Verdict::Passed,
        before: None,
        after: None,
        words: words.to_owned(),
        detail: String::new(),
    }
}

type Side = (Verdict, Option<u32>, Option<u32>);

fn run(name: &str, before: Side, after: Side, ms: u64, words: &str) -> Evidence {
    Evidence {
        before: Some(seen(before.0, before.1, before.2, ms)),
        after: Some(seen(after.0, after.1, after.2, ms)),
        ..judged(name, CheckKind::Command, words)
    }
}

/// All that a run looks at, and all of it good: `tests` that passed on the base and pass on the change.
fn proven(name: &str, tests: (u32, u32), ms: u64, test: &str, review: &str) -> Vec<Evidence> {
    let (before, after) = tests;
    let passes = |n| (Verdict::Passed, Some(n), Some(0));
    vec![
        judged(
            "boundaries",
            CheckKind::Boundaries,
            "all files within what may be changed",
        ),
        judged(
            "screens",
            CheckKind::Screen,
            "no secret and no hidden text in what would leave",
        ),
        run(
            name,
            passes(before),
            passes(after),
            ms,
            &format!("`{name}` passes, as on the base: {after} tests passed."),
        ),
        Evidence {
            kind: CheckKind::Reproduction,
            ..run(
                "reproduction",
                (Verdict::Failed, Some(before), Some(1)),
                passes(after),
                ms,
                &format!("1 test fails on the base (`{test}`), and all pass on the change."),
            )
        },
        judged(
            "weakened tests",
            CheckKind::WeakenedTests,
            "No test was removed, skipped or loosened.",
        ),
        judged("independent review", CheckKind::AgentReview, review),
    ]
}

fn usage(input: u64, cached: u64, output: u64) -> Usage {
    Usage {
        input_tokens: input,
        output_tokens: output,
        cache_read_tokens: cached,
        cache_write_tokens: 0,
        ..Usage::default()
    }
}

fn local(id: &str) -> Vec<String> {
    vec![
        format!("yes: `loops approve {id}`"),
        format!("not like this: `loops revise {id} \"what should be different\"`"),
        format!("no: `loops reject {id} --reason \"why\"` (and `--never` if nothing of the kind is wanted)"),
    ]
}

fn github(id: &str) -> Vec<String> {
    vec![
        "yes: merge it".to_owned(),
        "not like this: request changes, or comment `/loops revise` and what should be different".to_owned(),
        "no: close it, with a word why; that is remembered (`/loops never` if nothing of the kind is wanted)"
            .to_owned(),
        format!("from a terminal: `loops review {id}`"),
    ]
}
