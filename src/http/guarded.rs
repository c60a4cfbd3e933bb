//! A connection behind its lock: tiny_http's thread that reads it on one side, threads that write responses on the other.

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

/// A connection shared between threads.
pub struct SharedConnection {
    /// Unique in this process.
    pub number: u64,
    /// tiny_http's thread that reads it, once one does.
    pub reader: OnceLock<Thread>,
    /// Bytes that count towards [`crate::http::gate::MAX_HELD`].
    pub held: AtomicUsize,
    /// The descriptor that tiny_http writes to. Once the connection is closed, another socket may have it.
    descriptor: RawFd,
    state: Mutex<Connection>,
}

impl SharedConnection {
    /// Creates the connection of this `number`, with this `descriptor`, opened `now`.
    pub fn new(number: u64, descriptor: RawFd, now: Instant) -> Self {
        let (state, held) = (Mutex::new(Connection::new(now)), AtomicUsize::new(0));
        Self { number, reader: OnceLock::new(), held, descriptor, state }
    }

    /// Locks the connection's state.
    pub fn lock(&self) -> MutexGuard<'_, Connection> {
        lock(&self.state)
    }

    /// Wakes the reading thread after the state has changed.
    pub fn wake(&self) {
        self.reader.get().into_iter().for_each(Thread::unpark);
    }

    /// Blocks the reading thread until no response is being written.
    pub fn await_responses(&self) {
        while self.lock().is_writing() {
            park();
        }
    }

    /// The response is about to be written; as [`Connection::begin_response`].
    pub fn begin_response(&self, now: Instant) -> bool {
        let goes_on = self.lock().begin_response(now);
        self.wake();
        goes_on
    }

    /// The response was written.
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

/// Returns a number that identifies a socket in this process: its cookie, or its inode where the system has none, as
/// gVisor.
pub fn number_of(socket: BorrowedFd<'_>) -> Option<u64> {
    let cookie = rustix::net::sockopt::socket_cookie(socket).ok();
    cookie.or_else(|| rustix::fs::fstat(socket).ok().map(|status| status.st_ino))
}
