//! What becomes of people's words here: how long they are kept, and what is taken out of them before. It judges nothing;
//! an operator who has to say so finds it in one place.

use loops::{
    spec::{LoopSpec, Source},
    text::one_line,
};

use super::Look;
use crate::config::Retention;

/// One look at how long, one at what is taken out.
pub(super) fn looks(retention: Retention, loops: &[LoopSpec]) -> Vec<Look> {
    [Some(kept(retention)), taken_out(loops)]
        .into_iter()
        .flatten()
        .collect()
}

fn kept(retention: Retention) -> Look {
    if retention.is_none() {
        return Look::absent(
            "retention",
            "people's words are kept for good",
            Some("`retention: { signals: 400d, transcripts: 90d }` in `loops.yaml` bounds it"),
        );
    }
    Look::found("retention", retention.to_string())
}

/// Of the loops that read what people write: what they take out, and which take nothing out.
fn taken_out(loops: &[LoopSpec]) -> Option<Look> {
    let reads_people = |spec: &&LoopSpec| {
        let machine = |source: &Source| {
            matches!(
                source,
                Source::Junit(_) | Source::Sarif(_) | Source::GithubActions(_)
            )
        };
        !spec.sources.iter().all(machine)
    };
    let (some, none): (Vec<&LoopSpec>, Vec<&LoopSpec>) = loops
        .iter()
        .filter(reads_people)
        .partition(|spec| !spec.redact.is_empty());
    let names = |specs: &[&LoopSpec]| {
        let names: Vec<String> = specs.iter().map(|spec| format!("`{}`", spec.name)).collect();
        one_line(&names.join(", "), 200)
    };
    let rules = |spec: &&LoopSpec| {
        let rules: Vec<String> = spec
            .redact
            .iter()
            .map(|(source, rules)| format!("{source}: {}", rules.join(" ")))
            .collect();
        one_line(&format!("`{}` ({})", spec.name, rules.join("; ")), 200)
    };
    match (some.is_empty(), none.is_empty()) {
        (true, true) => None,
        (false, true) => {
            let all: Vec<String> = some.iter().map(rules).collect();
            Some(Look::found("redaction", all.join(", ")))
        }
        _ => Some(Look::absent(
            "redaction",
            format!("nothing is taken out of what {} read", names(&none)),
            Some("`redact: { all: [email, phone, tokens] }` in a loop does so before anything is kept"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn spec(name: &str, more: &str) -> LoopSpec {
        let text = format!(
            "name: {name}\nkind: fix\nrepo: .\nbase: main\nschedule: {{ every: 10m }}\nsources: [{{ file: {{ path: a.jsonl }} }}]\n\
             workers:\n  fix: {{ model: standard }}\nboundaries: {{ write: [src/**] }}\nchecks: {{ commands: [{{ name: unit, run: \"true\" }}] }}\n{more}"
        );
        let known = loops::spec::Known {
            models: vec!["top".to_owned(), "standard".to_owned(), "small".to_owned()],
        };
        loops::spec::read("a.yaml", &text, &known).unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    #[test]
    fn it_says_how_long_words_are_kept_and_of_whose_nothing_is_taken_out() {
        let for_good = looks(Retention::default(), &[]);
        assert_eq!(for_good.len(), 1);
        assert!(for_good[0].found.contains("for good"));
        let bounded = Retention {
            signals: Some(Duration::from_secs(400 * 86_400)),
            transcripts: None,
        };
        let told = looks(bounded, &[spec("a", "redact: { all: [email] }\n"), spec("b", "")]);
        assert_eq!(told[0].found, "signals for 400d, transcripts for good");
        assert!(told[1].found.ends_with("what `b` read"), "{told:?}");
        let told = looks(bounded, &[spec("a", "redact: { all: [email, phone] }\n")]);
        assert_eq!(told[1].found, "`a` (all: email phone)");
    }
}
