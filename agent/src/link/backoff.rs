//! How long to wait before connecting again. Plain data.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// The first wait.
pub const FIRST: Duration = Duration::from_secs(1);

/// The longest.
const LONGEST: Duration = Duration::from_secs(30);

/// The least of them when another agent came with the same key: two must not throw each other out every second.
const REPLACED: Duration = Duration::from_secs(8);

/// The longest behind a link that was there, however short it was.
const SHORT: Duration = Duration::from_secs(4);

/// A link that held for so long was a good one.
pub const GOOD: Duration = Duration::from_secs(30);

/// Doubles from [`FIRST`] to [`LONGEST`].
#[derive(Debug)]
pub struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Backoff {
    /// A link ended that has held for so long.
    pub fn was_linked(&mut self, held: Duration) {
        self.0 = if held >= GOOD { FIRST } else { self.0.min(SHORT) };
    }

    /// Returns how long to wait now, behind a link that was `replaced` at least [`REPLACED`]. Between half of it and the whole, by chance: thousands of
    /// agents must not come back in the same second.
    pub fn next(&mut self, is_replaced: bool) -> Duration {
        let wait = if is_replaced { self.0.max(REPLACED) } else { self.0 };
        self.0 = (wait * 2).min(LONGEST);
        let chance = RandomState::new().build_hasher().finish() % 1024;
        if wait == FIRST { wait } else { wait / 2 + wait * u32::try_from(chance).unwrap_or(0) / 2048 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_half_a_minute_with_some_chance_in_it() {
        let mut backoff = Backoff::default();
        for most in [1, 2, 4, 8, 16, 30, 30, 30] {
            let wait = backoff.next(false);
            let most = Duration::from_secs(most);
            assert!(wait <= most && wait >= most / 2, "{wait:?} of {most:?}");
        }
        backoff.was_linked(Duration::from_secs(5));
        assert!((FIRST..=SHORT).contains(&backoff.next(false)), "a link that breaks at once is no reason to hurry");
        backoff.was_linked(GOOD);
        assert_eq!(backoff.next(false), FIRST);
        backoff.was_linked(GOOD);
        assert!(backoff.next(true) >= REPLACED / 2);
        let mut waits: Vec<_> = (0..20).map(|_| backoff.next(false)).collect();
        waits.sort();
        waits.dedup();
        assert!(waits.len() > 5, "there is no chance in it");
    }
}
