//! Ending a connection on which something is unread, without losing the answer, the process or too much
//! of tiny_http's (T4).

use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use rustix::event::PollFlags;
use tiny_http::Request;

use crate::http::head::{self, Reader};
use crate::http::incoming::Incoming;
use crate::http::slow::Slow;
use crate::http::socket;
use crate::limits::{BODY_TIMEOUT, LINGER, MAX_UNREAD};
use crate::logger;

/// A connection whose request is refused: what still comes is thrown away for a while, since closing with
/// bytes unread would reset the connection and could lose the answer.
///
/// A body of known length is read to its end before the answer goes out: a proxy that has the answer sends
/// no more, and what is left of a large body can't be let go (see [`dispose`]).
pub struct Lingering {
    incoming: Incoming,
    socket: TcpStream,
    /// What the client is told when its body has been read; none once it was told.
    answer: Option<Vec<u8>>,
    /// Bytes of the body that are to be read before the answer.
    announced: usize,
    /// Bytes of it that were read.
    read: usize,
    /// How long it may go on, whatever comes.
    end: Instant,
    /// How long nothing may come.
    until: Instant,
}

impl Lingering {
    /// Begins now.
    pub fn begin(incoming: Incoming, socket: TcpStream, answer: Vec<u8>) {
        let request = incoming.request();
        let length = request.body_length().filter(|_| head::reader(request) == Reader::Socket);
        let waits_for_permission = incoming.field("Expect").is_some();
        // Nobody else uses the socket: tiny_http waits for the body, and it is this request's turn.
        let announced = match length {
            Some(length) if !waits_for_permission && socket.set_nonblocking(true).is_ok() => length,
            _ => 0,
        };
        let now = Instant::now();
        let waiter = incoming.connections().waiter.clone();
        let mut lingering = Self {
            incoming,
            socket,
            answer: Some(answer),
            announced,
            read: 0,
            end: now + BODY_TIMEOUT,
            until: now + LINGER,
        };
        lingering.tell_when_read();
        if let Err(lingering) = waiter.wait(Box::new(lingering)) {
            lingering.give_up();
        }
    }

    /// The answer goes out at the body's end: whoever sent all of it waits for nothing else.
    fn tell_when_read(&mut self) {
        if self.read >= self.announced {
            self.tell();
        }
    }

    /// Past tiny_http's own writer, which would let go of the body first (T4). A client that doesn't take
    /// it is closed anyway.
    fn tell(&mut self) {
        if let Some(answer) = self.answer.take() {
            let _ = self.socket.write_all(&answer);
            let _ = self.socket.shutdown(Shutdown::Write);
        }
    }

    /// Reads what has come; 0 at the end.
    fn some(&mut self) -> io::Result<usize> {
        if self.answer.is_none() {
            return Ok(socket::discard(&self.socket)?);
        }
        // tiny_http lets go of a body at the first end it meets, and must not meet a client's here.
        if self.socket.peek(&mut [0])? == 0 {
            return Ok(0);
        }
        let mut nowhere = [0; 16 * 1024];
        let read = self.incoming.reader().read(&mut nowhere)?;
        self.read += read;
        self.tell_when_read();
        Ok(read)
    }
}

impl Slow for Lingering {
    fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn waits_for(&self) -> PollFlags {
        PollFlags::IN
    }

    fn until(&self) -> Instant {
        self.until.min(self.end)
    }

    fn go_on(mut self: Box<Self>) -> Option<Box<dyn Slow>> {
        // A few pieces at a time: others wait for this thread, too.
        for _ in 0..16 {
            match self.some() {
                Ok(1..) => self.until = Instant::now() + LINGER,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => {
                    self.give_up();
                    return None;
                }
            }
        }
        if Instant::now() < self.end {
            return Some(self);
        }
        self.give_up();
        None
    }

    fn give_up(mut self: Box<Self>) {
        self.tell();
        socket::shut(&self.socket);
        self.incoming.let_go(self.read);
    }
}

/// Requests that could not be let go without ending the process. Each holds a thread and two
/// descriptors of tiny_http's for good, so the watchdog's limits end the process before they add up.
static LEAKED: AtomicU64 = AtomicU64::new(0);

/// Lets go of a request whose connection was shut, and of whose body so much was read.
///
/// tiny_http makes room for all that is left of a body in order to read it to its end (T4). What is too
/// much of it would fill the memory or abort the process, so such a request is never let go; but a length
/// that no `Vec` may have makes tiny_http panic, which frees everything.
pub fn dispose(request: Request, read: usize) {
    let announced = match head::reader(&request) {
        Reader::Socket => request.body_length().unwrap_or(0),
        Reader::InMemory | Reader::Connection => 0,
    };
    let left = announced - read.min(announced);
    if left <= MAX_UNREAD || isize::try_from(left).is_err() {
        logger::quietly(|| {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(request)));
        });
    } else {
        let leaked = LEAKED.fetch_add(1, Relaxed) + 1;
        log::warn!("a request announced {announced} bytes and can't be let go; {leaked} so far");
        std::mem::forget(request);
    }
}
