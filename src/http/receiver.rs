//! One worker at a time receives requests from tiny_http; the others take jobs that were handed over.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::http::exchange::{Exchange, Job, Workers};
use crate::http::gate::{Gate, number_in};
use crate::http::request::Heard;
use crate::runtime::shutdown::fault;

/// How long an idle worker polls before it sleeps, yielding the processor. Waking an idle processor takes 25 µs on a
/// virtual machine, and the agent's socket then wakes another. Under load polling adds a fifth to the throughput; at rest
/// it follows each look of the watchdog, for 0.01 % of a processor.
pub const LOOK_ON: Duration = Duration::from_micros(150);

/// The workers' source of jobs.
pub struct RequestReceiver {
    server: Arc<tiny_http::Server>,
    gate: Arc<Gate>,
    workers: Arc<Workers>,
}

impl RequestReceiver {
    /// Receives requests from `server` through `gate`, and what `workers` are handed.
    pub fn new(server: Arc<tiny_http::Server>, gate: Arc<Gate>, workers: Arc<Workers>) -> Self {
        Self { server, gate, workers }
    }

    /// Blocks until there is a job. Returns `None` if what came is no request.
    ///
    /// One worker at a time receives, so that a command wakes no thread but its agent's. It receives until it calls
    /// [`Workers::release`], which it must before anything that may block.
    ///
    /// # Errors
    /// tiny_http accepts no more connections (T3), or has read bytes that did not pass the gate.
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
            // An error by `unblock` has no code of the system's.
            Err(error) if error.raw_os_error().is_none() => Ok(self.workers.ready()),
            Err(error) => Err(error),
        }
    }

    /// Returns a job if there is one already.
    fn look(&self) -> io::Result<Option<Job>> {
        if let Some(request) = self.server.try_recv()? {
            if let Some(work) = self.take(request)? {
                return Ok(Some(work));
            }
        }
        // `try_recv` may have consumed the wake-up of a job that was handed over.
        Ok(self.workers.ready())
    }

    fn take(&self, request: tiny_http::Request) -> io::Result<Option<Job>> {
        // The injected fault is a request that did not pass the gate.
        let number = number_in(&request).filter(|_| fault("gate").is_ok()).ok_or_else(|| {
            io::Error::other(
                "tiny_http has read past the gate: this build of Rust calls other functions for it",
            )
        })?;
        let Some((connection, body)) = self.gate.take_body(number) else { return Ok(None) };
        let heard = Heard { request, gate: self.gate.clone(), connection };
        Ok(Some(Job::Request(Exchange::new(Box::new(heard), self.workers.clone()), body)))
    }
}
