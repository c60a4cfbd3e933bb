//! The running relay's address, and the errors of asking it.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use crate::config::error::ConfigError;
use crate::config::listen::ListenAddr;
use crate::http::client::ClientError;
use crate::net::listener::reachable;
use crate::text::quoted;

/// The running relay's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayAddress(pub(super) SocketAddr);

/// Why a command to the running relay fails.
#[derive(Debug)]
pub enum AskError {
    /// The address is unusable: the problem and the cure.
    Address(String),
    /// The relay is unreachable, or closed the connection.
    Client(RelayAddress, ClientError),
    /// There is no webhook at the path of these credentials.
    WrongAddress(RelayAddress),
    /// The relay refuses a pairing code for this secret.
    NotLinkable(RelayAddress),
    /// The relay refuses a login with these credentials.
    NotTheOwner(RelayAddress),
    /// The relay refuses an invitation for this key.
    NotItsKey(RelayAddress),
    /// The relay lets no agent join, since it has no `WEBHOOK_SECRET`.
    DoorOpen(RelayAddress),
    /// The response is not a relay's.
    Unexpected(RelayAddress, u16, String),
    /// The system gives no random bytes.
    System(std::io::Error),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(problem) => f.write_str(problem),
            Self::Client(target, error @ ClientError::Unreachable(_)) => write!(
                f,
                "the relay at {} can't be reached: {error}. Is it running, and is this its LISTEN_ADDR?",
                target.0
            ),
            Self::Client(target, error) => write!(f, "the relay at {}: {error}", target.0),
            Self::WrongAddress(target) => write!(
                f,
                "what answers at {} has no webhook for this WEBHOOK_SECRET. Run ask with the relay's own \
                 environment",
                target.0
            ),
            Self::NotLinkable(target) => write!(
                f,
                "what answers at {} has Smart Home off, or another SMART_HOME_SECRET. Start the relay again \
                 after setting it, and run pair with the relay's own environment",
                target.0
            ),
            Self::NotTheOwner(target) => write!(
                f,
                "what answers at {} has no owner's page for these secrets and ids. Run login with the relay's own \
                 environment, after starting the relay again with it",
                target.0
            ),
            Self::NotItsKey(target) => write!(
                f,
                "what answers at {} has another key for this PC, or is a relay too old to invite. Run invite with the \
                 relay's own environment, after starting the relay again with it",
                target.0
            ),
            Self::DoorOpen(target) => write!(
                f,
                "the relay at {} was started without WEBHOOK_SECRET, and lets no agent join. Start it again with it",
                target.0
            ),
            Self::Unexpected(target, status, body) => {
                write!(f, "what answers at {} is not the relay: {status} {}", target.0, quoted(body))
            }
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AskError {}

impl From<ConfigError> for AskError {
    fn from(error: ConfigError) -> Self {
        Self::Address(error.to_string())
    }
}

impl RelayAddress {
    /// Returns the address of a relay that listens on `listen`, as seen from its own machine.
    ///
    /// # Errors
    /// The port is 0, so the actual one is unknown.
    pub fn of_listener(listen: &ListenAddr) -> Result<Self, AskError> {
        if listen.port == 0 {
            let problem = "LISTEN_ADDR has port 0, which the relay replaced by a free one: \
                           name it with --url http://127.0.0.1:PORT";
            return Err(AskError::Address(problem.into()));
        }
        let address = SocketAddr::new(listen.host.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), listen.port);
        Ok(Self(reachable(address)))
    }

    /// Parses `http://host:port`.
    ///
    /// # Errors
    /// The URL has another form.
    pub fn of_url(url: &str) -> Result<Self, AskError> {
        let bad = || {
            let url = quoted(url);
            AskError::Address(format!(
                "--url is {url}: it may be http://host:port, the host being an address or localhost"
            ))
        };
        let rest = url.strip_prefix("http://").ok_or_else(bad)?;
        let host = rest.strip_suffix('/').unwrap_or(rest);
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let listen: ListenAddr = host.parse().map_err(|_| bad())?;
        Ok(Self(SocketAddr::new(listen.host.ok_or_else(bad)?, listen.port)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str) -> Result<String, String> {
        let listen = address.parse().unwrap();
        RelayAddress::of_listener(&listen).map(|t| t.0.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_relay_on_every_interface_is_reached_on_the_loopback() {
        assert_eq!(listener(":8080").unwrap(), "127.0.0.1:8080");
        assert_eq!(listener("0.0.0.0:81").unwrap(), "127.0.0.1:81");
        assert_eq!(listener("[::1]:8080").unwrap(), "[::1]:8080");
        assert!(listener("127.0.0.1:0").unwrap_err().contains("--url"));
    }

    #[test]
    fn a_url_is_plain_http_and_has_no_path() {
        let host =
            |url: &str| RelayAddress::of_url(url).map(|t| t.0.to_string()).map_err(|e| e.to_string());
        assert_eq!(host("http://127.0.0.1:8080/").unwrap(), "127.0.0.1:8080");
        assert_eq!(host("http://localhost").unwrap(), "127.0.0.1:80");
        for url in ["https://localhost", "::1:80", "http://", "http://[::1]:1/health", "http://:80"] {
            assert!(host(url).unwrap_err().contains("http://host:port"), "{url}");
        }
    }
}
