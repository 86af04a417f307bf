//! What a call is charged: reserved before it, settled after it. The figures that caps are compared with.

use loops::{
    budget::{Grant, Money, Usage},
    time::Timestamp,
};

use super::{
    call::Call,
    meter::Seen,
    reply::{OVER_BUDGET, Refusal},
};
use crate::{
    clock,
    store::{
        StoreError,
        calls::{self, CallState, NewCall, Wish},
    },
};

/// Money that is set aside for a try.
pub(super) struct Held {
    call: NewCall,
    pub(super) grant: Grant,
}

/// What a try was charged.
#[derive(Debug)]
pub(super) struct Bill {
    pub(super) state: CallState,
    pub(super) cost: Money,
    pub(super) usage: Usage,
}

impl Held {
    /// Sets aside what the call may cost at most, or says which cap does not bear it.
    pub(super) async fn reserve(call: &Call, input: u64, wanted: u64, floor: u64) -> Result<Self, Refusal> {
        let new = new_call(call, clock::now());
        let who = &call.guest.admission;
        let caps = &who.caps;
        let budget = call.gateway.budget();
        let mut shared = budget.shared(&who.loop_name, &new.role, &who.zone, new.at);
        let repository = who.repository.as_deref();
        shared.extend(repository.and_then(|repository| budget.of_repository(repository, new.at)));
        let wish = Wish {
            caps,
            shared: &shared,
            price: &call.price,
            input_tokens: input,
            wanted,
            floor,
        };
        let reserved = async {
            let mut tx = call.gateway.store.begin().await?;
            let granted = calls::reserve(&mut tx, &new, &wish).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(granted)
        };
        match reserved.await {
            Ok(Ok(grant)) => {
                call.gateway.spend_changed();
                Ok(Self { call: new, grant })
            }
            Ok(Err(over)) => {
                let why = over.to_string();
                call.gateway.refused_for_budget(&why);
                Err(Refusal::new(hyper::StatusCode::BAD_REQUEST, OVER_BUDGET, why))
            }
            Err(error) => Err(unwritten(&error)),
        }
    }

    /// It was not carried out.
    pub(super) async fn release(self, call: &Call) -> Bill {
        let bill = Bill {
            state: CallState::Released,
            cost: Money::ZERO,
            usage: Usage::default(),
        };
        self.end(call, bill).await
    }

    /// Nobody knows what it used: all that was reserved counts.
    pub(super) async fn charge(self, call: &Call) -> Bill {
        let cost = self.grant.reserved;
        self.end(
            call,
            Bill {
                state: CallState::Estimated,
                cost,
                usage: Usage::default(),
            },
        )
        .await
    }

    /// What was seen of it counts.
    pub(super) async fn settle(self, call: &Call, seen: Seen) -> Bill {
        let (state, usage) = match seen {
            Seen::All(usage) => (CallState::Settled, usage),
            Seen::Part(usage) => (CallState::Estimated, usage),
            Seen::Nothing => return self.charge(call).await,
        };
        let cost = call.price.cost(&usage);
        if cost > self.grant.reserved {
            tracing::warn!(
                model = %call.model, cost_usd = cost.as_usd(), reserved_usd = self.grant.reserved.as_usd(),
                "a call cost more than the most that it could: look at the model's price and at how input is bounded"
            );
        }
        self.end(call, Bill { state, cost, usage }).await
    }

    async fn end(self, call: &Call, bill: Bill) -> Bill {
        let Bill { state, cost, usage } = &bill;
        let written = async {
            let mut tx = call.gateway.store.begin().await?;
            calls::end(&mut tx, &self.call, *state, *cost, usage, clock::now()).await?;
            tx.commit().await
        };
        if let Err(error) = written.await {
            // The row stays as it is: it goes on counting with its reservation.
            tracing::error!(%error, "a call could not be settled");
        }
        call.gateway.spend_changed();
        bill
    }
}

/// Writes down a call that was played back.
pub(super) async fn rehearsed(call: &Call, usage: &Usage) -> Result<Bill, Refusal> {
    let new = new_call(call, clock::now());
    let written = async {
        let mut tx = call.gateway.store.begin().await?;
        calls::rehearse(&mut tx, &new, usage, clock::now()).await?;
        tx.commit().await
    };
    written.await.map_err(|error| unwritten(&error))?;
    call.gateway.spend_changed();
    Ok(Bill {
        state: CallState::Settled,
        cost: Money::ZERO,
        usage: *usage,
    })
}

fn new_call(call: &Call, at: Timestamp) -> NewCall {
    let who = &call.guest.admission;
    NewCall {
        id: format!("call-{}", hex::encode(rand::random::<[u8; 16]>())),
        attempt: who.attempt,
        task: who.task,
        run: who.run,
        loop_name: who.loop_name.clone(),
        repository: who.repository.clone(),
        model: call.model.clone(),
        role: who.role.to_string(),
        at,
    }
}

/// A call that cannot be metered is not made.
fn unwritten(error: &StoreError) -> Refusal {
    tracing::error!(%error, "a call could not be reserved");
    Refusal::broken("the gateway cannot write down what calls cost, so it makes none")
}
