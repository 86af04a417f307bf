//! The pull request as which a proposal stands on GitHub.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Outward, Sending, Tried, key};
use crate::{
    clock,
    engine::{EngineError, talk},
    github::{EditPull, GitHubError, NewPull, Pull, PullState},
    store::{
        outbox::{self, EffectState},
        proposals::{self, Proposal, ProposalState},
        pulls::{self, PullRow},
    },
};

/// GitHub takes 65,536 characters; what is longer is cut, with a word.
const LONGEST_BODY: usize = 60_000;

impl Sending<'_> {
    pub(super) async fn pull(&self, draft: bool, branch: &outbox::Effect) -> Result<Tried, EngineError> {
        match branch.state {
            EffectState::Pending => return Ok(Tried::NotYet),
            EffectState::Failed => return Ok(Tried::Obsolete("its branch could not be pushed".to_owned())),
            EffectState::Done => {}
        }
        if self.key != key("pull", self.proposal.id, &self.proposal.attempt) {
            return Ok(Tried::Obsolete("a later attempt took its place".to_owned()));
        }
        let pull = match self.find().await? {
            Some(pull) if pull.state != PullState::Open => {
                // Who closed or merged it has answered; whoever watches it writes that down.
                (pull, None)
            }
            Some(pull) => self.update(pull).await?,
            None => {
                let pull = self.open(draft).await?;
                let wrote = digests(&pull);
                (pull, Some(wrote))
            }
        };
        self.opened(&pull.0, pull.1).await?;
        Ok(Tried::Done)
    }

    /// The pull request, if it is there: the one that we wrote down, else that of the branch.
    async fn find(&self) -> Result<Option<Pull>, GitHubError> {
        match pulls::get(&self.home.store, self.proposal.id).await {
            Ok(Some(known)) => self.repository.pull(known.number).await.map(Some),
            _ => {
                let there = self.repository.pull_of_branch(&self.proposal.branch).await?;
                Ok(there.filter(|pull| pull.body.contains(&marker(&self.proposal))))
            }
        }
    }

    async fn open(&self, draft: bool) -> Result<Pull, GitHubError> {
        let new = NewPull {
            title: self.proposal.title.clone(),
            body: body(&self.proposal),
            head: self.proposal.branch.clone(),
            base: self.proposal.base_branch.clone(),
            draft,
        };
        self.repository.open_pull(&new).await
    }

    /// Brings title and page up to date, but for what somebody else has written there since; with what we have written.
    async fn update(&self, pull: Pull) -> Result<(Pull, Option<[String; 2]>), EngineError> {
        let body = body(&self.proposal);
        let row = pulls::get(&self.home.store, self.proposal.id).await?;
        let known = row.map(|row| talk::wrote_last(&row)).unwrap_or_default();
        let there = digests(&pull);
        let ours = [0, 1].map(|at: usize| known[at].is_empty() || known[at] == there[at]);
        let mut edit = EditPull::default();
        if pull.title != self.proposal.title && ours[0] {
            edit.title = Some(self.proposal.title.clone());
        }
        if pull.body.replace("\r\n", "\n").trim_end() != body.trim_end() && ours[1] {
            edit.body = Some(body);
        }
        let pull = if edit == EditPull::default() {
            pull
        } else {
            self.repository.edit_pull(pull.number, &edit).await?
        };
        let mut wrote = digests(&pull);
        for (at, before) in known.into_iter().enumerate().filter(|(at, _)| !ours[*at]) {
            wrote[at] = before;
        }
        Ok((pull, Some(wrote)))
    }

    /// Writes down that it stands before people, and what else is to leave now.
    async fn opened(&self, pull: &Pull, wrote: Option<[String; 2]>) -> Result<(), EngineError> {
        let now = clock::now();
        let id = self.proposal.id;
        let mut tx = self.done().await?;
        let first = pulls::get(&mut tx, id).await?.is_none();
        let row = PullRow {
            proposal: id,
            repository: self.repository.full_name(),
            number: pull.number,
            url: pull.url.clone(),
            draft: pull.draft,
            talk: json!({}),
            rounds: 0,
            rebuilds: 0,
            hands_off: None,
            opened_at: now,
        };
        pulls::put(&mut tx, &row).await?;
        if let Some(wrote) = wrote {
            let theirs = wrote[1] != digests(pull)[1];
            talk::wrote(&mut tx, &self.proposal, wrote).await?;
            if theirs {
                talk::page_is_theirs(&mut tx, &self.proposal).await?;
            }
        }
        let (preparing, open) = (ProposalState::Preparing, ProposalState::Open);
        proposals::set_state(&mut tx, id, preparing, open, now).await?;
        let kind = if first {
            "proposal.opened"
        } else {
            "proposal.updated"
        };
        let data =
            json!({ "head": self.proposal.head, "number": pull.number, "attempt": self.proposal.attempt });
        let (name, run) = (&self.proposal.loop_name, self.proposal.run);
        tx.record(now, kind, Some(name), Some(run), &id.to_string(), data)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// By what we know whether title and page are as we wrote them.
fn digests(pull: &Pull) -> [String; 2] {
    let of = |text: &str| {
        let text = text.replace("\r\n", "\n");
        hex::encode(Sha256::digest(text.trim_end().as_bytes()))[..16].to_owned()
    };
    [of(&pull.title), of(&pull.body)]
}

/// What stands, unseen, at the end of a page, so that we know ours again.
pub(crate) fn marker(proposal: &Proposal) -> String {
    format!("<!-- loops:proposal:{} -->", proposal.id)
}

fn body(proposal: &Proposal) -> String {
    // GitHub shows the title above the body.
    let mut page = loops::page::without_title(&proposal.body).trim_end().to_owned();
    if page.chars().count() > LONGEST_BODY {
        page = page.chars().take(LONGEST_BODY).collect();
        page.push_str(&format!(
            "\n\n(The page is longer than GitHub takes; `loops review {}` has all of it.)",
            proposal.id.short()
        ));
    }
    format!("{page}\n\n{}\n", marker(proposal))
}

/// What is to leave with a proposal besides its branch, as effects with their keys.
pub(crate) fn with(
    proposal: &Proposal,
    draft: bool,
    dress: Outward,
    status: Outward,
) -> [(String, Outward); 3] {
    let (id, attempt) = (proposal.id, proposal.attempt);
    [
        (key("pull", id, &attempt), Outward::Pull { draft }),
        (key("dress", id, &"once"), dress),
        (key("status", id, &attempt), status),
    ]
}
