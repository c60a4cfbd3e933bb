//! The gate in front of tiny_http: it passes on one whole, well-formed request of a connection at a time, and nothing
//! else.
//!
//! tiny_http accepts and reads by itself, hides its sockets, and reads ahead into a queue without a bound
//! (docs/facts/tiny_http.md). The gate replaces the two calls that it uses for this, [`crate::unchecked::socket_hooks`],
//! and adds the connection's number to each head.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread, park, park_timeout};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, getpeername};

use crate::http::connection::{NextStep, Start};
use crate::http::guarded::{SharedConnection, number_of};
use crate::http::head::NUMBER_FIELD;
use crate::http::receive::{PIECE, Received, RequestReader};
use crate::runtime::log_limit::target::NO_REQUEST;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::unchecked::socket_hooks::{Buffer, SocketHooks};

/// Connections at once; one more cuts the one that the relay has waited for longest. Fewer where `ulimit -n` is low.
pub const MAX_CONNECTIONS: usize = 512;

/// Descriptors kept for other things than clients' connections.
pub const SPARE_DESCRIPTORS: usize = 64;

/// Bytes of all buffers larger than [`SMALL_BUFFER`]; beyond, the connection among them that the relay has waited for
/// longest is cut.
pub const MAX_HELD: usize = 12 * 1024 * 1024;

/// Bytes that every connection may buffer: 4 MiB more for [`MAX_CONNECTIONS`].
pub const SMALL_BUFFER: usize = 8 * 1024;

/// How long a new connection waits for a thread that will read it. If the machine is too busy for this, it may stay without
/// a thread until another connection ends (T2); the watchdog's own does every few seconds.
pub const THREAD_TIMEOUT: Duration = Duration::from_millis(10);

/// How long accepting pauses after an error, unless a connection ends.
pub const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

thread_local! {
    static ROLE: RefCell<ThreadRole> = const { RefCell::new(ThreadRole::Unknown) };
}

/// Threads of tiny_http's pool that are idle: each reads a new connection next.
static IDLE: AtomicUsize = AtomicUsize::new(0);

/// The gate's knowledge of the current thread.
enum ThreadRole {
    /// It has not read a connection yet.
    Unknown,
    /// It belongs to tiny_http's pool, whose threads read nothing else.
    Known,
    /// It belongs to the pool and is idle.
    Idle,
    /// It reads a connection, whose descriptor stays open meanwhile.
    Reads(RawFd, Arc<SharedConnection>),
}

impl ThreadRole {
    fn become_idle() {
        ROLE.set(Self::Idle);
        IDLE.fetch_add(1, SeqCst);
    }
}

impl Drop for ThreadRole {
    fn drop(&mut self) {
        if matches!(self, Self::Idle) {
            IDLE.fetch_sub(1, SeqCst);
        }
    }
}

/// The gate of one listener.
pub struct Gate {
    listener: RawFd,
    room: usize,
    /// An accepted descriptor from this number on makes the gate cut another connection.
    too_high: RawFd,
    connections: Mutex<BTreeMap<u64, Arc<SharedConnection>>>,
    /// Connections that tiny_http has accepted and no thread reads yet.
    without_thread: AtomicUsize,
    /// Bytes of the larger buffers.
    held: AtomicUsize,
    acceptor: OnceLock<Thread>,
}

impl Gate {
    /// Creates the gate for what tiny_http accepts on `listener`, in a process that may open this many `descriptors`.
    pub fn new(listener: &TcpListener, descriptors: usize) -> Self {
        // tiny_http takes two descriptors for a connection.
        let room = (descriptors.saturating_sub(SPARE_DESCRIPTORS) / 2).clamp(1, MAX_CONNECTIONS);
        let too_high = descriptors.saturating_sub(SPARE_DESCRIPTORS / 4);
        Self {
            listener: listener.as_raw_fd(),
            room,
            too_high: too_high.try_into().unwrap_or(RawFd::MAX),
            connections: Mutex::default(),
            without_thread: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            acceptor: OnceLock::new(),
        }
    }

    /// Returns a connection by its number, and the body of its current request.
    pub fn take_body(&self, number: u64) -> Option<(Arc<SharedConnection>, Vec<u8>)> {
        let connection = self.lock().get(&number).cloned()?;
        let (body, held) = connection.lock().take_body();
        self.hold(&connection, held);
        Some((connection, body))
    }

    /// Closes a connection whose last request was answered.
    pub fn finish(&self, connection: &SharedConnection) {
        if connection.lock().finish() {
            self.forget(connection);
        }
        connection.wake();
    }

    /// Closes a connection at once.
    pub fn cut(&self, connection: &SharedConnection) {
        connection.lock().cut();
        self.shut(connection);
    }

    fn shut(&self, connection: &SharedConnection) {
        connection.wake();
        match connection.socket() {
            // An error means that the connection is closed already.
            Ok(socket) => _ = socket.shutdown(Shutdown::Both),
            Err(Errno::BADF) => self.forget(connection),
            // The thread that reads it notices at the next byte, or when the receive timeout passes.
            Err(_) => {}
        }
    }

    /// A connection was upgraded to another protocol. Returns the bytes behind its request.
    pub fn upgraded(&self, connection: &SharedConnection) -> Vec<u8> {
        self.forget(connection);
        connection.lock().begin_reading().early
    }

    /// Removes a connection, which tiny_http never reads again.
    fn forget(&self, connection: &SharedConnection) {
        self.lock().remove(&connection.number);
        self.hold(connection, 0);
        self.wake_acceptor();
    }

    /// Updates the bytes that a connection buffers. The caller must hold no lock, since another connection may be cut.
    fn hold(&self, connection: &SharedConnection, bytes: usize) {
        let bytes = if bytes > SMALL_BUFFER && !connection.lock().is_over() { bytes } else { 0 };
        let before = connection.held.swap(bytes, SeqCst);
        self.held.fetch_add(bytes.wrapping_sub(before), SeqCst);
        while bytes > before
            && self.held.load(SeqCst) > MAX_HELD
            && self.cut_longest_waiting(|connection| connection.held.load(SeqCst) > 0)
        {}
    }

    /// Of the connections that `is_meant` tells, cuts the one that the relay has waited for longest, unless its request
    /// arrived meanwhile. Returns whether there was one.
    fn cut_longest_waiting(&self, is_meant: impl Fn(&SharedConnection) -> bool) -> bool {
        let since = |connection: Arc<SharedConnection>| {
            connection.lock().waits_since().map(|since| (since, connection.clone()))
        };
        let waiting =
            self.all().into_iter().filter(|connection| is_meant(connection)).filter_map(since);
        let longest = waiting.min_by_key(|(since, _)| *since).map(|(_, connection)| connection);
        if let Some(connection) =
            longest.as_deref().filter(|connection| connection.lock().cut_if_waiting())
        {
            self.shut(connection);
            self.hold(connection, 0);
        }
        longest.is_some()
    }

    /// Makes room for a descriptor by cutting a connection, unless one is about to end.
    fn make_room(&self) {
        if !self.all().iter().any(|connection| connection.lock().is_leaving()) {
            self.cut_longest_waiting(|_| true);
        }
    }

    /// Delays accepting until connections without a thread are no more than idle threads: tiny_http counts a thread that it
    /// has woken as idle until that thread runs, and so may give two connections to one (T2). A single connection always
    /// passes, since without an idle thread tiny_http starts one.
    fn await_thread(&self) {
        let end = Instant::now() + THREAD_TIMEOUT;
        while self.without_thread.load(SeqCst) > IDLE.load(SeqCst).max(1) && Instant::now() < end {
            park_timeout(THREAD_TIMEOUT);
        }
    }

    fn wake_acceptor(&self) {
        if let Some(acceptor) = self.acceptor.get() {
            acceptor.unpark();
        }
    }

    /// Returns the connection of a socket.
    fn connection_of(&self, socket: BorrowedFd<'_>) -> Option<Arc<SharedConnection>> {
        ROLE.with_borrow_mut(|role| match role {
            ThreadRole::Reads(descriptor, connection) if *descriptor == socket.as_raw_fd() => {
                Some(connection.clone())
            }
            _ => self.lock().get(&number_of(socket)?).cloned(),
        })
    }

    /// Writes the next bytes for tiny_http to `buffer`. Returns their number, 0 at the end, and whether tiny_http will read
    /// again.
    fn hear(
        &self,
        connection: &SharedConnection,
        socket: BorrowedFd<'_>,
        buffer: &mut Buffer,
    ) -> (usize, bool) {
        let (hold, await_responses) =
            (|bytes| self.hold(connection, bytes), || connection.await_responses());
        let reader = RequestReader { socket, hold: &hold, await_responses: &await_responses };
        loop {
            let mut state = connection.lock();
            match state.next() {
                NextStep::Give => return (state.give(buffer), state.will_be_read()),
                NextStep::Wait if state.has_nothing_behind() => {
                    drop(state);
                    let mut early = [MaybeUninit::uninit(); PIECE];
                    match rustix::net::recv(socket, &mut early, RecvFlags::empty()) {
                        Ok(((early, _), 1..)) => connection.lock().keep(early, Instant::now()),
                        Err(Errno::AGAIN | Errno::INTR) => {}
                        Ok(_) | Err(_) => connection.lock().cut(),
                    }
                }
                NextStep::Wait => {
                    drop(state);
                    park();
                }
                NextStep::Read => {
                    let start = state.begin_reading();
                    drop(state);
                    self.receive(connection, &reader, start);
                }
                NextStep::End => {
                    let is_done = state.tell_end();
                    drop(state);
                    if is_done {
                        self.forget(connection);
                    }
                    return (0, false);
                }
            }
        }
    }

    /// Reads a request.
    fn receive(&self, connection: &SharedConnection, reader: &RequestReader<'_>, start: Start) {
        let has_asked = start.has_asked;
        let received = reader.receive(start);
        let is_foreign = match &received {
            Received::Request(_) => false,
            Received::Refused(refusal) => !refusal.is_http,
            Received::Nothing(has_brought) => *has_brought,
        };
        if is_foreign && !has_asked {
            self.tell_of_no_request(reader.socket);
        }
        match received {
            // A peer that tiny_http can't be told of is not accepted (T15).
            Received::Request(mut delivery) if has_asked || getpeername(reader.socket).is_ok() => {
                // Writing to a `Vec` can't fail.
                let _ = write!(delivery.head, "{NUMBER_FIELD}: {}\r\n\r\n", connection.number);
                self.hold(connection, delivery.held());
                return connection.lock().deliver(delivery);
            }
            Received::Refused(refusal) => reader.refuse(refusal),
            Received::Request(_) | Received::Nothing(_) => {}
        }
        connection.lock().cut();
    }

    fn tell_of_no_request(&self, socket: BorrowedFd<'_>) {
        let peer = getpeername(socket).ok().flatten().and_then(|peer| SocketAddr::try_from(peer).ok());
        let peer = peer.map_or_else(|| "a client that is gone".into(), |peer| peer.ip().to_string());
        log::warn!(
            target: NO_REQUEST,
            "A connection from {peer} sent data that is not HTTP/1.1. Check the proxy: it must use http, not https \
             or HTTP/2, to reach the relay"
        );
    }

    fn all(&self) -> Vec<Arc<SharedConnection>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<SharedConnection>>> {
        lock(&self.connections)
    }
}

impl SocketHooks for Arc<Gate> {
    fn is_listener(&self, listener: BorrowedFd<'_>) -> bool {
        listener.as_raw_fd() == self.listener
    }

    fn accepted(&self, socket: OwnedFd) -> Option<OwnedFd> {
        self.acceptor.get_or_init(thread::current);
        if socket.as_raw_fd() >= self.too_high {
            self.make_room();
        }
        let number = number_of(socket.as_fd())?;
        let connection = Arc::new(SharedConnection::new(number, socket.as_raw_fd(), Instant::now()));
        self.lock().insert(number, connection);
        if self.lock().len() > self.room {
            let open = self.all().iter().filter(|connection| !connection.lock().is_leaving()).count();
            (self.room..open).for_each(|_| _ = self.cut_longest_waiting(|_| true));
        }
        self.without_thread.fetch_add(1, SeqCst);
        self.await_thread();
        Some(socket)
    }

    fn failed(&self, error: &io::Error) -> bool {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            // The listener is closed.
            Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK) => return false,
            // The listener has the receive timeout that connections inherit.
            Some(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => {}
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                self.make_room();
                park_timeout(ACCEPT_AGAIN);
            }
            _ => park_timeout(ACCEPT_AGAIN),
        }
        true
    }

    fn read(&self, socket: BorrowedFd<'_>, buffer: &mut Buffer) -> Option<io::Result<usize>> {
        let Some(connection) = self.connection_of(socket) else {
            // Bytes that have not passed the gate must not be read.
            let is_pooled = ROLE.with_borrow(|role| !matches!(role, ThreadRole::Unknown));
            return is_pooled.then_some(Ok(0));
        };
        if connection.reader.set(thread::current()).is_ok() {
            self.without_thread.fetch_sub(1, SeqCst);
            self.wake_acceptor();
        }
        // Holds until the end of this call, whatever becomes of it.
        ROLE.set(ThreadRole::Known);
        let (taken, reads_on) = self.hear(&connection, socket, buffer);
        if reads_on {
            ROLE.set(ThreadRole::Reads(socket.as_raw_fd(), connection));
        } else if !connection.lock().request.upgrades {
            ThreadRole::become_idle();
            self.wake_acceptor();
        }
        Some(Ok(taken))
    }
}

/// Returns the connection's number from the field that the gate wrote.
pub fn number_in(request: &tiny_http::Request) -> Option<u64> {
    let field = request.headers().iter().find(|header| header.field.equiv(NUMBER_FIELD))?;
    field.value.as_str().parse().ok()
}
