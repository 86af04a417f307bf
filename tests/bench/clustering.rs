//! How well and how fast signals are clustered: short texts made from sentences with known labels, beside other ways of
//! doing it where they are installed; a public set of issue reports, where it is present; and with `--long` a million.
//!
//! `cargo run --release -p tests --bin bench-clustering [--peers PYTHON] [--long] [FOLDER]`, FOLDER holding
//! `reports.jsonl` and `duplicates.csv`; `tests/bench/clustering.sh` installs the peers and calls it. Seconds are of the
//! processor where the system tells them, so that other work on the machine does not count.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    path::Path,
    process::Command,
    time::Instant,
};

use anyhow::{Context, Result};
use loops::{
    cluster::{Assignment, Cluster, Index, Known},
    id::{FindingId, SignalId},
    signal::{Signal, Voice},
    time::Timestamp,
};

/// What fails, in 24 places that share words with each other.
const WHAT: &[&str] = &[
    "the invoice export",
    "the password reset mail",
    "the search in the product list",
    "the map on the delivery page",
    "the mobile menu",
    "the calendar widget",
    "video playback in the course view",
    "the two factor code prompt",
    "the sync with the phone",
    "the avatar upload",
    "the comment box under articles",
    "the monthly usage report",
    "the payment form",
    "the shipping address editor",
    "the notification badge",
    "the offline mode",
    "the spreadsheet import",
    "the keyboard shortcut for save",
    "the drag and drop of cards",
    "the weekly digest email",
    "the price filter",
    "the order history",
    "the chat with the seller",
    "the barcode scanner",
];

/// How it fails.
const HOW: &[&str] = &[
    "crashes",
    "is empty",
    "never finishes loading",
    "shows the data of another account",
    "is cut off on the right side",
    "loses what I typed",
    "opens twice",
    "takes more than a minute",
    "ignores my language setting",
    "freezes the browser",
    "asks me to sign in over and over",
    "rounds the amounts down",
    "sends two copies",
    "forgets the chosen sorting",
    "turns all umlauts into question marks",
    "jumps back to the top",
];

/// When it does.
const WHEN: &[&str] = &[
    "after the last update",
    "on my old tablet",
    "when I rotate the screen",
    "with more than fifty entries",
    "in the night theme",
    "when two colleagues edit at once",
    "for accounts from last year",
    "behind our company proxy",
    "with a very long file name",
    "since Monday",
    "when the battery is low",
    "after switching to French",
    "on a slow connection",
    "with the screen reader",
    "for guests without an account",
    "right after midnight",
];

const GREETINGS: &[&str] = &["Hi team, ", "hello, ", "Hey! ", "Good morning, ", "", "", "", ""];
const ENDINGS: &[&str] = &[" thanks!", " Please help", " pls fix", "!!", ".", "", "", ""];

/// A generator that gives the same numbers everywhere (SplitMix64, Steele, Lea and Flood).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// Sentences of which any two differ in at least two of what, how and when.
fn sentences(dice: &mut Dice, count: usize) -> Vec<String> {
    let mut chosen: Vec<[usize; 3]> = Vec::new();
    for _ in 0..count * 200 {
        let next = [
            dice.below(WHAT.len()),
            dice.below(HOW.len()),
            dice.below(WHEN.len()),
        ];
        let far = |other: &[usize; 3]| other.iter().zip(&next).filter(|(a, b)| a != b).count() >= 2;
        if chosen.len() < count && chosen.iter().all(far) {
            chosen.push(next);
        }
    }
    chosen
        .into_iter()
        .map(|[what, how, when]| format!("{} {} {}", WHAT[what], HOW[how], WHEN[when]))
        .collect()
}

/// A sentence as another person types it.
fn retyped(dice: &mut Dice, sentence: &str) -> String {
    let mut words: Vec<String> = sentence.split(' ').map(str::to_owned).collect();
    if words.len() > 5 && dice.chance(40) {
        words.remove(dice.below(words.len()));
    }
    if dice.chance(40) {
        let at = dice.below(words.len() - 1);
        words.swap(at, at + 1);
    }
    for _ in 0..dice.below(4) {
        let at = dice.below(words.len());
        let mut letters: Vec<char> = words[at].chars().collect();
        let place = dice.below(letters.len());
        match dice.below(4) {
            0 if letters.len() > 3 => {
                letters.remove(place);
            }
            1 => letters.insert(place, (b'a' + dice.below(26) as u8) as char),
            2 if place + 1 < letters.len() => letters.swap(place, place + 1),
            _ => letters[place] = (b'a' + dice.below(26) as u8) as char,
        }
        words[at] = letters.into_iter().collect();
    }
    let text = words.join(" ");
    let text = match dice.below(5) {
        0 => text.to_uppercase(),
        1 => text[..1].to_uppercase() + &text[1..],
        _ => text,
    };
    format!("{}{text}{}", dice.pick(GREETINGS), dice.pick(ENDINGS))
}

fn signal(id: &str, text: String) -> Signal {
    Signal {
        id: Signal::id_of("bench", id),
        source: "bench".to_owned(),
        external_id: id.to_owned(),
        at: Timestamp(0),
        author: None,
        voice: Voice::Person,
        text,
        url: None,
        reactions: BTreeMap::new(),
        labels: Vec::new(),
        thread: None,
        account: None,
        private: false,
    }
}

/// Precision, recall and F1 over pairs.
fn pairwise(labels: &HashMap<SignalId, usize>, assignments: &[Assignment]) -> [f64; 3] {
    let mut both: HashMap<(usize, Cluster), f64> = HashMap::new();
    let (mut by_label, mut by_cluster): (HashMap<usize, f64>, HashMap<Cluster, f64>) = Default::default();
    for Assignment { signal, cluster } in assignments {
        let label = labels[signal];
        *both.entry((label, *cluster)).or_default() += 1.0;
        *by_label.entry(label).or_default() += 1.0;
        *by_cluster.entry(*cluster).or_default() += 1.0;
    }
    let pairs = |n: &f64| n * (n - 1.0) / 2.0;
    let right: f64 = both.values().map(pairs).sum();
    let precision = right / by_cluster.values().map(pairs).sum::<f64>().max(1.0);
    let recall = right / by_label.values().map(pairs).sum::<f64>().max(1.0);
    [
        precision,
        recall,
        2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE),
    ]
}

/// Seconds of the processor that this process has used, or else of the clock.
fn seconds(started: Instant) -> f64 {
    std::fs::read_to_string("/proc/self/schedstat")
        .ok()
        .and_then(|told| told.split(' ').next()?.parse::<f64>().ok())
        .map_or_else(
            || started.elapsed().as_secs_f64(),
            |nanoseconds| nanoseconds / 1e9,
        )
}

/// How much memory this process holds, in MiB.
fn memory() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|told| told.split(' ').nth(1)?.parse::<f64>().ok());
    pages.unwrap_or(f64::NAN) * 4096.0 / f64::from(1 << 20)
}

/// Texts and the number of the problem of each.
fn typed(problems: usize, texts: usize) -> Vec<(String, usize)> {
    let mut dice = Dice(7);
    let sentences = sentences(&mut dice, problems);
    let label = |n: usize| n % sentences.len();
    (0..texts)
        .map(|n| (retyped(&mut dice, &sentences[label(n)]), label(n)))
        .collect()
}

/// F1, and texts per second: the median of some rounds.
fn measure(out: &mut impl Write, texts: &[(String, usize)], rounds: usize) -> Result<(f64, f64)> {
    let mut labels = HashMap::new();
    let mut signals = Vec::new();
    for (n, (text, label)) in texts.iter().enumerate() {
        let signal = signal(&n.to_string(), text.clone());
        labels.insert(signal.id, *label);
        signals.push(signal);
    }
    let mut took = Vec::new();
    let mut assignments = Vec::new();
    let clock = Instant::now();
    for _ in 0..rounds {
        let started = seconds(clock);
        assignments = Index::default().assign(&signals);
        took.push(seconds(clock) - started);
    }
    took.sort_by(f64::total_cmp);
    // What is done before the system counts once has no speed to tell.
    let speed = texts.len() as f64 / took[rounds / 2].max(1e-3);
    let [precision, recall, f1] = pairwise(&labels, &assignments);
    let problems = labels.values().max().map_or(0, |last| last + 1);
    writeln!(
        out,
        "{} texts about {problems} problems: precision {precision:.3}, recall {recall:.3}, F1 {f1:.3}; {speed:.0} texts/s",
        texts.len(),
    )?;
    Ok((f1, speed))
}

/// The same texts, one a run, with nothing kept between runs but the states.
fn one_a_run(out: &mut impl Write, texts: &[(String, usize)]) -> Result<()> {
    let mut states: BTreeMap<FindingId, String> = BTreeMap::new();
    let (mut labels, mut assignments) = (HashMap::new(), Vec::new());
    for (n, (text, label)) in texts.iter().enumerate() {
        let signal = signal(&n.to_string(), text.clone());
        labels.insert(signal.id, *label);
        let known = states.iter().map(|(finding, state)| Known {
            finding: *finding,
            state: state.clone(),
        });
        let mut index = Index::from_known(known)?;
        for one in index.assign(std::slice::from_ref(&signal)) {
            let finding = match one.cluster {
                Cluster::Existing(finding) => finding,
                Cluster::New(_) => FindingId::named(&signal.external_id),
            };
            states.insert(finding, index.state(one.cluster).context("no state")?);
            assignments.push(Assignment {
                signal: one.signal,
                cluster: Cluster::Existing(finding),
            });
        }
    }
    let [precision, recall, f1] = pairwise(&labels, &assignments);
    let problems = labels.values().max().map_or(0, |last| last + 1);
    writeln!(
        out,
        "{} texts about {problems} problems, one a run: precision {precision:.3}, recall {recall:.3}, F1 {f1:.3}",
        texts.len(),
    )?;
    Ok(())
}

/// Other ways on the same texts, in the same run.
fn peers(out: &mut impl Write, python: &str) -> Result<()> {
    let texts = typed(200, 10_000);
    let (f1, before) = measure(out, &texts, 9)?;
    let mut file = tempfile::NamedTempFile::new()?;
    for (text, label) in &texts {
        writeln!(file, "{}", serde_json::json!({ "text": text, "label": label }))?;
    }
    file.flush()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/clustering_peers.py");
    let said = Command::new(python).arg(script).arg(file.path()).output()?;
    anyhow::ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let (_, after) = measure(out, &texts, 9)?;
    let ours = (before + after) / 2.0;
    writeln!(
        out,
        "| way | F1 | texts per second | ours is |\n|---|---|---|---|"
    )?;
    writeln!(out, "| ours | {f1:.3} | {ours:.0} | |")?;
    for line in String::from_utf8_lossy(&said.stdout).lines() {
        let peer: serde_json::Value = serde_json::from_str(line)?;
        let speed = texts.len() as f64 / peer["seconds"].as_f64().context("no seconds")?;
        writeln!(
            out,
            "| {} (threshold {}) | {:.3} | {speed:.0} | {:.0} times as fast |",
            peer["peer"].as_str().unwrap_or_default(),
            peer["threshold"],
            peer["f1"].as_f64().context("no F1")?,
            ours / speed
        )?;
    }
    Ok(())
}

/// Words of three or four syllables, as rare as words are: the n-th is met once where the first is met n times.
fn invented(dice: &mut Dice, words: &[String]) -> String {
    let mut text = String::new();
    for _ in 0..8 + dice.below(5) {
        let share = dice.below(1 << 20) as f64 / f64::from(1 << 20);
        let at = (words.len() as f64).powf(share) as usize;
        text.push_str(&words[at.min(words.len() - 1)]);
        text.push(' ');
    }
    text.pop();
    text
}

/// A thousand new texts into a million known findings.
fn into_known(out: &mut impl Write, known: usize) -> Result<()> {
    let mut dice = Dice(11);
    let syllables = [
        "ba", "re", "mi", "ko", "tu", "sal", "pen", "dor", "fli", "gra", "vo", "xe", "nim", "ty", "qua",
        "zel",
    ];
    let words: Vec<String> = (0..30_000)
        .map(|_| (0..3 + dice.below(2)).map(|_| dice.pick(&syllables)).collect())
        .collect();
    let texts: Vec<String> = (0..known).map(|_| invented(&mut dice, &words)).collect();
    let named = |n: usize| FindingId::named(&n.to_string());
    let states: Vec<Known> = texts
        .iter()
        .enumerate()
        .filter_map(|(n, text)| {
            let mut index = Index::default();
            let cluster = index
                .assign(&[signal(&n.to_string(), text.clone())])
                .first()?
                .cluster;
            let state = index.state(cluster)?;
            Some(Known {
                finding: named(n),
                state,
            })
        })
        .collect();
    let stored: usize = states.iter().map(|known| known.state.len()).sum();
    let clock = Instant::now();
    let (started, held) = (seconds(clock), memory());
    let mut index = Index::from_known(states)?;
    let (loaded, holds) = (seconds(clock) - started, memory() - held);
    let mut dice = Dice(13);
    let new: Vec<Signal> = (0..1_000)
        .map(|n| {
            let text = if n < 500 {
                retyped(&mut dice, &texts[n * 7])
            } else {
                invented(&mut dice, &words)
            };
            signal(&format!("new {n}"), text)
        })
        .collect();
    let started = seconds(clock);
    let assigned = index.assign(&new);
    let took = seconds(clock) - started;
    let right = assigned
        .iter()
        .take(500)
        .enumerate()
        .filter(|(n, one)| one.cluster == Cluster::Existing(named(n * 7)));
    let (right, news) = (
        right.count(),
        assigned
            .iter()
            .skip(500)
            .filter(|one| matches!(one.cluster, Cluster::New(_)))
            .count(),
    );
    writeln!(
        out,
        "1,000 new into {known} known findings: {:.0} ms, {right} of 500 said again found, {news} of 500 others new; \
         loaded in {loaded:.1} s, {holds:.0} MiB more held, {} MB of stored states",
        took * 1e3,
        stored / 1_000_000
    )?;
    Ok(())
}

/// Issue reports: how many of the pairs that people marked fall into one cluster, and how many pairs there are in all.
fn reports(out: &mut impl Write, folder: &Path) -> Result<()> {
    let file = folder.join("reports.jsonl");
    if !file.is_file() {
        writeln!(out, "issue reports: not there, skipped")?;
        return Ok(());
    }
    let lines =
        std::fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let mut signals = Vec::new();
    for line in lines.lines() {
        let report: serde_json::Value = serde_json::from_str(line)?;
        let field = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
        signals.push(signal(
            &field("id"),
            format!("{}\n\n{}", field("title"), field("text")),
        ));
    }
    let clock = Instant::now();
    let started = seconds(clock);
    let found: HashMap<SignalId, Cluster> = Index::default()
        .assign(&signals)
        .into_iter()
        .map(|one| (one.signal, one.cluster))
        .collect();
    let took = seconds(clock) - started;
    let mut sizes: HashMap<Cluster, usize> = HashMap::new();
    found
        .values()
        .for_each(|cluster| *sizes.entry(*cluster).or_default() += 1);
    let marked = std::fs::read_to_string(folder.join("duplicates.csv"))?;
    let of = |id: &str| found.get(&Signal::id_of("bench", id));
    let pairs: Vec<(&str, &str)> = marked
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(','))
        .collect();
    let together = pairs
        .iter()
        .filter(|(a, b)| of(a).is_some() && of(a) == of(b))
        .count();
    writeln!(
        out,
        "{} issue reports: {together} of {} marked pairs together, {} pairs in all, largest cluster {}; {:.0} texts/s",
        signals.len(),
        pairs.len(),
        sizes.values().map(|n| n * (n - 1) / 2).sum::<usize>(),
        sizes.values().max().copied().unwrap_or(0),
        signals.len() as f64 / took
    )?;
    Ok(())
}

fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    let (mut python, mut long, mut folder) = (None, false, "../shared/data/duplicates/hadoop".to_owned());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--peers" => python = Some(arguments.next().context("`--peers` needs a Python")?),
            "--long" => long = true,
            _ => folder = argument,
        }
    }
    for (problems, texts) in [(100, 10_000), (200, 10_000), (200, 1_000), (30, 60), (10, 40)] {
        measure(&mut out, &typed(problems, texts), 5)?;
    }
    for (problems, texts) in [(200, 1_000), (30, 60)] {
        one_a_run(&mut out, &typed(problems, texts))?;
    }
    reports(&mut out, Path::new(&folder))?;
    if let Some(python) = python {
        peers(&mut out, &python)?;
    }
    into_known(&mut out, if long { 1_000_000 } else { 20_000 })?;
    if long {
        measure(&mut out, &typed(1_000, 100_000), 1)?;
        let held = memory();
        measure(&mut out, &typed(1_000, 1_000_000), 1)?;
        writeln!(out, "{:.0} MiB held before, {:.0} after", held, memory())?;
    }
    Ok(())
}
