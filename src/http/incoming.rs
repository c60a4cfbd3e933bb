//! One request whose turn has come, and the ways it can end. It always ends: one that is dropped, by a
//! bug, is answered 500.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::http::answer::{Answer, Ending};
use crate::http::order::ConnectionId;
use crate::http::request::Request;
use crate::net::slow::Waiter;

/// What a worker is given to do.
pub enum Work<R: Request> {
    /// A request whose turn has come.
    Request(Incoming<R>),
    /// A request whose body came slowly and is complete now.
    Body(Incoming<R>, Vec<u8>),
    /// An answer that a thread without time to spare has decided on.
    Answer(Incoming<R>, Answer),
    /// A request that a bug has dropped.
    Dropped(Incoming<R>),
}

/// Where requests come from, as far as one of them needs it.
pub trait Home<R: Request>: Send + Sync {
    /// The request of this connection that was being served is done with.
    fn finish(self: Arc<Self>, id: ConnectionId);
    /// From now on nothing that comes from this connection counts.
    fn condemn(&self, id: ConnectionId);
    /// Ends the connection at once. Nothing that still comes from it counts.
    fn cut(&self, id: ConnectionId);
    /// The connection has become one of another protocol.
    fn upgraded(&self, id: ConnectionId);
    /// Returns a duplicate of the connection's socket.
    fn socket(&self, id: ConnectionId) -> Option<TcpStream>;
    /// Gives work to the next free worker. When too much waits, the connection is cut instead.
    fn hand_over(&self, work: Work<R>);
    /// This thread may have to wait: another receives meanwhile.
    fn let_others_receive(&self);
    /// Returns what takes whatever must wait for a socket.
    fn waiter(&self) -> &Waiter;
}

/// A request at its turn: all before it on its connection have been answered.
pub struct Incoming<R: Request> {
    /// Taken by whatever ends it.
    request: Option<R>,
    id: ConnectionId,
    home: Arc<dyn Home<R>>,
    /// Held until the answer is out, so that the end of the program can wait for it.
    owed: Option<Sender<()>>,
}

impl<R: Request> Incoming<R> {
    /// Only `home` knows when a request's turn has come.
    pub fn new(request: R, id: ConnectionId, home: Arc<dyn Home<R>>) -> Self {
        Self { request: Some(request), id, home, owed: None }
    }

    /// Returns who is connected; behind a proxy, the proxy.
    pub fn peer(&self) -> SocketAddr {
        self.id.peer()
    }

    /// Returns the request itself.
    pub fn request(&self) -> &R {
        self.request.as_ref().expect("only what consumes an Incoming takes its request")
    }

    /// Returns the same, to read its body.
    pub fn request_mut(&mut self) -> &mut R {
        self.request.as_mut().expect("only what consumes an Incoming takes its request")
    }

    /// Returns the first header field of this name.
    pub fn field(&self, name: &'static str) -> Option<&str> {
        self.request().field(name)
    }

    /// Returns who the proxy says is behind it: by `X-Real-IP`, or by the end of `X-Forwarded-For`, where those that
    /// send that alone put what they know themselves. Caddy, Apache and lighttpd pass on an `X-Real-IP` of the client's own
    /// unless their configuration takes it away, as docs/proxies.md has it (docs/facts/npm.md).
    pub fn claimed(&self) -> Option<&str> {
        match self.field("X-Real-IP") {
            Some(address) => Some(address),
            None => {
                let list = self.request().last_field("X-Forwarded-For");
                list.and_then(|list| list.rsplit(',').next()).map(str::trim)
            }
        }
    }

    /// Whether a proxy says that it has passed this on.
    pub fn is_forwarded(&self) -> bool {
        self.claimed().is_some() || self.field("X-Forwarded-Proto").is_some()
    }

    /// Whether it came on the relay's own machine, without a proxy: plain HTTP that no other machine sees.
    pub fn is_at_home(&self) -> bool {
        self.field("Host").is_some_and(is_loopback) && !self.is_forwarded()
    }

    /// Whether the proxies say that it came over https, each of them if there are several.
    pub fn is_over_https(&self) -> bool {
        let schemes = self.field("X-Forwarded-Proto");
        schemes.is_some_and(|all| all.split(',').all(|one| one.trim().eq_ignore_ascii_case("https")))
    }

    /// Returns a duplicate of the connection's socket.
    pub fn socket(&self) -> Option<TcpStream> {
        self.home.socket(self.id)
    }

    /// Keeps `owed` until the answer is out.
    pub fn owe(&mut self, owed: Sender<()>) {
        self.owed = Some(owed);
    }

    /// Returns where it came from.
    pub fn home(&self) -> &Arc<dyn Home<R>> {
        &self.home
    }

    /// Answers a request whose body has been read. A client that doesn't take the answer within
    /// [`crate::net::listener::SEND_TIMEOUT`] is cut.
    pub fn answer(mut self, answer: Answer) {
        let Some(request) = self.request.take() else { return };
        self.home.let_others_receive();
        let ending = request.ending();
        let bytes = answer.into_bytes(ending, request.is_head());
        request.answer(&bytes, &|| self.home.cut(self.id));
        if ending == Ending::MustBeCut {
            self.home.cut(self.id);
        }
        self.home.clone().finish(self.id);
    }

    /// Has a worker answer, for threads that others wait for.
    pub fn answer_by_worker(self, answer: Answer) {
        let home = self.home.clone();
        home.hand_over(Work::Answer(self, answer));
    }

    /// Ends the connection without an answer.
    pub fn cut(self) {
        self.home.cut(self.id);
        self.let_go(0);
    }

    /// From now on nothing else that comes from this connection counts.
    pub fn condemn(&self) {
        self.home.condemn(self.id);
    }

    /// Lets go of the request of a connection that was shut, of whose body so much has been read.
    pub fn let_go(mut self, read: usize) {
        if let Some(request) = self.request.take() {
            request.let_go(read);
            self.home.clone().finish(self.id);
        }
    }

    /// Has `switch` turn the connection into one of another protocol. Returns what that makes.
    pub fn upgrade<T>(mut self, switch: impl FnOnce(R) -> T) -> Option<T> {
        self.home.let_others_receive();
        let switched = switch(self.request.take()?);
        self.home.upgraded(self.id);
        self.home.clone().finish(self.id);
        Some(switched)
    }
}

impl<R: Request> Drop for Incoming<R> {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            let rescued = Self::new(request, self.id, self.home.clone());
            self.home.hand_over(Work::Dropped(rescued));
        }
    }
}

/// Whether a `Host` field names the machine itself.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|own| name.eq_ignore_ascii_case(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_machine_itself_is_home() {
        for host in ["127.0.0.1", "127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8080"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "::1", "127.0.0.1.example.org", "localhost.example.org:80", "192.168.1.5:8080"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
