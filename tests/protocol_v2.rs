//! Protocol v2, for agents that offer the subprotocol `home-alice.v2`: besides the text, who speaks and how.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::smart_home::{self, Yandex, capability};
use crate::support::{Agent, KEY, Relay, said, turn};
use serde_json::{Value, json};
use tungstenite::Message;

const SECRET: &str = "webhook-secret_0123456789";

/// An agent that offers these subprotocols, and the first message of its link.
fn connect(relay: &Relay, protocols: &str) -> (Agent, Value) {
    let fields = [("Sec-WebSocket-Protocol", protocols)];
    let mut agent = Agent::with(relay.address(), &format!("/ws?key={KEY}"), &fields).unwrap();
    let first = next(&mut agent);
    (agent, first)
}

/// The next message that is JSON.
fn next(agent: &mut Agent) -> Value {
    loop {
        match agent.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// The command that becomes of a turn, which the agent answers.
fn command_of(relay: &Relay, agent: &mut Agent, path: &str, turn: &Value) -> Value {
    let body = turn.to_string();
    let mut http = relay.http();
    http.send(format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let command = next(agent);
    agent.answer(command["id"].as_str().unwrap(), "сделано");
    assert_eq!(said(&http.response().json()), "сделано");
    command
}

fn webhook() -> String {
    format!("/alice/webhook/{SECRET}")
}

#[test]
fn the_first_message_of_the_link_is_the_relays_time() {
    let relay = Relay::start(&[]);
    let before = unix();
    let (_agent, first) = connect(&relay, "chat, home-alice.v2");
    let now = first["now"].as_u64().unwrap();
    assert!((before - 1..=unix() + 1).contains(&now), "{first}");
    assert_eq!(first.as_object().unwrap().len(), 1);
}

#[test]
fn who_does_not_offer_it_by_its_exact_name_gets_the_first_format() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    let mut http = relay.http();
    http.send_post(&turn("громче").to_string());
    // It has `id` and `text` and nothing else.
    agent.echo("");
    assert_eq!(said(&http.response().json()), "громче");
    // A client that offers a subprotocol and is given none must refuse.
    for other in ["home-alice.v3", "HOME-ALICE.V2", "home-alice"] {
        let fields = [("Sec-WebSocket-Protocol", other)];
        assert!(Agent::with(relay.address(), &format!("/ws?key={KEY}"), &fields).is_err(), "{other}");
    }
}

#[test]
fn the_time_is_told_again_once_for_each_ping_that_finds_the_agent_alive() {
    let relay = Relay::start(&[("HEARTBEAT_SECS", "1")]);
    let (mut agent, first) = connect(&relay, "home-alice.v2");
    let mut last = first["now"].as_u64().unwrap();
    for _ in 0..3 {
        // tungstenite answers the ping, and the time comes behind it.
        assert!(matches!(agent.read().unwrap(), Message::Ping(_)));
        let Message::Text(time) = agent.read().unwrap() else { panic!("no time behind the ping") };
        let time: Value = serde_json::from_str(&time).unwrap();
        assert_eq!(time.as_object().unwrap().len(), 1, "{time}");
        let now = time["now"].as_u64().unwrap();
        assert!(now > last + 500 && now <= unix() + 1000, "{last} {now}");
        last = now;
    }
    let mut old = relay.agent();
    assert!(matches!(old.read().unwrap(), Message::Ping(_)));
    assert!(matches!(old.read().unwrap(), Message::Ping(_)), "protocol v1 never changes");
}

#[test]
fn a_pc_that_sleeps_finds_no_heap_of_old_times() {
    let relay = Relay::start(&[("HEARTBEAT_SECS", "1")]);
    let (mut agent, _) = connect(&relay, "home-alice.v2");
    // It reads nothing, and so answers no ping, until the relay gives it up.
    relay.line("nothing came from it for 3 s");
    let mut times = 0;
    while let Ok(message) = agent.read() {
        times += usize::from(matches!(message, Message::Text(_)));
    }
    assert_eq!(times, 0);
}

#[test]
fn a_command_tells_who_speaks_how_and_until_when() {
    let relay = Relay::start(&[("WEBHOOK_SECRET", SECRET), ("REPLY_TIMEOUT_MS", "2500")]);
    let (mut agent, _) = connect(&relay, "home-alice.v2");
    let before = unix();
    let command = command_of(&relay, &mut agent, &webhook(), &turn("громче на 10"));
    assert_eq!(command["text"], "громче на 10");
    assert_eq!(command["session"], json!({ "id": "2eac4854-fce721f3-b845abba-20d60", "new": false }));
    assert_eq!(command["screen"], true);
    assert_eq!(command["nlu"], turn("громче на 10")["request"]["nlu"]);
    let (now, until) = (command["now"].as_u64().unwrap(), command["until"].as_u64().unwrap());
    assert!((before - 1..=unix() + 1).contains(&now) && until == now + 2500, "{command}");
    assert!(command.get("payload").is_none() && command.get("action").is_none());
    let mut blind = turn("тише");
    blind["meta"] = json!({ "interfaces": {} });
    assert_eq!(command_of(&relay, &mut agent, &webhook(), &blind)["screen"], false);
}

#[test]
fn a_person_is_the_same_after_a_restart_different_from_others_and_named_to_nobody() {
    let user = |id: &str| {
        let mut turn = turn("громче");
        turn["session"]["user"]["user_id"] = json!(id);
        turn
    };
    let mut device = turn("громче");
    device["session"].as_object_mut().unwrap().remove("user");
    let people = |key: &str| {
        let relay = Relay::start(&[("WEBHOOK_SECRET", SECRET), ("API_KEY", key)]);
        let fields = [("Sec-WebSocket-Protocol", "home-alice.v2")];
        let mut agent = Agent::with(relay.address(), &format!("/ws?key={key}"), &fields).unwrap();
        next(&mut agent);
        [user("me"), user("you"), device.clone(), user("me")].map(|turn| {
            command_of(&relay, &mut agent, &webhook(), &turn)["person"].as_str().unwrap().to_owned()
        })
    };
    let first = people(KEY);
    assert_eq!(first[0], first[3]);
    assert!(first[0] != first[1] && first[0] != first[2] && first[1] != first[2]);
    assert!(first.iter().all(|id| id.len() >= 20 && !id.contains("me")), "{first:?}");
    assert_eq!(first, people("another-key-0123456789"));
}

#[test]
fn without_a_secret_nobody_is_named() {
    let relay = Relay::start(&[]);
    let (mut agent, _) = connect(&relay, "home-alice.v2");
    let command = command_of(&relay, &mut agent, "/alice/webhook", &turn("громче"));
    assert!(command.get("person").is_none(), "{command}");
}

#[test]
fn a_button_without_words_brings_an_empty_text_and_its_payload() {
    let relay = Relay::start(&[]);
    let (mut agent, _) = connect(&relay, "home-alice.v2");
    let mut http = relay.http();
    http.send_post(&turn("музыка").to_string());
    let command = next(&mut agent);
    let buttons =
        json!([{ "title": "▶", "payload": { "a": 1 } }, { "title": "⏹" }, { "title": "Дальше" }]);
    let answer = json!({ "id": command["id"], "text": "Музыка.", "buttons": buttons });
    agent.socket.send(Message::text(answer.to_string())).unwrap();
    let reply = http.response().json();
    let titles: Vec<_> =
        reply["response"]["buttons"].as_array().unwrap().iter().map(|b| &b["title"]).collect();
    assert_eq!(titles, ["▶", "Дальше"]);
    relay.line("a button without words, whose press would tell the agent nothing");
    let mut press = turn("");
    press["request"] =
        json!({ "type": "ButtonPressed", "nlu": { "tokens": [] }, "payload": { "a": 1 } });
    let command = command_of(&relay, &mut agent, "/alice/webhook", &press);
    assert_eq!((&command["text"], &command["payload"]), (&json!(""), &json!({ "a": 1 })));
    press["request"] = json!({ "type": "ButtonPressed", "payload": { "a": 2 } });
    let command = command_of(&relay, &mut agent, "/alice/webhook", &press);
    assert_eq!((&command["text"], &command["payload"]), (&json!(""), &json!({ "a": 2 })));
}

#[test]
fn in_the_first_format_a_button_without_words_is_left_out_and_told() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    let mut http = relay.http();
    http.send_post(&turn("музыка").to_string());
    let (id, _) = agent.command();
    let buttons =
        json!([{ "title": "▶", "payload": { "a": 1 } }, { "title": "🎬", "url": "https://a.example" }]);
    let answer = json!({ "id": id, "text": "Музыка.", "buttons": buttons });
    agent.socket.send(Message::text(answer.to_string())).unwrap();
    let reply = http.response().json();
    assert_eq!(reply["response"]["buttons"].as_array().unwrap().len(), 1, "{reply}");
    assert!(relay.line("a button without words").contains(&id));
    let mut press = turn("");
    press["request"] =
        json!({ "type": "ButtonPressed", "nlu": { "tokens": [] }, "payload": { "a": 1 } });
    let mut http = relay.http();
    http.send_post(&press.to_string());
    assert_eq!(
        said(&http.response().json()),
        "Я не услышала команды. Скажите, что сделать на компьютере."
    );
}

#[test]
fn a_pressed_button_brings_its_payload_and_what_is_too_long_is_left_out_and_told() {
    let relay = Relay::start(&[]);
    let (mut agent, _) = connect(&relay, "home-alice.v2");
    let pressed = |payload: Value| {
        let mut turn = turn("");
        turn["request"] =
            json!({ "type": "ButtonPressed", "nlu": { "tokens": ["да"] }, "payload": payload });
        turn
    };
    let command = command_of(&relay, &mut agent, "/alice/webhook", &pressed(json!({ "a": [1, 2] })));
    assert_eq!((&command["text"], &command["payload"]), (&json!("да"), &json!({ "a": [1, 2] })));
    let long = pressed(json!({ "a": "x".repeat(5000) }));
    let command = command_of(&relay, &mut agent, "/alice/webhook", &long);
    assert!(command.get("payload").is_none());
    assert!(relay.line("too long for the agent").contains("payload"));
    let mut turn = turn("громче");
    turn["request"]["nlu"] = json!({ "x": "y".repeat(20_000) });
    assert!(command_of(&relay, &mut agent, "/alice/webhook", &turn).get("nlu").is_none());
}

#[test]
fn an_action_of_smart_home_comes_with_what_was_asked_for() {
    let relay = smart_home::start(&[("WEBHOOK_SECRET", SECRET)]);
    let yandex = Yandex::linked(&relay);
    let (mut agent, _) = connect(&relay, "home-alice.v2");
    let mut asked = capability("range", "volume", json!(3));
    asked["state"]["relative"] = json!(true);
    let body =
        json!({ "payload": { "devices": [{ "id": "pc", "capabilities": [asked] }] } }).to_string();
    std::thread::scope(|scope| {
        let done = scope.spawn(|| yandex.call("POST", "/user/devices/action", &body).json());
        let command = next(&mut agent);
        assert_eq!(command["text"], "громче на 3");
        let action = json!({
            "device": "pc", "capability": "devices.capabilities.range", "instance": "volume",
            "value": 3, "relative": true,
        });
        assert_eq!(command["action"], action);
        let wait = command["until"].as_u64().unwrap() - command["now"].as_u64().unwrap();
        assert_eq!(wait, 1500);
        assert!(command.get("session").is_none() && command["person"].is_string());
        agent.answer(command["id"].as_str().unwrap(), "сделано");
        let result = done.join().unwrap();
        let state = &result["payload"]["devices"][0]["capabilities"][0]["state"];
        assert_eq!(state["action_result"]["status"], "DONE");
    });
}
