//! stub
/// x
#[must_use]
pub fn serve_main() -> std::process::ExitCode { std::process::ExitCode::FAILURE }
