//! Whose words may lead to code: who counts as one of the house, and which sources repeat what others wrote. Nobody is
//! asked here who may write to a repository.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::signal::{Signal, Voice};

/// Whose reports may lead to code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// Code is written only if that many people with write access are among the reporters; 0: anyone. The default is 1
    /// where anyone may write or users may have shaped the words, else 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<u32>,
    /// Who has write access, by the names that files give their authors. Names in a file are as true as the file; names
    /// that people choose themselves, as in Slack, do not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Sources whose words are trusted although users of the product, or anyone, may have shaped them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Shaped>,
}

/// A source that repeats what people outside wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shaped {
    /// Rows of files: what customers wrote into a form.
    Csv,
    /// Lists at addresses.
    Json,
    /// Entries of feeds.
    Rss,
    /// Issues of Sentry: an error's words hold what a user typed.
    Sentry,
    /// Apps in Slack: forms, inboxes and alarms that repeat what they are told. People there are trusted as they are.
    Slack,
}

impl Shaped {
    /// How the names of its signals' sources begin, before the colon.
    pub fn key(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Rss => "rss",
            Self::Sentry => "sentry",
            Self::Slack => "slack",
        }
    }
}

/// How far the words of a signal are to be trusted, by where it stands and who spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Only people of the house write there, or the house's own machines.
    Inside,
    /// A machine repeats what users may have shaped.
    Repeated,
    /// Anyone may write there.
    Anyone,
}

/// The word of a signal's source, before the colon.
fn place(signal: &Signal) -> &str {
    signal.source.split(':').next().unwrap_or_default()
}

impl Trust {
    /// How many people with write access it takes; `anyone_writes`: some of the reports stand where anyone may write.
    pub fn wanted(&self, anyone_writes: bool) -> u32 {
        self.members.unwrap_or(u32::from(anyone_writes))
    }

    /// How far a signal's words are to be trusted.
    pub fn standing(&self, signal: &Signal) -> Standing {
        let place = place(signal);
        if self.sources.iter().any(|source| source.key() == place) {
            return Standing::Inside;
        }
        match (place, signal.voice) {
            ("slack", Voice::Person) | ("file" | "junit" | "sarif", _) => Standing::Inside,
            // Jobs of runs that nobody outside can start; others have another name.
            ("github", Voice::Machine) if signal.external_id.starts_with("job:") => Standing::Inside,
            ("csv", _) | (_, Voice::Machine) => Standing::Repeated,
            (_, Voice::Person) => Standing::Anyone,
        }
    }

    /// Whether reports like these may be anybody's words. What a machine repeats counts as such, unless a person of the
    /// house stands beside it: a failed job that looks alike has not looked at what users wrote.
    pub fn anyone_writes<'a>(&self, said: impl IntoIterator<Item = &'a Signal>) -> bool {
        let (mut any, mut repeated, mut person) = (false, false, false);
        for signal in said {
            any = true;
            match (self.standing(signal), signal.voice) {
                (Standing::Anyone, _) => return true,
                (Standing::Repeated, _) => repeated = true,
                (Standing::Inside, Voice::Person) => person = true,
                (Standing::Inside, Voice::Machine) => {}
            }
        }
        !any || (repeated && !person)
    }

    /// Whether the name that a source gives an author is believed: who writes a file knows whom they quote, and GitHub
    /// knows its people.
    pub fn believes_name(&self, signal: &Signal) -> bool {
        let place = place(signal);
        matches!(place, "github" | "file") || self.sources.iter().any(|source| source.key() == place)
    }

    /// Why reports of these authors lead to a report alone; nothing: they may lead to code. Of each author it is known
    /// whether the forge says that they have write access; `names` add to those.
    pub fn report_only<'a>(
        &self,
        authors: impl IntoIterator<Item = (&'a str, bool)>,
        anyone_writes: bool,
    ) -> Option<String> {
        let wanted = self.wanted(anyone_writes) as usize;
        let members: BTreeSet<&str> = authors
            .into_iter()
            .filter(|(author, writes)| *writes || self.names.iter().any(|name| name == author))
            .map(|(author, _)| author)
            .collect();
        match members.len() {
            known if known >= wanted => None,
            0 => Some("report only: nobody with write access reported it".to_owned()),
            known => Some(format!(
                "report only: {known} of the {wanted} people with write access that it needs reported it"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_distinct_people_of_the_list_lead_to_code() {
        let names = vec!["anna".to_owned(), "ben".to_owned()];
        let trust = |members| Trust {
            members,
            names: names.clone(),
            ..Trust::default()
        };
        let says = |trust: &Trust, authors: &[&str], anyone_writes| {
            trust.report_only(authors.iter().map(|author| (*author, false)), anyone_writes)
        };
        for open in [trust(None), trust(Some(0))] {
            assert_eq!(says(&open, &["mallory"], false), None);
        }
        let one = trust(Some(1));
        assert!(says(&one, &[], false).is_some() && says(&one, &["Anna", "mallory"], false).is_some());
        assert_eq!(says(&one, &["mallory", "anna"], false), None);
        assert_eq!(
            says(&trust(Some(2)), &["anna", "anna"], false).as_deref(),
            Some("report only: 1 of the 2 people with write access that it needs reported it")
        );
    }

    #[test]
    fn where_anyone_may_write_one_person_with_write_access_must_be_among_the_reporters() {
        let unsaid = Trust::default();
        assert!(unsaid.report_only([("mallory", false)], true).is_some());
        assert_eq!(
            unsaid.report_only([("mallory", false), ("carol", true)], true),
            None
        );
        let anyone = Trust {
            members: Some(0),
            ..Trust::default()
        };
        assert_eq!(
            anyone.report_only([("mallory", false)], true),
            None,
            "the loop says so"
        );
    }

    fn signal(source: &str, external_id: &str, voice: Voice) -> Signal {
        Signal {
            id: Signal::id_of(source, external_id),
            source: source.to_owned(),
            external_id: external_id.to_owned(),
            at: crate::time::Timestamp(0),
            author: Some("anna".to_owned()),
            account: None,
            voice,
            text: "x".to_owned(),
            url: None,
            reactions: std::collections::BTreeMap::new(),
            labels: Vec::new(),
            thread: None,
            private: false,
        }
    }

    #[test]
    fn what_users_may_have_shaped_is_never_of_the_house_unless_the_loop_says_so() {
        use Voice::{Machine, Person};
        let unsaid = Trust::default();
        for (source, id, voice, standing) in [
            ("sentry:acme/shop", "1", Machine, Standing::Repeated),
            ("csv:a.csv", "1", Person, Standing::Repeated),
            ("json:https://x", "1", Person, Standing::Anyone),
            ("json:https://x", "1", Machine, Standing::Repeated),
            ("rss:https://x", "1", Person, Standing::Anyone),
            ("github:a/b", "issue:1", Person, Standing::Anyone),
            ("github:a/b", "issue:1", Machine, Standing::Repeated),
            ("github:a/b", "job:1/1", Machine, Standing::Inside),
            ("github:a/b", "outside-job:1/1", Machine, Standing::Repeated),
            ("slack:#shop", "1.0", Machine, Standing::Repeated),
            ("slack:#shop", "1.0", Person, Standing::Inside),
            ("file:a.jsonl", "1", Machine, Standing::Inside),
            ("junit:a.xml", "1", Machine, Standing::Inside),
            ("a source of tomorrow", "1", Person, Standing::Anyone),
            ("a source of tomorrow", "1", Machine, Standing::Repeated),
        ] {
            assert_eq!(
                unsaid.standing(&signal(source, id, voice)),
                standing,
                "{source} {id}"
            );
        }
        let named = Trust {
            sources: vec![Shaped::Sentry],
            ..Trust::default()
        };
        assert_eq!(
            named.standing(&signal("sentry:acme/shop", "1", Machine)),
            Standing::Inside
        );
        assert_eq!(
            named.standing(&signal("csv:a.csv", "1", Person)),
            Standing::Repeated
        );
    }

    #[test]
    fn beside_a_failed_job_what_a_machine_repeats_still_waits_for_a_person_of_the_house() {
        use Voice::{Machine, Person};
        let sentry = signal("sentry:acme/shop", "1", Machine);
        let job = signal("github:a/b", "job:1/1", Machine);
        let issue = signal("github:a/b", "issue:1", Person);
        let colleague = signal("slack:#shop", "1.0", Person);
        let unsaid = Trust::default();
        for (said, anyone_writes) in [
            (vec![], true),
            (vec![&job], false),
            (vec![&sentry], true),
            (vec![&sentry, &job], true),
            (vec![&sentry, &job, &colleague], false),
            (vec![&issue, &colleague], true),
        ] {
            let places: Vec<&str> = said.iter().map(|signal| signal.source.as_str()).collect();
            assert_eq!(
                unsaid.anyone_writes(said.iter().copied()),
                anyone_writes,
                "{places:?}"
            );
        }
    }

    #[test]
    fn a_name_that_people_choose_themselves_is_not_believed() {
        let unsaid = Trust::default();
        for (source, believed) in [
            ("file:a.jsonl", true),
            ("github:a/b", true),
            ("slack:#shop", false),
            ("csv:a.csv", false),
            ("rss:https://x", false),
        ] {
            assert_eq!(
                unsaid.believes_name(&signal(source, "1", Voice::Person)),
                believed,
                "{source}"
            );
        }
    }
}
