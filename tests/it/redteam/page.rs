//! docs/security.md, written from the catalogue.
