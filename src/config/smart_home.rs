//! The configuration of Yandex Smart Home, which is off without a secret.

use crate::config::credentials::{Credentials, secret, webhook_secret};
use crate::config::error::ConfigError;
use crate::secret::Secret;

/// The value of `SMART_HOME_SECRET` that switches Smart Home off, as if unset.
pub const OFF: &str = "off";

/// The value of `SMART_HOME_DEVICES` for the built-in device, as if unset.
pub const BUILT_IN: &str = "built-in";

/// The settings of Smart Home.
#[derive(Debug, Clone)]
pub struct SmartHomeConfig {
    /// The secret that all its keys are derived from (`SMART_HOME_SECRET`, `SMART_HOME_SECRET_FILE`); off if `None`.
    pub secret: Option<Secret>,
    /// The devices file (`SMART_HOME_DEVICES`); `None` for the built-in device.
    pub devices: Option<String>,
}

impl SmartHomeConfig {
    /// Reads the settings; `text` looks up a variable. Empty counts as unset, since it lets nobody in, and so do the
    /// words that the compose file uses.
    ///
    /// # Errors
    /// The first invalid variable. The message never holds a secret.
    pub fn read(
        text: impl Fn(&'static str) -> Result<Option<String>, ConfigError>,
        credentials: &Credentials,
    ) -> Result<Self, ConfigError> {
        let is_some = |value: &String| !["", OFF, BUILT_IN].contains(&value.trim());
        let text = |name| text(name).map(|value| value.filter(is_some));
        let secret = match secret(text, "SMART_HOME_SECRET", "SMART_HOME_SECRET_FILE")? {
            None => None,
            Some((variable, value)) => Some(usable(variable, value, credentials)?),
        };
        Ok(Self { secret, devices: text("SMART_HOME_DEVICES")? })
    }
}

fn usable(
    variable: &'static str,
    value: String,
    credentials: &Credentials,
) -> Result<Secret, ConfigError> {
    if value == "open" {
        let cure =
            "put the output of `openssl rand -hex 32` there, or leave it out to switch Smart Home off";
        return Err(ConfigError::new(variable, "is `open`, which Smart Home can't be", cure));
    }
    let is_webhooks = credentials.webhook.iter().any(|other| other.matches(value.as_bytes()));
    if is_webhooks || credentials.agent(value.as_bytes()).is_some() {
        let problem = "is the same as WEBHOOK_SECRET or an agent's key";
        return Err(ConfigError::new(
            variable,
            problem,
            "put another output of `openssl rand -hex 32` there",
        ));
    }
    webhook_secret(variable, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "smart-home_0123456789";

    fn read(pairs: &[(&'static str, &str)]) -> Result<SmartHomeConfig, ConfigError> {
        let text =
            |name| Ok(pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()));
        SmartHomeConfig::read(text, &Credentials::read(text)?)
    }

    #[test]
    fn without_a_secret_it_is_off() {
        for pairs in [&[][..], &[("SMART_HOME_SECRET", "")], &[("SMART_HOME_SECRET_FILE", "")]] {
            let config = read(pairs).unwrap();
            assert!(config.secret.is_none() && config.devices.is_none());
        }
        let config =
            read(&[("SMART_HOME_SECRET", SECRET), ("SMART_HOME_DEVICES", "/devices.json")]).unwrap();
        assert!(config.secret.unwrap().matches(SECRET.as_bytes()));
        assert_eq!(config.devices.as_deref(), Some("/devices.json"));
        assert!(read(&[("SMART_HOME_DEVICES", "")]).unwrap().devices.is_none());
    }

    #[test]
    fn a_secret_that_is_none_or_another_ones_is_refused_without_being_repeated() {
        let file = ("SMART_HOME_SECRET_FILE", "/no/such/file");
        for (pairs, told) in [
            (&[("SMART_HOME_SECRET", "open")][..], "SMART_HOME_SECRET is `open`"),
            (&[("SMART_HOME_SECRET", "hush-hush-hush_")], "shorter than 16"),
            (&[("SMART_HOME_SECRET", "hush hush hush hush")], "white space"),
            (&[("SMART_HOME_SECRET", "hushhushhushhush/")], "other characters"),
            (&[("SMART_HOME_SECRET", crate::config::credentials::PLACEHOLDER)], "placeholder"),
            (&[("SMART_HOME_SECRET", SECRET), ("WEBHOOK_SECRET", SECRET)], "the same as"),
            (&[("SMART_HOME_SECRET", SECRET), ("API_KEY", SECRET)], "the same as"),
            (&[("SMART_HOME_SECRET", SECRET), ("API_KEY", "new,smart-home_0123456789")], "the same as"),
            (&[("SMART_HOME_SECRET", SECRET), file], "both set"),
            (&[file], "/no/such/file"),
        ] {
            let error = read(pairs).unwrap_err().to_string();
            assert!(error.starts_with("SMART_HOME_SECRET") && error.contains(told), "{error}");
            assert!(!error.contains("hush") && !error.contains(SECRET), "{error}");
        }
    }
}
