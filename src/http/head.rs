//! Whether a request's head is sound: what tiny_http lets through (T5, T7, T8, T14) and RFC 9112
//! doesn't.

use tiny_http::{HTTPVersion, Request};

use crate::http::answer::{Answer, Ending};
use crate::http::target;

/// Bytes of one request body. A turn is 0.9 to 1.6 KB (docs/facts/alice.md); this is forty times that.
pub const MAX_BODY: usize = 64 * 1024;

/// Header fields of one request; nginx sends about a dozen.
pub const MAX_HEADERS: usize = 100;

/// Bytes of one request target.
pub const MAX_TARGET: usize = 8 * 1024;

/// How tiny_http will read a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// There is none, or tiny_http has it in memory already: reading never waits.
    InMemory,
    /// From the socket, up to its length. Until it is read to its end or let go, tiny_http takes nothing
    /// further from the connection.
    Socket,
    /// The whole connection is taken for the body, whatever the length says (T7). Reading past the length
    /// would wait for the client.
    Connection,
}

/// What a sound head says about its request.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// Bytes of the body, at most [`MAX_BODY`].
    pub length: usize,
    /// Where tiny_http takes the body from.
    pub reader: Reader,
}

/// Returns how tiny_http 0.12 will read the body of `request`, sound or not: the same choice as in its
/// own `new_request`.
pub fn reader(request: &Request) -> Reader {
    let has = |name: &'static str| request.headers().iter().any(|h| h.field.equiv(name));
    if connection(request).is_some_and(|value| value.contains("upgrade")) {
        Reader::Connection
    } else if has("Transfer-Encoding")
        || request.body_length().is_some_and(|n| n > 1024 || (n > 0 && has("Expect")))
    {
        Reader::Socket
    } else {
        Reader::InMemory
    }
}

/// Returns the first `Connection` field, in lower case; tiny_http looks at no other (T19).
fn connection(request: &Request) -> Option<String> {
    let field = request.headers().iter().find(|h| h.field.equiv("Connection"))?;
    Some(field.value.as_str().to_ascii_lowercase())
}

/// Whether a list holds this token, in whichever of the field's lines (RFC 9110, 5.3).
pub fn has_token(request: &Request, name: &'static str, token: &str) -> bool {
    let lines = request.headers().iter().filter(|header| header.field.equiv(name));
    let mut parts = lines.flat_map(|header| header.value.as_str().split(','));
    parts.any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// Returns how many bytes the request has taken on the wire, written as clients write it: one space behind
/// the colon of a field, none at its end.
pub fn size(request: &Request) -> u64 {
    // Two spaces, the version, and two ends of lines.
    let mut bytes = "  HTTP/1.1\r\n\r\n".len() + request.method().as_str().len() + request.url().len();
    for header in request.headers() {
        bytes += header.field.as_str().len() + ": \r\n".len() + header.value.as_str().len();
    }
    (bytes as u64).saturating_add(request.body_length().unwrap_or(0) as u64)
}

/// Checks a head.
///
/// # Errors
/// The refusal to answer with. Where the request ends is in doubt then, so the connection must be
/// closed.
pub fn check(request: &Request) -> Result<Head, Answer> {
    if request.url().len() > MAX_TARGET {
        return Err(Answer::error(414, "the request target is too long"));
    }
    let method = request.method().as_str();
    if method.is_empty() || !method.bytes().all(is_token) {
        return Err(Answer::error(400, "the method is malformed"));
    }
    if target::path(method, request.url()).is_none() {
        return Err(Answer::error(400, "the request target is malformed"));
    }
    if request.headers().len() > MAX_HEADERS {
        return Err(Answer::error(431, "too many header fields"));
    }
    let mut length = None;
    let mut hosts = 0;
    for header in request.headers() {
        let name = header.field.as_str().as_str();
        // A bare CR or LF would be the end of a line to others than tiny_http (RFC 9112, 2.2).
        if name.is_empty()
            || !name.bytes().all(is_token)
            || header.value.as_str().bytes().any(|b| b != b'\t' && b.is_ascii_control())
        {
            return Err(Answer::error(400, "a header field is malformed"));
        }
        if header.field.equiv("Host") {
            hosts += 1;
            if !target::is_host(header.value.as_str()) {
                return Err(Answer::error(400, "Host is no host"));
            }
        }
        if header.field.equiv("Transfer-Encoding") {
            let message = "send the body with a Content-Length, not a Transfer-Encoding";
            return Err(Answer::error(411, message));
        }
        if header.field.equiv("Content-Length")
            && length.replace(plain_number(header.value.as_str())).is_some()
        {
            return Err(Answer::error(400, "Content-Length is there twice"));
        }
    }
    // RFC 9112, 3.2. HTTP/1.0 knows no such field.
    if hosts > 1 || (hosts == 0 && *request.http_version() >= HTTPVersion(1, 1)) {
        return Err(Answer::error(400, "a request needs one Host field"));
    }
    let length = match length {
        None => 0,
        Some(None) => return Err(Answer::error(400, "Content-Length is not a plain number")),
        Some(Some(length)) if length > MAX_BODY as u64 => {
            let message = format!("the body is longer than {MAX_BODY} bytes");
            return Err(Answer::error(413, &message));
        }
        Some(Some(length)) => length as usize,
    };
    Ok(Head { length, reader: reader(request) })
}

/// Returns what becomes of the connection after this request (RFC 9112, 9.3): the `Connection` lines are one
/// list, though tiny_http looks at the first alone (T19).
pub fn ending(request: &Request) -> Ending {
    let version = request.http_version();
    let is_ended_by_tiny_http = match connection(request) {
        Some(value) if value.contains("close") || value.contains("upgrade") => true,
        Some(value) => *version == HTTPVersion(1, 0) && !value.contains("keep-alive"),
        None => *version == HTTPVersion(1, 0),
    };
    let is_old = *version < HTTPVersion(1, 1);
    if is_ended_by_tiny_http {
        Ending::Closes
    } else if has_token(request, "Connection", "close") || *version < HTTPVersion(1, 0) {
        Ending::MustBeCut
    } else if is_old {
        Ending::StaysIfTold
    } else {
        Ending::Stays
    }
}

/// Returns the number that `digits` writes; [`u64::MAX`] for one that is larger still.
fn plain_number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Whether a token may hold this byte (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_digits_are_a_length() {
        assert_eq!(plain_number("0"), Some(0));
        assert_eq!(plain_number("00012"), Some(12));
        assert_eq!(plain_number("99999999999999999999999"), Some(u64::MAX));
        for text in ["", "+2", "-1", "abc", "1 ", "0x10", "1,1", "٣"] {
            assert_eq!(plain_number(text), None, "{text}");
        }
    }
}
