//! What the gateway adds to a model's streamed answer: time to the first byte, throughput, and memory with a thousand
//! streams open, beside the same streams asked of the provider directly, turn by turn in one run. Provider and clients are
//! here; the gateway is a process of its own (this program again), so that its memory is its own.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use loops::{
    budget::Caps,
    id::{AttemptId, RunId, TaskId},
};
use orchestrator::{
    config::Config,
    gateway::{Admission, Gateway, Role},
    store::Store,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};

/// Pairs of short answers, for the time to the first byte.
const FIRSTS: usize = 400;
/// Pairs of long answers, and how many events of a kilobyte each has.
const LONGS: usize = 15;
const EVENTS: usize = 16_384;
/// How many streams are open at once, and how they drip.
const STREAMS: usize = 1_000;
const DRIPS: usize = 40;
const GAP_MS: u64 = 250;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("--gateway"), Some(provider)) => gateway(&provider).await,
        _ => compare().await,
    }
}

/// The process that is measured: a gateway on a fresh store, which prints its address and its tokens, and ends with its
/// input.
async fn gateway(provider: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path()).await?;
    let text = format!(
        "models:\n  providers:\n    anthropic: {{ base_url: '{provider}', key: '${{KEY}}' }}\n  known:\n    ours: {{ max_concurrent: 5000, \
         max_output: 4096, price: {{ input: 1, output: 1, cache_read: 0.1, cache_write: 1, as_of: 2026-11-21 }} }}\n"
    );
    let env = |name: &str| (name == "KEY").then(|| "key".to_owned());
    let config = Config::read(Path::new("loops.yaml"), &text, Some("/nowhere".into()), &env)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let gateway = Gateway::start(&config.models, store, None, None).await?;
    let tokens: Vec<String> = (0..STREAMS)
        .map(|number| {
            let token = gateway.admit(Admission {
                repository: None,
                attempt: AttemptId::named(&number.to_string()),
                number: 1,
                task: Some(TaskId::named(&number.to_string())),
                run: RunId::named("bench"),
                loop_name: "bench".to_owned(),
                role: Role::Work,
                caps: Caps::default(),
                zone: "UTC".to_owned(),
                network: Vec::new(),
                models: None,
                label: "fix".to_owned(),
            });
            token.expose().to_owned()
        })
        .collect();
    let mut out = tokio::io::stdout();
    let said = format!("{}\n{}\n", gateway.address, tokens.join(" "));
    out.write_all(said.as_bytes()).await?;
    out.flush().await?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    gateway.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

async fn compare() -> anyhow::Result<()> {
    let provider = provider().await?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--gateway", &format!("http://{provider}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let address = lines.next_line().await?.context("the gateway did not start")?;
    let tokens = lines.next_line().await?.context("the gateway has no tokens")?;
    let tokens: Vec<String> = tokens.split(' ').map(str::to_owned).collect();
    let address = address.trim_start_matches("http://").to_owned();

    let mut direct = Client::open(&provider, "key").await?;
    let mut through = Client::open(&address, &tokens[0]).await?;
    for _ in 0..20 {
        direct.ask(1, 0).await?;
        through.ask(1, 0).await?;
    }
    let (mut alone, mut added, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..FIRSTS {
        let one = direct.ask(1, 0).await?.first;
        let other = through.ask(1, 0).await?.first;
        alone.push(one);
        beside.push(other);
        added.push(other.as_secs_f64() - one.as_secs_f64());
    }
    println!(
        "first byte: direct {:.2} ms, gateway {:.2} ms; added, median {:.2} ms, p90 {:.2} ms",
        millis(&mut alone),
        millis(&mut beside),
        at(&mut added, 0.5) * 1e3,
        at(&mut added, 0.9) * 1e3
    );

    let (mut alone, mut beside, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..LONGS {
        let one = direct.ask(EVENTS, 0).await?;
        let other = through.ask(EVENTS, 0).await?;
        ensure!(
            other.bytes >= one.bytes * 9 / 10,
            "an answer was cut: {} of {}",
            other.bytes,
            one.bytes
        );
        bytes = one.bytes;
        alone.push(one.whole);
        beside.push(other.whole);
    }
    let mut shares: Vec<f64> = alone
        .iter()
        .zip(&beside)
        .map(|(one, other)| one.as_secs_f64() / other.as_secs_f64())
        .collect();
    let size = bytes as f64 / 1e6;
    let (one, other) = (millis(&mut alone), millis(&mut beside));
    println!(
        "one stream as fast as it goes, {size:.0} MB: direct {one:.0} ms ({:.0} MB/s), gateway {other:.0} ms ({:.0} MB/s), {:.0} % of direct",
        size / one * 1e3,
        size / other * 1e3,
        at(&mut shares, 0.5) * 100.0
    );

    // As a model streams: what counts is whether the answer takes longer.
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        alone.push(direct.ask(200, 10).await?.whole);
        beside.push(through.ask(200, 10).await?.whole);
    }
    let (one, other) = (millis(&mut alone), millis(&mut beside));
    println!(
        "at a model's pace (200 events, 10 ms apart): direct {one:.0} ms, gateway {other:.0} ms, {:+.1} %",
        (other / one - 1.0) * 100.0
    );

    let before = memory(&child)?;
    let began = Instant::now();
    let mut open = tokio::task::JoinSet::new();
    for token in tokens {
        let address = address.clone();
        open.spawn(async move { Client::open(&address, &token).await?.ask(DRIPS, GAP_MS).await });
    }
    let (mut most, mut ended) = (before, Vec::new());
    while !open.is_empty() {
        tokio::select! {
            one = open.join_next() => if let Some(one) = one { ended.push(one??) },
            () = tokio::time::sleep(Duration::from_millis(100)) => most = most.max(memory(&child)?),
        }
    }
    let mut firsts: Vec<Duration> = ended.iter().map(|one| one.first).collect();
    println!(
        "{STREAMS} streams at once, {} whole in {:.1} s (each alone {:.1} s): first byte, median {:.0} ms; memory of the gateway {:.0} MiB \
         before, {:.0} MiB at most",
        ended.len(),
        began.elapsed().as_secs_f64(),
        Duration::from_millis(DRIPS as u64 * GAP_MS).as_secs_f64(),
        millis(&mut firsts),
        before,
        most
    );
    drop(child.stdin.take());
    child.wait().await?;
    Ok(())
}

/// How an answer came.
struct Came {
    first: Duration,
    whole: Duration,
    bytes: usize,
}

/// One connection, kept open between questions as an agent's is.
struct Client {
    stream: BufReader<TcpStream>,
    key: String,
}

impl Client {
    async fn open(address: &str, key: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::with_capacity(256 << 10, stream),
            key: key.to_owned(),
        })
    }

    /// Asks for an answer of so many events with a gap between them, and reads it to its end.
    async fn ask(&mut self, events: usize, gap_ms: u64) -> anyhow::Result<Came> {
        let body = format!(
            r#"{{"model":"ours","max_tokens":64,"stream":true,"messages":[{{"role":"user","content":"<{events},{gap_ms}>"}}]}}"#
        );
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nanthropic-version: 2023-06-01\r\ncontent-type: \
             application/json\r\ncontent-length: {}\r\n\r\n",
            self.key,
            body.len()
        );
        let began = Instant::now();
        self.stream.write_all((head + &body).as_bytes()).await?;
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        if !line.contains(" 200 ") {
            bail!("{line}");
        }
        while line != "\r\n" {
            line.clear();
            ensure!(self.stream.read_line(&mut line).await? > 0, "the answer was cut");
        }
        let (mut first, mut bytes, mut piece) = (None, 0, Vec::new());
        loop {
            line.clear();
            ensure!(self.stream.read_line(&mut line).await? > 0, "the answer was cut");
            first.get_or_insert_with(|| began.elapsed());
            let length = usize::from_str_radix(line.trim(), 16)?;
            piece.resize(length + 2, 0);
            self.stream.read_exact(&mut piece).await?;
            if length == 0 {
                let first = first.unwrap_or_default();
                let whole = began.elapsed();
                return Ok(Came { first, whole, bytes });
            }
            bytes += length;
        }
    }
}

/// A provider that streams as many events as the question says, with no work of its own.
async fn provider() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let filler = "x".repeat(900);
    let event = |text: String| {
        let kind = text.split('"').nth(3).unwrap_or_default().to_owned();
        let text = format!("event: {kind}\ndata: {text}\n\n");
        format!("{:x}\r\n{text}\r\n", text.len())
    };
    let start = event(r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"ours","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}}"#.to_owned())
        + &event(r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#.to_owned());
    let delta = event(format!(
        r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{filler}"}}}}"#
    ));
    let end = event(r#"{"type":"content_block_stop","index":0}"#.to_owned())
        + &event(
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#
                .to_owned(),
        )
        + &event(r#"{"type":"message_stop"}"#.to_owned())
        + "0\r\n\r\n";
    let words = Arc::new([start, delta, end]);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let words = Arc::clone(&words);
            // Whoever asked has gone.
            tokio::spawn(async move { answer(stream, &words).await.unwrap_or_default() });
        }
    });
    Ok(address)
}

async fn answer(stream: TcpStream, [start, delta, end]: &[String; 3]) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let body = String::from_utf8(body)?;
        let asked = body
            .split(['<', '>'])
            .nth(1)
            .and_then(|asked| asked.split_once(','));
        let (events, gap) = asked.context("nothing was asked for")?;
        let (events, gap): (usize, u64) = (events.parse()?, gap.parse()?);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all((head.to_owned() + start).as_bytes()).await?;
        for _ in 0..events {
            if gap > 0 {
                tokio::time::sleep(Duration::from_millis(gap)).await;
            }
            stream.write_all(delta.as_bytes()).await?;
        }
        stream.write_all(end.as_bytes()).await?;
    }
}

/// What the process holds now, MiB.
fn memory(child: &Child) -> anyhow::Result<f64> {
    let pid = child.id().context("the gateway has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("no figure")?
        .parse()?;
    Ok(kib / 1024.0)
}

fn millis(durations: &mut [Duration]) -> f64 {
    durations.sort();
    durations[durations.len() / 2].as_secs_f64() * 1e3
}

fn at(figures: &mut [f64], share: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[((figures.len() - 1) as f64 * share) as usize]
}
