//! The issues of a Sentry project, by its API (`GET /api/0/projects/{organization}/{project}/issues/`), the last seen
//! first. How many people an issue met counts as reactions do.

use loops::{signal::Voice, spec::SentrySource, time::Timestamp};
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Document, Records, Said, Skipped,
    fetch::Page,
    pages::{Listing, linked, with},
};

/// Issues seen so shortly before the last one that was read are looked at again.
const OVERLAP: std::time::Duration = std::time::Duration::from_secs(600);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    id: String,
    title: String,
    #[serde(default)]
    culprit: Option<String>,
    #[serde(default)]
    permalink: Option<String>,
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    user_count: u32,
    #[serde(default)]
    last_seen: Option<Timestamp>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    filename: Option<String>,
    #[serde(default)]
    function: Option<String>,
}

impl Listing for SentrySource {
    fn first(&self, _since: Option<Timestamp>) -> String {
        let base = self.url.trim_end_matches('/');
        let text = format!(
            "{base}/api/0/projects/{}/{}/issues/?limit=100&sort=date",
            self.organization, self.project
        );
        match Url::parse(&text) {
            Ok(url) => with(url, "query", &self.query).into(),
            Err(_) => text,
        }
    }

    fn login(&self) -> Option<&str> {
        Some(&self.credential)
    }

    fn tells_by_first_page(&self) -> bool {
        true
    }

    fn records(&self, document: &Document<'_>) -> Result<Records, String> {
        let issues: Vec<Value> = serde_json::from_slice(document.bytes)
            .map_err(|error| format!("the answer is no list of issues: {error}"))?;
        Ok(issues.iter().map(|issue| record(self, issue)).collect())
    }

    fn next(&self, page: &Page, _at: &Url) -> Option<String> {
        linked(page)
    }

    fn is_enough(&self, oldest: Option<Timestamp>, known: Option<Timestamp>) -> bool {
        matches!((oldest, known), (Some(oldest), Some(known)) if oldest < known.minus(OVERLAP))
    }
}

fn record(source: &SentrySource, item: &Value) -> Result<Said, Skipped> {
    let issue: Issue = serde_path_to_error::deserialize(item).map_err(|error| Skipped {
        place: format!("{}/{} issue {}", source.organization, source.project, item["id"]),
        why: error.to_string(),
    })?;
    let place = [issue.metadata.filename, issue.metadata.function];
    let lines = [
        Some(issue.title.clone()),
        issue
            .metadata
            .value
            .filter(|value| !issue.title.contains(value.as_str())),
        issue
            .culprit
            .filter(|culprit| !culprit.is_empty())
            .map(|culprit| format!("in {culprit}")),
        place.iter().any(Option::is_some).then(|| {
            let parts: Vec<&str> = place.iter().flatten().map(String::as_str).collect();
            format!("at {}", parts.join(", "))
        }),
    ];
    let text: Vec<String> = lines.into_iter().flatten().collect();
    Ok(Said {
        id: Some(issue.id),
        at: issue.last_seen,
        url: issue.permalink,
        labels: issue.level.into_iter().collect(),
        reactions: [("people".to_owned(), issue.user_count)].into(),
        ..Said::new(Voice::Machine, text.join("\n"))
    })
}
