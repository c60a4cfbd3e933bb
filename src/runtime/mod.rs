//! What keeps the relay going: time, the log and its limits, and threads that must not die.

pub mod clock;
pub mod log;
pub mod log_limit;
pub mod reachability;
pub mod shutdown;
pub mod unix;
pub mod watchdog;
