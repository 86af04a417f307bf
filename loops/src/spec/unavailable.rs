//! What a loop may ask for that cannot be done yet. Such keys are checked like all others and refused when the loop is
//! to run; they are never passed over in silence.

use serde::Serialize;

use super::{Autonomy, Backend, Kind, LoopSpec, ProposalForm, RepoForm, SLACK_EVENTS, Source, Trigger};

/// A key that is right, and what it asks for that cannot be done yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("not available yet: {words} (`{path}`)")]
pub struct Unavailable {
    /// The key, from the file's top.
    pub path: String,
    /// What it asks for, and what may stand there now.
    pub words: String,
}

/// Everything that the loop asks for and that cannot be done yet; empty: it can run. A schedule and triggers are not
/// among it: they matter to the service, not to a run that somebody starts.
pub fn unavailable(spec: &LoopSpec) -> Vec<Unavailable> {
    let mut list = List(Vec::new());
    if !matches!(spec.kind, Kind::Fix | Kind::Instruction) {
        list.add("kind", "only the kinds `fix` and `instruction` can run");
    }
    let on_github = matches!(RepoForm::parse(&spec.repo), Some(RepoForm::GitHub { .. }));
    for (i, source) in spec.sources.iter().enumerate() {
        if let Some(name) = later(source, on_github) {
            list.add(
                &format!("sources[{i}].{name}"),
                &match name {
                    "github_issues" | "github_pulls" | "github_actions" => {
                        format!("the source `{name}` for a repository in a folder; name it as `owner/name`")
                    }
                    _ => format!("the source `{name}`; use `file` or `slack`"),
                },
            );
        }
    }
    triage(spec, on_github, &mut list);
    for (name, worker) in &spec.workers {
        if !matches!(worker.agent, Backend::Builtin | Backend::Rehearsal) {
            list.add(
                &format!("workers.{name}.agent"),
                "agents other than `builtin` and `rehearsal`",
            );
        }
    }
    outward(spec, on_github, &mut list);
    list.0
}

/// What the loop waits for and never gets; none: nothing. It can be run by hand all the same.
pub fn unserved(spec: &LoopSpec) -> Option<Unavailable> {
    let on_github = matches!(RepoForm::parse(&spec.repo), Some(RepoForm::GitHub { .. }));
    spec.triggers.iter().enumerate().find_map(|(i, trigger)| {
        let (key, words) = match trigger {
            Trigger::Slack(event) if SLACK_EVENTS.contains(&event.as_str()) => return None,
            Trigger::Slack(_) => ("slack", "of Slack's events only `message` and `reaction_added` are heard".to_owned()),
            Trigger::Webhook(_) => return None,
            Trigger::Github(_) if on_github => return None,
            Trigger::Github(_) => (
                "github",
                "events of GitHub for a repository in a folder; name it as `owner/name`, or write a `schedule`".to_owned(),
            ),
        };
        Some(Unavailable {
            path: format!("triggers[{i}].{key}"),
            words,
        })
    })
}

struct List(Vec<Unavailable>);

impl List {
    fn add(&mut self, path: &str, words: &str) {
        self.0.push(Unavailable {
            path: path.to_owned(),
            words: words.to_owned(),
        });
    }
}

/// The name of a source that cannot be read yet.
fn later(source: &Source, on_github: bool) -> Option<&'static str> {
    match source {
        Source::GithubIssues(_) | Source::GithubPulls(_) | Source::GithubActions(_) if on_github => None,
        Source::GithubIssues(_) | Source::GithubPulls(_) | Source::GithubActions(_) => Some(source.key()),
        Source::File(_)
        | Source::Slack(_)
        | Source::Junit(_)
        | Source::Sarif(_)
        | Source::Csv(_)
        | Source::Json(_)
        | Source::Rss(_)
        | Source::Sentry(_)
        | Source::Webhook(_) => None,
    }
}

fn triage(spec: &LoopSpec, on_github: bool, list: &mut List) {
    let trust = &spec.triage.trust;
    if trust.members.is_some_and(|members| members > 0) && trust.names.is_empty() && !on_github {
        list.add(
            "triage.trust.members",
            "asking who has write access needs GitHub; for files say who has it (`names`), or write 0 if you trust them",
        );
    }
}

fn outward(spec: &LoopSpec, on_github: bool, list: &mut List) {
    match spec.proposal.form {
        Some(ProposalForm::PullRequest) if !on_github => {
            list.add(
                "proposal.as",
                "a pull request for a repository in a folder; use `local`",
            );
        }
        Some(ProposalForm::Local) if on_github => {
            list.add(
                "proposal.as",
                "a local review of a repository on GitHub; use `pull_request`",
            );
        }
        None | Some(ProposalForm::Local | ProposalForm::Report | ProposalForm::PullRequest) => {}
        Some(ProposalForm::Comment) => list.add("proposal.as", "comments; use `local` or `pull_request`"),
    }
    let ours = super::Proposal::default();
    for (path, set) in [
        ("proposal.draft", spec.proposal.draft != ours.draft),
        ("proposal.labels", spec.proposal.labels != ours.labels),
        ("proposal.reviewers", spec.proposal.reviewers != ours.reviewers),
    ] {
        // A pull request is refused as a whole.
        if set && !on_github && spec.proposal.form != Some(ProposalForm::PullRequest) {
            list.add(path, "what only a pull request has; leave it out");
        }
    }
    match spec.proposal.autonomy {
        Autonomy::Report | Autonomy::PlanFirst | Autonomy::Propose => {}
        Autonomy::MergeWhenGreen if on_github => {}
        Autonomy::MergeWhenGreen => list.add(
            "proposal.autonomy",
            "merging by itself in a folder, where no branch is protected; use `propose`",
        ),
    }
}
