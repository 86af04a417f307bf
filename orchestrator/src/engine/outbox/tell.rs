//! A word under somebody's issue, said once: it holds a hidden marker, by which it is found before it is said again.

use super::Tried;
use crate::{
    clock,
    engine::{EngineError, Home, Place},
    github::GitHubError,
    store::outbox,
};

/// Says it; none: there is no login for that repository any more.
pub(super) async fn tell(
    home: &Home,
    key: &str,
    repository: &str,
    number: u64,
    words: &str,
) -> Result<Option<Tried>, EngineError> {
    let Some(there) = home.on_github(&Place::parse(repository))? else {
        return Ok(None);
    };
    let marker = format!("<!-- loops:{key} -->");
    let said = match there.find_comment(number, &marker).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => there
            .comment(number, &format!("{words}\n\n{marker}\n"))
            .await
            .map(drop),
        Err(error) => Err(error),
    };
    match said {
        // Taken away, moved elsewhere, or locked since: nobody waits for a word there.
        Err(
            error @ (GitHubError::NotFound { .. } | GitHubError::Gone { .. } | GitHubError::Forbidden { .. }),
        ) => {
            return Ok(Some(Tried::GivenUp(error.to_string())));
        }
        said => said?,
    }
    let mut tx = home.store.begin().await?;
    outbox::done(&mut tx, key, clock::now()).await?;
    tx.commit().await?;
    Ok(Some(Tried::Done))
}
