//! One connection behind its lock: tiny_http's thread that reads it on one side, the thread that answers on the other.

use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::io::Errno;

use crate::http::connection::Connection;
use crate::unchecked::descriptor;

/// A connection that others reach, too.
pub struct Guarded {
    /// No other connection of this process has the same.
    pub number: u64,
    /// Whether tiny_http has begun to read it.
    pub is_read: AtomicBool,
    /// Bytes that it holds of those that [`crate::http::gate::MAX_HELD`] is about.
    pub held: AtomicUsize,
    /// The descriptor under which tiny_http writes. Once the connection is over another socket may have it.
    descriptor: RawFd,
    state: Mutex<Connection>,
    changed: Condvar,
    /// Whether somebody waits for `changed`: to notify nobody is a system call, too.
    is_awaited: AtomicBool,
}

impl Guarded {
    /// The connection of this `number`, under this `descriptor`, which was opened `now`.
    pub fn new(number: u64, descriptor: RawFd, now: Instant) -> Self {
        Self {
            number,
            is_read: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            descriptor,
            state: Mutex::new(Connection::new(now)),
            changed: Condvar::new(),
            is_awaited: AtomicBool::new(false),
        }
    }

    /// Returns the connection itself.
    pub fn lock(&self) -> MutexGuard<'_, Connection> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until [`Guarded::wake`] is called.
    pub fn wait<'a>(&self, state: MutexGuard<'a, Connection>) -> MutexGuard<'a, Connection> {
        // Under the lock: whoever changes the state from now on will see it.
        self.is_awaited.store(true, SeqCst);
        let state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        self.is_awaited.store(false, SeqCst);
        state
    }

    /// The state has changed.
    pub fn wake(&self) {
        if self.is_awaited.load(SeqCst) {
            self.changed.notify_all();
        }
    }

    /// Waits until no answer is being written.
    pub fn await_answers(&self) {
        let mut state = self.lock();
        while state.is_writing() {
            state = self.wait(state);
        }
    }

    /// The answer is about to be written; as [`Connection::answer`].
    pub fn answer(&self, now: Instant) -> bool {
        let goes_on = self.lock().answer(now);
        self.wake();
        goes_on
    }

    /// The answer is out.
    pub fn answered(&self) {
        self.lock().answered();
        self.wake();
    }

    /// Returns a duplicate of the socket.
    ///
    /// # Errors
    /// [`Gone`] when tiny_http has dropped it; else no descriptor is left.
    pub fn socket(&self) -> Result<TcpStream, Option<Gone>> {
        match descriptor::borrow(self.descriptor, |fd| fd.try_clone_to_owned()) {
            Ok(own) if number_of(own.as_fd()) == Some(self.number) => Ok(own.into()),
            Err(error) if error.raw_os_error() != Some(Errno::BADF.raw_os_error()) => Err(None),
            Ok(_) | Err(_) => Err(Some(Gone)),
        }
    }
}

/// tiny_http has dropped the connection.
#[derive(Debug)]
pub struct Gone;

/// Returns the number that tells this socket from every other one of this process: its cookie, or where the system has
/// none, as gVisor, its inode.
pub fn number_of(socket: BorrowedFd<'_>) -> Option<u64> {
    let cookie = rustix::net::sockopt::socket_cookie(socket).ok();
    cookie.or_else(|| rustix::fs::fstat(socket).ok().map(|status| status.st_ino))
}
