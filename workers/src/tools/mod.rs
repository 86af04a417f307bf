//! The tools of the built-in agent that touch a workspace: what the model is told of them, the server that carries them
//! out inside the sandbox, and the handle that the worker holds outside. The server may do nothing that a command in
//! the sandbox could not do; what it answers is an agent's text.

mod definitions;
mod edit;
mod files;
mod find;
mod host;
mod input;
mod run;
mod search;
mod server;

pub use definitions::{ToolDefinition, definitions, definitions_for};
pub use host::ToolHost;
pub use server::serve_main;

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolAnswer {
    /// Whether it did what it was asked.
    pub ok: bool,
    /// The answer, or what was wrong and how to ask better.
    pub text: String,
}

/// What a tool gives back: text for the model, or what was wrong.
type Answer = Result<String, String>;
