//! What happens to pull requests: opened, followed as their branch moves, reviewed, merged.
//!
//! Whether one can be merged is asked of git each time; nothing is assumed.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    answer::Refusal,
    people::Role,
    things::{CheckRun, Pull},
    world::World,
};

/// How a merge is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merge<'a> {
    pub(super) by: &'a str,
    pub(super) method: &'a str,
    /// The head that is expected.
    pub(super) sha: Option<&'a str>,
    pub(super) title: Option<&'a str>,
    pub(super) message: Option<&'a str>,
}

impl World {
    // --- branches -------------------------------------------------------------------------------------------------

    /// A person pushes a commit to a branch (made from the default branch if it is not there); its id.
    pub fn commit(
        &mut self,
        repository: &str,
        branch: &str,
        by: &str,
        files: &[(&str, Option<&str>)],
        message: &str,
    ) -> String {
        self.add_user(by);
        let (at, seconds) = (self.at(repository), self.now / 1_000);
        let repository = &self.repositories[at];
        let new = repository.git.branch(branch).is_none();
        let from = new.then_some(repository.default_branch.as_str());
        let before = repository.git.branches();
        let sha = repository.git.commit(branch, from, files, message, by, seconds);
        self.pushed(at, &before, by);
        sha
    }

    /// A person forces a branch to a commit (made if it is not there).
    pub fn force_push(&mut self, repository: &str, branch: &str, sha: &str, by: &str) {
        let at = self.at(repository);
        let before = self.repositories[at].git.branches();
        self.repositories[at].git.set(branch, sha);
        self.pushed(at, &before, by);
    }

    /// A person deletes a branch.
    pub fn delete_branch(&mut self, repository: &str, branch: &str, by: &str) {
        let at = self.at(repository);
        let before = self.repositories[at].git.branches();
        self.repositories[at].git.delete(branch);
        self.pushed(at, &before, by);
    }

    /// The end of a branch.
    pub fn head(&mut self, repository: &str, branch: &str) -> Option<String> {
        self.repo(repository).git.branch(branch)
    }

    /// Tells the world that branches are no longer what they were: events, and pull requests that follow.
    pub(super) fn pushed(&mut self, at: usize, before: &[(String, String)], by: &str) {
        let before: BTreeMap<_, _> = before.iter().cloned().collect();
        let after: BTreeMap<_, _> = self.repositories[at].git.branches().into_iter().collect();
        if before == after {
            return;
        }
        self.repositories[at].pushed = self.now;
        let zero = "0".repeat(40);
        for name in before
            .keys()
            .chain(after.keys().filter(|name| !before.contains_key(*name)))
        {
            let (old, new) = (
                before.get(name).unwrap_or(&zero),
                after.get(name).unwrap_or(&zero),
            );
            if old != new {
                let payload = self.push_json(at, name, old, new, by);
                self.emit(at, "push", payload, by);
            }
        }
        self.follow(at, &after, by);
    }

    fn follow(&mut self, at: usize, branches: &BTreeMap<String, String>, by: &str) {
        let open: Vec<(u64, Pull)> = self.repositories[at]
            .issues
            .values()
            .filter(|issue| issue.open)
            .filter_map(|issue| Some((issue.number, issue.pull.clone()?)))
            .collect();
        for (number, pull) in open {
            let (head, base) = (branches.get(&pull.head), branches.get(&pull.base));
            let (Some(head), Some(base)) = (head, base) else {
                self.set_open(at, number, false, None, by);
                continue;
            };
            let (head_moved, base_moved) = (*head != pull.head_sha, *base != pull.base_sha);
            if !head_moved && !base_moved {
                continue;
            }
            let ahead = self.repositories[at].git.ahead(base, head);
            let (now, late) = (self.now, self.late_heads);
            if head_moved {
                self.touch(at, number);
            }
            if let Some(pull) = self.pull_mut(at, number) {
                if head_moved {
                    pull.head_shown = (late > 0).then(|| (pull.head_sha.clone(), late));
                    pull.base_shown = base.clone();
                }
                pull.head_sha = head.clone();
                pull.base_sha = base.clone();
                if ahead == 0 && base_moved {
                    // Somebody merged it by hand.
                    pull.merged = Some((now, by.to_owned(), base.clone()));
                }
            }
            if ahead == 0 {
                self.set_open(at, number, false, None, by);
            } else if head_moved {
                self.emit_pull(at, number, "synchronize", by);
            }
        }
        self.settle(at);
    }

    pub(super) fn pull_mut(&mut self, at: usize, number: u64) -> Option<&mut Pull> {
        self.repositories[at].issues.get_mut(&number)?.pull.as_mut()
    }

    // --- their life -----------------------------------------------------------------------------------------------

    /// A person opens a pull request from `head` to `base`; its number.
    ///
    /// # Panics
    /// If GitHub would refuse it.
    pub fn open_pull(&mut self, repository: &str, by: &str, head: &str, base: &str, title: &str) -> u64 {
        self.add_user(by);
        let at = self.at(repository);
        match self.make_pull(at, by, (head, base), (title, None), false) {
            Ok(number) => number,
            Err(refusal) => panic!("the pull request is refused: {refusal:?}"),
        }
    }

    pub(super) fn make_pull(
        &mut self,
        at: usize,
        by: &str,
        (head, base): (&str, &str),
        (title, body): (&str, Option<String>),
        draft: bool,
    ) -> Result<u64, Refusal> {
        let repository = &self.repositories[at];
        let refuse = |field: &str| Err(Refusal::field("PullRequest", field, "invalid"));
        let branch = match head.split_once(':') {
            Some((owner, branch)) if owner.eq_ignore_ascii_case(&repository.owner) => branch,
            Some(_) => return refuse("head"),
            None => head,
        };
        let Some(base_sha) = repository.git.branch(base) else {
            return refuse("base");
        };
        let Some(head_sha) = repository.git.branch(branch) else {
            return refuse("head");
        };
        let same = |pull: &Pull| pull.head == branch && pull.base == base;
        let doubled = repository
            .issues
            .values()
            .any(|issue| issue.open && issue.pull.as_ref().is_some_and(same));
        if doubled && !self.hides_own {
            let message = format!("A pull request already exists for {}:{branch}.", repository.owner);
            return Err(Refusal::custom("PullRequest", &message));
        }
        if repository.git.ahead(&base_sha, &head_sha) == 0 {
            let message = format!("No commits between {base} and {branch}");
            return Err(Refusal::custom("PullRequest", &message));
        }
        if draft && !repository.drafts {
            return Err(Refusal::new(
                422,
                "Draft pull requests are not supported in this repository.",
            ));
        }
        let pull = Pull {
            head: branch.to_owned(),
            head_sha,
            base: base.to_owned(),
            base_shown: base_sha.clone(),
            head_shown: None,
            base_sha,
            draft,
            reviewers: std::collections::BTreeSet::new(),
            teams: std::collections::BTreeSet::new(),
            auto_merge: None,
            merged: None,
            unknown_for: 0,
        };
        Ok(self.make_issue(at, by, title, body, Some(pull)))
    }

    /// What a pull request has besides an issue.
    ///
    /// # Panics
    /// If there is no pull request of that number.
    pub fn pull(&mut self, repository: &str, number: u64) -> &mut Pull {
        self.issue(repository, number)
            .pull
            .as_mut()
            .expect("a pull request of that number")
    }

    /// A person makes a pull request a draft, or no draft.
    pub fn set_draft(&mut self, repository: &str, number: u64, by: &str, draft: bool) {
        let at = self.at(repository);
        self.make_draft(at, number, by, draft);
    }

    pub(super) fn make_draft(&mut self, at: usize, number: u64, by: &str, draft: bool) {
        self.touch(at, number);
        let Some(pull) = self.pull_mut(at, number) else {
            return;
        };
        if pull.draft != draft {
            pull.draft = draft;
            let action = if draft {
                "converted_to_draft"
            } else {
                "ready_for_review"
            };
            self.emit_pull(at, number, action, by);
            self.settle(at);
        }
    }

    /// A person merges a pull request with the button; the commit.
    ///
    /// # Panics
    /// If GitHub would refuse it.
    pub fn merge(&mut self, repository: &str, number: u64, by: &str) -> String {
        let at = self.at(repository);
        let ask = Merge {
            by,
            method: "merge",
            sha: None,
            title: None,
            message: None,
        };
        match self.make_merge(at, number, ask) {
            Ok(sha) => sha,
            Err(refusal) => panic!("the merge is refused: {refusal:?}"),
        }
    }

    pub(super) fn make_merge(&mut self, at: usize, number: u64, ask: Merge<'_>) -> Result<String, Refusal> {
        let not = |message: &str| Err(Refusal::new(405, message));
        let issue = &self.repositories[at].issues[&number];
        let Some(pull) = issue.pull.clone() else {
            return Err(Refusal::not_found());
        };
        if !issue.open {
            return not("Pull Request is not mergeable");
        }
        if ask.sha.is_some_and(|sha| sha != pull.head_sha) {
            let message = "Head branch was modified. Review and try the merge again.";
            return Err(Refusal::new(409, message));
        }
        match self.merge_state(at, number) {
            (_, "draft") => return not("Pull Request is still a draft"),
            (_, "blocked") => return not(&self.why_blocked(at, &pull)),
            (_, "behind") => return not("Head branch is out of date"),
            (Some(true), _) => {}
            _ => return not("Pull Request is not mergeable"),
        }
        let git = self.repositories[at].git.clone();
        let before = git.branches();
        let (Some(base), Some(tree)) = (
            git.branch(&pull.base),
            git.merged_tree(&pull.base_sha, &pull.head_sha),
        ) else {
            return not("Pull Request is not mergeable");
        };
        let title = match ask.title {
            Some(title) => title.to_owned(),
            None if ask.method == "squash" => format!("{} (#{number})", issue.title),
            None => format!(
                "Merge pull request #{number} from {}/{}",
                self.repositories[at].owner, pull.head
            ),
        };
        let message = format!("{title}\n\n{}", ask.message.unwrap_or(&issue.title));
        let parents: &[&str] = match ask.method {
            "squash" => &[&base],
            "merge" => &[&base, &pull.head_sha],
            _ => return not("Rebase merges are not allowed on this repository."),
        };
        let sha = git.commit_tree(&tree, parents, &message, self.now / 1_000);
        let merged = Some((self.now, ask.by.to_owned(), sha.clone()));
        if let Some(pull) = self.pull_mut(at, number) {
            pull.merged = merged;
            pull.auto_merge = None;
        }
        self.set_open(at, number, false, None, ask.by);
        git.set(&pull.base, &sha);
        self.pushed(at, &before, ask.by);
        Ok(sha)
    }

    fn why_blocked(&self, at: usize, pull: &Pull) -> String {
        let protection = &self.repositories[at].protected[&pull.base];
        match protection
            .checks
            .iter()
            .find(|check| !self.green(at, &pull.head_sha, check))
        {
            Some(check) => format!("Required status check \"{check}\" is expected."),
            None => "At least one approving review is required by reviewers with write access.".to_owned(),
        }
    }

    /// `mergeable` and `mergeable_state`.
    pub(super) fn merge_state(&self, at: usize, number: u64) -> (Option<bool>, &'static str) {
        let repository = &self.repositories[at];
        let issue = &repository.issues[&number];
        let Some(pull) = issue.pull.as_ref().filter(|_| issue.open) else {
            return (None, "unknown");
        };
        if pull.unknown_for > 0 {
            return (None, "unknown");
        }
        if repository
            .git
            .merged_tree(&pull.base_sha, &pull.head_sha)
            .is_none()
        {
            return (Some(false), "dirty");
        }
        if pull.draft {
            return (Some(true), "draft");
        }
        let Some(protection) = repository.protected.get(&pull.base) else {
            let state = if self.all_green(at, &pull.head_sha) {
                "clean"
            } else {
                "unstable"
            };
            return (Some(true), state);
        };
        let approvals = repository
            .reviews
            .values()
            .filter(|review| review.pull == number && review.state == "APPROVED")
            .filter(|review| self.role(at, &review.author) >= Some(Role::Write))
            .count();
        let missing = protection
            .checks
            .iter()
            .any(|check| !self.green(at, &pull.head_sha, check));
        let state = if missing || approvals < protection.approvals {
            "blocked"
        } else if protection.strict && repository.git.ahead(&pull.head_sha, &pull.base_sha) > 0 {
            "behind"
        } else if self.all_green(at, &pull.head_sha) {
            "clean"
        } else {
            "unstable"
        };
        (Some(true), state)
    }

    fn green(&self, at: usize, sha: &str, name: &str) -> bool {
        let repository = &self.repositories[at];
        let status = repository
            .statuses
            .iter()
            .rev()
            .find(|one| one.sha == sha && one.context == name);
        let check = repository
            .checks
            .values()
            .rev()
            .find(|one| one.sha == sha && one.name == name);
        status.is_some_and(|status| status.state == "success") || check.is_some_and(CheckRun::is_green)
    }

    fn all_green(&self, at: usize, sha: &str) -> bool {
        let repository = &self.repositories[at];
        let names = repository
            .statuses
            .iter()
            .filter(|one| one.sha == sha)
            .map(|one| &one.context);
        let checks = repository
            .checks
            .values()
            .filter(|one| one.sha == sha)
            .map(|one| &one.name);
        names.chain(checks).all(|name| self.green(at, sha, name))
    }

    /// Merges what waits for being green.
    pub(super) fn settle(&mut self, at: usize) {
        let waiting: Vec<(u64, String, String)> = self.repositories[at]
            .issues
            .values()
            .filter(|issue| issue.open)
            .filter_map(|issue| {
                let (method, by) = issue.pull.as_ref()?.auto_merge.clone()?;
                Some((issue.number, method, by))
            })
            .collect();
        for (number, method, by) in waiting {
            if self.merge_state(at, number).1 == "clean" {
                let ask = Merge {
                    by: &by,
                    method: &method,
                    sha: None,
                    title: None,
                    message: None,
                };
                // What cannot be merged after all stays as it is, as at GitHub.
                let _ = self.make_merge(at, number, ask);
            }
        }
    }

    // --- events ---------------------------------------------------------------------------------------------------

    pub(super) fn emit_pull(&mut self, at: usize, number: u64, action: &str, by: &str) {
        if self.repositories[at].issues[&number].pull.is_some() {
            let pull = self.pull_json(at, number, true);
            let payload = json!({ "action": action, "number": number, "pull_request": pull });
            self.emit(at, "pull_request", payload, by);
        }
    }
}
