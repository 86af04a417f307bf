//! The binary `loops`: everything that it does is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator::cli::main()
}
