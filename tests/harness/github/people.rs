//! Who asks: accounts, roles in repositories, tokens of each kind, Apps and their installations.
//!
//! Nothing here answers a request; it says who somebody is and what they may do.

use std::collections::{BTreeMap, BTreeSet};

/// What a person may do in a repository, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// See it.
    Read,
    /// Label and close.
    Triage,
    /// Push.
    Write,
    /// Manage without what destroys.
    Maintain,
    /// All of it.
    Admin,
}

impl Role {
    /// GitHub's word of today (`role_name`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }

    /// GitHub's older word (`permission`), which knows four only.
    pub fn legacy(self) -> &'static str {
        match self {
            Self::Read | Self::Triage => "read",
            Self::Write | Self::Maintain => "write",
            Self::Admin => "admin",
        }
    }
}

/// How far a permission of a fine-grained token or an installation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// See.
    Read,
    /// Change.
    Write,
}

impl Access {
    /// GitHub's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "read" => Some(Self::Read),
            "write" | "admin" => Some(Self::Write),
            _ => None,
        }
    }
}

/// Permissions by name, as in `("issues", Access::Write)`.
pub type Permissions = BTreeMap<String, Access>;

/// What kind of account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A person.
    User,
    /// An App's own account.
    Bot,
    /// Owns repositories and teams.
    Organization,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Bot => "Bot",
            Self::Organization => "Organization",
        }
    }
}

/// An account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub login: String,
    /// What it is.
    pub kind: Kind,
}

/// Which repositories something reaches: all of its owner's, or those named in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of the owner's.
    All,
    /// Only these (`owner/name`).
    Only(BTreeSet<String>),
}

impl Selection {
    /// Only these repositories (`owner/name`).
    pub fn only<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Only(names.into_iter().map(str::to_owned).collect())
    }
}

/// Whose a token is.
#[derive(Debug, Clone)]
pub enum Holder {
    /// A classic personal token.
    Classic {
        /// Whose.
        user: String,
        /// Such as `repo`, `public_repo`, `workflow`.
        scopes: Vec<String>,
    },
    /// A fine-grained personal token.
    FineGrained {
        /// Whose.
        user: String,
        /// The owner whose repositories it reaches.
        owner: String,
        /// Which of them.
        selection: Selection,
        /// What it may do there.
        permissions: Permissions,
    },
    /// A short-lived token of an installation.
    Installation {
        /// Of which installation.
        installation: u64,
        /// Narrowed to these, if it was asked for so.
        selection: Selection,
        /// What it may do there.
        permissions: Permissions,
    },
}

/// A token, with the meter of its requests.
#[derive(Debug, Clone)]
pub struct Token {
    /// What is sent.
    pub text: String,
    /// Whose it is.
    pub holder: Holder,
    /// When it ends, in milliseconds of the hub's clock.
    pub expires: Option<i64>,
    /// Requests in an hour.
    pub limit: u64,
    /// How many of them are gone.
    pub used: u64,
    /// When the hour ends, in milliseconds.
    pub resets: i64,
    /// When it made content, in milliseconds.
    pub(super) wrote: Vec<i64>,
}

/// A GitHub App.
#[derive(Debug, Clone)]
pub struct App {
    /// Its number.
    pub id: u64,
    /// Its name in addresses; its account is `slug[bot]`.
    pub slug: String,
    /// Whose it is.
    pub owner: String,
    /// What verifies its JWT: a public key as PEM.
    pub public_key: String,
}

/// An App, installed at an owner.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Its number.
    pub id: u64,
    /// Which App.
    pub app: u64,
    /// At whose place.
    pub owner: String,
    /// Which repositories.
    pub selection: Selection,
    /// What it may do.
    pub permissions: Permissions,
    /// When it was installed, in milliseconds.
    pub created: i64,
    /// Set aside by its owner.
    pub suspended: bool,
}

/// Who a request comes from, once its credentials are read.
#[derive(Debug, Clone)]
pub(super) enum Actor {
    /// By a token; the login acts.
    Token { text: String, login: String },
    /// By an App's own JWT.
    App(u64),
    /// Nobody said.
    Nobody,
}

impl Actor {
    pub(super) fn login(&self) -> &str {
        match self {
            Self::Token { login, .. } => login,
            Self::App(_) | Self::Nobody => "",
        }
    }
}

/// What a request needs: one of the permissions, and the role in the repository.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    pub(super) permissions: &'static [(&'static str, Access)],
    pub(super) role: Role,
}

impl Need {
    pub(super) fn writes(&self) -> bool {
        self.permissions
            .iter()
            .any(|(_, access)| *access == Access::Write)
    }

    /// As `X-Accepted-GitHub-Permissions` has it.
    pub(super) fn header(&self) -> String {
        let words: Vec<String> = self
            .permissions
            .iter()
            .map(|(name, access)| format!("{name}={}", access.name()))
            .collect();
        words.join("; ")
    }
}
