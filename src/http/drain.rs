//! Answers that are owed when the relay is stopped: it waits for them, and takes on no more.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::sync::{Mutex, lock};

/// Counts what is owed by who holds a part of it.
pub struct Drain {
    /// Cloned for every answer that is owed; gone once the relay is stopping.
    open: Mutex<Option<Sender<()>>>,
    /// Ends when every answer is out and no more are taken on.
    drained: Receiver<()>,
}

impl Drain {
    /// Nothing is owed yet.
    pub fn new() -> Self {
        let (open, drained) = bounded(0);
        Self { open: Mutex::new(Some(open)), drained }
    }

    /// Returns what must be held until one more answer is out; none once the relay is stopping.
    pub fn guard(&self) -> Option<Sender<()>> {
        lock(&self.open).clone()
    }

    /// Takes on no more.
    pub fn close(&self) {
        lock(&self.open).take();
    }

    /// Waits until nothing is owed, but not longer than `longest`.
    pub fn wait(&self, longest: Duration) {
        let _ = self.drained.recv_timeout(longest);
    }
}
