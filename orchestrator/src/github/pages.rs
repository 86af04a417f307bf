//! Lists that come in pages. Something may be added or taken away while we read, so the same may come twice; it is
//! given once. Which lists there are is known elsewhere.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    GitHubError,
    ask::{Ask, To},
    call::Wire,
};

/// How many there are on a page: the most that GitHub gives.
pub(super) const PAGE: usize = 100;
/// A longer list is not read to its end.
const MAX_PAGES: usize = 50;

/// All of a list, in order. `of` is the key under which an answer holds it; none: the answer is the list.
pub(super) async fn all<T: DeserializeOwned>(
    wire: &Wire,
    ask: Ask,
    of: Option<&str>,
) -> Result<Vec<T>, GitHubError> {
    let doing = ask.doing.clone();
    let unexpected = |why: String| GitHubError::Unexpected {
        doing: doing.clone(),
        why,
    };
    let (mut seen, mut list) = (HashSet::new(), Vec::new());
    let mut ask = ask.query("per_page", PAGE);
    for _ in 0..MAX_PAGES {
        let answer = wire.call(&ask).await?;
        let mut page: Value = answer.json(&doing)?;
        let items = match of {
            None => page.take(),
            Some(key) => page.get_mut(key).map(Value::take).unwrap_or_default(),
        };
        let Value::Array(items) = items else {
            return Err(unexpected("it is not a list".to_owned()));
        };
        for item in items {
            let id = item.get("id").or_else(|| item.get("name")).map(Value::to_string);
            if id.is_none_or(|id| seen.insert(id)) {
                let read = serde_path_to_error::deserialize(item);
                list.push(read.map_err(|error| unexpected(super::answer::cut(&error.to_string())))?);
            }
        }
        match answer.next() {
            None => return Ok(list),
            Some(next) => ask.to = To::Address(next.to_owned()),
        }
    }
    Err(unexpected(format!("it has more than {MAX_PAGES} pages")))
}
