//! A second wall inside the first: even where a mount were wrong or a program found a way around one, the kernel lets
//! nobody inside write outside of a few folders. It gives no rights that the mounts do not.

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus,
    Scope,
};

use super::plan;

/// The newest form of it that we know how to ask for.
const WANTED: ABI = ABI::V6;

/// Folders inside that may be written.
pub(super) const WRITABLE: &[&str] = &[plan::WORKSPACE, plan::HOME, "/tmp", "/dev/shm"];

/// How much of the wall this kernel can build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Support {
    /// All that we ask for.
    Full,
    /// Only an older form of it, of this version.
    Partial(i32),
    /// None.
    None,
}

/// Why the wall does not stand.
#[derive(Debug, thiserror::Error)]
pub(super) enum WallError {
    /// The kernel refused a part that it must have.
    #[error("the second wall (Landlock): {0}")]
    Ruleset(#[from] RulesetError),
    /// A folder is not there.
    #[error("the second wall (Landlock): {0}")]
    Path(#[from] landlock::PathFdError),
    /// The kernel has it and did not enforce it.
    #[error("the second wall (Landlock) was asked for and does not stand")]
    NotEnforced,
}

/// What this kernel can do: the newest form whose every part it takes.
pub(super) fn support() -> Support {
    let takes = |abi: ABI| {
        let asked = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(abi));
        let scope = Scope::from_all(abi);
        match asked {
            Ok(asked) => scope.is_empty() || asked.scope(scope).is_ok(),
            Err(_) => false,
        }
    };
    if takes(WANTED) {
        return Support::Full;
    }
    [ABI::V5, ABI::V4, ABI::V3, ABI::V2, ABI::V1]
        .into_iter()
        .find(|abi| takes(*abi))
        .map_or(Support::None, |abi| Support::Partial(abi as i32))
}

/// Builds the wall around this process and all that come from it. Where the kernel has none, nothing is built, and the
/// caveats have said so.
pub(super) fn build() -> Result<(), WallError> {
    let status = restrict()?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::Available { .. }) => Err(WallError::NotEnforced),
        _ => Ok(()),
    }
}

fn restrict() -> Result<RestrictionStatus, WallError> {
    let all = AccessFs::from_all(WANTED);
    let devices: BitFlags<AccessFs> = AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::IoctlDev;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::from_all(WANTED))?
        .create()?
        .add_rule(PathBeneath::new(PathFd::new("/")?, AccessFs::from_read(WANTED)))?
        .add_rule(PathBeneath::new(PathFd::new("/dev")?, devices))?;
    for folder in WRITABLE {
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(folder)?, all))?;
    }
    Ok(ruleset.restrict_self()?)
}
