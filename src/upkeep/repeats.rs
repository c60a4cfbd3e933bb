//! Log lines that the outside can cause again and again: each is said at once, and then once a minute
//! with how often it came.
//!
//! Whoever is turned away says who they are only in the line itself, so the line is what is counted by.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::upkeep::clock::Alarm;

/// Lines that are counted one by one while they repeat; further ones are counted together. Behind a
/// proxy one is one address, and so many at once are no longer read one by one.
pub const MAX_REPEATED: usize = 128;

/// How often a line that repeats is said.
pub const REPEATED_EVERY: Duration = Duration::from_secs(60);

/// Counts up to [`MAX_REPEATED`] lines one by one, and all further ones together.
pub struct Repeats {
    what: &'static str,
    level: log::Level,
    alarm: Alarm,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    lines: Vec<(String, Count)>,
    /// The lines that found no place.
    others: Option<Count>,
}

struct Count {
    unsaid: u64,
    ends: Instant,
}

impl Repeats {
    /// Counts lines that the summary of those without a place calls `what`; `alarm` wakes whoever calls
    /// [`Repeats::tend`].
    pub fn new(what: &'static str, level: log::Level, alarm: Alarm) -> Self {
        Self { what, level, alarm, table: Mutex::default() }
    }

    /// Says `line`, or counts it if it was said within the last minute.
    pub fn say(&self, line: String) {
        if !log::log_enabled!(self.level) {
            return;
        }
        if let Some(line) = self.count(line, Instant::now()) {
            log::log!(self.level, "{line}");
        }
    }

    /// Counts `line`. Returns it if it is to be said.
    fn count(&self, line: String, now: Instant) -> Option<String> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = table.lines.iter_mut().find(|(known, _)| *known == line) {
            count.unsaid += 1;
            return None;
        }
        let ends = now + REPEATED_EVERY;
        if table.lines.len() < MAX_REPEATED {
            table.lines.push((line.clone(), Count { unsaid: 0, ends }));
            drop(table);
            self.alarm.ring();
            return Some(line);
        }
        let is_first = table.others.is_none();
        table.others.get_or_insert(Count { unsaid: 0, ends }).unsaid += 1;
        drop(table);
        if is_first {
            self.alarm.ring();
        }
        None
    }

    /// Says the lines whose minute is over, and forgets those that did not come again. Returns when the
    /// next minute is over.
    pub fn tend(&self, now: Instant) -> Option<Instant> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Table { lines, others } = &mut *table;
        lines.retain_mut(|(line, count)| {
            if count.ends > now {
                return true;
            }
            let unsaid = std::mem::take(&mut count.unsaid);
            count.ends = now + REPEATED_EVERY;
            if unsaid > 0 {
                log::log!(self.level, "{line} ({unsaid} more within a minute)");
            }
            unsaid > 0
        });
        if let Some(count) = others.take_if(|count| count.ends <= now) {
            let (unsaid, what) = (count.unsaid, self.what);
            log::log!(self.level, "{unsaid} more {what} within a minute, too different to name each");
        }
        lines.iter().map(|(_, count)| count.ends).chain(others.as_ref().map(|count| count.ends)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upkeep::clock::alarm;

    const MINUTE: Duration = REPEATED_EVERY;

    fn repeats() -> (Repeats, crossbeam_channel::Receiver<()>) {
        let (alarm, rung) = alarm();
        (Repeats::new("things", log::Level::Warn, alarm), rung)
    }

    #[test]
    fn a_line_is_said_at_once_and_then_once_a_minute_for_as_long_as_it_comes() {
        let (repeats, rung) = repeats();
        let start = Instant::now();
        assert_eq!(repeats.count("a".into(), start).as_deref(), Some("a"));
        assert!(rung.try_recv().is_ok(), "the clock is told when to look");
        for _ in 0..10_000 {
            assert_eq!(repeats.count("a".into(), start), None);
        }
        assert_eq!(repeats.count("b".into(), start).as_deref(), Some("b"));
        assert_eq!(repeats.tend(start), Some(start + MINUTE), "not yet");
        assert_eq!(repeats.tend(start + MINUTE), Some(start + 2 * MINUTE), "a is said with its count");
        assert!(
            repeats.count("b".into(), start + MINUTE).is_some(),
            "b did not come again, so it is new"
        );
        assert!(repeats.count("a".into(), start + MINUTE).is_none());
        assert_eq!(repeats.tend(start + 2 * MINUTE), Some(start + 3 * MINUTE));
        assert_eq!(repeats.tend(start + 3 * MINUTE), None, "all is quiet, and nothing is kept");
    }

    #[test]
    fn the_table_is_bounded_and_what_finds_no_place_is_counted_together() {
        let (repeats, _rung) = repeats();
        let start = Instant::now();
        let said = (0..10_000).filter(|n| repeats.count(n.to_string(), start).is_some()).count();
        assert_eq!(said, MAX_REPEATED);
        {
            let table = repeats.table.lock().unwrap();
            assert_eq!(table.lines.len(), MAX_REPEATED);
            assert_eq!(table.others.as_ref().unwrap().unsaid, 10_000 - MAX_REPEATED as u64);
        }
        assert_eq!(repeats.tend(start + MINUTE), None);
        assert!(repeats.count("new".into(), start + MINUTE).is_some(), "there is room again");
    }
}
