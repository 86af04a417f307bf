//! Throws bytes at `harness::fuzz::slack`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::fuzz::slack(bytes));
