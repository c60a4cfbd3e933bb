//! Receiving: one worker at a time takes requests from tiny_http, and the others what was handed over.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::http::exchange::Exchange;
use crate::http::exchange::{Job, Workers};
use crate::http::gate::{Gate, number_in};
use crate::http::request::Heard;
use crate::runtime::shutdown::fault;

/// How long a worker that has run out of work looks for more before it sleeps, leaving the processor to
/// whoever wants it. To be woken on a processor that has gone idle takes 25 µs on a virtual machine, and the
/// agent's socket then wakes another one. Under load this is a fifth of the throughput; at rest
/// workers look on after each look of the watchdog, for 0.01 % of a processor.
pub const LOOK_ON: Duration = Duration::from_micros(150);

/// Where workers get their work from.
pub struct RequestReceiver {
    server: Arc<tiny_http::Server>,
    gate: Arc<Gate>,
    workers: Arc<Workers>,
}

impl RequestReceiver {
    /// Receives what `server` hears through `gate`, and what `workers` are handed.
    pub fn new(server: Arc<tiny_http::Server>, gate: Arc<Gate>, workers: Arc<Workers>) -> Self {
        Self { server, gate, workers }
    }

    /// Waits for something to do. Returns none when what came does not count.
    ///
    /// One worker at a time receives, so that one command needs no other thread to be woken than its own agent's. It goes
    /// on receiving until it calls [`Workers::release`], which it must before it does anything that may wait.
    ///
    /// # Errors
    /// tiny_http accepts no connections any more (T3), or has heard something that passed the gate by.
    pub fn next(&self) -> io::Result<Option<Job>> {
        self.workers.receive();
        let until = Instant::now() + LOOK_ON;
        loop {
            if let Some(work) = self.look()? {
                return Ok(Some(work));
            }
            if Instant::now() >= until {
                break;
            }
            std::thread::yield_now();
        }
        match self.server.recv() {
            Ok(request) => self.take(request),
            // What `unblock` makes has no code of the system's.
            Err(error) if error.raw_os_error().is_none() => Ok(self.workers.ready()),
            Err(error) => Err(error),
        }
    }

    /// Returns something to do, if it is there already.
    fn look(&self) -> io::Result<Option<Job>> {
        if let Some(request) = self.server.try_recv()? {
            if let Some(work) = self.take(request)? {
                return Ok(Some(work));
            }
        }
        // What is handed over comes with a wake-up, which `try_recv` may have swallowed.
        Ok(self.workers.ready())
    }

    fn take(&self, request: tiny_http::Request) -> io::Result<Option<Job>> {
        // A test's fault is a request that has come to tiny_http by another way.
        let number = number_in(&request).filter(|_| fault("gate").is_ok()).ok_or_else(|| {
            io::Error::other(
                "tiny_http has read past the gate: this build of Rust calls other functions for it",
            )
        })?;
        let Some((line, body)) = self.gate.take(number) else { return Ok(None) };
        let heard = Heard { request, gate: self.gate.clone(), line };
        Ok(Some(Job::Request(Exchange::new(Box::new(heard), self.workers.clone()), body)))
    }
}
