//! Parses a request's head as RFC 9112 demands: bytes in, [`Reading`] out. Plain data.
//!
//! A well-formed head is written anew for tiny_http, so that the library can't understand it otherwise (T5, T8, T14, T16
//! to T20).

use std::borrow::Cow;

use httparse::{EMPTY_HEADER, Error, Header, Status};

use crate::http::response::Ending;
use crate::http::target;

/// Bytes of one head. nginx takes at most 32 KiB of a client, and adds its own fields.
pub const MAX_HEAD: usize = 40 * 1024;

/// Bytes of one request body. A turn is 0.9 to 1.6 KB (docs/facts/alice.md); this is forty times that.
pub const MAX_BODY: usize = 64 * 1024;

/// Header fields of one request; nginx sends about a dozen.
pub const MAX_HEADERS: usize = 100;

/// Bytes of one request target.
pub const MAX_TARGET: usize = 8 * 1024;

/// The result of parsing what a connection has sent so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    /// A whole, well-formed head.
    Request(Head),
    /// The request can't be served. Its end is in doubt, so the connection must be closed.
    Refusal(Refusal),
    /// The head is incomplete.
    More,
}

/// A well-formed head.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// Its length in bytes, with empty lines before it.
    pub size: usize,
    /// The request line and the fields as tiny_http reads them. Fields about the body are left out: tiny_http never sees one.
    pub text: Vec<u8>,
    /// The length of the body in bytes, at most [`MAX_BODY`].
    pub length: usize,
    /// Whether the connection stays open (RFC 9112, 9.3). tiny_http comes to the same result.
    pub ending: Ending,
    /// Whether the client asks for another protocol (RFC 9110, 7.8).
    pub upgrades: bool,
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110, 10.1.1).
    pub expects: bool,
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the response.
    pub status: u16,
    /// The error and its cure.
    pub why: Cow<'static, str>,
    /// Whether the response has no body, since the method is HEAD.
    pub is_head: bool,
    /// Whether the bytes are HTTP at all.
    pub is_http: bool,
    /// The length of head and body in bytes, if known.
    pub size: u64,
}

impl Refusal {
    /// Creates a refusal.
    pub fn new(status: u16, why: impl Into<Cow<'static, str>>) -> Self {
        Self { status, why: why.into(), is_head: false, is_http: true, size: 0 }
    }
}

/// Returns the length of empty lines before a request, which are skipped (RFC 9112, 2.2).
pub fn empty_lines(bytes: &[u8]) -> usize {
    bytes.chunks_exact(2).take_while(|line| line == b"\r\n").count() * 2
}

/// Whether bytes behind the first `seen` can have completed a head, so that [`read`] should try again: at its end, or once
/// the head has doubled.
pub fn is_worth_reading(bytes: &[u8], seen: usize) -> bool {
    let new = &bytes[seen.saturating_sub(3)..];
    let ends = |end: &[u8]| new.windows(end.len()).any(|window| window == end);
    bytes.len() >= 2 * seen || bytes.len() > MAX_HEAD || ends(b"\n\r\n") || ends(b"\n\n")
}

/// Parses the head at the beginning of `bytes`.
pub fn read(bytes: &[u8]) -> Reading {
    let empty = empty_lines(bytes);
    let rest = &bytes[empty..];
    let mut fields = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(rest);
    let result = match parsed {
        Ok(Status::Partial) if bytes.len() <= MAX_HEAD => return Reading::More,
        Ok(Status::Partial) if request.path.is_none() => refuse(414, "the request target is too long"),
        Ok(Status::Complete(size)) if size <= MAX_HEAD => check(&request, rest, size),
        Ok(_) => refuse(431, "the head is too long"),
        Err(Error::TooManyHeaders) => refuse(431, "too many header fields"),
        // RFC 9110, 15.6.6. There is no HTTP/1.2 yet.
        Err(Error::Version) => refuse(505, "use HTTP/1.1"),
        Err(Error::HeaderName | Error::HeaderValue) => refuse(400, "a header field is malformed"),
        Err(_) => refuse(400, "this is no HTTP request"),
    };
    match result {
        Ok(head) => Reading::Request(Head { size: head.size + empty, ..head }),
        Err(refusal) => {
            let is_head = request.method == Some("HEAD");
            let is_http =
                !matches!(parsed, Err(Error::Version | Error::Token | Error::NewLine | Error::Status));
            Reading::Refusal(Refusal { is_head, is_http, ..refusal })
        }
    }
}

fn refuse<T>(status: u16, why: impl Into<Cow<'static, str>>) -> Result<T, Refusal> {
    Err(Refusal::new(status, why))
}

/// Checks the parsed head, whose length is `size`.
fn check(request: &httparse::Request<'_, '_>, bytes: &[u8], size: usize) -> Result<Head, Refusal> {
    if !has_sound_lines(&bytes[..size]) {
        return refuse(
            400,
            "a line of the head ends in something else than CRLF, or holds a control character",
        );
    }
    let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
    if target.len() > MAX_TARGET {
        return refuse(414, "the request target is too long");
    }
    if target::path(method, target).is_none() {
        return refuse(400, "the request target is malformed");
    }
    let is_old = request.version == Some(0);
    let version = if is_old { " HTTP/1.0\r\n" } else { " HTTP/1.1\r\n" };
    let mut text = Vec::with_capacity(size);
    text.extend([method, " ", target, version].map(str::as_bytes).concat());
    let (mut hosts, mut length, mut expects) = (0, None, false);
    let (mut closes, mut stays, mut upgrades) = (false, false, false);
    for Header { name, value } in request.headers.iter() {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("Transfer-Encoding") {
            return refuse(411, "send the body with a Content-Length, not a Transfer-Encoding");
        } else if is("Content-Length") {
            let Some(number) = plain_number(value) else {
                return refuse(400, "Content-Length is not a plain number");
            };
            if length.replace(number).is_some() {
                return refuse(400, "Content-Length is there twice");
            }
        } else if is("Expect") {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return refuse(417, "nothing but 100-continue can be expected");
            }
            expects = !is_old;
        } else if is("Connection") {
            for token in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                closes |= token.eq_ignore_ascii_case(b"close");
                stays |= token.eq_ignore_ascii_case(b"keep-alive");
                // RFC 9110, 7.8: HTTP/1.0 can't be upgraded.
                upgrades |= token.eq_ignore_ascii_case(b"upgrade") && !is_old;
            }
        } else if !is(NUMBER_FIELD) {
            if is("Host") {
                hosts += 1;
                if !std::str::from_utf8(value).is_ok_and(target::is_host) {
                    return refuse(400, "Host is no host");
                }
            }
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b": ");
            // RFC 9110, 5.5: a byte above 0x7F means nothing in particular. tiny_http takes none (T16).
            text.extend(value.iter().map(|byte| if byte.is_ascii() { *byte } else { b'?' }));
            text.extend_from_slice(b"\r\n");
        }
    }
    // RFC 9112, 3.2. HTTP/1.0 knows no such field.
    if hosts > 1 || (hosts == 0 && !is_old) {
        return refuse(400, "a request needs one Host field");
    }
    let length = length.unwrap_or(0);
    if length > MAX_BODY as u64 {
        let size = if expects { 0 } else { length.saturating_add(size as u64) };
        let why = format!("the body is longer than {MAX_BODY} bytes");
        return Err(Refusal { size, ..Refusal::new(413, why) });
    }
    let ending = match is_old {
        _ if closes || upgrades => Ending::Closes,
        true if stays => Ending::StaysIfTold,
        true => Ending::Closes,
        false => Ending::Stays,
    };
    let option = match ending {
        _ if upgrades => "Connection: upgrade\r\n",
        Ending::Closes => "Connection: close\r\n",
        Ending::StaysIfTold => "Connection: keep-alive\r\n",
        Ending::Stays => "",
    };
    text.extend_from_slice(option.as_bytes());
    Ok(Head { size, text, length: length as usize, ending, upgrades, expects })
}

/// The field of tiny_http's head with the connection's number. A client's own field of this name is dropped.
pub const NUMBER_FIELD: &str = "Relay-Connection";

/// Whether CR and LF only come together, and no other control character is there but a tab (RFC 9112, 2.2; RFC 9110, 5.5).
fn has_sound_lines(head: &[u8]) -> bool {
    let mut before = 0;
    head.iter().all(|&byte| {
        let follows_cr = std::mem::replace(&mut before, byte) == b'\r';
        match byte {
            b'\n' => follows_cr,
            b'\r' | b'\t' => !follows_cr,
            _ => !follows_cr && !byte.is_ascii_control(),
        }
    })
}

/// Parses a decimal number; [`u64::MAX`] for a larger one.
fn plain_number(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| {
        std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bytes: &str) -> Head {
        match read(bytes.as_bytes()) {
            Reading::Request(head) => head,
            other => panic!("{bytes:?}: {other:?}"),
        }
    }

    fn refusal(bytes: &[u8]) -> Refusal {
        match read(bytes) {
            Reading::Refusal(refusal) => refusal,
            other => panic!("{:?}: {other:?}", String::from_utf8_lossy(bytes)),
        }
    }

    /// A head with these fields besides a Host.
    fn with(fields: &str) -> String {
        format!("GET /health HTTP/1.1\r\nHost: relay\r\n{fields}\r\n")
    }

    #[test]
    fn tiny_http_hears_what_was_understood_and_nothing_of_the_body() {
        let said = "\r\nPOST /x?y HTTP/1.1\r\nHOST:relay\r\nContent-Length:  2 \r\nX:\t a\tb \r\n\
                    Relay-Connection: 7\r\nExpect: 100-Continue\r\nConnection: x, Close\r\n\r\n{}";
        let Head { size, text, length, ending, expects, .. } = request(said);
        assert_eq!(&said[size..], "{}");
        assert_eq!((length, ending, expects), (2, Ending::Closes, true));
        let heard = "POST /x?y HTTP/1.1\r\nHOST: relay\r\nX: a\tb\r\nConnection: close\r\n";
        assert_eq!(String::from_utf8(text).unwrap(), heard);
    }

    #[test]
    fn a_byte_above_0x7f_means_nothing_but_spoils_nothing() {
        let head = request(&with("X-Name: Иван\r\n"));
        assert!(String::from_utf8(head.text).unwrap().ends_with("\r\nX-Name: ????????\r\n"));
        assert_eq!(refusal("GET /привет HTTP/1.1\r\nHost: x\r\n\r\n".as_bytes()).status, 400);
        assert_eq!(refusal(with("Host: дом\r\n").as_bytes()).status, 400);
    }

    #[test]
    fn what_becomes_of_the_connection_is_in_all_its_connection_lines() {
        for (version, fields, ending, heard) in [
            ("1.1", "", Ending::Stays, ""),
            ("1.1", "Connection: enclosed\r\n", Ending::Stays, ""),
            ("1.1", "Connection: keep-alive\r\nConnection: CLOSE\r\n", Ending::Closes, "close"),
            ("1.1", "Connection: keep-alive\r\nConnection: Upgrade\r\n", Ending::Closes, "upgrade"),
            ("1.0", "", Ending::Closes, "close"),
            ("1.0", "Connection: x,Keep-Alive\r\n", Ending::StaysIfTold, "keep-alive"),
            ("1.0", "Connection: keep-alive, close\r\n", Ending::Closes, "close"),
            ("1.0", "Connection: upgrade\r\n", Ending::Closes, "close"),
        ] {
            let head = request(&format!("GET / HTTP/{version}\r\nHost: x\r\n{fields}\r\n"));
            let text = String::from_utf8(head.text).unwrap();
            let told = text.split_once("Connection: ").map_or("", |(_, told)| told.trim_end());
            assert_eq!((head.ending, told), (ending, heard), "{version} {fields}");
        }
    }

    #[test]
    fn only_plain_digits_are_a_length() {
        for (text, length) in [("0", 0), ("00012", 12), ("65536", MAX_BODY)] {
            assert_eq!(request(&with(&format!("Content-Length: {text}\r\n"))).length, length);
        }
        for text in ["", "+2", "-1", "abc", "0x10", "1,1", "1 1", "٣"] {
            let refused = refusal(with(&format!("Content-Length: {text}\r\n")).as_bytes());
            assert_eq!((refused.status, &*refused.why), (400, "Content-Length is not a plain number"));
        }
    }

    #[test]
    fn a_body_that_is_too_long_is_read_unless_its_client_waits() {
        for (fields, size) in [
            ("Content-Length: 65537\r\n", 65537),
            ("Content-Length: 99999999999999999999\r\n", u64::MAX),
        ] {
            let head = with(fields);
            let refused = refusal(head.as_bytes());
            let size = size.saturating_add(head.len() as u64);
            assert_eq!((refused.status, refused.size), (413, size), "{fields}");
            let refused = refusal(with(&format!("Expect: 100-continue\r\n{fields}")).as_bytes());
            assert_eq!((refused.status, refused.size), (413, 0), "{fields}");
        }
    }

    #[test]
    fn what_rfc_9112_forbids_is_refused() {
        for (bytes, status) in [
            ("GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\nHost: x\n\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nA: b\0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", 400),
            ("GET / HTTP/1.1 and more\r\nHost: x\r\n\r\n", 400),
            ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET /\r\n\r\n", 400),
            ("G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 411),
            ("GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 417),
            ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ] {
            assert_eq!(refusal(bytes.as_bytes()).status, status, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_http_is_told_apart_from_http_that_is_wrong() {
        assert!(!refusal(b"\x16\x03\x01\x02\0").is_http);
        assert!(!refusal(b"PRI * HTTP/2.0\r\n\r\n").is_http);
        assert!(refusal(with("A : b\r\n").as_bytes()).is_http);
        assert!(refusal(with("Content-Length: x\r\n").as_bytes()).is_http);
    }

    #[test]
    fn a_head_has_its_limits_to_the_byte() {
        let target =
            |bytes: usize| format!("HEAD /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(bytes - 1));
        request(&target(MAX_TARGET));
        let refused = refusal(target(MAX_TARGET + 1).as_bytes());
        assert_eq!((refused.status, refused.is_head), (414, true));
        request(&with(&"A: b\r\n".repeat(MAX_HEADERS - 1)));
        assert_eq!(refusal(with(&"A: b\r\n".repeat(MAX_HEADERS)).as_bytes()).status, 431);
        let field = |bytes: usize| format!("A: {}\r\n", "b".repeat(bytes));
        let rest = MAX_HEAD - with(&field(0)).len();
        request(&with(&field(rest)));
        assert_eq!(refusal(with(&field(rest + 1)).as_bytes()).status, 431);
        let endless = "a".repeat(MAX_HEAD + 1);
        assert_eq!(refusal(format!("GET /{endless}").as_bytes()).status, 414);
        assert_eq!(refusal(format!("GET / HTTP/1.1\r\nA: {endless}").as_bytes()).status, 431);
    }

    #[test]
    fn a_head_in_single_bytes_is_looked_at_seldom_and_at_its_end() {
        let bytes = with(&"A: b\r\n".repeat(90));
        let (mut seen, mut looks) = (0, 0);
        for length in 1..bytes.len() {
            let bytes = &bytes.as_bytes()[..length];
            if is_worth_reading(bytes, seen) {
                assert_eq!(read(bytes), Reading::More);
                (seen, looks) = (length, looks + 1);
            }
        }
        assert!(looks < 12, "{looks}");
        assert!(is_worth_reading(bytes.as_bytes(), seen));
    }
}
