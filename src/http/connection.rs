//! The state of one connection: reading a request, or waiting for its response. Plain data.

use std::mem::{MaybeUninit, take};
use std::time::Instant;

use crate::http::response::Ending;

/// Responses of one connection that may be written at once: a quick client's next request arrives before the thread that
/// wrote the last response gets to report it.
pub const MAX_WRITING: usize = 2;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    /// When the relay began to wait for the client: the connection was opened, or its last response was written.
    since: Instant,
    /// When the bytes behind the last request arrived, or could first be read.
    began: Instant,
    /// The last request, as far as it is still needed, and how much of its head tiny_http has read.
    pub request: Delivery,
    heard: usize,
    /// Whether a request came before.
    has_asked: bool,
    /// Whether the relay has a request to answer.
    is_busy: bool,
    writing: usize,
    /// Whether further bytes are ignored.
    is_over: bool,
    /// Whether tiny_http was told of the end.
    is_told: bool,
}

/// The next step of the thread that reads the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Give tiny_http more of the head.
    Give,
    /// Wait until the response is written.
    Wait,
    /// Read the next request.
    Read,
    /// Tell tiny_http that the connection has ended.
    End,
}

/// The beginning of the next request.
#[derive(Debug)]
pub struct Start {
    /// Bytes of it that arrived already, and when.
    pub early: Vec<u8>,
    pub began: Instant,
    /// When the relay began to wait for it.
    pub since: Instant,
    /// Whether a request came before.
    pub has_asked: bool,
}

/// A whole request.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The head as tiny_http reads it.
    pub head: Vec<u8>,
    /// The body, which tiny_http does not read.
    pub body: Vec<u8>,
    /// Bytes behind the request.
    pub behind: Vec<u8>,
    /// Whether the connection stays open, as tiny_http knows too.
    pub ending: Ending,
    /// Whether it asks for another protocol. tiny_http's thread then waits until that ends.
    pub upgrades: bool,
}

impl Delivery {
    /// Returns the bytes of memory that it holds.
    pub fn held(&self) -> usize {
        self.head.capacity() + self.body.capacity() + self.behind.capacity()
    }
}

impl Connection {
    /// Creates a connection that was opened `now`.
    pub fn new(now: Instant) -> Self {
        let (request, heard, writing) = (Delivery::default(), 0, 0);
        let (has_asked, is_busy, is_over, is_told) = (false, false, false, false);
        Self { since: now, began: now, request, heard, has_asked, is_busy, writing, is_over, is_told }
    }

    /// Returns the reading thread's next step.
    pub fn next(&self) -> NextStep {
        match () {
            () if self.is_over => NextStep::End,
            () if !self.request.head.is_empty() => NextStep::Give,
            () if self.is_busy || self.writing >= MAX_WRITING => NextStep::Wait,
            () => NextStep::Read,
        }
    }

    /// Begins to read the next request.
    pub fn begin_reading(&mut self) -> Start {
        let Self { began, since, has_asked, .. } = *self;
        Start { early: take(&mut self.request.behind), began, since, has_asked }
    }

    /// Stores a whole request, unless the connection was cut meanwhile.
    pub fn deliver(&mut self, request: Delivery) {
        if !self.is_over {
            (self.request, self.heard, self.is_busy, self.has_asked) = (request, 0, true, true);
        }
    }

    /// Copies more of the head to `buffer`. Returns the number of bytes.
    pub fn give(&mut self, buffer: &mut [MaybeUninit<u8>]) -> usize {
        let rest = &self.request.head[self.heard..];
        let taken = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(to, byte)| _ = to.write(*byte));
        self.heard += taken;
        if self.heard == self.request.head.len() {
            self.request.head = Vec::new();
        }
        taken
    }

    /// Takes the body of the current request. Returns also the bytes of memory that are still held.
    pub fn take_body(&mut self) -> (Vec<u8>, usize) {
        (take(&mut self.request.body), self.request.held())
    }

    /// Stores bytes that arrived while a request is served. The reading thread takes no more until that is answered.
    pub fn keep(&mut self, early: &[u8], now: Instant) {
        self.request.behind.extend_from_slice(early);
        self.began = now;
    }

    /// Whether no such bytes are stored, so that some may be read.
    pub fn has_nothing_behind(&self) -> bool {
        self.request.behind.is_empty()
    }

    /// The response is about to be written. Returns whether the connection stays open, so that the next request may arrive
    /// meanwhile: then [`Connection::response_sent`] must follow, else [`Connection::finish`].
    pub fn begin_response(&mut self, now: Instant) -> bool {
        let goes_on = !self.is_over && self.request.ending != Ending::Closes;
        if goes_on {
            (self.is_busy, self.since, self.began) = (false, now, now);
            self.writing += 1;
        }
        goes_on
    }

    /// The response was written.
    pub fn response_sent(&mut self) {
        self.writing -= 1;
    }

    /// The last request was answered. Returns whether tiny_http knows that it was the last, and so never reads again.
    pub fn finish(&mut self) -> bool {
        (self.is_busy, self.is_over) = (false, true);
        self.is_told || self.request.ending == Ending::Closes
    }

    /// Whether a response is being written.
    pub fn is_writing(&self) -> bool {
        self.writing > 0 && !self.is_over
    }

    /// Ignores whatever still comes.
    pub fn cut(&mut self) {
        self.is_over = true;
    }

    /// Does the same if the relay waits for the client. Returns whether it does.
    pub fn cut_if_waiting(&mut self) -> bool {
        let waits = self.waits_since().is_some();
        self.is_over |= waits;
        waits
    }

    /// Whether further bytes are ignored.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Tells tiny_http of the end. Returns whether nobody else needs the connection: tiny_http has not read the whole head of
    /// any request that is unanswered.
    pub fn tell_end(&mut self) -> bool {
        self.is_told = true;
        self.is_busy &= self.request.head.is_empty();
        !self.is_busy
    }

    /// Whether tiny_http will read again. It does not once it has read the whole head of the last request.
    pub fn will_be_read(&self) -> bool {
        !self.is_told && (self.request.ending != Ending::Closes || !self.request.head.is_empty())
    }

    /// Returns when the relay began to wait for the client, if it waits.
    pub fn waits_since(&self) -> Option<Instant> {
        (!self.is_busy && !self.is_over).then_some(self.since)
    }

    /// Whether it is over and has no response to write.
    pub fn is_leaving(&self) -> bool {
        self.is_over && !self.is_busy
    }
}

#[cfg(test)]
#[path = "../../tests/models/connection.rs"]
mod tests;
