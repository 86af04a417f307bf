//! stub
use serde::{Deserialize, Serialize};
/// A tool as the model is told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolDefinition {
    pub name: String,
    pub description: String,
    pub input_schema: serde_json::Value,
}
/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolAnswer {
    pub ok: bool,
    pub text: String,
}
/// x
#[must_use]
pub fn serve_main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
