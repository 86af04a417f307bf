//! What is to leave for GitHub and Slack, and what came of what left: looked after between runs, and beside them.

use std::{collections::BTreeSet, time::Duration};

use loops::text::plain;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{CliError, Context, Out};
use crate::{
    clock,
    config::Retention,
    engine::{self, Home, News, Waiting},
    store::StateLock,
};

/// How often the service looks whether something is to leave.
const SEND: Duration = Duration::from_secs(2);
/// How often what is too old is taken away.
const SWEEP: Duration = Duration::from_secs(3_600);
/// How many of those looks lie between two looks at GitHub.
const WATCH_EVERY: u32 = 15;
/// How many lie between two looks at GitHub where it tells by itself that there is something to see.
const TOLD_EVERY: u32 = 3;
/// How many of those looks lie between two looks at what Slack is to be told of,
const ANNOUNCE_EVERY: u32 = 3;
/// and between two looks at what was answered there.
const HEAR_EVERY: u32 = 30;

/// Looks once at what became of pull requests, tries what waits, and tells of both.
pub(super) async fn look(home: &Home, out: Out) -> Result<(), CliError> {
    loop {
        for news in news_of(home).await? {
            out.note(line(&news));
        }
        for waiting in engine::send(home, true).await? {
            out.note(waits(&waiting));
        }
        if !engine::settle_rebuilds(home).await {
            return tell(home, out).await;
        }
    }
}

/// Tells Slack what there is to tell, hears what was answered there, and tries what waits.
async fn tell(home: &Home, out: Out) -> Result<(), CliError> {
    if home.slack.is_some() {
        for told in engine::hear_answers(home).await? {
            out.note(answered(&told));
        }
    }
    engine::announce(home).await?;
    for waiting in engine::send(home, true).await? {
        out.note(waits(&waiting));
    }
    Ok(())
}

/// Carries out what a decision has just put before the outbox; a service that has the state does it by itself.
pub(super) async fn carry_out(context: &Context, home: &Home) -> Result<(), CliError> {
    if home.hub.is_none() && home.slack.is_none() {
        return Ok(());
    }
    let free = match StateLock::take(&home.folder) {
        Ok(lock) => lock.also_in(&home.store).await,
        Err(held) => Err(held),
    };
    match free {
        Ok(_lock) => {
            engine::announce(home).await?;
            for waiting in engine::send(home, true).await? {
                context.out.note(waits(&waiting));
            }
        }
        Err(_) => context
            .out
            .note("the service that is running brings it where it is to go"),
    }
    Ok(())
}

/// Takes away what is older than it is to be kept, and what nobody needs any more, each hour until `stop`.
pub(super) async fn sweep_on(home: Home, retention: Retention, out: Out, stop: CancellationToken) {
    loop {
        match engine::tidy(&home).await {
            Ok(told) => told
                .into_iter()
                .for_each(|what| out.note(format!("{}  removed   {what}", clock::now()))),
            Err(error) => out.note(format!("{}  trouble   what is old stays: {error}", clock::now())),
        }
        match engine::sweep(&home.store, &retention).await {
            Ok(erased) if erased.signals > 0 || erased.lines > 0 => out.note(format!(
                "{}  erased    what is older than `retention` keeps: {} signals, {} lines of transcripts",
                clock::now(),
                erased.signals,
                erased.lines
            )),
            Ok(_) => {}
            Err(error) => out.note(format!("{}  trouble   retention: {error}", clock::now())),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
    }
}

/// Looks again and again until `stop`.
pub(super) async fn keep_on(home: Home, out: Out, stop: CancellationToken) {
    match engine::mute(&home).await {
        Ok(mute) if !mute.is_empty() => out.note(plain(&format!(
            "nothing is said in Slack of {}: there is no login (`loops doctor`)",
            mute.join(", ")
        ))),
        _ => {}
    }
    if home.hub.is_none() && home.slack.is_none() {
        return;
    }
    let mut told = Told::default();
    for round in 0_u32.. {
        // What GitHub told of by itself is looked at soon, but not at every word of a lively talk.
        told.by_github |= engine::is_told(&home);
        let told_of = told.by_github && round.is_multiple_of(TOLD_EVERY);
        let watch = round % WATCH_EVERY == 0 || told_of || engine::has_rebuilt(&home);
        told.by_github &= !watch;
        if let Err(error) = once(&home, out, round, watch, &mut told).await {
            out.note(format!("{}  trouble   {error}", clock::now()));
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(SEND) => {}
        }
    }
    if let Some(hearing) = told.hearing {
        // What was not written down is heard again.
        hearing.abort();
        let _ = hearing.await;
    }
}

/// What became of what is open on GitHub, and what follows from it.
async fn news_of(home: &Home) -> Result<Vec<News>, engine::EngineError> {
    let mut all = engine::watch(home).await?;
    all.extend(engine::expire(home).await?);
    all.extend(engine::keep_boards(home).await?);
    Ok(all)
}

/// What was told already.
#[derive(Default)]
struct Told {
    waiting: Vec<String>,
    stays: BTreeSet<String>,
    /// GitHub told of something that nobody has looked at since.
    by_github: bool,
    /// Answers in Slack are heard beside all else: an approval on a base that has moved is proven first, which takes as long
    /// as the loop's checks do.
    hearing: Option<JoinHandle<Result<Vec<engine::Told>, engine::EngineError>>>,
}

async fn once(
    home: &Home,
    out: Out,
    round: u32,
    watch: bool,
    told: &mut Told,
) -> Result<(), engine::EngineError> {
    if home.slack.is_some() {
        if let Some(heard) = told.hearing.take_if(|hearing| hearing.is_finished()) {
            let broke = |_| engine::EngineError::Record("hearing answers in Slack broke off".to_owned());
            for heard in heard.await.map_err(broke)?? {
                out.note(format!("{}  {}", clock::now(), answered(&heard)));
            }
        }
        if told.hearing.is_none() && round.is_multiple_of(HEAR_EVERY) {
            let home = home.clone();
            told.hearing = Some(tokio::spawn(async move { engine::hear_answers(&home).await }));
        }
    }
    if round.is_multiple_of(ANNOUNCE_EVERY) {
        engine::announce(home).await?;
    }
    if watch && home.hub.is_some() {
        for news in news_of(home).await? {
            let (words, again) = (
                line(&news),
                matches!(news, News::StaysOpen(..) | News::NoBoard(..)),
            );
            // What stays so is told once, not at every look.
            if !again || told.stays.insert(words.clone()) {
                out.note(format!("{}  {words}", clock::now()));
            }
        }
    }
    let waiting: Vec<String> = engine::send(home, false).await?.iter().map(waits).collect();
    // What waits is told once, not at every look.
    for words in waiting.iter().filter(|words| !told.waiting.contains(words)) {
        out.note(format!("{}  {words}", clock::now()));
    }
    told.waiting = waiting;
    Ok(())
}

fn line(news: &News) -> String {
    plain(&match news {
        News::Merged(proposal) => format!("merged    {}: {}", proposal.id.short(), proposal.title),
        News::Closed(proposal, why) => format!("closed    {}: {why}", proposal.id.short()),
        News::Reopened(proposal) => format!("reopened  {}: {}", proposal.id.short(), proposal.title),
        News::Rebuilding(proposal, base) => format!(
            "proves    {}: its base has moved to {}",
            proposal.id.short(),
            base.get(..7).unwrap_or(base)
        ),
        News::Rebuilt(proposal, how) => format!("rebuilt   {}: {how}", proposal.id.short()),
        News::SentBack(proposal, why) => format!("sent back {}: {why}", proposal.id.short()),
        News::Answered(proposal, n) => format!("answered  {}: {n} on GitHub", proposal.id.short()),
        News::LeftAlone(proposal, why) => format!("left      {}: {why}", proposal.id.short()),
        News::Expired(proposal, why) => format!("expired   {}: {why}", proposal.id.short()),
        News::Ticked(repository, what) => format!("ticked    {repository}: {what}"),
        News::NoBoard(repository, why) => format!("trouble   the dashboard of {repository}: {why}"),
        News::Green(proposal) => format!(
            "green     {}: everything that is required is green; it is merged",
            proposal.id.short()
        ),
        News::StaysOpen(proposal, why) => format!("stays     {}: {why}", proposal.id.short()),
        News::Trouble(proposal, why) => format!("trouble   {}: {why}", proposal.id.short()),
    })
}

fn answered(told: &engine::Told) -> String {
    plain(&format!("answered  {}: {}", told.proposal.id.short(), told.what))
}

fn waits(waiting: &Waiting) -> String {
    plain(&format!(
        "waits     {} until {}: {}",
        waiting.key, waiting.next_at, waiting.why
    ))
}
