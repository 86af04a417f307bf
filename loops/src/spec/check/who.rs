//! Checks of who works and who hears of it: lead, workers, review, proposal, notify.

use std::time::Duration;

use super::{Finds, SpecError, forms, when::CHANNEL, words};
use crate::spec::{LeadChoice, LoopSpec, ReviewChoice, Worker};

pub(super) fn check(spec: &LoopSpec, finds: &mut Finds<'_>) {
    if let LeadChoice::Agent(lead) = &spec.lead {
        model(&lead.model, "lead.model", finds);
        finds.expect(
            (1..=1000).contains(&lead.max_turns),
            "lead.max_turns",
            "this must be between 1 and 1000",
        );
    }
    if let ReviewChoice::Agent(review) = &spec.checks.agent_review {
        model(&review.model, "checks.agent_review.model", finds);
    }
    labels("checks.needs", &spec.checks.needs, finds);
    finds.expect(
        !spec.workers.is_empty(),
        "workers",
        "a loop needs at least one kind of worker",
    );
    for (name, one) in &spec.workers {
        worker(name, one, finds);
    }
    let proposal = &spec.proposal;
    finds.expect(
        proposal.max_open >= 1,
        "proposal.max_open",
        "this must be at least 1",
    );
    finds.each(
        "proposal.labels",
        &proposal.labels,
        |label| !label.trim().is_empty(),
        "a label cannot be empty",
    );
    finds.each(
        "proposal.reviewers",
        &proposal.reviewers,
        is_reviewer,
        "this names nobody, like `@acme/checkout`",
    );
    if let Some(channel) = &spec.notify.slack {
        finds.expect(forms::is_channel(channel), "notify.slack", CHANNEL);
    }
}

/// Labels of machines, as `loops worker --labels` takes them.
fn labels(path: &str, needs: &[String], finds: &mut Finds<'_>) {
    finds.each(
        path,
        needs,
        forms::is_worker,
        "a label has lower-case letters, digits, hyphens and underscores, at most 63, like `gpu`",
    );
}

fn worker(name: &str, worker: &Worker, finds: &mut Finds<'_>) {
    let path = format!("workers.{name}");
    labels(&format!("{path}.needs"), &worker.needs, finds);
    if !forms::is_worker(name) {
        let message = format!("`{name}` cannot be a worker's name");
        finds.add_allowed(
            &path,
            message,
            "lower-case letters, digits, hyphens and underscores, at most 63",
        );
    }
    model(&worker.model, &format!("{path}.model"), finds);
    if let Some(advisor) = &worker.advisor {
        model(&advisor.model, &format!("{path}.advisor.model"), finds);
        finds.expect(
            (1..=20).contains(&advisor.max_questions),
            &format!("{path}.advisor.max_questions"),
            "this must be between 1 and 20",
        );
    }
    if worker
        .prompt
        .as_deref()
        .is_some_and(|file| !forms::is_file_name(file))
    {
        let message = "a prompt is a file beside this one; name it without a folder";
        finds.add_allowed(&format!("{path}.prompt"), message, "a file name, like `fix.md`");
    }
    let parallel = (1..=1000).contains(&worker.max_parallel);
    finds.expect(
        parallel,
        &format!("{path}.max_parallel"),
        "this must be between 1 and 1000",
    );
    let attempts = (1..=20).contains(&worker.max_attempts);
    finds.expect(
        attempts,
        &format!("{path}.max_attempts"),
        "this must be between 1 and 20",
    );
    let time = worker.timeout.0 >= Duration::from_secs(1);
    finds.expect(time, &format!("{path}.timeout"), "this must be at least `1s`");
}

fn model(name: &str, path: &str, finds: &mut Finds<'_>) {
    let models = &finds.known.models;
    if models.iter().any(|known| known == name) {
        return;
    }
    let (meant, allowed) = (words::nearest(name, models), words::listed(models));
    finds.note(path, |at, value| {
        let message = format!("there is no model `{name}` here, or its price is not known");
        SpecError::new(at, message)
            .value(value)
            .allowed(allowed)
            .nearest(meant)
    });
}

/// `@person`, `@org/team`, or the same without the `@`.
fn is_reviewer(text: &str) -> bool {
    let name = text.strip_prefix('@').unwrap_or(text);
    let part = |part: &str| {
        !part.is_empty()
            && part.len() <= 100
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    name.split('/').count() <= 2 && name.split('/').all(part)
}
