//! Smart Home's devices and actions, as Yandex asks for them (docs/facts/smart_home.md, 7).

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support;
use crate::support::smart_home::{Yandex, capability, off, pause, results, send, start, volume};
use crate::support::{Agent, Http, Relay, turn};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Nothing passes on the line for longer than it counts as alive.
fn silence() {
    sleep(Duration::from_millis(2200));
}

fn relative(instance: &str, value: i32) -> Value {
    let mut asked = capability("range", instance, json!(value));
    asked["state"]["relative"] = json!(true);
    asked
}

/// A relay whose devices file holds this.
fn with_devices(devices: &Value) -> Relay {
    let name = format!("relay-devices-{}-{:?}", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, devices.to_string()).unwrap();
    let relay = start(&[("SMART_HOME_DEVICES", path.to_str().unwrap())]);
    std::fs::remove_file(path).unwrap();
    relay
}

#[test]
fn the_endpoint_is_there_for_everybody_and_all_else_needs_a_token() {
    let relay = start(&[]);
    for path in ["/v1.0", "/v1.0/"] {
        let head = send(&relay, "HEAD", path, &[], "");
        assert_eq!((head.status, &*head.body), (200, ""), "{path}");
        assert_eq!(send(&relay, "GET", path, &[], "").status, 200, "{path}");
    }
    for (method, path) in [
        ("GET", "/v1.0/user/devices"),
        ("POST", "/v1.0/user/devices/query"),
        ("POST", "/v1.0/user/devices/action"),
        ("POST", "/v1.0/user/unlink"),
        ("GET", "/v1.0/nothing"),
        ("POST", "/v1.0"),
    ] {
        for fields in [&[][..], &[("Authorization", "Bearer forged")], &[("Authorization", "Basic x")]]
        {
            let response = send(&relay, method, path, fields, "{}");
            assert_eq!(response.status, 401, "{method} {path} {fields:?}");
            assert_eq!(response.field("WWW-Authenticate"), Some("Bearer"));
        }
    }
    relay.line("its access token is missing, expired, or signed with another SMART_HOME_SECRET");
    let yandex = Yandex::linked(&relay);
    assert_eq!(yandex.call("GET", "/nothing", "").status, 404);
    for (method, path, allow) in [
        ("POST", "/user/devices", "GET"),
        ("GET", "/user/devices/query", "POST"),
        ("GET", "/user/devices/action", "POST"),
        ("GET", "/user/unlink", "POST"),
    ] {
        let response = yandex.call(method, path, "");
        assert_eq!((response.status, response.field("Allow")), (405, Some(allow)), "{path}");
    }
}

#[test]
fn the_list_of_devices_is_the_built_in_one() {
    let relay = start(&[]);
    let response = Yandex::linked(&relay).call("GET", "/user/devices", "");
    assert_eq!(response.status, 200);
    assert_eq!(response.field("Content-Type"), Some("application/json"));
    let range = |parameters: Value| {
        json!({ "type": "devices.capabilities.range", "retrievable": false, "reportable": false,
            "parameters": parameters })
    };
    let toggle = |instance: &str| {
        json!({ "type": "devices.capabilities.toggle", "retrievable": false, "reportable": false,
            "parameters": { "instance": instance } })
    };
    assert_eq!(
        response.json(),
        json!({ "request_id": "r1", "payload": { "user_id": "owner", "devices": [{
            "id": "pc", "name": "Компьютер", "type": "devices.types.media_device",
            "capabilities": [
                { "type": "devices.capabilities.on_off", "retrievable": true, "reportable": false },
                range(json!({ "instance": "volume", "random_access": true,
                    "range": { "min": 0, "max": 100, "precision": 1 } })),
                range(json!({ "instance": "channel", "random_access": false })),
                toggle("mute"),
                toggle("pause"),
            ],
        }] } })
    );
}

#[test]
fn the_tile_tells_whether_the_agent_is_connected_and_unlinking_is_confirmed() {
    let relay = start(&[]);
    let yandex = Yandex::linked(&relay);
    let body = r#"{"devices":[{"id":"pc","custom_data":{}},{"id":"gone"},{"x":1},5]}"#;
    let state = |is_on: bool| {
        json!({ "request_id": "r1", "payload": { "devices": [
            { "id": "pc", "capabilities": [
                { "type": "devices.capabilities.on_off", "state": { "instance": "on", "value": is_on } },
            ] },
            { "id": "gone", "error_code": "DEVICE_UNREACHABLE" },
        ] } })
    };
    let query = || {
        let response = yandex.call("POST", "/user/devices/query", body);
        assert_eq!(response.status, 200);
        response.json()
    };
    assert_eq!(query(), state(false), "off is no error");
    let agent = relay.agent();
    assert_eq!(query(), state(true));
    drop(agent);
    relay.line("Agent disconnected");
    assert_eq!(query(), state(false));
    let unlinked = yandex.call("POST", "/user/unlink", "");
    assert_eq!((unlinked.status, unlinked.json()), (200, json!({ "request_id": "r1" })));
}

#[test]
fn each_capability_reaches_the_agent_as_its_text() {
    let relay = start(&[]);
    let yandex = Yandex::linked(&relay);
    let mut agent = relay.agent();
    let mut null_state = capability("toggle", "mute", json!(null));
    null_state["state"] = json!(null);
    for (asked, text) in [
        (off(), "спящий режим"),
        (volume(30), "громкость 30"),
        (capability("range", "volume", json!(30.0)), "громкость 30"),
        (relative("volume", 1), "громче"),
        (relative("volume", -1), "тише"),
        (relative("volume", 3), "громче на 3"),
        (relative("volume", 10), "громче на 10"),
        (relative("volume", -10), "тише на 10"),
        (capability("toggle", "mute", json!(true)), "выключи звук"),
        (capability("toggle", "mute", json!(null)), "выключи звук"),
        (null_state, "выключи звук"),
        (capability("toggle", "mute", json!(false)), "включи звук"),
        (pause(), "пауза"),
        (capability("toggle", "pause", json!(false)), "продолжи"),
        (relative("channel", 1), "следующий трек"),
        (relative("channel", -1), "предыдущий трек"),
    ] {
        let mut http = yandex.begin(&json!([asked]));
        let (id, said) = agent.command();
        assert_eq!(said, text, "{asked}");
        agent.answer(&id, "Сделано");
        let response = http.response();
        assert_eq!(results(&response), ["DONE"], "{asked}");
        let state = &response.json()["payload"]["devices"][0]["capabilities"][0];
        assert_eq!(state["type"], asked["type"]);
        let instance = asked["state"].get("instance").cloned().unwrap_or(json!("mute"));
        assert_eq!(state["state"]["instance"], instance);
    }
}

#[test]
fn on_says_nothing_and_is_done_if_the_agent_is_connected() {
    let relay = start(&[]);
    let yandex = Yandex::linked(&relay);
    let on = json!([capability("on_off", "on", json!(true))]);
    assert_eq!(results(&yandex.begin(&on).response()), ["DEVICE_UNREACHABLE"]);
    let mut agent = relay.agent();
    assert_eq!(results(&yandex.begin(&on).response()), ["DONE"]);
    let mut next = yandex.begin(&json!([pause()]));
    assert_eq!(agent.command().1, "пауза", "nothing came before it");
    drop(agent);
    next.response();
}

#[test]
fn each_capability_of_a_request_has_its_own_result_in_order() {
    let relay = start(&[]);
    let yandex = Yandex::linked(&relay);
    let mut agent = relay.agent();
    let body = json!({ "payload": { "devices": [
        { "id": "pc", "custom_data": { "a": 1 }, "capabilities": [
            volume(30), volume(101), capability("range", "brightness", json!(5)), pause(),
            { "type": "devices.capabilities.on_off", "state": null, "x": [] },
            5,
        ] },
        { "id": "gone", "capabilities": [pause()] },
        { "capabilities": [pause()] },
        null,
        { "id": "pc", "capabilities": [relative("volume", 1)] },
        { "id": "pc" },
    ], "x": 1 }, "y": 2 });
    let mut http = relay.http();
    http.send(yandex.request("POST", "/user/devices/action", &body.to_string()));
    let commands: Vec<_> = (0..3).map(|_| agent.command()).collect();
    let texts: Vec<_> = commands.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["громкость 30", "пауза", "громче"]);
    // The answers may come in any order.
    agent.answer(&commands[2].0, "да");
    agent.answer(&commands[0].0, "Ошибка: нет звука");
    agent.answer(&commands[1].0, "да");
    let response = http.response();
    let first = [
        "INTERNAL_ERROR",
        "INVALID_VALUE",
        "INVALID_ACTION",
        "DONE",
        "INVALID_VALUE",
        "INVALID_ACTION",
    ];
    assert_eq!(results(&response), first);
    let devices = response.json()["payload"]["devices"].clone();
    let ids: Vec<_> = devices.as_array().unwrap().iter().map(|device| device["id"].clone()).collect();
    assert_eq!(ids, ["pc", "gone", "pc", "pc"]);
    let result = |device: usize| devices[device]["capabilities"][0]["state"]["action_result"].clone();
    assert_eq!(result(1), json!({ "status": "ERROR", "error_code": "DEVICE_UNREACHABLE" }));
    assert_eq!(result(2), json!({ "status": "DONE" }));
    assert_eq!(devices[3]["capabilities"], json!([]));
}

#[test]
fn an_agent_that_says_it_failed_is_believed_and_a_bad_ok_is_told_and_left_out() {
    let relay = start(&[]);
    let yandex = Yandex::linked(&relay);
    let mut agent = relay.agent();
    for (rest, result) in [
        (json!({ "text": "не вышло", "ok": false }), "INTERNAL_ERROR"),
        (json!({ "text": "Ошибка: нет звука" }), "INTERNAL_ERROR"),
        (json!({ "text": "сделано", "ok": true }), "DONE"),
        (json!({ "text": "сделано", "ok": null }), "DONE"),
        (json!({ "text": "сделано", "ok": "false" }), "DONE"),
        (json!({ "text": "" }), "DONE"),
    ] {
        let mut http = yandex.begin(&json!([pause()]));
        let mut answer = rest.clone();
        answer["id"] = json!(agent.command().0);
        agent.send(answer.to_string());
        assert_eq!(results(&http.response()), [result], "{rest}");
    }
    assert!(relay.line("something that can't be used").ends_with("ok"));
}

#[test]
fn what_was_sent_and_is_still_at_work_is_done_after_a_second_and_a_half() {
    let relay = start(&[("LOG_LEVEL", "debug")]);
    let yandex = Yandex::linked(&relay);
    let mut agent = relay.agent();
    let begun = Instant::now();
    let mut http = yandex.begin(&json!([pause(), volume(5)]));
    let (pause_id, _) = agent.command();
    let (volume_id, _) = agent.command();
    agent.answer(&volume_id, "да");
    assert_eq!(results(&http.response()), ["DONE", "DONE"]);
    assert!(begun.elapsed() >= Duration::from_millis(1500));
    // What comes later is nobody's.
    agent.answer(&pause_id, "поздно");
    relay.line("no command waits for");
    assert_eq!(relay.say("готово"), "Новых ответов нет.");
}

#[test]
fn without_an_agent_every_action_is_unreachable_at_once() {
    let relay = start(&[]);
    let yandex = Yandex::linked(&relay);
    let response = yandex.begin(&json!([off(), volume(101), pause()])).response();
    assert_eq!(results(&response), ["DEVICE_UNREACHABLE", "INVALID_VALUE", "DEVICE_UNREACHABLE"]);
}

#[test]
fn a_lost_link_is_unreachable_but_after_off_it_is_done() {
    let relay = start(&[]);
    let yandex = Yandex::linked(&relay);
    let mut agent = relay.agent();
    let mut http = yandex.begin(&json!([volume(5), off()]));
    agent.command();
    agent.command();
    drop(agent);
    assert_eq!(results(&http.response()), ["DEVICE_UNREACHABLE", "DONE"]);
}

#[test]
fn what_is_asked_of_a_sleeping_pc_is_unreachable_within_a_second_and_never_carried_out() {
    let relay = start(&[]);
    let yandex = Yandex::linked(&relay);
    let mut agent = relay.agent();
    silence();
    let mut http = yandex.begin(&json!([off(), pause()]));
    assert_eq!(results(&http.response()), ["DEVICE_UNREACHABLE"; 2]);
    // A turn that came with it would have waited half a second longer.
    let line = relay.line("Smart Home action r1: 0 of 2 done after ");
    let after: u64 = line.split("after ").nth(1).unwrap().trim_end_matches(" ms").parse().unwrap();
    assert!((1000..1500).contains(&after), "{line}");
    // It wakes.
    let mut last = yandex.begin(&json!([volume(7)]));
    let (id, text) = agent.command();
    assert_eq!(text, "громкость 7");
    agent.answer(&id, "да");
    assert_eq!(results(&last.response()), ["DONE"]);
}

#[test]
fn on_a_quiet_line_that_is_alive_the_commands_go_in_order() {
    let relay = start(&[]);
    let yandex = Yandex::linked(&relay);
    let mut agent = relay.agent();
    silence();
    let asked: Vec<_> = (1..=5).map(volume).collect();
    let mut http = yandex.begin(&json!(asked));
    for number in 1..=5 {
        let (id, text) = agent.command();
        assert_eq!(text, format!("громкость {number}"));
        agent.answer(&id, "да");
    }
    assert_eq!(results(&http.response()), ["DONE"; 5]);
}

#[test]
fn the_257th_command_in_flight_is_busy_whoever_the_others_are() {
    let relay = start(&[("REPLY_TIMEOUT_MS", "30000")]);
    let yandex = Yandex::linked(&relay);
    let mut agent = relay.agent();
    let body = turn("считай").to_string();
    let mut clients: Vec<Http> = (0..256).map(|_| relay.http()).collect();
    clients.iter_mut().for_each(|client| client.send_post(&body));
    let ids: Vec<_> = clients.iter().map(|_| agent.command().0).collect();
    let response = yandex.begin(&json!([volume(5), off()])).response();
    assert_eq!(results(&response), ["DEVICE_BUSY", "DEVICE_BUSY"]);
    // Once one of them has ended there is room for one more.
    agent.answer(&ids[0], "готово");
    relay.line(&format!("Command {}: answered", ids[0]));
    let mut http = yandex.begin(&json!([pause()]));
    let (id, text) = agent.command();
    assert_eq!(text, "пауза");
    agent.answer(&id, "да");
    assert_eq!(results(&http.response()), ["DONE"]);
    ids[1..].iter().for_each(|id| agent.answer(id, "готово"));
    clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
}

#[test]
fn more_than_can_be_meant_is_refused_and_a_great_deal_is_answered_in_order() {
    let relay = start(&[]);
    let yandex = Yandex::linked(&relay);
    let mut agent = relay.agent();
    // 301 devices, as many as a user may have.
    let devices: Vec<_> = (0..301)
        .map(|n| json!({ "id": if n == 300 { "pc".into() } else { n.to_string() }, "capabilities": [pause()] }))
        .collect();
    let mut http = relay.http();
    let body = json!({ "payload": { "devices": devices } }).to_string();
    http.send(yandex.request("POST", "/user/devices/action", &body));
    agent.echo("");
    let answered = http.response().json()["payload"]["devices"].clone();
    assert_eq!(answered.as_array().unwrap().len(), 301);
    let result = |n: usize| answered[n]["capabilities"][0]["state"]["action_result"]["status"].clone();
    assert_eq!((result(0), result(299), result(300)), (json!("ERROR"), json!("ERROR"), json!("DONE")));
    let status = |capabilities: usize| {
        let many = vec!["{}"; capabilities].join(",");
        let body = format!(r#"{{"payload":{{"devices":[{{"id":"pc","capabilities":[{many}]}}]}}}}"#);
        yandex.call("POST", "/user/devices/action", &body).status
    };
    assert_eq!((status(1023), status(1024)), (200, 400));
    let query = |devices: usize| {
        let many = vec![r#"{"id":"a"}"#; devices].join(",");
        yandex.call("POST", "/user/devices/query", &format!(r#"{{"devices":[{many}]}}"#)).status
    };
    assert_eq!((query(1024), query(1025)), (200, 400));
}

#[test]
fn a_body_that_is_none_is_refused_and_an_empty_list_is_not() {
    let relay = start(&[]);
    let yandex = Yandex::linked(&relay);
    for path in ["/user/devices/action", "/user/devices/query"] {
        for body in
            ["", "{", "[]", "null", "5", "{}", r#"{"payload":5}"#, r#"{"payload":{"devices":{}}}"#]
        {
            let response = yandex.call("POST", path, body);
            assert_eq!(response.status, 400, "{path} {body}");
            assert!(response.json()["error"].is_string());
        }
    }
    let empty = json!({ "request_id": "r1", "payload": { "devices": [] } });
    let action = yandex.call("POST", "/user/devices/action", "\u{feff}{\"payload\":{\"devices\":[]}}");
    assert_eq!((action.status, action.json()), (200, empty.clone()));
    let query = yandex.call("POST", "/user/devices/query", r#"{"devices":[]}"#);
    assert_eq!((query.status, query.json()), (200, empty));
}

#[test]
fn the_requests_id_is_echoed_and_logged_and_made_if_there_is_none() {
    let relay = start(&[]);
    let access = support::smart_home::link(&relay)["access_token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {access}");
    let ask = |id: Option<&str>| {
        let mut fields = vec![("Authorization", &*bearer)];
        fields.extend(id.map(|id| ("X-Request-Id", id)));
        let response = send(&relay, "POST", "/v1.0/user/unlink", &fields, "");
        response.json()["request_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        ask(Some("ff36a3cc-ec34-11e6-b1a0-64510650abcf")),
        "ff36a3cc-ec34-11e6-b1a0-64510650abcf"
    );
    relay.line("Smart Home ff36a3cc-ec34-11e6-b1a0-64510650abcf: /user/unlink");
    for none in [None, Some("")] {
        let made = ask(none);
        let parts: Vec<_> = made.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{made}");
        assert_ne!(made, ask(none));
        relay.line(&format!("Smart Home {made}: "));
    }
    assert_eq!(ask(Some("a\"b\\c")), "a\"b\\c");
    relay.line("Smart Home (odd id): /user/unlink");
    assert_eq!(ask(Some(&"x".repeat(1000))).chars().count(), 128);
}

#[test]
fn the_devices_of_a_file_are_offered_and_say_what_it_says() {
    let relay = with_devices(&json!([
        { "id": "pc", "name": "Компьютер", "room": "Кабинет", "type": "media_device",
            "on": "разбуди", "off": "выключи компьютер", "channel": "канал {value}",
            "sources": ["открой почту", "включи кино"] },
        { "id": "music", "name": "Музыка", "type": "devices.types.media_device.receiver", "pause": "стоп" },
    ]));
    let yandex = Yandex::linked(&relay);
    let devices = yandex.call("GET", "/user/devices", "").json()["payload"]["devices"].clone();
    assert_eq!(devices[0]["room"], "Кабинет");
    assert_eq!(devices[1]["type"], "devices.types.media_device.receiver");
    assert_eq!(devices[1]["capabilities"].as_array().unwrap().len(), 1);
    let mut agent = relay.agent();
    for (asked, text) in [
        (capability("on_off", "on", json!(true)), "разбуди"),
        (off(), "выключи компьютер"),
        (capability("range", "channel", json!(5)), "канал 5"),
        (capability("mode", "input_source", json!("one")), "открой почту"),
        (capability("mode", "input_source", json!("two")), "включи кино"),
    ] {
        let mut http = yandex.begin(&json!([asked]));
        let (id, said) = agent.command();
        assert_eq!(said, text);
        agent.answer(&id, "да");
        assert_eq!(results(&http.response()), ["DONE"], "{asked}");
    }
    let asked = json!([capability("mode", "input_source", json!("three")), pause(), volume(5)]);
    let response = yandex.begin(&asked).response();
    assert_eq!(results(&response), ["INVALID_VALUE", "INVALID_ACTION", "INVALID_ACTION"]);
    let query = yandex.call("POST", "/user/devices/query", r#"{"devices":[{"id":"music"}]}"#);
    assert_eq!(query.json()["payload"]["devices"], json!([{ "id": "music" }]));
}

#[test]
fn an_agent_that_is_asked_by_turns_and_actions_gets_both_in_order() {
    let relay = start(&[]);
    let yandex = Yandex::linked(&relay);
    let mut agent: Agent = relay.agent();
    let mut action = yandex.begin(&json!([pause()]));
    let (action_id, text) = agent.command();
    assert_eq!(text, "пауза");
    let mut talk = relay.http();
    talk.send_post(&turn("громче").to_string());
    let (turn_id, text) = agent.command();
    assert_eq!(text, "громче");
    agent.answer(&turn_id, "стало громче");
    assert_eq!(support::said(&talk.response().json()), "стало громче");
    agent.answer(&action_id, "на паузе");
    assert_eq!(results(&action.response()), ["DONE"]);
}

#[test]
fn a_stopping_relay_waits_for_an_action_for_longer_than_for_a_turn_if_it_must() {
    let mut relay = start(&[("REPLY_TIMEOUT_MS", "100")]);
    let yandex = Yandex::linked(&relay);
    let mut agent = relay.agent();
    let mut http = yandex.begin(&json!([pause()]));
    agent.command();
    relay.signal(Signal::TERM);
    assert_eq!(results(&http.response()), ["DONE"], "it was sent, and is at work");
    assert_eq!(relay.exit().code(), Some(0));
}

#[test]
fn while_an_agent_is_silent_at_work_an_action_is_withdrawn_at_its_own_end() {
    let relay = start(&[]);
    let yandex = Yandex::linked(&relay);
    let mut agent = relay.agent();
    let mut first = yandex.begin(&json!([pause()]));
    let (id, _) = agent.command();
    silence();
    let mut second = yandex.begin(&json!([off()]));
    assert_eq!(results(&first.response()), ["DONE"]);
    assert_eq!(results(&second.response()), ["DEVICE_UNREACHABLE"]);
    // It answers pings again, and never hears of the second.
    agent.answer(&id, "да");
    let mut last = yandex.begin(&json!([volume(7)]));
    let (id, text) = agent.command();
    assert_eq!(text, "громкость 7");
    agent.answer(&id, "да");
    assert_eq!(results(&last.response()), ["DONE"]);
}

#[test]
fn a_stopping_relay_answers_the_actions_under_way_and_takes_no_more() {
    let mut relay = start(&[("REPLY_TIMEOUT_MS", "30000")]);
    let yandex = Yandex::linked(&relay);
    let mut agent = relay.agent();
    let mut other = relay.http();
    other.send("GET /health HTTP/1.1\r\nHost: r\r\n\r\n");
    assert_eq!(other.response().status, 200);
    let next = yandex.request(
        "POST",
        "/user/devices/action",
        &json!({ "payload": { "devices": [{ "id": "pc", "capabilities": [pause()] }] } }).to_string(),
    );
    let mut http = yandex.begin(&json!([volume(5)]));
    let (id, _) = agent.command();
    relay.signal(Signal::TERM);
    support::until("no new connection is taken", || {
        std::net::TcpStream::connect(relay.address()).is_err()
    });
    other.send(next);
    assert_eq!(results(&other.response()), ["DEVICE_UNREACHABLE"]);
    agent.answer(&id, "да");
    assert_eq!(results(&http.response()), ["DONE"]);
    assert_eq!(relay.exit().code(), Some(0));
}
