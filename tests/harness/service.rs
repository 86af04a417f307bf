//! The service as it ships, built with the tests so that they never meet an older one; its clock may be ahead.

use std::process::ExitCode;

use loops::time::Timestamp;

fn main() -> ExitCode {
    match std::env::args_os()
        .nth(1)
        .as_deref()
        .and_then(|word| word.to_str())
    {
        Some("sandbox-launch") => return workers::sandbox::launch_main(),
        Some("sandbox-tools") => return workers::tools::serve_main(),
        _ => {}
    }
    if let Some(seconds) = ahead() {
        orchestrator::clock::install(move || now().plus(std::time::Duration::from_secs(seconds)));
    }
    orchestrator::cli::main()
}

/// By how many seconds the test wants this process to be ahead of its own time.
#[expect(clippy::disallowed_methods, reason = "the service knows nothing of this")]
fn ahead() -> Option<u64> {
    std::env::var("LOOPS_TEST_LATER").ok()?.parse().ok()
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp(0).plus(since)
}
