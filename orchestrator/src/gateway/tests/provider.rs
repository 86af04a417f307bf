//! A provider that does as it is told: over a bare socket, so that it can also break off in the middle.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// What it does with one request.
pub(super) enum Act {
    /// Answers at once.
    Say(u16, &'static [(&'static str, &'static str)], String),
    /// Answers with a stream, piece by piece.
    Stream(Vec<Piece>),
    /// Reads the request and hangs up.
    HangUp,
}

pub(super) enum Piece {
    Text(String),
    /// Goes on when a permit is there.
    Wait(Arc<Semaphore>),
    /// Breaks off here.
    Cut,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Came {
    pub(super) head: String,
    pub(super) body: Value,
}

pub(super) struct Provider {
    pub(super) address: String,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Provider {
    /// Starts one; `act` is told how many requests came before, and the request.
    pub(super) async fn start(act: impl Fn(usize, &Came) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let came = Arc::new(Mutex::new(Vec::new()));
        let (seen, act) = (Arc::clone(&came), Arc::new(act));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&act)));
            }
        });
        Self { address, came }
    }

    pub(super) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<Came>>>, act: Arc<impl Fn(usize, &Came) -> Act>) {
    let Some(came) = read(&mut stream).await else {
        return;
    };
    let act = {
        let mut seen = seen.lock().unwrap();
        let act = act(seen.len(), &came);
        seen.push(came);
        act
    };
    // Whoever hangs up early on us is part of some tests.
    let _ = answer(&mut stream, act).await;
}

async fn answer(stream: &mut TcpStream, act: Act) -> std::io::Result<()> {
    match act {
        Act::HangUp => Ok(()),
        Act::Say(status, headers, body) => {
            let headers: String = headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect();
            let length = body.len();
            let text = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
            );
            stream.write_all(text.as_bytes()).await
        }
        Act::Stream(pieces) => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            for piece in pieces {
                match piece {
                    Piece::Text(text) => {
                        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
                        stream.write_all(chunk.as_bytes()).await?;
                    }
                    Piece::Wait(gate) => gate.acquire().await.unwrap().forget(),
                    Piece::Cut => return Ok(()),
                }
            }
            stream.write_all(b"0\r\n\r\n").await
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Came> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let count = stream.read(&mut piece).await.ok().filter(|&count| count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))?
            .parse::<usize>()
            .ok()?;
        if bytes.len() >= end + 4 + length {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            return Some(Came {
                head,
                body: serde_json::from_slice(&bytes[end + 4..]).ok()?,
            });
        }
    }
}

pub(super) fn start(input_tokens: u64) -> String {
    event(
        json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
        "content": [], "usage": {"input_tokens": input_tokens, "output_tokens": 1}}}),
    )
}

pub(super) fn words(text: &str) -> String {
    event(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}))
        + &event(
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
        )
        + &event(json!({"type": "content_block_stop", "index": 0}))
}

pub(super) fn end(output_tokens: u64) -> String {
    event(
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": output_tokens}}),
    ) + &event(json!({"type": "message_stop"}))
}

pub(super) fn event(event: Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
}

/// A whole answer, as a stream if it was asked for as one.
pub(super) fn whole(came: &Came, input_tokens: u64, output_tokens: u64) -> Act {
    if came.body["stream"] == json!(true) {
        let text = start(input_tokens) + &words("fine") + &end(output_tokens);
        return Act::Stream(vec![Piece::Text(text)]);
    }
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant",
        "content": [{"type": "text", "text": "fine"}], "stop_reason": "end_turn",
        "usage": {"input_tokens": input_tokens, "output_tokens": output_tokens}});
    Act::Say(200, &[], message.to_string())
}
