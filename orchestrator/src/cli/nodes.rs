//! What `loops status` says of nodes, and of orders that wait because no node can take them.

use std::{collections::BTreeMap, time::Duration};

use loops::{lease::Standing, text::plain, time::Timestamp};
use serde_json::{Value, json};

use super::{CliError, report::count};
use crate::store::{
    Store,
    nodes::{self, Node, Role},
    orders,
};

/// Whoever was not heard of for so long is shown as silent.
const SILENT: Duration = Duration::from_secs(10);

/// How many orders are looked at.
const LOOK_AT: u32 = 1_000;

/// Who works, and what waits for whom.
pub(super) struct Working {
    pub(super) nodes: Vec<Node>,
    /// Labels that orders wait for, and how many do.
    waits: BTreeMap<Vec<String>, u32>,
    now: Timestamp,
}

impl Working {
    pub(super) async fn read(store: &Store) -> Result<Self, CliError> {
        let now = store.time().await?;
        let nodes = nodes::list(store).await?;
        let mut waits = BTreeMap::new();
        for order in orders::open(store, LOOK_AT).await? {
            if order.lease.standing == Standing::Waiting && !order.needs.is_empty() {
                *waits.entry(order.needs).or_default() += 1;
            }
        }
        // What some node has is only a matter of time.
        waits.retain(|needs: &Vec<String>, _| {
            !nodes
                .iter()
                .any(|node| needs.iter().all(|label| node.labels.contains(label)))
        });
        Ok(Self { nodes, waits, now })
    }

    /// As it is printed.
    pub(super) fn lines(&self) -> Vec<String> {
        let nodes = self.nodes.iter().map(|node| {
            let mut about = vec![match node.role {
                Role::Leads => "leads".to_owned(),
                Role::StandsBy => "stands by".to_owned(),
                Role::Works => "works".to_owned(),
            }];
            if node.role != Role::StandsBy {
                about.push(format!("{} of {} places taken", node.busy, node.places));
            }
            if !node.labels.is_empty() {
                about.push(format!("has {}", node.labels.join(", ")));
            }
            if node.draining {
                about.push("ends".to_owned());
            }
            let silent = self.now.since(node.seen_at);
            if silent > SILENT {
                about.push(format!("silent for {} s", silent.as_secs()));
            }
            format!("node {}  {}", plain(&node.name), about.join("; "))
        });
        let waits = self.waits.iter().map(|(needs, n)| {
            let labels: Vec<String> = needs.iter().map(|label| format!("`{}`", plain(label))).collect();
            let verb = if *n == 1 { "waits" } else { "wait" };
            format!(
                "{} {verb} for a node with {}; `loops worker --labels {}` makes one",
                count(*n, "order"),
                labels.join(", "),
                plain(&needs.join(","))
            )
        });
        nodes.chain(waits).collect()
    }
}

/// A node, for a script.
pub(super) fn row(node: &Node) -> Value {
    json!({
        "name": node.name, "role": node.role, "labels": node.labels, "places": node.places, "busy": node.busy,
        "version": node.version, "draining": node.draining, "started_at": node.started_at, "seen_at": node.seen_at,
    })
}
