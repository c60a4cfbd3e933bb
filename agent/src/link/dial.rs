//! Making a connection: TCP, TLS, then a WebSocket or one HTTP request.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use tungstenite::client::IntoClientRequest;
use tungstenite::error::{ProtocolError, SubProtocolError};
use tungstenite::handshake::HandshakeError;
use tungstenite::http::HeaderValue;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, WebSocket};

use crate::address::Address;
use crate::config::Key;
use crate::link::trouble::Trouble;
use crate::link::wire::Wire;
use crate::message::{MAX_MESSAGE, PROTOCOL};
use crate::system::is_online;

/// How long one address may take to accept.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;

/// How long the handshakes, or a request and its response, may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a response's head and body together.
const MAX_RESPONSE: usize = 16 * 1024;

/// Bytes that may wait for a slow connection.
const MAX_UNSENT: usize = 1024 * 1024;

/// tungstenite's read buffer, in bytes; its default of 128 KiB is allocated at once.
const READ_BUFFER: usize = 4 * 1024;

/// The socket, among what is waited for.
pub const SOCKET: Token = Token(0);

/// Connects, and makes the connection one of `poll`'s.
///
/// # Errors
/// Nobody answers at the address, or TLS can't begin.
fn connect(address: &Address, poll: &Poll) -> Result<Wire, Trouble> {
    // Without a network no name is found.
    let unknown = |_| if is_online() { Trouble::Name } else { Trouble::NoNetwork };
    let found = (address.host.as_str(), address.port).to_socket_addrs().map_err(unknown)?;
    let mut trouble = Trouble::NoNetwork;
    for found in found.take(MAX_ADDRESSES) {
        match TcpStream::connect_timeout(&found, CONNECT_TIMEOUT) {
            Ok(stream) => {
                let broken = |error| Trouble::of_connect(&error);
                stream.set_nodelay(true).map_err(broken)?;
                stream.set_nonblocking(true).map_err(broken)?;
                let mut wire = Wire::new(mio::net::TcpStream::from_std(stream), address)?;
                let both = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(wire.socket(), SOCKET, both).map_err(broken)?;
                return Ok(wire);
            }
            // That there is no way to one address tells less than what became of another.
            Err(error) => match Trouble::of_connect(&error) {
                Trouble::NoNetwork => {}
                other => trouble = other,
            },
        }
    }
    Err(trouble)
}

/// Waits until something can be done again, but not beyond `deadline`.
fn wait(poll: &mut Poll, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    match poll.poll(&mut Events::with_capacity(4), Some(left)) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

/// Connects to the relay's WebSocket.
///
/// # Errors
/// There is no relay that lets this PC in.
pub fn websocket(address: &Address, key: &Key, poll: &mut Poll) -> Result<WebSocket<Wire>, Trouble> {
    let mut request = address.to_string().into_client_request().map_err(|_| Trouble::Name)?;
    let bearer = HeaderValue::from_str(&format!("Bearer {}", key.reveal())).map_err(|_| Trouble::Key)?;
    let headers = request.headers_mut();
    headers.insert("Authorization", bearer);
    headers.insert("Sec-WebSocket-Protocol", HeaderValue::from_static(PROTOCOL));
    headers.insert("User-Agent", HeaderValue::from_static(crate::NAME_AND_VERSION));
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_write_buffer_size(MAX_UNSENT)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let wire = connect(address, poll)?;
    let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
    let mut step = tungstenite::client::client_with_config(request, wire, Some(config));
    loop {
        step = match step {
            Ok((socket, _)) => return Ok(socket),
            Err(HandshakeError::Interrupted(half)) => {
                wait(poll, deadline).map_err(|error| Trouble::of_connect(&error))?;
                half.handshake()
            }
            Err(HandshakeError::Failure(error)) => return Err(refused(&error, address)),
        };
    }
}

/// Names what came in place of a WebSocket.
fn refused(error: &Error, address: &Address) -> Trouble {
    match error {
        Error::Io(error) => Trouble::of_io(error),
        // As nginx answers what comes to a port of TLS in the clear.
        Error::Http(response) if !address.is_tls && response.status() == 400 => Trouble::NotHttp,
        Error::Http(response) => {
            let location = response.headers().get("Location").and_then(|value| value.to_str().ok());
            Trouble::of_status(response.status().as_u16(), location)
        }
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(SubProtocolError::NoSubProtocol)) => {
            Trouble::OldRelay
        }
        Error::Protocol(ProtocolError::HandshakeIncomplete) => no_answer(),
        _ => Trouble::NotHttp,
    }
}

/// What came behind a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// Sends one JSON `body` to `path`, and returns the response. By HTTP/1.0, which knows no chunks.
///
/// # Errors
/// No whole response came in time.
pub fn post(address: &Address, path: &str, body: &str) -> Result<Response, Trouble> {
    let broken = |error: io::Error| Trouble::of_io(&error);
    let mut poll = Poll::new().map_err(broken)?;
    let mut wire = connect(address, &poll)?;
    let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
    let request = format!(
        "POST {path} HTTP/1.0\r\nHost: {}\r\nUser-Agent: {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        address.authority(),
        crate::NAME_AND_VERSION,
        body.len(),
    );
    let mut unsent = request.as_bytes();
    let mut received = Vec::new();
    let mut buffer = [0; 2048];
    loop {
        let step = if !unsent.is_empty() {
            wire.write(unsent).map(|sent| unsent = &unsent[sent..])
        } else {
            match wire.flush().and_then(|()| wire.read(&mut buffer)) {
                Ok(0) => return ended(&received),
                Ok(read) => {
                    received.extend_from_slice(&buffer[..read]);
                    Ok(())
                }
                // What ends without TLS's own goodbye has ended all the same: the length tells whether it is whole.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return ended(&received);
                }
                Err(error) => Err(error),
            }
        };
        match step {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(&mut poll, deadline).map_err(broken)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error)),
        }
        if let Some(response) = parse(&received, false) {
            return Ok(response);
        }
        if received.len() > MAX_RESPONSE {
            return Err(Trouble::NotHttp);
        }
    }
}

/// Returns what has come when nothing more is coming.
fn ended(received: &[u8]) -> Result<Response, Trouble> {
    match received {
        [] => Err(no_answer()),
        received => parse(received, true).ok_or(Trouble::NotHttp),
    }
}

fn no_answer() -> Trouble {
    Trouble::Broken("конец без ответа".into())
}

/// Returns a response once it is whole: by its length, or because nothing more is coming.
fn parse(received: &[u8], is_over: bool) -> Option<Response> {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&received[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let fields: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
    let field = |name| fields.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
    let rest = &received[end..];
    let body = match field("Content-Length").and_then(|length| length.parse().ok()) {
        Some(length) => rest.get(..length)?,
        None if is_over => rest,
        None => return None,
    };
    Some(Response { status, location: field("Location").map(ToOwned::to_owned), body: body.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_whole_by_its_length_or_its_end() {
        let whole = b"HTTP/1.1 301 Moved\r\nLocation: /x\r\ncontent-length: 2\r\n\r\nok";
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end], false), None);
        }
        let location = Some("/x".to_owned());
        assert_eq!(parse(whole, false), Some(Response { status: 301, location, body: b"ok".to_vec() }));
        let endless = b"HTTP/1.0 401 x\r\n\r\nno";
        assert_eq!(parse(endless, false), None);
        assert_eq!(parse(endless, true), Some(Response { status: 401, location: None, body: b"no".to_vec() }));
        for odd in [&b"SSH-2.0\r\n\r\n"[..], b"HTTP/1.1 xx\r\n\r\n", b"HTTP/1.\r\n\r\n", b"\xff\r\n\r\n", b""] {
            assert_eq!(parse(odd, true), None);
        }
    }
}
