//! What the workers share: work that was handed over, and who of them receives.

use std::cell::Cell;

use crossbeam_channel::{Receiver, Sender, bounded};

/// Work that was handed over and waits for a worker. One connection has at most one.
pub const MAX_READY: usize = 1024;

thread_local! {
    /// Whether this thread is the one that receives.
    static RECEIVING: Cell<bool> = const { Cell::new(false) };
}

/// Wakes a worker that waits for a request.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// What was handed over, and the token of who receives.
pub struct Workers<J> {
    /// Boxed, since the channel makes room for all of [`MAX_READY`] at once.
    ready: (Sender<Box<J>>, Receiver<Box<J>>),
    /// Holds one token: whoever has taken it receives.
    receiver: (Sender<()>, Receiver<()>),
    wake: Wake,
}

impl<J> Workers<J> {
    /// Nothing is handed over yet. `wake` wakes whoever receives.
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

    /// Returns what was handed over, if there is something.
    pub fn ready(&self) -> Option<J> {
        self.ready.1.try_recv().ok().map(|work| *work)
    }

    /// Makes this thread the one that receives, once the one that does lets others.
    pub fn receive(&self) {
        if !RECEIVING.replace(true) {
            // It fails only without senders, and one is in `self`.
            let _ = self.receiver.1.recv();
        }
    }

    /// This thread may have to wait: another receives meanwhile.
    pub fn release(&self) {
        if RECEIVING.replace(false) {
            // There is room: the token that was in it is the one that this thread holds.
            let _ = self.receiver.0.try_send(());
        }
    }
}
