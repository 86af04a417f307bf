//! How GitHub writes accounts, repositories, issues and comments as JSON.
//!
//! Only shapes: nothing here changes the world.

use serde_json::{Map, Value, json};

use super::{
    people::{Kind, Permissions},
    things::Reaction,
    world::World,
};

const REACTIONS: [&str; 8] = [
    "+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket",
];

/// A time of the hub's clock as GitHub writes it: whole seconds, in UTC.
pub(super) fn time(at: i64) -> String {
    let (days, seconds) = (at.div_euclid(86_400_000), at.div_euclid(1_000).rem_euclid(86_400));
    // Days to a date of the Gregorian calendar: Howard Hinnant's `civil_from_days`.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (
        doy - (153 * mp + 2) / 5 + 1,
        if mp < 10 { mp + 3 } else { mp - 9 },
    );
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// An ISO time of ours as HTTP writes it (RFC 9110, IMF-fixdate).
pub(super) fn http_date(iso: &str) -> String {
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let number = |range| {
        iso.get(range)
            .and_then(|digits: &str| digits.parse::<usize>().ok())
            .unwrap_or_default()
    };
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Sakamoto's rule for the day of the week.
    let shift = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    let y = if month < 3 { year.saturating_sub(1) } else { year };
    let weekday = (y + y / 4 - y / 100 + y / 400 + shift[month.max(1) - 1] + day) % 7;
    let clock = iso.get(11..19).unwrap_or("00:00:00");
    format!(
        "{}, {day:02} {} {year:04} {clock} GMT",
        days[weekday],
        months[month.max(1) - 1]
    )
}

/// A time or null.
pub(super) fn maybe_time(at: Option<i64>) -> Value {
    at.map_or(Value::Null, |at| json!(time(at)))
}

pub(super) fn node(kind: &str, id: u64) -> String {
    format!("{kind}_{id}")
}

impl World {
    /// An account, also one that is not there any more.
    pub(super) fn user_json(&self, login: &str) -> Value {
        let (login, id, kind) = match self.accounts.get(login) {
            Some(account) => (account.login.as_str(), account.id, account.kind),
            None if login.ends_with("[bot]") => (login, 2, Kind::Bot),
            None => ("ghost", 1, Kind::User),
        };
        let url = format!("{}/users/{login}", self.api).replace(['[', ']'], "");
        json!({
            "login": login,
            "id": id,
            "node_id": node("U", id),
            "avatar_url": format!("{}/avatars/{id}", self.base),
            "gravatar_id": "",
            "url": url,
            "html_url": format!("{}/{login}", self.base).replace(['[', ']'], ""),
            "followers_url": format!("{url}/followers"),
            "following_url": format!("{url}/following{{/other_user}}"),
            "gists_url": format!("{url}/gists{{/gist_id}}"),
            "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
            "subscriptions_url": format!("{url}/subscriptions"),
            "organizations_url": format!("{url}/orgs"),
            "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events{{/privacy}}"),
            "received_events_url": format!("{url}/received_events"),
            "type": kind.name(),
            "site_admin": false,
        })
    }

    pub(super) fn repo_url(&self, at: usize) -> String {
        format!("{}/repos/{}", self.api, self.repositories[at].full_name())
    }

    pub(super) fn page_url(&self, at: usize) -> String {
        format!("{}/{}", self.base, self.repositories[at].full_name())
    }

    pub(super) fn author_association(&self, at: usize, login: &str) -> &'static str {
        let repository = &self.repositories[at];
        if repository.owner == login {
            return "OWNER";
        }
        let prefix = format!("{}/", repository.owner);
        let member = self
            .teams
            .iter()
            .any(|(team, members)| team.starts_with(&prefix) && members.contains(login));
        match (member, self.role(at, login)) {
            (true, _) => "MEMBER",
            (false, Some(_)) => "COLLABORATOR",
            (false, None) => "NONE",
        }
    }

    /// What every form of a repository has.
    pub(super) fn repo_json(&self, at: usize) -> Value {
        let repository = &self.repositories[at];
        let (url, page) = (self.repo_url(at), self.page_url(at));
        let open = repository.issues.values().filter(|issue| issue.open).count();
        let mut json = json!({
            "id": repository.id,
            "node_id": node("R", repository.id),
            "name": repository.name,
            "full_name": repository.full_name(),
            "owner": self.user_json(&repository.owner),
            "private": repository.private,
            "visibility": if repository.private { "private" } else { "public" },
            "html_url": page,
            "description": null,
            "fork": false,
            "url": url,
            "git_url": format!("{}/{}.git", self.base.replace("http://", "git://"), repository.full_name()),
            "ssh_url": format!("git@github.com:{}.git", repository.full_name()),
            "clone_url": format!("{page}.git"),
            "svn_url": page,
            "mirror_url": null,
            "homepage": null,
            "language": null,
            "license": null,
            "forks": 0,
            "forks_count": 0,
            "stargazers_count": 0,
            "watchers": 0,
            "watchers_count": 0,
            "size": 1,
            "default_branch": repository.default_branch,
            "open_issues": open,
            "open_issues_count": open,
            "has_issues": repository.has_issues,
            "has_projects": false,
            "has_wiki": false,
            "has_pages": false,
            "has_discussions": false,
            "has_downloads": false,
            "archived": repository.archived,
            "disabled": false,
            "is_template": false,
            "topics": [],
            "allow_forking": true,
            "web_commit_signoff_required": false,
            "pushed_at": time(repository.pushed),
            "created_at": time(repository.created),
            "updated_at": time(repository.pushed),
        });
        for (name, rest) in [
            ("archive", "/{archive_format}{/ref}"),
            ("assignees", "/assignees{/user}"),
            ("blobs", "/git/blobs{/sha}"),
            ("branches", "/branches{/branch}"),
            ("collaborators", "/collaborators{/collaborator}"),
            ("comments", "/comments{/number}"),
            ("commits", "/commits{/sha}"),
            ("compare", "/compare/{base}...{head}"),
            ("contents", "/contents/{+path}"),
            ("contributors", "/contributors"),
            ("deployments", "/deployments"),
            ("downloads", "/downloads"),
            ("events", "/events"),
            ("forks", "/forks"),
            ("git_commits", "/git/commits{/sha}"),
            ("git_refs", "/git/refs{/sha}"),
            ("git_tags", "/git/tags{/sha}"),
            ("hooks", "/hooks"),
            ("issue_comment", "/issues/comments{/number}"),
            ("issue_events", "/issues/events{/number}"),
            ("issues", "/issues{/number}"),
            ("keys", "/keys{/key_id}"),
            ("labels", "/labels{/name}"),
            ("languages", "/languages"),
            ("merges", "/merges"),
            ("milestones", "/milestones{/number}"),
            ("notifications", "/notifications{?since,all,participating}"),
            ("pulls", "/pulls{/number}"),
            ("releases", "/releases{/id}"),
            ("stargazers", "/stargazers"),
            ("statuses", "/statuses/{sha}"),
            ("subscribers", "/subscribers"),
            ("subscription", "/subscription"),
            ("tags", "/tags"),
            ("teams", "/teams"),
            ("trees", "/git/trees{/sha}"),
        ] {
            json[format!("{name}_url")] = json!(format!("{url}{rest}"));
        }
        json
    }

    pub(super) fn label_json(&self, at: usize, name: &str) -> Value {
        let Some(label) = self.find_label(at, name) else {
            return Value::Null;
        };
        let escaped = label
            .name
            .replace('%', "%25")
            .replace(' ', "%20")
            .replace('/', "%2F");
        let default = ["bug", "enhancement"].contains(&label.name.as_str());
        json!({
            "id": label.id,
            "node_id": node("LA", label.id),
            "url": format!("{}/labels/{escaped}", self.repo_url(at)),
            "name": label.name,
            "color": label.color,
            "default": default,
            "description": label.description.as_deref().unwrap_or_default(),
        })
    }

    pub(super) fn labels_json(&self, at: usize, number: u64) -> Vec<Value> {
        let labels = &self.repositories[at].issues[&number].labels;
        labels.iter().map(|name| self.label_json(at, name)).collect()
    }

    fn reactions_json(url: &str, reactions: &[Reaction]) -> Value {
        let mut json = json!({ "url": format!("{url}/reactions"), "total_count": reactions.len() });
        for content in REACTIONS {
            json[content] = json!(reactions.iter().filter(|one| one.content == content).count());
        }
        json
    }

    pub(super) fn reaction_json(&self, reaction: &Reaction) -> Value {
        json!({
            "id": reaction.id,
            "node_id": node("REA", reaction.id),
            "user": self.user_json(&reaction.user),
            "content": reaction.content,
            "created_at": time(reaction.at),
        })
    }

    pub(super) fn issue_json(&self, at: usize, number: u64) -> Value {
        let repository = &self.repositories[at];
        let issue = &repository.issues[&number];
        let (api, page) = (self.repo_url(at), self.page_url(at));
        let url = format!("{api}/issues/{number}");
        let kind = if issue.pull.is_some() { "pull" } else { "issues" };
        let comments = repository
            .comments
            .values()
            .filter(|comment| comment.issue == number)
            .count();
        let assignees: Vec<Value> = issue
            .assignees
            .iter()
            .map(|login| self.user_json(login))
            .collect();
        let mut json = json!({
            "id": issue.id,
            "node_id": node(if issue.pull.is_some() { "PR" } else { "I" }, issue.id),
            "url": url,
            "repository_url": api,
            "labels_url": format!("{url}/labels{{/name}}"),
            "comments_url": format!("{url}/comments"),
            "events_url": format!("{url}/events"),
            "html_url": format!("{page}/{kind}/{number}"),
            "number": number,
            "state": if issue.open { "open" } else { "closed" },
            "state_reason": issue.reason,
            "title": issue.title,
            "body": issue.body,
            "user": self.user_json(&issue.author),
            "labels": self.labels_json(at, number),
            "assignee": assignees.first(),
            "assignees": assignees,
            "milestone": null,
            "locked": issue.locked,
            "active_lock_reason": null,
            "comments": comments,
            "closed_at": maybe_time(issue.closed),
            "created_at": time(issue.created),
            "updated_at": time(issue.updated),
            "author_association": self.author_association(at, &issue.author),
            "reactions": Self::reactions_json(&url, &issue.reactions),
            "performed_via_github_app": null,
        });
        if let Some(pull) = &issue.pull {
            json["draft"] = json!(pull.draft);
            json["pull_request"] = json!({
                "url": format!("{api}/pulls/{number}"),
                "html_url": format!("{page}/pull/{number}"),
                "diff_url": format!("{page}/pull/{number}.diff"),
                "patch_url": format!("{page}/pull/{number}.patch"),
                "merged_at": maybe_time(pull.merged.as_ref().map(|merged| merged.0)),
            });
        }
        json
    }

    /// One issue alone has who closed it, too.
    pub(super) fn issue_alone_json(&self, at: usize, number: u64) -> Value {
        let mut json = self.issue_json(at, number);
        let by = &self.repositories[at].issues[&number].closed_by;
        json["closed_by"] = by.as_ref().map_or(Value::Null, |login| self.user_json(login));
        json
    }

    pub(super) fn comment_json(&self, at: usize, id: u64) -> Value {
        let repository = &self.repositories[at];
        let comment = &repository.comments[&id];
        let issue = comment.issue;
        let url = format!("{}/issues/comments/{id}", self.repo_url(at));
        let is_pull = repository
            .issues
            .get(&issue)
            .is_some_and(|issue| issue.pull.is_some());
        let kind = if is_pull { "pull" } else { "issues" };
        json!({
            "id": id,
            "node_id": node("IC", id),
            "url": url,
            "html_url": format!("{}/{kind}/{issue}#issuecomment-{id}", self.page_url(at)),
            "issue_url": format!("{}/issues/{issue}", self.repo_url(at)),
            "body": comment.body,
            "user": self.user_json(&comment.author),
            "author_association": self.author_association(at, &comment.author),
            "reactions": Self::reactions_json(&url, &comment.reactions),
            "performed_via_github_app": null,
            "created_at": time(comment.created),
            "updated_at": time(comment.updated),
        })
    }

    // --- Apps -----------------------------------------------------------------------------------------------------

    pub(super) fn app_json(&self, id: u64) -> Value {
        let Some(app) = self.apps.iter().find(|app| app.id == id) else {
            return Value::Null;
        };
        json!({
            "id": app.id,
            "client_id": format!("Iv1.{:016x}", app.id),
            "slug": app.slug,
            "node_id": node("A", app.id),
            "owner": self.user_json(&app.owner),
            "name": app.slug,
            "description": "",
            "external_url": "https://example.com",
            "html_url": format!("{}/apps/{}", self.base, app.slug),
            "created_at": time(self.repositories.first().map_or(0, |first| first.created)),
            "updated_at": time(self.repositories.first().map_or(0, |first| first.created)),
            "permissions": {},
            "events": [],
            "installations_count": self.installations.iter().filter(|one| one.app == id).count(),
        })
    }

    pub(super) fn installation_json(&self, id: u64) -> Value {
        let Some(one) = self.installations.iter().find(|one| one.id == id) else {
            return Value::Null;
        };
        let slug = self
            .apps
            .iter()
            .find(|app| app.id == one.app)
            .map(|app| app.slug.clone());
        let account = self.user_json(&one.owner);
        let selection = match one.selection {
            super::people::Selection::All => "all",
            super::people::Selection::Only(_) => "selected",
        };
        json!({
            "id": id,
            "account": account,
            "repository_selection": selection,
            "access_tokens_url": format!("{}/app/installations/{id}/access_tokens", self.api),
            "repositories_url": format!("{}/installation/repositories", self.api),
            "html_url": format!("{}/settings/installations/{id}", self.base),
            "app_id": one.app,
            "app_slug": slug,
            "target_id": account["id"],
            "target_type": account["type"],
            "permissions": permissions_json(&one.permissions),
            "events": [],
            "created_at": time(one.created),
            "updated_at": time(one.created),
            "single_file_name": null,
            "has_multiple_single_files": false,
            "single_file_paths": [],
            "suspended_by": null,
            "suspended_at": one.suspended.then(|| time(one.created)),
        })
    }
}

pub(super) fn permissions_json(permissions: &Permissions) -> Value {
    let map: Map<String, Value> = permissions
        .iter()
        .map(|(name, access)| (name.clone(), json!(access.name())))
        .collect();
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use super::{http_date, time};

    #[test]
    fn times_are_written_as_calendars_have_them() {
        assert_eq!(time(super::super::START), "2026-03-02T09:00:00Z");
        assert_eq!(time(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(http_date("2026-03-02T09:00:00Z"), "Mon, 02 Mar 2026 09:00:00 GMT");
        assert_eq!(http_date("1994-11-06T08:49:37Z"), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
