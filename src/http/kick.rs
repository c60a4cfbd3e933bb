//! Kicks: throw-away connections to ourselves that free what tiny_http's pool left stranded (T2).
//!
//! The pool can queue several new connections behind one idle thread; a stranded one waits until
//! another connection ends, and each end frees one. Every connection of a burst but the stranded ones
//! brings a request, so the first request of a new connection is the event that schedules a look or two;
//! so many as are stranded then, so many kicks there are.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::clock::Alarm;
use crate::limits::{KICK_AGAIN, KICKS, MAX_KICKS, SWEEP_EVERY};

/// The schedule of kicks.
pub struct Kicks {
    to: SocketAddr,
    alarm: Alarm,
    due: Mutex<VecDeque<Instant>>,
    /// How many were stranded at the last look, and how soon the next one follows.
    pace: Mutex<(usize, Duration)>,
}

impl Kicks {
    /// Kicks the listener that is reached at `to`; `alarm` wakes whoever asks [`Kicks::due`].
    pub fn new(to: SocketAddr, alarm: Alarm) -> Self {
        Self { to, alarm, due: Mutex::default(), pace: Mutex::new((0, KICK_AGAIN)) }
    }

    /// A new connection has brought its first request: others of its burst may be stranded.
    pub fn notice(&self) {
        let now = Instant::now();
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if due.is_empty() {
            due.extend(KICKS.iter().map(|after| now + *after));
            drop(due);
            self.alarm.ring();
        } else if due.len() == 1 {
            // A long burst: one more for those that came after the last was planned.
            due.push_back(now + KICKS[KICKS.len() - 1]);
        }
    }

    /// Whether it is time to look for stranded connections; when it is the next time.
    pub fn due(&self, now: Instant) -> (bool, Option<Instant>) {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let coming = due.partition_point(|at| *at <= now);
        let is_due = due.drain(..coming).count() > 0;
        (is_due, due.front().copied())
    }

    /// Kicks for so many stranded connections, but not all at once: some of them may only look so, and
    /// each kick can cost a thread for a while. Another look follows soon.
    pub fn kick(&self, now: Instant, stranded: usize) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let again = if stranded == pace.0 { (2 * pace.1).min(SWEEP_EVERY) } else { KICK_AGAIN };
        *pace = (stranded, again);
        drop(pace);
        if stranded == 0 {
            return;
        }
        for _ in 0..stranded.min(MAX_KICKS) {
            if let Err(error) = self.connect() {
                log::debug!("a connection to ourselves failed: {error}");
                break;
            }
        }
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let place = due.partition_point(|at| *at <= now + again);
        due.insert(place, now + again);
        drop(due);
        self.alarm.ring();
    }

    /// Connects without waiting, and is gone again: the pool thread that serves such a connection finds
    /// its end, and takes up a stranded one.
    fn connect(&self) -> rustix::io::Result<()> {
        let family = if self.to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        match rustix::net::connect(&socket, &self.to) {
            Err(rustix::io::Errno::INPROGRESS) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
