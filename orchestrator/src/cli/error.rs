//! How a command ends, for people and for scripts.

use std::fmt;

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked.
    Done,
    /// It could not.
    Failed,
    /// It was asked wrongly, or a spec is wrong.
    Usage,
    /// A budget stopped it.
    OutOfBudget,
    /// A check said no.
    CheckSaidNo,
    /// There was nothing to do, and the caller wanted to be told by the code.
    NothingToDo,
    /// Somebody interrupted it.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::OutOfBudget => 3,
            Self::CheckSaidNo => 4,
            Self::NothingToDo => 5,
            Self::Interrupted => 130,
        }
    }
}

/// What a person is told when a command cannot do what it was asked: what happened, why, and what to do.
#[derive(Debug, Clone)]
pub struct CliError {
    /// What happened, without a full stop.
    pub what: String,
    /// Why, if that is not said already.
    pub why: Option<String>,
    /// What to do about it.
    pub todo: Option<String>,
    /// How the process ends.
    pub exit: Exit,
}

impl CliError {
    /// Something failed.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: None,
            todo: None,
            exit: Exit::Failed,
        }
    }

    /// Something was asked wrongly.
    pub fn usage(what: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            ..Self::new(what)
        }
    }

    /// And this is why.
    pub fn why(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(why.to_string());
        self
    }

    /// And this is what to do.
    pub fn todo(mut self, todo: impl Into<String>) -> Self {
        self.todo = Some(todo.into());
        self
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if let Some(why) = &self.why {
            write!(f, "\n  because {why}")?;
        }
        if let Some(todo) = &self.todo {
            write!(f, "\n  {todo}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CliError {}
