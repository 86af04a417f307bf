//! Which signals speak of the same problem. Deterministic, incremental, without a model.
