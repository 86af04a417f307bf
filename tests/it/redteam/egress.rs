//! The way to hosts that a loop allows, as a way to all others. A hostile attempt, a hostile name server, and a service of
//! the machine's own that answers whoever reaches it with what is secret.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::{net::IpAddr, sync::Arc, time::Duration};

use base64::Engine as _;
use orchestrator::gateway::{Admission, Outside};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{Family, Row, door::Door};

pub(crate) fn family() -> Family {
    let row = |attack: &Attack| Row {
        tried: attack.tried.to_owned(),
        by: match attack.off {
            Off::Allowed => "hosts are allowed by name and port, exactly",
            Off::Public => "every address of a name is judged before it is dialled",
            Off::Token => "a tunnel needs the attempt's token",
            Off::Connect => "nothing but CONNECT leads out",
        }
        .to_owned(),
        control: match attack.off {
            Off::Allowed => "the loop allows it: it answers",
            Off::Public => "judged as public: it answers",
            Off::Token => "with the token: it answers",
            Off::Connect => "by CONNECT: it answers",
        }
        .to_owned(),
    };
    Family {
        name: "Network, by the gateway",
        how: "Requests of an attempt to the real gateway, with a name server that says what the attack needs. The harm is the \
              answer of a service that it should not reach.",
        rows: ATTACKS.iter().map(row).collect(),
    }
}

/// The rule that the control leaves out.
#[derive(Clone, Copy, PartialEq)]
enum Off {
    Allowed,
    Public,
    Token,
    Connect,
}

struct Attack {
    tried: &'static str,
    /// The request's first line; `{T}` is the header with the token.
    request: &'static str,
    /// What the name server says.
    answers: &'static [&'static str],
    off: Off,
}

const PUBLIC: &[&str] = &["93.184.216.34"];
const REGISTRY: &str = "CONNECT registry.example.com:443 HTTP/1.1\r\n{T}\r\n";

const fn asks(tried: &'static str, request: &'static str) -> Attack {
    Attack {
        tried,
        request,
        answers: PUBLIC,
        off: Off::Allowed,
    }
}

const fn leads(tried: &'static str, answers: &'static [&'static str]) -> Attack {
    Attack {
        tried,
        request: REGISTRY,
        answers,
        off: Off::Public,
    }
}

const ATTACKS: &[Attack] = &[
    asks(
        "a host that the loop does not allow",
        "CONNECT evil.example:443 HTTP/1.1\r\n{T}\r\n",
    ),
    asks(
        "another port of a host that it allows",
        "CONNECT registry.example.com:22 HTTP/1.1\r\n{T}\r\n",
    ),
    asks(
        "a name that ends like one that it allows",
        "CONNECT evilregistry.example.com:443 HTTP/1.1\r\n{T}\r\n",
    ),
    asks(
        "a name that begins like one that it allows",
        "CONNECT registry.example.com.evil.example:443 HTTP/1.1\r\n{T}\r\n",
    ),
    asks(
        "data in a name below one that it allows",
        "CONNECT secret.registry.example.com:443 HTTP/1.1\r\n{T}\r\n",
    ),
    asks(
        "the parent of a wildcard",
        "CONNECT cdn.example.com:8443 HTTP/1.1\r\n{T}\r\n",
    ),
    leads("a name that leads to this machine", &["127.0.0.1"]),
    leads("a name that leads into the private network", &["10.1.2.3"]),
    leads(
        "a name that leads to a neighbour (shared addresses)",
        &["100.64.0.1"],
    ),
    leads("a name that leads to the cloud's metadata", &["169.254.169.254"]),
    leads("the same in IPv6", &["fd00:ec2::254"]),
    leads("this machine as IPv6", &["::1"]),
    leads(
        "an IPv4 address in the clothes of IPv6 (mapped)",
        &["::ffff:169.254.169.254"],
    ),
    leads("the same by a translator (NAT64)", &["64:ff9b::a9fe:a9fe"]),
    leads("the same by 6to4", &["2002:a9fe:a9fe::"]),
    leads("everybody at once (multicast)", &["224.0.0.1"]),
    leads("no address at all (0.0.0.0), which is this machine", &["0.0.0.0"]),
    leads(
        "a private address behind a public one",
        &["93.184.216.34", "10.0.0.1"],
    ),
    Attack {
        tried: "a tunnel without a token",
        request: "CONNECT registry.example.com:443 HTTP/1.1\r\n\r\n",
        answers: PUBLIC,
        off: Off::Token,
    },
    Attack {
        tried: "a tunnel with a token that was made up",
        request: "CONNECT registry.example.com:443 HTTP/1.1\r\nproxy-authorization: Bearer loops-0000\r\n\r\n",
        answers: PUBLIC,
        off: Off::Token,
    },
    Attack {
        tried: "a page by the proxy without a tunnel",
        request: "GET http://registry.example.com/ HTTP/1.1\r\nhost: registry.example.com\r\nconnection: close\r\n{T}\r\n",
        answers: PUBLIC,
        off: Off::Connect,
    },
    Attack {
        tried: "an upload by the proxy without a tunnel",
        request: "POST http://registry.example.com/up HTTP/1.1\r\nhost: registry.example.com\r\nconnection: close\r\ncontent-length: 6\r\n{T}\r\nSECRET",
        answers: PUBLIC,
        off: Off::Connect,
    },
    asks(
        "an address in the place of a name",
        "CONNECT 93.184.216.34:443 HTTP/1.1\r\n{T}\r\n",
    ),
];

/// The answer of whoever is reached.
const JEWELS: &str = "crown-jewels";

/// A world in which every address is one server, which says what is secret; names are what `answers` says.
fn outside(server: std::net::SocketAddr, answers: &[&str]) -> Outside {
    let answers: Vec<IpAddr> = answers.iter().map(|one| one.parse().unwrap()).collect();
    Outside {
        resolve: Arc::new(move |_| {
            let answers = answers.clone();
            Box::pin(async move { Ok(answers) })
        }),
        dial: Arc::new(move |_| Box::pin(TcpStream::connect(server))),
        is_ours: |_| false,
        idle: Duration::from_secs(60),
    }
}

async fn server() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // Who hangs up does not hear it.
                let _ = stream.write_all(JEWELS.as_bytes()).await;
            });
        }
    });
    address
}

/// All that comes back on a request.
async fn said(door: &Door, request: &str, token: &str) -> String {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("loops:{token}"));
    let header = format!("proxy-authorization: Basic {pair}\r\n");
    let mut stream = TcpStream::connect(door.place()).await.unwrap();
    stream
        .write_all(request.replace("{T}", &header).as_bytes())
        .await
        .unwrap();
    let mut all = String::new();
    let mut piece = [0; 4096];
    // A refusal of CONNECT leaves the connection open for another try.
    while !(all.contains(JEWELS) || all.starts_with("HTTP/1.1 4") && all.contains("\r\n\r\n")) {
        match tokio::time::timeout(Duration::from_secs(20), stream.read(&mut piece))
            .await
            .unwrap()
        {
            Ok(count @ 1..) => all.push_str(&String::from_utf8_lossy(&piece[..count])),
            _ => break,
        }
    }
    all
}

async fn play(attack: &Attack, off: bool) -> String {
    let server = server().await;
    let answers = if off { PUBLIC } else { attack.answers };
    let door = Door::open_to(outside(server, answers)).await;
    let mut network = vec![
        "registry.example.com".to_owned(),
        "*.cdn.example.com:8443".to_owned(),
    ];
    let mut request = attack.request.to_owned();
    if off {
        match attack.off {
            Off::Allowed => network.push(allowed(attack.request)),
            Off::Public => {}
            Off::Token | Off::Connect => request = REGISTRY.to_owned(),
        }
        if attack.request.contains("93.184") {
            // An address can be no host of a loop: its own name stands for it.
            network.push("by-name.example:443".to_owned());
            request = request.replace("93.184.216.34:443", "by-name.example:443");
        }
    }
    let token = door.gateway.admit(Admission {
        network,
        ..Door::admission("a")
    });
    said(&door, &request, token.expose()).await
}

/// The host and port that a request asks for.
fn allowed(request: &str) -> String {
    request.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn the_way_to_allowed_hosts_leads_to_no_other() {
    for attack in ATTACKS {
        let answer = play(attack, false).await;
        assert!(
            !answer.contains(JEWELS) && answer.starts_with("HTTP/1.1 4"),
            "NOT STOPPED: {}: {answer}",
            attack.tried
        );
        let answer = play(attack, true).await;
        assert!(
            answer.contains(JEWELS),
            "NO HARM IN THE CONTROL: {}: {answer}",
            attack.tried
        );
    }
}
