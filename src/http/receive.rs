//! Reads one request within its deadlines, or refuses it and closes the connection so that the client finds the response.
//! Blocks in tiny_http's own thread.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use crate::http::connection::{Delivery, Start};
use crate::http::head::{self, Head, MAX_BODY, Reading, Refusal};
use crate::http::response::{Ending, Response};

/// How long the first head of a connection may take, or any head that has begun.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may idle between requests. Longer than proxies keep an idle one, of which Caddy's 120 s is the
/// longest: a POST that crosses our FIN is lost, and nobody repeats it.
pub const REST_TIMEOUT: Duration = Duration::from_secs(130);

/// How long a body may take.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a closing connection may be silent while its bytes are discarded, so that the client finds the response and
/// not a reset.
pub const LINGER: Duration = Duration::from_secs(1);

/// How long that may last in all.
pub const LINGER_AT_MOST: Duration = Duration::from_secs(10);

/// Bytes that are read at a time: most requests arrive whole.
pub const PIECE: usize = 4096;

/// How reading a request ended.
#[derive(Debug)]
pub enum Received {
    /// A whole request.
    Request(Delivery),
    /// A request that is refused.
    Refused(Refusal),
    /// None came. Tells whether any other bytes did.
    Nothing(bool),
}

/// Reads the requests of a connection.
pub struct RequestReader<'a> {
    pub socket: BorrowedFd<'a>,
    /// Called with the number of buffered bytes.
    pub hold: &'a dyn Fn(usize),
    /// Blocks until no response is being written.
    pub await_responses: &'a dyn Fn(),
}

/// Whether bytes came; `EAGAIN` if none came in time.
type Came = Result<(), Errno>;

impl RequestReader<'_> {
    /// Reads a request.
    pub fn receive(&self, start: Start) -> Received {
        let Start { early: mut bytes, began, since, has_asked } = start;
        let mut until = Some(began + HEAD_TIMEOUT);
        let mut seen = 0;
        let head = loop {
            // Empty lines don't count: the connection may still idle.
            bytes.drain(..head::empty_lines(&bytes));
            until = until.filter(|_| !bytes.is_empty());
            if !bytes.is_empty() && head::is_worth_reading(&bytes, seen) {
                match head::read(&bytes) {
                    Reading::Request(head) => break head,
                    Reading::Refusal(mut refusal) => {
                        refusal.size = refusal.size.saturating_sub(bytes.len() as u64);
                        return Received::Refused(refusal);
                    }
                    Reading::More => seen = bytes.len(),
                }
            }
            let came = match until {
                Some(until) => self.more(&mut bytes, PIECE, until, 0),
                None if has_asked => self.rest(&mut bytes, since + REST_TIMEOUT),
                None => self.rest(&mut bytes, since + HEAD_TIMEOUT),
            };
            if came.is_err() {
                return Received::Nothing(!bytes.is_empty());
            }
            until.get_or_insert_with(|| if has_asked { Instant::now() } else { since } + HEAD_TIMEOUT);
        };
        let Head { size, text, length, ending, upgrades, expects } = head;
        let mut body = bytes.split_off(size);
        let behind = body.split_off(length.min(body.len()));
        drop(bytes);
        if body.len() < length && expects {
            (self.await_responses)();
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let until = Instant::now() + BODY_TIMEOUT;
        while body.len() < length {
            let left = length - body.len();
            match self.more(&mut body, left.min(MAX_BODY / 4), until, text.capacity()) {
                Ok(()) => {}
                Err(Errno::AGAIN) => {
                    return Received::Refused(Refusal::new(408, "the body did not come in time"));
                }
                Err(_) => return Received::Nothing(false),
            }
        }
        Received::Request(Delivery { head: text, body, behind, ending, upgrades })
    }

    /// Sends the response to a refused request. A body under way is read first: a proxy that gets the response early sends no
    /// more, and would take a reset for a failure.
    pub fn refuse(&self, refusal: Refusal) {
        (self.await_responses)();
        self.throw_away(refusal.size);
        let response = Response::error(refusal.status, &refusal.why);
        self.send(&response.into_bytes(Ending::Closes, refusal.is_head));
        // An error means that the connection is closed already, here and below.
        let _ = rustix::net::shutdown(self.socket, Shutdown::Write);
        self.throw_away(u64::MAX);
    }

    /// Discards up to this many bytes, until the client closes, is silent or takes too long.
    fn throw_away(&self, mut bytes: u64) {
        let end = Instant::now() + LINGER_AT_MOST;
        let mut nowhere = Vec::new();
        let most = |bytes: u64| bytes.min(MAX_BODY as u64 / 4) as usize;
        let until = || end.min(Instant::now() + LINGER);
        while bytes > 0 && self.more(&mut nowhere, most(bytes), until(), 0).is_ok() {
            bytes -= nowhere.len() as u64;
            nowhere.clear();
        }
    }

    /// Sends within [`crate::net::listener::SEND_TIMEOUT`], or not at all.
    fn send(&self, bytes: &[u8]) {
        let _ = rustix::net::send(self.socket, bytes, SendFlags::NOSIGNAL);
    }

    /// Waits in the kernel, which returns at the receive timeout.
    fn rest(&self, bytes: &mut Vec<u8>, until: Instant) -> Came {
        loop {
            match self.take(bytes, PIECE, RecvFlags::empty(), 0) {
                Err(Errno::AGAIN | Errno::INTR) if Instant::now() < until => {}
                Ok(()) if Instant::now() >= until => return Err(Errno::AGAIN),
                result => return result,
            }
        }
    }

    /// Waits for up to `most` more bytes, while `besides` are buffered elsewhere.
    fn more(&self, bytes: &mut Vec<u8>, most: usize, until: Instant, besides: usize) -> Came {
        loop {
            match self.take(bytes, most, RecvFlags::DONTWAIT, besides) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return result,
            }
            let left = Timespec::try_from(until.saturating_duration_since(Instant::now()));
            let mut readable = [PollFd::from_borrowed_fd(self.socket, PollFlags::IN)];
            if poll(&mut readable, left.ok().as_ref()) == Ok(0) {
                return Err(Errno::AGAIN);
            }
        }
    }

    /// Appends what has arrived, at most `most` bytes. The end of the connection is an error.
    fn take(&self, bytes: &mut Vec<u8>, most: usize, how: RecvFlags, besides: usize) -> Came {
        let before = bytes.len();
        if bytes.capacity() - before < most.min(PIECE / 2) {
            bytes.reserve_exact(most);
        }
        bytes.resize(before + most.min(bytes.capacity() - before), 0);
        let result = rustix::net::recv(self.socket, &mut bytes[before..], how);
        bytes.truncate(before + result.map_or(0, |(taken, _)| taken));
        (self.hold)(bytes.capacity() + besides);
        match result? {
            (0, _) => Err(Errno::NOTCONN),
            _ => Ok(()),
        }
    }
}
