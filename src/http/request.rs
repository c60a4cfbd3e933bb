//! The ways to end a request: tiny_http's in the relay; the simulation has its own.

use std::io::{self, Cursor, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use tiny_http::ReadWrite;

use crate::http::gate::Gate;
use crate::http::guarded::SharedConnection;
use crate::http::response::{Ending, Response};
use crate::net::sockets::receive;

/// A request to be answered. All before it on its connection have been answered. It must be ended.
pub trait Request: Send {
    /// Returns the peer's address; behind a proxy, the proxy's.
    fn peer(&self) -> SocketAddr;
    /// Returns the method.
    fn method(&self) -> &str;
    /// Returns the request target.
    fn target(&self) -> &str;
    /// Returns the values of a header field, one for each line.
    fn fields(&self, name: &'static str) -> Vec<&str>;
    /// Sends the response, and closes the connection if `is_last`. A client that does not take it within
    /// [`crate::net::listener::SEND_TIMEOUT`] is cut.
    fn respond(self: Box<Self>, response: Response, is_last: bool);
    /// Closes the connection without a response.
    fn cut(self: Box<Self>);
    /// Returns a duplicate of the connection's socket.
    fn socket(&self) -> Option<TcpStream>;
    /// Sends `switching` and upgrades the connection, of which `socket` is a duplicate, to a WebSocket.
    fn upgrade(self: Box<Self>, switching: Switching, socket: Arc<TcpStream>) -> Upgraded;
}

/// The response 101.
pub type Switching = tiny_http::Response<io::Empty>;

/// A request from tiny_http.
pub struct Heard {
    pub request: tiny_http::Request,
    pub gate: Arc<Gate>,
    /// Its connection.
    pub connection: Arc<SharedConnection>,
}

impl Request for Heard {
    fn peer(&self) -> SocketAddr {
        // A connection without a peer does not pass the gate (T15).
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
        let ending = if is_last { Ending::Closes } else { self.connection.lock().request.ending };
        let bytes = response.into_bytes(ending, self.method() == "HEAD");
        let Self { request, gate, connection } = *self;
        let goes_on = !is_last && connection.begin_response(Instant::now());
        let mut writer = request.into_writer();
        if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() || is_last {
            // Before the writer is dropped, or its buffer would wait for this client again.
            gate.cut(&connection);
        }
        drop(writer);
        match goes_on {
            true => connection.response_sent(),
            false => gate.finish(&connection),
        }
    }

    fn cut(self: Box<Self>) {
        self.gate.cut(&self.connection);
        // The response that tiny_http sends by itself now finds no connection.
        drop(self.request);
        self.gate.finish(&self.connection);
    }

    fn socket(&self) -> Option<TcpStream> {
        self.connection.socket().ok()
    }

    fn upgrade(self: Box<Self>, switching: Switching, socket: Arc<TcpStream>) -> Upgraded {
        // The listener's timeout is for requests. An error means that the connection is closed already.
        let _ = socket.set_read_timeout(None);
        let early = Cursor::new(self.gate.upgraded(&self.connection));
        Upgraded { early, socket, _stream: self.request.upgrade("websocket", switching) }
    }
}

/// An upgraded connection, to be read. Dropping it closes the connection.
pub struct Upgraded {
    early: Cursor<Vec<u8>>,
    socket: Arc<TcpStream>,
    /// tiny_http's stream, which closes the socket when dropped. It has no timeouts, and can't be shared (T1).
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
