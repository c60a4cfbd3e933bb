//! HTTP responses, written in one piece.
//!
//! The relay writes them itself, since tiny_http's own can carry neither `Connection: close` nor `Upgrade` (T9), and go
//! out in several packets above 1 KiB (T10).

use std::borrow::Cow;
use std::time::SystemTime;

use crate::json;

/// The content type of most responses.
const JSON: &str = "application/json";

/// Whether a connection stays open after a response.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is closed.
    Closes,
    /// It stays open.
    #[default]
    Stays,
    /// It stays open, and the client, of HTTP/1.0, must be told so.
    StaysIfTold,
}

/// A status, a body, and header fields.
#[derive(Debug)]
pub struct Response {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    fields: Vec<(&'static str, Cow<'static, str>)>,
}

impl Response {
    /// Returns a response with a body of this type.
    pub fn new(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type, body, fields: Vec::new() }
    }

    /// Returns 200 with a JSON body.
    pub fn json(body: Vec<u8>) -> Self {
        Self::new(200, JSON, body)
    }

    /// Returns 200 with a JSON object of these texts.
    pub fn object(fields: &[(&str, &str)]) -> Self {
        Self::json(json::texts(fields).into_bytes())
    }

    /// Returns an error whose body is `{"error": message}`.
    pub fn error(status: u16, message: &str) -> Self {
        Self::new(status, JSON, json::texts(&[("error", message)]).into_bytes())
    }

    /// Returns the error for a method that is not allowed here.
    pub fn wrong_method(allow: &'static str) -> Self {
        Self::error(405, &format!("use {allow} here")).with("Allow", allow)
    }

    /// Adds a header field.
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Encodes the response. `ending` decides about `Connection`; the response to a HEAD request has no body, but its length.
    pub fn into_bytes(self, ending: Ending, head_only: bool) -> Vec<u8> {
        let reason = tiny_http::StatusCode(self.status).default_reason_phrase();
        let mut bytes = Vec::with_capacity(256 + self.body.len());
        let mut line = |text: &[&str]| {
            for part in text {
                bytes.extend_from_slice(part.as_bytes());
            }
            bytes.extend_from_slice(b"\r\n");
        };
        line(&["HTTP/1.1 ", &self.status.to_string(), " ", reason]);
        line(&["Content-Type: ", self.content_type]);
        line(&["Content-Length: ", &self.body.len().to_string()]);
        line(&["Cache-Control: no-store"]);
        line(&["Date: ", &httpdate::fmt_http_date(SystemTime::now())]);
        for (name, value) in &self.fields {
            line(&[name, ": ", value]);
        }
        // `Upgrade` must be named in `Connection` (RFC 9110, 7.8).
        let upgrade = self.fields.iter().any(|(name, _)| *name == "Upgrade").then_some("upgrade");
        let ending = match ending {
            Ending::Closes => Some("close"),
            Ending::StaysIfTold => Some("keep-alive"),
            Ending::Stays => None,
        };
        let options: Vec<&str> = ending.into_iter().chain(upgrade).collect();
        if !options.is_empty() {
            line(&["Connection: ", &options.join(", ")]);
        }
        line(&[]);
        if !head_only {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_head_and_a_body_that_agree() {
        let text = |response: Response, ending, head_only| {
            String::from_utf8(response.into_bytes(ending, head_only)).unwrap()
        };
        let whole = text(Response::error(404, "no \"such\" page"), Ending::Closes, false);
        let (head, body) = whole.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"));
        assert!(head.contains("\r\nConnection: close"));
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
        assert_eq!(body, r#"{"error":"no \"such\" page"}"#);

        let head_only = text(Response::json(b"{}".to_vec()).with("Allow", "GET"), Ending::Stays, true);
        assert!(head_only.contains("\r\nContent-Length: 2\r\n"));
        assert!(head_only.contains("\r\nAllow: GET\r\n"));
        assert!(head_only.ends_with("\r\n\r\n") && !head_only.contains("Connection"));

        let told = text(Response::error(426, "no").with("Upgrade", "x"), Ending::StaysIfTold, true);
        assert!(told.contains("\r\nConnection: keep-alive, upgrade\r\n"), "{told}");
    }
}
