//! One request whose turn has come, and the ways it can end. It always ends: one that is dropped is
//! answered 500.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use crossbeam_channel::Sender;
use tiny_http::{Method, ReadWrite, Request};

use crate::http::answer::Answer;
use crate::http::connections::{Connections, Work};
use crate::http::head::{self, Reader};
use crate::http::lingering::{Lingering, dispose};
use crate::http::socket;

/// A request at its turn: all before it on its connection have been answered.
pub struct Incoming {
    /// Taken by whatever ends it.
    request: Option<Request>,
    peer: SocketAddr,
    connections: Arc<Connections>,
    /// Held until the answer is out, so that the end of the program can wait for it.
    owed: Option<Sender<()>>,
}

impl Incoming {
    /// Only [`Connections`] knows when a request's turn has come.
    pub(super) fn new(request: Request, peer: SocketAddr, connections: Arc<Connections>) -> Self {
        Self { request: Some(request), peer, connections, owed: None }
    }

    /// Who is connected; behind a proxy, the proxy.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The request, as tiny_http gives it.
    pub fn request(&self) -> &Request {
        self.request.as_ref().expect("only what consumes an Incoming takes its request")
    }

    /// The first header field of this name.
    pub fn field(&self, name: &'static str) -> Option<&str> {
        let header = self.request().headers().iter().find(|header| header.field.equiv(name))?;
        Some(header.value.as_str())
    }

    /// The body's reader.
    pub fn reader(&mut self) -> &mut dyn Read {
        self.request.as_mut().expect("only what consumes an Incoming takes its request").as_reader()
    }

    /// A duplicate of the connection's socket.
    pub fn socket(&self) -> Option<TcpStream> {
        self.connections.socket(self.peer)
    }

    /// Keeps `owed` until the answer is out.
    pub fn owe(&mut self, owed: Sender<()>) {
        self.owed = Some(owed);
    }

    /// The connections it is one of.
    pub fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Answers a request whose body has been read. A client that doesn't take the answer within
    /// [`crate::limits::SEND_TIMEOUT`] is cut.
    pub fn answer(mut self, answer: Answer) {
        let Some(request) = self.request.take() else { return };
        self.connections.let_others_receive();
        let close = head::is_last(&request);
        let bytes = answer.into_bytes(close, *request.method() == Method::Head);
        let mut writer = request.into_writer();
        if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
            // Before the writer goes, or its buffer would wait for this client once more.
            self.connections.cut(self.peer);
        }
        drop(writer);
        self.connections.finish(self.peer);
    }

    /// Leaves the answering to a worker, for threads that others wait for.
    pub fn answer_by_worker(self, answer: Answer) {
        let connections = self.connections.clone();
        connections.hand_over(Work::Answer(self, answer));
    }

    /// Answers a request whose end is in doubt or whose body won't be used, and closes its connection:
    /// nothing further from it counts.
    pub fn refuse(self, answer: Answer) {
        self.connections.let_others_receive();
        self.connections.condemn(self.peer);
        let Some(mut socket) = self.socket() else { return self.cut() };
        let head_only = *self.request().method() == Method::Head;
        let answer = answer.into_bytes(true, head_only);
        if head::reader(self.request()) != Reader::InMemory {
            // tiny_http takes nothing further until the body is let go, so there is time to be polite.
            return Lingering::begin(self, socket, answer);
        }
        // Past tiny_http's own writer, which would let go of the body first (T4). It is this request's
        // turn, so nothing else is written meanwhile. A client that doesn't take it is closed anyway.
        let _ = socket.write_all(&answer);
        self.end(&socket);
    }

    /// Ends the connection without an answer.
    pub fn cut(mut self) {
        self.connections.cut(self.peer);
        self.let_go(0);
    }

    /// Turns the connection into one of another protocol: what is read and written from now on. The
    /// client has its answer when this returns.
    pub fn upgrade(
        mut self,
        protocol: &str,
        switching: tiny_http::Response<std::io::Empty>,
    ) -> Option<Box<dyn ReadWrite + Send>> {
        self.connections.let_others_receive();
        let stream = self.request.take()?.upgrade(protocol, switching);
        self.connections.upgraded(self.peer);
        Some(stream)
    }

    fn end(mut self, socket: &TcpStream) {
        socket::shut(socket);
        self.let_go(0);
    }

    /// Lets go of the request of a connection that was shut, of whose body so much has been read.
    pub(super) fn let_go(&mut self, read: usize) {
        if let Some(request) = self.request.take() {
            dispose(request, read);
            self.connections.finish(self.peer);
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            let rescued = Self::new(request, self.peer, self.connections.clone());
            rescued.refuse(Answer::error(500, "the relay failed on this request; see its log"));
        }
    }
}
