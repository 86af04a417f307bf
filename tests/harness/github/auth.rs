//! Who asks, and whether they may: credentials, visibility, permissions, roles and limits.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::Value;

use super::{
    answer::Refusal,
    people::{Access, Actor, Holder, Need, Permissions, Role, Selection},
    world::World,
};

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

impl World {
    /// Reads an `Authorization` header: `Bearer`, `token`, or `Basic` with the token as its password.
    pub(super) fn actor(&mut self, header: Option<&str>) -> Result<Actor, Refusal> {
        let bad = || Refusal::new(401, "Bad credentials");
        let Some(header) = header else {
            return Ok(Actor::Nobody);
        };
        let (scheme, rest) = header.split_once(' ').ok_or_else(bad)?;
        let text = match scheme.to_ascii_lowercase().as_str() {
            "bearer" | "token" => rest.trim().to_owned(),
            "basic" => {
                let pair = STANDARD
                    .decode(rest.trim())
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok());
                let pair = pair.ok_or_else(bad)?;
                pair.split_once(':')
                    .map(|(_, password)| password.to_owned())
                    .ok_or_else(bad)?
            }
            _ => return Err(bad()),
        };
        if text.starts_with("eyJ") {
            return self.app_of(&text).map(Actor::App);
        }
        let now = self.now;
        let token = self
            .tokens
            .iter()
            .find(|token| token.text == text)
            .ok_or_else(bad)?;
        if token.expires.is_some_and(|expires| expires <= now) {
            return Err(bad());
        }
        let login = self.login_of(&token.holder);
        Ok(Actor::Token { text, login })
    }

    /// The App whose key signed a JWT that is good now.
    fn app_of(&self, jwt: &str) -> Result<u64, Refusal> {
        let refuse = |message: &str| Err(Refusal::new(401, message));
        let mut rules = Validation::new(Algorithm::RS256);
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        let signed = self.apps.iter().find_map(|app| {
            let key = DecodingKey::from_rsa_pem(app.public_key.as_bytes()).ok()?;
            let claims = decode::<Value>(jwt, &key, &rules).ok()?.claims;
            let issuer = claims["iss"]
                .as_u64()
                .or_else(|| claims["iss"].as_str()?.parse().ok());
            (issuer == Some(app.id)).then_some((app.id, claims))
        });
        let Some((app, claims)) = signed else {
            return refuse("A JSON web token could not be decoded");
        };
        let now = self.now / 1_000;
        let (Some(issued), Some(expires)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else {
            return refuse("A JSON web token could not be decoded");
        };
        if !self.check_jwt_times {
            return Ok(app);
        }
        if issued > now + 60 {
            return refuse(
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
            );
        }
        if expires <= now {
            return refuse(
                "'Expiration time' claim ('exp') must be a numeric value representing the future time",
            );
        }
        if expires > now + 660 {
            return refuse("'Expiration time' claim ('exp') is too far in the future");
        }
        Ok(app)
    }

    pub(super) fn holder(&self, actor: &Actor) -> Option<&Holder> {
        let Actor::Token { text, .. } = actor else {
            return None;
        };
        self.tokens
            .iter()
            .find(|token| token.text == *text)
            .map(|token| &token.holder)
    }

    /// Whether a token's own list holds the repository, and with which permissions; classic ones have no such list.
    pub(super) fn selected(&self, holder: &Holder, at: usize) -> Option<Permissions> {
        let repository = &self.repositories[at];
        let name = repository.full_name();
        let within = |selection: &Selection| match selection {
            Selection::All => true,
            Selection::Only(names) => names.contains(&name),
        };
        match holder {
            Holder::Classic { .. } => None,
            Holder::FineGrained {
                owner,
                selection,
                permissions,
                ..
            } => (*owner == repository.owner && within(selection)).then(|| permissions.clone()),
            Holder::Installation {
                installation,
                selection,
                permissions,
            } => {
                let whole = self.installations.iter().find(|one| one.id == *installation)?;
                let reached =
                    whole.owner == repository.owner && within(&whole.selection) && within(selection);
                (reached && !whole.suspended).then(|| permissions.clone())
            }
        }
    }

    pub(super) fn sees(&self, actor: &Actor, at: usize) -> bool {
        let repository = &self.repositories[at];
        let has_role = || self.role(at, actor.login()).is_some();
        match (actor, self.holder(actor)) {
            (Actor::App(_), _) => true,
            (_, None) => false,
            _ if !repository.private => true,
            (_, Some(Holder::Classic { scopes, .. })) => has_role() && scopes.iter().any(|one| one == "repo"),
            (_, Some(holder @ Holder::FineGrained { .. })) => {
                has_role() && self.selected(holder, at).is_some()
            }
            (_, Some(holder @ Holder::Installation { .. })) => self.selected(holder, at).is_some(),
        }
    }

    /// Whether somebody may do what needs this.
    pub(super) fn allow(&self, actor: &Actor, at: usize, need: &Need) -> Result<(), Refusal> {
        if !self.sees(actor, at) {
            return Err(Refusal::not_found());
        }
        let repository = &self.repositories[at];
        if need.writes() && repository.archived {
            return Err(Refusal::new(403, "Repository was archived so is read-only."));
        }
        let Some(holder) = self.holder(actor) else {
            return Ok(());
        };
        let role = self.role(at, actor.login());
        let lacking = || match need.role {
            Role::Admin => Err(Refusal::not_found()),
            role => Err(Refusal::new(
                403,
                format!("Must have {} access to repository.", role.name()),
            )),
        };
        // Everybody reads what is public.
        let enough = role.max((!repository.private).then_some(Role::Read)) >= Some(need.role);
        let by = match holder {
            Holder::Classic { scopes, .. } => {
                let wide = if repository.private {
                    &["repo"][..]
                } else {
                    &["repo", "public_repo"]
                };
                if need.writes() && !scopes.iter().any(|scope| wide.contains(&scope.as_str())) {
                    return Err(Refusal::not_found());
                }
                return if enough { Ok(()) } else { lacking() };
            }
            Holder::FineGrained { .. } if !enough => return lacking(),
            Holder::FineGrained { .. } => "personal access token",
            Holder::Installation { .. } => "integration",
        };
        let permissions = self.selected(holder, at).unwrap_or_default();
        let open = |access: Access| access == Access::Read && !repository.private && need.role == Role::Read;
        let granted = need.permissions.iter().any(|(name, access)| {
            *name == "metadata" || open(*access) || permissions.get(*name).is_some_and(|has| has >= access)
        });
        if granted {
            return Ok(());
        }
        let refusal = Refusal::new(403, format!("Resource not accessible by {by}"));
        Err(refusal.with("x-accepted-github-permissions", need.header()))
    }

    // --- limits ---------------------------------------------------------------------------------------------------

    /// Whether the hour's requests are used up; begins a new hour where one is over.
    pub(super) fn within_limit(&mut self, actor: &Actor) -> Result<(), Refusal> {
        let Actor::Token { text, login } = actor else {
            return Ok(());
        };
        let now = self.now;
        let token = self.token(text);
        if token.resets <= now {
            token.used = 0;
            token.resets = now + HOUR;
        }
        if token.used < token.limit {
            return Ok(());
        }
        Err(Refusal::new(403, format!("API rate limit exceeded for {login}.")))
    }

    /// Whether a token may make more content now; counts it.
    pub(super) fn within_content_limit(&mut self, actor: &Actor) -> Result<(), Refusal> {
        let Actor::Token { text, .. } = actor else {
            return Ok(());
        };
        let (now, (a_minute, an_hour)) = (self.now, self.content_limits);
        let token = self.token(text);
        token.wrote.retain(|at| at + HOUR > now);
        let lately = token.wrote.iter().filter(|at| *at + MINUTE > now).count();
        if lately >= a_minute || token.wrote.len() >= an_hour {
            return Err(secondary(Some(60)));
        }
        token.wrote.push(now);
        Ok(())
    }
}

pub(super) fn secondary(retry_after: Option<u64>) -> Refusal {
    let refusal = Refusal::new(
        403,
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
    );
    match retry_after {
        Some(seconds) => refusal.with("retry-after", seconds.to_string()),
        None => refusal,
    }
}
