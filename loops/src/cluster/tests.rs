//! Facts about clusters as a caller sees them.
