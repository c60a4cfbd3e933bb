//! What the relay knows of the way to it and from it: who came when, and what a proxy has passed on. Each is one
//! atomic, so that a turn passes by.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long it is told that somebody has knocked at the agents' door without a right key.
pub const KNOCK_TOLD_FOR: Duration = Duration::from_secs(60);

/// Whether an agent's request for a WebSocket has come through as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    /// No agent with a right key has come.
    Never,
    /// The last one's request came through.
    Came,
    /// The last one's did not: something has taken `Upgrade` from it.
    Lost,
}

/// When something last happened: milliseconds after a start and one; 0 is never.
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

/// What is known of the way.
pub struct Reachability {
    started: Instant,
    last_turn: Moment,
    last_knock: Moment,
    forwarded: AtomicBool,
    upgrade: AtomicU8,
}

impl Reachability {
    /// Nobody has come yet; the relay was started at `started`.
    pub fn new(started: Instant) -> Self {
        let (last_turn, last_knock) = (Moment::never(), Moment::never());
        let (forwarded, upgrade) = (AtomicBool::new(false), AtomicU8::new(Upgrade::Never as u8));
        Self { started, last_turn, last_knock, forwarded, upgrade }
    }

    /// Returns when the relay was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// A turn of Yandex' came in.
    pub fn turn(&self, now: Instant) {
        self.last_turn.set(self.started, now);
    }

    /// Returns when a turn of Yandex' last came in.
    pub fn last_turn(&self) -> Option<Instant> {
        self.last_turn.get(self.started)
    }

    /// Somebody has knocked at the agents' door without a right key: a PC whose key is wrong, or a stranger.
    pub fn knock(&self, now: Instant) {
        self.last_knock.set(self.started, now);
    }

    /// Whether somebody has done so within [`KNOCK_TOLD_FOR`].
    pub fn is_knocked(&self, now: Instant) -> bool {
        let last = self.last_knock.get(self.started);
        last.is_some_and(|last| now.saturating_duration_since(last) < KNOCK_TOLD_FOR)
    }

    /// A request came in, which `is_forwarded` by a proxy. It is asked only until one was.
    pub fn request(&self, is_forwarded: impl FnOnce() -> bool) {
        if !self.is_forwarded() && is_forwarded() {
            self.forwarded.store(true, Relaxed);
        }
    }

    /// Whether any request was forwarded by a proxy.
    pub fn is_forwarded(&self) -> bool {
        self.forwarded.load(Relaxed)
    }

    /// An agent with a right key has asked for a WebSocket.
    pub fn upgrade(&self, upgrade: Upgrade) {
        self.upgrade.store(upgrade as u8, Relaxed);
    }

    /// Returns what became of the last agent's request for a WebSocket.
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
        assert!(!reachability.is_knocked(start));
        for after in [0, 50].map(Duration::from_secs) {
            reachability.knock(start + after);
            assert!(reachability.is_knocked(start + after));
        }
        let last = start + Duration::from_secs(50) + KNOCK_TOLD_FOR;
        assert!(
            reachability.is_knocked(last - Duration::from_millis(1)) && !reachability.is_knocked(last)
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
