//! Where the relay is: what stands behind `server` in the config, and what `join` is given.

use std::fmt;

/// The path of the relay's WebSocket (docs/agents.md, "The connection").
const PATH: &str = "/ws";

/// Characters of a name in DNS (RFC 1035, 2.3.4).
const MAX_HOST: usize = 253;

/// A relay's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub is_tls: bool,
    /// A name, or an IP address; an IPv6 one without its brackets.
    pub host: String,
    pub port: u16,
    pub path: String,
}

/// Why an address can't be used.
#[derive(Debug, PartialEq, Eq)]
pub enum BadAddress {
    Scheme,
    /// It holds Cyrillic or other letters that DNS doesn't know.
    Letters,
    /// It holds a query, where a key might stand.
    Query,
    Port,
    Host,
}

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "адрес начинается с wss:// (или с ws:// на своём компьютере)",
            Self::Letters => "напишите адрес латиницей, так, как его печатает на сервере команда invite",
            Self::Query => "в адресе не должно быть знаков «?», «#» и «@»: ключ пишется отдельно",
            Self::Port => "порт — это число от 1 до 65535",
            Self::Host => "нужно имя сервера, как your-domain.com, или весь адрес, как wss://your-domain.com/ws",
        })
    }
}

impl Address {
    /// Reads a bare name, for which TLS and the relay's own path are meant, or a whole address. `https://` is taken
    /// for `wss://`, and `http://` for `ws://`: people copy the site's.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let text = text.trim();
        let (is_tls, rest) = match text.split_once("://") {
            None => (true, text),
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "wss" | "https" => (true, rest),
                "ws" | "http" => (false, rest),
                _ => return Err(BadAddress::Scheme),
            },
        };
        if rest.contains(['?', '#', '@']) {
            return Err(BadAddress::Query);
        }
        if !rest.is_ascii() {
            return Err(BadAddress::Letters);
        }
        let (authority, path) = match rest.find('/') {
            None => (rest, PATH),
            Some(at) if rest[at..].chars().all(|c| c == '/') => (&rest[..at], PATH),
            Some(at) => (&rest[..at], rest[at..].trim_end_matches('/')),
        };
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':').or(rest.is_empty().then_some(""))),
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port).filter(|port| !port.is_empty())),
                None => (authority, Some("")),
            },
        };
        let port = match port {
            Some("") => Some(if is_tls { 443 } else { 80 }),
            Some(port) => port.parse().ok().filter(|port| *port != 0),
            None => None,
        };
        let is_sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':');
        if host.is_empty() || host.len() > MAX_HOST || !host.bytes().all(is_sound) {
            return Err(BadAddress::Host);
        }
        if path.bytes().any(|b| b.is_ascii_control() || b == b' ') {
            return Err(BadAddress::Host);
        }
        let port = port.ok_or(BadAddress::Port)?;
        Ok(Self { is_tls, host: host.to_ascii_lowercase(), port, path: path.to_owned() })
    }

    /// Returns host and port, as the field `Host` has them (RFC 9110, 7.2).
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.is_tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_means_tls_and_the_relays_own_path() {
        for (written, whole) in [
            ("your-domain.com", "wss://your-domain.com/ws"),
            (" Your-Domain.com/ ", "wss://your-domain.com/ws"),
            ("your-domain.com:8443", "wss://your-domain.com:8443/ws"),
            ("https://your-domain.com", "wss://your-domain.com/ws"),
            ("wss://your-domain.com:443/ws", "wss://your-domain.com/ws"),
            ("WSS://your-domain.com/alice/ws", "wss://your-domain.com/alice/ws"),
            ("ws://127.0.0.1:8080/ws/", "ws://127.0.0.1:8080/ws"),
            ("http://[::1]:8080", "ws://[::1]:8080/ws"),
            ("ws://[::1]", "ws://[::1]/ws"),
            ("xn--e1afmkfd.xn--p1ai", "wss://xn--e1afmkfd.xn--p1ai/ws"),
        ] {
            assert_eq!(Address::parse(written).map(|a| a.to_string()).as_deref(), Ok(whole), "{written}");
        }
    }

    #[test]
    fn what_can_not_be_used_is_told_apart() {
        for (written, problem) in [
            ("", BadAddress::Host),
            ("wss://", BadAddress::Host),
            ("ftp://a.b", BadAddress::Scheme),
            ("пример.рф", BadAddress::Letters),
            ("wss://a.b/ws?key=1", BadAddress::Query),
            ("wss://key@a.b/ws", BadAddress::Query),
            ("a.b:", BadAddress::Port),
            ("a.b:0", BadAddress::Port),
            ("a.b:99999", BadAddress::Port),
            ("[::1]x", BadAddress::Port),
            ("a b", BadAddress::Host),
            ("a.b/w s", BadAddress::Host),
        ] {
            assert_eq!(Address::parse(written), Err(problem), "{written}");
        }
    }
}
