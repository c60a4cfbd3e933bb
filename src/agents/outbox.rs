//! What goes to an agent: whole frames, in order, from whichever thread has them, and nobody waits (T1).
//! What the socket doesn't take at once stays here, and is sent on when it takes more.

use std::io;
use std::sync::{Arc, PoisonError};

#[cfg(feature = "shuttle")]
use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(feature = "shuttle"))]
use std::sync::{Mutex, MutexGuard};

/// Bytes that may wait for the agent's socket before the link counts as stuck: several hundred commands.
pub const MAX_OUTBOX: usize = 1024 * 1024;

/// Bytes of commands that go to the agent without waiting for more to go along.
pub const FLUSH_AT: usize = 16 * 1024;

/// The link takes nothing any more.
#[derive(Debug, PartialEq, Eq)]
pub struct LinkDown;

/// The socket under a link.
pub trait Wire: Send + Sync {
    /// Sends what can be sent without waiting. Returns how many bytes; 0 when none can be now.
    ///
    /// # Errors
    /// The connection is broken.
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Ends the connection both ways at once: what was sent and has not arrived is thrown away.
    fn shut(&self);

    /// Ends the connection both ways: what was sent still arrives.
    fn finish(&self) {
        self.shut();
    }

    /// Has [`Outbox::go_on`] called as soon as the socket takes more, and [`Outbox::cut`] if it doesn't.
    /// Returns whether it can be waited for: too many others may be.
    fn await_room(&self, outbox: &Arc<Outbox>) -> bool;
}

/// What is to be sent on one link.
pub struct Outbox {
    wire: Box<dyn Wire>,
    state: Mutex<State>,
    most: usize,
}

#[derive(Default)]
struct State {
    unsent: Vec<u8>,
    /// Whether the socket is waited for, or everything waits for the end of the handshake.
    waits: bool,
    /// Nothing is taken any more.
    closed: bool,
    /// Why the relay ended the link, if it did; the first reason counts.
    why: Option<String>,
}

impl State {
    fn end(&mut self, why: &str) {
        self.why.get_or_insert_with(|| why.to_owned());
        self.closed = true;
    }

    /// So many bytes have been sent. A buffer that has been large is not kept.
    fn take(&mut self, sent: usize) {
        self.unsent.drain(..sent);
        if self.unsent.is_empty() && self.unsent.capacity() > 2 * FLUSH_AT {
            self.unsent = Vec::new();
        }
    }
}

impl Outbox {
    /// Sends over `wire`, but nothing before [`Outbox::open`]. At most `most` bytes may wait.
    pub fn new(wire: Box<dyn Wire>, most: usize) -> Self {
        let state = State { waits: true, ..State::default() };
        Self { wire, state: Mutex::new(state), most }
    }

    /// The handshake is out: sends what has waited for it.
    pub fn open(self: &Arc<Self>) {
        let mut state = self.lock();
        state.waits = false;
        // A link that is down is ended by its reader.
        let _ = self.send_some(&mut state);
    }

    /// Puts whole frames in, which go out with the next [`Outbox::flush`], so that commands that come
    /// together go together; a large heap of them goes out at once.
    ///
    /// # Errors
    /// The link is closed, or too much waits on it, which ends it.
    pub fn put(self: &Arc<Self>, frames: &[u8]) -> Result<(), LinkDown> {
        self.add(frames, FLUSH_AT)
    }

    /// Sends whole frames behind those that are in, without waiting.
    ///
    /// # Errors
    /// As [`Outbox::put`].
    pub fn send(self: &Arc<Self>, frames: &[u8]) -> Result<(), LinkDown> {
        self.add(frames, 0)
    }

    /// Sends what is in, without waiting.
    ///
    /// # Errors
    /// As [`Outbox::put`].
    pub fn flush(self: &Arc<Self>) -> Result<(), LinkDown> {
        self.send_some(&mut self.lock())
    }

    /// Sends `farewell`, after which nothing is taken any more. `why` is for the log.
    pub fn close(self: &Arc<Self>, farewell: &[u8], why: &str) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.unsent.extend_from_slice(farewell);
        // If the connection is broken, its reader finds out.
        let _ = self.send_some(&mut state);
        // Under the same lock, or the confirmation of the agent's close could follow as a second one.
        state.end(why);
    }

    /// Ends the connection at once. `why` is for the log.
    pub fn cut(&self, why: &str) {
        self.break_off(&mut self.lock(), why);
    }

    /// Takes nothing any more, and ends the connection behind what was sent.
    pub fn finish(&self) {
        self.lock().closed = true;
        self.wire.finish();
    }

    /// Takes nothing any more: the connection is over.
    pub fn end(&self) {
        self.lock().closed = true;
    }

    /// Returns why the relay ended the link, if it did.
    pub fn why(&self) -> Option<String> {
        self.lock().why.clone()
    }

    /// The socket takes more. Returns how many bytes it took, and whether it must be waited for again;
    /// none when the link is down.
    pub fn go_on(&self) -> Option<(usize, bool)> {
        let mut state = self.lock();
        match self.wire.send(&state.unsent) {
            Ok(sent) => {
                state.take(sent);
                state.waits = !state.unsent.is_empty();
                Some((sent, state.waits))
            }
            Err(_) => {
                self.break_off(&mut state, "its connection broke");
                None
            }
        }
    }

    fn add(self: &Arc<Self>, frames: &[u8], unless_more_than: usize) -> Result<(), LinkDown> {
        let mut state = self.lock();
        if state.closed {
            return Err(LinkDown);
        }
        state.unsent.extend_from_slice(frames);
        if state.unsent.len() > unless_more_than { self.send_some(&mut state) } else { Ok(()) }
    }

    /// Also when the link is closed: the farewell may still be unsent.
    fn send_some(self: &Arc<Self>, state: &mut State) -> Result<(), LinkDown> {
        if !state.waits && !state.unsent.is_empty() {
            match self.wire.send(&state.unsent) {
                Ok(sent) => state.take(sent),
                Err(_) => return Err(self.break_off(state, "its connection broke")),
            }
        }
        if state.unsent.len() > self.most {
            return Err(self.break_off(state, "too much waited to be sent to it"));
        }
        if !state.unsent.is_empty() && !state.waits {
            state.waits = true;
            if !self.wire.await_room(self) {
                return Err(self.break_off(state, "too many sockets are waited for"));
            }
        }
        Ok(())
    }

    fn break_off(&self, state: &mut State, why: &str) -> LinkDown {
        state.end(why);
        self.wire.shut();
        LinkDown
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
#[path = "../../tests/models/outbox.rs"]
mod tests;

#[cfg(all(test, feature = "shuttle"))]
#[path = "../../tests/models/outbox_schedules.rs"]
mod schedules;
