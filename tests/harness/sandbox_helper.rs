//! The two hidden commands of `loops` alone, so that tests of the sandbox need not build the whole service.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args_os()
        .nth(1)
        .as_deref()
        .and_then(|word| word.to_str())
    {
        Some("sandbox-launch") => workers::sandbox::launch_main(),
        Some("sandbox-tools") => workers::tools::serve_main(),
        _ => ExitCode::FAILURE,
    }
}
