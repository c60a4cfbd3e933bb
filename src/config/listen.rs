//! The address to listen on.

use std::ffi::OsStr;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::error::ConfigError;
use crate::text::quoted;

/// The address to listen on: `host:port`, or `:port` for every interface. The host is an address or `localhost`; a
/// resolver for names would make up a sixth of the static binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddr {
    /// `None` for every interface.
    pub host: Option<IpAddr>,
    /// 0 lets the system pick a free port.
    pub port: u16,
}

impl Default for ListenAddr {
    fn default() -> Self {
        Self { host: Some(Ipv4Addr::LOCALHOST.into()), port: 8080 }
    }
}

impl ListenAddr {
    /// Returns a warning, with its fix, if no proxy can reach this address: in a container the loopback address is the
    /// container's own. `container` is the variable of that name, which images and engines set in a container
    /// (systemd.io/CONTAINER_INTERFACE).
    pub fn doubt(&self, container: Option<&OsStr>) -> Option<String> {
        let is_in_container = container.is_some_and(|name| !name.is_empty());
        (is_in_container && self.host.is_some_and(|host| host.is_loopback())).then(|| {
            format!(
                "LISTEN_ADDR is {self}: in a container that is the container itself, which no proxy outside \
                 reaches. Write LISTEN_ADDR=:{} into .env, unless the container shares the server's network \
                 (network_mode: host)",
                self.port
            )
        })
    }
}

impl std::str::FromStr for ListenAddr {
    type Err = ConfigError;

    fn from_str(value: &str) -> Result<Self, ConfigError> {
        let bad = || {
            ConfigError::new(
                "LISTEN_ADDR",
                format!("is {}", quoted(value)),
                "it may be host:port, the host being an address or localhost, as 127.0.0.1:8080 or \
                 [::1]:8080, or :8080 for every interface",
            )
        };
        let (host, port) = value.rsplit_once(':').ok_or_else(bad)?;
        if !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let port = port.parse().map_err(|_| bad())?;
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(v6) => Some(v6.parse::<Ipv6Addr>().map_err(|_| bad())?.into()),
            None if host.is_empty() => None,
            None if host == "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
            None => Some(host.parse::<Ipv4Addr>().map_err(|_| bad())?.into()),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            None => write!(f, ":{}", self.port),
            Some(host) => SocketAddr::new(host, self.port).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_container_an_address_that_is_only_its_own_is_doubted_with_the_line_to_write() {
        let doubt = |address: &str, container: Option<&str>| {
            address.parse::<ListenAddr>().unwrap().doubt(container.map(OsStr::new))
        };
        for own in ["127.0.0.1:8081", "localhost:8081", "[::1]:8081", "127.9.9.9:8081"] {
            let said = doubt(own, Some("docker")).expect(own);
            assert!(said.contains("Write LISTEN_ADDR=:8081 into .env"), "{said}");
            assert_eq!((doubt(own, None), doubt(own, Some(""))), (None, None), "{own}");
        }
        for reached in [":8080", "0.0.0.0:8080", "[::]:8080", "172.18.0.2:8080"] {
            assert_eq!(doubt(reached, Some("docker")), None, "{reached}");
        }
    }

    #[test]
    fn listen_addresses_are_read_and_written_the_same_way() {
        for value in [":8080", "127.0.0.1:0", "[::1]:8080", "0.0.0.0:65535"] {
            assert_eq!(value.parse::<ListenAddr>().unwrap().to_string(), value);
        }
        assert_eq!("localhost:80".parse::<ListenAddr>().unwrap().to_string(), "127.0.0.1:80");
        for value in
            ["", "8080", "127.0.0.1", ":", ":70000", ":+80", "a b:80", "::1:80", "[x]:80", "my-host:80"]
        {
            let error = value.parse::<ListenAddr>().unwrap_err().to_string();
            assert!(error.contains("LISTEN_ADDR") && error.contains(":8080"), "{value}: {error}");
        }
    }
}
