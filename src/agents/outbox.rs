//! What goes to an agent: whole frames, in order, from whichever thread has them, and nobody waits (T1).
//! Whoever finds nobody sending sends there and then; what comes meanwhile goes along with the next packet. What the
//! socket doesn't take at once stays here, and is sent on when it takes more.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use crate::sync::{Mutex, MutexGuard, lock};

/// Bytes that may wait for the agent's socket before the link counts as stuck: several hundred commands.
pub const MAX_OUTBOX: usize = 1024 * 1024;

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

struct State {
    /// What goes out next.
    next: Next,
    /// Behind what is being sent, if anything is.
    unsent: Vec<u8>,
    /// Nothing is taken any more.
    closed: bool,
    /// The connection ends behind what is being sent.
    finishes: bool,
    /// Why the relay ended the link, if it did; the first reason counts.
    why: Option<String>,
}

/// What the next byte waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The end of the handshake.
    Handshake,
    /// Nothing, and nothing is unsent.
    Nothing,
    /// The thread that is sending so many bytes.
    Sender(usize),
    /// The socket, which takes no more.
    Room,
    /// No byte goes out any more.
    Never,
}

impl State {
    fn end(&mut self, why: &str) {
        self.why.get_or_insert_with(|| why.to_owned());
        self.closed = true;
    }

    /// How many bytes wait for the socket.
    fn waiting(&self) -> usize {
        let sending = if let Next::Sender(bytes) = self.next { bytes } else { 0 };
        self.unsent.len() + sending
    }
}

impl Outbox {
    /// Sends over `wire`, but nothing before [`Outbox::open`]. At most `most` bytes may wait.
    pub fn new(wire: Box<dyn Wire>, most: usize) -> Self {
        let (next, unsent) = (Next::Handshake, Vec::new());
        let state = State { next, unsent, closed: false, finishes: false, why: None };
        Self { wire, state: Mutex::new(state), most }
    }

    /// The handshake is out: sends what has waited for it.
    pub fn open(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        if state.next == Next::Handshake {
            state.next = Next::Nothing;
            let unsent = std::mem::take(&mut state.unsent);
            // A link that is down is ended by its reader.
            let _ = self.begin(state, &unsent);
        }
    }

    /// Sends whole frames behind all that came before, without waiting. A command among them may have reached the
    /// agent unless this fails.
    ///
    /// # Errors
    /// The link is closed, or too much waits on it, which ends it: none of these bytes has gone out, or ever will.
    pub fn send(self: &Arc<Self>, frames: &[u8]) -> Result<(), LinkDown> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(LinkDown);
        }
        if state.waiting() + frames.len() > self.most {
            self.break_off(&mut state, "too much waited to be sent to it");
            return Err(LinkDown);
        }
        self.begin(state, frames)
    }

    /// Sends `farewell`, after which nothing is taken any more. `why` is for the log.
    pub fn close(self: &Arc<Self>, farewell: &[u8], why: &str) {
        let mut state = lock(&self.state);
        if !state.closed {
            // Under the same lock, or the confirmation of the agent's close could follow as a second one.
            state.end(why);
            // If the connection is broken, its reader finds out.
            let _ = self.begin(state, farewell);
        }
    }

    /// Ends the connection at once. `why` is for the log.
    pub fn cut(&self, why: &str) {
        self.break_off(&mut lock(&self.state), why);
    }

    /// Takes nothing any more, and ends the connection behind what was sent.
    pub fn finish(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        match state.next {
            Next::Sender(_) => state.finishes = true,
            _ => self.finish_now(&mut state),
        }
    }

    /// Takes nothing any more: the connection is over.
    pub fn end(&self) {
        lock(&self.state).closed = true;
    }

    /// Returns why the relay ended the link, if it did.
    pub fn why(&self) -> Option<String> {
        lock(&self.state).why.clone()
    }

    /// The socket takes more. Returns how many bytes it took, and whether it must be waited for again;
    /// none when the link is down.
    pub fn resume(&self) -> Option<(usize, bool)> {
        let mut state = lock(&self.state);
        if state.next != Next::Room {
            return None;
        }
        let unsent = std::mem::take(&mut state.unsent);
        let (sent, next) = self.pump(state, unsent.into());
        (next != Next::Never).then_some((sent, next == Next::Room))
    }

    /// Sends `frames` there and then if nothing is before them, and has the socket waited for if it doesn't take all.
    fn begin(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        frames: &[u8],
    ) -> Result<(), LinkDown> {
        if state.next != Next::Nothing {
            state.unsent.extend_from_slice(frames);
            return Ok(());
        }
        if frames.is_empty() {
            return Ok(());
        }
        let (sent, mut next) = self.pump(state, frames.into());
        if next == Next::Room && !self.wire.await_room(self) {
            self.cut("too many sockets are waited for");
            next = Next::Never;
        }
        if next == Next::Never && sent == 0 { Err(LinkDown) } else { Ok(()) }
    }

    /// Sends `bytes`, and then what has come meanwhile, for as long as the socket takes all of it. Nobody else sends, and
    /// the lock is free, while it does. Returns how many bytes have gone out, and what the next one waits for.
    fn pump<'a>(&'a self, mut state: MutexGuard<'a, State>, mut bytes: Cow<'_, [u8]>) -> (usize, Next) {
        let mut sent = 0;
        loop {
            state.next = Next::Sender(bytes.len());
            drop(state);
            let taken = self.wire.send(&bytes);
            state = lock(&self.state);
            if taken.is_err() {
                self.break_off(&mut state, "its connection broke");
            }
            let taken = taken.unwrap_or(0);
            sent += taken;
            let is_all = taken == bytes.len();
            if state.next == Next::Never {
                // It broke, or was cut meanwhile.
            } else if is_all && !state.unsent.is_empty() {
                bytes = std::mem::take(&mut state.unsent).into();
                continue;
            } else if state.finishes {
                self.finish_now(&mut state);
            } else if is_all {
                state.next = Next::Nothing;
            } else {
                state.next = Next::Room;
                let mut rest = bytes.into_owned();
                rest.drain(..taken);
                rest.append(&mut state.unsent);
                state.unsent = rest;
            }
            return (sent, state.next);
        }
    }

    fn finish_now(&self, state: &mut State) {
        state.next = Next::Never;
        self.wire.finish();
    }

    fn break_off(&self, state: &mut State, why: &str) {
        state.end(why);
        state.next = Next::Never;
        state.unsent = Vec::new();
        self.wire.shut();
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
#[path = "../../tests/models/outbox.rs"]
mod tests;

#[cfg(all(test, feature = "shuttle"))]
#[path = "../../tests/models/outbox_schedules.rs"]
mod schedules;
