//! What proves who somebody is, and is written down nowhere: seals, which only the relay can make, and codes,
//! which only whoever owns the server can read. Plain data.

pub mod code;
pub mod seal;

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the time in seconds of Unix time, by which seals expire.
pub fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
