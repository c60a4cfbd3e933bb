//! A small HTTP client for the relay's own commands: plain HTTP, one request a connection.

use std::fmt;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::net::sockets::receive;

/// Bytes of a response.
pub const MAX_RESPONSE: usize = 64 * 1024;

/// Why there is no response.
#[derive(Debug)]
pub enum ClientError {
    /// The connection was refused.
    Unreachable(io::Error),
    /// The connection broke, or took too long.
    Broken(io::Error),
    /// The bytes are no HTTP response.
    NotHttp,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "can't connect: {error}"),
            Self::Broken(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                f.write_str("no answer in time")
            }
            Self::Broken(error) => write!(f, "the connection broke: {error}"),
            Self::NotHttp => f.write_str("what answers there does not speak HTTP"),
        }
    }
}

impl std::error::Error for ClientError {}

/// A response.
#[derive(Debug)]
pub struct ClientResponse {
    /// The status code.
    pub status: u16,
    fields: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl ClientResponse {
    /// Returns the first header field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        fields.next().map(|(_, value)| value.as_str())
    }
}

/// A connection for one request.
pub struct Client {
    stream: TcpStream,
    address: SocketAddr,
    deadline: Instant,
}

impl Client {
    /// Connects to `address`. The whole exchange may take `timeout`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(address: SocketAddr, timeout: Duration) -> Result<Self, ClientError> {
        let deadline = Instant::now() + timeout;
        let stream = TcpStream::connect_timeout(&address, timeout).map_err(ClientError::Unreachable)?;
        Ok(Self { stream, address, deadline })
    }

    /// Sends a GET request for `target`.
    ///
    /// # Errors
    /// No whole response came in time.
    pub fn get(self, target: &str) -> Result<ClientResponse, ClientError> {
        let host = self.address;
        self.request(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    }

    /// Sends a JSON `body` with these header fields to `target`.
    ///
    /// # Errors
    /// No whole response came in time.
    pub fn post(
        self,
        target: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Result<ClientResponse, ClientError> {
        let (host, length) = (self.address, body.len());
        let fields: String =
            fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.request(format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn request(mut self, request: String) -> Result<ClientResponse, ClientError> {
        self.stream.set_write_timeout(Some(left(self.deadline))).map_err(ClientError::Broken)?;
        self.stream.write_all(request.as_bytes()).map_err(ClientError::Broken)?;
        let mut received = Vec::new();
        let mut buffer = [0; 2048];
        loop {
            if let Some(response) = parse(&received)? {
                return Ok(response);
            }
            self.stream.set_read_timeout(Some(left(self.deadline))).map_err(ClientError::Broken)?;
            match receive(&self.stream, &mut buffer) {
                Ok(0) => return Err(ClientError::Broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(taken) => received.extend_from_slice(&buffer[..taken]),
                Err(error) => return Err(ClientError::Broken(error)),
            }
            if received.len() > MAX_RESPONSE {
                return Err(ClientError::NotHttp);
            }
        }
    }
}

/// Returns the time until `deadline`; never zero, which would mean no limit.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// Parses a response; `None` while it is incomplete.
fn parse(received: &[u8]) -> Result<Option<ClientResponse>, ClientError> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let start = match head.parse(received) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ClientError::NotHttp),
    };
    let text = |value| String::from_utf8_lossy(value).into_owned();
    let fields = head.headers.iter().map(|field| (field.name.to_owned(), text(field.value))).collect();
    let mut response =
        ClientResponse { status: head.code.unwrap_or_default(), fields, body: Vec::new() };
    let length = response.field("Content-Length").map_or(Ok(0), str::parse);
    let end = length.ok().and_then(|length| start.checked_add(length)).ok_or(ClientError::NotHttp)?;
    Ok(received.get(start..end).map(|body| {
        response.body = body.to_vec();
        response
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_parsed_once_it_is_whole() {
        let whole = b"HTTP/1.1 200 OK\r\nRelay-Outcome: answered\r\ncontent-length: 2\r\n\r\nok";
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).unwrap().is_none());
        }
        let response = parse(whole).unwrap().unwrap();
        assert_eq!((response.status, response.body.as_slice()), (200, &b"ok"[..]));
        assert_eq!(response.field("Relay-Outcome"), Some("answered"));
        assert!(parse(b"SSH-2.0-OpenSSH\r\n").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n").is_err());
    }
}
