//! Frames on their way to an agent: whole, in order, from any thread, without waiting (T1). A thread that finds nobody
//! sending sends at once; what others add meanwhile goes into its next packet. What the socket does not take stays here,
//! and is sent when it takes more.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use crate::sync::{Mutex, MutexGuard, lock};

/// Bytes that may wait for the agent's socket before the link counts as stuck: several hundred commands.
pub const MAX_OUTBOX: usize = 1024 * 1024;

/// The link sends nothing any more.
#[derive(Debug, PartialEq, Eq)]
pub struct LinkDown;

/// The socket of a link.
pub trait Wire: Send + Sync {
    /// Sends what can be sent without waiting. Returns the number of bytes, 0 if none.
    ///
    /// # Errors
    /// The connection is broken.
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Closes the connection both ways at once, and drops what was sent but has not arrived.
    fn abort(&self);

    /// Closes the connection both ways; what was sent still arrives.
    fn finish(&self) {
        self.abort();
    }

    /// Arranges for [`Outbox::resume`] once the socket takes more, or [`Outbox::cut`] if it does not. Returns false if too
    /// many sockets are waited for already.
    fn await_room(&self, outbox: &Arc<Outbox>) -> bool;
}

/// The frames of one link that wait to be sent.
pub struct Outbox {
    wire: Box<dyn Wire>,
    state: Mutex<State>,
    most: usize,
}

struct State {
    /// What the next byte waits for.
    next: Next,
    /// Bytes behind those that are being sent.
    unsent: Vec<u8>,
    /// No more frames are accepted.
    closed: bool,
    /// The connection is closed when the running send returns; what the socket did not take is dropped.
    finishes: bool,
    /// Why the relay ended the link, if it did; the first reason counts.
    why: Option<String>,
}

/// What the next byte waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The end of the handshake.
    Handshake,
    /// Nothing: no byte is unsent.
    Nothing,
    /// The thread that is sending this many bytes.
    Sender(usize),
    /// The socket, which takes no more.
    Room,
    /// No byte is sent any more.
    Never,
}

impl State {
    fn end(&mut self, why: &str) {
        self.why.get_or_insert_with(|| why.to_owned());
        self.closed = true;
    }

    /// Returns the number of bytes that wait for the socket.
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

    /// The handshake is sent: sends what has waited for it.
    pub fn open(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        if state.next == Next::Handshake {
            state.next = Next::Nothing;
            let unsent = std::mem::take(&mut state.unsent);
            // Its reader ends a link that is down.
            let _ = self.begin(state, &unsent);
        }
    }

    /// Sends whole frames behind all that came before, without waiting. Unless this fails, a command among them may have
    /// reached the agent.
    ///
    /// # Errors
    /// The link is closed, its connection broke, or too many bytes or sockets wait; all but the first end it. None of these
    /// bytes was sent, or ever will be.
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

    /// Sends `farewell`, after which no frame is accepted. `why` is for the log.
    pub fn close(self: &Arc<Self>, farewell: &[u8], why: &str) {
        let mut state = lock(&self.state);
        if !state.closed {
            // Under the same lock, or the confirmation of the agent's close could follow as a second close frame.
            state.end(why);
            // If the connection is broken, its reader finds out.
            let _ = self.begin(state, farewell);
        }
    }

    /// Closes the connection at once. `why` is for the log.
    pub fn cut(&self, why: &str) {
        self.break_off(&mut lock(&self.state), why);
    }

    /// Accepts no more frames and closes the connection, after the running send if there is one. Waiting bytes are dropped.
    pub fn finish(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        match state.next {
            Next::Sender(_) => state.finishes = true,
            _ => self.finish_now(&mut state),
        }
    }

    /// Accepts no more frames: the connection is closed.
    pub fn end(&self) {
        lock(&self.state).closed = true;
    }

    /// Returns why the relay ended the link, if it did.
    pub fn why(&self) -> Option<String> {
        lock(&self.state).why.clone()
    }

    /// Sends on, since the socket takes more. Returns the number of bytes, and whether the socket must be waited for again;
    /// `None` if the link is down.
    pub fn resume(&self) -> Option<(usize, bool)> {
        let mut state = lock(&self.state);
        if state.next != Next::Room {
            return None;
        }
        let unsent = std::mem::take(&mut state.unsent);
        let (sent, next) = self.pump(state, unsent.into());
        (next != Next::Never).then_some((sent, next == Next::Room))
    }

    /// Sends `frames` at once if nothing is before them, and waits for the socket if it does not take all of them.
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

    /// Sends `bytes` and what is added meanwhile, as long as the socket takes all of it. The lock is free while it sends, and
    /// no other thread sends. Returns the number of bytes sent, and what the next one waits for.
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
                // The connection broke, or was cut meanwhile.
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
        self.wire.abort();
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
#[path = "../../tests/models/outbox.rs"]
mod tests;

#[cfg(all(test, feature = "shuttle"))]
#[path = "../../tests/models/outbox_schedules.rs"]
mod schedules;
