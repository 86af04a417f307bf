//! What people and channels are called. Two people with one name get their ids after it, so that a name stands for one
//! person. Nothing is asked here.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::message::Profile;

/// What names a person or a channel stands for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// People, by their ids.
    pub(crate) users: BTreeMap<String, String>,
    /// Channels, by their ids.
    pub(crate) channels: BTreeMap<String, String>,
}

/// A person, as Slack lists them in an export and in the answers of its API.
#[derive(Debug, Deserialize)]
pub(crate) struct Person {
    pub(crate) id: Option<String>,
    name: Option<String>,
    real_name: Option<String>,
    profile: Option<Profile>,
}

impl Person {
    /// What they are called; their id where nobody has said.
    fn called(&self, id: &str) -> String {
        let profile = self.profile.as_ref().and_then(Profile::name);
        profile
            .or_else(|| self.real_name.clone())
            .or_else(|| self.name.clone())
            .filter(|name| !name.trim().is_empty())
            .unwrap_or_else(|| id.to_owned())
    }
}

impl Names {
    /// The names of these people.
    pub(crate) fn of(people: impl IntoIterator<Item = Person>) -> Self {
        let mut names = Self::default();
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        for person in people {
            let Some(id) = person.id.clone() else { continue };
            let name = person.called(&id);
            *taken.entry(name.clone()).or_default() += 1;
            names.users.insert(id, name);
        }
        for (id, name) in &mut names.users {
            if taken.get(name).is_some_and(|count| *count > 1) {
                *name = format!("{name} ({id})");
            }
        }
        names
    }

    /// One more person. A name that somebody has already is theirs: the new one's gets the id after it.
    pub(crate) fn add(&mut self, person: Person) {
        let Some(id) = person.id.clone() else { return };
        let mut name = person.called(&id);
        if self.users.values().any(|known| *known == name) {
            name = format!("{name} ({id})");
        }
        self.users.insert(id, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_people_with_one_name_are_two() {
        let listed = r#"[
            { "id": "U1", "profile": { "display_name": "ann" } },
            { "id": "U2", "real_name": "ann" },
            { "id": "U3", "name": "bob" },
            { "id": "U4" },
            { "name": "nobody" }
        ]"#;
        let names = Names::of(serde_json::from_str::<Vec<Person>>(listed).unwrap());
        let called: Vec<&str> = names.users.values().map(String::as_str).collect();
        assert_eq!(called, ["ann (U1)", "ann (U2)", "bob", "U4"]);
    }
}
