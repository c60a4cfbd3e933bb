//! Receiving: one worker at a time takes requests from tiny_http, and the others what was handed over.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::http::connections::{Connections, Received};
use crate::http::incoming::{self, Home};
use crate::http::order::MAX_PIPELINED;
use crate::http::sweep::Sweeper;

/// A request of tiny_http's at its turn.
pub type Incoming = incoming::Incoming<tiny_http::Request>;

/// What a worker of tiny_http's requests is given to do.
pub type Work = incoming::Work<tiny_http::Request>;

/// How long a worker that has run out of work looks for more before it sleeps, leaving the processor to
/// whoever wants it. To be woken on a processor that has gone idle takes 25 µs on a virtual machine, and the
/// agent's socket then wakes another one. Under load this is a fifth of the throughput; at rest
/// workers look on after each look of the watchdog, for 0.01 % of a processor.
pub const LOOK_ON: Duration = Duration::from_micros(150);

/// Where workers get their work from.
pub struct Reception {
    server: Arc<tiny_http::Server>,
    connections: Arc<Connections<tiny_http::Request>>,
    sweeper: Arc<Sweeper<tiny_http::Request>>,
    /// Whose requests have come one after another, and how many.
    streak: Mutex<(Option<SocketAddr>, usize)>,
}

impl Reception {
    /// Receives what `server` accepts. `sweeper` is told of new connections.
    pub fn new(
        server: Arc<tiny_http::Server>,
        connections: Arc<Connections<tiny_http::Request>>,
        sweeper: Arc<Sweeper<tiny_http::Request>>,
    ) -> Self {
        Self { server, connections, sweeper, streak: Mutex::default() }
    }

    /// Waits for something to do. Returns none when what came must wait for its turn.
    ///
    /// One worker at a time receives, since two could take two requests of one connection and find
    /// their turns in the wrong order. It goes on receiving until it calls
    /// [`Reception::let_others_receive`], which it must before it does anything that may wait: so no
    /// other thread need be woken for a command that just goes to the agent.
    ///
    /// # Errors
    /// tiny_http accepts no connections any more (T3).
    pub fn next(&self) -> io::Result<Option<Work>> {
        self.connections.receive();
        if let Some(work) = self.look()? {
            return Ok(Some(work));
        }
        let until = Instant::now() + LOOK_ON;
        while Instant::now() < until {
            std::thread::yield_now();
            if let Some(work) = self.look()? {
                return Ok(Some(work));
            }
        }
        match self.server.recv() {
            Ok(request) => self.take(request),
            // What `unblock` makes has no code of the system's.
            Err(error) if error.raw_os_error().is_none() => Ok(self.connections.ready()),
            Err(error) => Err(error),
        }
    }

    /// This thread may have to wait: another receives meanwhile.
    pub fn let_others_receive(&self) {
        self.connections.let_others_receive();
    }

    /// Returns something to do, if it is there already.
    fn look(&self) -> io::Result<Option<Work>> {
        if let Some(request) = self.server.try_recv()?
            && let Some(work) = self.take(request)?
        {
            return Ok(Some(work));
        }
        // What is handed over comes with a wake-up, which `try_recv` may have swallowed.
        Ok(self.connections.ready())
    }

    /// Takes a request. When many have come of one connection and of no other, what tiny_http has parsed
    /// behind it is taken first: its queue has no bound, and a client that sends without reading is told
    /// from one that waits for its answers by that alone.
    fn take(&self, request: tiny_http::Request) -> io::Result<Option<Work>> {
        let peer = request.remote_addr().copied();
        let streak = {
            let mut streak = self.streak.lock().unwrap_or_else(PoisonError::into_inner);
            *streak = (peer, if streak.0 == peer { streak.1 + 1 } else { 0 });
            streak.1
        };
        let work = self.admit(request);
        if streak > MAX_PIPELINED && work.is_some() {
            for _ in 0..=MAX_PIPELINED {
                let Some(behind) = self.server.try_recv()? else { break };
                if let Some(work) = self.admit(behind) {
                    self.connections.hand_over(work);
                }
            }
        }
        Ok(work)
    }

    fn admit(&self, request: tiny_http::Request) -> Option<Work> {
        let peer: SocketAddr = *request.remote_addr()?;
        let now = Instant::now();
        let Received::Ready(incoming, is_first) = self.connections.admit(peer, request, now) else {
            return None;
        };
        if is_first {
            self.sweeper.notice(peer, now);
            if self.connections.is_crowded() {
                self.connections.sweep(now, usize::MAX);
            }
        }
        Some(Work::Request(incoming))
    }
}
