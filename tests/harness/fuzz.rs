//! What reads bytes from outside, one function each, for any bytes at all: they must come to an end, and what must hold of
//! every answer holds. `fuzz/` throws bytes at them, and the tests the files of its corpus.

use loops::{
    boundary::{Rule, judge},
    change::{Diff, FileChange, Status},
    evidence::{read_junit, read_output},
    library::untrusted,
    screen::{
        Leaving,
        clean::{self, Allowed},
        objections, secrets,
    },
    signal::injections,
    spec::{self, Boundaries, Known, WebhookSource},
    time::Timestamp,
};
use orchestrator::{
    config::github::FullName,
    feeds::sent,
    github::{Hook, Use, use_of},
};

/// What reads the bytes of a case.
pub type Target = fn(&[u8]);

/// The targets, by the name of their folder of the corpus.
pub const TARGETS: [(&str, Target); 8] = [
    ("diff", diff),
    ("spec", spec),
    ("streams", streams),
    ("words", words),
    ("tree", tree),
    ("reports", reports),
    ("webhooks", webhooks),
    ("slack", slack),
];

/// The reader of diffs, and the screens that judge what it read.
pub fn diff(bytes: &[u8]) {
    let Ok(diff) = Diff::parse(bytes) else { return };
    judge(&diff, &Boundaries::default(), &[]);
    let texts = [("title", "any")];
    objections(Leaving {
        diff: &diff,
        texts: &texts,
    });
    assert_eq!(
        diff.paths().is_empty(),
        diff.files.is_empty(),
        "every file has a path"
    );
}

/// The reader of loops' specs. Each error can be told.
pub fn spec(bytes: &[u8]) {
    let known = Known {
        models: ["top", "standard", "small"].map(str::to_owned).to_vec(),
    };
    let read = spec::decode("fuzz", bytes).and_then(|text| spec::read("fuzz", text, &known));
    for error in read.err().unwrap_or_default() {
        assert!(!error.to_string().is_empty(), "an error says something");
    }
}

/// The readers of models' streams: the gateway's meters and the worker's events. Where a stream is cut changes nothing.
pub fn streams(bytes: &[u8]) {
    let cut = bytes.first().map_or(1, |byte| usize::from(*byte % 7) + 1);
    let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
    assert_eq!(
        orchestrator::gateway::metered(&[bytes]),
        orchestrator::gateway::metered(&pieces)
    );
    assert_eq!(
        workers::agent::events_in(&[bytes]),
        workers::agent::events_in(&pieces)
    );
}

/// What marks, cleans and flags text. A mark opens once and closes once; what is clean stays as it is.
pub fn words(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let marked = untrusted(&text, &text).to_lowercase();
    assert_eq!(marked.matches("outside-text").count(), 2, "{marked:?}");
    assert!(marked.ends_with("\n</outside-text>"), "{marked:?}");
    let allowed = Allowed::default();
    let once = clean::inline(&text, &allowed);
    assert_eq!(clean::inline(&once, &allowed), once);
    let page = clean::quote(&text, 2_000);
    assert!(
        page.lines().all(|line| line.is_empty() || line.starts_with('>')),
        "{page:?}"
    );
    secrets::mask(&text);
    for flag in injections(&text) {
        assert!(text.get(flag.at..flag.at + flag.len).is_some());
    }
}

/// The screening of trees: names with their modes, one a line. What leads out of its folder, is git's own, or cannot be
/// seen never passes.
pub fn tree(bytes: &[u8]) {
    let files: Vec<FileChange> = bytes.split(|byte| *byte == 0).map(file).collect();
    let diff = Diff { files };
    let found = judge(&diff, &Boundaries::default(), &[]);
    for file in &diff.files {
        let path = file.path();
        let odd = path.chars().any(char::is_control)
            || path
                .split('/')
                .any(|part| part.is_empty() || part == ".." || part.eq_ignore_ascii_case(".git"));
        let link = file.new_mode == Some(0o120_000);
        let stopped = |rule| {
            found
                .iter()
                .any(|one| one.rule == rule && one.path.as_deref() == Some(path))
        };
        assert!(!odd || stopped(Rule::OddName), "{path:?}");
        assert!(!link || stopped(Rule::Symlink), "{path:?}");
    }
}

/// A file whose first byte stands for its mode.
fn file(bytes: &[u8]) -> FileChange {
    const MODES: [u32; 5] = [0o100_644, 0o100_755, 0o120_000, 0o160_000, 0o104_755];
    let mode = bytes.first().map_or(0, |byte| usize::from(*byte) % MODES.len());
    let name = String::from_utf8_lossy(bytes.get(1..).unwrap_or_default()).into_owned();
    FileChange {
        status: Status::Added,
        old_path: None,
        new_path: Some(name),
        old_mode: None,
        new_mode: Some(MODES[mode]),
        binary: false,
        lossy_path: false,
        hunks: Vec::new(),
    }
}

/// The readers of what test runners print and write.
pub fn reports(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let read = read_output(&text);
    assert!(read.executed().is_none_or(|_| !text.is_empty()));
    // A report that is none is an error in words, and no more.
    let _ = read_junit(&text).map_err(|words| assert!(!words.is_empty()));
}

/// The readers of what comes in over HTTP, after its signature was looked at: the first line stands for the header that
/// names GitHub's event, the rest is the body. What is read is about a repository and of an event that is used; records
/// are named by the secret that signed them.
pub fn webhooks(bytes: &[u8]) {
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len());
    let (event, body) = bytes.split_at(end);
    let body = body.get(1..).unwrap_or_default();
    let event = String::from_utf8_lossy(event);
    if let Ok(hook) = Hook::read(Some(&event), Some("1"), body) {
        assert_eq!(hook.event, event);
        assert!(!matches!(use_of(&event), Use::Ignored(_)), "{event}");
        assert!(FullName::parse(&hook.repository.to_string()).is_some());
    }
    for text in [
        r#"{"secret": "desk"}"#,
        r#"{"secret": "desk", "items": "/a", "fields": {"text": "/b", "id": "/c", "at": "/d"}}"#,
    ] {
        let source: WebhookSource = serde_json::from_str(text).expect("a source can be read");
        let Ok(batch) = sent(&source, body, Timestamp(0)) else {
            continue;
        };
        assert!(
            batch
                .signals
                .iter()
                .all(|signal| signal.source == "webhook:desk" && !signal.external_id.is_empty())
        );
        assert!(batch.skipped.iter().all(|skipped| !skipped.why.is_empty()));
    }
}

/// The readers of Slack's events and of its answers. What is kept of an event is bounded, whatever it says.
pub fn slack(bytes: &[u8]) {
    let (heard, texts) = orchestrator::slack::read_bytes(bytes);
    match heard {
        Some(orchestrator::slack::Heard::Challenge(words)) => assert!(words.chars().count() <= 500),
        Some(orchestrator::slack::Heard::Event { id, kind, channel }) => {
            assert!(!id.is_empty() && id.chars().count() <= 100, "{id:?}");
            assert!(kind.chars().count() <= 60 && channel.chars().count() <= 40);
        }
        Some(orchestrator::slack::Heard::Nothing) | None => {}
    }
    for text in texts {
        assert!(
            text.len() <= bytes.len() * 8 + 4_096,
            "no text is much longer than what it came in"
        );
    }
}
