//! Fuzzes the bytes of a connection. From the repository's root:
//!
//! ```text
//! cargo +nightly fuzz run head fuzz/corpus/head tests/corpus/head
//! ```
#![no_main]

#[path = "../../tests/support/parsing.rs"]
#[allow(dead_code, reason = "each target needs its own part")]
mod parsing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| parsing::head(input));
