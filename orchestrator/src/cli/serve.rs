//! `loops serve`: the service. `pause`, `resume` and `cancel` steer it, and need not run beside it.

mod loops;
mod news;

use std::{path::PathBuf, time::Duration};

use ::loops::{run::RunState, text::plain};
use tokio_util::sync::CancellationToken;

use self::{
    loops::{Loops, Shelf},
    news::Doors,
};
use super::{CliError, Context, Exit, Out, errands, folder::Folder, follow};
use crate::{
    clock,
    config::Config,
    engine::{self, Service, Word},
    store::{
        StateLock, loops as loop_rows,
        resolve::{Kind, resolve},
        runs,
    },
};

/// The service: runs every loop of the folder of specs by its schedule, until it is told to stop.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How long runs under way may go on after SIGTERM or Ctrl-C before they are interrupted
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    grace: u64,
    /// Let a cassette answer in place of the models
    #[arg(long, value_name = "FILE")]
    cassette: Option<PathBuf>,
}

/// Names a loop.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// The loop's name
    #[arg(value_name = "LOOP")]
    name: String,
}

/// Names a run.
#[derive(Debug, clap::Args)]
pub(super) struct CancelArgs {
    /// The run's id, or the end of it
    #[arg(value_name = "RUN")]
    id: String,
}

pub(super) async fn serve(context: &Context, args: Args) -> Result<Exit, CliError> {
    let config = context.config()?;
    let stop = CancellationToken::new();
    let interrupt = tokio::spawn(follow::interrupt(stop.clone()));
    let out = context.out;
    let Some(service) = context.serving(args.cassette, &stop).await? else {
        out.note("another one led to the end");
        return Ok(Exit::Done);
    };
    let lost = service.lost();
    let home = service.engine.home.clone();
    let places = config.serve.runs;
    let retention = config.retention;
    let shelf = Shelf::new(&home, &config).await?;
    let folder = Folder::new(context.global.specs.clone(), config.models.clone());
    let mut loops = Loops::new(folder, shelf.clone());
    out.note(format!(
        "serving the loops {}; Ctrl-C ends it",
        where_from(context, &config)
    ));
    let doors = Doors::open(&home, &config, out, &stop).await?;
    let fresh = tokio::spawn(shelf.keep_fresh(home, config, out, stop.clone()));
    let sweeping = tokio::spawn(errands::sweep_on(
        service.engine.home.clone(),
        retention,
        out,
        stop.clone(),
    ));
    let errands = tokio::spawn(errands::keep_on(service.engine.home.clone(), out, stop.clone()));
    let served = Service::new(
        &service.engine,
        move || loops.changed(),
        move |word| say(out, &word),
    )
    .with_places(places)
    .serve(&stop, Duration::from_secs(args.grace));
    let served = tokio::select! {
        served = served => Some(served),
        // Whatever is under way here ends at once, as if we had been killed.
        () = lost.cancelled() => None,
    };
    stop.cancel();
    doors.close().await;
    interrupt.abort();
    errands.abort();
    sweeping.abort();
    fresh.abort();
    engine::stop_rebuilds(&service.engine.home).await;
    service.engine.gateway.shutdown(Duration::from_millis(200)).await;
    let Some(served) = served else {
        return Err(CliError::new("another loops has taken over")
            .why("this one was silent for longer than its lease; nothing that it did since then counts")
            .todo("start it again: it stands by then"));
    };
    service.leave().await;
    served.map_err(|error| CliError::new("the service ended").why(error))?;
    out.note("the service has ended; interrupted runs go on at the next start");
    Ok(Exit::Done)
}

fn where_from(context: &Context, config: &Config) -> String {
    let folder = format!("in `{}`", context.global.specs.display());
    let repositories: Vec<String> = config
        .github
        .repositories
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    if repositories.is_empty() {
        folder
    } else {
        format!("{folder} and those of {}", repositories.join(", "))
    }
}

fn say(out: Out, word: &Word) {
    let line = match word {
        Word::Loop(name, Some(next)) => format!("loop      {name}: next at {next}"),
        Word::Loop(name, None) => format!("loop      {name}: no tick is due any more"),
        Word::Overdue(name, overdue) => format!(
            "silent    {name}: no receipt since the tick of {}; {}",
            overdue.since,
            missed(overdue.ticks)
        ),
        Word::Broken(words) => format!("spec      {words}; the last good one stays"),
        Word::Started(name, Some(due)) => format!("run       {name}: the tick of {due} starts"),
        Word::Started(name, None) => format!("run       {name}: what was under way goes on"),
        Word::Woken(name, 1) => format!("run       {name}: it was woken by news"),
        Word::Woken(name, count) => format!("run       {name}: it was woken by {count} news"),
        Word::Waits(name, due) => {
            format!("waits     {name}: the tick of {due} has its turn when a run has ended")
        }
        Word::Skipped(name, due, why) => format!("tick      {name}: {due} skipped, {why}"),
        Word::Approved(name, title) => format!("run       {name}: a plan was approved, {title}"),
        Word::Held(name, why) => format!("held      {name}: {why}"),
        Word::Ended(name, run, how) => format!("run       {name}: {} {}", run.short(), how.replace('_', " ")),
        Word::Trouble(name, why) => format!("trouble   {name}: {why}"),
        Word::Outage(why) => format!("trouble   {why}; it is asked again until it can be"),
        Word::Room(Some(words)) => format!("disk      {words}"),
        Word::Room(None) => "disk      there is room again: what waited goes on".to_owned(),
    };
    out.note(format!("{}  {}", clock::now(), plain(&line)));
}

/// How many ticks nobody was there for.
pub(super) fn missed(ticks: usize) -> String {
    match ticks {
        1 => "1 tick was missed".to_owned(),
        1_000.. => "1000 ticks or more were missed".to_owned(),
        _ => format!("{ticks} ticks were missed"),
    }
}

/// Stops the schedule of a loop until it is resumed. A run under way goes on.
pub(super) async fn pause(context: &Context, args: Named) -> Result<Exit, CliError> {
    steer(context, &args.name, true).await?;
    let name = plain(&args.name);
    context
        .out
        .line(format!("`{name}` is paused; `loops resume {name}` lets it go on"));
    Ok(Exit::Done)
}

/// Lets the schedule of a paused loop go on.
pub(super) async fn resume(context: &Context, args: Named) -> Result<Exit, CliError> {
    steer(context, &args.name, false).await?;
    context
        .out
        .line(format!("`{}` goes on with its next tick", plain(&args.name)));
    Ok(Exit::Done)
}

async fn steer(context: &Context, name: &str, pause: bool) -> Result<(), CliError> {
    let store = context.store().await?;
    let now = clock::now();
    let mut tx = store.begin().await?;
    let (changed, kind) = if pause {
        (loop_rows::pause(&mut tx, name, now).await?, "loop.paused")
    } else {
        // Who says that it shall go on does not mean tomorrow.
        let recovered = loop_rows::recover(&mut tx, name).await?;
        (
            loop_rows::resume(&mut tx, name).await? || recovered,
            "loop.resumed",
        )
    };
    if changed {
        tx.record(now, kind, Some(name), None, name, serde_json::json!({}))
            .await?;
    }
    tx.commit().await?;
    if !changed && loop_rows::get(&store, name).await?.is_none() {
        return Err(
            CliError::usage(format!("there is no loop `{}` in this state", plain(name)))
                .why("it was neither served nor run here yet"),
        );
    }
    Ok(())
}

/// Stops a run: at once if nobody drives it, else within a second.
pub(super) async fn cancel(context: &Context, args: CancelArgs) -> Result<Exit, CliError> {
    let store = context.store().await?;
    let mut found = Vec::new();
    for (kind, id) in resolve(&store, &args.id).await? {
        if kind == Kind::Run
            && let Ok(id) = id.parse()
        {
            found.push(id);
        }
    }
    let [id] = found[..] else {
        return Err(
            CliError::usage(format!("`{}` names {} runs", plain(&args.id), found.len()))
                .todo("`loops runs` lists them"),
        );
    };
    if !engine::cancel(&store, id).await? {
        let phase = runs::get(&store, id)
            .await?
            .map_or_else(|| "gone".to_owned(), |run| run.phase);
        return Err(CliError::usage(format!("{} is {phase} already", id.short())));
    }
    // Nobody else has the state: then nobody drives the run, and we end it.
    let nobody = match StateLock::take(&context.config()?.state) {
        Ok(lock) => lock.also_in(&store).await,
        Err(held) => Err(held),
    };
    if let Ok(_lock) = nobody {
        engine::end_cancelled(&store, id).await?;
        let ended = runs::get(&store, id)
            .await?
            .map(|run| run.state::<RunState>())
            .transpose()?;
        let end = ended
            .and_then(|state| state.end())
            .map_or("not ended", ::loops::run::End::as_str);
        context.out.line(format!("{} is {end}", id.short()));
    } else {
        context.out.line(format!("{} is being stopped", id.short()));
    }
    Ok(Exit::Done)
}
