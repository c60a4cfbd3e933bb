//! Unix time as the relay tells it to agents: it counts on while the machine sleeps, and nobody can set it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Unix time at the start, plus what `CLOCK_BOOTTIME` has counted since.
pub struct Unix {
    start: Duration,
    counted: Duration,
}

impl Unix {
    /// Starts from the system's time.
    pub fn new() -> Self {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start, counted: counted() }
    }

    /// Returns the time in milliseconds.
    pub fn now(&self) -> u64 {
        let now = self.start + counted().saturating_sub(self.counted);
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }
}

fn counted() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_systems_time_and_never_goes_back() {
        let system = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        let before = system();
        let unix = Unix::new();
        let (first, second) = (unix.now(), unix.now());
        assert!(before <= first && first <= second && second <= system() + 1);
    }
}
