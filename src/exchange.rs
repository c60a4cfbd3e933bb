//! The commands under way: begun, answered, expired, lost. Knows no HTTP and no WebSocket.
//!
//! A command that has been answered no longer exists, so it can't be answered twice.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::MAX_UNDER_WAY;

/// Which link a command was sent on. No two links of a process have the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkId(pub u64);

/// A command under way, and what waits for its answer.
#[derive(Debug)]
pub struct Command<W> {
    /// The id that the agent must repeat.
    pub id: String,
    /// When the turn came in.
    pub begun: Instant,
    /// What waits for the answer.
    pub waiting: W,
}

struct UnderWay<W> {
    command: Command<W>,
    link: LinkId,
    deadline: Instant,
}

/// The commands under way, at most [`MAX_UNDER_WAY`], each with its deadline.
pub struct Exchange<W> {
    prefix: String,
    timeout: Duration,
    table: Mutex<Table<W>>,
}

struct Table<W> {
    next: u64,
    /// By number, and so by deadline too: every command has the same time.
    under_way: BTreeMap<u64, UnderWay<W>>,
    /// Whether the clock will look again by itself. While it will, a new command needn't wake it: its
    /// deadline is later than any before it.
    watched: bool,
}

/// What [`Exchange::begin`] did.
#[derive(Debug)]
pub enum Begun<W> {
    /// The command is under way by this id; `wake_clock` when the clock doesn't watch yet.
    UnderWay {
        /// The id for the agent's message.
        id: String,
        /// Whether the clock must be woken to watch the deadline.
        wake_clock: bool,
    },
    /// [`MAX_UNDER_WAY`] commands are under way already.
    Full(W),
}

impl<W> Exchange<W> {
    /// An empty table whose ids begin with `prefix` and whose commands wait for `timeout`.
    pub fn new(prefix: String, timeout: Duration) -> Self {
        let table = Table { next: 0, under_way: BTreeMap::new(), watched: false };
        Self { prefix, timeout, table: Mutex::new(table) }
    }

    /// Registers a command that is about to be sent on `link`.
    pub fn begin(&self, link: LinkId, begun: Instant, waiting: W) -> Begun<W> {
        let mut table = self.lock();
        if table.under_way.len() >= MAX_UNDER_WAY {
            return Begun::Full(waiting);
        }
        let number = table.next;
        table.next += 1;
        let id = format!("{}-{number}", self.prefix);
        let deadline = begun + self.timeout;
        let command = Command { id: id.clone(), begun, waiting };
        table.under_way.insert(number, UnderWay { command, link, deadline });
        let wake_clock = !std::mem::replace(&mut table.watched, true);
        Begun::UnderWay { id, wake_clock }
    }

    /// Takes the command that `id` names, if it is still under way on `link`.
    pub fn complete(&self, link: LinkId, id: &str) -> Option<Command<W>> {
        let number = id.strip_prefix(&self.prefix)?.strip_prefix('-')?.parse().ok()?;
        let mut table = self.lock();
        let found = table.under_way.get(&number)?;
        if found.link != link || found.command.id != id {
            return None;
        }
        table.under_way.remove(&number).map(|found| found.command)
    }

    /// Takes every command whose deadline has come, with the link it was sent on, and tells when to look again; none means not
    /// before the next [`Begun::UnderWay`] that says `wake_clock`.
    pub fn expire(&self, now: Instant) -> (Vec<(LinkId, Command<W>)>, Option<Instant>) {
        let mut table = self.lock();
        let mut expired = Vec::new();
        let next = loop {
            match table.under_way.first_entry() {
                Some(first) if first.get().deadline <= now => {
                    let UnderWay { command, link, .. } = first.remove();
                    expired.push((link, command));
                }
                Some(first) => break Some(first.get().deadline),
                None => break None,
            }
        };
        table.watched = next.is_some();
        (expired, next)
    }

    /// Takes every command that was sent on `link`.
    pub fn lose(&self, link: LinkId) -> Vec<Command<W>> {
        let mut table = self.lock();
        table.under_way.extract_if(.., |_, c| c.link == link).map(|(_, c)| c.command).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table<W>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: LinkId = LinkId(1);

    fn exchange() -> Exchange<&'static str> {
        Exchange::new("ab12".into(), Duration::from_secs(4))
    }

    fn begin(exchange: &Exchange<&'static str>, link: LinkId, at: Instant) -> (String, bool) {
        match exchange.begin(link, at, "waiting") {
            Begun::UnderWay { id, wake_clock } => (id, wake_clock),
            Begun::Full(_) => panic!("full"),
        }
    }

    #[test]
    fn a_command_is_completed_once_and_only_from_its_own_link() {
        let exchange = exchange();
        let (id, _) = begin(&exchange, LINK, Instant::now());
        assert!(exchange.complete(LinkId(2), &id).is_none());
        assert_eq!(exchange.complete(LINK, &id).unwrap().waiting, "waiting");
        assert!(exchange.complete(LINK, &id).is_none());
    }

    #[test]
    fn an_id_that_is_written_otherwise_is_not_the_id() {
        let exchange = exchange();
        let (id, _) = begin(&exchange, LINK, Instant::now());
        assert_eq!(id, "ab12-0");
        for other in ["", "0", "ab12-", "ab12-00", "ab12-+0", "ab12-1", "AB12-0", "ab13-0"] {
            assert!(exchange.complete(LINK, other).is_none(), "{other}");
        }
    }

    #[test]
    fn commands_expire_at_their_deadline_and_not_before() {
        let exchange = exchange();
        let start = Instant::now();
        let (first, wake) = begin(&exchange, LINK, start);
        assert!(wake);
        let (_, wake) = begin(&exchange, LINK, start + Duration::from_secs(1));
        assert!(!wake, "the clock already watches the earlier one");

        let (expired, next) = exchange.expire(start + Duration::from_millis(3999));
        assert!(expired.is_empty());
        assert_eq!(next, Some(start + Duration::from_secs(4)));
        let (expired, next) = exchange.expire(start + Duration::from_secs(4));
        assert_eq!(expired.iter().map(|(_, c)| c.id.as_str()).collect::<Vec<_>>(), [first]);
        assert_eq!(next, Some(start + Duration::from_secs(5)));
        let (expired, next) = exchange.expire(start + Duration::from_secs(9));
        assert_eq!((expired.len(), next), (1, None));
        assert!(begin(&exchange, LINK, start).1, "nobody watches any more");
    }

    #[test]
    fn a_lost_link_takes_its_own_commands_along() {
        let exchange = exchange();
        let (lost, _) = begin(&exchange, LINK, Instant::now());
        let (kept, _) = begin(&exchange, LinkId(2), Instant::now());
        let taken = exchange.lose(LINK);
        assert_eq!(taken.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), [lost]);
        assert!(exchange.complete(LinkId(2), &kept).is_some());
    }

    #[test]
    fn one_command_too_many_is_handed_back() {
        let exchange = exchange();
        for _ in 0..MAX_UNDER_WAY {
            begin(&exchange, LINK, Instant::now());
        }
        assert!(matches!(exchange.begin(LINK, Instant::now(), "more"), Begun::Full("more")));
    }
}
