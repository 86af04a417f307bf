//! Throws bytes at `harness::fuzz::webhooks`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::fuzz::webhooks(bytes));
