//! Slack as a person has it: the real binary beside a stateful Slack.

mod events;
mod out;
mod reading;
mod signals;
