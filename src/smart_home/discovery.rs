//! The list of devices and their states for Yandex (docs/facts/smart_home.md, 1.1 and 1.2). Plain data.

use serde::Serialize;

use crate::config::agents::AgentId;
use crate::json;
use crate::smart_home::devices::{Capability, Device, MAX_CHANNEL};

/// The sources' values in order; Yandex knows no others (docs/facts/smart_home.md, 4.2).
pub const SOURCES: [&str; 10] =
    ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

#[derive(Serialize)]
struct Devices<'a> {
    /// The same for everybody: the devices are the owner's.
    user_id: &'static str,
    devices: Vec<Description<'a>>,
}

#[derive(Serialize)]
struct Description<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    capabilities: Vec<Offer>,
}

#[derive(Serialize)]
struct Offer {
    #[serde(rename = "type")]
    kind: &'static str,
    retrievable: bool,
    reportable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Parameters>,
}

#[derive(Default, Serialize)]
struct Parameters {
    instance: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    random_access: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<Range>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    modes: Vec<Mode>,
}

#[derive(Serialize)]
struct Range {
    min: u16,
    max: u16,
    precision: u16,
}

#[derive(Serialize)]
struct Mode {
    value: &'static str,
}

/// Encodes the payload of a list of devices.
pub fn describe(devices: &[Device]) -> String {
    let devices = devices.iter().map(|device| Description {
        id: &device.id,
        name: &device.name,
        kind: ["devices.types.", device.kind].concat(),
        room: device.room.as_deref(),
        capabilities: capabilities(device),
    });
    json::of(&Devices { user_id: "owner", devices: devices.collect() })
}

/// Whether the device can be switched on or off.
pub fn has_switch(device: &Device) -> bool {
    device.has_any(&[Capability::On, Capability::Off])
}

fn capabilities(device: &Device) -> Vec<Offer> {
    let mut all = Vec::new();
    if has_switch(device) {
        // Without `split`, which Yandex accepts only if nothing can be retrieved.
        all.push(Offer { kind: ON_OFF, retrievable: true, reportable: false, parameters: None });
    }
    let mut add = |kind, parameters| {
        all.push(Offer { kind, retrievable: false, reportable: false, parameters: Some(parameters) });
    };
    let steps = [
        Capability::VolumeUp,
        Capability::VolumeDown,
        Capability::VolumeUpBy,
        Capability::VolumeDownBy,
    ];
    for (instance, absolute, max, steps) in [
        ("volume", Capability::Volume, 100, &steps[..]),
        ("channel", Capability::Channel, MAX_CHANNEL, &[Capability::Next, Capability::Previous]),
    ] {
        let is_absolute = device.command(absolute).is_some();
        if is_absolute || device.has_any(steps) {
            let range = is_absolute.then_some(Range { min: 0, max, precision: 1 });
            let random_access = Some(is_absolute);
            add(
                "devices.capabilities.range",
                Parameters { instance, random_access, range, ..Parameters::default() },
            );
        }
    }
    for (instance, either) in [
        ("mute", [Capability::Mute, Capability::Unmute]),
        ("pause", [Capability::Pause, Capability::Resume]),
    ] {
        if device.has_any(&either) {
            add("devices.capabilities.toggle", Parameters { instance, ..Parameters::default() });
        }
    }
    if !device.sources.is_empty() {
        let modes = SOURCES[..device.sources.len()].iter().map(|value| Mode { value }).collect();
        let instance = "input_source";
        add("devices.capabilities.mode", Parameters { instance, modes, ..Parameters::default() });
    }
    all
}

const ON_OFF: &str = "devices.capabilities.on_off";

#[derive(Serialize)]
struct States<'a> {
    devices: Vec<DeviceState<'a>>,
}

#[derive(Serialize)]
struct DeviceState<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<[CapabilityState; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
}

#[derive(Serialize)]
struct CapabilityState {
    #[serde(rename = "type")]
    kind: &'static str,
    state: OnOff,
}

#[derive(Serialize)]
struct OnOff {
    instance: &'static str,
    value: bool,
}

/// Encodes the states of the devices with these ids: one that can be switched is on if its agent is connected.
pub fn states(devices: &[Device], ids: &[String], is_connected: &dyn Fn(AgentId) -> bool) -> String {
    fn state<'a>(
        id: &'a str,
        devices: &[Device],
        is_connected: &dyn Fn(AgentId) -> bool,
    ) -> DeviceState<'a> {
        let device = devices.iter().find(|device| device.id == *id);
        let switch = device.filter(|device| has_switch(device)).map(|device| {
            let state = OnOff { instance: "on", value: is_connected(device.agent) };
            [CapabilityState { kind: ON_OFF, state }]
        });
        let error_code = device.is_none().then_some("DEVICE_UNREACHABLE");
        DeviceState { id, capabilities: switch, error_code }
    }
    json::of(&States { devices: ids.iter().map(|id| state(id, devices, is_connected)).collect() })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::agents::Names;
    use crate::smart_home::devices::{built_in, parse};

    fn read(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_built_in_device_offers_what_the_readme_says() {
        let devices = built_in(&Names::default());
        let range = |parameters: Value| json!({ "type": "devices.capabilities.range", "retrievable": false, "reportable": false, "parameters": parameters });
        let toggle = |instance: &str| json!({ "type": "devices.capabilities.toggle", "retrievable": false, "reportable": false, "parameters": { "instance": instance } });
        assert_eq!(
            read(&describe(&devices)),
            json!({ "user_id": "owner", "devices": [{
                "id": "pc", "name": "Компьютер", "type": "devices.types.media_device",
                "capabilities": [
                    { "type": "devices.capabilities.on_off", "retrievable": true, "reportable": false },
                    range(json!({ "instance": "volume", "random_access": true, "range": { "min": 0, "max": 100, "precision": 1 } })),
                    range(json!({ "instance": "channel", "random_access": false })),
                    toggle("mute"),
                    toggle("pause"),
                ],
            }] })
        );
    }

    #[test]
    fn a_capability_is_offered_exactly_if_it_has_a_command() {
        let offered = |commands: &str| {
            let json =
                format!(r#"[{{"id":"a","name":"Дом","room":"Зал","type":"switch",{commands}}}]"#);
            let devices = parse(json.as_bytes(), &Names::default()).unwrap();
            let described = read(&describe(&devices));
            assert_eq!(described["devices"][0]["room"], "Зал");
            let capabilities = described["devices"][0]["capabilities"].as_array().unwrap().clone();
            assert_eq!(capabilities.len(), 1, "{capabilities:?}");
            let parameters = capabilities[0].get("parameters").cloned().unwrap_or_default();
            (capabilities[0]["type"].as_str().unwrap().to_owned(), parameters)
        };
        for (commands, kind, instance) in [
            (r#""on":"x""#, "on_off", json!(null)),
            (r#""off":"x""#, "on_off", json!(null)),
            (r#""volume":"{value}""#, "range", json!("volume")),
            (r#""volume_down":"x""#, "range", json!("volume")),
            (r#""volume_up_by":"{step}""#, "range", json!("volume")),
            (r#""channel":"{value}""#, "range", json!("channel")),
            (r#""previous":"x""#, "range", json!("channel")),
            (r#""unmute":"x""#, "toggle", json!("mute")),
            (r#""resume":"x""#, "toggle", json!("pause")),
        ] {
            let (own, parameters) = offered(commands);
            assert_eq!(own, format!("devices.capabilities.{kind}"), "{commands}");
            assert_eq!(parameters["instance"], instance, "{commands}");
        }
        let (own, parameters) = offered(r#""sources":["а","б","в"]"#);
        assert_eq!(own, "devices.capabilities.mode");
        let modes = json!([{ "value": "one" }, { "value": "two" }, { "value": "three" }]);
        assert_eq!(parameters, json!({ "instance": "input_source", "modes": modes }));
    }

    #[test]
    fn the_state_is_whether_the_agent_is_connected_and_an_error_only_for_the_unknown() {
        let mut devices = built_in(&Names::default());
        devices.extend(
            parse(
                r#"[{"id":"s","name":"Дом","type":"other","sources":["x"]}]"#.as_bytes(),
                &Names::default(),
            )
            .unwrap(),
        );
        let ids = ["pc", "gone\"", "s"].map(str::to_owned);
        for is_connected in [true, false] {
            let state = json!({ "instance": "on", "value": is_connected });
            let on_off = json!([{ "type": "devices.capabilities.on_off", "state": state }]);
            assert_eq!(
                read(&states(&devices, &ids, &|_| is_connected)),
                json!({ "devices": [
                    { "id": "pc", "capabilities": on_off },
                    { "id": "gone\"", "error_code": "DEVICE_UNREACHABLE" },
                    { "id": "s" },
                ] })
            );
        }
    }
}
