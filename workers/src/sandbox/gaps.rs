//! What this machine's sandboxes hold and what they do not, said beforehand: for `doctor`, and for all that was made in
//! one. It judges nothing; a gap that a loop does not accept is refused where the sandbox is started.

use std::{collections::BTreeMap, time::Duration};

use loops::spec::SandboxLimits;

use super::{Policy, Sandbox, SandboxError, container::Program, landlock};

impl Sandbox {
    /// Whether limits are kept by control groups here; else why not.
    ///
    /// # Errors
    /// In words for a person.
    pub fn exact_limits(&self) -> Result<&'static str, &str> {
        self.groups
            .as_ref()
            .map(|groups| groups.version())
            .map_err(String::as_str)
    }

    /// What the second wall is on this kernel.
    ///
    /// # Errors
    /// In words for a person, if there is none.
    pub fn second_wall(&self) -> Result<String, &'static str> {
        match landlock::support() {
            landlock::Support::Full => Ok("a second wall stands inside".to_owned()),
            landlock::Support::Partial(version) => Ok(format!(
                "a second wall stands inside, of an older form (version {version})"
            )),
            landlock::Support::None => Err("this kernel has no second wall"),
        }
    }

    /// The container engine that these limits would be run by, and whether it has the image; none without an image.
    ///
    /// # Errors
    /// In words for a person, with the way to mend it: there is no engine, it does not answer, or it has no such image.
    pub async fn engine(&self, limits: &SandboxLimits) -> Option<Result<&'static str, SandboxError>> {
        let image = limits.image.as_ref()?;
        let look = async {
            let program = Program::find(&self.host, limits.engine)?;
            program.has(image).await.map(|()| program.as_str())
        };
        Some(look.await)
    }

    /// Checks that a sandbox with these limits comes up on this machine, by running `true` in one.
    ///
    /// # Errors
    /// If it does not; the message says how to mend that.
    pub async fn check(&self, limits: &SandboxLimits) -> Result<(), SandboxError> {
        let scratch = tempfile::tempdir().map_err(SandboxError::file(&std::env::temp_dir()))?;
        let workspace = scratch.path().join("workspace");
        std::fs::create_dir(&workspace).map_err(SandboxError::file(&workspace))?;
        let policy = Policy {
            workspace,
            layers: None,
            writable: true,
            mirror_objects: None,
            relay: None,
            limits: Some(limits.clone()),
            scratch: scratch.path().to_owned(),
            env: BTreeMap::new(),
        };
        let ran = self.run(&policy, "true", Duration::from_secs(20), 4096).await?;
        if ran.exit_code == Some(0) {
            Ok(())
        } else {
            Err(SandboxError::Setup(ran.output))
        }
    }

    /// What this sandbox limits only approximately, or not at all, in sentences for a person.
    #[must_use]
    pub fn caveats(&self, policy: &Policy) -> Vec<String> {
        let Some(limits) = &policy.limits else {
            return vec!["NO SANDBOX: commands ran as you, with your files and your network, because the loop says `sandbox: none`".into()];
        };
        let mut all = Vec::new();
        if limits.image.is_some() {
            all.push("files outside of the mounts, memory and processors are held by the container engine, not by us".into());
        }
        if let Err(why) = self.groups.as_ref().map_err(|why| why.as_str())
            && limits.image.is_none()
        {
            all.push(format!(
                "memory (`{}`) is limited by looking at it every quarter of a second, not by a control group: {why}",
                limits.memory
            ));
            all.push(format!(
                "processors (`{}`) are limited by binding to so many of them",
                limits.cpus
            ));
        }
        all.push(format!(
            "disk use (`{}`) is limited by measuring it from time to time",
            limits.disk
        ));
        match landlock::support() {
            landlock::Support::Full => {}
            landlock::Support::Partial(version) => all.push(format!(
                "the second wall (Landlock) is of an older form here, version {version}"
            )),
            landlock::Support::None => all.push("this kernel has no second wall (Landlock)".into()),
        }
        if limits.image.is_none() && self.bwrap.as_ref().is_some_and(|bwrap| !bwrap.forbids_namespaces) {
            all.push(
                "bubblewrap is older than 0.8: processes inside can make namespaces of their own".into(),
            );
        }
        all
    }
}
