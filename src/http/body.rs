//! Getting a request's body without a thread that waits for it (T6): what has arrived is read at once,
//! what is missing is waited for in [`crate::http::slow`].

use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::event::PollFlags;

use crate::http::answer::Answer;
use crate::http::connections::Work;
use crate::http::head::{Head, Reader};
use crate::http::incoming::Incoming;
use crate::http::slow::Slow;
use crate::limits::BODY_TIMEOUT;

/// Reads the body that `head` announces. None when it isn't all there yet, or never will be: then the
/// request comes back as [`Work::Body`], or has ended.
pub fn read(mut incoming: Incoming, head: Head) -> Option<(Incoming, Vec<u8>)> {
    let mut body = vec![0; head.length];
    if head.length == 0 {
        return Some((incoming, body));
    }
    if head.reader == Reader::InMemory {
        return match incoming.reader().read_exact(&mut body) {
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
            let waiter = part.incoming.connections().waiter.clone();
            if let Err(part) = waiter.wait(Box::new(part)) {
                part.give_up();
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
            match self.incoming.reader().read(&mut self.body[self.filled..]) {
                Ok(0) => break,
                Ok(taken) => self.filled += taken,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Progress::Missing(self);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
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
            let _ = self.incoming.reader().read(&mut [0]);
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
            self.give_up();
            return None;
        }
        match self.more() {
            Progress::Missing(part) => return Some(Box::new(part)),
            Progress::Complete(incoming, body) => {
                let connections = incoming.connections().clone();
                connections.hand_over(Work::Body(incoming, body));
            }
            Progress::Over => {}
        }
        None
    }

    fn give_up(self: Box<Self>) {
        self.incoming.refuse(Answer::error(408, "the body did not come in time"));
    }
}
