//! One request and the ways to end it: tiny_http's are real; the simulation makes its own up.

use std::io::{self, Cursor, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use tiny_http::ReadWrite;

use crate::http::gate::Gate;
use crate::http::guarded::Guarded;
use crate::http::response::{Ending, Response};
use crate::net::sockets::receive;

/// One request at its turn: all before it on its connection have been answered. It must be ended.
pub trait Request: Send {
    /// Returns who is connected; behind a proxy, the proxy.
    fn peer(&self) -> SocketAddr;
    /// Returns the method.
    fn method(&self) -> &str;
    /// Returns the request target.
    fn target(&self) -> &str;
    /// Returns the values of a header field, one for each line of it.
    fn fields(&self, name: &'static str) -> Vec<&str>;
    /// Answers, and ends the connection if that `is_last`. A client that doesn't take the answer within
    /// [`crate::net::listener::SEND_TIMEOUT`] is cut.
    fn respond(self: Box<Self>, response: Response, is_last: bool);
    /// Ends the connection without an answer.
    fn cut(self: Box<Self>);
    /// Returns a duplicate of the connection's socket.
    fn socket(&self) -> Option<TcpStream>;
    /// Answers with `switching`, and makes a WebSocket of the connection, of which `socket` is a duplicate.
    fn upgrade(self: Box<Self>, switching: Switching, socket: Arc<TcpStream>) -> Upgraded;
}

/// The answer 101.
pub type Switching = tiny_http::Response<io::Empty>;

/// A request that tiny_http has heard.
pub struct Heard {
    pub request: tiny_http::Request,
    pub gate: Arc<Gate>,
    /// The connection that it came on.
    pub line: Arc<Guarded>,
}

impl Request for Heard {
    fn peer(&self) -> SocketAddr {
        // One without a peer has not passed the gate (T15).
        self.request.remote_addr().copied().unwrap_or(SocketAddr::from(([0; 4], 0)))
    }

    fn method(&self) -> &str {
        self.request.method().as_str()
    }

    fn target(&self) -> &str {
        self.request.url()
    }

    fn fields(&self, name: &'static str) -> Vec<&str> {
        let lines = self.request.headers().iter().filter(|header| header.field.equiv(name));
        lines.map(|header| header.value.as_str()).collect()
    }

    fn respond(self: Box<Self>, response: Response, is_last: bool) {
        let ending = if is_last { Ending::Closes } else { self.line.lock().request.ending };
        let bytes = response.into_bytes(ending, self.method() == "HEAD");
        let Self { request, gate, line } = *self;
        let goes_on = !is_last && line.begin_response(Instant::now());
        let mut writer = request.into_writer();
        if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() || is_last {
            // Before the writer goes, or its buffer would wait for this client once more.
            gate.cut(&line);
        }
        drop(writer);
        match goes_on {
            true => line.response_sent(),
            false => gate.finish(&line),
        }
    }

    fn cut(self: Box<Self>) {
        self.gate.cut(&self.line);
        // What tiny_http answers by itself now finds no connection.
        drop(self.request);
        self.gate.finish(&self.line);
    }

    fn socket(&self) -> Option<TcpStream> {
        self.line.socket().ok()
    }

    fn upgrade(self: Box<Self>, switching: Switching, socket: Arc<TcpStream>) -> Upgraded {
        // The listener's timeout is for requests. An error means that the connection is over already.
        let _ = socket.set_read_timeout(None);
        let early = Cursor::new(self.gate.upgraded(&self.line));
        Upgraded { early, socket, _stream: self.request.upgrade("websocket", switching) }
    }
}

/// A connection of another protocol, to be read. Dropping it ends the connection.
pub struct Upgraded {
    early: Cursor<Vec<u8>>,
    socket: Arc<TcpStream>,
    /// tiny_http's, which shuts the socket when it goes. It can be given neither timeouts nor to two threads (T1).
    _stream: Box<dyn ReadWrite + Send>,
}

impl Read for Upgraded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let early = self.early.read(buffer)?;
        if early > 0 || buffer.is_empty() {
            return Ok(early);
        }
        self.early = Cursor::default();
        receive(&self.socket, buffer)
    }
}
