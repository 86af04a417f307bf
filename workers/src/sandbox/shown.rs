//! What a sandbox is, as a person reads it: every folder with its rights, the network, the limits and how exactly each
//! holds. It is worked out from the same steps that the launcher follows, so that it cannot say something else.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    Policy, Sandbox, disk, landlock,
    plan::{self, Step},
    seccomp, steps,
};

/// A sandbox in words and figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// What holds it: `bubblewrap`, or `none`.
    pub sandbox: String,
    /// Who runs in it, on the host.
    pub user: String,
    /// What of the host is seen inside; there is nothing else.
    pub files: Vec<File>,
    /// What can be reached.
    pub network: Vec<String>,
    /// Names of the environment's variables; there are no others.
    pub environment: Vec<String>,
    /// The limits.
    pub limits: Vec<Limit>,
    /// System calls that are denied.
    pub denied_calls: Vec<String>,
    /// Folders in which the second wall (Landlock) allows to write; none: there is no second wall.
    pub second_wall: Vec<String>,
    /// What is limited only approximately, or not at all.
    pub caveats: Vec<String>,
}

/// A file or folder of the host that is seen inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where it is seen.
    pub path: PathBuf,
    /// Where it is on the host.
    pub from: PathBuf,
    /// Whether it can be written.
    pub writable: bool,
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Of what.
    pub of: String,
    /// The most, with its unit.
    pub most: String,
    /// What keeps it.
    pub by: String,
}

impl Sandbox {
    /// What a sandbox of this policy is on this machine. Nothing is made or started.
    #[must_use]
    pub fn show(&self, policy: &Policy) -> Shown {
        let caveats = self.caveats(policy);
        let Some(limits) = &policy.limits else {
            return Shown {
                sandbox: "none".into(),
                user: "the one who runs `loops`".into(),
                files: Vec::new(),
                network: vec!["everything".into()],
                environment: policy.env.keys().cloned().collect(),
                limits: Vec::new(),
                denied_calls: Vec::new(),
                second_wall: Vec::new(),
                caveats,
            };
        };
        let mark = policy.scratch.join("plans");
        let etc = [(policy.scratch.join("etc"), PathBuf::from("/etc"))];
        let steps = steps::steps(&self.host, policy, limits, &self.helper, &mark, &etc);
        let wall = landlock::support() != landlock::Support::None;
        Shown {
            sandbox: "bubblewrap".into(),
            user: match policy.uid() {
                Some(uid) => format!("{uid}, who owns nothing else and has no privileges"),
                None => "the one who runs `loops`, without privileges".into(),
            },
            files: files(&steps),
            network: match &policy.relay {
                Some(_) => vec![format!(
                    "the gateway, by `{}` and by port {} of the loopback address inside",
                    plan::GATEWAY_SOCKET,
                    super::PROXY_PORT
                )],
                None => Vec::new(),
            },
            environment: variables(&steps),
            limits: self.limits(limits),
            denied_calls: seccomp::denied(),
            second_wall: if wall {
                landlock::WRITABLE
                    .iter()
                    .map(|folder| (*folder).to_owned())
                    .collect()
            } else {
                Vec::new()
            },
            caveats,
        }
    }

    fn limits(&self, limits: &loops::spec::SandboxLimits) -> Vec<Limit> {
        let (memory, processors, processes) = match &self.groups {
            Ok(groups) => {
                let by = format!("a control group ({})", groups.version());
                (by.clone(), by.clone(), by)
            }
            Err(_) => (
                "looking, four times a second".to_owned(),
                "binding to some of them".to_owned(),
                "the kernel's limit for the user".to_owned(),
            ),
        };
        let each = "the kernel's limit for a process";
        let walking = "measuring, from time to time";
        [
            ("memory", limits.memory.to_string(), memory.as_str()),
            ("processors", limits.cpus.to_string(), &processors),
            ("processes", plan::PROCESSES.to_string(), &processes),
            ("open files", plan::OPEN_FILES.to_string(), each),
            ("one file", loops::spec::Bytes(plan::FILE_BYTES).to_string(), each),
            ("disk", limits.disk.to_string(), walking),
            ("files", disk::MOST_FILES.to_string(), walking),
        ]
        .map(|(of, most, by)| Limit {
            of: of.into(),
            most,
            by: by.into(),
        })
        .into()
    }
}

fn files(steps: &[Step]) -> Vec<File> {
    let binds = steps.iter().filter_map(|step| match step {
        Step::Bind {
            source,
            target,
            writable,
        } => Some(File {
            path: target.clone(),
            from: source.clone(),
            // The mark that a sandbox is up is a file of one word; the second wall closes it before anything runs.
            writable: *writable && target != Path::new(plan::BEGUN),
        }),
        Step::Layered {
            layers,
            target,
            writable,
            ..
        } => Some(File {
            path: target.clone(),
            from: layers.writes.clone(),
            writable: *writable,
        }),
        Step::Tell(_) => None,
    });
    binds.chain(below(steps)).collect()
}

/// The shared folders that lie below what a workspace writes.
fn below(steps: &[Step]) -> impl Iterator<Item = File> {
    steps.iter().flat_map(|step| {
        let (lower, target) = match step {
            Step::Layered { layers, target, .. } => (layers.lower.as_slice(), target.as_path()),
            Step::Bind { .. } | Step::Tell(_) => (&[][..], Path::new("")),
        };
        lower.iter().map(|from| File {
            path: target.to_owned(),
            from: from.clone(),
            writable: false,
        })
    })
}

fn variables(steps: &[Step]) -> Vec<String> {
    let names = steps.iter().filter_map(|step| match step {
        Step::Tell(words) => match words.as_slice() {
            [option, name, _] if option == "--setenv" => Some(name.to_string_lossy().into_owned()),
            _ => None,
        },
        Step::Bind { .. } | Step::Layered { .. } => None,
    });
    names.collect()
}
