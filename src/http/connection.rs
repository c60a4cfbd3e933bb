//! Whose turn it is on one connection: the client's, or the relay's, which has a request of it. Plain data.

use std::mem::{MaybeUninit, take};
use std::time::Instant;

use crate::http::response::Ending;

/// Answers of one connection that may be on their way into its socket at once: a quick client's next request comes before
/// the thread that wrote the last answer gets to say so.
pub const MAX_WRITING: usize = 2;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    /// Since when it keeps the relay waiting: it was opened, or answered last.
    since: Instant,
    /// When what came behind the last request came, or could first be read.
    began: Instant,
    /// The last request, as far as it is still needed, and how much of its head tiny_http has heard.
    pub request: Delivery,
    heard: usize,
    /// A request has come before.
    has_asked: bool,
    /// A request is with the relay.
    is_busy: bool,
    writing: usize,
    /// Nothing that still comes counts.
    is_over: bool,
    /// tiny_http has been told of the end.
    is_told: bool,
}

/// What the thread that reads the connection does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Gives tiny_http more of the head.
    Give,
    /// Waits until the answer is out.
    Wait,
    /// Reads the next request.
    Read,
    /// Tells tiny_http that the connection has ended.
    End,
}

/// Where reading a request begins.
#[derive(Debug)]
pub struct Start {
    /// What has come of it already, and when.
    pub early: Vec<u8>,
    pub began: Instant,
    /// Since when it is waited for.
    pub since: Instant,
    /// Whether there was a request before.
    pub has_asked: bool,
}

/// A whole request.
#[derive(Debug, Default)]
pub struct Delivery {
    /// What tiny_http hears.
    pub head: Vec<u8>,
    /// The body, which it does not.
    pub body: Vec<u8>,
    /// What has come behind the request.
    pub behind: Vec<u8>,
    /// What becomes of the connection after it, as tiny_http knows.
    pub ending: Ending,
    /// Whether it asks for another protocol: then tiny_http's thread of it waits until that is over.
    pub upgrades: bool,
}

impl Delivery {
    /// Returns how many bytes of memory it holds.
    pub fn held(&self) -> usize {
        self.head.capacity() + self.body.capacity() + self.behind.capacity()
    }
}

impl Connection {
    /// A connection that is opened `now`.
    pub fn new(now: Instant) -> Self {
        let (request, heard, writing) = (Delivery::default(), 0, 0);
        let (has_asked, is_busy, is_over, is_told) = (false, false, false, false);
        Self { since: now, began: now, request, heard, has_asked, is_busy, writing, is_over, is_told }
    }

    /// Returns what is to be done next.
    pub fn next(&self) -> NextStep {
        match () {
            () if self.is_over => NextStep::End,
            () if !self.request.head.is_empty() => NextStep::Give,
            () if self.is_busy || self.writing >= MAX_WRITING => NextStep::Wait,
            () => NextStep::Read,
        }
    }

    /// The next request is about to be read.
    pub fn begin_reading(&mut self) -> Start {
        let Self { began, since, has_asked, .. } = *self;
        Start { early: take(&mut self.request.behind), began, since, has_asked }
    }

    /// A whole request has come, which counts unless the connection was cut meanwhile.
    pub fn deliver(&mut self, request: Delivery) {
        if !self.is_over {
            (self.request, self.heard, self.is_busy, self.has_asked) = (request, 0, true, true);
        }
    }

    /// Writes more of the head to `buffer`. Returns how many bytes.
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

    /// A worker takes the body of the request under way. Returns also how much memory is held for later.
    pub fn take_body(&mut self) -> (Vec<u8>, usize) {
        (take(&mut self.request.body), self.request.held())
    }

    /// Bytes came before it was known whether it is their turn. The thread that reads takes no more until it is.
    pub fn keep(&mut self, early: &[u8], now: Instant) {
        self.request.behind.extend_from_slice(early);
        self.began = now;
    }

    /// Whether none came, so that some may be waited for.
    pub fn has_nothing_behind(&self) -> bool {
        self.request.behind.is_empty()
    }

    /// The answer is about to be written. Returns whether the connection goes on, so that the next request may come
    /// meanwhile: then [`Connection::response_sent`] must follow, and else [`Connection::finish`].
    pub fn begin_response(&mut self, now: Instant) -> bool {
        let goes_on = !self.is_over && self.request.ending != Ending::Closes;
        if goes_on {
            (self.is_busy, self.since, self.began) = (false, now, now);
            self.writing += 1;
        }
        goes_on
    }

    /// The answer is out.
    pub fn response_sent(&mut self) {
        self.writing -= 1;
    }

    /// The request is done with, and the connection does not go on. Returns whether tiny_http knows that already, and so
    /// never reads it again.
    pub fn finish(&mut self) -> bool {
        (self.is_busy, self.is_over) = (false, true);
        self.is_told || self.request.ending == Ending::Closes
    }

    /// Whether an answer is being written.
    pub fn is_writing(&self) -> bool {
        self.writing > 0 && !self.is_over
    }

    /// Nothing that still comes counts.
    pub fn cut(&mut self) {
        self.is_over = true;
    }

    /// The same, if the connection keeps the relay waiting. Returns whether it does.
    pub fn cut_if_waiting(&mut self) -> bool {
        let waits = self.waits_since().is_some();
        self.is_over |= waits;
        waits
    }

    /// Whether nothing that still comes counts.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// tiny_http is told of the end. Returns whether nobody else needs the connection: a request of which tiny_http has not
    /// heard the whole head is nobody's.
    pub fn tell_end(&mut self) -> bool {
        self.is_told = true;
        self.is_busy &= self.request.head.is_empty();
        !self.is_busy
    }

    /// Whether tiny_http will read it again: it does not once it has heard the whole head of what it knows to be the last.
    pub fn will_be_read(&self) -> bool {
        !self.is_told && (self.request.ending != Ending::Closes || !self.request.head.is_empty())
    }

    /// Returns since when it has kept the relay waiting, if it does.
    pub fn waits_since(&self) -> Option<Instant> {
        (!self.is_busy && !self.is_over).then_some(self.since)
    }

    /// Whether it is over, and no response is owed on it either.
    pub fn is_leaving(&self) -> bool {
        self.is_over && !self.is_busy
    }
}

#[cfg(test)]
#[path = "../../tests/models/connection.rs"]
mod tests;
