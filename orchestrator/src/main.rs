//! The binary `loops`: everything that it does is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The two commands that the sandbox starts us by. They come first: the launcher must have one thread, and neither
    // has any business with what follows.
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
