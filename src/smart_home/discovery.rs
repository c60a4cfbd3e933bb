//! What Yandex is told of the devices (docs/facts/smart_home.md, 1.1 and 1.2). Plain data.

use crate::config::agents::AgentId;
use crate::object::quoted;
use crate::smart_home::devices::{Device, Does};

/// The values of the sources, in order: Yandex knows no others (docs/facts/smart_home.md, 4.2).
pub const SOURCES: [&str; 10] =
    ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// The user whose devices they are: the owner, whoever that is.
const USER: &str = "owner";

/// Returns the payload of a list of devices.
pub fn describe(devices: &[Device]) -> String {
    let devices: Vec<_> = devices.iter().map(describe_one).collect();
    [r#"{"user_id":""#, USER, r#"","devices":["#, &devices.join(","), "]}"].concat()
}

fn describe_one(device: &Device) -> String {
    let mut json = [
        r#"{"id":"#,
        &quoted(&device.id),
        r#","name":"#,
        &quoted(&device.name),
        r#","type":"devices.types."#,
        device.kind,
        r#"","#,
    ]
    .concat();
    if let Some(room) = &device.room {
        json += &[r#""room":"#, &quoted(room), ","].concat();
    }
    json += &[r#""capabilities":["#, &capabilities(device).join(","), "]}"].concat();
    json
}

/// Whether the device can be switched.
pub fn has_switch(device: &Device) -> bool {
    device.does_any(&[Does::On, Does::Off])
}

fn capabilities(device: &Device) -> Vec<String> {
    let mut all = Vec::new();
    let mut add = |kind: &str, is_retrievable: bool, parameters: &str| {
        let retrievable = if is_retrievable { "true" } else { "false" };
        all.push(
            [
                r#"{"type":"devices.capabilities."#,
                kind,
                r#"","retrievable":"#,
                retrievable,
                r#","reportable":false"#,
                parameters,
                "}",
            ]
            .concat(),
        );
    };
    if has_switch(device) {
        // No `split`, which Yandex takes only where nothing can be retrieved.
        add("on_off", true, "");
    }
    let steps = [Does::VolumeUp, Does::VolumeDown, Does::VolumeUpBy, Does::VolumeDownBy];
    if device.command(Does::Volume).is_some() {
        add(
            "range",
            false,
            r#","parameters":{"instance":"volume","random_access":true,"range":{"min":0,"max":100,"precision":1}}"#,
        );
    } else if device.does_any(&steps) {
        add("range", false, r#","parameters":{"instance":"volume","random_access":false}"#);
    }
    if device.command(Does::Channel).is_some() {
        add(
            "range",
            false,
            r#","parameters":{"instance":"channel","random_access":true,"range":{"min":0,"max":999,"precision":1}}"#,
        );
    } else if device.does_any(&[Does::Next, Does::Previous]) {
        add("range", false, r#","parameters":{"instance":"channel","random_access":false}"#);
    }
    if device.does_any(&[Does::Mute, Does::Unmute]) {
        add("toggle", false, r#","parameters":{"instance":"mute"}"#);
    }
    if device.does_any(&[Does::Pause, Does::Resume]) {
        add("toggle", false, r#","parameters":{"instance":"pause"}"#);
    }
    let sources = &SOURCES[..device.sources.len()];
    if !sources.is_empty() {
        let modes: Vec<_> =
            sources.iter().map(|source| [r#"{"value":""#, source, r#""}"#].concat()).collect();
        let modes =
            [r#","parameters":{"instance":"input_source","modes":["#, &modes.join(","), "]}"].concat();
        add("mode", false, &modes);
    }
    all
}

/// Returns the payload about the devices with these ids: whether the agents of those that can be switched are
/// connected.
pub fn states(devices: &[Device], ids: &[String], is_connected: &dyn Fn(AgentId) -> bool) -> String {
    let states: Vec<_> = ids
        .iter()
        .map(|id| {
            let state = match devices.iter().find(|device| device.id == *id) {
                None => r#","error_code":"DEVICE_UNREACHABLE""#,
                Some(device) if !has_switch(device) => "",
                Some(device) if is_connected(device.agent) => {
                    r#","capabilities":[{"type":"devices.capabilities.on_off","state":{"instance":"on","value":true}}]"#
                }
                Some(_) => {
                    r#","capabilities":[{"type":"devices.capabilities.on_off","state":{"instance":"on","value":false}}]"#
                }
            };
            [r#"{"id":"#, &quoted(id), state, "}"].concat()
        })
        .collect();
    [r#"{"devices":["#, &states.join(","), "]}"].concat()
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
