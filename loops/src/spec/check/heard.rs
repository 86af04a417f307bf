//! Checks of what is done with what was heard: what is taken out of it, and what counts more.

use super::Finds;
use crate::{
    owners::Owner,
    redact,
    spec::{LoopSpec, Source, Weights, forms},
};

pub(super) fn check(spec: &LoopSpec, finds: &mut Finds<'_>) {
    weights(&spec.triage.weights, finds);
    redactions(spec, finds);
}

/// No weight says more than this many people.
const HEAVIEST: f64 = 100.0;

fn weights(weights: &Weights, finds: &mut Finds<'_>) {
    for (path, least, map) in [
        ("labels", -HEAVIEST, &weights.labels),
        ("customers", 0.0, &weights.customers),
        ("areas", -HEAVIEST, &weights.areas),
    ] {
        for (name, weight) in map {
            let at = format!("triage.weights.{path}.{name}");
            if !(least..=HEAVIEST).contains(weight) {
                let allowed = format!("a number from {least} to {HEAVIEST}");
                finds.add_allowed(&at, "this is no weight", &allowed);
            }
            if path == "customers"
                && let Some(why) = forms::not_a_glob(name)
            {
                finds.add(&at, why);
            }
            if path == "areas" && Owner::parse(name).is_none() {
                finds.add_allowed(
                    &at,
                    "this is no owner",
                    "`@login`, `@organisation/team` or an e-mail address, as in CODEOWNERS",
                );
            }
        }
    }
}

/// Keys of `redact` are sources, and its texts are rules.
fn redactions(spec: &LoopSpec, finds: &mut Finds<'_>) {
    let sources: Vec<&str> = std::iter::once(redact::ALL).chain(Source::KEYS).collect();
    for (source, rules) in &spec.redact {
        if !sources.contains(&source.as_str()) {
            finds.add_allowed(
                &format!("redact.{source}"),
                "this is no source",
                &sources.join(", "),
            );
        }
        for (i, rule) in rules.iter().enumerate() {
            if let Some(why) = redact::not_a_rule(rule) {
                finds.add(&format!("redact.{source}[{i}]"), why);
            }
        }
    }
}
