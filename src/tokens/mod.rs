//! What proves who somebody is, and is written down nowhere: seals, which only the relay can make, and codes,
//! which only whoever owns the server can read. Plain data.

pub mod code;
pub mod signed;

/// The header fields in which the owner's commands show what proves them to the running relay.
pub mod field {
    /// What `login` shows.
    pub const LOGIN: &str = "Relay-Login";
    /// What `pair` shows.
    pub const PAIR: &str = "Relay-Pair";
    /// What `invite` shows.
    pub const INVITE: &str = "Relay-Invite";
}

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the time in seconds of Unix time, by which seals expire.
pub fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
