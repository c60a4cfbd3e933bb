//! Turns each requested capability into a command for the agent. Plain data.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::agents::v2::Action;
use crate::config::agents::AgentId;
use crate::object::{Fields, text};
use crate::smart_home::devices::{Capability, Device, DeviceCommand, MAX_CHANNEL, STEP, VALUE};
use crate::smart_home::discovery::{SOURCES, has_switch};
use crate::smart_home::number::Number;

/// Yandex' error codes (docs/facts/smart_home.md, 2).
pub mod code {
    /// The PC is not connected.
    pub const DEVICE_UNREACHABLE: &str = "DEVICE_UNREACHABLE";
    /// Too many commands are in flight.
    pub const DEVICE_BUSY: &str = "DEVICE_BUSY";
    /// The agent reports a failure.
    pub const INTERNAL_ERROR: &str = "INTERNAL_ERROR";
    /// The device does not offer the action.
    pub const INVALID_ACTION: &str = "INVALID_ACTION";
    /// The device offers the action, but not with this value.
    pub const INVALID_VALUE: &str = "INVALID_VALUE";
}

/// A requested capability.
pub struct CapabilityRequest<'a> {
    /// Its type, as it came.
    pub kind: Cow<'a, str>,
    /// Its instance; if none came, the default of its type.
    pub instance: Cow<'a, str>,
    value: Option<&'a RawValue>,
    relative: Option<&'a RawValue>,
}

/// The relay's reaction to a requested capability.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// Switch this PC on: send `text`, if any, when it is connected, and wake it when it is not.
    On { agent: AgentId, text: Option<String> },
    /// Send a command; `is_off` if it switches the PC off.
    Say { agent: AgentId, text: String, is_off: bool },
    /// Fail with this code.
    Refuse(&'static str),
}

impl<'a> CapabilityRequest<'a> {
    /// Parses a capability of an action request. Tolerates a state that is `null` or lacks its instance
    /// (docs/facts/smart_home.md, 6.3).
    pub fn read(json: &'a RawValue) -> Self {
        let fields = Fields::of(json);
        let kind = fields.as_ref().and_then(|fields| fields.text("type")).unwrap_or_default();
        let state = fields.and_then(|fields| fields.object("state"));
        let part = |key| state.as_ref().and_then(|state| state.get(key));
        let suggested = || match bare(&kind) {
            "on_off" => "on",
            "toggle" => "mute",
            "mode" => "input_source",
            _ => "",
        };
        let instance = part("instance").and_then(text).unwrap_or_else(|| suggested().into());
        Self { instance, value: part("value"), relative: part("relative"), kind }
    }

    /// Returns the action as agents receive it; `device` is the device's id.
    pub fn action(&'a self, device: &'a str) -> Action<'a> {
        Action {
            device,
            capability: &self.kind,
            instance: &self.instance,
            value: self.value,
            relative: self.relative.and_then(truth).unwrap_or(false),
        }
    }

    /// Decides how `device` carries it out.
    pub fn plan(&self, device: &Device) -> Plan {
        match (bare(&self.kind), &*self.instance) {
            ("on_off", "on") => self.switch(device),
            ("toggle", "mute") => {
                // An old Yandex asked for silence with no value at all.
                let value = self.value.map_or(Some(true), truth);
                either(device, value, Capability::Mute, Capability::Unmute)
            }
            ("toggle", "pause") => {
                either(device, self.value.and_then(truth), Capability::Pause, Capability::Resume)
            }
            ("range", "volume") => self.volume(device),
            ("range", "channel") => self.channel(device),
            ("mode", "input_source") => self.source(device),
            _ => Plan::Refuse(code::INVALID_ACTION),
        }
    }

    fn switch(&self, device: &Device) -> Plan {
        if !has_switch(device) {
            return Plan::Refuse(code::INVALID_ACTION);
        }
        match (self.value.and_then(truth), device.command(Capability::On)) {
            (None, _) => Plan::Refuse(code::INVALID_VALUE),
            (Some(true), None) => Plan::On { agent: device.agent, text: None },
            (Some(true), Some(DeviceCommand { text, agent })) if *agent == device.agent => {
                Plan::On { agent: *agent, text: Some(text.clone()) }
            }
            (Some(true), Some(command)) => say(command, "", ""),
            (Some(false), _) => match device.command(Capability::Off) {
                Some(DeviceCommand { text, agent }) => {
                    Plan::Say { agent: *agent, text: text.clone(), is_off: true }
                }
                None => Plan::Refuse(code::INVALID_ACTION),
            },
        }
    }

    /// Yandex may ask for relative steps whatever was offered (docs/facts/smart_home.md, 4.3), so the commands for one
    /// step and for several stand in for each other.
    fn volume(&self, device: &Device) -> Plan {
        let steps = [
            Capability::VolumeUp,
            Capability::VolumeUpBy,
            Capability::VolumeDown,
            Capability::VolumeDownBy,
        ];
        let absolute = device.command(Capability::Volume);
        match self.number() {
            _ if absolute.is_none() && !device.has_any(&steps) => Plan::Refuse(code::INVALID_ACTION),
            None => Plan::Refuse(code::INVALID_VALUE),
            Some(Change::Value(value)) => set(absolute, value, 100),
            Some(Change::Step(step)) => {
                let [one, by] =
                    if step > Number(0) { [steps[0], steps[1]] } else { [steps[2], steps[3]] };
                let (one, by) = (device.command(one), device.command(by));
                let is_one = step.0.abs() == 1000;
                let command = if is_one { one.or(by) } else { by.or(one) };
                match command {
                    None => Plan::Refuse(code::INVALID_ACTION),
                    Some(_) if step.0.abs() > 100_000 => Plan::Refuse(code::INVALID_VALUE),
                    Some(command) => say(command, STEP, &Number(step.0.abs()).to_string()),
                }
            }
        }
    }

    fn channel(&self, device: &Device) -> Plan {
        let absolute = device.command(Capability::Channel);
        match self.number() {
            _ if absolute.is_none() && !device.has_any(&[Capability::Next, Capability::Previous]) => {
                Plan::Refuse(code::INVALID_ACTION)
            }
            None => Plan::Refuse(code::INVALID_VALUE),
            Some(Change::Value(value)) if absolute.is_some() && value.0 % 1000 != 0 => {
                Plan::Refuse(code::INVALID_VALUE)
            }
            Some(Change::Value(value)) => set(absolute, value, MAX_CHANNEL.into()),
            Some(Change::Step(step)) => {
                let capability = if step > Number(0) { Capability::Next } else { Capability::Previous };
                match device.command(capability) {
                    None => Plan::Refuse(code::INVALID_ACTION),
                    Some(_) if step.0.abs() > i64::from(MAX_CHANNEL) * 1000 => {
                        Plan::Refuse(code::INVALID_VALUE)
                    }
                    Some(command) => say(command, STEP, &Number(step.0.abs()).to_string()),
                }
            }
        }
    }

    fn source(&self, device: &Device) -> Plan {
        if device.sources.is_empty() {
            return Plan::Refuse(code::INVALID_ACTION);
        }
        let value = self.value.and_then(text);
        let place = SOURCES.iter().position(|source| value.as_deref() == Some(source));
        match place.and_then(|place| device.sources.get(place)) {
            Some(command) => say(command, "", ""),
            None => Plan::Refuse(code::INVALID_VALUE),
        }
    }

    /// Parses the number. Returns `None` if it is missing or invalid, or a step of 0.
    fn number(&self) -> Option<Change> {
        let value = Number::parse(self.value?.get())?;
        match self.relative.map_or(Some(false), truth)? {
            false => Some(Change::Value(value)),
            true => Some(Change::Step(value)).filter(|_| value.0 != 0),
        }
    }
}

enum Change {
    Value(Number),
    Step(Number),
}

/// Strips the prefix of capability types; empty if it is missing.
fn bare(kind: &str) -> &str {
    kind.strip_prefix("devices.capabilities.").unwrap_or("")
}

fn truth(json: &RawValue) -> Option<bool> {
    match json.get() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn either(device: &Device, value: Option<bool>, yes: Capability, no: Capability) -> Plan {
    if !device.has_any(&[yes, no]) {
        return Plan::Refuse(code::INVALID_ACTION);
    }
    let Some(value) = value else { return Plan::Refuse(code::INVALID_VALUE) };
    match device.command(if value { yes } else { no }) {
        Some(command) => say(command, "", ""),
        None => Plan::Refuse(code::INVALID_ACTION),
    }
}

fn set(command: Option<&DeviceCommand>, value: Number, most: i64) -> Plan {
    match command {
        None => Plan::Refuse(code::INVALID_ACTION),
        Some(_) if value < Number(0) || value > Number(most * 1000) => {
            Plan::Refuse(code::INVALID_VALUE)
        }
        Some(command) => say(command, VALUE, &value.to_string()),
    }
}

fn say(command: &DeviceCommand, place: &str, number: &str) -> Plan {
    let text = match place {
        "" => command.text.clone(),
        place => command.text.replace(place, number),
    };
    Plan::Say { agent: command.agent, text, is_off: false }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::agents::Names;
    use crate::smart_home::devices::{self, parse};

    fn plan(device: &Device, kind: &str, state: &str) -> Plan {
        let json = format!(r#"{{"type":"devices.capabilities.{kind}","state":{state},"x":[1]}}"#);
        CapabilityRequest::read(serde_json::from_str(&json).unwrap()).plan(device)
    }

    fn built_in() -> Device {
        devices::built_in(&Names::default()).remove(0)
    }

    fn device(commands: &str) -> Device {
        let json = format!(r#"[{{"id":"a","name":"Дом","type":"other",{commands}}}]"#);
        parse(json.as_bytes(), &Names::default()).unwrap().remove(0)
    }

    fn said(text: &str) -> Plan {
        Plan::Say { agent: AgentId::DEFAULT, text: text.into(), is_off: false }
    }

    #[test]
    fn the_built_in_device_says_what_the_readme_says() {
        let device = built_in();
        for (kind, state, text) in [
            ("range", r#"{"instance":"volume","value":30}"#, "громкость 30"),
            ("range", r#"{"instance":"volume","value":30.0}"#, "громкость 30"),
            ("range", r#"{"instance":"volume","value":2.5,"relative":false}"#, "громкость 2.5"),
            ("range", r#"{"instance":"volume","value":0,"relative":null}"#, "громкость 0"),
            ("range", r#"{"instance":"volume","value":100,"unit":"percent"}"#, "громкость 100"),
            ("range", r#"{"instance":"volume","value":1,"relative":true}"#, "громче"),
            ("range", r#"{"instance":"volume","value":-1.0,"relative":true}"#, "тише"),
            ("range", r#"{"instance":"volume","value":3,"relative":true}"#, "громче на 3"),
            ("range", r#"{"instance":"volume","value":10,"relative":true}"#, "громче на 10"),
            ("range", r#"{"instance":"volume","value":-3,"relative":true}"#, "тише на 3"),
            ("range", r#"{"instance":"channel","value":1,"relative":true}"#, "следующий трек"),
            ("range", r#"{"instance":"channel","value":-1,"relative":true}"#, "предыдущий трек"),
            ("toggle", r#"{"instance":"mute","value":true}"#, "выключи звук"),
            ("toggle", r#"{"instance":"mute","value":null}"#, "выключи звук"),
            ("toggle", r#"{"instance":"mute"}"#, "выключи звук"),
            ("toggle", "null", "выключи звук"),
            ("toggle", r#"{"instance":"mute","value":false}"#, "включи звук"),
            ("toggle", r#"{"instance":"pause","value":true}"#, "пауза"),
            ("toggle", r#"{"instance":"pause","value":false}"#, "продолжи"),
        ] {
            assert_eq!(plan(&device, kind, state), said(text), "{kind} {state}");
        }
        for state in [r#"{"instance":"on","value":false}"#, r#"{"value":false}"#] {
            let off = Plan::Say {
                agent: AgentId::DEFAULT, text: "спящий режим".into(), is_off: true
            };
            assert_eq!(plan(&device, "on_off", state), off);
        }
        assert_eq!(
            plan(&device, "on_off", r#"{"instance":"on","value":true}"#),
            Plan::On { agent: AgentId::DEFAULT, text: None }
        );
    }

    #[test]
    fn what_is_out_of_range_or_no_value_is_an_invalid_value() {
        let device = built_in();
        for (kind, state) in [
            ("range", r#"{"instance":"volume","value":101}"#),
            ("range", r#"{"instance":"volume","value":100.001}"#),
            ("range", r#"{"instance":"volume","value":-1}"#),
            ("range", r#"{"instance":"volume","value":1e999}"#),
            ("range", r#"{"instance":"volume","value":"30"}"#),
            ("range", r#"{"instance":"volume","value":true}"#),
            ("range", r#"{"instance":"volume","value":null}"#),
            ("range", r#"{"instance":"volume"}"#),
            ("range", r#"{"instance":"volume","value":0,"relative":true}"#),
            ("range", r#"{"instance":"volume","value":101,"relative":true}"#),
            ("range", r#"{"instance":"volume","value":10,"relative":"yes"}"#),
            ("range", r#"{"instance":"channel","value":0,"relative":true}"#),
            ("range", r#"{"instance":"channel","value":1000,"relative":true}"#),
            ("toggle", r#"{"instance":"mute","value":1}"#),
            ("toggle", r#"{"instance":"pause","value":null}"#),
            ("toggle", r#"{"instance":"pause"}"#),
            ("on_off", r#"{"instance":"on","value":"on"}"#),
            ("on_off", "null"),
        ] {
            let refused = Plan::Refuse(code::INVALID_VALUE);
            assert_eq!(plan(&device, kind, state), refused, "{kind} {state}");
        }
    }

    #[test]
    fn what_is_not_offered_is_an_invalid_action() {
        let device = built_in();
        for (kind, state) in [
            ("range", r#"{"instance":"channel","value":5}"#),
            ("range", r#"{"instance":"brightness","value":5}"#),
            ("range", r#"{"value":5}"#),
            ("range", r#"{"instance":5,"value":5}"#),
            ("range", "null"),
            ("toggle", r#"{"instance":"backlight","value":true}"#),
            ("mode", r#"{"instance":"input_source","value":"one"}"#),
            ("mode", r#"{"instance":"program","value":"one"}"#),
            ("on_off", r#"{"instance":"off","value":true}"#),
            ("color_setting", r#"{"instance":"rgb","value":5}"#),
            ("", r#"{"instance":"on","value":true}"#),
        ] {
            let refused = Plan::Refuse(code::INVALID_ACTION);
            assert_eq!(plan(&device, kind, state), refused, "{kind} {state}");
        }
        for json in
            ["{}", "5", "null", "[]", r#"{"type":5,"state":5}"#, r#"{"type":"on_off","state":{}}"#]
        {
            let asked = CapabilityRequest::read(serde_json::from_str(json).unwrap());
            assert_eq!(asked.plan(&device), Plan::Refuse(code::INVALID_ACTION), "{json}");
        }
    }

    #[test]
    fn a_device_of_the_file_does_what_it_has_a_command_for_and_no_more() {
        let refused = Plan::Refuse(code::INVALID_ACTION);
        let wakes = device(r#""on":"разбуди""#);
        let on = Plan::On { agent: AgentId::DEFAULT, text: Some("разбуди".into()) };
        assert_eq!(plan(&wakes, "on_off", r#"{"value":true}"#), on);
        assert_eq!(plan(&wakes, "on_off", r#"{"value":false}"#), refused, "«выключи всё» says it, too");
        assert_eq!(plan(&wakes, "toggle", r#"{"instance":"mute","value":true}"#), refused);
        let mutes = device(r#""mute":"тихо""#);
        assert_eq!(plan(&mutes, "toggle", r#"{"instance":"mute","value":false}"#), refused);
        assert_eq!(plan(&mutes, "on_off", r#"{"value":true}"#), refused);
        let channels = device(r#""channel":"канал {value}","next":"вперёд {step}""#);
        let channel = |value: &str| {
            plan(&channels, "range", &format!(r#"{{"instance":"channel","value":{value}}}"#))
        };
        assert_eq!(channel("5.0"), said("канал 5"));
        assert_eq!(channel("999"), said("канал 999"));
        for value in ["1000", "-1", "5.5"] {
            assert_eq!(channel(value), Plan::Refuse(code::INVALID_VALUE), "{value}");
        }
        assert_eq!(channel(r#"2,"relative":true"#), said("вперёд 2"));
        assert_eq!(channel(r#"-1,"relative":true"#), refused);
        let sources = device(r#""sources":["почта","кино {x}"]"#);
        let source = |value: &str| plan(&sources, "mode", &format!(r#"{{"value":{value}}}"#));
        assert_eq!(source(r#""one""#), said("почта"));
        assert_eq!(source(r#""two""#), said("кино {x}"));
        for value in [r#""three""#, r#""ten""#, r#""почта""#, "1", "null"] {
            assert_eq!(source(value), Plan::Refuse(code::INVALID_VALUE), "{value}");
        }
    }

    #[test]
    fn of_the_steps_of_volume_one_stands_in_for_the_other() {
        let step = |commands: &str, value: &str| {
            let state = format!(r#"{{"instance":"volume","value":{value},"relative":true}}"#);
            plan(&device(commands), "range", &state)
        };
        assert_eq!(step(r#""volume_up":"громче""#, "10"), said("громче"));
        assert_eq!(step(r#""volume_up":"громче на {step}""#, "10"), said("громче на 10"));
        assert_eq!(step(r#""volume_up_by":"громче на {step}""#, "1"), said("громче на 1"));
        let refused = Plan::Refuse(code::INVALID_ACTION);
        assert_eq!(step(r#""volume_up":"громче""#, "-1"), refused);
        assert_eq!(step(r#""volume":"{value}""#, "1"), refused, "1 is not the volume");
        let state = r#"{"instance":"volume","value":1}"#;
        assert_eq!(plan(&device(r#""volume_up":"громче""#), "range", state), refused);
    }

    proptest! {
        #[test]
        fn nothing_that_is_json_makes_it_fail(kind in "[a-z_.]*", state in r#"[0-9a-z":{},.\[\]-]*"#) {
            let json = format!(r#"{{"type":"devices.capabilities.{kind}","state":{state}}}"#);
            if let Ok(json) = serde_json::from_str(&json) {
                CapabilityRequest::read(json).plan(&built_in());
            }
        }
    }
}
