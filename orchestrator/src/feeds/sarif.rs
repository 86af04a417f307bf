//! The results of a SARIF 2.1.0 report (OASIS, `sarif-v2.1.0`): what scanners found in the code. A result that a person
//! has suppressed, that is gone, or that is no failure is not read.

use std::collections::BTreeMap;

use loops::signal::Voice;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Document, Records, Said};

#[derive(Deserialize)]
struct Report {
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    tool: Tool,
    #[serde(default)]
    results: Option<Vec<Found>>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Driver,
}

#[derive(Deserialize)]
struct Driver {
    name: String,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    #[serde(default)]
    short_description: Option<Message>,
    #[serde(default)]
    help_uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    #[serde(default)]
    rule_id: Option<String>,
    #[serde(default)]
    rule_index: Option<usize>,
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    baseline_state: Option<String>,
    message: Message,
    #[serde(default)]
    locations: Vec<Location>,
    #[serde(default)]
    fingerprints: BTreeMap<String, String>,
    #[serde(default)]
    partial_fingerprints: BTreeMap<String, String>,
    #[serde(default)]
    suppressions: Vec<Suppression>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
struct Suppression {
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(default)]
    physical_location: Option<Physical>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    #[serde(default)]
    artifact_location: Option<Artifact>,
    #[serde(default)]
    region: Option<Region>,
}

#[derive(Deserialize)]
struct Artifact {
    #[serde(default)]
    uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    #[serde(default)]
    start_line: Option<u64>,
}

/// The results that still stand.
pub(super) fn records(document: &Document<'_>) -> Result<Records, String> {
    let mut json = serde_json::Deserializer::from_slice(document.bytes);
    let report: Report = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| format!("it is no SARIF report: {error}"))?;
    Ok(report.runs.iter().flat_map(of_run).map(Ok).collect())
}

fn of_run(run: &Run) -> impl Iterator<Item = Said> {
    let results = run.results.iter().flatten();
    results
        .filter(|found| stands(found))
        .map(|found| said(&run.tool.driver, found))
}

fn stands(found: &Found) -> bool {
    // A suppression that is under review or was rejected does not count.
    let suppressed = found
        .suppressions
        .iter()
        .any(|one| one.status.as_deref().is_none_or(|status| status == "accepted"));
    !suppressed
        && found.kind.as_deref().is_none_or(|kind| kind == "fail")
        && found.baseline_state.as_deref() != Some("absent")
        && found.level.as_deref() != Some("none")
}

fn said(driver: &Driver, found: &Found) -> Said {
    let by_index = found.rule_index.and_then(|at| driver.rules.get(at));
    let name = found
        .rule_id
        .as_deref()
        .or(by_index.map(|rule| rule.id.as_str()))
        .unwrap_or("unnamed rule");
    let rule = by_index.or_else(|| driver.rules.iter().find(|rule| rule.id == name));
    let level = found.level.as_deref().unwrap_or("warning");
    let place = found.locations.iter().find_map(place).unwrap_or_default();
    let words = found.message.text.as_deref().unwrap_or_default();
    let about = rule
        .and_then(|rule| rule.short_description.as_ref()?.text.as_deref())
        .filter(|about| *about != words)
        .map_or(String::new(), |about| format!("\n{about}"));
    let at = if place.is_empty() {
        String::new()
    } else {
        format!(" at {place}")
    };
    let text = format!("{} {name} ({level}){at}\n{words}{about}", driver.name);
    Said {
        id: Some(id(driver, name, found, &place, words)),
        labels: vec![level.to_owned()],
        url: rule.and_then(|rule| rule.help_uri.clone()),
        ..Said::new(Voice::Machine, text)
    }
}

/// By the tool's own fingerprint where it gives one: it stays when lines move.
fn id(driver: &Driver, rule: &str, found: &Found, place: &str, words: &str) -> String {
    let own = found
        .fingerprints
        .values()
        .chain(found.partial_fingerprints.values());
    let own: Vec<&str> = own.map(String::as_str).collect();
    let what = if own.is_empty() {
        format!("{place}\u{1f}{words}")
    } else {
        own.join("\u{1f}")
    };
    let whole = format!("{}\u{1f}{rule}\u{1f}{what}", driver.name);
    hex::encode(&Sha256::digest(whole.as_bytes())[..12])
}

fn place(location: &Location) -> Option<String> {
    let physical = location.physical_location.as_ref()?;
    let uri = physical.artifact_location.as_ref()?.uri.as_deref()?;
    let line = physical.region.as_ref().and_then(|region| region.start_line);
    Some(line.map_or(uri.to_owned(), |line| format!("{uri}:{line}")))
}
