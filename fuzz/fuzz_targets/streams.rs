//! Throws bytes at `harness::fuzz::streams`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::fuzz::streams(bytes));
