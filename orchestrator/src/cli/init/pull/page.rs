//! The page of the pull request that proposes a repository's first loops: what they would do, what they would do first,
//! how to change or refuse it, and what can never happen. Words only; nothing is asked or sent here.

use std::fmt::Write as _;

use loops::{
    screen::{clean, secrets},
    spec::{LeadChoice, LoopSpec, ReviewChoice, Source},
};

use sha2::{Digest as _, Sha256};

use crate::engine::Plan;

/// How the hidden mark begins by which the pull request is known for ours. A digest of what we wrote below it follows.
pub(super) const MARKER: &str = "<!-- loops:start";

/// The title of the pull request.
pub(super) const TITLE: &str = "Let Loops look after this repository";

/// A loop that is proposed, and what it would do first.
pub(super) struct Shown {
    pub(super) file: String,
    pub(super) spec: LoopSpec,
    /// What it would do now, or why that could not be found out.
    pub(super) first: Result<Plan, String>,
}

/// Where the files are, and who would be asked.
pub(super) struct About<'a> {
    /// `owner/name`.
    pub(super) repository: &'a str,
    /// The base branch.
    pub(super) branch: &'a str,
    /// Where people see the files, without a slash at its end.
    pub(super) files: &'a str,
    /// What a model's alias stands for at the moment.
    pub(super) model: &'a dyn Fn(&str) -> String,
}

/// The page, Markdown.
pub(super) fn page(about: &About<'_>, loops: &[Shown]) -> String {
    let About {
        repository, branch, ..
    } = about;
    let mut out = format!(
        "Loops reads what people and machines say about `{repository}`, lets agents mend what is wrong, proves each change in a sandbox, and opens a draft pull request for it. This \
         pull request adds the files that tell it how. **Nothing runs here before it is merged**: loops are read from \
         `{branch}` only.\n\n## What it would do\n\n| loop | reads | when | costs at most | what leaves |\n|---|---|---|---|---|\n"
    );
    for one in loops {
        let _ = writeln!(out, "{}", row(one, about));
    }
    out += "\n## What it would do first\n\n";
    for one in loops {
        first(&mut out, one);
    }
    let _ = write!(
        out,
        "\nThis was a dry run: sources were read and weighed, no model was asked, nothing was spent and nothing was \
         started.\n\n## How to change or refuse it\n\n\
         - **Change**: push to this branch; what you write stays. After merging, edit `.loops/` like any other code.\n\
         - **Refuse**: close this pull request. That is remembered; it is opened again only if somebody asks for it by \
         name.\n\
         - **Stop later**: delete a file in `.loops/`, or close what it proposes. Whoever runs the service can pause it \
         at once.\n\n\
         ## What it can never do\n\n\
         - Push to `{branch}` or to any branch but its own under `loops/`, or merge what these files leave to people.\n\
         - Change `.github/` or `.loops/`, or spend more than stands above. Every call to a model is counted first.\n\
         - Hand an agent a credential. Agents work in a sandbox that reaches no host but those that these files name and the operator allows, and see this repository only.\n\
         - Take orders from an issue or a comment: what people write there is evidence, and only reports with somebody \
         of write access among them lead to code.\n\
         - Read files of the machine it runs on, other repositories or other channels because these files say so: it \
         refuses such a file.\n"
    );
    let out = secrets::mask(&out);
    format!("{MARKER} {} -->\n{out}", digest(&out))
}

/// Whether a page is as we wrote it, whatever we wrote: nobody has changed a word of it since.
pub(super) fn is_as_written(body: &str) -> bool {
    let body = body.replace("\r\n", "\n");
    let Some((mark, rest)) = body.trim_start().split_once('\n') else {
        return false;
    };
    let said = mark.trim().strip_prefix(MARKER);
    said.and_then(|said| said.strip_suffix("-->"))
        .is_some_and(|said| said.trim() == digest(rest))
}

/// By what we know whether it is as we wrote it. GitHub keeps line ends, and the end of a text, in its own way.
fn digest(page: &str) -> String {
    hex::encode(Sha256::digest(page.trim().as_bytes()))[..16].to_owned()
}

fn row(one: &Shown, about: &About<'_>) -> String {
    let spec = &one.spec;
    let sources: Vec<&str> = spec
        .sources
        .iter()
        .map(|source| match source {
            Source::GithubIssues(_) => "open issues, their comments and reactions",
            Source::GithubPulls(_) => "open pull requests of people, and what is said about them",
            Source::GithubActions(_) => "failed workflow runs on the base branch",
            Source::Slack(_) => "Slack",
            Source::File(_) | Source::Junit(_) | Source::Sarif(_) | Source::Csv(_) => "files",
            Source::Webhook(_) => "what others send",
            Source::Json(_) | Source::Rss(_) | Source::Sentry(_) => "addresses on the network",
        })
        .collect();
    let when = spec
        .schedule
        .as_ref()
        .and_then(|schedule| match (&schedule.every, &schedule.cron) {
            (Some(every), _) => Some(format!("every {every}")),
            (None, Some(cron)) => Some(format!("`{cron}` ({})", schedule.timezone)),
            (None, None) => None,
        })
        .unwrap_or_else(|| "by hand".to_owned());
    let mut asked: Vec<String> = spec
        .workers
        .values()
        .map(|worker| &worker.model)
        .map(|name| (about.model)(name))
        .collect();
    if let LeadChoice::Agent(lead) = &spec.lead {
        asked.push((about.model)(&lead.model));
    }
    if let ReviewChoice::Agent(review) = &spec.checks.agent_review {
        asked.push((about.model)(&review.model));
    }
    asked.sort();
    asked.dedup();
    let leaves = if spec.proposal.reports_only() {
        "no change: it only reports (no command that runs the tests was found)".to_owned()
    } else {
        format!("draft pull requests, {} open at most", spec.proposal.max_open)
    };
    format!(
        "| [`{}`]({}/{}) | {} | {when} | {} a run, {} a day | {leaves}; what it reads, and code that \
         goes with it, to {} |",
        spec.name,
        about.files,
        one.file,
        sources.join("; "),
        spec.budget.run,
        spec.budget.day,
        asked.join(", ")
    )
}

fn first(out: &mut String, one: &Shown) {
    let name = &one.spec.name;
    match &one.first {
        Err(why) => {
            let _ = writeln!(out, "**{name}** could not be tried: {}\n", clean::cell(why));
        }
        Ok(plan) if plan.findings.is_empty() => {
            let _ = writeln!(
                out,
                "**{name}**: nothing. No finding passes its thresholds now.\n"
            );
        }
        Ok(plan) => {
            let tasks = if plan.tasks == 1 {
                "1 task".to_owned()
            } else {
                format!("{} tasks", plan.tasks)
            };
            let _ = writeln!(
                out,
                "**{name}**: {tasks} at most, for {} at most.\n\n| score | finding | reports | people |\n|---:|---|---:|---:|",
                plan.worst_case
            );
            for finding in &plan.findings {
                let _ = writeln!(
                    out,
                    "| {:.1} | {} | {} | {} |",
                    finding.score.total,
                    clean::cell(&finding.title),
                    finding.signals,
                    finding.reporters
                );
            }
            out.push('\n');
        }
    }
}
