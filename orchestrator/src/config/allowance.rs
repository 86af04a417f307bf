//! What the operator lets the loops of one repository use: `github.limits`. What is not written is what a loop has that
//! says nothing about it.

use loops::spec::{Allowance, Bytes, Dollars};
use serde::Deserialize;

use super::Problem;

/// The part of the file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    day: Option<Dollars>,
    run: Option<Dollars>,
    memory: Option<Bytes>,
    disk: Option<Bytes>,
    cpus: Option<u32>,
    parallel: Option<u32>,
    network: Vec<String>,
}

impl File {
    /// Fills in what is not written.
    pub(super) fn resolve(self, problems: &mut Vec<Problem>) -> Allowance {
        let usual = Allowance::default();
        let day = self.day.unwrap_or(usual.day);
        let run = self.run.unwrap_or(usual.run.min(day));
        if run > day {
            let what = format!("`github.limits`: a run may spend {run}, more than the whole day ({day})");
            problems.push(Problem { at: None, what });
        }
        for host in self.network.iter().filter(|host| !loops::spec::is_host(host)) {
            let what = format!(
                "`github.limits.network`: `{}` is no host's name, like `registry.example.com` or `*.example.com:8443`",
                host.escape_debug()
            );
            problems.push(Problem { at: None, what });
        }
        Allowance {
            day,
            run,
            memory: self.memory.unwrap_or(usual.memory),
            disk: self.disk.unwrap_or(usual.disk),
            cpus: self.cpus.unwrap_or(usual.cpus),
            parallel: self.parallel.unwrap_or(usual.parallel),
            network: self.network,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::Config, *};

    fn read(text: &str) -> Result<Allowance, String> {
        Config::read(Path::new("loops.yaml"), text, Some("/s".into()), &|_| None)
            .map(|config| config.github.limits)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_written_is_as_a_loop_that_says_nothing_has_it() {
        assert_eq!(read("").unwrap(), Allowance::default());
        let tight = read("github: { limits: { day: 4 USD, cpus: 1 } }").unwrap();
        assert_eq!(
            (tight.day.to_string(), tight.run.to_string()),
            ("4 USD".into(), "4 USD".into())
        );
        assert_eq!((tight.cpus, tight.memory), (1, Allowance::default().memory));
    }

    #[test]
    fn limits_that_cannot_be_are_told() {
        let told = read("github: { limits: { day: 4 USD, run: 5 USD } }").unwrap_err();
        assert!(told.contains("more than the whole day"), "{told}");
        let told = read("github: { limits: { network: ['https://a.example'] } }").unwrap_err();
        assert!(told.contains("is no host's name"), "{told}");
        assert!(read("github: { limits: { day: much } }").is_err());
        assert!(read("github: { limits: { week: 4 USD } }").is_err());
    }
}
