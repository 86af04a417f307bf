use serde_json::Value;

use super::*;

const WHOLE: &str = include_str!("../fixtures/whole.yaml");
const SMALL: &str =
    "name: a\nkind: fix\nrepo: ..\nschedule: { every: 10m }\nsources:\n  - file: { path: f.jsonl }\n";

fn known() -> Known {
    Known {
        models: ["top", "standard", "small", "claude-sonnet-4-5"]
            .map(str::to_owned)
            .to_vec(),
    }
}

fn errors(text: &str) -> Vec<SpecError> {
    read("loop.yaml", text, &known()).err().unwrap_or_default()
}

/// Each error in a line: place, key, message, and what was probably meant.
fn lines(text: &str) -> Vec<String> {
    let meant = |error: &SpecError| {
        error
            .nearest
            .as_ref()
            .map_or(String::new(), |word| format!(" -> {word}"))
    };
    errors(text)
        .iter()
        .map(|e| format!("{}:{} {} {}{}", e.line, e.column, e.path, e.message, meant(e)))
        .collect()
}

fn small_with(more: &str) -> String {
    format!("{SMALL}{more}")
}

#[test]
fn the_whole_example_of_the_surface_page_is_a_loop() {
    let spec = read("whole.yaml", WHOLE, &known()).unwrap();
    assert_eq!(
        spec.notify.reporters,
        OnOff::Off,
        "`off` is a word, not a boolean"
    );
    assert_eq!(spec.sources.len(), 5);
    assert_eq!(spec.checks.commands[0].timeout, "10m".parse().unwrap());
}

#[test]
fn ten_lines_make_a_loop_with_every_default() {
    let spec = read("small.yaml", SMALL, &known()).unwrap();
    assert_eq!(spec.base, "main");
    assert!(spec.workers.contains_key("fix"));
    assert_eq!(spec.sandbox, Sandbox::default());
}

#[test]
fn what_a_loop_is_written_as_reads_as_the_same_loop() {
    let spec = read("whole.yaml", WHOLE, &known()).unwrap();
    let json = serde_json::to_string_pretty(&spec).unwrap();
    assert_eq!(read("again.yaml", &json, &known()).unwrap(), spec);
}

#[test]
fn all_errors_of_a_file_come_at_once_in_the_order_of_its_text() {
    let text = "\
nmae: Shop
kind: fxi
repo: shop
base: -x
schedule:
  every: 10
  overlap: maybe
sources:
  - slack: { channels: [feedback], lookbak: 7d }
  - fiel: { path: 3 }
triage: { max_findings: many }
lead: { model: topp }
workers:
  fix: { prompt: ../x.md }
boundaries: { write: ['[a'], deny: [/etc/**] }
budget: { task: 20 USD, run: 3 EUR }
notify: { slack: general }
";
    insta::assert_snapshot!(lines(text).join("\n"), @r#"
    1:1 nmae unknown key `nmae` -> name
    1:7 name this cannot be a loop's name
    2:7 kind `fxi` is not one of the words that may stand here -> fix
    3:7 repo this names no repository
    4:7 base this cannot be a branch's name
    6:10 schedule.every a length of time with its unit, like `10m`, is wanted here, not the number `10`
    7:12 schedule.overlap `maybe` is not one of the words that may stand here
    9:25 sources[0].slack.channels[0] a channel's name begins with `#` and has no spaces or capitals, like `#shop-feedback`
    9:36 sources[0].slack.lookbak unknown key `lookbak` -> lookback
    10:5 sources[1].fiel unknown key `fiel` -> file
    10:19 sources[1].file.path text is wanted here, not the number `3`; put it in quotes if it is meant as text
    11:25 triage.max_findings a whole number is wanted here, not the text "many"
    12:16 lead.model there is no model `topp` here, or its price is not known -> top
    14:18 workers.fix.prompt a prompt is a file beside this one; name it without a folder
    15:23 boundaries.write[0] this is not a glob: unclosed character class; missing ']'
    15:37 boundaries.deny[0] a glob here is from the repository's top: no leading `/`, no `..`
    16:30 budget.run `3 EUR` is not an amount of money; write a number and USD, like `3 USD`
    17:18 notify.slack a channel's name begins with `#` and has no spaces or capitals, like `#shop-feedback`
    "#);
}

#[test]
fn errors_are_shown_with_their_source_line() {
    let text = small_with("lead:\n  model: topp\n  efort: high\n");
    let shown = render(&errors(&text), &text, false);
    insta::assert_snapshot!(shown, @"
    error: there is no model `topp` here, or its price is not known
     --> loop.yaml:8:10
      |
    8 |   model: topp
      |          ^^^^ did you mean `top`?
      = key: lead.model
      = value: topp
      = allowed: `top`, `standard`, `small`, `claude-sonnet-4-5`

    error: unknown key `efort`
     --> loop.yaml:9:3
      |
    9 |   efort: high
      |   ^^^^^ did you mean `effort`?
      = key: lead.efort
      = allowed: `model`, `effort`, `max_turns`
    ");
    assert!(!shown.contains('\u{1b}'));
    assert!(render(&errors(&text), &text, true).contains("\u{1b}[1;31m"));
}

#[test]
fn what_a_file_holds_of_control_characters_never_reaches_a_terminal() {
    let text = small_with("description: \"\\e[31m\"\n\"\\e[2J\": 1\n\u{202e}x: 1\n");
    let shown = render(&errors(&text), &text, false);
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
}

#[test]
fn a_column_counts_characters_and_a_long_line_is_shown_around_it() {
    let text = small_with(&format!(
        "description: ü\ntriage: {{ half_life: {}, x: 1 }}\n",
        "ä".repeat(400)
    ));
    let found = errors(&text);
    let shown = render(&found, &text, false);
    assert!(shown.lines().all(|line| line.chars().count() < 500), "{shown}");
    assert_eq!(found[1].path, "triage.x");
    assert_eq!(found[1].column, 424);
    let (source, marks) = shown.lines().skip_while(|line| !line.contains("x: 1")).fold(
        (None, None),
        |(source, marks): (Option<usize>, Option<usize>), line| {
            let at = |needle| line.find(needle).map(|byte| line[..byte].chars().count());
            (source.or(at("x: 1")), marks.or(at("^")))
        },
    );
    assert_eq!(source, marks, "{shown}");
}

#[test]
fn a_missing_key_is_said_once_and_a_wrong_one_is_not_also_missing() {
    assert_eq!(
        lines("kind: fix\n"),
        [
            "1:1 name the key `name` is missing",
            "1:1 repo the key `repo` is missing",
            "1:1 sources the key `sources` is missing",
            "1:1 schedule a loop needs a `schedule` or `triggers`; nothing would ever start it",
        ]
    );
    let text = SMALL.replace("name: a", "name: [a]");
    assert_eq!(lines(&text), ["1:7 name text is wanted here, not a list"]);
    let nested = small_with("checks:\n  commands:\n    - { run: x, nam: y }\n    - { name: z }\n");
    assert_eq!(
        lines(&nested),
        [
            "9:17 checks.commands[0].nam unknown key `nam` -> name",
            "10:7 checks.commands[1].run the key `run` is missing",
        ]
    );
}

#[test]
fn keys_that_need_or_exclude_each_other_are_told_so() {
    let text = SMALL.replace("{ every: 10m }", "{ every: 10m, cron: 0 6 * * * }");
    assert!(lines(&text)[0].contains("not both"));
    let text = SMALL.replace("{ every: 10m }", "{ cron: 0 6 * *, timezone: Europe/Berln }");
    let found = lines(&text);
    assert!(found[0].contains("five fields"), "{found:?}");
    assert!(found[1].ends_with("-> Europe/Berlin"), "{found:?}");
    assert!(lines(&SMALL.replace("kind: fix", "kind: instruction"))[0].contains("needs a `prompt`"));
    let twins = "checks:\n  commands: [{ name: a, run: x }, { name: a, run: y }]\n";
    assert!(lines(&small_with(twins))[0].starts_with("8:43 checks.commands[1].name another check"));
    assert!(lines(&small_with("budget: { task: 20 USD }\n"))[0].contains("more than its whole run (10 USD)"));
}

#[test]
fn yaml_that_is_broken_or_a_trap_is_one_clear_error() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n";
    let deep = format!("a: {}", "[".repeat(100_000));
    let deep_block: String = (0..200).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    for (text, words) in [
        ("", "empty"),
        ("# nothing\n", "empty"),
        ("- a\n- b\n", "a loop is a set of keys"),
        ("name: a\n---\nname: b\n", "second document"),
        ("name: a\n\tkind: fix\n", "tab"),
        ("name: 'a\n", "not yaml"),
        ("name: *x\n", "not yaml"),
        ("a: &a [*a]\n", "alias cannot stand inside"),
        ("a: !ruby/object x\n", "the tag `!ruby/object`"),
        ("? [a]\n: b\n", "a key must be plain text"),
        ("<<: { a: b }\n", "merge keys"),
        (bomb, "unfolds to more than"),
        (&deep, "deeper"),
        (&deep_block, "deeper"),
        (&"x".repeat(300_000), "at most 262144"),
        ("%YAML 1.2\n---\nname: a\n", "not yaml"),
    ] {
        let found = errors(text);
        let shown = text.chars().take(40).collect::<String>();
        assert_eq!(found.len(), 1, "{shown}: {found:?}");
        assert!(
            found[0].message.to_lowercase().contains(words),
            "{shown}: {}",
            found[0].message
        );
        assert!(!render(&found, text, false).is_empty());
    }
}

#[test]
fn bytes_that_are_not_text_are_named_with_their_place() {
    let error = &decode("x.yaml", b"name: a\nkind: \xff\n").unwrap_err()[0];
    assert_eq!((error.line, error.column, error.file.as_str()), (2, 7, "x.yaml"));
    assert!(decode("x.yaml", &vec![b'a'; 300_000]).is_err());
    assert_eq!(decode("x.yaml", b"name: a").unwrap(), "name: a");
}

#[test]
fn a_key_that_is_there_twice_hides_nothing_else() {
    let found = lines(&small_with("name: b\nbase: [x]\nname: c\n"));
    assert_eq!(
        found,
        [
            "7:1 name the key `name` is there twice; the first is on line 1",
            "8:7 base text is wanted here, not a list",
            "9:1 name the key `name` is there twice; the first is on line 1",
        ]
    );
}

#[test]
fn a_file_of_nothing_but_errors_ends_soon() {
    let junk: String = (0..3_000).map(|i| format!("zzz{i}: 1\n")).collect();
    let found = errors(&small_with(&junk));
    assert!((100..=101).contains(&found.len()), "{}", found.len());
}

#[test]
fn words_that_yaml_once_took_for_booleans_are_words() {
    for (word, meant) in [("off", OnOff::Off), ("on", OnOff::On)] {
        let spec = read(
            "x",
            &small_with(&format!("notify: {{ reporters: {word} }}\n")),
            &known(),
        )
        .unwrap();
        assert_eq!(spec.notify.reporters, meant);
    }
    assert!(lines(&small_with("proposal: { draft: yes }\n"))[0].contains("`true` or `false` is wanted"));
    let spec = read(
        "x",
        &small_with("lead: none\nsandbox: none\nchecks: { agent_review: none }\n"),
        &known(),
    )
    .unwrap();
    assert_eq!((spec.lead, spec.sandbox), (LeadChoice::None, Sandbox::None));
}

/// Every object of the schema, with the path that leads to it from the top through `properties`.
fn objects(schema: &Value) -> Vec<(&str, &Value)> {
    let defs = schema["$defs"].as_object().unwrap();
    defs.iter()
        .map(|(name, def)| (name.as_str(), def))
        .chain([("Loop", schema)])
        .collect()
}

#[test]
fn the_schema_refuses_unknown_keys_at_every_level_and_describes_all_known_ones() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["title"], "Loop");
    let mut keys = 0;
    for (name, object) in objects(&schema) {
        let Some(properties) = object["properties"].as_object() else {
            continue;
        };
        assert_eq!(object["additionalProperties"], false, "{name}");
        for (key, property) in properties {
            keys += 1;
            assert!(property["description"].is_string(), "{name}.{key}");
        }
    }
    assert!(keys > 60, "{keys}");
}

/// Every map in a loop, as the path that leads to it.
fn maps(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            out.push(path.to_owned());
            entries
                .iter()
                .for_each(|(key, value)| maps(value, &format!("{path}/{key}"), out));
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, value)| maps(value, &format!("{path}/{i}"), out)),
        _ => {}
    }
}

#[test]
fn an_unknown_key_is_refused_wherever_it_stands() {
    let whole = serde_json::to_value(read("whole.yaml", WHOLE, &known()).unwrap()).unwrap();
    let mut places = Vec::new();
    maps(&whole, "", &mut places);
    assert!(places.len() > 25, "{}", places.len());
    for place in places {
        let mut copy = whole.clone();
        copy.pointer_mut(&place).unwrap()["zzzz"] = Value::from(1);
        let found = errors(&copy.to_string());
        assert!(
            found
                .iter()
                .any(|error| error.path.contains("zzzz") || error.message.contains("one key is wanted")),
            "{place}"
        );
    }
}

#[test]
fn a_version_is_of_what_a_loop_means_not_of_how_it_is_written() {
    let one = read("a", SMALL, &known()).unwrap();
    let other = read("b", &format!("# other\nbase: main\n{SMALL}"), &known()).unwrap();
    assert_eq!(version(&one), version(&other));
    assert_eq!(version(&one).len(), 12);
    let third = read("c", &small_with("triage: { max_findings: 4 }\n"), &known()).unwrap();
    assert_ne!(version(&one), version(&third));
}

#[test]
fn what_cannot_be_done_yet_is_named_and_the_rest_is_not() {
    let whole = read("whole.yaml", WHOLE, &known()).unwrap();
    let paths: Vec<String> = unavailable(&whole).into_iter().map(|one| one.path).collect();
    assert_eq!(paths, [""; 0]);
    let elsewhere = WHOLE.replace("repo: acme/shop", "repo: ../shop");
    let elsewhere = read("whole.yaml", &elsewhere, &known()).unwrap();
    let paths: Vec<String> = unavailable(&elsewhere).into_iter().map(|one| one.path).collect();
    for only_there in ["sources[1].github_issues", "triage.trust.members", "proposal.as"] {
        assert!(
            paths.iter().any(|path| path == only_there),
            "{only_there}: {paths:?}"
        );
    }
    let mut small = read("small.yaml", SMALL, &known()).unwrap();
    assert_eq!(unavailable(&small), []);
    small.triage.trust.members = Some(1);
    assert_eq!(unavailable(&small)[0].path, "triage.trust.members");
    small.triage.trust.names = vec!["anna".to_owned()];
    assert_eq!(unavailable(&small), []);
}

#[test]
fn addresses_pointers_and_columns_that_cannot_be_are_told_of_where_they_stand() {
    let sources = "sources:\n\
        \x20 - json: { url: \"http://intern.example/x\", items: data, fields: { text: body }, next_param: page }\n\
        \x20 - json: { url: \"https://ann:pw@a.example/\", fields: { text: /t } }\n\
        \x20 - rss: { url: \"ftp://a.example/feed\" }\n\
        \x20 - csv: { path: \"*.csv\", delimiter: \"::\", columns: { text: \" \" } }\n\
        \x20 - sentry: { organization: \"a/b\", project: shop, credential: s }\n\
        \x20 - sarif: { path: \"[\" }\n";
    let text = SMALL.replace("sources:\n", sources);
    let paths: Vec<String> = errors(&text).into_iter().map(|error| error.path).collect();
    let wanted = [
        "sources[0].json.url",
        "sources[0].json.items",
        "sources[0].json.next_param",
        "sources[0].json.fields.text",
        "sources[1].json.url",
        "sources[2].rss.url",
        "sources[3].csv.delimiter",
        "sources[3].csv.columns.text",
        "sources[4].sentry.organization",
        "sources[5].sarif.path",
    ];
    for path in wanted {
        assert!(paths.iter().any(|found| found == path), "{path}: {paths:?}");
    }
    assert_eq!(paths.len(), wanted.len(), "{paths:?}");
}

mod against_schema;

mod hostile {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_makes_the_reader_panic(text in "([a-z]{1,6}|[:\\-&*!?|>{}\\[\\],'\"#%@\t\n ]){0,80}") {
            let found = errors(&text);
            prop_assert!(found.iter().all(|error| error.line >= 1 && error.column >= 1));
            render(&found, &text, true);
        }

        #[test]
        fn a_loop_with_a_piece_cut_out_is_read_or_refused_in_words(from in 0..WHOLE.len(), length in 1_usize..60) {
            let (from, to) = (WHOLE.floor_char_boundary(from), WHOLE.ceil_char_boundary((from + length).min(WHOLE.len())));
            let text = format!("{}{}", &WHOLE[..from], &WHOLE[to..]);
            render(&errors(&text), &text, false);
        }
    }
}

#[test]
fn an_error_from_elsewhere_stands_at_its_key_or_at_the_nearest_above() {
    let text = small_with("workers:\n  fix: { prompt: x.md }\n");
    let at = |path| {
        let error = error_at("a.yaml", &text, path, "m");
        (error.line, error.column, error.value)
    };
    assert_eq!(at("workers.fix.prompt"), (8, 18, Some("x.md".to_owned())));
    assert_eq!(at("workers.fix.model"), (8, 8, None));
    assert_eq!(at("lead.model"), (1, 1, None));
}

#[test]
fn an_alias_is_measured_before_it_is_unfolded() {
    let text = format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(3_000), "*a,".repeat(50));
    let found = errors(&text);
    assert_eq!(
        (found.len(), found[0].line, found[0].column),
        (1, 2, 11),
        "the third alias is too much: {found:?}"
    );
}

#[test]
fn weights_and_redactions_are_judged_where_they_stand() {
    let text = small_with(
        "redact: { mail: [email], file: [e-mail, \"/(/\", \"/ok[0-9]/\"] }\ntriage: { weights: { labels: { p0: 1000 }, \
         customers: { \"acme-*\": -1 }, areas: { checkout: 2, \"@acme/pay\": 2 } } }\n",
    );
    let found = errors(&text);
    let paths: Vec<&str> = found.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "redact.mail",
            "redact.file[0]",
            "redact.file[1]",
            "triage.weights.labels.p0",
            "triage.weights.customers.acme-*",
            "triage.weights.areas.checkout",
        ],
        "{found:#?}"
    );
}
