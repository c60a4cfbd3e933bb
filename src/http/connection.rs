//! Whose turn it is on one connection: the client's, or the relay's, which has a request of it. Plain data.

use std::mem::{MaybeUninit, take};
use std::time::Instant;

use crate::http::answer::Ending;

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
    /// What tiny_http hears of the request under way, and how much of it it has heard.
    head: Vec<u8>,
    heard: usize,
    /// The body of that request, until a worker takes it.
    body: Vec<u8>,
    /// What came behind that request.
    behind: Vec<u8>,
    /// What becomes of the connection after that request, as tiny_http knows.
    ending: Ending,
    /// A request has come before.
    has_asked: bool,
    /// A request is with the relay.
    is_busy: bool,
    writing: usize,
    /// The next answer is the last, though tiny_http doesn't know.
    is_ending: bool,
    /// Nothing that still comes counts.
    is_over: bool,
    /// tiny_http has been told of the end.
    is_told: bool,
}

/// What the thread that reads the connection does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Gives tiny_http more of the head.
    Give,
    /// Waits until the answer is out.
    Wait,
    /// Reads the next request.
    Read,
    /// Reads on for a while, since the client may not have seen the last answer yet.
    Linger,
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
#[derive(Debug)]
pub struct Delivery {
    /// What tiny_http hears.
    pub head: Vec<u8>,
    /// The body, which it does not.
    pub body: Vec<u8>,
    /// What has come behind the request.
    pub behind: Vec<u8>,
    /// What becomes of the connection after it.
    pub ending: Ending,
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
        Self {
            since: now,
            began: now,
            head: Vec::new(),
            heard: 0,
            body: Vec::new(),
            behind: Vec::new(),
            ending: Ending::Stays,
            has_asked: false,
            is_busy: false,
            writing: 0,
            is_ending: false,
            is_over: false,
            is_told: false,
        }
    }

    /// Returns what is to be done next.
    pub fn next(&self) -> Next {
        if self.is_over {
            Next::End
        } else if self.heard < self.head.len() {
            Next::Give
        } else if self.is_busy || self.writing >= MAX_WRITING {
            Next::Wait
        } else if self.is_ending {
            Next::Linger
        } else {
            Next::Read
        }
    }

    /// The next request is about to be read.
    pub fn begin_reading(&mut self) -> Start {
        let Self { began, since, has_asked, .. } = *self;
        Start { early: take(&mut self.behind), began, since, has_asked }
    }

    /// A whole request has come, which counts unless the connection was cut meanwhile.
    pub fn deliver(&mut self, delivery: Delivery) {
        if self.is_over {
            return;
        }
        let Delivery { head, body, behind, ending } = delivery;
        (self.head, self.heard, self.body, self.behind, self.ending) = (head, 0, body, behind, ending);
        (self.is_busy, self.has_asked) = (true, true);
    }

    /// Writes more of the head to `buffer`. Returns how many bytes.
    pub fn give(&mut self, buffer: &mut [MaybeUninit<u8>]) -> usize {
        let rest = &self.head[self.heard..];
        let taken = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(to, byte)| _ = to.write(*byte));
        self.heard += taken;
        if self.heard == self.head.len() {
            (self.head, self.heard) = (Vec::new(), 0);
        }
        taken
    }

    /// A worker takes the body of the request under way.
    pub fn take_body(&mut self) -> Vec<u8> {
        take(&mut self.body)
    }

    /// Bytes came before it was known whether it is their turn. The thread that reads takes no more until it is.
    pub fn keep(&mut self, early: &[u8], now: Instant) {
        self.behind.extend_from_slice(early);
        self.began = now;
    }

    /// Whether none came, so that some may be waited for.
    pub fn has_nothing_behind(&self) -> bool {
        self.behind.is_empty()
    }

    /// The answer is about to be written. Returns whether the connection goes on, so that the next request may come
    /// meanwhile: then [`Connection::answered`] must follow, and else [`Connection::finish`].
    pub fn answer(&mut self, now: Instant) -> bool {
        let goes_on = !(self.is_over || self.ends());
        if goes_on {
            (self.is_busy, self.since, self.began) = (false, now, now);
            self.writing += 1;
        }
        goes_on
    }

    /// The answer is out.
    pub fn answered(&mut self) {
        self.writing -= 1;
    }

    /// The request is done with, and the connection does not go on. Returns whether tiny_http knows that already, and so
    /// never reads it again.
    pub fn finish(&mut self, now: Instant) -> bool {
        (self.is_busy, self.since, self.began) = (false, now, now);
        self.is_told || self.ending == Ending::Closes
    }

    /// The answer to the request under way is the last, whatever the client has asked for.
    pub fn end_after_answer(&mut self) {
        self.is_ending = true;
    }

    /// Whether the answer to the request under way is the last.
    pub fn ends(&self) -> bool {
        self.is_ending || self.ending == Ending::Closes
    }

    /// What the client is told about the connection.
    pub fn ending(&self) -> Ending {
        if self.ends() { Ending::Closes } else { self.ending }
    }

    /// Whether an answer is being written.
    pub fn is_writing(&self) -> bool {
        self.writing > 0 && !self.is_over
    }

    /// Nothing that still comes counts.
    pub fn cut(&mut self) {
        self.is_over = true;
    }

    /// tiny_http is told of the end. Returns whether nobody else needs the connection.
    pub fn tell_end(&mut self) -> bool {
        (self.is_over, self.is_told) = (true, true);
        !self.is_busy
    }

    /// Whether tiny_http will read it again: it does not once it has heard the whole head of what it knows to be the last.
    pub fn will_be_read(&self) -> bool {
        !self.is_told && (self.ending != Ending::Closes || !self.head.is_empty())
    }

    /// Returns since when it has kept the relay waiting, if it does.
    pub fn waits_since(&self) -> Option<Instant> {
        (!self.is_busy && !self.is_over).then_some(self.since)
    }

    /// Whether nothing that still comes counts.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether it is over, and no answer is owed on it either.
    pub fn is_leaving(&self) -> bool {
        self.is_over && !self.is_busy
    }

    /// Returns how many bytes of memory are held for later.
    pub fn held(&self) -> usize {
        self.body.capacity() + self.behind.capacity()
    }
}

#[cfg(test)]
#[path = "../../tests/models/connection.rs"]
mod tests;
