//! Log lines that the outside can cause: some a second, and a summary of the rest.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::upkeep::clock::Alarm;

/// Lines a second that tell of single commands; beyond it a summary does.
pub const COMMAND_LINES: u32 = 10;

const WINDOW: Duration = Duration::from_secs(1);

/// Counts what of one kind happens in a second; at most [`COMMAND_LINES`] of it get a line.
pub struct Tally {
    what: &'static str,
    level: log::Level,
    alarm: Alarm,
    window: Mutex<Window>,
}

struct Window {
    ends: Instant,
    lines: u32,
    unsaid: u64,
}

impl Tally {
    /// Counts events that the summary calls `what`; `alarm` wakes whoever calls [`Tally::tend`].
    pub fn new(what: &'static str, level: log::Level, alarm: Alarm) -> Self {
        let window = Window { ends: Instant::now(), lines: 0, unsaid: 0 };
        Self { what, level, alarm, window: Mutex::new(window) }
    }

    /// Says `line`, unless too many were said in this second.
    pub fn say(&self, line: std::fmt::Arguments<'_>) {
        if log::log_enabled!(self.level) && self.may_say(Instant::now()) {
            log::log!(self.level, "{line}");
        }
    }

    fn may_say(&self, now: Instant) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= window.ends {
            self.sum_up(&mut window);
            *window = Window { ends: now + WINDOW, lines: 0, unsaid: 0 };
        }
        window.lines += 1;
        if window.lines <= COMMAND_LINES {
            return true;
        }
        window.unsaid += 1;
        if window.unsaid == 1 {
            self.alarm.ring();
        }
        false
    }

    /// Says the summary that is due. Returns when the next one is.
    pub fn tend(&self, now: Instant) -> Option<Instant> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= window.ends {
            self.sum_up(&mut window);
        }
        (window.unsaid > 0).then_some(window.ends)
    }

    fn sum_up(&self, window: &mut Window) {
        let unsaid = std::mem::take(&mut window.unsaid);
        if unsaid > 0 {
            log::log!(self.level, "{unsaid} more {} within a second", self.what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upkeep::clock::alarm;

    #[test]
    fn ten_lines_a_second_are_said_and_the_rest_is_summed_up() {
        let (alarm, rung) = alarm();
        log::set_max_level(log::LevelFilter::Info);
        let tally = Tally::new("commands", log::Level::Info, alarm);
        let start = Instant::now();
        let said = (0..25).filter(|_| tally.may_say(start)).count();
        assert_eq!(said, 10);
        assert!(rung.try_recv().is_ok(), "the clock is told that a summary is coming");
        assert_eq!(tally.tend(start), Some(start + WINDOW));
        assert_eq!(tally.tend(start + WINDOW), None, "said, and nothing is left");
        assert!(tally.may_say(start + WINDOW));
    }
}
