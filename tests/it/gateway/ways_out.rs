//! The way out of real sandboxes, played by a hostile agent: the hosts that a loop names are reached, and nothing else.
//! Each refusal stands beside the same request with the one wall satisfied. DNS and the world outside are the test's own.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use harness::model::Model;
use loops::{
    evidence::Verdict,
    id::{AttemptId, RunId},
    spec::{CheckCommand, Reproduce, SandboxLimits, Setup, Span, WeakenedTests},
};
use orchestrator::{
    config::Config,
    gateway::{Admission, Gateway, Outside, Patience, Token},
    store::{Store, egress::of_attempt},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use workers::{
    Job, Machine, Order, carry_out,
    git::Mirror,
    order::{Gateway as Address, Prove, Result as Carried, WaysOut},
    sandbox::Ran,
    way_out::WayOut,
    workspace::Workspace,
};

use super::*;
use crate::sandbox::{policy, sandbox};

const PUBLIC: &str = "93.184.216.34";

/// What each name stands for, in this DNS; every other name stands for the public address.
const LEADS_INSIDE: &[(&str, &[&str])] = &[
    ("loopback.example.com", &["127.0.0.1"]),
    ("private.example.com", &["10.0.0.1"]),
    ("linklocal.example.com", &["169.254.1.1"]),
    ("metadata.example.com", &["169.254.169.254"]),
    ("shared.example.com", &["100.64.0.1"]),
    ("loopback6.example.com", &["::1"]),
    ("local6.example.com", &["fd00::1"]),
    ("mapped.example.com", &["::ffff:10.0.0.1"]),
    ("both.example.com", &[PUBLIC, "10.0.0.1"]),
];

/// The world outside: one web server, whichever address is dialled, which says what was asked of it and redirects.
#[derive(Clone, Default)]
struct Net {
    dialled: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Net {
    async fn outside(&self) -> Outside {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
        let dialled = Arc::clone(&self.dialled);
        Outside {
            resolve: Arc::new(|name| {
                let inside = LEADS_INSIDE.iter().find(|(one, _)| *one == name);
                let found = inside.map_or(&[PUBLIC][..], |(_, addresses)| addresses);
                let found = found.iter().map(|one| one.parse::<IpAddr>().unwrap()).collect();
                Box::pin(async move { Ok(found) })
            }),
            dial: Arc::new(move |address| {
                dialled.lock().unwrap().push(address);
                Box::pin(TcpStream::connect(server))
            }),
            is_ours: |_| false,
            idle: Duration::from_secs(60),
        }
    }

    fn dialled(&self) -> Vec<String> {
        let dialled = self.dialled.lock().unwrap();
        dialled.iter().map(SocketAddr::to_string).collect()
    }
}

async fn serve(mut stream: TcpStream) {
    let mut asked = Vec::new();
    let mut byte = [0];
    while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.is_ok_and(|read| read == 1) {
        asked.push(byte[0]);
    }
    let asked = String::from_utf8_lossy(&asked).into_owned();
    let path = asked.split(' ').nth(1).unwrap_or_default().to_owned();
    let answer = match path.strip_prefix("/to/") {
        Some(place) => {
            format!(
                "HTTP/1.1 302 Found\r\nlocation: http://{place}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
        }
        None => format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\nhere is {path}",
            path.len() + 8
        ),
    };
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// A gateway with that world outside, and a folder for sandboxes.
struct World {
    gateway: Gateway,
    net: Net,
    model: Model,
    store: Store,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let model = Model::start().await;
        let net = Net::default();
        let text = format!(
            "models:\n  providers:\n    anthropic: {{ base_url: '{}', key: '${{KEY}}' }}\n  known:\n    ours: {{ price: {{ input: 1, output: \
             10, cache_read: 0.1, cache_write: 1, as_of: 2026-11-21 }}, max_output: 4096 }}\n",
            model.address()
        );
        let env = |name: &str| (name == "KEY").then(|| KEY.to_owned());
        let config = Config::read(Path::new("loops.yaml"), &text, Some("/nowhere".into()), &env).unwrap();
        let patience = Patience::of(Duration::from_secs(2));
        let outside = net.outside().await;
        let gateway = Gateway::start_with(&config.models, store.clone(), None, None, patience, outside);
        Self {
            gateway: gateway.await.unwrap(),
            net,
            model,
            store,
            folder,
        }
    }

    /// As the engine admits what is in an attempt's sandbox.
    fn admit(&self, name: &str, hosts: &[&str]) -> Token {
        self.gateway.admit_inside(Admission {
            network: hosts.iter().map(|&host| host.to_owned()).collect(),
            models: Some(Vec::new()),
            ..admission(name)
        })
    }

    fn address(&self, token: &str) -> Address {
        Address {
            address: self.gateway.relays.clone(),
            token: token.to_owned(),
        }
    }

    /// A command in an attempt's sandbox, with the way out that its token opens.
    async fn inside(&self, token: &Token, shell: &str) -> Ran {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let mut policy = policy(folder.path());
        let way_out = WayOut::open(folder.path(), &self.address(token.expose())).unwrap();
        way_out.lead(&mut policy);
        let limit = Duration::from_secs(60);
        sandbox().run(&policy, shell, limit, 16 << 10).await.unwrap()
    }

    /// What each of several commands printed, in one sandbox.
    async fn each(&self, token: &Token, commands: &[String]) -> Vec<String> {
        let script = commands.join("; echo '<end>'; ");
        let ran = self.inside(token, &script).await;
        ran.output
            .split("<end>\n")
            .map(|said| said.trim().to_owned())
            .collect()
    }
}

fn admission(name: &str) -> Admission {
    Admission {
        repository: None,
        attempt: AttemptId::named(name),
        number: 1,
        task: Some(TaskId::named("task")),
        run: RunId::named("run"),
        loop_name: "feedback".to_owned(),
        role: Role::Work,
        caps: Caps::default(),
        zone: "UTC".to_owned(),
        network: Vec::new(),
        models: None,
        label: "fix".to_owned(),
    }
}

/// Fetches through a tunnel, whatever the port. `-w` says which status the proxy gave.
fn fetch(url: &str) -> String {
    format!("curl -sS -p -m 20 -w ' %{{http_connect}}' '{url}' 2>&1")
}

#[tokio::test]
async fn what_runs_inside_reaches_the_hosts_that_its_loop_names_and_each_byte_is_counted() {
    let world = World::new().await;
    let token = world.admit("a", &["registry.example.com:8080", "*.cdn.example.com:8080"]);
    let said = world
        .each(
            &token,
            &[
                fetch("http://registry.example.com:8080/a"),
                fetch("http://x.cdn.example.com:8080/b"),
                // The walls: another host, another port, a name that only looks like one of them.
                fetch("http://evil.example.com:8080/"),
                fetch("http://registry.example.com:8081/"),
                fetch("http://registry.example.com.evil.example:8080/"),
                fetch("http://cdn.example.com:8080/"),
                // Without the proxy there is no name and no route at all.
                "curl -sS -m 5 --noproxy '*' http://registry.example.com:8080/ 2>&1".to_owned(),
                format!("curl -sS -m 5 --noproxy '*' http://{PUBLIC}:8080/ 2>&1"),
            ],
        )
        .await;
    assert_eq!(said[..2], ["here is /a 200", "here is /b 200"], "{said:?}");
    for refused in &said[2..6] {
        assert!(refused.ends_with(" 403"), "{said:?}");
    }
    assert!(said[6].contains("Could not resolve host"), "{said:?}");
    assert!(said[7].contains("connect"), "{said:?}");
    assert_eq!(world.net.dialled(), vec![format!("{PUBLIC}:8080"); 2]);
    let counted = loop {
        let found = of_attempt(&world.store, AttemptId::named("a")).await.unwrap();
        if found.iter().all(|one| one.uncounted == 0) {
            break found;
        }
        tokio::task::yield_now().await;
    };
    let hosts: Vec<&str> = counted.iter().map(|one| one.host.as_str()).collect();
    assert_eq!(hosts, ["registry.example.com", "x.cdn.example.com"]);
    assert!(counted.iter().all(|one| one.sent > 0 && one.received > 0));
}

#[tokio::test]
async fn python_finds_the_way_out_by_itself_and_no_program_finds_a_child_it_never_made() {
    let world = World::new().await;
    let token = world.admit("a", &["registry.example.com:8080"]);
    let script = "python3 - <<'E'\n\
                  import http.client, os, urllib.request\n\
                  try: print(os.wait())\n\
                  except ChildProcessError: print('no child')\n\
                  at = urllib.request.getproxies()['https'].split('@')[1].split(':')\n\
                  import base64\n\
                  pair = base64.b64encode(os.environ['HTTPS_PROXY'][7:].split('@')[0].encode()).decode()\n\
                  c = http.client.HTTPConnection(at[0], int(at[1]), timeout=20)\n\
                  c.set_tunnel('registry.example.com', 8080, {'Proxy-Authorization': 'Basic ' + pair})\n\
                  c.request('GET', '/py')\n\
                  print(c.getresponse().read().decode())\n\
                  E\n";
    let ran = world.inside(&token, script).await;
    assert_eq!(ran.output, "no child\nhere is /py\n");
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_to_a_sandbox_though_its_loop_names_it() {
    let world = World::new().await;
    let hosts: Vec<String> = LEADS_INSIDE
        .iter()
        .map(|(name, _)| format!("{name}:8080"))
        .chain(["public.example.com:8080".to_owned()])
        .collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let token = world.admit("a", &hosts);
    let fetches: Vec<String> = hosts
        .iter()
        .map(|host| fetch(&format!("http://{host}/")))
        .collect();
    let said = world.each(&token, &fetches).await;
    let (last, refused) = said.split_last().unwrap();
    assert_eq!(refused.len(), LEADS_INSIDE.len());
    assert!(refused.iter().all(|said| said.ends_with(" 403")), "{said:?}");
    // The control: a name that leads to the world outside.
    assert_eq!(last, "here is / 200");
    assert_eq!(world.net.dialled(), [format!("{PUBLIC}:8080")]);
}

#[tokio::test]
async fn a_redirect_leads_only_where_the_loop_allows() {
    let world = World::new().await;
    let token = world.admit("a", &["registry.example.com:8080", "mirror.example.com:8080"]);
    let follow =
        |to: &str| fetch(&format!("http://registry.example.com:8080/to/{to}")).replace("-sS", "-sS -L");
    let said = world
        .each(
            &token,
            &[
                follow("evil.example.com:8080/stolen"),
                follow("169.254.169.254/latest/meta-data/"),
                // That is the sandbox's own.
                follow("127.0.0.1:8080/"),
                follow("mirror.example.com:8080/good"),
            ],
        )
        .await;
    assert!(said[..2].iter().all(|said| said.ends_with(" 403")), "{said:?}");
    assert!(said[2].contains("Failed to connect to 127.0.0.1"), "{said:?}");
    assert_eq!(said[3], "here is /good 200");
}

/// Says a few lines to the port inside, as they stand, and prints the first line of each answer.
fn say(requests: &[String]) -> String {
    let list: Vec<String> = requests.iter().map(|request| format!("{request:?}")).collect();
    format!(
        "python3 - <<'E'\nimport os, socket, base64\n\
         pair = base64.b64encode(os.environ['HTTPS_PROXY'][7:].split('@')[0].encode())\n\
         for said in [{}]:\n\
         \x20   s = socket.create_connection(('127.0.0.1', 4141), 20)\n\
         \x20   s.sendall(said.encode('latin-1').replace(b'PAIR', pair))\n\
         \x20   print(s.makefile('rb').readline().decode('latin-1').split(' ', 2)[1:2] or 'cut')\n\
         \x20   s.close()\nE\n",
        list.join(", ")
    )
}

fn connect(target: &str, headers: &str) -> String {
    format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\nproxy-authorization: Basic PAIR\r\n{headers}\r\n")
}

#[tokio::test]
async fn tricks_with_connect_lead_nowhere() {
    let world = World::new().await;
    let token = world.admit("a", &["registry.example.com:8080"]);
    let good = connect("registry.example.com:8080", "");
    let tricks = [
        connect("registry.example.com:8080@evil.example.com:8080", ""),
        connect("evil.example.com:8080#registry.example.com:8080", ""),
        connect("[::1]:8080", ""),
        connect("[::ffff:10.0.0.1]:8080", ""),
        connect("0x7f000001:8080", ""),
        connect("2130706433:8080", ""),
        connect("127.1:8080", ""),
        connect("registry.example.com:08080:22", ""),
        connect("registry.example.com", ""),
        connect("registry.example.com:0", ""),
        connect("registry.example.com%00.evil.example.com:8080", ""),
        // The name stands in the header, and another one is asked for.
        "CONNECT evil.example.com:8080 HTTP/1.1\r\nhost: registry.example.com:8080\r\nproxy-authorization: Basic PAIR\r\n\r\n".to_owned(),
        // No tunnel, but a request that the proxy should carry out.
        "GET http://registry.example.com:8080/ HTTP/1.1\r\nhost: registry.example.com:8080\r\nproxy-authorization: Basic PAIR\r\n\r\n".to_owned(),
        // A second mark, as if another sandbox's relay were speaking.
        format!("{}\n{good}", "0".repeat(64)),
    ];
    let ran = world.inside(&token, &say(&[&tricks[..], &[good]].concat())).await;
    let lines: Vec<&str> = ran.output.lines().collect();
    let (last, refused) = lines.split_last().unwrap();
    assert_eq!(refused.len(), tricks.len(), "{ran:?}");
    for (trick, said) in tricks.iter().zip(refused) {
        assert!(
            ["['400']", "['403']", "['404']", "cut"].contains(said),
            "{trick:?}: {said}"
        );
    }
    assert_eq!(*last, "['200']", "the control: the same without a trick");
    assert_eq!(world.net.dialled(), [format!("{PUBLIC}:8080")]);
}

#[tokio::test]
async fn a_token_is_worth_nothing_in_another_sandbox_nor_outside_of_any() {
    let world = World::new().await;
    let mine = world.admit("mine", &[]);
    let theirs = world.admit("theirs", &["registry.example.com:8080"]);
    let stolen = format!(
        "curl -sS -p -m 20 -w ' %{{http_connect}}' -x http://loops:{}@127.0.0.1:4141 http://registry.example.com:8080/ 2>&1",
        theirs.expose()
    );
    let said = world.inside(&mine, &stolen).await.output;
    assert!(said.ends_with(" 407"), "{said}");
    // The control: the same words in the sandbox that it was made for.
    assert_eq!(world.inside(&theirs, &stolen).await.output, "here is / 200");
    // On the gateway's own port it is nothing either, as if it had been carried out of the sandbox.
    let direct = |token: &Token| {
        let address = world.gateway.address.clone();
        let token = token.expose().to_owned();
        async move {
            let mut stream = TcpStream::connect(address.trim_start_matches("http://"))
                .await
                .unwrap();
            let host = "registry.example.com:8080";
            let asked = format!(
                "CONNECT {host} HTTP/1.1\r\nhost: {host}\r\nproxy-authorization: Bearer {token}\r\n\r\n"
            );
            stream.write_all(asked.as_bytes()).await.unwrap();
            let mut line = [0; 12];
            stream.read_exact(&mut line).await.unwrap();
            String::from_utf8_lossy(&line[9..]).into_owned()
        }
    };
    assert_eq!(direct(&theirs).await, "407");
    let trusted = world.gateway.admit(Admission {
        network: vec!["registry.example.com:8080".to_owned()],
        ..admission("trusted")
    });
    assert_eq!(direct(&trusted).await, "200");
}

#[tokio::test]
async fn the_way_out_buys_no_model_call() {
    let world = World::new().await;
    world
        .model
        .session("anything", |script| script.say("Here you are."));
    let body = r#"{"model":"ours","max_tokens":9,"messages":[{"role":"user","content":"anything"}]}"#;
    let ask = format!(
        "curl -sS -m 20 --noproxy '*' -o /dev/null -w '%{{http_code}}' -H \"x-api-key: $(echo $HTTPS_PROXY | sed 's/.*loops:\\(.*\\)@.*/\\1/')\" \
         -H 'anthropic-version: 2023-06-01' -d '{body}' http://127.0.0.1:4141/v1/messages"
    );
    let token = world.admit("a", &["registry.example.com:8080"]);
    assert_eq!(world.inside(&token, &ask).await.output, "403");
    assert!(world.model.requests().is_empty());
    // The control: one that may ask models, from inside as well.
    let asks = world.gateway.admit_inside(admission("b"));
    assert_eq!(world.inside(&asks, &ask).await.output, "200");
}

#[tokio::test]
async fn with_its_attempt_a_way_out_ends_for_what_is_open_and_for_what_comes() {
    let world = World::new().await;
    let token = world.admit("a", &["registry.example.com:8080"]);
    let folder = tempfile::tempdir_in(world.folder.path()).unwrap();
    let mut policy = policy(folder.path());
    let way_out = WayOut::open(folder.path(), &world.address(token.expose())).unwrap();
    way_out.lead(&mut policy);
    let script = "python3 - <<'E'\nimport os, socket, base64\n\
         pair = base64.b64encode(os.environ['HTTPS_PROXY'][7:].split('@')[0].encode())\n\
         def tunnel():\n\
         \x20   s = socket.create_connection(('127.0.0.1', 4141), 30)\n\
         \x20   s.sendall(b'CONNECT registry.example.com:8080 HTTP/1.1\\r\\nproxy-authorization: Basic ' + pair + b'\\r\\n\\r\\n')\n\
         \x20   return s, s.recv(12)[9:].decode()\n\
         s, said = tunnel()\n\
         print(said, flush=True)\n\
         open('open', 'w').close()\n\
         while s.recv(999): pass\n\
         print('cut')\n\
         print(tunnel()[1])\nE\n";
    let opened = policy.workspace.join("open");
    let running = tokio::spawn(async move {
        let limit = Duration::from_secs(60);
        sandbox().run(&policy, script, limit, 16 << 10).await.unwrap()
    });
    while !opened.exists() {
        assert!(!running.is_finished(), "{:?}", running.await);
        tokio::task::yield_now().await;
    }
    world.gateway.dismiss(&token);
    assert_eq!(running.await.unwrap().output, "200\ncut\n407\n");
}

/// A repository with one file, mirrored; its base commit.
async fn mirrored(folder: &Path) -> String {
    let source = folder.join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("shop.py"), "").unwrap();
    for args in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "--all"],
        &["commit", "--quiet", "--message=base"],
    ] {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
        assert!(git.args(args).current_dir(&source).status().unwrap().success());
    }
    Mirror::update(source.to_str().unwrap(), &folder.join("mirror"), "main")
        .await
        .unwrap()
}

#[tokio::test]
async fn setup_fetches_once_with_its_own_hosts_and_whoever_comes_after_needs_no_network() {
    let world = World::new().await;
    let root = world.folder.path();
    let base = mirrored(root).await;
    let setup = Setup {
        run: "set -e; curl -sS -p -m 20 http://registry.example.com:8080/lib > lib".to_owned(),
        network: vec!["registry.example.com:8080".to_owned()],
        timeout: Span(Duration::from_secs(60)),
    };
    let prepared = async |name: &str, way_out: Option<&Address>| {
        let folder = root.join(name);
        std::fs::create_dir(&folder).unwrap();
        let workspace = Workspace::create(&root.join("mirror"), &base, None, &folder)
            .await
            .unwrap();
        let mut policy = workers::sandbox::Policy {
            workspace: workspace.root().to_owned(),
            mirror_objects: Some(workspace.mirror_objects()),
            ..policy(&folder)
        };
        workspace
            .prepare_by(&setup, &root.join("cache"), &sandbox(), &mut policy, way_out)
            .await
            .map_err(|error| error.to_string())?;
        let seen = "cat lib; echo \" $HTTPS_PROXY\"; ls /run/loops";
        let ran = sandbox()
            .run(&policy, seen, Duration::from_secs(60), 4096)
            .await
            .unwrap();
        Ok::<_, String>(ran.output)
    };
    let none = prepared("first", None).await.unwrap_err();
    assert!(none.contains("`setup.network` names hosts"), "{none}");
    let one = world.address(world.admit("a", &["registry.example.com:8080"]).expose());
    let first = prepared("second", Some(&one)).await.unwrap();
    assert!(
        first.starts_with("here is /lib \n") && !first.contains("gateway.sock"),
        "{first}"
    );
    // Another token, or none at all: the result is kept under what it depends on.
    assert_eq!(prepared("third", None).await.unwrap(), first);
    assert_eq!(world.net.dialled().len(), 1);
}

#[tokio::test]
async fn checks_reach_nothing_unless_the_loop_names_hosts_for_checks() {
    let world = World::new().await;
    let root = world.folder.path();
    let base = mirrored(root).await;
    let folder = root.join("agent");
    std::fs::create_dir(&folder).unwrap();
    let workspace = Workspace::create(&root.join("mirror"), &base, None, &folder)
        .await
        .unwrap();
    std::fs::write(workspace.root().join("shop.py"), "x = 1\n").unwrap();
    let prove = Prove {
        change: workspace.capture().await.unwrap().unwrap(),
        commands: vec![CheckCommand {
            name: "fetch".to_owned(),
            run: "curl -sS -p -m 20 http://registry.example.com:8080/check".to_owned(),
            junit: None,
            timeout: Span(Duration::from_secs(60)),
        }],
        reproduce: Reproduce::Off,
        weakened_tests: WeakenedTests::Allow,
        baseline: None,
    };
    let token = world.admit("a", &["registry.example.com:8080"]);
    let all = WaysOut {
        agent: Some(world.address(token.expose())),
        setup: Some(world.address(token.expose())),
        checks: None,
    };
    let verdict = async |name: &str, ways_out: WaysOut| {
        let order = Order {
            attempt: AttemptId::named(name),
            task: TaskId::named("task"),
            run: RunId::named("run"),
            mirror: root.join("mirror"),
            base: base.clone(),
            start: None,
            scratch: root.join(name),
            sandbox: Some(SandboxLimits::default()),
            setup: None,
            setup_cache: root.join("cache"),
            ways_out,
            timeout: Span(Duration::from_secs(300)),
            job: Job::Prove(prove.clone()),
        };
        let machine = Machine {
            sandbox: Some(sandbox()),
        };
        let (reports, _) = tokio::sync::mpsc::unbounded_channel();
        match carry_out(order, &machine, reports).await.result {
            Carried::Proved { evidence, .. } => {
                // The same on the base is no fault of the change: what counts here is how it ran.
                let fetch = evidence.iter().find(|found| found.name == "fetch").unwrap();
                fetch.after.as_ref().unwrap().verdict
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(verdict("without", all.clone()).await, Verdict::Failed);
    assert!(world.net.dialled().is_empty());
    // The control: the loop names the host for its checks.
    let with = WaysOut {
        checks: all.agent.clone(),
        ..WaysOut::default()
    };
    assert_eq!(verdict("with", with).await, Verdict::Passed);
}
