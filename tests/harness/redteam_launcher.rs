//! The launcher of sandboxes with walls left out, for the red team's controls: it changes the plan that the service's
//! own code wrote as the file `walls-off.json` in the attempt's scratch folder says, and goes on as the real one does.
//! Where there is no such file it is the real one.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitCode},
};

use serde_json::{Value, json};
use workers::sandbox::{launch_main, walls};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let done = match words.as_slice() {
        ["sandbox-launch", "--inside", without, numbers @ ..] if without.starts_with("--without=") => {
            inside(&without["--without=".len()..], numbers)
        }
        ["sandbox-launch", "--inside", ..] => return launch_main(),
        ["sandbox-launch", plan] => match change(Path::new(plan)) {
            Ok(()) => return launch_main(),
            Err(error) => Err(error),
        },
        ["sandbox-tools", ..] => return workers::tools::serve_main(),
        _ => Err("called wrongly".to_owned()),
    };
    let error = done.err().unwrap_or_default();
    // The harness reads what the sandbox said.
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("redteam-launcher: {error}\n").as_bytes(),
    );
    ExitCode::from(125)
}

/// As the real second stage, without some of its walls.
fn inside(without: &str, args: &[&str]) -> Result<(), String> {
    let [a, b, c, d, e, program, rest @ ..] = args else {
        return Err("too few arguments".to_owned());
    };
    let number = |text: &&str| text.parse::<u64>().map_err(|error| error.to_string());
    let without: BTreeSet<&str> = without.split(',').collect();
    if !without.contains("ceilings") {
        walls::ceilings([number(a)?, number(b)?, number(c)?, number(d)?, number(e)?])?;
    }
    let begun = "/run/loops/begun";
    let mut mark = fs::OpenOptions::new()
        .write(true)
        .open(begun)
        .map_err(|error| error.to_string())?;
    if !without.contains("landlock") {
        walls::landlock()?;
    }
    if !without.contains("filter") {
        walls::filter()?;
    }
    std::io::Write::write_all(&mut mark, b"up").map_err(|error| error.to_string())?;
    drop(mark);
    Err(Command::new(program).args(rest).exec().to_string())
}

/// Changes the plan.
fn change(path: &Path) -> Result<(), String> {
    let Some(scratch) = path.parent().and_then(Path::parent) else {
        return Ok(());
    };
    let Ok(off) = fs::read(scratch.join("walls-off.json")) else {
        return Ok(());
    };
    let off: Value = serde_json::from_slice(&off).map_err(|error| error.to_string())?;
    let text = fs::read(path).map_err(|error| error.to_string())?;
    let mut plan: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let names: BTreeSet<&str> = off["walls"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let steps = plan["steps"].as_array_mut().ok_or("a plan without steps")?;
    for step in steps.iter_mut() {
        if let Some(words) = step.get_mut("Tell").and_then(Value::as_array_mut) {
            *words = words.iter().flat_map(|said| told(said, &names)).collect();
            if names.contains("processes") && words.first().and_then(said).as_deref() == Some("--proc") {
                words.splice(0..2, ["--bind", "/proc", "/proc"].map(word));
            }
        }
        let Some(bind) = step.get_mut("Bind") else {
            continue;
        };
        if names.contains("read-only") {
            bind["writable"] = json!(true);
        }
        for (name, target, source) in [
            ("tmp", "/tmp", "/tmp"),
            ("shm", "/dev/shm", "/dev/shm"),
            ("home", "/home/agent", off["home"].as_str().unwrap_or("/")),
        ] {
            if names.contains(name) && bind["target"] == target {
                bind["source"] = json!(source);
            }
        }
    }
    let mut more = Vec::new();
    if names.contains("mounts") {
        let outside = &off["outside"];
        more.push(json!({"Bind": {"source": outside, "target": outside, "writable": true}}));
    }
    if names.contains("sys") {
        more.push(json!({"Bind": {"source": "/sys", "target": "/sys", "writable": false}}));
    }
    if names.contains("environment") {
        let (name, value) = (&off["variable"][0], &off["variable"][1]);
        let both = [name, value].map(|text| word(text.as_str().unwrap_or_default()));
        more.push(json!({"Tell": [word("--setenv"), both[0], both[1]]}));
    }
    // Before the root is made read-only: that is the last step but for the variables.
    let last = steps
        .iter()
        .position(|step| {
            let first = step["Tell"].get(0).and_then(said);
            first.as_deref() == Some("--remount-ro")
                && step["Tell"].get(1).and_then(said).as_deref() == Some("/")
        })
        .unwrap_or(steps.len());
    steps.splice(last..last, more);
    let argv = plan["argv"].as_array_mut().ok_or("a plan without a command")?;
    let inner: Vec<&str> = ["ceilings", "landlock", "filter"]
        .into_iter()
        .filter(|name| names.contains(name))
        .collect();
    if !inner.is_empty() {
        argv.insert(3, word(&format!("--without={}", inner.join(","))));
    }
    let text = serde_json::to_vec(&plan).map_err(|error| error.to_string())?;
    fs::write(path, text).map_err(|error| error.to_string())
}

/// One word of bubblewrap's as it is without some walls: none, itself, or others.
fn told(one: &Value, without: &BTreeSet<&str>) -> Vec<Value> {
    const SPACES: [(&str, &str); 4] = [
        ("ipc", "--unshare-ipc"),
        ("processes", "--unshare-pid"),
        ("network", "--unshare-net"),
        ("name", "--unshare-uts"),
    ];
    match said(one).as_deref() {
        Some("--unshare-all") => SPACES
            .iter()
            .filter(|(name, _)| !without.contains(name))
            .map(|(_, option)| word(option))
            .chain([word("--unshare-cgroup-try")])
            .collect(),
        Some("--hostname" | "sandbox") if without.contains("name") => vec![],
        Some("--new-session") if without.contains("session") => vec![],
        Some("--disable-userns") if without.contains("namespaces") => vec![],
        _ => vec![one.clone()],
    }
}

/// A word as a plan writes it.
fn word(text: &str) -> Value {
    json!({"Unix": text.as_bytes()})
}

fn said(word: &Value) -> Option<String> {
    let bytes = word["Unix"].as_array()?.iter();
    let bytes = bytes
        .filter_map(|byte| u8::try_from(byte.as_u64()?).ok())
        .collect();
    String::from_utf8(bytes).ok()
}
