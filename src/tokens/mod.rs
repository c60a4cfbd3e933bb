//! Stateless signed tokens and one-time codes. Plain data.

pub mod code;
pub mod signed;

use std::time::{SystemTime, UNIX_EPOCH};

/// The header fields in which the owner's commands show their proofs.
pub mod field {
    /// The proof of `login`.
    pub const LOGIN: &str = "Relay-Login";
    /// The proof of `pair`.
    pub const PAIR: &str = "Relay-Pair";
    /// The proof of `invite`.
    pub const INVITE: &str = "Relay-Invite";
}

/// Returns Unix time in seconds, by which tokens expire.
pub fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
