//! One request and its response. Dropping an unanswered request sends a 500.

use std::net::TcpStream;
use std::ops::Deref;
use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::http::request::{Request, Switching, Upgraded};
use crate::http::response::Response;
use crate::http::workers;
use crate::text::origin;

/// A worker's job.
pub enum Job {
    /// Serves a request, with its body.
    Request(Exchange, Vec<u8>),
    /// Writes a response on behalf of a thread that must not wait, and closes the connection if true.
    Response(Exchange, Response, bool),
}

/// The workers, who are given such jobs.
pub type Workers = workers::Workers<Job>;

/// A request that is to be answered. All before it on its connection have been answered.
pub struct Exchange {
    /// Taken by whatever ends the exchange.
    request: Option<Box<dyn Request>>,
    workers: Arc<Workers>,
    /// Held until the response is sent.
    guard: Option<Sender<()>>,
}

impl Exchange {
    /// Creates the exchange of a request that one of `workers` serves.
    pub fn new(request: Box<dyn Request>, workers: Arc<Workers>) -> Self {
        Self { request: Some(request), workers, guard: None }
    }

    /// Whether the method is GET or HEAD.
    pub fn is_read(&self) -> bool {
        ["GET", "HEAD"].contains(&self.method())
    }

    /// Returns the first header field of this name.
    pub fn field(&self, name: &'static str) -> Option<&str> {
        self.fields(name).first().copied()
    }

    /// Whether a list field holds this token, in any of its lines and in any case (RFC 9110, 5.3).
    pub fn has_token(&self, name: &'static str, token: &str) -> bool {
        self.list(name).any(|part| part.eq_ignore_ascii_case(token))
    }

    /// Returns the elements of a list field.
    pub fn list(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.fields(name).into_iter().flat_map(|line| line.split(',')).map(str::trim)
    }

    /// Returns the client's address as the proxy claims it: `X-Real-IP`, or the last of `X-Forwarded-For`, which the proxy
    /// itself adds. Caddy, Apache and lighttpd pass on a client's own `X-Real-IP` unless configured as in docs/proxies.md
    /// (docs/facts/npm.md).
    pub fn claimed(&self) -> Option<&str> {
        match self.field("X-Real-IP") {
            Some(address) => Some(address),
            None => {
                let lines = self.fields("X-Forwarded-For");
                lines.last().and_then(|list| list.rsplit(',').next()).map(str::trim)
            }
        }
    }

    /// Returns the client for the log: the peer's address, and the one that the proxy claims.
    pub fn origin(&self) -> String {
        origin(self.peer().ip(), self.claimed())
    }

    /// Returns the token of `Authorization: Bearer` (RFC 6750, 2.1).
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.field("Authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// Whether a proxy forwarded the request.
    pub fn is_forwarded(&self) -> bool {
        self.claimed().is_some() || self.field("X-Forwarded-Proto").is_some()
    }

    /// Whether it came from this machine without a proxy, so that plain HTTP reveals nothing.
    pub fn is_at_home(&self) -> bool {
        self.field("Host").is_some_and(is_loopback) && !self.is_forwarded()
    }

    /// Whether every proxy says that it came over https.
    pub fn is_over_https(&self) -> bool {
        let schemes = self.field("X-Forwarded-Proto");
        schemes.is_some_and(|all| all.split(',').all(|one| one.trim().eq_ignore_ascii_case("https")))
    }

    /// Holds `guard` until the response is sent.
    pub fn hold(&mut self, guard: Sender<()>) {
        self.guard = Some(guard);
    }

    /// Sends the response.
    pub fn respond(self, response: Response) {
        self.respond_and(response, false);
    }

    /// Sends the response, and closes the connection if `is_last`.
    pub fn respond_and(self, response: Response, is_last: bool) {
        self.end(|request| request.respond(response, is_last));
    }

    /// Has a worker send the response, for threads that must not wait.
    pub fn respond_by_worker(self, response: Response) {
        let workers = self.workers.clone();
        hand_over(&workers, Job::Response(self, response, false));
    }

    /// Closes the connection without a response.
    pub fn cut(self) {
        self.end(|request| request.cut());
    }

    /// As [`Request::upgrade`].
    pub fn upgrade(self, switching: Switching, socket: Arc<TcpStream>) -> Option<Upgraded> {
        self.end(|request| request.upgrade(switching, socket))
    }

    /// Ends the exchange by something that may wait for the client.
    fn end<T>(mut self, end: impl FnOnce(Box<dyn Request>) -> T) -> Option<T> {
        self.workers.release();
        self.request.take().map(end)
    }
}

impl Deref for Exchange {
    type Target = dyn Request;

    fn deref(&self) -> &Self::Target {
        self.request.as_deref().expect("only what consumes an Exchange takes its request")
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            let rescued = Self::new(request, self.workers.clone());
            let response = Response::error(500, "the relay failed on this request; see its log");
            hand_over(&self.workers, Job::Response(rescued, response, true));
        }
    }
}

/// Gives a job to the next free worker. If too many wait, closes its connection instead.
pub fn hand_over(workers: &Workers, job: Job) {
    if let Err(Job::Request(exchange, _) | Job::Response(exchange, ..)) = workers.hand_over(job) {
        exchange.cut();
    }
}

/// Whether a `Host` field names this machine.
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
