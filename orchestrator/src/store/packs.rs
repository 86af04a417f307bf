//! Table `packs`: git packs that another machine needs, in parts of a size that both engines take without trouble.
//!
//! A pack is whole or not there: its parts are written in one transaction, and never changed.

use ::loops::time::Timestamp;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Reader, StoreError, Tx, query::statements};

/// How many bytes a part has.
const PART: usize = 768 * 1024;

statements! { "packs":
    PUT = "INSERT INTO packs (id, part, data, made_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id, part) DO NOTHING";
    THERE = "SELECT COUNT(*) AS n FROM packs WHERE id = $1 AND part = 0";
    GET = "SELECT data FROM packs WHERE id = $1 ORDER BY part";
    FORGET = "DELETE FROM packs WHERE id = $1";
    PRUNE_BASES = "DELETE FROM packs WHERE id LIKE 'base-%' AND made_at < $1 AND substr(id, 6) NOT IN
        (SELECT base FROM runs WHERE ended_at IS NULL AND base IS NOT NULL)";
    PRUNE_CHANGES = "DELETE FROM packs WHERE id LIKE 'change-%' AND made_at < $1 AND substr(id, 8) NOT IN
        (SELECT a.tree FROM attempts AS a JOIN runs AS r ON r.id = a.run WHERE a.tree IS NOT NULL AND r.ended_at IS NULL)
        AND substr(id, 8) NOT IN (SELECT tree FROM saves WHERE tree IS NOT NULL)
        AND substr(id, 8) NOT IN (SELECT a.tree FROM attempts AS a JOIN proposals AS p ON p.task = a.task
            WHERE a.tree IS NOT NULL AND p.state IN ('preparing', 'open', 'revising', 'approved'))";
}

/// The name of the pack that holds a commit with its whole tree.
pub fn of_base(commit: &str) -> String {
    format!("base-{commit}")
}

/// The name of the pack that holds what a tree has and its base lacks.
pub fn of_change(tree: &str) -> String {
    format!("change-{tree}")
}

/// Keeps a pack; one that is there stays as it is.
pub async fn put(tx: &mut Tx, id: &str, pack: &[u8], now: Timestamp) -> Result<(), StoreError> {
    for (part, bytes) in pack.chunks(PART).enumerate() {
        let part = i64::try_from(part).unwrap_or(i64::MAX);
        let data = STANDARD.encode(bytes);
        PUT.run(tx, |q| q.bind(id).bind(part).bind(data).bind(now.0))
            .await?;
    }
    Ok(())
}

/// Whether a pack is kept.
pub async fn there(from: impl Reader, id: &str) -> Result<bool, StoreError> {
    let count: Option<u32> = THERE.first(from, |q| q.bind(id), |row| row.number("n")).await?;
    Ok(count.is_some_and(|n| n > 0))
}

/// A pack; none: it is not kept.
pub async fn get(from: impl Reader, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let parts = GET
        .all(
            from,
            |q| q.bind(id),
            |row| {
                let data = row.text("data")?;
                STANDARD.decode(data).map_err(|error| row.bad("data", error))
            },
        )
        .await?;
    Ok((!parts.is_empty()).then(|| parts.concat()))
}

/// Lets a pack go.
pub async fn forget(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    FORGET.run(tx, |q| q.bind(id)).await.map(drop)
}

/// Lets packs go that were made before `before`, and that no open run, and for changes no open proposal, has to do with.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    let bases = PRUNE_BASES.run(tx, |q| q.bind(before.0)).await?;
    Ok(bases + PRUNE_CHANGES.run(tx, |q| q.bind(before.0)).await?)
}
