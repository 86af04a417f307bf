//! Where a monitor finds figures: `metrics`. They name loops and say what is spent, so they have an address of their own.

use std::net::SocketAddr;

use serde::Deserialize;

use super::Problem;

/// The part of the file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    listen: Option<String>,
}

impl File {
    /// The address; none: nobody asks.
    pub(super) fn resolve(self, problems: &mut Vec<Problem>) -> Option<SocketAddr> {
        let text = self.listen?;
        text.parse().ok().or_else(|| {
            let what = format!(
                "`metrics.listen`: `{}` is no address with a port, like `127.0.0.1:9464`",
                text.escape_debug()
            );
            problems.push(Problem { at: None, what });
            None
        })
    }
}
