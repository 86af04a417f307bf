//! The way out, played against a hostile attempt and a hostile DNS. Every refusal stands beside a control: the same with
//! the one wall satisfied goes through.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use base64::Engine as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::store::{egress::of_attempt, ledger::rows_of_run};

const PUBLIC: &str = "93.184.216.34";
const REGISTRY: &str = "registry.example.com:443";

/// A DNS that says what a test wants, and a world outside in which every address is one server that says everything twice.
#[derive(Clone, Default)]
struct Net {
    answers: Arc<Mutex<Vec<Vec<IpAddr>>>>,
    asked: Arc<Mutex<Vec<String>>>,
    dialled: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Net {
    /// Each look-up gets the next answer; the last one is given again and again.
    fn answering(answers: &[&[&str]]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().map(|one| one.parse().unwrap()).collect();
        Self {
            answers: Arc::new(Mutex::new(answers.iter().map(parse).collect())),
            ..Self::default()
        }
    }

    async fn outside(&self, idle: Duration) -> Outside {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut piece = [0; 1024];
                    while let Ok(length @ 1..) = stream.read(&mut piece).await {
                        let twice = [&piece[..length], &piece[..length]].concat();
                        if stream.write_all(&twice).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        let (net, dialling) = (self.clone(), self.clone());
        Outside {
            resolve: Arc::new(move |name| {
                net.asked.lock().unwrap().push(name);
                let mut answers = net.answers.lock().unwrap();
                let answer = if answers.len() > 1 {
                    answers.remove(0)
                } else {
                    answers[0].clone()
                };
                Box::pin(async move { Ok(answer) })
            }),
            dial: Arc::new(move |address| {
                dialling.dialled.lock().unwrap().push(address);
                Box::pin(TcpStream::connect(server))
            }),
            is_ours: |_| false,
            idle,
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn dialled(&self) -> Vec<String> {
        let dialled = self.dialled.lock().unwrap();
        dialled.iter().map(SocketAddr::to_string).collect()
    }
}

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(3_600);

/// As long as a test waits for what must come.
const SOON: Duration = Duration::from_secs(20);

async fn world(net: &Net, idle: Duration) -> World {
    let outside = net.outside(idle).await;
    World::build_with(|_, came| provider::whole(came, 1, 1), None, false, outside).await
}

fn admit(world: &World, name: &str, hosts: &[&str]) -> Token {
    world.gateway.admit(Admission {
        network: hosts.iter().map(|&host| host.to_owned()).collect(),
        ..admission(name, Caps::default())
    })
}

fn basic(token: &str) -> String {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("loops:{token}"));
    format!("proxy-authorization: Basic {pair}\r\n")
}

/// Asks for a tunnel; the connection, and the head of the answer.
async fn connect(world: &World, headers: &str, authority: &str) -> (TcpStream, String) {
    let place = world.gateway.address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(place).await.unwrap();
    let request = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        head.push(byte[0]);
    }
    (stream, String::from_utf8(head).unwrap())
}

/// The status of the answer.
async fn status(world: &World, token: &Token, authority: &str) -> u16 {
    let (_, head) = connect(world, &basic(token.expose()), authority).await;
    head[9..12].parse().unwrap()
}

async fn twice(stream: &mut TcpStream, words: &[u8]) {
    stream.write_all(words).await.unwrap();
    let mut back = vec![0; 2 * words.len()];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(back, [words, words].concat());
}

/// Whether the other side ends the connection soon.
async fn is_cut(stream: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(SOON, stream.read(&mut [0])).await;
    read.is_ok_and(|read| read.unwrap_or(0) == 0)
}

/// Waits until nothing of the attempt's is under way; what it exchanged with its only host.
async fn counted(world: &World, name: &str) -> (u64, u64, u64) {
    tokio::time::timeout(SOON, async {
        loop {
            let found = of_attempt(&world.store, AttemptId::named(name)).await.unwrap();
            if let [one] = found.as_slice()
                && one.uncounted == 0
            {
                return (one.connections, one.sent, one.received);
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn bytes_go_both_ways_and_each_is_counted() {
    let net = Net::answering(&[&[PUBLIC]]);
    let world = world(&net, LONG).await;
    let token = admit(&world, "a", &["registry.example.com"]);
    let (mut stream, head) = connect(&world, &basic(token.expose()), REGISTRY).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    twice(&mut stream, b"hello").await;
    twice(&mut stream, b"and more").await;
    drop(stream);
    assert_eq!(counted(&world, "a").await, (1, 13, 26));
    assert_eq!(net.dialled(), [format!("{PUBLIC}:443")]);
    let bearer = format!("proxy-authorization: Bearer {}\r\n", token.expose());
    let (mut stream, _) = connect(&world, &bearer, REGISTRY).await;
    twice(&mut stream, b"x").await;
    drop(stream);
    while counted(&world, "a").await != (2, 14, 28) {
        tokio::task::yield_now().await;
    }
    let rows = rows_of_run(&world.store, RunId::named("run"), 0, 10)
        .await
        .unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.kind.as_str(), &row.data["sent_bytes"]))
        .collect();
    assert_eq!(told, [("egress.ended", &json!(13)), ("egress.ended", &json!(1))]);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_whatever_form_the_address_has() {
    for address in [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.9.9",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "::ffff:169.254.169.254",
        "::ffff:93.184.216.34",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
    ] {
        for answer in [&[address][..], &[PUBLIC, address]] {
            let net = Net::answering(&[answer]);
            let world = world(&net, LONG).await;
            let token = admit(&world, "a", &["registry.example.com"]);
            assert_eq!(status(&world, &token, REGISTRY).await, 403, "{answer:?}");
            assert!(net.dialled().is_empty(), "{answer:?}");
        }
    }
    // The control: the same question with a public answer.
    let net = Net::answering(&[&[PUBLIC, "2606:4700::1111"]]);
    let world = world(&net, LONG).await;
    let token = admit(&world, "a", &["registry.example.com"]);
    assert_eq!(status(&world, &token, REGISTRY).await, 200);
}

#[tokio::test]
async fn an_answer_that_changes_afterwards_changes_nothing() {
    let net = Net::answering(&[&[PUBLIC], &["127.0.0.1"]]);
    let world = world(&net, LONG).await;
    let token = admit(&world, "a", &["registry.example.com"]);
    assert_eq!(status(&world, &token, REGISTRY).await, 200);
    assert_eq!(
        (net.asked().len(), net.dialled()),
        (1, vec![format!("{PUBLIC}:443")])
    );
    // The next tunnel asks anew, and is judged anew.
    assert_eq!(status(&world, &token, REGISTRY).await, 403);
    assert_eq!(net.dialled().len(), 1);
}

#[tokio::test]
async fn what_the_loop_does_not_allow_is_not_even_looked_up() {
    let net = Net::answering(&[&[PUBLIC]]);
    let world = world(&net, LONG).await;
    let token = admit(&world, "a", &["registry.example.com", "*.cdn.example.com:8443"]);
    for other in [
        "evil.example:443",
        "registry.example.com:80",
        "registry.example.com:22",
        "secret-in-a-name.registry.example.com:443",
        "cdn.example.com:8443",
        "x.cdn.example.com:443",
        "93.184.216.34:443",
        "127.0.0.1:443",
        "2130706433:443",
        "[::1]:443",
        "localhost:443",
        "metadata.google.internal:443",
    ] {
        assert_eq!(status(&world, &token, other).await, 403, "{other}");
    }
    assert!(
        net.asked().is_empty() && net.dialled().is_empty(),
        "{:?}",
        net.asked()
    );
    assert_eq!(status(&world, &token, "x.cdn.example.com:8443").await, 200);
    let none = admit(&world, "b", &[]);
    assert_eq!(
        status(&world, &none, REGISTRY).await,
        403,
        "the default is no host"
    );
    let rows = rows_of_run(&world.store, RunId::named("run"), 0, 100)
        .await
        .unwrap();
    let refused: Vec<_> = rows.iter().filter(|row| row.kind == "egress.refused").collect();
    assert_eq!(refused.len(), 13);
    assert!(refused.iter().all(|row| row.data["why"] == json!("not_allowed")));
    let text = serde_json::to_string(&refused.iter().map(|row| &row.data).collect::<Vec<_>>()).unwrap();
    assert!(
        !text.contains("secret"),
        "an attempt's own words are not kept: {text}"
    );
}

#[tokio::test]
async fn a_token_opens_tunnels_for_its_own_attempt_and_only_until_it_ends() {
    let net = Net::answering(&[&[PUBLIC]]);
    let world = world(&net, LONG).await;
    for headers in [
        String::new(),
        basic("loops-0000"),
        basic(""),
        "proxy-authorization: Basic !\r\n".to_owned(),
    ] {
        let (_, head) = connect(&world, &headers, REGISTRY).await;
        assert!(head.starts_with("HTTP/1.1 407"), "{head}");
    }
    let token = admit(&world, "a", &["registry.example.com"]);
    let (mut stream, _) = connect(&world, &basic(token.expose()), REGISTRY).await;
    twice(&mut stream, b"four").await;
    world.gateway.dismiss(&token);
    assert_eq!(
        stream.read(&mut [0]).await.unwrap_or(0),
        0,
        "cut with its attempt"
    );
    assert_eq!(counted(&world, "a").await, (1, 4, 8), "and counted until then");
    assert_eq!(status(&world, &token, REGISTRY).await, 407);
}

#[tokio::test]
async fn a_tunnel_that_carries_nothing_is_closed() {
    let net = Net::answering(&[&[PUBLIC]]);
    let world = world(&net, Duration::from_millis(50)).await;
    let token = admit(&world, "a", &["registry.example.com"]);
    let (mut stream, _) = connect(&world, &basic(token.expose()), REGISTRY).await;
    twice(&mut stream, b"x").await;
    assert!(is_cut(&mut stream).await);
    assert_eq!(counted(&world, "a").await, (1, 1, 2));
}

#[tokio::test]
async fn one_attempt_cannot_open_connections_without_end() {
    let net = Net::answering(&[&[PUBLIC]]);
    let world = world(&net, LONG).await;
    let token = admit(&world, "a", &["registry.example.com"]);
    let mut open = Vec::new();
    for _ in 0..16 {
        let (stream, head) = connect(&world, &basic(token.expose()), REGISTRY).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        open.push(stream);
    }
    assert_eq!(status(&world, &token, REGISTRY).await, 429);
    let other = admit(&world, "b", &["registry.example.com"]);
    assert_eq!(status(&world, &other, REGISTRY).await, 200, "others go on");
    for _ in 0..60 {
        status(&world, &token, "evil.example:443").await;
    }
    let rows = rows_of_run(&world.store, RunId::named("run"), 0, 200)
        .await
        .unwrap();
    let refused = rows.iter().filter(|row| row.kind == "egress.refused").count();
    assert_eq!(refused, 50, "and not fill the ledger");
}

#[tokio::test]
async fn only_connect_leads_out() {
    let net = Net::answering(&[&[PUBLIC]]);
    let world = world(&net, LONG).await;
    let token = admit(&world, "a", &["registry.example.com", "registry.example.com:80"]);
    let place = world.gateway.address.trim_start_matches("http://");
    for request in [
        "GET http://registry.example.com/ HTTP/1.1\r\nhost: registry.example.com",
        "POST http://registry.example.com/upload HTTP/1.1\r\nhost: registry.example.com\r\ncontent-length: 0",
        "OPTIONS * HTTP/1.1\r\nhost: registry.example.com",
    ] {
        let mut stream = TcpStream::connect(place).await.unwrap();
        let request = format!("{request}\r\nconnection: close\r\n{}\r\n", basic(token.expose()));
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }
    assert!(net.asked().is_empty());
    assert_eq!(status(&world, &token, "registry.example.com:80").await, 200);
}
