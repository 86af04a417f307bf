//! Throws bytes at `harness::fuzz::diff`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::fuzz::diff(bytes));
