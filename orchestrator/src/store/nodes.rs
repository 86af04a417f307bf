//! Table `nodes`: the processes that carry out orders, as they said of themselves last. It is for people and for
//! deciding what to pack; no lease hangs on it.

use ::loops::time::Timestamp;

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
    words::words,
};

words! {
    /// What a process does.
    Role {
        /// It runs loops, and carries out orders besides.
        Leads = "leads",
        /// It would take over if the one that leads went away.
        StandsBy = "stands_by",
        /// It carries out orders.
        Works = "works",
    }
}

/// A process that carries out orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name for life: `<home>/<process>`; what holds leases.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// What can be asked for with `needs`; sorted.
    pub labels: Vec<String>,
    /// How many orders it carries out at once.
    pub places: u32,
    /// How many it does now.
    pub busy: u32,
    /// Its version of loops.
    pub version: String,
    /// The newest form of orders that it reads.
    pub protocol: i64,
    /// Whether it takes nothing new.
    pub draining: bool,
    /// Since when it is there.
    pub started_at: Timestamp,
    /// When it was heard of last.
    pub seen_at: Timestamp,
}

statements! { "nodes":
    SAY = "INSERT INTO nodes (id, name, role, labels, places, busy, version, protocol, draining, started_at, seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO UPDATE SET role = excluded.role,
        busy = excluded.busy, draining = excluded.draining, seen_at = excluded.seen_at";
    LEAVE = "DELETE FROM nodes WHERE id = $1";
    PRUNE = "DELETE FROM nodes WHERE seen_at < $1";
    LIST = "SELECT id, name, role, labels, places, busy, version, protocol, draining, started_at, seen_at FROM nodes
        ORDER BY started_at, id";
}

/// A node says that it is there, and how it is.
pub async fn say(tx: &mut Tx, node: &Node) -> Result<(), StoreError> {
    let labels = serde_json::to_string(&node.labels)?;
    let bind = |q: Query| {
        q.bind(&node.id)
            .bind(&node.name)
            .bind(node.role.as_str())
            .bind(labels)
            .bind(i64::from(node.places))
            .bind(i64::from(node.busy))
            .bind(&node.version)
            .bind(node.protocol)
            .bind(i64::from(node.draining))
            .bind(node.started_at.0)
            .bind(node.seen_at.0)
    };
    SAY.run(tx, bind).await.map(drop)
}

/// A node leaves in good order.
pub async fn leave(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    LEAVE.run(tx, |q| q.bind(id)).await.map(drop)
}

/// Forgets nodes that were not heard of since `before`.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    PRUNE.run(tx, |q| q.bind(before.0)).await
}

/// All nodes that were not forgotten, longest there first.
pub async fn list(from: impl Reader) -> Result<Vec<Node>, StoreError> {
    let read = |row: &Row| {
        Ok(Node {
            id: row.text("id")?,
            name: row.text("name")?,
            role: row.word("role", Role::parse)?,
            labels: row.json("labels")?,
            places: row.number("places")?,
            busy: row.number("busy")?,
            version: row.text("version")?,
            protocol: row.number("protocol")?,
            draining: row.flag("draining")?,
            started_at: row.time("started_at")?,
            seen_at: row.time("seen_at")?,
        })
    };
    LIST.all(from, |q| q, read).await
}
