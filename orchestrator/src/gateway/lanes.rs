//! How many calls to a model run at once, over all attempts: first come, first served.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Models;

/// One lane a model.
#[derive(Debug)]
pub(super) struct Lanes(BTreeMap<String, Arc<Semaphore>>);

impl Lanes {
    pub(super) fn new(models: &Models) -> Self {
        let lane = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self(
            models
                .known
                .iter()
                .map(|(name, model)| (name.clone(), lane(model.max_concurrent)))
                .collect(),
        )
    }

    /// Waits for a place. A place is given back when the permit is dropped; none: the model has no lane, because
    /// nothing is known of it.
    pub(super) async fn enter(&self, model: &str) -> Option<OwnedSemaphorePermit> {
        Arc::clone(self.0.get(model)?).acquire_owned().await.ok()
    }
}
