//! The library that ships: loops to begin with, and the prompts that agents are given.
//!
//! Prompts are templates with what is stable first, so that providers can cache it; nothing that changes from call to
//! call belongs in one. Text from outside never goes into a template's text: it is marked by [`untrusted()`] and put into
//! the conversation.

mod foreign;
mod untrusted;

use std::io::{self, Write};

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::{Value, json};

use crate::spec::LoopSpec;

pub use untrusted::untrusted;

/// How many steps a template may take: the shipped ones take a few hundred.
const FUEL: u64 = 100_000;
/// The most bytes of a template, and of what it makes: the shipped ones have a few thousand.
pub const MAX_PROMPT: usize = 256 << 10;

const LOOPS: &[(&str, &str)] = &[
    (
        "feedback-to-fix",
        include_str!("../../library/loops/feedback-to-fix.yaml"),
    ),
    (
        "flaky-tests",
        include_str!("../../library/loops/flaky-tests.yaml"),
    ),
    ("ci-time", include_str!("../../library/loops/ci-time.yaml")),
    ("docs", include_str!("../../library/loops/docs.yaml")),
    (
        "instruction",
        include_str!("../../library/loops/instruction.yaml"),
    ),
];

const PROMPTS: &[(&str, &str)] = &[
    ("fix", include_str!("../../library/prompts/fix.md")),
    (
        "instruction",
        include_str!("../../library/prompts/instruction.md"),
    ),
    ("lead", include_str!("../../library/prompts/lead.md")),
    ("review", include_str!("../../library/prompts/review.md")),
];

/// Why a prompt could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The template is wrong, or goes on for too long.
    #[error("the prompt cannot be filled in: {0:#}")]
    Template(#[from] minijinja::Error),
    /// It, or what it makes, is larger than [`MAX_PROMPT`].
    #[error("the prompt cannot be filled in: it has more than {} KiB", MAX_PROMPT >> 10)]
    TooLarge,
    /// A repository's prompt does more than place what it is handed.
    #[error(
        "the prompt cannot be filled in: a repository's prompt may say `{{{{ name }}}}`, `{{% if %}}` and `{{% for %}}` only, \
         without operators, calls or filters, and this is more: `{tag}`"
    )]
    TooMuch {
        /// The beginning of the tag.
        tag: String,
    },
}

/// The loops that ship, by name, as YAML with comments.
pub fn loops() -> &'static [(&'static str, &'static str)] {
    LOOPS
}

/// The template of a prompt that ships: `fix`, `instruction`, `lead` or `review`.
pub fn prompt(name: &str) -> Option<&'static str> {
    PROMPTS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

/// Fills the operator's `template` in with `context`. A name that the context lacks is an error, and so is a template that
/// goes on for too long or makes too much.
///
/// # Errors
/// See there.
pub fn render(template: &str, context: impl Serialize) -> Result<String, PromptError> {
    if template.len() > MAX_PROMPT {
        return Err(PromptError::TooLarge);
    }
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    let template = environment.template_from_str(template)?;
    let mut made = Bounded(Vec::new());
    let context = minijinja::value::Serde(context);
    let rendered = template.render_captured_to(context, &mut made).map(drop);
    match rendered {
        Ok(()) => String::from_utf8(made.0).map_err(|_| PromptError::TooLarge),
        Err(_) if made.0.len() >= MAX_PROMPT => Err(PromptError::TooLarge),
        Err(error) => Err(error.into()),
    }
}

/// The same of a template that a repository brings: it may place what it is handed, and compute nothing.
///
/// # Errors
/// As [`render`], and if the template does more.
pub fn render_foreign(template: &str, context: impl Serialize) -> Result<String, PromptError> {
    if template.len() > MAX_PROMPT {
        return Err(PromptError::TooLarge);
    }
    foreign::check(template)?;
    render(template, context)
}

/// What is made, as far as it fits.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = bytes.len().min(MAX_PROMPT - self.0.len());
        self.0.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() {
            return Err(io::Error::other("too much"));
        }
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the prompts of a loop may say: the names that its templates can use. It depends on the spec alone, so every
/// call of a loop begins with the same text.
pub fn context(spec: &LoopSpec) -> Value {
    let checks: Vec<Value> = spec
        .checks
        .commands
        .iter()
        .map(|check| json!({ "name": check.name, "run": check.run }))
        .collect();
    json!({
        "name": spec.name,
        "description": spec.description.as_deref().unwrap_or_default(),
        "wanted": spec.prompt.as_deref().map(str::trim).unwrap_or_default(),
        "workers": spec.workers.keys().collect::<Vec<_>>(),
        "write": spec.boundaries.write,
        "deny": spec.boundaries.deny,
        "max_files": spec.boundaries.max_files,
        "max_lines": spec.boundaries.max_lines,
        "dependencies": spec.boundaries.dependencies,
        "checks": checks,
    })
}

/// The name of the shipped prompt that workers of this loop get when their kind names none.
pub fn worker_prompt(spec: &LoopSpec) -> &'static str {
    match spec.kind {
        crate::spec::Kind::Instruction => "instruction",
        _ => "fix",
    }
}

#[cfg(test)]
mod tests;
