//! The world that tests edit and the HTTP face shows: accounts, tokens, Apps, repositories, and the clock.
//!
//! It never reads the wall clock; edits panic where a test asks for what is not there.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    faults::Faults,
    git::Git,
    hooks::{Delivery, Hook},
    log::Log,
    people::{Access, Account, App, Holder, Installation, Kind, Permissions, Role, Selection, Token},
    things::{Protection, Repository},
};

const HOUR: i64 = 3_600_000;

/// All that this GitHub knows.
#[derive(Debug)]
pub struct World {
    /// Milliseconds since the Unix epoch, on the hub's own clock.
    pub now: i64,
    /// Accounts by login.
    pub accounts: BTreeMap<String, Account>,
    /// Teams: `organisation/slug` and their members.
    pub teams: BTreeMap<String, BTreeSet<String>>,
    /// Tokens of every kind.
    pub tokens: Vec<Token>,
    /// Apps.
    pub apps: Vec<App>,
    /// Where they are installed.
    pub installations: Vec<Installation>,
    /// Repositories.
    pub repositories: Vec<Repository>,
    /// Who is told of events.
    pub hooks: Vec<Hook>,
    /// Whether deliveries wait until the test asks for them.
    pub hold_deliveries: bool,
    /// Every delivery, sent or not.
    pub deliveries: Vec<Delivery>,
    /// How much content a token may make in a minute and in an hour, before the secondary limit.
    pub content_limits: (usize, usize),
    /// Whether the times in an App's JWT must fit the hub's clock; off where the program has a clock of its own.
    pub check_jwt_times: bool,
    /// How many requests a new token has in an hour.
    pub requests_an_hour: u64,
    /// Whether lists leave out what the asker made, and a second pull request of a branch is taken: for controls, in
    /// which looking before doing again finds nothing.
    pub hides_own: bool,
    pub(super) faults: Faults,
    pub(super) log: Log,
    pub(super) to_send: VecDeque<usize>,
    pub(super) wake: Arc<Notify>,
    /// Where the API is, as this request reached it.
    pub(super) api: String,
    /// Where the server is, without a path.
    pub(super) base: String,
    /// Where logs are kept: another server, as at GitHub.
    pub(super) store: String,
    pub(super) folder: PathBuf,
    next: u64,
}

impl World {
    pub(super) fn new(folder: PathBuf, base: String, store: String, now: i64, wake: Arc<Notify>) -> Self {
        Self {
            now,
            accounts: BTreeMap::new(),
            teams: BTreeMap::new(),
            tokens: Vec::new(),
            apps: Vec::new(),
            installations: Vec::new(),
            repositories: Vec::new(),
            hooks: Vec::new(),
            hold_deliveries: false,
            deliveries: Vec::new(),
            content_limits: (80, 500),
            check_jwt_times: true,
            requests_an_hour: 5_000,
            hides_own: false,
            faults: Faults::default(),
            log: Log::default(),
            to_send: VecDeque::new(),
            wake,
            api: base.clone(),
            base,
            store,
            folder,
            next: 1_000,
        }
    }

    pub(super) fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Turns the clock on.
    pub fn advance(&mut self, by: Duration) {
        self.now += i64::try_from(by.as_millis()).expect("a test turns the clock by less than an age");
    }

    // --- people ---------------------------------------------------------------------------------------------------

    fn add_account(&mut self, login: &str, kind: Kind) {
        if !self.accounts.contains_key(login) {
            let id = self.id();
            let login = login.to_owned();
            self.accounts.insert(login.clone(), Account { id, login, kind });
        }
    }

    /// A person; does nothing if there is one of that name.
    pub fn add_user(&mut self, login: &str) {
        self.add_account(login, Kind::User);
    }

    /// An organisation; does nothing if there is an account of that name.
    pub fn add_organization(&mut self, login: &str) {
        self.add_account(login, Kind::Organization);
    }

    /// A team of an organisation, with its members.
    pub fn add_team(&mut self, organization: &str, slug: &str, members: &[&str]) {
        self.add_organization(organization);
        for member in members {
            self.add_user(member);
        }
        let members = members.iter().map(|&member| member.to_owned()).collect();
        self.teams.insert(format!("{organization}/{slug}"), members);
    }

    /// Gives a person a role in a repository.
    pub fn grant(&mut self, repository: &str, user: &str, role: Role) {
        self.add_user(user);
        self.repo(repository).roles.insert(user.to_owned(), role);
    }

    fn add_token(&mut self, prefix: &str, holder: Holder, expires: Option<i64>) -> String {
        let text = format!("{prefix}{:036}", self.id());
        self.tokens.push(Token {
            text: text.clone(),
            holder,
            expires,
            limit: self.requests_an_hour,
            used: 0,
            resets: self.now + HOUR,
            wrote: Vec::new(),
        });
        text
    }

    /// A classic personal token with scopes such as `repo`, `public_repo` and `workflow`.
    pub fn classic_token(&mut self, user: &str, scopes: &[&str]) -> String {
        self.add_user(user);
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let user = user.to_owned();
        self.add_token("ghp_", Holder::Classic { user, scopes }, None)
    }

    /// A fine-grained personal token for repositories of one owner.
    pub fn fine_grained_token(
        &mut self,
        user: &str,
        owner: &str,
        selection: Selection,
        permissions: &[(&str, Access)],
    ) -> String {
        self.add_user(user);
        let holder = Holder::FineGrained {
            user: user.to_owned(),
            owner: owner.to_owned(),
            selection,
            permissions: permissions_of(permissions),
        };
        self.add_token("github_pat_", holder, None)
    }

    pub(super) fn installation_token(
        &mut self,
        installation: u64,
        selection: Selection,
        permissions: Permissions,
    ) -> (String, i64) {
        let expires = self.now + HOUR;
        let holder = Holder::Installation {
            installation,
            selection,
            permissions,
        };
        (self.add_token("ghs_", holder, Some(expires)), expires)
    }

    /// Takes a token back: it is a bad credential from now on.
    pub fn revoke(&mut self, token: &str) {
        self.tokens.retain(|one| one.text != token);
    }

    /// A token, to set its limit or its end.
    ///
    /// # Panics
    /// If there is none.
    pub fn token(&mut self, text: &str) -> &mut Token {
        self.tokens
            .iter_mut()
            .find(|token| token.text == text)
            .expect("a token of this hub")
    }

    /// An App with the public key (PEM) that verifies its JWT; its number.
    pub fn add_app(&mut self, slug: &str, owner: &str, public_key: &str) -> u64 {
        self.add_organization(owner);
        self.add_account(&format!("{slug}[bot]"), Kind::Bot);
        let id = self.id();
        self.apps.push(App {
            id,
            slug: slug.to_owned(),
            owner: owner.to_owned(),
            public_key: public_key.to_owned(),
        });
        id
    }

    /// Installs an App at an owner; the installation's number.
    pub fn install(
        &mut self,
        app: u64,
        owner: &str,
        selection: Selection,
        permissions: &[(&str, Access)],
    ) -> u64 {
        self.add_organization(owner);
        let id = self.id();
        let mut permissions = permissions_of(permissions);
        permissions.entry("metadata".to_owned()).or_insert(Access::Read);
        self.installations.push(Installation {
            id,
            app,
            owner: owner.to_owned(),
            selection,
            permissions,
            created: self.now,
            suspended: false,
        });
        id
    }

    /// Who acts with such a token.
    pub(super) fn login_of(&self, holder: &Holder) -> String {
        match holder {
            Holder::Classic { user, .. } | Holder::FineGrained { user, .. } => user.clone(),
            Holder::Installation { installation, .. } => {
                let installation = self.installations.iter().find(|one| one.id == *installation);
                let app = installation.and_then(|one| self.apps.iter().find(|app| app.id == one.app));
                app.map(|app| format!("{}[bot]", app.slug)).unwrap_or_default()
            }
        }
    }

    /// A person's role in a repository, from what was granted to them and to their teams.
    pub(super) fn role(&self, at: usize, login: &str) -> Option<Role> {
        let repository = &self.repositories[at];
        if repository.owner == login {
            return Some(Role::Admin);
        }
        let by_team = repository.teams.iter().filter_map(|(slug, role)| {
            let members = self.teams.get(&format!("{}/{slug}", repository.owner))?;
            members.contains(login).then_some(*role)
        });
        by_team.chain(repository.roles.get(login).copied()).max()
    }

    // --- repositories ---------------------------------------------------------------------------------------------

    /// A public repository `owner/name` with a first commit on `main`.
    ///
    /// # Panics
    /// If the name has no owner, or git does not work.
    pub fn add_repository(&mut self, full_name: &str) -> &mut Repository {
        let (owner, name) = full_name.split_once('/').expect("`owner/name`");
        self.add_organization(owner);
        let id = self.id();
        let git = Git::init(self.folder.join(format!("{id}.git")), "main");
        let readme = format!("# {name}\n");
        git.commit(
            "main",
            None,
            &[("README.md", Some(&readme))],
            "First commit",
            owner,
            self.now / 1_000,
        );
        let at = self.repositories.len();
        self.repositories.push(Repository {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            former: Vec::new(),
            private: false,
            archived: false,
            drafts: true,
            has_issues: true,
            auto_merge: false,
            default_branch: "main".to_owned(),
            git,
            roles: BTreeMap::new(),
            teams: BTreeMap::new(),
            protected: BTreeMap::new(),
            labels: Vec::new(),
            issues: BTreeMap::new(),
            comments: BTreeMap::new(),
            reviews: BTreeMap::new(),
            review_comments: BTreeMap::new(),
            checks: BTreeMap::new(),
            statuses: Vec::new(),
            workflows: Vec::new(),
            runs: BTreeMap::new(),
            created: self.now,
            pushed: self.now,
        });
        for label in ["bug", "enhancement"] {
            self.make_label(at, label, "d73a4a", None);
        }
        &mut self.repositories[at]
    }

    /// Where a repository is in the list, whatever the case of its name.
    pub(super) fn find(&self, full_name: &str) -> Option<usize> {
        self.repositories
            .iter()
            .position(|one| one.full_name().eq_ignore_ascii_case(full_name))
    }

    /// Where the repository is that once had that name.
    pub(super) fn find_former(&self, full_name: &str) -> Option<usize> {
        let was = |one: &Repository| one.former.iter().any(|name| name.eq_ignore_ascii_case(full_name));
        self.repositories.iter().position(was)
    }

    pub(super) fn at(&self, full_name: &str) -> usize {
        self.find(full_name)
            .unwrap_or_else(|| panic!("there is no repository `{full_name}` in this hub"))
    }

    /// A repository.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn repo(&mut self, full_name: &str) -> &mut Repository {
        let at = self.at(full_name);
        &mut self.repositories[at]
    }

    /// Gives a repository another name; the old one redirects.
    pub fn rename(&mut self, full_name: &str, name: &str) {
        let repository = self.repo(full_name);
        let former = repository.full_name();
        repository.former.push(former);
        repository.name = name.to_owned();
    }

    /// Protects a branch with checks that must be green.
    pub fn protect(&mut self, full_name: &str, branch: &str, checks: &[&str]) {
        let checks = checks.iter().map(|&check| check.to_owned()).collect();
        let protection = Protection {
            checks,
            ..Protection::default()
        };
        self.repo(full_name)
            .protected
            .insert(branch.to_owned(), protection);
    }
}

fn permissions_of(list: &[(&str, Access)]) -> Permissions {
    list.iter()
        .map(|(name, access)| ((*name).to_owned(), *access))
        .collect()
}
