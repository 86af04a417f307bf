//! Says under a pull request that it is going to be closed.

use loops::screen::clean::{self, Allowed};

use super::{Sending, Tried};
use crate::{engine::EngineError, store::pulls};

impl Sending<'_> {
    pub(super) async fn warn(&self, words: &str) -> Result<Tried, EngineError> {
        let Some(row) = pulls::get(&self.home.store, self.proposal.id).await? else {
            return Ok(Tried::NotYet);
        };
        let marker = format!("<!-- loops:{} -->", self.key);
        if self.repository.find_comment(row.number, &marker).await?.is_none() {
            let words = clean::inline(&self.held(words).await?, &Allowed::default());
            self.repository
                .comment(row.number, &format!("{words}\n\n{marker}"))
                .await?;
        }
        self.done().await?.commit().await?;
        Ok(Tried::Done)
    }
}
