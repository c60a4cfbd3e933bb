//! The queue between threads that have jobs and the workers. Plain channels.

use std::cell::Cell;

use crossbeam_channel::{Receiver, Sender, bounded};

/// Jobs that wait for a worker; one connection has at most one.
pub const MAX_READY: usize = 1024;

thread_local! {
    /// Whether this thread is the one that receives.
    static RECEIVING: Cell<bool> = const { Cell::new(false) };
}

/// Wakes a worker that waits for a request.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// Jobs that wait, and the token of the worker that receives.
pub struct Workers<J> {
    /// Boxed, since the channel allocates all [`MAX_READY`] slots at once.
    ready: (Sender<Box<J>>, Receiver<Box<J>>),
    /// Holds one token: the worker that has taken it receives.
    receiver: (Sender<()>, Receiver<()>),
    wake: Wake,
}

impl<J> Workers<J> {
    /// Creates an empty queue. `wake` wakes the worker that receives.
    pub fn new(wake: Wake) -> Self {
        let (ready, receiver) = (bounded(MAX_READY), bounded(1));
        receiver.0.try_send(()).expect("the channel was made for one token, and is empty");
        Self { ready, receiver, wake }
    }

    /// Gives a job to the next free worker.
    ///
    /// # Errors
    /// Too many wait: returns it.
    pub fn hand_over(&self, job: J) -> Result<(), J> {
        self.ready.0.try_send(Box::new(job)).map_err(|full| *full.into_inner())?;
        (self.wake)();
        Ok(())
    }

    /// Returns the next job, if there is one.
    pub fn ready(&self) -> Option<J> {
        self.ready.1.try_recv().ok().map(|work| *work)
    }

    /// Waits for the token, so that this thread is the one that receives.
    pub fn receive(&self) {
        if !RECEIVING.replace(true) {
            // It fails only without senders, and one is in `self`.
            let _ = self.receiver.1.recv();
        }
    }

    /// Returns the token: this thread may block, and another worker receives meanwhile.
    pub fn release(&self) {
        if RECEIVING.replace(false) {
            // There is room for the one token.
            let _ = self.receiver.0.try_send(());
        }
    }
}
