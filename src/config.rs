//! The configuration: the environment, read once. Every error names the variable and the cure.

use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::credentials::Credentials;
use crate::text::quoted;

/// Everything the relay is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen (`LISTEN_ADDR`).
    pub listen: ListenAddr,
    /// Who is let in (`API_KEY`, `WEBHOOK_SECRET`, `ALICE_SKILL_ID`, `ALICE_USER_IDS`).
    pub credentials: Credentials,
    /// How long a turn waits for the agent's answer (`REPLY_TIMEOUT_MS`).
    pub reply_timeout: Duration,
    /// How often the agent is pinged (`HEARTBEAT_SECS`).
    pub heartbeat: Duration,
    /// What is logged (`LOG_LEVEL`).
    pub log_level: log::LevelFilter,
}

/// A value of the environment that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    variable: &'static str,
    problem: String,
    cure: String,
}

impl ConfigError {
    /// `variable` has this `problem`, and this is the `cure`. Never the value of a secret.
    pub fn new(variable: &'static str, problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { variable, problem: problem.into(), cure: cure.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.variable, self.problem, self.cure)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the configuration from this process's environment.
    ///
    /// # Errors
    /// The first value that can't be used.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(std::env::var_os)
    }

    /// Reads the configuration from whatever `lookup` knows by name.
    ///
    /// # Errors
    /// The first value that can't be used.
    pub fn read(lookup: impl Fn(&'static str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let text = |name| match lookup(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(ConfigError::new(name, "is not UTF-8", "write it in plain text")),
        };
        Ok(Self {
            listen: match text("LISTEN_ADDR")? {
                None => ListenAddr::default(),
                Some(value) => value.parse()?,
            },
            credentials: Credentials::read(text)?,
            reply_timeout: Duration::from_millis(number(
                "REPLY_TIMEOUT_MS",
                text("REPLY_TIMEOUT_MS")?,
                4000,
                100..=30_000,
                "milliseconds",
            )?),
            heartbeat: Duration::from_secs(number(
                "HEARTBEAT_SECS",
                text("HEARTBEAT_SECS")?,
                20,
                1..=60,
                "seconds",
            )?),
            log_level: match text("LOG_LEVEL")? {
                None => log::LevelFilter::Info,
                Some(value) => value.parse().map_err(|_| {
                    ConfigError::new(
                        "LOG_LEVEL",
                        format!("is {}", quoted(&value)),
                        "it may be off, error, warn, info, debug or trace",
                    )
                })?,
            },
        })
    }
}

fn number(
    variable: &'static str,
    value: Option<String>,
    default: u64,
    range: std::ops::RangeInclusive<u64>,
    unit: &str,
) -> Result<u64, ConfigError> {
    let Some(value) = value else { return Ok(default) };
    match value.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(ConfigError::new(
            variable,
            format!("is {}", quoted(&value)),
            format!("it may be a whole number of {unit} from {} to {}", range.start(), range.end()),
        )),
    }
}

/// Where to listen: `host:port`, or `:port` for every interface. A host is an address or `localhost`: a
/// resolver for names would make up a sixth of the static binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddr {
    /// None means every interface.
    pub host: Option<IpAddr>,
    /// 0 lets the system pick a free port.
    pub port: u16,
}

impl Default for ListenAddr {
    fn default() -> Self {
        Self { host: Some(Ipv4Addr::LOCALHOST.into()), port: 8080 }
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
    use crate::credentials::AgentKeys;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Config, ConfigError> {
        Config::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn defaults_are_those_of_the_readme() {
        let config = read(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.reply_timeout, Duration::from_secs(4));
        assert_eq!(config.heartbeat, Duration::from_secs(20));
        assert_eq!(config.log_level, log::LevelFilter::Info);
        assert!(matches!(config.credentials.keys, AgentKeys::Generated(_)));
        assert!(config.credentials.webhook.is_none() && config.credentials.skill_id.is_none());
        assert!(config.credentials.user_ids.is_empty());
    }

    #[test]
    fn a_bad_number_is_told_with_what_it_held_and_what_it_may_hold() {
        for value in ["99", "30001", "", "4s", "-1", "+4000x"] {
            let error = read(&[("REPLY_TIMEOUT_MS", value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("REPLY_TIMEOUT_MS is {value:?}")), "{error}");
            assert!(error.contains("from 100 to 30000"), "{error}");
        }
        assert!(read(&[("REPLY_TIMEOUT_MS", "100")]).is_ok());
        assert!(read(&[("REPLY_TIMEOUT_MS", "30000")]).is_ok());
        assert!(read(&[("HEARTBEAT_SECS", "0")]).is_err());
        assert!(read(&[("HEARTBEAT_SECS", "60")]).is_ok());
        assert!(read(&[("LOG_LEVEL", "loud")]).is_err());
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
