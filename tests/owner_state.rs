//! What the owner's page and a monitor are told, and what is said on the page.

use crate::support::owner::{Browser, WEBHOOK, heard, login, monitored, page_token, send, start};
use crate::support::{Agent, KEY, Relay, turn, until};
use serde_json::{Value, json};

fn part<'a>(state: &'a Value, part: &str) -> &'a Value {
    let parts = state["parts"].as_array().unwrap();
    parts.iter().find(|one| one["part"] == part).unwrap()
}

fn light(state: &Value, of: &str) -> String {
    part(state, of)["light"].as_str().unwrap().to_owned()
}

/// A turn of Yandex', through a proxy.
fn turn_through_a_proxy(relay: &Relay, command: &str) -> u16 {
    let body = turn(command).to_string();
    let path = format!("/alice/webhook/{WEBHOOK}");
    let fields = [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https")];
    send(relay, "POST", &path, &fields, &body).status
}

fn hows(state: &Value) -> Vec<String> {
    let commands = state["commands"].as_array().unwrap();
    commands.iter().map(|command| command["how"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_part_of_the_way_is_as_the_relay_knows_it() {
    let relay = start(&[]);
    let browser = Browser::logged_in(&relay);
    let state = browser.state();
    let lights = |state: &Value| ["alice", "proxy", "relay", "pc"].map(|of| light(state, of));
    assert_eq!(lights(&state), ["yellow", "yellow", "green", "red"]);
    assert_eq!(part(&state, "pc")["says"], "Не на связи.");

    // `ask`, and a browser, are not Yandex.
    browser.say("помощь");
    assert_eq!(light(&browser.state(), "alice"), "yellow");
    assert_eq!(turn_through_a_proxy(&relay, "ping"), 200);
    let state = browser.state();
    assert_eq!(lights(&state), ["green", "yellow", "green", "red"]);
    assert_eq!(part(&state, "proxy")["says"], "Передаёт запросы. WebSocket ещё не приходил.");

    let bearer = format!("Bearer {KEY}");
    assert_eq!(send(&relay, "GET", "/ws", &[("Authorization", &bearer)], "").status, 426);
    assert_eq!(light(&browser.state(), "proxy"), "red", "it takes Upgrade away");
    let agent = relay.agent();
    let state = browser.state();
    assert_eq!(lights(&state), ["green"; 4]);
    assert!(part(&state, "pc")["seconds"].is_u64());
    drop(agent);
    relay.line("Agent disconnected");
    assert_eq!(light(&browser.state(), "pc"), "red");
}

#[test]
fn a_knock_without_a_right_key_is_told_to_the_owner_alone_and_only_of_a_pc_that_is_not_there() {
    let settings = [("ALICE_USER_IDS", "me"), ("AGENTS", "ноутбук=key-of-the-notebook")];
    let relay = start(&settings);
    let browser = Browser::with(&relay, &settings);
    let knocked = "стучится без верного ключа";
    let pcs = || {
        let state = browser.state();
        [3, 4].map(|place: usize| state["parts"][place]["says"].as_str().unwrap().contains(knocked))
    };
    assert_eq!(pcs(), [false; 2]);
    assert!(!browser.say("громче").0.contains(knocked));
    let wrong = [("Authorization", "Bearer wrong-key-77e0a1b2c3")];
    assert!(Agent::with(relay.address(), "/ws", &wrong).is_err());
    assert_eq!(pcs(), [true; 2]);
    assert!(browser.say("громче").0.starts_with("Компьютер: не на связи. К серверу кто-то стучится"));
    assert!(browser.say("ноутбук").0.starts_with("Ноутбук: не на связи. К серверу кто-то стучится"));
    // A stranger to the skill, and a monitor, hear nothing of it.
    let body = turn("громче").to_string();
    let stranger = send(&relay, "POST", &format!("/alice/webhook/{WEBHOOK}"), &[], &body);
    let token = login(&relay, &settings, &["--monitor"]);
    for response in [stranger, monitored(&relay, &token), relay.get("/health")] {
        assert_eq!(response.status, 200);
        assert!(!response.body.contains("ключ"), "{}", response.body);
    }
    let _agent = Agent::with(relay.address(), &format!("/ws?key={KEY}"), &[]).unwrap();
    relay.line("Agent компьютер connected");
    assert_eq!(pcs(), [false, true], "this one has come");
}

#[test]
fn the_round_trip_of_the_last_ping_is_told() {
    let relay = start(&[("HEARTBEAT_SECS", "1")]);
    let browser = Browser::logged_in(&relay);
    let mut agent = relay.agent();
    // Reading answers pings.
    std::thread::spawn(move || while agent.read().is_ok() {});
    until("a pong has come", || part(&browser.state(), "pc")["round_trip_ms"].is_u64());
    let says = browser.state()["parts"][3]["says"].as_str().unwrap().to_owned();
    assert!(says.contains("Ответ на ping за "), "{says}");
}

#[test]
fn every_command_is_counted_and_shown_by_how_it_ended_and_without_its_text() {
    let relay = start(&[("REPLY_TIMEOUT_MS", "150"), ("ALICE_USER_IDS", "me")]);
    let settings = [("ALICE_USER_IDS", "me")];
    let browser = Browser::with(&relay, &settings);
    assert_eq!(browser.say("громче").1, "no-agent");
    let mut agent = relay.agent();
    let waiting = browser.begin("тайная команда");
    let (id, text) = agent.command();
    assert_eq!(text, "тайная команда");
    agent.answer(&id, "тайный ответ");
    drop(waiting);
    until("it is answered", || browser.state()["counts"]["answered"] == 1);
    let mut waiting = browser.begin("долгая команда");
    let (id, _) = agent.command();
    assert_eq!(heard(&waiting.response()).1, "too-late");
    assert!(browser.state()["you"]["at_work"].is_u64());
    agent.answer(&id, "поздний ответ");
    until("it is kept", || browser.state()["you"]["kept"] == 1);
    let mut waiting = browser.begin("потерянная команда");
    agent.command();
    drop(agent);
    let _ = waiting.response();
    // A stranger's.
    assert_eq!(turn_through_a_proxy(&relay, "громче"), 200);

    let state = browser.state();
    assert_eq!(hows(&state), ["no-agent", "answered", "too-late", "link-lost"]);
    for (how, count) in [
        ("no-agent", 1),
        ("answered", 1),
        ("too-late", 1),
        ("answered-late", 1),
        ("link-lost", 1),
        ("refused", 1),
        ("busy", 0),
    ] {
        assert_eq!(state["counts"][how], count, "{how}: {state}");
    }
    let late = &state["commands"][2];
    assert!(late["late_ms"].as_u64().unwrap() >= late["ms"].as_u64().unwrap());
    assert!(state["p95_ms"].as_u64() >= state["median_ms"].as_u64() && state["median_ms"].is_u64());
    assert_eq!(state["summary"][0], json!(["Ответов вовремя", "1"]));
    assert!(!state.to_string().contains("тайн"), "{state}");
}

#[test]
fn the_last_two_hundred_commands_are_shown_and_all_are_counted() {
    let relay = start(&[]);
    let browser = Browser::logged_in(&relay);
    let path = format!("/alice/webhook/{WEBHOOK}");
    let body = turn("громче").to_string();
    let mut http = relay.http();
    for _ in 0..230 {
        let length = body.len();
        http.send(format!("POST {path} HTTP/1.1\r\nHost: r\r\nContent-Length: {length}\r\n\r\n{body}"));
        assert_eq!(http.response().status, 200);
    }
    let state = browser.state();
    assert_eq!(hows(&state).len(), 200);
    assert_eq!(state["counts"]["no-agent"], 230);
}

#[test]
fn what_stands_open_has_its_line_once_the_ids_have_come_behind_the_secret() {
    let relay = start(&[]);
    let browser = Browser::logged_in(&relay);
    let lines = |state: &Value| -> Vec<_> {
        state["open"].as_array().unwrap().iter().map(|open| open["line"].clone()).collect()
    };
    assert_eq!(lines(&browser.state()), [Value::Null, Value::Null]);
    // The owner's own words bring no ids.
    browser.say("помощь");
    assert_eq!(lines(&browser.state()), [Value::Null, Value::Null]);
    assert_eq!(turn_through_a_proxy(&relay, "помощь"), 200);
    let yandex = turn("")["session"].clone();
    let id = |id: &Value| id.as_str().unwrap().to_owned();
    let (user, skill) = (id(&yandex["user"]["user_id"]), id(&yandex["skill_id"]));
    let open = [json!(format!("ALICE_USER_IDS={user}")), json!(format!("ALICE_SKILL_ID={skill}"))];
    assert_eq!(lines(&browser.state()), open);

    let closed = [("ALICE_USER_IDS", &*user), ("ALICE_SKILL_ID", &skill)];
    let relay = start(&closed);
    assert!(lines(&Browser::with(&relay, &closed).state()).is_empty());
}

#[test]
fn limits_are_told_with_how_far_they_are_used() {
    let relay = start(&[]);
    let state = Browser::logged_in(&relay).state();
    let limits = state["limits"].as_array().unwrap();
    let names: Vec<_> = limits.iter().map(|limit| limit["limit"].as_str().unwrap()).collect();
    assert_eq!(names, ["memory", "threads", "descriptors", "commands"]);
    for limit in &limits[..3] {
        let (used, most) = (limit["used"].as_u64().unwrap(), limit["most"].as_u64().unwrap());
        assert!(0 < used && used < most, "{limit}");
    }
    assert_eq!(state["version"], env!("CARGO_PKG_VERSION"));
    let started = state["started"].as_u64().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(started <= now && started + 60 > now, "{started}");
}

#[test]
fn a_monitor_is_told_states_counters_and_times_and_nothing_else() {
    let relay = start(&[("AGENTS", "ноутбук=key-of-the-notebook")]);
    let settings = [("AGENTS", "ноутбук=key-of-the-notebook")];
    let browser = Browser::with(&relay, &settings);
    assert_eq!(turn_through_a_proxy(&relay, "громче"), 200);
    let monitor = login(&relay, &settings, &["--monitor"]);
    let response = monitored(&relay, &monitor);
    assert_eq!(response.status, 200, "{response:?}");
    let told = response.json();
    let mut keys: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["counts", "limits", "median_ms", "p95_ms", "parts", "started", "up", "version"]);
    assert_eq!(told["parts"].as_array().unwrap().len(), 5, "two PCs");
    assert_eq!(
        part(&told, "pc"),
        &json!({"part":"pc","light":"red","seconds":null,"round_trip_ms":null})
    );
    assert_eq!(told["counts"]["no-agent"], 1);
    let yandex = turn("")["session"].to_string();
    for secret in [KEY, WEBHOOK, "key-of-the-notebook", "ноутбук", &page_token(&browser.page())]
    {
        assert!(!response.body.to_lowercase().contains(secret), "{secret}: {}", response.body);
    }
    for id in yandex.split('"').filter(|part| part.len() > 20) {
        assert!(!response.body.contains(id), "{id}");
    }
    // It opens nothing else, and nothing else opens this.
    let (_, seal) = browser.cookie.split_once('=').unwrap();
    for other in [seal, KEY, WEBHOOK, &page_token(&browser.page()), &monitor[1..], ""] {
        assert_eq!(monitored(&relay, other).status, 401, "{other}");
    }
    let cookie = format!("__Host-relay-owner={monitor}");
    let of_monitor = Browser { relay: &relay, cookie };
    assert_eq!(of_monitor.send("GET", "/owner/state", "").status, 401);
    assert_eq!(of_monitor.send("POST", "/owner/say", "{}").status, 401);
}

#[test]
fn what_is_said_on_the_page_goes_to_the_pc_as_yandex_would_say_it() {
    let relay = start(&[]);
    let browser = Browser::logged_in(&relay);
    let _agent = relay.agent().echo_for_ever("Сделано: ");
    assert_eq!(browser.say("Громче, на 10!"), ("Сделано: громче на 10".into(), "answered".into()));
    assert_eq!(browser.say("помощь").1, "own-words");
    assert_eq!(browser.say("").1, "own-words");
}

#[test]
fn a_late_answer_is_told_to_the_browser_that_asked_and_to_nobody_else() {
    let relay = start(&[("REPLY_TIMEOUT_MS", "150")]);
    let (one, other) = (Browser::logged_in(&relay), Browser::logged_in(&relay));
    let mut agent = relay.agent();
    let mut waiting = one.begin("найди билеты");
    let (id, _) = agent.command();
    assert_eq!(heard(&waiting.response()).1, "too-late");
    agent.answer(&id, "нашёл");
    until("it is kept", || one.state()["you"]["kept"] == 1);
    assert_eq!(other.state()["you"], json!({"kept":0,"at_work":null}));
    assert_eq!(other.say("готово").0, "Новых ответов нет.");
    let body = turn("готово").to_string();
    let path = format!("/alice/webhook/{WEBHOOK}");
    let alice = heard(&send(&relay, "POST", &path, &[], &body));
    assert_eq!(alice.0, "Новых ответов нет.");
    assert_eq!(one.say("готово"), ("нашёл".into(), "news".into()));
    assert_eq!(one.state()["you"]["kept"], 0);
}

#[test]
fn nothing_is_said_without_the_cookie_and_the_token_of_its_own_page() {
    let relay = start(&[]);
    let (browser, other) = (Browser::logged_in(&relay), Browser::logged_in(&relay));
    let mut agent: Agent = relay.agent();
    let (own, others) = (page_token(&browser.page()), page_token(&other.page()));
    let body = |token: &str| json!({ "token": token, "text": "громче" }).to_string();
    assert_eq!(send(&relay, "POST", "/owner/say", &[], &body(&own)).status, 401);
    let no_token = r#"{"text":"громче"}"#.to_owned();
    for wrong in [body(&others), body(""), no_token, "token=x".into(), String::new(), "[]".into()] {
        assert_eq!(browser.send("POST", "/owner/say", &wrong).status, 403, "{wrong}");
    }
    relay.line("its page is not this browser's");
    let long = json!({ "token": own, "text": "я".repeat(1025) }).to_string();
    assert_eq!(browser.send("POST", "/owner/say", &long).status, 400);
    let last = browser.begin("единственная");
    assert_eq!(agent.command().1, "единственная", "nothing came before it");
    drop(last);
}

#[test]
fn the_page_shows_without_a_script_what_the_script_is_told() {
    let relay = start(&[]);
    let browser = Browser::logged_in(&relay);
    assert_eq!(browser.say("громче").1, "no-agent");
    let _agent = relay.agent().echo_for_ever("");
    assert_eq!(browser.say("громче").1, "answered");
    assert_eq!(turn_through_a_proxy(&relay, "помощь"), 200);
    let (page, state) = (browser.page(), browser.state());
    for part in state["parts"].as_array().unwrap() {
        let (light, name) = (part["light"].as_str().unwrap(), part["name"].as_str().unwrap());
        let item = format!("<li class=\"{light}\"><b>{name}</b>");
        assert!(page.body.contains(&item), "{item}: {}", page.body);
    }
    for open in state["open"].as_array().unwrap() {
        assert!(page.body.contains(open["line"].as_str().unwrap()), "{open}: {}", page.body);
    }
    for pair in state["summary"].as_array().unwrap() {
        let (name, text) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        assert!(page.body.contains(&format!("<dt>{name}</dt><dd>{text}</dd>")), "{pair}");
    }
    assert_eq!(page.body.matches("<circle ").count(), 2);
    assert_eq!(page.body.matches("<tr><td>").count(), 2);
    for value in
        ["https://relay.example/alice/webhook/&lt;WEBHOOK_SECRET&gt;", "wss://relay.example/ws"]
    {
        assert!(page.body.contains(value), "{value}: {}", page.body);
    }
    for secret in [KEY, WEBHOOK] {
        assert!(!page.body.contains(secret), "{}", page.body);
    }
    for (file, kind) in [("page.css", "text/css"), ("page.js", "text/javascript")] {
        let file = send(&relay, "GET", &format!("/owner/{file}"), &[], "");
        assert_eq!(file.status, 200);
        assert_eq!(file.field("Content-Type"), Some(&*format!("{kind}; charset=utf-8")));
        assert_eq!(file.field("X-Content-Type-Options"), Some("nosniff"));
    }
}
