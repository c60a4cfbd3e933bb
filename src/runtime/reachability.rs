//! Who reached the relay and when, and what a proxy passed on. All fields are atomic, so that a turn never waits.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// For how long a wrong key at the agents' path is mentioned.
pub const KNOCK_TOLD_FOR: Duration = Duration::from_secs(60);

/// Whether an agent's request for a WebSocket arrived as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    /// No agent has presented a valid key yet.
    Never,
    /// The last request arrived intact.
    Came,
    /// The last request arrived without `Upgrade`: a proxy removed it.
    Lost,
}

/// The last time of an event, in milliseconds after the start plus one; 0 if it never happened.
struct Moment(AtomicU64);

impl Moment {
    fn never() -> Self {
        Self(AtomicU64::new(0))
    }

    fn set(&self, start: Instant, now: Instant) {
        let after = now.saturating_duration_since(start).as_millis();
        self.0.store(u64::try_from(after).unwrap_or(u64::MAX).saturating_add(1), Relaxed);
    }

    fn get(&self, start: Instant) -> Option<Instant> {
        let after = self.0.load(Relaxed).checked_sub(1)?;
        Some(start + Duration::from_millis(after))
    }
}

/// Reachability status shown on the owner's page.
pub struct Reachability {
    started: Instant,
    last_turn: Moment,
    last_knock: Moment,
    forwarded: AtomicBool,
    upgrade: AtomicU8,
}

impl Reachability {
    /// Creates the status of a relay that was started at `started`.
    pub fn new(started: Instant) -> Self {
        let (last_turn, last_knock) = (Moment::never(), Moment::never());
        let (forwarded, upgrade) = (AtomicBool::new(false), AtomicU8::new(Upgrade::Never as u8));
        Self { started, last_turn, last_knock, forwarded, upgrade }
    }

    /// Returns when the relay was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Records a turn of Yandex'.
    pub fn turn(&self, now: Instant) {
        self.last_turn.set(self.started, now);
    }

    /// Returns the time of Yandex' last turn.
    pub fn last_turn(&self) -> Option<Instant> {
        self.last_turn.get(self.started)
    }

    /// Records an agent's request with a wrong key, or none: a misconfigured PC, or a stranger.
    pub fn wrong_key(&self, now: Instant) {
        self.last_knock.set(self.started, now);
    }

    /// Whether there was such a request within [`KNOCK_TOLD_FOR`].
    pub fn had_wrong_key(&self, now: Instant) -> bool {
        let last = self.last_knock.get(self.started);
        last.is_some_and(|last| now.saturating_duration_since(last) < KNOCK_TOLD_FOR)
    }

    /// Records a request. `is_forwarded` tells whether a proxy sent it; not called once any was.
    pub fn request(&self, is_forwarded: impl FnOnce() -> bool) {
        if !self.is_forwarded() && is_forwarded() {
            self.forwarded.store(true, Relaxed);
        }
    }

    /// Whether a proxy has forwarded any request.
    pub fn is_forwarded(&self) -> bool {
        self.forwarded.load(Relaxed)
    }

    /// Records how a request for a WebSocket with a valid key arrived.
    pub fn upgrade(&self, upgrade: Upgrade) {
        self.upgrade.store(upgrade as u8, Relaxed);
    }

    /// Returns how the last of them arrived.
    pub fn last_upgrade(&self) -> Upgrade {
        let all = [Upgrade::Never, Upgrade::Came, Upgrade::Lost];
        all[usize::from(self.upgrade.load(Relaxed)).min(2)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_when_a_turn_last_came_and_before_that_that_none_did() {
        let start = Instant::now();
        let reachability = Reachability::new(start);
        assert_eq!(reachability.last_turn(), None);
        for after in [0, 5, 7000].map(Duration::from_millis) {
            reachability.turn(start + after);
            assert_eq!(reachability.last_turn(), Some(start + after));
        }
    }

    #[test]
    fn a_knock_is_told_for_a_minute_after_the_last_one() {
        let start = Instant::now();
        let reachability = Reachability::new(start);
        assert!(!reachability.had_wrong_key(start));
        for after in [0, 50].map(Duration::from_secs) {
            reachability.wrong_key(start + after);
            assert!(reachability.had_wrong_key(start + after));
        }
        let last = start + Duration::from_secs(50) + KNOCK_TOLD_FOR;
        assert!(
            reachability.had_wrong_key(last - Duration::from_millis(1))
                && !reachability.had_wrong_key(last)
        );
    }

    #[test]
    fn whether_a_proxy_is_there_is_asked_until_one_is() {
        let reachability = Reachability::new(Instant::now());
        reachability.request(|| false);
        assert!(!reachability.is_forwarded());
        reachability.request(|| true);
        reachability.request(|| panic!("it is known"));
        assert!(reachability.is_forwarded());
        for upgrade in [Upgrade::Lost, Upgrade::Came, Upgrade::Never] {
            reachability.upgrade(upgrade);
            assert_eq!(reachability.last_upgrade(), upgrade);
        }
    }
}
