//! Facts about file sources, on real files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Write,
    path::Path,
};

use loops::{
    cluster::{Cluster, Index, Known},
    finding::{thresholds, title},
    id::{FindingId, SignalId},
    score::{Fact, score},
    signal::{Signal, Voice, is_noise},
    time::Timestamp,
};
use tempfile::TempDir;

use super::*;

fn source(path: &str) -> PathSource {
    PathSource {
        path: path.to_owned(),
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn get(folder: &Path, path: &str, cursor: Option<&str>) -> Batch {
    read(&source(path), folder, cursor).expect("readable")
}

fn texts(batch: &Batch) -> Vec<&str> {
    batch.signals.iter().map(|signal| signal.text.as_str()).collect()
}

/// Sets a file's time back, so that its time proves that it did not change since.
fn settle(path: &Path) {
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_modified(then))
        .expect("a time");
}

#[test]
fn every_field_of_a_line_is_read() {
    let at = folder();
    let line = r#"{"id": 7, "at": "2026-11-03T09:14:40+01:00", "author": "ann", "text": "a\nb", "url": "https://x.example/7", "reactions": {"+1": 4}, "labels": ["bug"], "thread": "t1", "other": null}"#;
    fs::write(at.path().join("f.jsonl"), line).expect("written");
    let batch = get(at.path(), "./f.jsonl", None);
    let [signal] = &batch.signals[..] else {
        panic!("{batch:?}")
    };
    assert_eq!(
        (signal.source.as_str(), signal.external_id.as_str()),
        ("file:f.jsonl", "7")
    );
    assert_eq!(
        signal.at,
        Timestamp::parse("2026-11-03T08:14:40Z").expect("a time")
    );
    assert_eq!(
        (signal.author.as_deref(), signal.text.as_str(), signal.voice),
        (Some("ann"), "a\nb", Voice::Person)
    );
    assert_eq!(
        (
            signal.reactions["+1"],
            signal.labels[0].as_str(),
            signal.thread.as_deref()
        ),
        (4, "bug", Some("t1"))
    );
    assert!(batch.skipped.is_empty());
}

#[test]
fn bad_lines_are_named_and_the_rest_is_read() {
    let at = folder();
    let path = at.path().join("f.jsonl");
    let mut file = File::create(&path).expect("a file");
    file.write_all(b"\xef\xbb\xbf{\"text\": \"one\"}\r\n\n{\"text\": 5}\nnot json\n{\"txt\": \"x\"}\n{\"text\": \"\xff\"}\n").expect("written");
    file.write_all(b"{\"text\": \"x\", \"at\": \"yesterday\"}\n{\"text\": \"  \"}\n{\"text\": \"")
        .expect("written");
    file.write_all(&vec![b'a'; 3 << 20]).expect("written");
    file.write_all(b"\"}\n{\"text\": \"last\"}").expect("written");
    let batch = get(at.path(), "f.jsonl", None);
    assert_eq!(texts(&batch), ["one", "last"]);
    let said: Vec<String> = batch
        .skipped
        .iter()
        .map(|skipped| format!("{}: {}", skipped.place, skipped.why))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
        f.jsonl line 3: `text`: invalid type: integer `5`, expected a string
        f.jsonl line 4: it is not JSON: expected ident at column 2
        f.jsonl line 5: missing field `text`
        f.jsonl line 6: it is not UTF-8 from its byte 11 on
        f.jsonl line 7: `at` is `yesterday`, not an RFC 3339 time
        f.jsonl line 8: `text` is empty
        f.jsonl line 9: the line is longer than 1 MiB
        "#);
    assert_eq!(
        batch.signals[0].at,
        Timestamp(
            fs::metadata(&path)
                .and_then(|meta| meta.modified())
                .ok()
                .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
                .map_or(0, |time| time.as_millis() as i64)
        )
    );
}

#[test]
fn nothing_is_read_twice_and_what_was_added_is_read() {
    let at = folder();
    let path = at.path().join("f.jsonl");
    fs::write(&path, "{\"text\": \"one\"}\n{\"text\": \"two\"}").expect("written");
    let first = get(at.path(), "f.jsonl", None);
    let again = get(at.path(), "f.jsonl", Some(&first.cursor));
    assert_eq!((texts(&first), texts(&again)), (vec!["one", "two"], vec![]));
    fs::write(
        &path,
        "{\"text\": \"one\"}\n{\"text\": \"two\"}\nbad\n{\"text\": \"three\"}\n",
    )
    .expect("written");
    let more = get(at.path(), "f.jsonl", Some(&again.cursor));
    assert_eq!(texts(&more), ["three"]);
    assert_eq!(more.skipped[0].place, "f.jsonl line 3");
}

#[test]
fn a_line_that_is_still_being_written_is_read_when_it_is_whole() {
    let at = folder();
    let path = at.path().join("f.jsonl");
    fs::write(&path, "{\"text\": \"one\"}\n{\"text\": \"tw").expect("written");
    let first = get(at.path(), "f.jsonl", None);
    assert_eq!((texts(&first), first.skipped.len()), (vec!["one"], 1));
    fs::write(&path, "{\"text\": \"one\"}\n{\"text\": \"two\"}\n").expect("written");
    assert_eq!(texts(&get(at.path(), "f.jsonl", Some(&first.cursor))), ["two"]);
}

#[test]
fn a_rewritten_file_gives_the_same_ids_and_an_edit_is_a_new_version() {
    let at = folder();
    let path = at.path().join("f.jsonl");
    fs::write(
        &path,
        "{\"text\": \"no id\"}\n{\"id\": \"a\", \"text\": \"old\"}\n",
    )
    .expect("written");
    let first = get(at.path(), "f.jsonl", None);
    fs::write(
        &path,
        "{\"id\": \"a\", \"text\": \"new\"}\n{\"text\": \"no id\"}\n{\"id\": \"a\", \"text\": \"newer\"}\n",
    )
    .expect("written");
    let second = get(at.path(), "f.jsonl", Some(&first.cursor));
    assert_eq!(texts(&second), ["newer", "no id"]);
    assert_eq!(
        (second.signals[0].id, second.signals[1].id),
        (first.signals[1].id, first.signals[0].id)
    );
}

#[test]
fn an_unchanged_old_file_is_not_even_opened_for_reading() {
    let at = folder();
    let path = at.path().join("f.jsonl");
    fs::write(&path, "{\"text\": \"one\"}\n").expect("written");
    settle(&path);
    let first = get(at.path(), "f.jsonl", None);
    fs::write(&path, "{\"text\": \"two\"}\n").expect("written");
    settle(&path);
    assert!(
        get(at.path(), "f.jsonl", Some(&first.cursor)).signals.is_empty(),
        "same size and time: taken for unchanged"
    );
}

#[test]
fn a_file_that_changed_just_now_is_read_whatever_its_time_says() {
    let at = folder();
    let path = at.path().join("f.jsonl");
    let now = std::time::SystemTime::now();
    let write = |text: &str| {
        fs::write(&path, text).expect("written");
        File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(now))
            .expect("a time");
    };
    write("{\"text\": \"one\"}\n");
    let first = get(at.path(), "f.jsonl", None);
    write("{\"text\": \"two\"}\n");
    assert_eq!(texts(&get(at.path(), "f.jsonl", Some(&first.cursor))), ["two"]);
}

#[test]
fn a_cursor_that_cannot_be_understood_counts_as_none() {
    let at = folder();
    fs::write(at.path().join("f.jsonl"), "{\"text\": \"one\"}\n").expect("written");
    assert_eq!(texts(&get(at.path(), "f.jsonl", Some("gibberish"))), ["one"]);
}

#[test]
fn a_glob_means_the_files_that_match_and_may_mean_none() {
    let at = folder();
    fs::create_dir_all(at.path().join("in/deep")).expect("folders");
    fs::write(at.path().join("in/a.jsonl"), "{\"text\": \"a\"}\n").expect("written");
    fs::write(at.path().join("in/deep/b.jsonl"), "{\"text\": \"b\"}\n").expect("written");
    fs::write(at.path().join("in/c.txt"), "{\"text\": \"c\"}\n").expect("written");
    let all = get(at.path(), "in/**/*.jsonl", None);
    assert_eq!(texts(&all), ["a", "b"]);
    assert_eq!(all.signals[1].source, "file:in/deep/b.jsonl");
    assert_eq!(texts(&get(at.path(), "in/*.jsonl", None)), ["a"]);
    assert!(get(at.path(), "none/*.jsonl", None).signals.is_empty());
}

#[test]
fn what_cannot_be_a_source_is_refused_in_plain_words() {
    let at = folder();
    fs::create_dir(at.path().join("empty")).expect("a folder");
    fs::write(at.path().join("bad.zip"), b"PK\x03\x04 and nothing").expect("written");
    nix::unistd::mkfifo(&at.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let said = |path: &str| {
        let error = read(&source(path), at.path(), None)
            .expect_err("refused")
            .to_string();
        error.replace(&at.path().to_string_lossy().into_owned(), "…")
    };
    insta::assert_snapshot!(["gone.jsonl", "empty", "pipe", "/dev/null", "bad.zip", "a[*.jsonl"].map(said).join("\n"), @r#"
        there is no file at `…/gone.jsonl`; check the `path` of the source, it counts from the spec's folder
        `…/empty` is not a Slack export: it has neither `channels.json` nor `users.json` nor a folder of days like `general/2026-11-03.json`
        `…/pipe` is a pipe; a source is a JSONL file, or a Slack export as a folder or a zip
        `/dev/null` is a device; a source is a JSONL file, or a Slack export as a folder or a zip
        `…/bad.zip` cannot be read as a zip: invalid Zip archive: Could not find EOCD
        `a[*.jsonl` is not a glob: unclosed character class; missing ']'
        "#);
}

/// A small export: two listed channels, a direct message, and one of each kind of message.
const EXPORT: &[(&str, &str)] = &[
    (
        "users.json",
        r#"[{"id": "U1", "name": "ann", "profile": {"display_name": "Ann"}}, {"id": "U2", "name": "bob", "real_name": "Bob B"},
        {"id": "U3", "name": "x", "profile": {"display_name": "Ann"}}]"#,
    ),
    (
        "channels.json",
        r#"[{"id": "C1", "name": "shop"}, {"id": "C2", "name": "ops"}]"#,
    ),
    (
        "shop/2026-11-03.json",
        r#"[
        {"type": "message", "user": "U2", "ts": "1762156931.000200", "thread_ts": "1762156931.000200", "text": "total is wrong, see <https://x.example|this> &amp; ask <@U1>",
         "reactions": [{"name": "+1::skin-tone-2", "users": ["U1"], "count": 1}, {"name": "+1", "count": 2}]},
        {"type": "message", "subtype": "channel_join", "user": "U1", "ts": "1762156932.000000", "text": "<@U1> has joined the channel"},
        {"type": "message", "user": "U1", "ts": "1762156933.000000", "thread_ts": "1762156931.000200", "text": "same here"},
        {"type": "message", "subtype": "bot_message", "bot_id": "B1", "username": "ci", "ts": "1762156934.5", "text": "", "attachments": [{"fallback": "build failed"}]},
        {"type": "message", "user": "U2", "ts": "1762156935.000000", "text": "will be deleted"},
        {"type": "message", "subtype": "message_deleted", "deleted_ts": "1762156935.000000", "ts": "1762156936.000000"},
        {"type": "message", "subtype": "message_changed", "ts": "1762156937.000000", "message": {"user": "U2", "ts": "1762156931.000200", "thread_ts": "1762156931.000200", "text": "total is wrong, edited"}},
        {"type": "message", "user": "U2", "text": "no time"}, 5]"#,
    ),
    (
        "ops/2026-11-03.json",
        r#"[{"user": "U9", "ts": "1762156931", "text": "disk full", "user_profile": {"real_name": "Guest"}}]"#,
    ),
    ("ops/2026-11-04.json", "{}"),
    (
        "D123/2026-11-03.json",
        r#"[{"user": "U1", "ts": "1762156931.000200", "text": "private"}]"#,
    ),
];

fn export(at: &Path) {
    for (name, text) in EXPORT {
        let path = at.join("export").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, text).expect("written");
    }
}

fn zip_of(path: &Path, files: &[(&str, &[u8])]) {
    let mut zip = zip::ZipWriter::new(File::create(path).expect("a file"));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .expect("an entry");
        zip.write_all(bytes).expect("written");
    }
    zip.finish().expect("a zip");
}

#[test]
fn an_export_is_read_the_same_as_a_folder_and_as_a_zip() {
    let at = folder();
    export(at.path());
    let named: Vec<(String, &[u8])> = EXPORT
        .iter()
        .map(|(name, text)| (format!("My export/{name}"), text.as_bytes()))
        .collect();
    zip_of(
        &at.path().join("export.zip"),
        &named
            .iter()
            .map(|(name, bytes)| (name.as_str(), *bytes))
            .collect::<Vec<_>>(),
    );
    let (unpacked, packed) = (get(at.path(), "export", None), get(at.path(), "export.zip", None));
    assert_eq!(
        (&unpacked.signals, &unpacked.deleted),
        (&packed.signals, &packed.deleted)
    );
    let said: Vec<String> = unpacked
        .signals
        .iter()
        .map(|one| {
            format!(
                "{} {} {:?} {:?} {:?} {:?}",
                one.source, one.at, one.author, one.text, one.thread, one.reactions
            )
        })
        .chain(
            unpacked
                .skipped
                .iter()
                .map(|skipped| format!("{}: {}", skipped.place, skipped.why)),
        )
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
        slack:#ops 2025-11-03T08:02:11.000Z Some("Guest") "disk full" None {}
        slack:#shop 2025-11-03T08:02:11.000Z Some("Bob B") "total is wrong, edited" None {"+1": 3}
        slack:#shop 2025-11-03T08:02:13.000Z Some("Ann (U1)") "same here" Some("1762156931.000200") {}
        slack:#shop 2025-11-03T08:02:14.500Z Some("ci") "build failed" None {}
        export/ops/2026-11-04.json: it is not a list of messages: invalid type: map, expected a sequence at line 1 column 0
        export/shop/2026-11-03.json message 8: a message without `ts`
        export/shop/2026-11-03.json message 9: it is not a message
        "#);
    assert_eq!(
        unpacked.deleted,
        [Signal::id_of("slack:#shop", "1762156935.000000")]
    );
}

#[test]
fn of_an_export_only_changed_days_are_read_again() {
    let at = folder();
    export(at.path());
    for (name, _) in EXPORT {
        settle(&at.path().join("export").join(name));
    }
    let first = get(at.path(), "export", None);
    assert!(get(at.path(), "export", Some(&first.cursor)).signals.is_empty());
    fs::write(
        at.path().join("export/ops/2026-11-04.json"),
        r#"[{"user": "U1", "ts": "1762243331.0", "text": "disk full again"}]"#,
    )
    .expect("written");
    assert_eq!(
        texts(&get(at.path(), "export", Some(&first.cursor))),
        ["disk full again"]
    );
}

/// A year of a company does not fit into one batch, and need not.
#[test]
fn a_large_export_is_read_channel_by_channel_and_each_message_once() {
    let at = folder();
    let day: Vec<String> = (0..1_500)
        .map(|n| format!(r#"{{"user": "U1", "ts": "17621{n:05}.0", "text": "word {n}"}}"#))
        .collect();
    let day = format!("[{}]", day.join(","));
    let files: Vec<String> = (0..10)
        .flat_map(|channel| ["2025-11-03", "2025-11-04"].map(|day| format!("c{channel}/{day}.json")))
        .collect();
    let mut all: Vec<(&str, &[u8])> = files.iter().map(|name| (name.as_str(), day.as_bytes())).collect();
    all.push((
        "channels.json",
        br#"[{"name": "c0"}, {"name": "c1"}, {"name": "c2"}, {"name": "c3"}, {"name": "c4"}]"#,
    ));
    all.push(("groups.json", br#"[{"name": "c8"}]"#));
    zip_of(&at.path().join("export.zip"), &all);
    let (mut cursor, mut sizes, mut private) = (None, Vec::new(), BTreeSet::new());
    let mut seen = BTreeSet::new();
    loop {
        let batch = get(at.path(), "export.zip", cursor.as_deref());
        sizes.push(batch.signals.len());
        for signal in batch.signals {
            assert_eq!(signal.account.as_deref(), Some("U1"));
            if signal.private {
                private.insert(signal.source.clone());
            }
            seen.insert(signal.id);
        }
        cursor = Some(batch.cursor);
        if !batch.more {
            break;
        }
    }
    // Both days of a channel hold the same messages: the later edition of each stays.
    assert_eq!((sizes, seen.len()), (vec![6_000, 3_000], 9_000));
    assert_eq!(private.into_iter().collect::<Vec<_>>(), ["slack:#c8"]);
    assert!(get(at.path(), "export.zip", cursor.as_deref()).signals.is_empty());
}

#[test]
fn a_zip_that_is_made_to_harm_is_refused() {
    let at = folder();
    let refused = |files: &[(&str, &[u8])]| {
        zip_of(&at.path().join("z.zip"), files);
        match read(&source("z.zip"), at.path(), None) {
            Err(error) => error.to_string(),
            Ok(batch) => batch.skipped.iter().map(|skipped| skipped.why.clone()).collect(),
        }
    };
    assert!(refused(&[("channels.json", b"[]"), ("../../out.json", b"[]")]).contains("leads out"));
    assert!(refused(&[("users.json", b"[]"), ("/etc/out.json", b"[]")]).contains("leads out"));
    let bomb = vec![b' '; 8 << 20];
    assert!(refused(&[("users.json", b"[]"), ("shop/2026-11-03.json", &bomb)]).contains("times its size"));
    assert!(refused(&[("readme.json", b"[]")]).contains("is not a Slack export"));
}

/// The demo's feedback makes exactly the three problems of its labels, and they come first.
#[test]
fn the_demos_feedback_makes_three_findings_and_they_come_first() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
    let batch = get(&demo, "feedback.jsonl", None);
    assert_eq!((batch.signals.len(), batch.skipped.len()), (40, 0));
    let labels = fs::read_to_string(demo.join("labels.json")).expect("labels");
    let labels: BTreeMap<String, BTreeSet<String>> = serde_json::from_str(&labels).expect("labels");
    let (noise, reports): (Vec<Signal>, Vec<Signal>) = batch
        .signals
        .into_iter()
        .partition(|signal| is_noise(signal).is_some());
    assert!(
        noise
            .iter()
            .all(|signal| labels["noise"].contains(&signal.external_id))
    );
    let mut clusters: BTreeMap<Cluster, Vec<&Signal>> = BTreeMap::new();
    for (assignment, signal) in Index::default().assign(&reports).iter().zip(&reports) {
        assert_eq!(assignment.signal, signal.id);
        clusters.entry(assignment.cluster).or_default().push(signal);
    }
    let now = Timestamp::parse("2026-11-20T08:00:00Z").expect("a time");
    let mut found: Vec<(f64, String, BTreeSet<String>)> = clusters
        .values()
        .map(|signals| {
            let facts: Vec<Fact> = signals.iter().map(|signal| Fact::of(signal)).collect();
            assert_eq!(thresholds(&facts, 1, 1), Ok(()));
            let ids = signals.iter().map(|signal| signal.external_id.clone()).collect();
            (
                score(&facts, now, std::time::Duration::from_secs(14 * 86_400)).total,
                title(signals),
                ids,
            )
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let first: Vec<&BTreeSet<String>> = found.iter().take(3).map(|(_, _, ids)| ids).collect();
    assert_eq!(
        first,
        [
            &labels["coupon_quantity"],
            &labels["price_import_comma"],
            &labels["receipt_utc"]
        ]
    );
    assert!(
        found
            .iter()
            .skip(3)
            .all(|(_, _, ids)| ids.is_subset(&labels["noise"]))
    );
    let titles: Vec<&str> = found.iter().map(|(_, title, _)| title.as_str()).collect();
    insta::assert_snapshot!(titles.join("\n"), @r#"
        Discount coupon is applied to one unit only, not to the whole line
        CSV price import crashes with ValueError on prices with a thousands separator
        Receipt shows the wrong time, it is in UTC and not in our shop's time zone
        Would be lovely to have a dark mode in the back office some day
        "#);
}

/// The same feedback as it comes in life: a message a run, with nothing kept between runs but the states.
#[test]
fn feedback_that_comes_a_message_a_run_is_never_mixed() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
    let labels = fs::read_to_string(demo.join("labels.json")).expect("labels");
    let labels: BTreeMap<String, BTreeSet<String>> = serde_json::from_str(&labels).expect("labels");
    let mut states: BTreeMap<FindingId, String> = BTreeMap::new();
    let mut placed: BTreeMap<SignalId, FindingId> = BTreeMap::new();
    let mut found: BTreeMap<FindingId, BTreeSet<&String>> = BTreeMap::new();
    for signal in get(&demo, "feedback.jsonl", None)
        .signals
        .iter()
        .filter(|signal| is_noise(signal).is_none())
    {
        let known = states.iter().map(|(finding, state)| Known {
            finding: *finding,
            state: state.clone(),
        });
        let mut index = Index::from_known(known)
            .expect("our own states")
            .with_signals(placed.clone());
        let cluster = index.assign(std::slice::from_ref(signal))[0].cluster;
        let finding = match cluster {
            Cluster::Existing(finding) => finding,
            Cluster::New(_) => FindingId::named(&signal.external_id),
        };
        states.insert(finding, index.state(cluster).expect("a state"));
        placed.insert(signal.id, finding);
        let label = labels
            .iter()
            .find(|(_, ids)| ids.contains(&signal.external_id))
            .expect("a label")
            .0;
        found.entry(finding).or_default().insert(label);
    }
    assert!(found.values().all(|labels| labels.len() == 1), "{found:?}");
    assert!(
        found.len() <= 5,
        "four problems and wishes, one of them in two parts: {found:?}"
    );
}
