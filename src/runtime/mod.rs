//! Timers, the log and its limits, the watchdog, shutdown, and the threads that the relay can't run without.

pub mod clock;
pub mod log;
pub mod log_limit;
pub mod reachability;
pub mod shutdown;
pub mod unix;
pub mod watchdog;
