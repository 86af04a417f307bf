//! The only place that asks for the time and for randomness; everything else is given them.

use loops::time::Timestamp;

/// Now.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
pub fn now() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}

/// A new id of any kind: `clock::id(TaskId::new)`.
pub fn id<T>(make: impl Fn(u64, [u8; 10]) -> T) -> T {
    make(u64::try_from(now().0).unwrap_or(0), rand::random())
}
