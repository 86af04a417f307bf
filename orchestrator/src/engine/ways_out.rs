//! Lets an order's sandboxes out to the hosts that its loop allows, for as long as it is carried out. What is not named
//! is not opened; no token of these buys a model call.

use std::sync::Arc;

use loops::spec::{LoopSpec, Sandbox};
use serde::{Deserialize, Serialize};
use workers::{
    Job, Order,
    order::{Gateway as GatewayAddress, WaysOut},
};

use crate::gateway::{Admission, Caps, Gateway, Role, Token};

/// The tokens of an order's ways out. They are worth nothing, and what goes through them is cut, once this is dropped.
#[derive(Debug)]
pub(crate) struct Passes {
    gateway: Arc<Gateway>,
    tokens: Vec<Token>,
}

impl Drop for Passes {
    fn drop(&mut self) {
        self.tokens.iter().for_each(|token| self.gateway.dismiss(token));
    }
}

/// Whether a proof of this loop's changes needs a way out.
pub(crate) fn proof_needs_one(spec: &LoopSpec) -> bool {
    let setup = spec.setup.as_ref().is_some_and(|setup| !setup.network.is_empty());
    matches!(spec.sandbox, Sandbox::Limits(_)) && (setup || !spec.checks.network.is_empty())
}

/// The hosts that an order's sandboxes may reach: plain data, which travels with the order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hosts {
    agent: Vec<String>,
    setup: Vec<String>,
    checks: Vec<String>,
}

impl Hosts {
    /// Those that the loop allows the order's job.
    pub(crate) fn of(spec: &LoopSpec, order: &Order) -> Self {
        // Without a sandbox there is nothing to be let out of.
        if order.sandbox.is_none() {
            return Self::default();
        }
        let setup = spec.setup.as_ref().map(|setup| setup.network.clone());
        let (agent, checks) = match &order.job {
            Job::Work(_) => (spec.boundaries.network.clone(), Vec::new()),
            Job::Prove(_) => (Vec::new(), spec.checks.network.clone()),
            // Who only reads needs nothing.
            Job::Review(_) => Default::default(),
        };
        Self {
            agent,
            setup: setup.unwrap_or_default(),
            checks,
        }
    }
}

/// Opens the ways that the order's job may take.
pub(crate) fn let_out(gateway: &Arc<Gateway>, loop_name: &str, hosts: &Hosts, order: &mut Order) -> Passes {
    let mut passes = Passes {
        gateway: Arc::clone(gateway),
        tokens: Vec::new(),
    };
    let role = match &order.job {
        Job::Review(_) => Role::Review,
        Job::Work(_) | Job::Prove(_) => Role::Work,
    };
    order.ways_out = WaysOut {
        agent: passes.open(order, loop_name, role, "agent", &hosts.agent),
        setup: passes.open(order, loop_name, role, "setup", &hosts.setup),
        checks: passes.open(order, loop_name, role, "checks", &hosts.checks),
    };
    passes
}

impl Passes {
    fn open(
        &mut self,
        order: &Order,
        loop_name: &str,
        role: Role,
        label: &str,
        hosts: &[String],
    ) -> Option<GatewayAddress> {
        if hosts.is_empty() {
            return None;
        }
        let token = self.gateway.admit_inside(Admission {
            attempt: order.attempt,
            number: 1,
            task: Some(order.task),
            run: order.run,
            loop_name: loop_name.to_owned(),
            role,
            caps: Caps::default(),
            zone: "UTC".to_owned(),
            network: hosts.to_vec(),
            repository: None,
            // None of them: the token lies where the agent can read it.
            models: Some(Vec::new()),
            label: label.to_owned(),
        });
        let address = GatewayAddress {
            address: self.gateway.relays.clone(),
            token: token.expose().to_owned(),
        };
        self.tokens.push(token);
        Some(address)
    }
}
