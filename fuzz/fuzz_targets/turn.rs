//! Fuzzes a body that came to the webhook. From the repository's root:
//!
//! ```text
//! cargo +nightly fuzz run turn fuzz/corpus/turn tests/corpus/turn
//! ```
#![no_main]

#[path = "../../tests/support/parsing.rs"]
#[allow(dead_code, reason = "each target needs its own part")]
mod parsing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| parsing::turn(input));
