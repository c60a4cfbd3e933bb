//! The socket of an agent's link.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::agents::outbox::{Outbox, Wire};
use crate::agents::poller::{PollTask, Poller};
use crate::net::sockets;

/// How long the agent's socket may take no byte while something waits to be sent.
pub const AGENT_SEND_TIMEOUT: Duration = Duration::from_secs(2);

/// The socket that the link's reader reads.
pub struct SocketWire {
    socket: Arc<TcpStream>,
    poller: Poller,
}

impl SocketWire {
    /// Sends over `socket`; `poller` waits for it.
    pub fn new(socket: Arc<TcpStream>, poller: Poller) -> Self {
        Self { socket, poller }
    }
}

impl Wire for SocketWire {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::net::send(&self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(sent) => Ok(sent),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    fn abort(&self) {
        sockets::abort(&self.socket);
    }

    fn finish(&self) {
        sockets::close(&self.socket);
    }

    fn await_room(&self, outbox: &Arc<Outbox>) -> bool {
        let until = Instant::now() + AGENT_SEND_TIMEOUT;
        let unsent = UnsentBytes { socket: self.socket.clone(), outbox: outbox.clone(), until };
        self.poller.wait(Box::new(unsent)).is_ok()
    }
}

/// Waits for the socket of a link that has unsent bytes.
struct UnsentBytes {
    socket: Arc<TcpStream>,
    outbox: Arc<Outbox>,
    until: Instant,
}

impl PollTask for UnsentBytes {
    fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn waits_for(&self) -> PollFlags {
        PollFlags::OUT
    }

    fn until(&self) -> Instant {
        self.until
    }

    fn on_ready(mut self: Box<Self>) -> Option<Box<dyn PollTask>> {
        let (sent, waits) = self.outbox.resume()?;
        if sent > 0 {
            self.until = Instant::now() + AGENT_SEND_TIMEOUT;
        }
        waits.then_some(self as Box<dyn PollTask>)
    }

    fn on_timeout(self: Box<Self>) {
        let seconds = AGENT_SEND_TIMEOUT.as_secs();
        self.outbox.cut(&format!("it took no byte for {seconds} s"));
    }
}
