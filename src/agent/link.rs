//! One link to the agent: what is sent on it never makes the sender wait.
//!
//! Everything that is written goes out whole, under one lock (T1): commands and pings from whichever
//! thread has them, pongs from the reader. What the socket doesn't take at once waits in the outbox,
//! and the thread for slow sockets sends it on.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::SendFlags;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

use crate::exchange::LinkId;
use crate::http::slow::{Slow, Waiter};
use crate::http::socket;
use crate::limits::{AGENT_SEND_TIMEOUT, FLUSH_AT, MAX_OUTBOX};

/// The link takes nothing any more.
#[derive(Debug, PartialEq, Eq)]
pub struct LinkDown;

/// One WebSocket connection of the agent.
pub struct Link {
    /// Its number.
    pub id: LinkId,
    /// Who connected, for the log.
    pub peer: String,
    socket: TcpStream,
    outbox: Mutex<Outbox>,
    waiter: Waiter,
    opened: Instant,
    /// When something last came from the agent, in milliseconds after `opened`.
    heard: AtomicU64,
    /// Why the relay ended the link, if it did.
    why: OnceLock<String>,
}

#[derive(Default)]
struct Outbox {
    unsent: Vec<u8>,
    /// Whether an [`Unsent`] waits for the socket, or everything for the end of the handshake.
    waited_for: bool,
    closed: bool,
}

impl Outbox {
    /// So many bytes have been sent. A buffer that has been large is not kept.
    fn take(&mut self, sent: usize) {
        self.unsent.drain(..sent);
        if self.unsent.is_empty() && self.unsent.capacity() > 2 * FLUSH_AT {
            self.unsent = Vec::new();
        }
    }
}

impl Link {
    /// A link over `socket`, a duplicate of the one that the reader reads. What is sent waits until it is
    /// [`Link::open`].
    pub fn new(id: LinkId, peer: String, socket: TcpStream, waiter: Waiter) -> Self {
        Self {
            id,
            peer,
            socket,
            outbox: Mutex::new(Outbox { waited_for: true, ..Outbox::default() }),
            waiter,
            opened: Instant::now(),
            heard: AtomicU64::new(0),
            why: OnceLock::new(),
        }
    }

    /// The handshake is out: sends what has waited for it.
    pub fn open(self: &Arc<Self>) {
        let mut outbox = self.lock();
        outbox.waited_for = false;
        // A link that is down is ended by its reader.
        let _ = self.flush_outbox(&mut outbox);
    }

    /// Puts one text message into the outbox. It goes out with the next [`Link::flush`], so that
    /// commands that come together go together.
    ///
    /// # Errors
    /// The link is closed, or more than [`MAX_OUTBOX`] bytes wait on it, which closes it.
    pub fn text(self: &Arc<Self>, text: String) -> Result<(), LinkDown> {
        let frame = bytes(Frame::message(text, OpCode::Data(Data::Text), true));
        let mut outbox = self.lock();
        if outbox.closed {
            return Err(LinkDown);
        }
        outbox.unsent.extend_from_slice(&frame);
        if outbox.unsent.len() > FLUSH_AT { self.flush_outbox(&mut outbox) } else { Ok(()) }
    }

    /// Sends what is in the outbox, without waiting.
    ///
    /// # Errors
    /// As [`Link::text`].
    pub fn flush(self: &Arc<Self>) -> Result<(), LinkDown> {
        self.flush_outbox(&mut self.lock())
    }

    /// Sends a ping.
    ///
    /// # Errors
    /// As [`Link::text`].
    pub fn ping(self: &Arc<Self>) -> Result<(), LinkDown> {
        self.send(&bytes(Frame::ping(Vec::new())))
    }

    /// Sends a close frame, after which nothing is sent any more. `why` is for the log.
    pub fn close(self: &Arc<Self>, code: CloseCode, reason: &'static str, why: &str) {
        let _ = self.why.set(why.to_owned());
        let mut outbox = self.lock();
        if outbox.closed {
            return;
        }
        let farewell = bytes(Frame::close(Some(CloseFrame { code, reason: reason.into() })));
        outbox.unsent.extend_from_slice(&farewell);
        // If the connection is broken, its reader finds out.
        let _ = self.flush_outbox(&mut outbox);
        // Under the same lock, or the confirmation of the agent's close could follow as a second one.
        outbox.closed = true;
    }

    /// Ends the connection at once. `why` is for the log.
    pub fn cut(&self, why: &str) {
        self.break_off(&mut self.lock(), why);
    }

    /// Marks the link as over: from now on every send fails.
    pub fn end(&self) {
        self.lock().closed = true;
    }

    /// Why the relay ended the link, if it did.
    pub fn why(&self) -> Option<&str> {
        self.why.get().map(String::as_str)
    }

    /// Something came from the agent.
    pub fn hear(&self) {
        let after = self.opened.elapsed().as_millis();
        self.heard.store(u64::try_from(after).unwrap_or(u64::MAX), Relaxed);
    }

    /// When something last came from the agent.
    pub fn heard(&self) -> Instant {
        self.opened + Duration::from_millis(self.heard.load(Relaxed))
    }

    /// Sends whole frames, behind those in the outbox, without waiting.
    ///
    /// # Errors
    /// As [`Link::text`].
    pub fn send(self: &Arc<Self>, frames: &[u8]) -> Result<(), LinkDown> {
        let mut outbox = self.lock();
        if outbox.closed {
            return Err(LinkDown);
        }
        outbox.unsent.extend_from_slice(frames);
        self.flush_outbox(&mut outbox)
    }

    /// Also when the link is closed: the farewell may still be in the outbox.
    fn flush_outbox(self: &Arc<Self>, outbox: &mut Outbox) -> Result<(), LinkDown> {
        if !outbox.waited_for && !outbox.unsent.is_empty() {
            match self.send_some(&outbox.unsent) {
                Ok(sent) => outbox.take(sent),
                Err(_) => return Err(self.break_off(outbox, "its connection broke")),
            }
        }
        if outbox.unsent.len() > MAX_OUTBOX {
            return Err(self.break_off(outbox, "too much waited to be sent to it"));
        }
        if !outbox.unsent.is_empty() && !outbox.waited_for {
            outbox.waited_for = true;
            let until = Instant::now() + AGENT_SEND_TIMEOUT;
            if self.waiter.wait(Box::new(Unsent { link: self.clone(), until })).is_err() {
                return Err(self.break_off(outbox, "too many sockets are waited for"));
            }
        }
        Ok(())
    }

    fn break_off(&self, outbox: &mut Outbox, why: &str) -> LinkDown {
        let _ = self.why.set(why.to_owned());
        outbox.closed = true;
        socket::shut(&self.socket);
        LinkDown
    }

    fn send_some(&self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::net::send(&self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(sent) => Ok(sent),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A frame as it goes over the wire.
fn bytes(frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frame.len());
    frame.format(&mut bytes).expect("writing to a Vec can't fail");
    bytes
}

/// A link whose socket took not everything.
struct Unsent {
    link: Arc<Link>,
    until: Instant,
}

impl Slow for Unsent {
    fn socket(&self) -> BorrowedFd<'_> {
        self.link.socket.as_fd()
    }

    fn waits_for(&self) -> PollFlags {
        PollFlags::OUT
    }

    fn until(&self) -> Instant {
        self.until
    }

    fn go_on(mut self: Box<Self>) -> Option<Box<dyn Slow>> {
        let mut outbox = self.link.lock();
        let Ok(sent) = self.link.send_some(&outbox.unsent) else {
            drop(outbox);
            self.link.cut("its connection broke");
            return None;
        };
        outbox.take(sent);
        outbox.waited_for = !outbox.unsent.is_empty();
        let go_on_waiting = outbox.waited_for;
        drop(outbox);
        if sent > 0 {
            self.until = Instant::now() + AGENT_SEND_TIMEOUT;
        }
        go_on_waiting.then_some(self as Box<dyn Slow>)
    }

    fn give_up(self: Box<Self>) {
        let seconds = AGENT_SEND_TIMEOUT.as_secs();
        self.link.cut(&format!("it took no byte for {seconds} s"));
    }
}
