//! The configuration: the environment, read once. Every error names the variable and the cure.

pub mod agents;
pub mod credentials;
pub mod error;
pub mod file;
pub mod keys;
pub mod listen;
mod misspelt;
pub mod names;
pub mod smart_home;

use std::ffi::OsString;
use std::time::Duration;

use crate::config::credentials::{Credentials, LOCK};
use crate::config::error::ConfigError;
use crate::config::listen::ListenAddr;
use crate::config::smart_home::SmartHomeConfig;
use crate::text::quoted;

/// The relay's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on (`LISTEN_ADDR`).
    pub listen: ListenAddr,
    /// The credentials (`API_KEY`, `WEBHOOK_SECRET`, `ALICE_SKILL_ID`, `ALICE_USER_IDS` and others).
    pub credentials: Credentials,
    /// Yandex Smart Home (`SMART_HOME_SECRET`, `SMART_HOME_DEVICES`).
    pub smart_home: SmartHomeConfig,
    /// How long a turn waits for the agent's answer (`REPLY_TIMEOUT_MS`).
    pub reply_timeout: Duration,
    /// Whether the session ends after a phrase that opened it (`AFTER_ONE_PHRASE`).
    pub leaves_after_one_phrase: bool,
    /// How often the agent is pinged (`HEARTBEAT_SECS`).
    pub heartbeat: Duration,
    /// The log's level (`LOG_LEVEL`).
    pub log_level: log::LevelFilter,
}

impl Config {
    /// Reads the configuration from this process's environment.
    ///
    /// # Errors
    /// The first invalid variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(std::env::var_os)
    }

    /// Returns a warning, without the value, for each variable of this process that is nearly one of the relay's.
    pub fn misspelt() -> Vec<String> {
        misspelt::warnings(std::env::vars_os())
    }

    /// Returns a warning, with its cure, if the webhook is open and others than this machine's own programs can reach
    /// it.
    pub fn open_door(&self) -> Option<String> {
        let is_home = self.listen.host.is_some_and(|host| host.is_loopback());
        let is_open = self.credentials.webhook.is_none() && !is_home;
        is_open.then(|| {
            format!(
                "THE DOOR IS OPEN: WEBHOOK_SECRET is not set, so whoever finds this server commands the computer. \
                 Paste this where .env is, and start the relay again: {LOCK}"
            )
        })
    }

    /// Reads the configuration; `lookup` returns a variable.
    ///
    /// # Errors
    /// The first invalid variable.
    pub fn read(lookup: impl Fn(&'static str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let text = |name| match lookup(name).map(OsString::into_string) {
            None => Ok(None),
            // Some editors begin a file with a byte order mark.
            Some(Ok(value)) => Ok(Some(value.trim_start_matches('\u{feff}').to_owned())),
            Some(Err(_)) => Err(ConfigError::new(name, "is not UTF-8", "write it in plain text")),
        };
        let credentials = Credentials::read(text)?;
        Ok(Self {
            smart_home: SmartHomeConfig::read(text, &credentials)?,
            listen: match text("LISTEN_ADDR")? {
                None => ListenAddr::default(),
                Some(value) => value.parse()?,
            },
            credentials,
            reply_timeout: Duration::from_millis(number(
                text,
                "REPLY_TIMEOUT_MS",
                4000,
                100..=30_000,
                "milliseconds",
            )?),
            leaves_after_one_phrase: either(text, "AFTER_ONE_PHRASE", ["leave", "stay"])?,
            heartbeat: Duration::from_secs(number(text, "HEARTBEAT_SECS", 20, 1..=60, "seconds")?),
            log_level: match given(text, "LOG_LEVEL")? {
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

/// Reads an optional setting; empty counts as unset.
fn given(
    text: impl Fn(&'static str) -> Result<Option<String>, ConfigError>,
    variable: &'static str,
) -> Result<Option<String>, ConfigError> {
    Ok(text(variable)?.filter(|value| !value.is_empty()))
}

/// Reads a setting of two words; true is the first word, and the default.
fn either(
    text: impl Fn(&'static str) -> Result<Option<String>, ConfigError>,
    variable: &'static str,
    [default, other]: [&str; 2],
) -> Result<bool, ConfigError> {
    match given(text, variable)? {
        None => Ok(true),
        Some(word) if word == default => Ok(true),
        Some(word) if word == other => Ok(false),
        Some(word) => Err(ConfigError::new(
            variable,
            format!("is {}", quoted(&word)),
            format!("it may be {default} or {other}"),
        )),
    }
}

fn number(
    text: impl Fn(&'static str) -> Result<Option<String>, ConfigError>,
    variable: &'static str,
    default: u64,
    range: std::ops::RangeInclusive<u64>,
    unit: &str,
) -> Result<u64, ConfigError> {
    let Some(value) = given(text, variable)? else { return Ok(default) };
    match value.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(ConfigError::new(
            variable,
            format!("is {}", quoted(&value)),
            format!("it may be a whole number of {unit} from {} to {}", range.start(), range.end()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::AgentKeys;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Config, ConfigError> {
        Config::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn defaults_are_those_of_the_document() {
        let config = read(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.reply_timeout, Duration::from_secs(4));
        assert!(config.leaves_after_one_phrase);
        assert_eq!(config.heartbeat, Duration::from_secs(20));
        assert_eq!(config.log_level, log::LevelFilter::Info);
        assert!(matches!(config.credentials.keys, AgentKeys::Generated(_)));
        assert!(config.credentials.webhook.is_none() && config.credentials.skill_id.is_none());
        assert!(config.credentials.user_ids.is_empty());
    }

    #[test]
    fn empty_means_unset_where_nobody_is_let_in_and_is_refused_where_somebody_is() {
        let empty =
            read(&[("REPLY_TIMEOUT_MS", ""), ("HEARTBEAT_SECS", ""), ("LOG_LEVEL", "")]).unwrap();
        assert_eq!((empty.reply_timeout.as_secs(), empty.heartbeat.as_secs()), (4, 20));
        assert_eq!(empty.log_level, log::LevelFilter::Info);
        for variable in ["LISTEN_ADDR", "API_KEY", "WEBHOOK_SECRET", "ALICE_USER_IDS", "ALICE_SKILL_ID"]
        {
            assert!(read(&[(variable, "")]).is_err(), "{variable}");
        }
    }

    #[test]
    fn a_bad_number_is_told_with_what_it_held_and_what_it_may_hold() {
        for value in ["99", "30001", " ", "4s", "-1", "+4000x"] {
            let error = read(&[("REPLY_TIMEOUT_MS", value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("REPLY_TIMEOUT_MS is {value:?}")), "{error}");
            assert!(error.contains("from 100 to 30000"), "{error}");
        }
        assert!(read(&[("REPLY_TIMEOUT_MS", "100")]).is_ok());
        assert!(read(&[("REPLY_TIMEOUT_MS", "30000")]).is_ok());
        assert!(read(&[("HEARTBEAT_SECS", "0")]).is_err());
        assert!(read(&[("HEARTBEAT_SECS", "60")]).is_ok());
        assert!(read(&[("LOG_LEVEL", "loud")]).is_err());
        let leaves =
            |value| read(&[("AFTER_ONE_PHRASE", value)]).map(|config| config.leaves_after_one_phrase);
        assert_eq!((leaves("leave"), leaves("stay"), leaves("")), (Ok(true), Ok(false), Ok(true)));
        assert!(leaves("go").unwrap_err().to_string().contains("leave or stay"));
    }
}
