//! How much a finding matters: people before volume, lately before long ago. Every part of a score can be shown.

use serde::{Deserialize, Serialize};

/// A score and the parts that it is the sum of, so that "why is this first" has an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The sum of the parts. Larger is more pressing; the scale has no upper end.
    pub total: f64,
    /// Each part: what it is for (`people`, `volume`, `reactions`, `recency`), and what it adds.
    pub parts: Vec<(String, f64)>,
}
