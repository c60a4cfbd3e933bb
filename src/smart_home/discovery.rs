//! What Yandex is told of the devices (docs/facts/smart_home.md, 1.1 and 1.2). Plain data.

use serde_json::{Value, json};

use crate::config::agents::AgentId;
use crate::smart_home::devices::{Device, Does, MAX_CHANNEL};

/// The values of the sources, in order: Yandex knows no others (docs/facts/smart_home.md, 4.2).
pub const SOURCES: [&str; 10] =
    ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// Returns the payload of a list of devices. All are of one user: the owner, whoever that is.
pub fn describe(devices: &[Device]) -> Value {
    let device = |device: &Device| {
        let Device { id, name, room, kind, .. } = device;
        let kind = format!("devices.types.{kind}");
        let mut described =
            json!({ "id": id, "name": name, "type": kind, "capabilities": capabilities(device) });
        room.iter().for_each(|room| described["room"] = json!(room));
        described
    };
    json!({ "user_id": "owner", "devices": devices.iter().map(device).collect::<Vec<_>>() })
}

/// Whether the device can be switched.
pub fn has_switch(device: &Device) -> bool {
    device.does_any(&[Does::On, Does::Off])
}

fn capabilities(device: &Device) -> Vec<Value> {
    let offer = |kind: &str, parameters: Value| {
        let kind = format!("devices.capabilities.{kind}");
        json!({ "type": kind, "retrievable": false, "reportable": false, "parameters": parameters })
    };
    let range = |instance: &str, absolute: Does, largest: u16, steps: &[Does]| {
        let parameters = if device.command(absolute).is_some() {
            let range = json!({ "min": 0, "max": largest, "precision": 1 });
            json!({ "instance": instance, "random_access": true, "range": range })
        } else if device.does_any(steps) {
            json!({ "instance": instance, "random_access": false })
        } else {
            return None;
        };
        Some(offer("range", parameters))
    };
    let toggle = |instance: &str, either: &[Does]| {
        device.does_any(either).then(|| offer("toggle", json!({ "instance": instance })))
    };
    // No `split`, which Yandex takes only where nothing can be retrieved.
    let switch = json!({ "type": ON_OFF, "retrievable": true, "reportable": false });
    let steps = [Does::VolumeUp, Does::VolumeDown, Does::VolumeUpBy, Does::VolumeDownBy];
    let modes: Vec<_> = SOURCES[..device.sources.len()].iter().map(|s| json!({ "value": s })).collect();
    let sources = (!modes.is_empty())
        .then(|| offer("mode", json!({ "instance": "input_source", "modes": modes })));
    let all = [
        has_switch(device).then_some(switch),
        range("volume", Does::Volume, 100, &steps),
        range("channel", Does::Channel, MAX_CHANNEL, &[Does::Next, Does::Previous]),
        toggle("mute", &[Does::Mute, Does::Unmute]),
        toggle("pause", &[Does::Pause, Does::Resume]),
        sources,
    ];
    all.into_iter().flatten().collect()
}

const ON_OFF: &str = "devices.capabilities.on_off";

/// Returns the payload about the devices with these ids: whether the agents of those that can be switched are
/// connected.
pub fn states(devices: &[Device], ids: &[String], is_connected: &dyn Fn(AgentId) -> bool) -> Value {
    let state = |id: &String| match devices.iter().find(|device| device.id == *id) {
        None => json!({ "id": id, "error_code": "DEVICE_UNREACHABLE" }),
        Some(device) if !has_switch(device) => json!({ "id": id }),
        Some(device) => {
            let state = json!({ "instance": "on", "value": is_connected(device.agent) });
            json!({ "id": id, "capabilities": [{ "type": ON_OFF, "state": state }] })
        }
    };
    json!({ "devices": ids.iter().map(state).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::agents::Names;
    use crate::smart_home::devices::{built_in, parse};

    #[test]
    fn the_built_in_device_offers_what_the_readme_says() {
        let devices = built_in(&Names::default());
        let range = |parameters: Value| json!({ "type": "devices.capabilities.range", "retrievable": false, "reportable": false, "parameters": parameters });
        let toggle = |instance: &str| json!({ "type": "devices.capabilities.toggle", "retrievable": false, "reportable": false, "parameters": { "instance": instance } });
        assert_eq!(
            describe(&devices),
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
            let described = describe(&devices);
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
                states(&devices, &ids, &|_| is_connected),
                json!({ "devices": [
                    { "id": "pc", "capabilities": on_off },
                    { "id": "gone\"", "error_code": "DEVICE_UNREACHABLE" },
                    { "id": "s" },
                ] })
            );
        }
    }
}
