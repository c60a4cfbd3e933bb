//! Going through the connections: as often as it takes to bound what tiny_http does not (T5, T6), and as
//! soon as some may be stranded (T2).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http::connections::Connections;
use crate::http::kicks::Looks;
use crate::http::request::Request;
use crate::upkeep::clock::Alarm;

/// How often the connections are gone through. In the time between, whoever sends one header line
/// without end can't make more than some 25 MB of it (T5).
pub const SWEEP_EVERY: Duration = Duration::from_millis(250);

/// The same while no connection keeps us waiting: half the idle CPU, for up to 50 MB once.
pub const SWEEP_IDLE: Duration = Duration::from_millis(500);

/// Connections that may keep us waiting; past it those that have for the longest are cut, so that honest
/// requests always find a thread. Fewer where `ulimit -n` is low.
pub const MAX_CONNECTIONS: usize = 512;

/// Descriptors that are not connections, and those of connections that come between two sweeps.
pub const SPARE_DESCRIPTORS: usize = 64;

/// Goes through the connections of a listener.
pub struct Sweeper<R: Request> {
    connections: Arc<Connections<R>>,
    kick: Kick,
    alarm: Alarm,
    room: usize,
    schedule: Mutex<Schedule>,
    /// The port that the watchdog asks `/health` from, whose connections need no kick. 0 is none.
    own_port: AtomicU16,
}

/// Makes one throw-away connection to the listener.
pub type Kick = Box<dyn Fn() -> std::io::Result<()> + Send + Sync>;

struct Schedule {
    next: Instant,
    looks: Looks,
}

impl<R: Request> Sweeper<R> {
    /// Sweeps `connections` from `now` on, and leaves room for as many as `descriptors` allow. `alarm`
    /// wakes whoever calls [`Sweeper::tend`].
    pub fn new(
        connections: Arc<Connections<R>>,
        kick: Kick,
        descriptors: usize,
        alarm: Alarm,
        now: Instant,
    ) -> Self {
        // tiny_http takes two descriptors for a connection.
        let room = (descriptors.saturating_sub(SPARE_DESCRIPTORS) / 2).clamp(1, MAX_CONNECTIONS);
        let schedule = Mutex::new(Schedule { next: now, looks: Looks::default() });
        Self { connections, kick, alarm, room, schedule, own_port: AtomicU16::new(0) }
    }

    /// Tells from which port the watchdog asks.
    pub fn set_own_port(&self, port: u16) {
        self.own_port.store(port, Relaxed);
    }

    /// A new connection of this peer has brought its first request.
    pub fn notice(&self, peer: SocketAddr, now: Instant) {
        if peer.port() != self.own_port.load(Relaxed) && self.lock().looks.plan(now) {
            self.alarm.ring();
        }
    }

    /// Sweeps and looks when it is time to. Returns when it is again.
    pub fn tend(&self, now: Instant) -> Option<Instant> {
        let mut schedule = self.lock();
        let is_due = now >= schedule.next;
        // A look comes milliseconds after a burst began: who is new then has had no time to bring its request,
        // and must not have to make room.
        let room = if is_due { self.room } else { usize::MAX };
        if !(schedule.looks.due(now) | is_due) {
            return schedule.looks.next().into_iter().chain([schedule.next]).min();
        }
        drop(schedule);
        let sweep = self.connections.sweep(now, room);
        for _ in 0..sweep.kicks {
            if let Err(error) = (self.kick)() {
                log::debug!("a connection to ourselves failed: {error}");
                break;
            }
        }
        let mut schedule = self.lock();
        schedule.looks.found(sweep.next_kick);
        if is_due {
            schedule.next = now + if sweep.any_waits { SWEEP_EVERY } else { SWEEP_IDLE };
        }
        schedule.looks.next().into_iter().chain([schedule.next]).min()
    }

    fn lock(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
