//! What was checked about a commit, by check runs and by commit statuses, and saying what we checked ourselves.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{GitHubError, Repository, answer::cut};

/// A status's description has at most so many characters.
const MAX_DESCRIPTION: usize = 140;
/// A check run's text has at most so many bytes.
const MAX_TEXT: usize = 65_000;
/// What a check says of itself is cut to so many characters.
const MAX_SUMMARY: usize = 4_000;

/// All that was checked about a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checks {
    /// The last of each name.
    pub runs: Vec<CheckRun>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRun {
    /// Its name, as branch rules know it.
    pub name: String,
    /// How it stands.
    pub state: CheckState,
    /// GitHub's word for how it ended: `failure`, `cancelled`, `timed_out`, …; of a status its state; none: it has not ended.
    pub conclusion: Option<String>,
    /// Where people see it.
    pub url: Option<String>,
    /// What it says of itself; may be empty.
    pub summary: String,
    /// The job of GitHub Actions that it is, if it is one; see [`Repository::failure_log`].
    pub job: Option<u64>,
}

/// How a check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// It has not ended.
    Pending,
    /// It holds.
    Passed,
    /// It does not hold, or did not come to its end.
    Failed,
    /// It was skipped, or says neither.
    Neutral,
}

/// A commit status, to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its name; setting it again replaces it.
    pub context: String,
    /// How it stands.
    pub state: StatusState,
    /// In a few words; cut to 140 characters.
    pub description: String,
    /// Where to read more.
    pub url: Option<String>,
}

/// How a commit status stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusState {
    /// It is not known yet.
    Pending,
    /// It holds.
    Success,
    /// It does not hold.
    Failure,
    /// It could not be found out.
    Error,
}

/// A check run, to be made; only an App may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCheckRun {
    /// Its name.
    pub name: String,
    /// How it ended; none: it is under way.
    pub conclusion: Option<Conclusion>,
    /// Where to read more.
    pub url: Option<String>,
    /// Its heading.
    pub title: String,
    /// Its text, Markdown.
    pub summary: String,
    /// Our own id for it.
    pub external_id: Option<String>,
}

/// How a check run of ours ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// It holds.
    Success,
    /// It does not hold.
    Failure,
    /// It says neither.
    Neutral,
}

#[derive(Deserialize)]
struct RawRun {
    id: u64,
    name: String,
    status: String,
    conclusion: Option<String>,
    html_url: Option<String>,
    details_url: Option<String>,
    app: Option<RawApp>,
    output: Option<Output>,
    external_id: Option<String>,
}

#[derive(Deserialize)]
struct RawApp {
    slug: Option<String>,
}

#[derive(Deserialize)]
struct Output {
    title: Option<String>,
    summary: Option<String>,
}

#[derive(Deserialize)]
struct RawStatus {
    context: String,
    state: String,
    description: Option<String>,
    target_url: Option<String>,
}

#[derive(Deserialize)]
struct Made {
    id: u64,
}

impl Checks {
    /// The check of this name. Several may have it, of several origins: the worst is given.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&CheckRun> {
        let rank = |state: CheckState| match state {
            CheckState::Failed => 0,
            CheckState::Pending => 1,
            CheckState::Neutral => 2,
            CheckState::Passed => 3,
        };
        let named = self.runs.iter().filter(|run| run.name == name);
        named.min_by_key(|run| rank(run.state))
    }
}

impl From<RawRun> for CheckRun {
    fn from(raw: RawRun) -> Self {
        let state = match (raw.status.as_str(), raw.conclusion.as_deref()) {
            ("completed", Some("success")) => CheckState::Passed,
            ("completed", Some("neutral" | "skipped")) => CheckState::Neutral,
            ("completed", _) => CheckState::Failed,
            _ => CheckState::Pending,
        };
        let actions = raw.app.and_then(|app| app.slug).as_deref() == Some("github-actions");
        let said = raw
            .output
            .into_iter()
            .flat_map(|output| [output.title, output.summary]);
        let said: Vec<String> = said.flatten().filter(|text| !text.trim().is_empty()).collect();
        Self {
            job: actions.then_some(raw.id),
            name: raw.name,
            state,
            conclusion: raw.conclusion,
            url: raw.html_url.or(raw.details_url),
            summary: said.join("\n").chars().take(MAX_SUMMARY).collect(),
        }
    }
}

impl From<RawStatus> for CheckRun {
    fn from(raw: RawStatus) -> Self {
        let state = match raw.state.as_str() {
            "success" => CheckState::Passed,
            "pending" => CheckState::Pending,
            _ => CheckState::Failed,
        };
        Self {
            name: raw.context,
            state,
            conclusion: (state != CheckState::Pending).then_some(raw.state),
            url: raw.target_url,
            summary: raw.description.unwrap_or_default(),
            job: None,
        }
    }
}

impl Repository {
    /// All that was checked about a commit: check runs, and commit statuses.
    ///
    /// # Errors
    /// If GitHub does not say.
    pub async fn checks(&self, head: &str) -> Result<Checks, GitHubError> {
        let doing = format!("read the checks of `{}` in `{}`", cut(head), self.full_name());
        let ask = self
            .get(&["commits", head, "check-runs"], &doing)
            .query("filter", "latest");
        let runs: Vec<RawRun> = self.all(ask, Some("check_runs")).await?;
        let mut runs: Vec<CheckRun> = runs.into_iter().map(CheckRun::from).collect();
        let ask = self.get(&["commits", head, "status"], &doing);
        let statuses: Vec<RawStatus> = self.all(ask, Some("statuses")).await?;
        runs.extend(statuses.into_iter().map(CheckRun::from));
        Ok(Checks { runs })
    }

    /// Sets a commit status; the same again is the same.
    ///
    /// # Errors
    /// If GitHub does not take it.
    pub async fn put_status(&self, head: &str, status: &Status) -> Result<(), GitHubError> {
        let doing = format!("set a status of `{}` in `{}`", cut(head), self.full_name());
        let mut description: String = status.description.chars().take(MAX_DESCRIPTION).collect();
        if description.len() < status.description.len() {
            description.pop();
            description.push('…');
        }
        let mut body = json!({
            "context": status.context, "state": status.state, "description": description,
        });
        if let Some(url) = &status.url {
            body["target_url"] = json!(url);
        }
        let ask = self.post(&["statuses", head], &body, &doing).repeatable();
        self.call(ask).await.map(drop)
    }

    /// The id of the check run of ours that has this name and our own id at a commit; none: there is none. What others
    /// made under that name or id is not ours.
    ///
    /// # Errors
    /// If GitHub does not say.
    pub async fn find_check_run(
        &self,
        head: &str,
        name: &str,
        external_id: &str,
    ) -> Result<Option<u64>, GitHubError> {
        let me = self.me().await?;
        let doing = format!(
            "look for our check run of `{}` in `{}`",
            cut(head),
            self.full_name()
        );
        let ask = self
            .get(&["commits", head, "check-runs"], &doing)
            .query("check_name", name)
            .query("filter", "all");
        let runs: Vec<RawRun> = self.all(ask, Some("check_runs")).await?;
        let ours = |run: &RawRun| {
            let slug = run.app.as_ref().and_then(|app| app.slug.as_deref());
            run.name == name
                && run.external_id.as_deref() == Some(external_id)
                && slug.is_some_and(|slug| me.is(&format!("{slug}[bot]")))
        };
        Ok(runs.into_iter().find(ours).map(|run| run.id))
    }

    /// Makes a check run, and gives its id. Only where the login is an App.
    ///
    /// # Errors
    /// If GitHub does not take it, or nobody knows whether it did.
    pub async fn create_check_run(&self, head: &str, run: &NewCheckRun) -> Result<u64, GitHubError> {
        let doing = format!("make a check run of `{}` in `{}`", cut(head), self.full_name());
        let mut body = body(run);
        body["head_sha"] = json!(head);
        let answer = self.call(self.post(&["check-runs"], &body, &doing)).await?;
        Ok(answer.json::<Made>(&doing)?.id)
    }

    /// Says anew what a check run of ours found.
    ///
    /// # Errors
    /// If GitHub does not take it.
    pub async fn edit_check_run(&self, id: u64, run: &NewCheckRun) -> Result<(), GitHubError> {
        let doing = format!("edit the check run {id} in `{}`", self.full_name());
        let ask = self.patch(&["check-runs", &id.to_string()], &body(run), &doing);
        self.call(ask.repeatable()).await.map(drop)
    }
}

fn body(run: &NewCheckRun) -> Value {
    let mut end = run.summary.len().min(MAX_TEXT);
    while !run.summary.is_char_boundary(end) {
        end -= 1;
    }
    let mut body = json!({
        "name": run.name,
        "status": if run.conclusion.is_some() { "completed" } else { "in_progress" },
        "output": { "title": run.title, "summary": run.summary[..end] },
    });
    if let Some(conclusion) = run.conclusion {
        body["conclusion"] = json!(conclusion);
    }
    if let Some(url) = &run.url {
        body["details_url"] = json!(url);
    }
    if let Some(id) = &run.external_id {
        body["external_id"] = json!(id);
    }
    body
}
