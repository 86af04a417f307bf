//! Hosts that a loop names, through the whole service: each kind of sandbox is let out to its own and to no other. The one
//! host that can be named here without a network is this machine, which the gateway refuses by its address: that it looked
//! at the address shows that the name was allowed.

use harness::{model::Script, world::World};
use serde_json::json;

use crate::small_story::{
    FILES, RUN, TITLE, came_to_the_fix, end_of_work, lead, people_said, reviewer, spec,
};

/// Asks the proxy, if there is one, for this machine's ports, and says what it answered to each.
const ASK: &str = "import base64, os, socket, sys\n\
    proxy = os.environ.get('HTTPS_PROXY')\n\
    for port in sys.argv[1:]:\n\
    \x20   if not proxy: print(port, 'no proxy'); continue\n\
    \x20   pair, at = proxy[7:].split('@')\n\
    \x20   s = socket.create_connection(('127.0.0.1', int(at.split(':')[1])), 20)\n\
    \x20   pair = base64.b64encode(pair.encode()).decode()\n\
    \x20   s.sendall(f'CONNECT localhost:{port} HTTP/1.1\\r\\nproxy-authorization: Basic {pair}\\r\\n\\r\\n'.encode())\n\
    \x20   said = s.makefile().read()\n\
    \x20   print(port, 'allowed' if 'not on the public internet' in said else 'not allowed' if 'does not allow' in said else said)\n";

/// What the agent read of its own asking and of what `setup` left.
async fn told(named: bool) -> String {
    let world = World::start().await;
    world.settings("  patience: 2s\n");
    let origin = world.repository(&[&FILES[..], &[("ask.py", ASK)]].concat());
    let (spec, network) = match named {
        true => (spec().hosts(["localhost:82"]), ", network: ['localhost:81']"),
        false => (spec(), ""),
    };
    world.define(&spec.more(&format!(
        "setup: {{ run: \"python3 ask.py 81 82 > from-setup\"{network} }}\n"
    )));
    people_said(&world);
    let work = |script: Script| {
        let ask = "cat from-setup; python3 ask.py 81 82; rm from-setup";
        end_of_work(script.call("run", json!({ "command": ask })))
    };
    world.lead(lead).worker(TITLE, work).reviewer(TITLE, reviewer);
    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    let texts: Vec<String> = world
        .model()
        .requests()
        .iter()
        .flat_map(harness::model::Recorded::last_texts)
        .collect();
    let told = texts.into_iter().find(|text| text.contains("81 ")).unwrap();
    world.close().await;
    told
}

#[tokio::test]
async fn an_agent_and_its_setup_are_let_out_each_to_the_hosts_of_its_own_key() {
    let told = told(true).await;
    let wanted = "81 allowed\n82 not allowed\n81 not allowed\n82 allowed\n";
    assert!(told.contains(wanted), "{told}");
}

#[tokio::test]
async fn a_loop_that_names_no_host_opens_no_way() {
    let told = told(false).await;
    let wanted = "81 no proxy\n82 no proxy\n81 no proxy\n82 no proxy\n";
    assert!(told.contains(wanted), "{told}");
}
