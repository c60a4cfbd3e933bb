//! What the workers share: work that was handed over, and who of them receives.

use std::cell::Cell;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::http::answer::Answer;
use crate::http::incoming::Incoming;

/// Work that was handed over and waits for a worker. One connection has at most one.
pub const MAX_READY: usize = 1024;

thread_local! {
    /// Whether this thread is the one that receives.
    static RECEIVING: Cell<bool> = const { Cell::new(false) };
}

/// What a worker is given to do.
pub enum Work {
    /// A request, with its body.
    Request(Incoming, Vec<u8>),
    /// An answer that a thread without time to spare has decided on, and whether it ends the connection.
    Answer(Incoming, Answer, bool),
}

/// Wakes a worker that waits for a request.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// What was handed over, and the token of who receives.
pub struct Workers {
    /// Boxed, since the channel makes room for all of [`MAX_READY`] at once.
    ready: (Sender<Box<Work>>, Receiver<Box<Work>>),
    /// Holds one token: whoever has taken it receives.
    reception: (Sender<()>, Receiver<()>),
    wake: Wake,
}

impl Workers {
    /// Nothing is handed over yet. `wake` wakes whoever receives.
    pub fn new(wake: Wake) -> Self {
        let (ready, reception) = (bounded(MAX_READY), bounded(1));
        reception.0.try_send(()).expect("the channel was made for one token, and is empty");
        Self { ready, reception, wake }
    }

    /// Gives work to the next free worker. When too much waits, the connection is cut instead.
    pub fn hand_over(&self, work: Work) {
        match self.ready.0.try_send(Box::new(work)) {
            Ok(()) => (self.wake)(),
            Err(full) => match *full.into_inner() {
                Work::Request(incoming, _) | Work::Answer(incoming, ..) => incoming.cut(),
            },
        }
    }

    /// Returns what was handed over, if there is something.
    pub fn ready(&self) -> Option<Work> {
        self.ready.1.try_recv().ok().map(|work| *work)
    }

    /// Makes this thread the one that receives, once the one that does lets others.
    pub fn receive(&self) {
        if !RECEIVING.replace(true) {
            // It fails only without senders, and one is in `self`.
            let _ = self.reception.1.recv();
        }
    }

    /// This thread may have to wait: another receives meanwhile.
    pub fn let_others_receive(&self) {
        if RECEIVING.replace(false) {
            // There is room: the token that was in it is the one that this thread holds.
            let _ = self.reception.0.try_send(());
        }
    }
}
