//! The service as it ships, built with the tests so that they never meet an older one.

use std::process::ExitCode;

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
    orchestrator::cli::main()
}
