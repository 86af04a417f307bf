//! Whether a sandbox comes up here, how workspaces share their base's files in it, and how its limits hold.

use std::path::Path;

use loops::spec::{LoopSpec, Sandbox as Choice, SandboxLimits};
use workers::sandbox::Sandbox;

use super::Look;

/// Starts a real sandbox: whether one comes up depends on the kernel, its settings and bubblewrap together.
pub(super) async fn sandbox(state: Option<&Path>) -> Vec<Look> {
    let missing = |found: String, mend: &str| vec![Look::missing("sandbox", found, mend)];
    let helper = match std::env::current_exe() {
        Ok(helper) => helper,
        Err(error) => return missing(error.to_string(), "start `loops` by its full path"),
    };
    let found = match Sandbox::find(helper) {
        Ok(found) => found,
        Err(error) => return missing(error.to_string(), "install bubblewrap"),
    };
    let first = match found.check(&SandboxLimits::default()).await {
        Ok(()) => Look::found(
            "sandbox",
            "bubblewrap started one, with its system calls filtered",
        ),
        Err(error) => return missing(error.to_string(), &namespaces(&kernel_setting)),
    };
    let wall = match found.second_wall() {
        Ok(words) => Look::found("landlock", words),
        Err(why) => Look::absent(
            "landlock",
            why,
            Some("a kernel of 5.13 or later, with `lsm=landlock,…` if it has none"),
        ),
    };
    vec![
        first,
        wall,
        layers(&found, state).await,
        limits(found.exact_limits()),
    ]
}

/// The container engine of each loop that names an image, and whether it has that.
pub(super) async fn engines(loops: &[LoopSpec]) -> Vec<Look> {
    let mut looks = Vec::new();
    let Ok(helper) = std::env::current_exe() else {
        return looks;
    };
    let sandbox = Sandbox::without(helper);
    for spec in loops {
        let Choice::Limits(limits) = &spec.sandbox else {
            continue;
        };
        let name = "container";
        match (sandbox.engine(limits).await, &limits.image) {
            (Some(Ok(engine)), Some(image)) => {
                looks.push(Look::found(
                    name,
                    format!("{engine} has `{image}`, for `{}`", spec.name),
                ));
            }
            (Some(Err(error)), _) => looks.push(Look::missing(
                name,
                error.to_string(),
                &format!("needed by the loop `{}`, which names an image", spec.name),
            )),
            _ => {}
        }
    }
    looks
}

/// Whether workspaces share their base's files, on the disk where they will lie.
async fn layers(sandbox: &Sandbox, state: Option<&Path>) -> Look {
    let temporary = std::env::temp_dir();
    let state = state.unwrap_or(&temporary);
    let existing = state
        .ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or(&temporary);
    match sandbox.layers_in(existing).await {
        Ok(()) => Look::found("workspaces", "laid over one shared checkout"),
        Err(why) => Look::absent(
            "workspaces",
            format!("each a whole checkout: {why}"),
            Some(
                "slower in large repositories; needs Linux 5.11, user namespaces for every program, and a state folder on a disk with user attributes (not an overlay itself)",
            ),
        ),
    }
}

/// Whether limits hold exactly, or only about.
pub(super) fn limits(groups: Result<&str, &str>) -> Look {
    match groups {
        Ok(version) => Look::found("limits", format!("exact, by control groups ({version})")),
        Err(why) => Look::absent(
            "limits",
            format!("approximate: {why}"),
            Some("needed only by loops that say `sandbox.require: cgroups`"),
        ),
    }
}

/// What keeps a user who is not root from namespaces, by the kernel's settings, and what to do about it.
pub(super) fn namespaces(setting: &dyn Fn(&str) -> Option<String>) -> String {
    if setting("kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        return "AppArmor blocks user namespaces (Ubuntu 24.04 and later): give bubblewrap a profile, or \
                `sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
            .to_owned();
    }
    if setting("kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        return "user namespaces are switched off: `sysctl kernel.unprivileged_userns_clone=1`".to_owned();
    }
    if setting("user/max_user_namespaces").as_deref() == Some("0") {
        return "user namespaces are switched off: `sysctl user.max_user_namespaces=15000`".to_owned();
    }
    "in a container, allow user namespaces and unmasked /proc to it; else see `docs/containment.md`"
        .to_owned()
}

fn kernel_setting(name: &str) -> Option<String> {
    std::fs::read_to_string(Path::new("/proc/sys").join(name))
        .ok()
        .map(|text| text.trim().to_owned())
}
