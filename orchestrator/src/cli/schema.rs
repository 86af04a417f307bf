//! `loops schema`: the JSON Schema of a loop, for editors. It is JSON whatever `--format` says.

use super::{CliError, Context, Exit};

/// Print the JSON Schema of a loop.
#[derive(Debug, clap::Args)]
pub(super) struct Schema {}

impl Schema {
    /// Prints it.
    pub(super) fn run(&self, context: &Context) -> Result<Exit, CliError> {
        context.out.json(&loops::spec::schema());
        Ok(Exit::Done)
    }
}
