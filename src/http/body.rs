//! Getting a request's body without a thread that waits for it (T6): what has arrived is read at once,
//! what is missing is waited for in [`crate::net::slow`].

use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::http::answer::Answer;
use crate::http::head::{Head, Reader};
use crate::http::incoming::Work;
use crate::http::lingering::refuse;
use crate::http::reception::Incoming;
use crate::http::request::read_on;
use crate::net::slow::Slow;

/// How long a request may take to bring its body (T6).
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the body that `head` announces. Returns none when it isn't all there yet, or never will be:
/// then the request comes back as [`Work::Body`], or has ended.
pub fn read(mut incoming: Incoming, head: Head) -> Option<(Incoming, Vec<u8>)> {
    let mut body = vec![0; head.length];
    if head.length == 0 {
        return Some((incoming, body));
    }
    if head.reader == Reader::InMemory {
        return match incoming.request_mut().as_reader().read_exact(&mut body) {
            Ok(()) => Some((incoming, body)),
            Err(_) => {
                incoming.cut();
                None
            }
        };
    }
    let Some(socket) = incoming.socket() else {
        incoming.cut();
        return None;
    };
    // Nobody else uses the socket now: tiny_http reads nothing further until the body is let go, and
    // it is this request's turn to be answered.
    let until = Instant::now() + BODY_TIMEOUT;
    let part = Part { incoming, reader: head.reader, body, filled: 0, socket, until };
    if part.socket.set_nonblocking(true).is_err() {
        part.incoming.cut();
        return None;
    }
    match part.more() {
        Progress::Complete(incoming, body) => Some((incoming, body)),
        Progress::Missing(part) => {
            let waiter = part.incoming.home().waiter().clone();
            if let Err(part) = waiter.wait(Box::new(part)) {
                part.time_out();
            }
            None
        }
        Progress::Over => None,
    }
}

/// A body of which some is missing.
struct Part {
    incoming: Incoming,
    reader: Reader,
    body: Vec<u8>,
    filled: usize,
    socket: TcpStream,
    until: Instant,
}

enum Progress {
    Complete(Incoming, Vec<u8>),
    Missing(Part),
    Over,
}

impl Part {
    fn more(mut self) -> Progress {
        while self.filled < self.body.len() {
            let reader = self.incoming.request_mut().as_reader();
            match read_on(reader, &mut self.body[self.filled..]) {
                Ok(0) => break,
                Ok(taken) => self.filled += taken,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Progress::Missing(self);
                }
                Err(_) => break,
            }
        }
        if self.filled < self.body.len() || self.socket.set_nonblocking(false).is_err() {
            self.incoming.cut();
            return Progress::Over;
        }
        if self.reader == Reader::Socket {
            // Finding the body's end lets tiny_http go on with the connection, which it would else do at
            // the moment of the answer, when time counts.
            let _ = self.incoming.request_mut().as_reader().read(&mut [0]);
        }
        Progress::Complete(self.incoming, self.body)
    }
}

impl Slow for Part {
    fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn waits_for(&self) -> PollFlags {
        PollFlags::IN
    }

    fn until(&self) -> Instant {
        self.until
    }

    fn go_on(self: Box<Self>) -> Option<Box<dyn Slow>> {
        if Instant::now() >= self.until {
            self.time_out();
            return None;
        }
        match self.more() {
            Progress::Missing(part) => return Some(Box::new(part)),
            Progress::Complete(incoming, body) => {
                let home = incoming.home().clone();
                home.hand_over(Work::Body(incoming, body));
            }
            Progress::Over => {}
        }
        None
    }

    fn time_out(self: Box<Self>) {
        refuse(self.incoming, Answer::error(408, "the body did not come in time"));
    }
}
