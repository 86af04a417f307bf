//! The only place that asks for the time and for randomness; everything else is given them.
//!
//! The time is the system's, unless a program that has the service in it puts in another source, once, before it starts
//! anything: so a week passes in a minute, with every `now()` of every room in step. Only moments come from it. How long
//! to wait (for a model, for a child, before a retry) is counted by tokio in real time, whatever the source says, and
//! nothing here wakes anybody: who turns the clock also says when it is looked at ([`crate::engine::Service::ring`]).

use std::sync::OnceLock;

use loops::time::Timestamp;

type Source = Box<dyn Fn() -> Timestamp + Send + Sync>;

static SOURCE: OnceLock<Source> = OnceLock::new();

/// Now.
pub fn now() -> Timestamp {
    SOURCE.get().map_or_else(system, |source| source())
}

/// Takes the time from `source` from now on, in all of this process; false: it is taken from one already, which stays.
/// A source may stand still, and should not go back.
pub fn install(source: impl Fn() -> Timestamp + Send + Sync + 'static) -> bool {
    SOURCE.set(Box::new(source)).is_ok()
}

#[expect(clippy::disallowed_methods, reason = "this is the one door")]
fn system() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}

/// A new id of any kind: `clock::id(TaskId::new)`.
pub fn id<T>(make: impl Fn(u64, [u8; 10]) -> T) -> T {
    make(u64::try_from(now().0).unwrap_or(0), rand::random())
}
