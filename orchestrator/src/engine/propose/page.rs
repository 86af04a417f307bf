//! Gathers what stands on a proposal's page. How it reads is [`loops::page`]'s.

use loops::{
    evidence::{CheckKind, Verdict},
    id::{AttemptId, FindingId, ProposalId},
    owners::{Owners, PLACES},
    page::{Cost, FileStat, Page, Problem, Risk},
    spec::PrivateWords,
};

use crate::{
    engine::{EngineError, Place, Running, private::Private},
    store::{attempts, calls, evidence, findings, signals},
};

/// How many reports a page quotes.
const QUOTES: usize = 3;
/// Reports of fewer characters are quoted only where there are no others.
const TELLING: usize = 30;

impl Running {
    pub(super) async fn page(
        &self,
        kept: &crate::store::tasks::Kept,
        attempt: AttemptId,
        id: ProposalId,
    ) -> Result<Page, EngineError> {
        let store = &self.engine.home.store;
        let task = kept.task.id;
        let tree = self.tree_of(attempt).await?;
        let diff = self.diff(&tree).await?.ok();
        let risk = match &diff {
            Some(diff) => Some(Risk::of(diff, self.owners().await.as_ref())),
            None => None,
        };
        let all: Vec<attempts::Attempt> = attempts::of_task(store, task).await?;
        let account = all
            .iter()
            .find(|a| a.begun.id == attempt)
            .and_then(|a| a.ended.summary.clone())
            .unwrap_or_default();
        let found: Vec<_> = evidence::of_change(store, task, attempt)
            .await?
            .into_iter()
            .map(|kept| kept.evidence)
            .collect();
        let concerns = found
            .iter()
            .filter(|e| e.kind == CheckKind::AgentReview && e.verdict != Verdict::Passed)
            .flat_map(|e| {
                if e.detail.is_empty() {
                    vec![e.words.clone()]
                } else {
                    e.detail.lines().map(str::to_owned).collect()
                }
            })
            .collect();
        let mut caveats: Vec<String> = all.iter().flat_map(|a| a.ended.caveats.clone()).collect();
        caveats.sort();
        caveats.dedup();
        let mut problems = Vec::new();
        for finding in &kept.task.findings {
            problems.extend(self.problem(*finding).await?);
        }
        let spent = calls::spend_of_task(store, task).await?;
        let works = all
            .iter()
            .filter(|a| a.begun.role == attempts::Role::Work && a.ended_at.is_some())
            .count();
        Ok(Page {
            title: kept.task.title.clone(),
            problems,
            account,
            evidence: found,
            concerns,
            files: diff
                .iter()
                .flat_map(|diff| &diff.files)
                .map(FileStat::of)
                .collect(),
            risk,
            caveats,
            cost: Cost {
                money: spent.cost,
                usage: spent.usage,
                attempts: u32::try_from(works).unwrap_or(u32::MAX),
                rehearsed: spent.rehearsed > 0,
                estimated: spent.estimated > 0,
            },
            answers: answers(&self.definition.place(), id),
        })
    }

    /// Who owns what, by the base branch. A file that cannot be read is like none: the page then names no owners.
    async fn owners(&self) -> Option<Owners> {
        for place in PLACES {
            if let Ok(Some(bytes)) = self.git().show_file(&self.base, place).await {
                return Some(Owners::parse(&String::from_utf8_lossy(&bytes)));
            }
        }
        None
    }

    /// Whether words that were said in private stay out of what leaves.
    fn withholds(&self) -> bool {
        matches!(self.definition.place(), Place::GitHub { .. })
            && self.spec().proposal.private == PrivateWords::Withhold
    }

    /// What was said in private of a task's findings, where it is not to leave.
    pub(super) async fn in_private(&self, findings: &[FindingId]) -> Result<Private, EngineError> {
        let withhold = if self.withholds() {
            PrivateWords::Withhold
        } else {
            PrivateWords::Quote
        };
        Private::of(&self.engine.home.store, withhold, findings).await
    }

    async fn problem(&self, id: FindingId) -> Result<Option<Problem>, EngineError> {
        let store = &self.engine.home.store;
        let Some(kept) = findings::get(store, id).await? else {
            return Ok(None);
        };
        let finding = kept.finding;
        let mut said = signals::of_finding(store, id, 50).await?;
        let title = if self.withholds() && said.iter().any(|kept| kept.signal.private) {
            said.retain(|kept| !kept.signal.private);
            let open: Vec<_> = said.iter().map(|kept| &kept.signal).collect();
            if open.is_empty() {
                "something that was reported in private".to_owned()
            } else {
                loops::finding::title(&open)
            }
        } else {
            finding.title
        };
        // «same here» counts as a report, and tells a reviewer nothing.
        said.sort_by_key(|kept| kept.signal.text.chars().count() < TELLING);
        let quotes = said
            .iter()
            .take(QUOTES)
            .map(|kept| (kept.signal.text.clone(), kept.signal.url.clone()))
            .collect();
        Ok(Some(Problem {
            title,
            signals: finding.signals,
            reporters: finding.reporters,
            since: finding.first_at,
            quotes,
        }))
    }
}

/// How a person answers: where the proposal stands, or from the terminal.
fn answers(place: &Place, id: ProposalId) -> Vec<String> {
    let id = id.short();
    if let Place::GitHub { .. } = place {
        return vec![
            "yes: merge it".to_owned(),
            "not like this: request changes, or comment `/loops revise` and what should be different"
                .to_owned(),
            "no: close it, with a word why; that is remembered (`/loops never` if nothing of the kind is wanted)"
                .to_owned(),
            format!("from a terminal: `loops review {id}`"),
        ];
    }
    vec![
        format!("yes: `loops approve {id}`"),
        format!("not like this: `loops revise {id} \"what should be different\"`"),
        format!("no: `loops reject {id} --reason \"why\"` (and `--never` if nothing of the kind is wanted)"),
    ]
}
