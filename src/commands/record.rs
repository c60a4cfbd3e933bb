//! How the last commands ended, without their text, and how many turns ended how. For the owner's page and monitors; a
//! turn pays an atomic and a short lock for it.

use std::time::Instant;

use crate::commands::outcome::Outcome;
use crate::config::agents::AgentId;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
use crate::sync::{Mutex, MutexGuard, lock};

/// Commands that are remembered; one more overwrites the oldest.
pub const MAX_RECORDED: usize = 200;

/// How one command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordEntry {
    /// When it arrived.
    pub begun: Instant,
    /// The PC it was about.
    pub agent: AgentId,
    /// How its turn ended.
    pub outcome: Outcome,
    /// Milliseconds until its turn ended.
    pub took: u32,
    /// Milliseconds until its answer came, if that was late.
    pub late: Option<u32>,
}

/// The record of all turns and of the last commands.
pub struct Record {
    counts: [AtomicU64; Outcome::COUNT],
    late: AtomicU64,
    last: Mutex<Last>,
}

struct Last {
    /// At most [`MAX_RECORDED`] entries, allocated at the start.
    entries: Vec<RecordEntry>,
    /// The index of the oldest entry once the buffer is full.
    oldest: usize,
}

impl Default for Record {
    fn default() -> Self {
        let last = Last { entries: Vec::with_capacity(MAX_RECORDED), oldest: 0 };
        Self {
            counts: [const { AtomicU64::new(0) }; Outcome::COUNT],
            late: AtomicU64::new(0),
            last: Mutex::new(last),
        }
    }
}

impl Record {
    /// Counts a turn that was no command.
    pub fn count(&self, outcome: Outcome) {
        self.counts[outcome as usize].fetch_add(1, Relaxed);
    }

    /// Records that a command for this agent, which arrived at `begun`, ended `now`.
    pub fn ended(&self, agent: AgentId, outcome: Outcome, begun: Instant, now: Instant) {
        self.count(outcome);
        let entry = RecordEntry { begun, agent, outcome, took: milliseconds(begun, now), late: None };
        let mut last = self.lock();
        if last.entries.len() < MAX_RECORDED {
            last.entries.push(entry);
        } else {
            let oldest = last.oldest;
            last.entries[oldest] = entry;
            last.oldest = (oldest + 1) % MAX_RECORDED;
        }
    }

    /// Records that the answer to a command that arrived at `begun` came `now`, after its turn.
    pub fn answered_late(&self, agent: AgentId, begun: Instant, now: Instant) {
        self.late.fetch_add(1, Relaxed);
        let is_it = |entry: &&mut RecordEntry| {
            entry.begun == begun
                && entry.agent == agent
                && entry.outcome == Outcome::TooLate
                && entry.late.is_none()
        };
        if let Some(entry) = self.lock().entries.iter_mut().find(is_it) {
            entry.late = Some(milliseconds(begun, now));
        }
    }

    /// Returns how many turns ended with this outcome.
    pub fn how_many(&self, outcome: Outcome) -> u64 {
        self.counts[outcome as usize].load(Relaxed)
    }

    /// Returns how many answers came late.
    pub fn how_many_late(&self) -> u64 {
        self.late.load(Relaxed)
    }

    /// Returns the last commands, oldest first.
    pub fn last(&self) -> Vec<RecordEntry> {
        let mut entries = Vec::with_capacity(MAX_RECORDED);
        let last = self.lock();
        entries.extend_from_slice(&last.entries[last.oldest..]);
        entries.extend_from_slice(&last.entries[..last.oldest]);
        entries
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        lock(&self.last)
    }
}

fn milliseconds(begun: Instant, now: Instant) -> u32 {
    u32::try_from(now.saturating_duration_since(begun).as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn the_last_commands_are_remembered_and_all_are_counted() {
        let (record, start) = (Record::default(), Instant::now());
        assert!(record.last().is_empty());
        for number in 0..450 {
            let begun = start + MILLISECOND * number;
            record.ended(AgentId::DEFAULT, Outcome::Answered, begun, begun + MILLISECOND * 7);
        }
        let last = record.last();
        assert_eq!(last.len(), MAX_RECORDED);
        for (entry, number) in last.iter().zip(250..) {
            assert_eq!((entry.begun, entry.took), (start + MILLISECOND * number, 7));
        }
        assert_eq!(record.how_many(Outcome::Answered), 450);
        assert_eq!(record.how_many(Outcome::Stopping), 0);
    }

    #[test]
    fn a_late_answer_is_noted_at_its_own_command() {
        let (record, start) = (Record::default(), Instant::now());
        let begun = [start, start + MILLISECOND];
        for at in begun {
            record.ended(AgentId(1), Outcome::TooLate, at, at + 4000 * MILLISECOND);
        }
        record.answered_late(AgentId(1), begun[1], begun[1] + 9000 * MILLISECOND);
        record.answered_late(AgentId(0), begun[0], begun[0] + 9000 * MILLISECOND);
        let late: Vec<_> = record.last().iter().map(|entry| entry.late).collect();
        assert_eq!(late, [None, Some(9000)]);
        assert_eq!(record.how_many_late(), 2);
    }
}
