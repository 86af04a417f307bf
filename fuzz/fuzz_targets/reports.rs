//! Throws bytes at `harness::fuzz::reports`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::fuzz::reports(bytes));
