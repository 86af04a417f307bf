//! Actions: workflows, runs, jobs with their steps, and logs.

use super::Call;
use crate::github::{
    answer::{Answer, Refusal, Reply},
    json::time,
    things::{Job, WorkflowRun},
};

pub(super) fn workflows(call: &mut Call<'_>) -> Answer {
    let all = call.world.repositories[call.at].workflows.iter();
    let list = all.map(|one| call.world.workflow_json(call.at, one.id)).collect();
    Ok(call.page_in("workflows", list))
}

/// GitHub's search for dates: `>=`, `<=`, `>`, `<`, `from..to` with `*`, or a beginning of the date.
fn within(asked: &str, at: &str) -> bool {
    if let Some((from, to)) = asked.split_once("..") {
        let after = from == "*" || at >= from;
        return after && (to == "*" || at <= to || at.starts_with(to));
    }
    if let Some(from) = asked.strip_prefix(">=") {
        return at >= from;
    }
    if let Some(to) = asked.strip_prefix("<=") {
        return at <= to || at.starts_with(to);
    }
    if let Some(from) = asked.strip_prefix('>') {
        return at > from && !at.starts_with(from);
    }
    match asked.strip_prefix('<') {
        Some(to) => at < to,
        None => at.starts_with(asked),
    }
}

pub(super) fn runs(call: &mut Call<'_>) -> Answer {
    let fits = |run: &&WorkflowRun| {
        let is = |name: &str, value: &str| call.asks(name).is_none_or(|asked| asked == value);
        let status = |asked: &str| run.status == asked || run.conclusion.as_deref() == Some(asked);
        is("branch", &run.branch)
            && is("event", &run.event)
            && is("actor", &run.actor)
            && is("head_sha", &run.sha)
            && call.asks("status").is_none_or(status)
            && call
                .asks("created")
                .is_none_or(|asked| within(asked, &time(run.created)))
    };
    let mut found: Vec<&WorkflowRun> = call.world.repositories[call.at]
        .runs
        .values()
        .filter(fits)
        .collect();
    found.sort_by_key(|run| std::cmp::Reverse((run.created, run.id)));
    let list = found
        .iter()
        .map(|run| call.world.run_json(call.at, run.id))
        .collect();
    Ok(call.page_in("workflow_runs", list))
}

fn one<'a>(call: &'a Call<'_>) -> Result<&'a WorkflowRun, Refusal> {
    let id = call.number("run_id")?;
    call.world.repositories[call.at]
        .runs
        .get(&id)
        .ok_or_else(Refusal::not_found)
}

pub(super) fn run(call: &mut Call<'_>) -> Answer {
    let id = one(call)?.id;
    Ok(Reply::new(200, call.world.run_json(call.at, id)))
}

pub(super) fn jobs(call: &mut Call<'_>) -> Answer {
    let run = one(call)?;
    let all = call.asks("filter") == Some("all");
    let jobs = run.jobs.iter().filter(|job| all || job.attempt == run.attempt);
    let list = jobs
        .map(|job| call.world.job_json(call.at, run.id, job))
        .collect();
    Ok(call.page_in("jobs", list))
}

pub(super) fn jobs_of_attempt(call: &mut Call<'_>) -> Answer {
    let (run, attempt) = (one(call)?, call.number("attempt_number")?);
    let jobs = run.jobs.iter().filter(|job| job.attempt == attempt);
    let list = jobs
        .map(|job| call.world.job_json(call.at, run.id, job))
        .collect();
    Ok(call.page_in("jobs", list))
}

pub(super) fn job(call: &mut Call<'_>) -> Answer {
    let id = call.number("job_id")?;
    let runs = call.world.repositories[call.at].runs.values();
    let found = runs
        .flat_map(|run| run.jobs.iter().map(move |job| (run.id, job)))
        .find(|(_, job)| job.id == id);
    let (run, job) = found.ok_or_else(Refusal::not_found)?;
    Ok(Reply::new(200, call.world.job_json(call.at, run, job)))
}

pub(super) fn log(call: &mut Call<'_>) -> Answer {
    let id = call.number("job_id")?;
    let jobs = call.world.repositories[call.at]
        .runs
        .values()
        .flat_map(|run| &run.jobs);
    let job: &Job = jobs
        .into_iter()
        .find(|job| job.id == id)
        .ok_or_else(Refusal::not_found)?;
    if job.log.is_none() {
        return Err(Refusal::new(410, "Server Error: logs for this job have expired"));
    }
    let url = format!("{}/logs/{id}", call.world.store);
    Ok(Reply::empty(302).with("location", url))
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn dates_are_searched_as_github_does() {
        let at = "2026-03-02T09:00:00Z";
        for asked in [
            ">=2026-03-02",
            "2026-03-02",
            "2026-03-01..2026-03-02",
            "*..2026-03-02",
            "<2026-03-03",
        ] {
            assert!(within(asked, at), "{asked}");
        }
        for asked in [
            ">=2026-03-03",
            "2026-03-01",
            ">2026-03-02",
            "<2026-03-02",
            "2026-03-03..*",
        ] {
            assert!(!within(asked, at), "{asked}");
        }
    }
}
