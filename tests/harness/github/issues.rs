//! What happens to issues, comments, labels and reactions; the same edits for people in tests and for the API.
//!
//! No HTTP here: who may do it is asked before.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    things::{Comment, Issue, Label, Pull, Reaction},
    world::World,
};

impl World {
    /// A person opens an issue; its number.
    pub fn open_issue(&mut self, repository: &str, by: &str, title: &str, body: &str) -> u64 {
        self.add_user(by);
        let at = self.at(repository);
        self.make_issue(at, by, title, Some(body.to_owned()), None)
    }

    pub(super) fn make_issue(
        &mut self,
        at: usize,
        by: &str,
        title: &str,
        body: Option<String>,
        pull: Option<Pull>,
    ) -> u64 {
        let id = self.id();
        let now = self.now;
        let repository = &mut self.repositories[at];
        let number = repository.issues.keys().next_back().map_or(1, |last| last + 1);
        let is_pull = pull.is_some();
        let issue = Issue {
            id,
            number,
            title: title.to_owned(),
            body,
            open: true,
            reason: None,
            author: by.to_owned(),
            labels: BTreeSet::new(),
            assignees: Vec::new(),
            locked: false,
            reactions: Vec::new(),
            created: now,
            updated: now,
            closed: None,
            closed_by: None,
            pull,
        };
        repository.issues.insert(number, issue);
        self.emit_issue(at, number, "opened", by);
        if is_pull {
            self.emit_pull(at, number, "opened", by);
        }
        number
    }

    /// An issue or a pull request.
    ///
    /// # Panics
    /// If there is none of that number.
    pub fn issue(&mut self, repository: &str, number: u64) -> &mut Issue {
        self.repo(repository)
            .issues
            .get_mut(&number)
            .expect("an issue of that number")
    }

    pub(super) fn touch(&mut self, at: usize, number: u64) -> &mut Issue {
        let now = self.now;
        let issue = self.repositories[at]
            .issues
            .get_mut(&number)
            .expect("an issue of that number");
        issue.updated = now;
        issue
    }

    /// A person changes the text of an issue or a pull request.
    pub fn edit_body(&mut self, repository: &str, number: u64, by: &str, body: &str) {
        let at = self.at(repository);
        self.touch(at, number).body = Some(body.to_owned());
        self.emit_issue(at, number, "edited", by);
    }

    /// A person ticks the check-box whose line has these words.
    ///
    /// # Panics
    /// If no open check-box has them.
    pub fn tick(&mut self, repository: &str, number: u64, by: &str, words: &str) {
        let body = self.issue(repository, number).body.clone().unwrap_or_default();
        let mut found = false;
        let lines: Vec<String> = body
            .lines()
            .map(|line| {
                if !found && line.contains("[ ]") && line.contains(words) {
                    found = true;
                    return line.replacen("[ ]", "[x]", 1);
                }
                line.to_owned()
            })
            .collect();
        assert!(found, "no check-box with `{words}` in:\n{body}");
        self.edit_body(repository, number, by, &lines.join("\n"));
    }

    /// A person closes an issue or a pull request.
    pub fn close(&mut self, repository: &str, number: u64, by: &str) {
        let at = self.at(repository);
        self.set_open(at, number, false, None, by);
    }

    /// A person opens it again.
    pub fn reopen(&mut self, repository: &str, number: u64, by: &str) {
        let at = self.at(repository);
        self.set_open(at, number, true, None, by);
    }

    pub(super) fn set_open(&mut self, at: usize, number: u64, open: bool, reason: Option<&str>, by: &str) {
        let now = self.now;
        let issue = self.touch(at, number);
        if issue.open == open {
            return;
        }
        issue.open = open;
        issue.closed = (!open).then_some(now);
        issue.closed_by = (!open).then(|| by.to_owned());
        issue.reason = match (open, issue.pull.is_some()) {
            (_, true) => None,
            (true, false) => Some("reopened".to_owned()),
            (false, false) => Some(reason.unwrap_or("completed").to_owned()),
        };
        let action = if open { "reopened" } else { "closed" };
        self.emit_issue(at, number, action, by);
        self.emit_pull(at, number, action, by);
    }

    /// A person comments; the comment's number.
    pub fn comment(&mut self, repository: &str, number: u64, by: &str, body: &str) -> u64 {
        self.add_user(by);
        let at = self.at(repository);
        self.make_comment(at, number, by, body)
    }

    pub(super) fn make_comment(&mut self, at: usize, number: u64, by: &str, body: &str) -> u64 {
        let id = self.id();
        let now = self.now;
        self.touch(at, number);
        let comment = Comment {
            id,
            issue: number,
            author: by.to_owned(),
            body: body.to_owned(),
            reactions: Vec::new(),
            created: now,
            updated: now,
        };
        self.repositories[at].comments.insert(id, comment);
        self.emit_comment(at, id, "created", by);
        id
    }

    /// The author changes a comment.
    ///
    /// # Panics
    /// If there is none of that number.
    pub fn edit_comment(&mut self, repository: &str, id: u64, body: &str) {
        let at = self.at(repository);
        let by = self.repositories[at].comments[&id].author.clone();
        self.set_comment(at, id, body, &by);
    }

    pub(super) fn set_comment(&mut self, at: usize, id: u64, body: &str, by: &str) {
        let now = self.now;
        let Some(comment) = self.repositories[at].comments.get_mut(&id) else {
            return;
        };
        comment.body = body.to_owned();
        comment.updated = now;
        let number = comment.issue;
        self.touch(at, number);
        self.emit_comment(at, id, "edited", by);
    }

    /// Somebody deletes a comment: it is gone from every list.
    pub fn delete_comment(&mut self, repository: &str, id: u64, by: &str) {
        let at = self.at(repository);
        self.drop_comment(at, id, by);
    }

    pub(super) fn drop_comment(&mut self, at: usize, id: u64, by: &str) {
        self.emit_comment(at, id, "deleted", by);
        if let Some(comment) = self.repositories[at].comments.remove(&id) {
            self.touch(at, comment.issue);
        }
    }

    /// Somebody who may deletes an issue, with all that was said under it.
    pub fn delete_issue(&mut self, repository: &str, number: u64, by: &str) {
        let at = self.at(repository);
        self.emit_issue(at, number, "deleted", by);
        let here = &mut self.repositories[at];
        here.issues.remove(&number);
        here.comments.retain(|_, comment| comment.issue != number);
    }

    /// A person reacts to an issue (`+1`, `heart` …); a second time changes nothing, and no reaction changes when the
    /// issue was updated, as at GitHub.
    pub fn react(&mut self, repository: &str, number: u64, by: &str, content: &str) {
        self.add_user(by);
        let at = self.at(repository);
        self.make_reaction(at, number, None, by, content);
    }

    /// A person reacts to a comment.
    ///
    /// # Panics
    /// If there is none of that number.
    pub fn react_to_comment(&mut self, repository: &str, comment: u64, by: &str, content: &str) {
        self.add_user(by);
        let at = self.at(repository);
        let number = self.repositories[at].comments[&comment].issue;
        self.make_reaction(at, number, Some(comment), by, content);
    }

    /// The reaction and whether it is new.
    pub(super) fn make_reaction(
        &mut self,
        at: usize,
        number: u64,
        comment: Option<u64>,
        by: &str,
        content: &str,
    ) -> (Reaction, bool) {
        let reaction = Reaction {
            id: self.id(),
            user: by.to_owned(),
            content: content.to_owned(),
            at: self.now,
        };
        let repository = &mut self.repositories[at];
        let list = match comment {
            Some(id) => repository
                .comments
                .get_mut(&id)
                .map(|comment| &mut comment.reactions),
            None => repository
                .issues
                .get_mut(&number)
                .map(|issue| &mut issue.reactions),
        };
        let list = list.expect("what is reacted to is there");
        if let Some(old) = list.iter().find(|old| old.user == by && old.content == content) {
            return (old.clone(), false);
        }
        list.push(reaction.clone());
        (reaction, true)
    }

    /// A person puts a label on an issue; it is made if it is not there.
    pub fn label(&mut self, repository: &str, number: u64, name: &str, by: &str) {
        let at = self.at(repository);
        self.add_label(at, number, name, by);
    }

    /// A person takes a label off.
    pub fn unlabel(&mut self, repository: &str, number: u64, name: &str, by: &str) {
        let at = self.at(repository);
        self.remove_label(at, number, name, by);
    }

    pub(super) fn find_label(&self, at: usize, name: &str) -> Option<&Label> {
        self.repositories[at]
            .labels
            .iter()
            .find(|label| label.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn make_label(&mut self, at: usize, name: &str, color: &str, description: Option<&str>) {
        let label = Label {
            id: self.id(),
            name: name.to_owned(),
            color: color.to_owned(),
            description: description.map(str::to_owned),
        };
        self.repositories[at].labels.push(label);
    }

    pub(super) fn add_label(&mut self, at: usize, number: u64, name: &str, by: &str) {
        if self.find_label(at, name).is_none() {
            self.make_label(at, name, "ededed", None);
        }
        let name = self
            .find_label(at, name)
            .map(|label| label.name.clone())
            .unwrap_or_default();
        if self.touch(at, number).labels.insert(name.clone()) {
            self.emit_labeled(at, number, "labeled", &name, by);
        }
    }

    pub(super) fn remove_label(&mut self, at: usize, number: u64, name: &str, by: &str) -> bool {
        let name = self
            .find_label(at, name)
            .map(|label| label.name.clone())
            .unwrap_or_default();
        let removed = self.touch(at, number).labels.remove(&name);
        if removed {
            self.emit_labeled(at, number, "unlabeled", &name, by);
        }
        removed
    }

    // --- events ---------------------------------------------------------------------------------------------------

    pub(super) fn emit_issue(&mut self, at: usize, number: u64, action: &str, by: &str) {
        if self.repositories[at].issues[&number].pull.is_none() {
            let payload = json!({ "action": action, "issue": self.issue_json(at, number) });
            self.emit(at, "issues", payload, by);
        }
    }

    fn emit_labeled(&mut self, at: usize, number: u64, action: &str, label: &str, by: &str) {
        let label = self.label_json(at, label);
        let (event, name, thing) = match self.repositories[at].issues[&number].pull {
            Some(_) => ("pull_request", "pull_request", self.pull_json(at, number, true)),
            None => ("issues", "issue", self.issue_json(at, number)),
        };
        let mut payload = json!({ "action": action, "label": label });
        payload[name] = thing;
        if event == "pull_request" {
            payload["number"] = json!(number);
        }
        self.emit(at, event, payload, by);
    }

    fn emit_comment(&mut self, at: usize, id: u64, action: &str, by: &str) {
        let Some(comment) = self.repositories[at].comments.get(&id) else {
            return;
        };
        let issue = self.issue_json(at, comment.issue);
        let comment = self.comment_json(at, id);
        let mut payload = json!({ "action": action, "issue": issue, "comment": comment });
        if action == "edited" {
            payload["changes"] = json!({});
        }
        self.emit(at, "issue_comment", payload, by);
    }
}
