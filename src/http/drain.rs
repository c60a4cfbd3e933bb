//! Draining: a stopping relay waits for the responses under way and starts no more.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::sync::{Mutex, lock};

/// Tracks outstanding responses by the number of live guards.
pub struct Drain {
    /// Cloned into every guard; dropped when the relay stops.
    open: Mutex<Option<Sender<()>>>,
    /// Disconnected once every guard is dropped.
    drained: Receiver<()>,
}

impl Drain {
    /// Creates it without guards.
    pub fn new() -> Self {
        let (open, drained) = bounded(0);
        Self { open: Mutex::new(Some(open)), drained }
    }

    /// Returns a guard to hold until the response is sent, or `None` during shutdown.
    pub fn guard(&self) -> Option<Sender<()>> {
        lock(&self.open).clone()
    }

    /// Gives out no more guards.
    pub fn close(&self) {
        lock(&self.open).take();
    }

    /// Waits until all guards are dropped, at most for `longest`.
    pub fn wait(&self, longest: Duration) {
        let _ = self.drained.recv_timeout(longest);
    }
}
