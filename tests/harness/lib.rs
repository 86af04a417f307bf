//! The world around the service, for tests: stateful fakes of what stands outside it.
//!
//! Nothing of production code lives here, and production code knows nothing of it.
#![recursion_limit = "256"] // GitHub's repositories have eighty fields.

pub mod github;
pub mod model;
pub mod postgres;
pub mod slack;
pub mod trace;
pub mod world;
