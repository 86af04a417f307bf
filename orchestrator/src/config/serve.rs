//! How `loops serve` uses this machine: `serve`.

use serde::Deserialize;

use super::Problem;

/// Each run is a lead agent and its workers; more at once than this seldom end sooner.
const RUNS: usize = 4;
/// More runs at once than this are no limit.
const MOST: usize = 1_000;

/// What the service may do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serve {
    /// How many runs may be under way at once; the rest waits.
    pub runs: usize,
}

impl Default for Serve {
    fn default() -> Self {
        Self { runs: RUNS }
    }
}

/// The part of the file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    runs: Option<usize>,
}

impl File {
    /// Checks what is written and fills in the defaults.
    pub(super) fn resolve(self, problems: &mut Vec<Problem>) -> Serve {
        let runs = self.runs.unwrap_or(RUNS);
        if !(1..=MOST).contains(&runs) {
            let what = format!("`serve.runs` is {runs}; it must be 1 to {MOST} (`loops pause` stops a loop)");
            problems.push(Problem { at: None, what });
        }
        Serve { runs }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::Config, *};

    fn read(text: &str) -> Result<Serve, String> {
        Config::read(Path::new("loops.yaml"), text, Some("/s".into()), &|_| None)
            .map(|config| config.serve)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn four_runs_at_once_unless_something_else_is_written_that_can_be() {
        assert_eq!(read("").unwrap().runs, 4);
        assert_eq!(read("serve: { runs: 1 }").unwrap().runs, 1);
        for wrong in ["0", "1001", "-1", "many"] {
            assert!(read(&format!("serve: {{ runs: {wrong} }}")).is_err(), "{wrong}");
        }
        assert!(read("serve: { places: 2 }").unwrap_err().contains("places"));
    }
}
