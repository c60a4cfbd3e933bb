//! One connection behind its lock: tiny_http's thread that reads it on one side, the thread that answers on the other.

use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::thread::{Thread, park};
use std::time::Instant;

use rustix::io::Errno;

use crate::http::connection::Connection;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::unchecked::socket_hooks;

/// A connection that others reach, too.
pub struct Guarded {
    /// No other connection of this process has the same.
    pub number: u64,
    /// The thread of tiny_http's that reads it, once one does.
    pub reader: OnceLock<Thread>,
    /// Bytes that it holds of those that [`crate::http::gate::MAX_HELD`] is about.
    pub held: AtomicUsize,
    /// The descriptor under which tiny_http writes. Once the connection is over another socket may have it.
    descriptor: RawFd,
    state: Mutex<Connection>,
}

impl Guarded {
    /// The connection of this `number`, under this `descriptor`, which was opened `now`.
    pub fn new(number: u64, descriptor: RawFd, now: Instant) -> Self {
        let (state, held) = (Mutex::new(Connection::new(now)), AtomicUsize::new(0));
        Self { number, reader: OnceLock::new(), held, descriptor, state }
    }

    /// Returns the connection itself.
    pub fn lock(&self) -> MutexGuard<'_, Connection> {
        lock(&self.state)
    }

    /// The state has changed: its reader, if it is parked, must look again.
    pub fn wake(&self) {
        self.reader.get().into_iter().for_each(Thread::unpark);
    }

    /// Waits until no answer is being written. For the reader alone.
    pub fn await_responses(&self) {
        while self.lock().is_writing() {
            park();
        }
    }

    /// The answer is about to be written; as [`Connection::begin_response`].
    pub fn begin_response(&self, now: Instant) -> bool {
        let goes_on = self.lock().begin_response(now);
        self.wake();
        goes_on
    }

    /// The answer is out.
    pub fn response_sent(&self) {
        self.lock().response_sent();
        self.wake();
    }

    /// Returns a duplicate of the socket.
    ///
    /// # Errors
    /// `EBADF` when tiny_http has dropped it; another when no descriptor is left.
    pub fn socket(&self) -> Result<TcpStream, Errno> {
        let own = socket_hooks::duplicate(self.descriptor)?;
        if number_of(own.as_fd()) == Some(self.number) { Ok(own.into()) } else { Err(Errno::BADF) }
    }
}

/// Returns the number that tells this socket from every other one of this process: its cookie, or where the system has
/// none, as gVisor, its inode.
pub fn number_of(socket: BorrowedFd<'_>) -> Option<u64> {
    let cookie = rustix::net::sockopt::socket_cookie(socket).ok();
    cookie.or_else(|| rustix::fs::fstat(socket).ok().map(|status| status.st_ino))
}
