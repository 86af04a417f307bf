//! Two services on one Postgres: the money is the same.

use harness::{model::Model, postgres};
use loops::budget::{Caps, Money};
use orchestrator::store::Store;
use serde_json::json;
use tokio::task::JoinSet;

use super::{admit, gateway};

/// How many ask each of the two gateways, all at the same time.
const CALLERS: usize = 60;

/// What is reserved at the moment when every call is either at the provider or refused, dollars in millionths.
async fn reserved_at_once(caps: Caps) -> i64 {
    let (address, model) = (postgres::database(), Model::start().await);
    model.session("spend", |s| s.say("much").forever());
    model.hold("spend");
    let stores = [
        Store::connect(&address).await.unwrap(),
        Store::connect(&address).await.unwrap(),
    ];
    let [one, two] = stores;
    let gateways = [gateway(&model, one).await, gateway(&model, two).await];
    let client = client_over_tcp();
    let mut callers = JoinSet::new();
    for number in 0..2 * CALLERS {
        let gateway = &gateways[number % 2];
        let token = admit(gateway, &format!("attempt {number}"), caps);
        let messages = json!([{"role": "user", "content": format!("spend {number}")}]);
        let body = json!({"model": "ours", "max_tokens": 2_000, "messages": messages});
        callers.spawn(client(
            gateway.address.clone(),
            token.expose().to_owned(),
            body.to_string(),
        ));
    }
    // Who is refused ends; who is not waits at the provider.
    let mut refused = 0;
    while refused + model.requests_of("spend").len() < 2 * CALLERS {
        if let Some(ended) = callers.try_join_next() {
            assert_eq!(ended.unwrap(), 400);
            refused += 1;
        }
        tokio::task::yield_now().await;
    }
    let reserved = postgres::sql(&address, "SELECT COALESCE(SUM(cost), 0) FROM calls");
    model.release("spend");
    callers.join_all().await;
    reserved.trim().parse().unwrap()
}

/// A POST over a bare connection; its status.
fn client_over_tcp() -> impl Fn(String, String, String) -> std::pin::Pin<Box<dyn Future<Output = u16> + Send>>
{
    |address, token, body| {
        Box::pin(async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let place = address.trim_start_matches("http://").to_owned();
            let mut stream = tokio::net::TcpStream::connect(&place).await.unwrap();
            let length = body.len();
            let request = format!(
                "POST /v1/messages HTTP/1.1\r\nhost: {place}\r\nx-api-key: {token}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer[9..12].parse().unwrap()
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_services_on_one_postgres_never_pass_a_cap_together() {
    let cap = Money::usd(0.5);
    let caps = Caps {
        run: Some(cap),
        ..Caps::default()
    };
    let reserved = reserved_at_once(caps).await;
    assert!(reserved <= cap.0 && reserved > cap.0 / 2, "{reserved}");
    // The control: without the cap the same calls hold far more at once.
    assert!(reserved_at_once(Caps::default()).await > 4 * cap.0);
}
