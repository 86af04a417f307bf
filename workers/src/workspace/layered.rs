//! A workspace that is laid over a shared checkout of its base: making it costs the same however large the repository
//! is, and what was written lies in a folder of its own.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Arc, Mutex},
};

use tokio::sync::OnceCell;

use super::{
    Over, TRUSTED_CONFIG, Workspace, WorkspaceError, checkouts::Checkout, fresh, lay_out, start,
    trusted_objects,
};

use loops::spec::SandboxLimits;

use crate::{
    git::Git,
    order::Change,
    sandbox::{Layers, Sandbox, user},
};

impl Workspace {
    /// Makes a workspace in the best way that this machine has: layered where it can be, else a checkout of its own, for
    /// use with or without a sandbox. Beside it, in words for a person, why it is not the best.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_in(
        sandbox: &Sandbox,
        sandboxed: bool,
        mirror: &Path,
        base: &str,
        start: Option<&Change>,
        scratch: &Path,
    ) -> Result<(Self, Option<String>), WorkspaceError> {
        if !sandboxed {
            let whole = Self::create_for(mirror, base, start, scratch, false).await?;
            return Ok((whole, None));
        }
        // The layer and what lies below it are on the disks of these two.
        match sandbox.layers_in(scratch).await {
            Ok(()) => Ok((Self::create_layered(mirror, base, start, scratch).await?, None)),
            Err(why) => {
                let whole = Self::create_for(mirror, base, start, scratch, true).await?;
                Ok((
                    whole,
                    Some(format!(
                        "each workspace is a whole checkout, which takes longer in large repositories: {why}"
                    )),
                ))
            }
        }
    }

    /// The same for what runs by these limits (none: without a sandbox). In a container nothing can be laid over anything.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_by(
        sandbox: &Sandbox,
        limits: Option<&SandboxLimits>,
        mirror: &Path,
        base: &str,
        start: Option<&Change>,
        scratch: &Path,
    ) -> Result<(Self, Option<String>), WorkspaceError> {
        if limits.is_some_and(|limits| limits.image.is_some()) {
            let whole = Self::create_for(mirror, base, start, scratch, true).await?;
            return Ok((whole, None));
        }
        Self::create_in(sandbox, limits.is_some(), mirror, base, start, scratch).await
    }

    /// Lays a workspace over the shared checkout of a base commit, which is made if it is not there, beside the mirror.
    /// It is seen only in a sandbox, by a policy with its [`Self::layers`]. What an earlier attempt left in `scratch` is
    /// removed.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_layered(
        mirror: &Path,
        base: &str,
        start: Option<&Change>,
        scratch: &Path,
    ) -> Result<Self, WorkspaceError> {
        let mirror = fs::canonicalize(mirror).map_err(WorkspaceError::file(mirror))?;
        let checkout = Checkout::get(&mirror, base).await?;
        let (root, git_dir) = (scratch.join("workspace"), scratch.join("git"));
        let layers = Layers {
            lower: vec![checkout.tree.clone()],
            writes: scratch.join("layers"),
        };
        for folder in [&root, &git_dir, &layers.writes] {
            fresh(folder)?;
        }
        for folder in [&layers.upper(), &layers.work()] {
            fresh(folder)?;
        }
        lay_out(&git_dir, &mirror, &trusted_objects(&mirror), TRUSTED_CONFIG)?;
        let mut workspace = Self {
            root,
            git: Git::at(&git_dir),
            mirror,
            base: base.to_owned(),
            base_tree: checkout.base_tree.clone(),
            listing: OnceCell::new(),
            checked_out: Arc::new(BTreeMap::new()),
            from_setup: Mutex::default(),
            capturing: tokio::sync::Mutex::default(),
            over: None,
        };
        if let Some(change) = start {
            workspace.checked_out = Arc::new(start::lay(&workspace, change, &layers.upper()).await?);
        }
        close(scratch, &layers, checkout.uid)?;
        workspace.over = Some(Over {
            layers,
            checkout,
            setup: std::sync::OnceLock::new(),
        });
        Ok(workspace)
    }
}

/// Gives the attempt's layer to its user. As root all attempts on one commit are one user, so the folder above is
/// closed to everybody.
fn close(scratch: &Path, layers: &Layers, uid: u32) -> Result<(), WorkspaceError> {
    let closed = fs::Permissions::from_mode(0o700);
    fs::set_permissions(&layers.writes, closed.clone()).map_err(WorkspaceError::file(&layers.writes))?;
    if user::are_we_root() {
        user::give(&layers.writes, uid)?;
        fs::set_permissions(scratch, closed).map_err(WorkspaceError::file(scratch))?;
    }
    Ok(())
}
