//! What people with write access say under a dashboard: a plan is approved or refused by its id. Who says so is asked of
//! GitHub and stands in the ledger; others are passed over without an answer. Only plans of this repository's loops are
//! known here.

use loops::{
    command::{self, ALLOWED_OF_PLANS, Command},
    id::TaskId,
    text::one_line,
};

use super::Known;
use crate::{
    clock,
    engine::{
        Answer, EngineError, Home, answer_plan,
        outbox::{BOARD_SAY, Outward},
        talk::on_github,
    },
    github::{Comment, HIDDEN, Repository},
    store::{
        boards::{self, Board},
        outbox,
        plans::{self, PlanState},
        resolve::{Kind, resolve},
    },
};

/// Reads what is new under the dashboard, and answers it; says what came of it.
pub(super) async fn answer(
    home: &Home,
    repository: &Repository,
    name: &str,
    loops: &[Known],
    known: &Board,
) -> Result<Vec<String>, EngineError> {
    let since = boards::heard(&home.store, name).await?;
    let comments = repository.comments(known.number, since).await?;
    let mut news = Vec::new();
    for comment in &comments {
        let ours = comment.author_is_bot || comment.author.is_empty() || comment.body.contains(HIDDEN);
        let Some(command) = command::read(&comment.body).filter(|_| !ours) else {
            continue;
        };
        let subject = format!("comment:{}", comment.id);
        if boards::is_taken(&home.store, name, &subject).await?
            || !repository.permission(&comment.author).await?.writes()
        {
            continue;
        }
        let words = carry_out(home, loops, &command, comment).await?;
        note(home, name, &subject, comment, &words).await?;
        news.push(format!("{}: {words}", one_line(&comment.author, 60)));
    }
    let until = comments.iter().map(|comment| comment.updated_at).max();
    if let Some(until) = until.filter(|until| Some(*until) > since) {
        let mut tx = home.store.begin().await?;
        boards::set_heard(&mut tx, name, until).await?;
        tx.commit().await?;
    }
    Ok(news)
}

/// Does what a comment asks for; says what came of it.
async fn carry_out(
    home: &Home,
    loops: &[Known],
    command: &Command,
    comment: &Comment,
) -> Result<String, EngineError> {
    let (typed, answer) = match command {
        Command::Approve(typed) => (typed, Answer::Approve),
        Command::Reject(typed, why) => {
            let reason = why.as_deref().unwrap_or("refused without a word");
            let reason = one_line(reason, 1_000);
            (typed, Answer::Reject { reason, never: false })
        }
        _ => return Ok(format!("here I understand {ALLOWED_OF_PLANS}")),
    };
    let Some(task) = plan(home, loops, typed).await? else {
        return Ok(format!(
            "no plan of that id waits here; I understand {ALLOWED_OF_PLANS}"
        ));
    };
    let short = task.short();
    match answer_plan(home, task, &answer, &on_github(&comment.author)).await {
        Ok(_) if answer == Answer::Approve => Ok(format!("the plan `{short}` is approved")),
        Ok(_) => Ok(format!("the plan `{short}` is refused")),
        // It was answered a moment ago.
        Err(EngineError::Record(why)) => Ok(why),
        Err(error) => Err(error),
    }
}

/// The plan of a loop of this repository that somebody means; none: no such, or more than one.
async fn plan(home: &Home, loops: &[Known], typed: &str) -> Result<Option<TaskId>, EngineError> {
    let mut found = Vec::new();
    for (kind, id) in resolve(&home.store, typed).await? {
        let task: Option<TaskId> = id.parse().ok().filter(|_| kind == Kind::Task);
        let Some(task) = task else { continue };
        let plan = plans::get(&home.store, task).await?;
        found.extend(plan.filter(|plan| loops.iter().any(|known| known.spec.name == plan.loop_name)));
    }
    // Of several with the same end only one may wait.
    if found.len() > 1 {
        found.retain(|plan| plan.state == PlanState::Waiting);
    }
    match found.as_slice() {
        [plan] => Ok(Some(plan.task)),
        _ => Ok(None),
    }
}

/// The comment is taken up, and is to be answered.
async fn note(
    home: &Home,
    name: &str,
    subject: &str,
    comment: &Comment,
    words: &str,
) -> Result<(), EngineError> {
    let now = clock::now();
    let mut tx = home.store.begin().await?;
    if boards::take(&mut tx, name, subject, 0, Some(&comment.author), now).await? {
        let say = Outward::Say {
            thread: None,
            words: format!("{} asked: {words}.", one_line(&comment.author, 60)),
            after: None,
        };
        let key = format!("{BOARD_SAY}{name}:{}", comment.id);
        outbox::put(&mut tx, &key, &say, now).await?;
    }
    tx.commit().await?;
    Ok(())
}
