//! How well and how fast signals are clustered: 10,000 short texts made from sentences with known labels, and, where it
//! is present, a public set of issue reports with duplicates that people marked.
//!
//! `cargo run --release -p tests --bin bench-clustering [FOLDER]`, FOLDER holding `reports.jsonl` and `duplicates.csv`.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    path::Path,
    time::Instant,
};

use anyhow::{Context, Result};
use loops::{
    cluster::{Assignment, Cluster, Index},
    id::SignalId,
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

fn typed(out: &mut impl Write, problems: usize, texts: usize) -> Result<()> {
    let mut dice = Dice(7);
    let sentences = sentences(&mut dice, problems);
    let mut labels = HashMap::new();
    let mut signals = Vec::new();
    for n in 0..texts {
        let label = n % sentences.len();
        let signal = signal(&n.to_string(), retyped(&mut dice, &sentences[label]));
        labels.insert(signal.id, label);
        signals.push(signal);
    }
    let started = Instant::now();
    let assignments = Index::default().assign(&signals);
    let seconds = started.elapsed().as_secs_f64();
    let [precision, recall, f1] = pairwise(&labels, &assignments);
    writeln!(
        out,
        "{texts} texts about {} problems: precision {precision:.3}, recall {recall:.3}, F1 {f1:.3}; {:.0} texts/s",
        sentences.len(),
        texts as f64 / seconds
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
    let started = Instant::now();
    let found: HashMap<SignalId, Cluster> = Index::default()
        .assign(&signals)
        .into_iter()
        .map(|one| (one.signal, one.cluster))
        .collect();
    let seconds = started.elapsed().as_secs_f64();
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
        signals.len() as f64 / seconds
    )?;
    Ok(())
}

fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    for (problems, texts) in [(100, 10_000), (200, 10_000), (200, 1_000), (30, 60), (10, 40)] {
        typed(&mut out, problems, texts)?;
    }
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "../shared/data/duplicates/hadoop".to_owned());
    reports(&mut out, Path::new(&folder))
}
