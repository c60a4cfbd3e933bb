//! Fuzzes a message that came from an agent. From the repository's root:
//!
//! ```text
//! cargo +nightly fuzz run agent fuzz/corpus/agent tests/corpus/agent
//! ```
#![no_main]

#[path = "../../tests/support/parsing.rs"]
#[allow(dead_code, reason = "each target needs its own part")]
mod parsing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| parsing::answer(input));
