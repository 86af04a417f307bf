//! What CI says of commits: check runs and statuses.

use serde_json::json;

use super::{
    things::{CheckRun, Status},
    world::World,
};

impl World {
    /// Some CI reports on a commit: a completed check run; its number.
    pub fn check(&mut self, repository: &str, sha: &str, name: &str, conclusion: &str) -> u64 {
        let at = self.at(repository);
        let id = self.id();
        let run = CheckRun {
            id,
            app: None,
            name: name.to_owned(),
            sha: sha.to_owned(),
            status: "completed".to_owned(),
            conclusion: Some(conclusion.to_owned()),
            external_id: None,
            details_url: None,
            output: [None, None, None],
            annotations: 0,
            started: self.now,
            completed: Some(self.now),
        };
        self.put_check(at, run, "completed", "github-actions[bot]");
        id
    }

    pub(super) fn put_check(&mut self, at: usize, run: CheckRun, action: &str, by: &str) {
        let id = run.id;
        self.repositories[at].checks.insert(id, run);
        let payload = json!({ "action": action, "check_run": self.check_json(at, id) });
        self.emit(at, "check_run", payload, by);
        self.settle(at);
    }

    /// Some CI reports on a commit: a status.
    pub fn status(&mut self, repository: &str, sha: &str, context: &str, state: &str) {
        let at = self.at(repository);
        let status = Status {
            id: self.id(),
            sha: sha.to_owned(),
            state: state.to_owned(),
            context: context.to_owned(),
            description: None,
            target_url: None,
            creator: "github-actions[bot]".to_owned(),
            at: self.now,
        };
        self.put_status(at, status);
    }

    pub(super) fn put_status(&mut self, at: usize, status: Status) {
        let by = status.creator.clone();
        let mut payload = self.status_json(at, &status);
        payload["name"] = json!(self.repositories[at].full_name());
        payload["sha"] = json!(status.sha);
        self.repositories[at].statuses.push(status);
        self.emit(at, "status", payload, &by);
        self.settle(at);
    }
}

impl CheckRun {
    pub(super) fn is_green(&self) -> bool {
        matches!(
            self.conclusion.as_deref(),
            Some("success" | "neutral" | "skipped")
        )
    }
}
