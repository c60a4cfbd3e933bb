//! Refusing a request: its connection ends, though something on it is unread, without losing the answer,
//! the process or too much of tiny_http's (T4).

use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::http::answer::{Answer, Ending};
use crate::http::head::{self, Reader};
use crate::http::reception::Incoming;
use crate::http::request::{Request, read_on};
use crate::net::slow::Slow;
use crate::net::sockets;

/// How long nothing may come on the connection of a refused request, while what comes is thrown away so
/// that the client finds the answer and not a reset.
pub const LINGER: Duration = Duration::from_secs(1);

/// How long that may go on in all, whatever comes.
pub const LINGER_AT_MOST: Duration = Duration::from_secs(10);

/// Answers a request whose end is in doubt or whose body won't be used, and closes its connection:
/// nothing further from it counts.
pub fn refuse(incoming: Incoming, answer: Answer) {
    incoming.home().let_others_receive();
    incoming.condemn();
    let Some(mut socket) = incoming.socket() else { return incoming.cut() };
    let answer = answer.into_bytes(Ending::Closes, incoming.request().is_head());
    if head::reader(incoming.request()) != Reader::InMemory {
        // tiny_http takes nothing further until the body is let go of, so there is time to be polite.
        return Lingering::begin(incoming, socket, answer);
    }
    // Past tiny_http's own writer, which would let go of the body first (T4). It is this request's turn,
    // so nothing else is written meanwhile. A client that doesn't take it is closed anyway.
    let _ = socket.write_all(&answer);
    sockets::shut(&socket);
    incoming.let_go(0);
}

/// A connection whose request is refused: what still comes is thrown away for a while, since closing with
/// bytes unread would reset the connection and could lose the answer.
///
/// A body of known length is read to its end before the answer goes out: a proxy that has the answer sends
/// no more, and what is left of a large body can't be let go of (T4).
struct Lingering {
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
    fn begin(incoming: Incoming, socket: TcpStream, answer: Vec<u8>) {
        let request = incoming.request();
        let length = request.body_length().filter(|_| head::reader(request) == Reader::Socket);
        let waits_for_permission = incoming.field("Expect").is_some();
        // Nobody else uses the socket: tiny_http waits for the body, and it is this request's turn.
        let announced = match length {
            Some(length) if !waits_for_permission && socket.set_nonblocking(true).is_ok() => length,
            _ => 0,
        };
        let now = Instant::now();
        let waiter = incoming.home().waiter().clone();
        let mut lingering = Self {
            incoming,
            socket,
            answer: Some(answer),
            announced,
            read: 0,
            end: now + LINGER_AT_MOST,
            until: now + LINGER,
        };
        lingering.tell_when_read();
        if let Err(lingering) = waiter.wait(Box::new(lingering)) {
            lingering.time_out();
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

    /// Reads what has come. Returns how many bytes; 0 at the end.
    fn some(&mut self) -> io::Result<usize> {
        if self.answer.is_none() {
            return Ok(sockets::discard(&self.socket)?);
        }
        // tiny_http lets go of a body at the first end it meets, and must not meet a client's here.
        if self.socket.peek(&mut [0])? == 0 {
            return Ok(0);
        }
        let mut nowhere = [0; 16 * 1024];
        let read = read_on(self.incoming.request_mut().as_reader(), &mut nowhere)?;
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
                Ok(0) | Err(_) => {
                    self.time_out();
                    return None;
                }
            }
        }
        if Instant::now() < self.end {
            return Some(self);
        }
        self.time_out();
        None
    }

    fn time_out(mut self: Box<Self>) {
        self.tell();
        sockets::shut(&self.socket);
        self.incoming.let_go(self.read);
    }
}
