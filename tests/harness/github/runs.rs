//! What happens in Actions: workflows, their runs, and second tries.

use serde_json::json;

use super::{
    things::{CheckRun, Job, Workflow, WorkflowRun},
    world::World,
};

impl World {
    /// A workflow, by its file's name; its number.
    pub fn add_workflow(&mut self, repository: &str, name: &str, file: &str) -> u64 {
        let (at, id, created) = (self.at(repository), self.id(), self.now);
        let path = format!(".github/workflows/{file}");
        self.repositories[at].workflows.push(Workflow {
            id,
            name: name.to_owned(),
            path,
            created,
        });
        id
    }

    /// A completed run of a workflow on a branch, at its end; its number. Its conclusion is its jobs' worst.
    ///
    /// # Panics
    /// If there is no such branch.
    pub fn add_run(
        &mut self,
        repository: &str,
        workflow: u64,
        branch: &str,
        event: &str,
        jobs: Vec<Job>,
    ) -> u64 {
        let sha = self.head(repository, branch).expect("a branch of that name");
        self.insert_run(repository, workflow, (branch, &sha, None), event, jobs)
    }

    /// A completed run of a pull request from a fork (`owner/name`), whose branch there has this name; its number. It
    /// stands among this repository's runs, under the fork's name for its branch, as at GitHub.
    ///
    /// # Panics
    /// If there is no `main` to fork.
    pub fn add_fork_run(
        &mut self,
        repository: &str,
        workflow: u64,
        fork: &str,
        branch: &str,
        jobs: Vec<Job>,
    ) -> u64 {
        let (owner, _) = fork.split_once('/').expect("owner/name");
        self.add_user(owner);
        let base = self.head(repository, "main").expect("there is something to fork");
        let (at, seconds) = (self.at(repository), self.now / 1_000);
        let git = &self.repositories[at].git;
        let tree = git.one(&base).expect("the base is there").tree;
        let sha = git.commit_tree(&tree, &[&base], "Try", seconds);
        self.insert_run(
            repository,
            workflow,
            (branch, &sha, Some(fork)),
            "pull_request",
            jobs,
        )
    }

    fn insert_run(
        &mut self,
        repository: &str,
        workflow: u64,
        (branch, sha, fork): (&str, &str, Option<&str>),
        event: &str,
        jobs: Vec<Job>,
    ) -> u64 {
        let (at, id, now) = (self.at(repository), self.id(), self.now);
        let jobs: Vec<Job> = jobs.into_iter().map(|job| self.numbered(job)).collect();
        let runs = &mut self.repositories[at].runs;
        let number = runs.values().filter(|run| run.workflow == workflow).count() as u64 + 1;
        let run = WorkflowRun {
            id,
            workflow,
            number,
            attempt: 1,
            branch: branch.to_owned(),
            fork: fork.map(str::to_owned),
            sha: sha.to_owned(),
            event: event.to_owned(),
            status: "completed".to_owned(),
            conclusion: None,
            actor: "github-actions[bot]".to_owned(),
            jobs,
            created: now,
            updated: now,
        };
        runs.insert(id, run);
        self.conclude(at, id);
        id
    }

    /// Somebody lets a run go again: another try, with what its jobs came to.
    ///
    /// # Panics
    /// If there is no such run.
    pub fn run_again(&mut self, repository: &str, run: u64, jobs: Vec<Job>) {
        let at = self.at(repository);
        let jobs: Vec<Job> = jobs.into_iter().map(|job| self.numbered(job)).collect();
        let now = self.now;
        let again = self.repositories[at]
            .runs
            .get_mut(&run)
            .expect("a run of that number");
        again.attempt += 1;
        again.updated = now;
        let attempt = again.attempt;
        again
            .jobs
            .extend(jobs.into_iter().map(|job| job.attempt(attempt)));
        self.conclude(at, run);
    }

    fn numbered(&mut self, mut job: Job) -> Job {
        job.id = self.id();
        if job.times == (0, 0, 0) {
            let length = job.steps.iter().map(|step| step.duration).sum::<i64>();
            job.times = (self.now - length, self.now - length, self.now);
        }
        job
    }

    fn conclude(&mut self, at: usize, id: u64) {
        let Some(run) = self.repositories[at].runs.get_mut(&id) else {
            return;
        };
        let ends: Vec<&str> = run
            .jobs
            .iter()
            .filter(|job| job.attempt == run.attempt)
            .filter_map(|job| job.conclusion.as_deref())
            .collect();
        let worst = ["failure", "timed_out", "cancelled"]
            .into_iter()
            .find(|word| ends.contains(word));
        run.conclusion = Some(worst.unwrap_or("success").to_owned());
        let by = run.actor.clone();
        self.show_jobs(at, id);
        let payload = json!({
            "action": "completed",
            "workflow_run": self.run_json(at, id),
            "workflow": self.workflow_json(at, self.repositories[at].runs[&id].workflow),
        });
        self.emit(at, "workflow_run", payload, &by);
    }

    /// Each job of the last try stands as a check run of its number at the commit.
    fn show_jobs(&mut self, at: usize, id: u64) {
        const ACTIONS: &str = "github-actions";
        let known = self.apps.iter().find(|app| app.slug == ACTIONS).map(|app| app.id);
        let app = known.unwrap_or_else(|| self.add_app(ACTIONS, "github", super::APP_PUBLIC_KEY));
        let run = self.repositories[at].runs[&id].clone();
        for job in run.jobs.iter().filter(|job| job.attempt == run.attempt) {
            let check = CheckRun {
                id: job.id,
                app: Some(app),
                name: job.name.clone(),
                sha: run.sha.clone(),
                status: "completed".to_owned(),
                conclusion: job.conclusion.clone(),
                external_id: None,
                details_url: None,
                output: [None, None, None],
                annotations: 0,
                started: job.times.1,
                completed: Some(job.times.2),
            };
            self.repositories[at].checks.insert(check.id, check);
        }
    }
}
