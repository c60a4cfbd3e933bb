//! Kicks: throw-away connections to ourselves that free what tiny_http's pool left stranded (T2).
//!
//! The pool can queue several new connections behind one idle thread; a stranded one waits until
//! another connection ends, and each end frees one. Every connection of a burst but the stranded ones
//! brings a request, so the first request of a new connection is the event that schedules a look or two;
//! so many as are stranded then, so many kicks there are.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// When the relay looks for connections that tiny_http's pool left stranded (T2), after the first request
/// of a new one.
pub const KICKS: [Duration; 3] =
    [Duration::from_millis(2), Duration::from_millis(8), Duration::from_millis(30)];

/// When to look for stranded connections. Plain data.
#[derive(Debug, Default)]
pub struct Looks {
    /// After the first request of a new connection.
    planned: VecDeque<Instant>,
    /// For those that the last look has found.
    again: Option<Instant>,
}

impl Looks {
    /// A new connection has brought its first request: others of its burst may be stranded. Returns
    /// whether the first of these looks is a new one, so that the clock must be woken.
    pub fn plan(&mut self, now: Instant) -> bool {
        match self.planned.len() {
            0 => {
                self.planned.extend(KICKS.iter().map(|after| now + *after));
                true
            }
            1 => {
                // A long burst: one more for those that came after the last was planned.
                self.planned.push_back(now + KICKS[KICKS.len() - 1]);
                false
            }
            _ => false,
        }
    }

    /// Returns whether it is time to look.
    pub fn due(&mut self, now: Instant) -> bool {
        let coming = self.planned.partition_point(|at| *at <= now);
        let is_planned = self.planned.drain(..coming).count() > 0;
        is_planned | self.again.take_if(|at| *at <= now).is_some()
    }

    /// A look has found connections that are to be kicked then.
    pub fn found(&mut self, again: Option<Instant>) {
        self.again = again;
    }

    /// Returns when the next look is.
    pub fn next(&self) -> Option<Instant> {
        self.planned.front().copied().into_iter().chain(self.again).min()
    }
}

/// Connects to `to` without waiting, and is gone again: the pool thread that serves such a connection finds
/// its end, and takes up a stranded one.
///
/// # Errors
/// The system gives no socket, or nobody listens.
pub fn kick(to: SocketAddr) -> rustix::io::Result<()> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &to) {
        Err(rustix::io::Errno::INPROGRESS) | Ok(()) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    #[test]
    fn a_burst_is_looked_at_three_times_and_a_long_one_once_more() {
        let (mut looks, now) = (Looks::default(), Instant::now());
        assert!(looks.plan(now), "the clock must be woken");
        assert!(!looks.plan(now), "it knows already");
        assert_eq!(looks.next(), Some(now + KICKS[0]));
        assert!(!looks.due(now));
        assert!(looks.due(now + KICKS[0]) && !looks.due(now + KICKS[0]));
        assert!(looks.due(now + KICKS[1]));
        let later = now + KICKS[1];
        assert!(!looks.plan(later), "the last look of before is still to come");
        assert!(looks.due(now + KICKS[2]));
        assert_eq!(looks.next(), Some(later + KICKS[2]));
        assert!(looks.due(later + KICKS[2]));
        assert_eq!(looks.next(), None);
    }

    #[test]
    fn what_was_found_is_looked_at_again_and_only_the_last_word_counts() {
        let (mut looks, now) = (Looks::default(), Instant::now());
        let again = Duration::from_millis(4);
        looks.found(Some(now + again));
        looks.found(Some(now + 2 * again));
        assert!(!looks.due(now + again));
        assert_eq!(looks.next(), Some(now + 2 * again));
        assert!(looks.due(now + 2 * again));
        assert_eq!(looks.next(), None);
        looks.found(Some(now + again));
        looks.found(None);
        assert_eq!(looks.next(), None);
    }

    #[test]
    fn two_reasons_to_look_at_once_are_one_look() {
        let (mut looks, now) = (Looks::default(), Instant::now());
        looks.plan(now);
        looks.found(Some(now + KICKS[0]));
        assert!(looks.due(now + KICKS[0]) && !looks.due(now + KICKS[0]));
    }

    #[test]
    fn a_kick_is_a_connection_that_is_gone_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        kick(listener.local_addr().unwrap()).unwrap();
        let at_most = Timespec { tv_sec: 20, tv_nsec: 0 };
        assert_eq!(poll(&mut [PollFd::new(&listener, PollFlags::IN)], Some(&at_most)), Ok(1));
        let (mut accepted, _) = listener.accept().unwrap();
        assert!(matches!(accepted.read(&mut [0]), Ok(0) | Err(_)));
    }

    #[test]
    fn a_kick_does_not_wait_for_a_listener_that_is_too_busy() {
        let listener = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let listener = TcpListener::from(listener);
        let address = listener.local_addr().unwrap();
        let (done, kicked) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            (0..4).for_each(|_| kick(address).unwrap());
            done.send(()).unwrap();
        });
        kicked.recv_timeout(Duration::from_secs(20)).expect("it waits");
    }
}
