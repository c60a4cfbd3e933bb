//! What the relay knows of the way to it and from it: who came when, and what a proxy has passed on. Each is one
//! atomic, so that a turn passes by.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

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

/// What is known of the way.
pub struct Way {
    started: Instant,
    /// Milliseconds after `started` and one; 0 is never.
    last_turn: AtomicU64,
    forwarded: AtomicBool,
    upgrade: AtomicU8,
}

impl Way {
    /// Nobody has come yet; the relay was started at `started`.
    pub fn new(started: Instant) -> Self {
        let (last_turn, forwarded) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { started, last_turn, forwarded, upgrade: AtomicU8::new(Upgrade::Never as u8) }
    }

    /// Returns when the relay was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// A turn of Yandex' came in.
    pub fn turn(&self, now: Instant) {
        let after = now.saturating_duration_since(self.started).as_millis();
        self.last_turn.store(u64::try_from(after).unwrap_or(u64::MAX).saturating_add(1), Relaxed);
    }

    /// Returns when a turn of Yandex' last came in.
    pub fn last_turn(&self) -> Option<Instant> {
        let after = self.last_turn.load(Relaxed).checked_sub(1)?;
        Some(self.started + Duration::from_millis(after))
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
        let way = Way::new(start);
        assert_eq!(way.last_turn(), None);
        for after in [0, 5, 7000].map(Duration::from_millis) {
            way.turn(start + after);
            assert_eq!(way.last_turn(), Some(start + after));
        }
    }

    #[test]
    fn whether_a_proxy_is_there_is_asked_until_one_is() {
        let way = Way::new(Instant::now());
        way.request(|| false);
        assert!(!way.is_forwarded());
        way.request(|| true);
        way.request(|| panic!("it is known"));
        assert!(way.is_forwarded());
        for upgrade in [Upgrade::Lost, Upgrade::Came, Upgrade::Never] {
            way.upgrade(upgrade);
            assert_eq!(way.last_upgrade(), upgrade);
        }
    }
}
