//! What an action of Smart Home asks for, past its words (docs/agents.md, "A command, protocol v2"). Plain data.

use serde::Deserialize;

use crate::action::{Action, Player, Power, Sound};

/// An action as the relay hands it over. What of it can't be used is not there.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Asked {
    /// Its capability, as `devices.capabilities.range`.
    #[serde(default)]
    capability: String,
    /// Of which there may be several: `volume`, `mute`.
    #[serde(default)]
    instance: String,
    value: Option<Value>,
    #[serde(default)]
    relative: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Value {
    Truth(bool),
    Number(f64),
    Other(serde::de::IgnoredAny),
}

impl Asked {
    /// Returns what it asks for; none when its words say it better: those of a devices file are the owner's own.
    pub fn action(&self) -> Option<Action> {
        let kind = self.capability.strip_prefix("devices.capabilities.").unwrap_or_default();
        match (kind, &*self.instance, self.value.as_ref()?) {
            ("range", "volume", Value::Number(by)) if self.relative => Some(Action::Sound(Sound::By(whole(*by)?))),
            ("range", "volume", Value::Number(to)) => Some(Action::Sound(Sound::Set(u32::try_from(whole(*to)?).ok()?))),
            ("toggle", "mute", Value::Truth(mute)) => Some(Action::Sound(Sound::Mute(*mute))),
            ("toggle", "pause", Value::Truth(true)) => Some(Action::Player(Player::Pause)),
            ("toggle", "pause", Value::Truth(false)) => Some(Action::Player(Player::Play)),
            ("range", "channel", Value::Number(by)) if self.relative => {
                Some(Action::Player(if *by < 0.0 { Player::Previous } else { Player::Next }))
            }
            ("on_off", "on", Value::Truth(false)) => Some(Action::Power(Power::Sleep)),
            _ => None,
        }
    }
}

fn whole(number: f64) -> Option<i32> {
    // Far more than any volume.
    (number.abs() <= 1e6).then(|| number.round() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(capability: &str, instance: &str, value: &str, relative: bool) -> Option<Action> {
        let json = format!(
            r#"{{"device":"pc","capability":"devices.capabilities.{capability}","instance":"{instance}",
                "value":{value},"relative":{relative}}}"#
        );
        serde_json::from_str::<Asked>(&json).unwrap().action()
    }

    #[test]
    fn what_the_built_in_device_offers_is_done_past_the_words() {
        for (capability, instance, value, relative, right) in [
            ("range", "volume", "3", true, Some(Action::Sound(Sound::By(3)))),
            ("range", "volume", "-1.0", true, Some(Action::Sound(Sound::By(-1)))),
            ("range", "volume", "30", false, Some(Action::Sound(Sound::Set(30)))),
            ("toggle", "mute", "true", false, Some(Action::Sound(Sound::Mute(true)))),
            ("toggle", "pause", "false", false, Some(Action::Player(Player::Play))),
            ("range", "channel", "-1", true, Some(Action::Player(Player::Previous))),
            ("on_off", "on", "false", false, Some(Action::Power(Power::Sleep))),
            ("range", "volume", "-5", false, None),
            ("range", "volume", "1e300", false, None),
            ("range", "volume", "\"x\"", false, None),
            ("range", "volume", "null", true, None),
            ("range", "channel", "5", false, None),
            ("mode", "input_source", "\"one\"", false, None),
            ("on_off", "on", "true", false, None),
        ] {
            assert_eq!(action(capability, instance, value, relative), right, "{capability} {instance} {value}");
        }
    }
}
