//! The life of one call: a place in its model's lane, a reservation, tries, an answer, and the bill.
//!
//! Retries happen here and nowhere else, and never after the first byte went on to the attempt. Every way out of
//! this file ends the reservation: settled, estimated or released.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use loops::budget::Price;
use serde_json::{Value, json};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use super::{
    Inner,
    answer::{self, Opening},
    api::Api,
    bill::Held,
    bound::{Measured, measure},
    cassette::Cassette,
    play,
    reply::{Body, Refusal, whole},
    request::Asked,
    token::Guest,
    upstream::{Refused, Try, Upstream},
};

/// An answer of fewer tokens than this is not worth its input.
const FLOOR: u64 = 256;

/// A provider that asks for a longer wait than this is asked again sooner.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(120);

/// How long a call goes on trying.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The first wait.
    pub first: Duration,
    /// The longest wait, unless the provider asks for more.
    pub longest: Duration,
    /// All of it.
    pub total: Duration,
}

impl Patience {
    /// Waits that fit into so much time in all: who has little patience also waits less at first.
    pub fn of(total: Duration) -> Self {
        Self {
            first: (total / 100).min(Duration::from_millis(500)),
            longest: Duration::from_secs(30),
            total,
        }
    }
}

/// A call that may be made.
pub(super) struct Call {
    pub(super) gateway: Arc<Inner>,
    pub(super) guest: Arc<Guest>,
    pub(super) api: Api,
    /// The model's name, no alias.
    pub(super) model: String,
    pub(super) price: Price,
    pub(super) stream: bool,
    pub(super) body: Value,
    wanted: u64,
    floor: u64,
    began: Instant,
}

/// Why a try failed.
enum Failure {
    Refused(Refused),
    Unreachable(String),
}

/// Where the answer goes.
pub(super) type Sender = oneshot::Sender<Response<Body>>;

impl Call {
    /// Settles which model is meant, and what it may write at most.
    pub(super) fn prepare(
        gateway: Arc<Inner>,
        guest: Arc<Guest>,
        api: Api,
        asked: Asked,
    ) -> Result<Self, Refusal> {
        let models = &gateway.models;
        let Some((name, model)) = models.find(&asked.model) else {
            let message = format!("the gateway knows no model `{}`", asked.model.escape_debug());
            return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found_error", message));
        };
        let allowed = guest.admission.models.as_ref().is_none_or(|allowed| {
            allowed
                .iter()
                .any(|one| models.find(one).is_some_and(|(allowed, _)| allowed == name))
        });
        if !allowed {
            let message = format!("this attempt may not ask the model `{name}`");
            return Err(Refusal::new(StatusCode::FORBIDDEN, "permission_error", message));
        }
        let Some(price) = model.price.clone() else {
            return Err(Refusal::invalid(format!(
                "the model `{name}` has no price, so no budget can hold it: add `models.known.{name}.price` to loops.yaml"
            )));
        };
        if model.provider != api.vendor() {
            return Err(Refusal::invalid(format!(
                "the model `{name}` is one of `{}`, which does not speak the {api}",
                model.provider
            )));
        }
        if gateway.cassette.is_some() && api != Api::Messages {
            return Err(Refusal::invalid(format!(
                "cassettes do not hold answers of the {api}"
            )));
        }
        if gateway.cassette.is_none()
            && let Some(why) = gateway.upstreams.of(model.provider).lacks_key()
        {
            gateway.trouble(&why);
            return Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "authentication_error",
                why,
            ));
        }
        let Asked {
            max_tokens,
            thinking,
            stream,
            mut body,
            ..
        } = asked;
        let name = name.to_owned();
        body["model"] = json!(name);
        if !model.effort {
            api.drop_effort(&mut body);
        }
        let wanted = max_tokens.unwrap_or(u64::MAX).min(model.max_output);
        let floor = FLOOR.max(thinking.saturating_add(1));
        Ok(Self {
            api,
            model: name,
            price,
            stream,
            body,
            wanted,
            floor,
            began: Instant::now(),
            gateway,
            guest,
        })
    }

    /// Who answers for its model.
    pub(super) fn upstream(&self) -> &Upstream {
        self.gateway.upstreams.of(self.api.vendor())
    }

    /// Resolves when nobody waits for the answer any more.
    async fn abandoned(&self, sender: &mut Sender) {
        tokio::select! {
            () = self.guest.gone.cancelled() => {}
            () = sender.closed() => {}
        }
    }

    /// One line a call: who, which model, how it went, what it cost; never what was said.
    fn log(&self, status: StatusCode, tries: u32, bill: &super::bill::Bill) {
        let who = &self.guest.admission;
        tracing::info!(
            run = %who.run, attempt = %who.attempt, role = %who.role, label = %who.label, model = %self.model,
            status = status.as_u16(), tries, state = bill.state.as_str(), cost_usd = bill.cost.as_usd(),
            input_tokens = bill.usage.all_input(), output_tokens = bill.usage.output_tokens,
            duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX), "model call"
        );
    }
}

/// Carries a call out, and answers.
pub(super) async fn make(call: Call, mut sender: Sender) {
    if let Some(cassette) = &call.gateway.cassette {
        return rehearse(&call, cassette, sender).await;
    }
    let known = call
        .guest
        .known
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clone();
    let measured = measure(call.api, &call.model, &call.body, known.as_ref());
    let patience = call.gateway.patience;
    let deadline = Instant::now() + patience.total;
    let mut waits = ExponentialBuilder::new()
        .with_min_delay(patience.first)
        .with_max_delay(patience.longest)
        .without_max_times()
        .with_jitter()
        .build();
    let who = &call.guest.admission;
    for tries in 1.. {
        let lane = tokio::select! {
            lane = call.gateway.lanes.enter(&call.model, &who.loop_name, who.attempt) => lane,
            () = call.abandoned(&mut sender) => return,
        };
        let held = match Held::reserve(&call, measured.at_most, call.wanted, call.floor).await {
            Ok(held) => held,
            Err(refusal) => {
                tracing::info!(run = %call.guest.admission.run, kind = refusal.kind, "model call refused");
                let _ = sender.send(refusal.into_response(call.api));
                return;
            }
        };
        let failure = match attempt(&call, &measured, held, tries, sender).await {
            Ended::Answered => return,
            Ended::Failed(failure, back) => {
                sender = back;
                failure
            }
        };
        drop(lane);
        let asked_for = match &failure {
            Failure::Refused(refused) if !refused.passes() => None,
            Failure::Refused(refused) => {
                Some(refused.retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER))
            }
            Failure::Unreachable(_) => Some(Duration::ZERO),
        };
        let wait = asked_for.and_then(|asked_for| Some(waits.next()?.max(asked_for)));
        let Some(wait) = wait.filter(|wait| Instant::now() + *wait < deadline) else {
            let _ = sender.send(give_up(&call, failure));
            return;
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = call.abandoned(&mut sender) => return,
        }
    }
}

/// How one try ended.
enum Ended {
    /// Whoever asked has an answer, or is gone.
    Answered,
    /// Nothing went on to whoever asked; it may be tried again.
    Failed(Failure, Sender),
}

async fn attempt(call: &Call, measured: &Measured, held: Held, tries: u32, mut sender: Sender) -> Ended {
    let mut body = call.body.clone();
    call.api.bound(&mut body, held.grant.max_tokens);
    let asked = tokio::select! {
        asked = call.upstream().ask(call.api, body.to_string()) => asked,
        () = call.abandoned(&mut sender) => Try::Lost("nobody waits for it any more".to_owned()),
    };
    let opening = match asked {
        Try::Answers(response) => tokio::select! {
            opening = answer::open(call.upstream(), call.api, call.stream, response) => opening,
            () = call.abandoned(&mut sender) => Opening::Cut("nobody waits for it any more".to_owned()),
        },
        Try::Refused(refused) => Opening::Refused(refused),
        Try::Unsent(why) => {
            let bill = held.release(call).await;
            call.log(StatusCode::BAD_GATEWAY, tries, &bill);
            return Ended::Failed(Failure::Unreachable(why), sender);
        }
        Try::Lost(why) => Opening::Cut(why),
    };
    match opening {
        Opening::Ready(ready) => {
            let bill = ready.deliver(call, measured, held, sender).await;
            call.gateway.recovered();
            call.log(StatusCode::OK, tries, &bill);
            Ended::Answered
        }
        Opening::Refused(refused) => {
            let bill = held.release(call).await;
            call.log(refused.status, tries, &bill);
            Ended::Failed(Failure::Refused(refused), sender)
        }
        Opening::Cut(why) => {
            // It may have been carried out, and nobody will ever say what it used.
            let bill = held.charge(call).await;
            call.log(StatusCode::BAD_GATEWAY, tries, &bill);
            Ended::Failed(Failure::Unreachable(why), sender)
        }
    }
}

/// What is answered when it is not tried again.
fn give_up(call: &Call, failure: Failure) -> Response<Body> {
    match failure {
        Failure::Unreachable(why) => {
            let message = format!("the model could not be reached: {why}");
            Refusal::new(StatusCode::BAD_GATEWAY, "api_error", message).into_response(call.api)
        }
        Failure::Refused(refused) if matches!(refused.status.as_u16(), 401 | 403) => {
            let message = call.upstream().refused_key(refused.status);
            call.gateway.trouble(&message);
            let kind = if refused.status == StatusCode::FORBIDDEN {
                "permission_error"
            } else {
                "authentication_error"
            };
            Refusal::new(refused.status, kind, message).into_response(call.api)
        }
        Failure::Refused(refused) if !refused.json => {
            let message = format!(
                "the provider answered {} and nothing that can be read",
                refused.status.as_u16()
            );
            let status = refused.status;
            Refusal {
                retry_after: refused.retry_after,
                ..Refusal::new(status, "api_error", message)
            }
            .into_response(call.api)
        }
        Failure::Refused(refused) => {
            let mut response = Response::new(whole(refused.body));
            *response.status_mut() = refused.status;
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
    }
}

/// Answers from a cassette.
async fn rehearse(call: &Call, cassette: &Cassette, mut sender: Sender) {
    let who = &call.guest.admission;
    let found = match cassette.find(&who.label, who.number, &call.body) {
        Ok(found) => found,
        Err(why) => {
            let _ = sender.send(Refusal::invalid(why).into_response(call.api));
            return;
        }
    };
    tokio::select! {
        () = sleep(Duration::from_millis(found.turn.delay_ms)) => {}
        () = call.abandoned(&mut sender) => return,
    }
    let played = play::answer(&found, &call.model, &call.body);
    let response = match super::bill::rehearsed(call, &played.usage).await {
        Ok(bill) => {
            call.log(StatusCode::OK, 1, &bill);
            played.into_response(call.stream)
        }
        Err(refusal) => refusal.into_response(call.api),
    };
    let _ = sender.send(response);
}
