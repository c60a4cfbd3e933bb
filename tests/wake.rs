//! What agents tell of themselves, and switching on: a PC that is away is woken by another's agent.

use crate::support::owner::{self, Browser};
use crate::support::smart_home::{self, Yandex, capability, results};
use crate::support::{Agent, Http, KEY, Relay, Response, said, turn};
use serde_json::{Value, json};
use tungstenite::Message;

const NOTEBOOK: &str = "key-of-the-notebook";
const SERVER: &str = "key-of-the-server-01";
const TABLET: &str = "key-of-the-tablet-01";
const AGENTS: (&str, &str) =
    ("AGENTS", "ноутбук=key-of-the-notebook;сервер=key-of-the-server-01;планшет=key-of-the-tablet-01");
const SECOND: (&str, &str) = ("Sec-WebSocket-Protocol", "home-alice.v2");
const MAC: &str = "aa:bb:cc:dd:ee:ff";

fn household() -> Relay {
    Relay::start(&[AGENTS])
}

/// An agent of protocol v2 that tells this of itself.
fn agent(relay: &Relay, key: &str, hello: &Value) -> Agent {
    agent_from(relay, key, hello, &[SECOND])
}

fn agent_from(relay: &Relay, key: &str, hello: &Value, fields: &[(&'static str, &str)]) -> Agent {
    let mut agent = Agent::with(relay.address(), &format!("/ws?key={key}"), fields).unwrap();
    tell(&mut agent, &hello.to_string());
    agent
}

/// Sends a message, and waits until the relay has read it.
fn tell(agent: &mut Agent, message: &str) {
    agent.send(message);
    agent.send(Message::Ping(b"read".as_slice().into()));
    while !matches!(agent.read().unwrap(), Message::Pong(_)) {}
}

/// An agent that can wake others.
fn waker(relay: &Relay, key: &str) -> Agent {
    agent(relay, key, &json!({ "macs": [] }))
}

/// A PC that was there, told of its cards, and is away.
fn away(relay: &Relay, key: &str) {
    leave(relay, agent(relay, key, &json!({ "macs": [MAC] })));
}

fn leave(relay: &Relay, agent: Agent) {
    drop(agent);
    relay.line("disconnected");
}

/// The next command.
fn next(agent: &mut Agent) -> Value {
    loop {
        match agent.read().unwrap() {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                if message.get("id").is_some() {
                    return message;
                }
            }
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn say(relay: &Relay, phrase: &str) -> Http {
    let mut http = relay.http();
    http.send_post(&turn(phrase).to_string());
    http
}

fn answer(agent: &mut Agent, command: &Value, text: &str) {
    agent.answer(command["id"].as_str().unwrap(), text);
}

fn heard(response: &Response) -> (String, String) {
    owner::heard(response)
}

/// Which of the agents hears a phrase, with the addresses that come along; it answers.
fn wakes(relay: &Relay, phrase: &str, agent: &mut Agent) -> Value {
    let mut http = say(relay, phrase);
    let command = next(agent);
    answer(agent, &command, "Бужу.");
    assert_eq!(heard(&http.response()), ("Бужу.".into(), "answered".into()), "{phrase}");
    command["wake"].clone()
}

#[test]
fn a_pc_that_is_away_is_woken_by_another_ones_agent_which_answers_as_ever() {
    let relay = household();
    away(&relay, NOTEBOOK);
    let mut server = waker(&relay, SERVER);
    let mut http = say(&relay, "включи ноутбук");
    let command = next(&mut server);
    assert_eq!((&command["text"], &command["wake"]), (&json!("включи ноутбук"), &json!([MAC])));
    assert_eq!(command["session"]["id"], turn("")["session"]["session_id"]);
    assert!(command["screen"] == true && command["until"].as_u64() > command["now"].as_u64());
    answer(&mut server, &command, "Бужу ноутбук.");
    assert_eq!(heard(&http.response()), ("Бужу ноутбук.".into(), "answered".into()));
    relay.line("(ноутбук): answered after");
}

#[test]
fn each_way_to_say_it_wakes_the_pc_that_is_meant() {
    let relay = household();
    away(&relay, NOTEBOOK);
    leave(&relay, agent(&relay, KEY, &json!({ "macs": ["00:00:5e:00:53:01"] })));
    let mut server = waker(&relay, SERVER);
    for phrase in [
        "включи ноутбук",
        "разбуди ноутбук пожалуйста",
        "ноутбук включись",
        "ноутбук проснись",
        "ноутбук включи компьютер",
        "разбуди пк на ноутбуке",
    ] {
        assert_eq!(wakes(&relay, phrase, &mut server), json!([MAC]), "{phrase}");
    }
    for phrase in ["включи компьютер", "разбуди комп", "включи пк", "компьютер проснись"]
    {
        assert_eq!(wakes(&relay, phrase, &mut server), json!(["00:00:5e:00:53:01"]), "{phrase}");
    }
}

#[test]
fn the_first_pc_is_the_computer_whatever_it_is_called() {
    let relay = Relay::start(&[AGENTS, ("AGENT_NAME", "десктоп")]);
    away(&relay, KEY);
    let mut server = waker(&relay, SERVER);
    for phrase in ["включи компьютер", "включи десктоп", "десктоп включись"]
    {
        assert_eq!(wakes(&relay, phrase, &mut server), json!([MAC]), "{phrase}");
    }
}

#[test]
fn what_is_said_to_a_pc_that_is_there_reaches_it_as_ever_and_so_does_what_only_sounds_alike() {
    let relay = household();
    let mut desktop = agent(&relay, KEY, &json!({ "macs": [MAC] }));
    let _server = waker(&relay, SERVER);
    let as_ever = |phrase: &str, agent: &mut Agent, text: &str| {
        let mut http = say(&relay, phrase);
        let command = next(agent);
        assert_eq!(command["text"], text);
        assert!(command.get("wake").is_none(), "{command}");
        answer(agent, &command, "да");
        assert_eq!(said(&http.response().json()), "да");
    };
    let mut notebook = agent(&relay, NOTEBOOK, &json!({ "macs": [MAC] }));
    as_ever("включи компьютер", &mut desktop, "включи компьютер");
    as_ever("включи ноутбук", &mut desktop, "включи ноутбук");
    as_ever("ноутбук включись", &mut notebook, "включись");
    leave(&relay, notebook);
    for phrase in ["включи ноутбук в розетку", "включи звук", "не включай ноутбук", "включи"]
    {
        as_ever(phrase, &mut desktop, phrase);
    }
    assert_eq!(relay.say("ноутбук включи звук"), "Ноутбук: не на связи.");
}

#[test]
fn when_nobody_can_wake_it_alice_says_what_is_missing() {
    let relay = household();
    let nobody =
        "Ноутбук: разбудить некому. Нужен другой компьютер на связи, агент которого умеет будить.";
    let unknown = "Ноутбук: разбудить некому, адрес сетевой карты пока неизвестен. Включите компьютер один раз вручную.";
    let told = |phrase: &str| heard(&say(&relay, phrase).response());
    assert_eq!(told("включи ноутбук"), (nobody.into(), "no-agent".into()));
    let server = waker(&relay, SERVER);
    assert_eq!(told("включи ноутбук"), (unknown.into(), "no-agent".into()));
    assert_eq!(told("ноутбук проснись"), (unknown.into(), "no-agent".into()));
    leave(&relay, server);
    away(&relay, NOTEBOOK);
    assert_eq!(told("включи ноутбук"), (nobody.into(), "no-agent".into()));
    assert_eq!(told("громче на ноутбуке").0, "Ноутбук: не на связи.");
}

#[test]
fn a_pc_that_is_alone_has_nobody_to_wake_it() {
    let relay = Relay::start(&[]);
    leave(&relay, agent(&relay, KEY, &json!({ "macs": [MAC] })));
    let words = "Разбудить некому. Нужен второй компьютер на связи, агент которого умеет будить.";
    assert_eq!(relay.say("включи компьютер"), words);
    assert_eq!(relay.say("громче"), "Компьютер не на связи. Проверьте, включён ли он.");
}

#[test]
fn when_nobody_can_wake_it_another_pc_that_is_there_gets_the_words_as_ever() {
    let relay = household();
    away(&relay, NOTEBOOK);
    let mut desktop = Agent::connect(relay.address(), KEY).unwrap();
    for phrase in ["включи ноутбук", "разбуди сервер"] {
        let mut http = say(&relay, phrase);
        let (id, text) = desktop.command();
        assert_eq!(text, phrase);
        desktop.answer(&id, "бужу сам");
        assert_eq!(said(&http.response().json()), "бужу сам");
    }
}

#[test]
fn an_agent_that_can_wake_gets_the_words_with_no_address_where_none_is_known() {
    let relay = household();
    let mut desktop = waker(&relay, KEY);
    let mut http = say(&relay, "включи ноутбук");
    let command = next(&mut desktop);
    assert_eq!((&command["text"], &command["wake"]), (&json!("включи ноутбук"), &json!([])));
    answer(&mut desktop, &command, "Разбудить некому.");
    assert_eq!(said(&http.response().json()), "Разбудить некому.");
}

#[test]
fn who_has_told_of_no_cards_or_has_the_first_format_is_never_asked_but_can_be_woken() {
    let relay = household();
    // Its agent has protocol v1.
    leave(&relay, agent_from(&relay, NOTEBOOK, &json!({ "macs": [MAC] }), &[]));
    let _old = agent_from(&relay, TABLET, &json!({ "macs": [MAC] }), &[]);
    let _silent = agent(&relay, KEY, &json!({ "agent": "somebody 1.0" }));
    assert!(relay.say("ноутбук включись").contains("разбудить некому. Нужен другой"));
    let mut server = waker(&relay, SERVER);
    assert_eq!(wakes(&relay, "ноутбук включись", &mut server), json!([MAC]));
    // Another agent on the same PC has told of nothing.
    let _replaced = Agent::with(relay.address(), &format!("/ws?key={SERVER}"), &[SECOND]).unwrap();
    assert!(relay.say("ноутбук включись").contains("разбудить некому. Нужен другой"));
    // Nor does it count what a link says that was replaced.
    server.send(r#"{"macs":[]}"#);
    assert_eq!(server.closed().map(|(code, _)| code), Some(4001));
    relay.line("a newer connection replaced it");
    assert!(relay.say("ноутбук включись").contains("разбудить некому. Нужен другой"));
}

#[test]
fn what_is_told_anew_counts_and_the_rest_stays() {
    let relay = household();
    let mut server = waker(&relay, SERVER);
    let mut notebook = agent(&relay, NOTEBOOK, &json!({ "macs": [MAC] }));
    tell(&mut notebook, r#"{"agent":"b 2"}"#);
    tell(&mut notebook, r#"{"macs":["AA-BB-CC-DD-EE-01",5,"odd","aa:bb:cc:dd:ee:02"]}"#);
    leave(&relay, notebook);
    let both = json!(["aa:bb:cc:dd:ee:01", "aa:bb:cc:dd:ee:02"]);
    assert_eq!(wakes(&relay, "включи ноутбук", &mut server), both);
    // It comes back with an agent that tells nothing: the cards are the same.
    leave(&relay, Agent::connect(relay.address(), NOTEBOOK).unwrap());
    assert_eq!(wakes(&relay, "включи ноутбук", &mut server), both);
    leave(&relay, agent(&relay, NOTEBOOK, &json!({ "macs": [] })));
    assert!(relay.say("включи ноутбук").contains("адрес сетевой карты пока неизвестен"));
}

#[test]
fn after_a_restart_of_the_relay_nothing_is_known() {
    let mut relay = household();
    away(&relay, NOTEBOOK);
    let mut server = waker(&relay, SERVER);
    assert_eq!(wakes(&relay, "включи ноутбук", &mut server), json!([MAC]));
    relay.stop();
    let relay = household();
    let mut server = waker(&relay, SERVER);
    assert!(relay.say("включи ноутбук").contains("адрес сетевой карты пока неизвестен"));
    away(&relay, NOTEBOOK);
    assert_eq!(wakes(&relay, "включи ноутбук", &mut server), json!([MAC]));
}

#[test]
fn of_several_that_can_the_one_in_the_same_network_wakes_it_or_else_the_first() {
    for (notebook, server, tablet, wakes_it) in [
        ("203.0.113.7", "198.51.100.1", "203.0.113.7", TABLET),
        ("203.0.113.7", "203.0.113.7", "203.0.113.7", SERVER),
        ("2001:db8:1:2::5", "2001:db8:1:3::5", "2001:db8:1:2::6", TABLET),
        ("203.0.113.7", "198.51.100.1", "198.51.100.2", SERVER),
        ("203.0.113.7", "nonsense", "203.0.113.7", TABLET),
    ] {
        let relay = household();
        let from = |key: &str, address: &str, macs: &[&str]| {
            let fields = [SECOND, ("X-Real-IP", address)];
            agent_from(&relay, key, &json!({ "macs": macs }), &fields)
        };
        leave(&relay, from(NOTEBOOK, notebook, &[MAC]));
        let mut tablet = from(TABLET, tablet, &[]);
        let mut server = from(SERVER, server, &[]);
        let waker = if wakes_it == TABLET { &mut tablet } else { &mut server };
        assert_eq!(wakes(&relay, "включи ноутбук", waker), json!([MAC]));
    }
}

#[test]
fn a_pc_that_is_asked_for_twice_is_woken_twice() {
    let relay = household();
    away(&relay, NOTEBOOK);
    let mut server = waker(&relay, SERVER);
    let mut both = [say(&relay, "включи ноутбук"), say(&relay, "включи ноутбук")];
    let commands = [next(&mut server), next(&mut server)];
    assert!(commands.iter().all(|command| command["wake"] == json!([MAC])));
    commands.iter().for_each(|command| answer(&mut server, command, "Бужу."));
    both.iter_mut().for_each(|http| assert_eq!(said(&http.response().json()), "Бужу."));
}

#[test]
fn a_late_answer_is_kept_and_told_of_the_pc_that_was_to_be_woken() {
    let relay = Relay::start(&[AGENTS, ("REPLY_TIMEOUT_MS", "300")]);
    away(&relay, NOTEBOOK);
    let mut server = waker(&relay, SERVER);
    let mut http = say(&relay, "включи ноутбук");
    let command = next(&mut server);
    let words = "Ноутбук: команда ещё выполняется. Спросите: «готово?»";
    assert_eq!(heard(&http.response()), (words.into(), "too-late".into()));
    assert!(relay.say("готово").starts_with("Ноутбук: команда выполняется уже "));
    answer(&mut server, &command, "проснулся");
    relay.line("(ноутбук): answered late after");
    assert_eq!(relay.say("готово"), "Ноутбук: проснулся");
}

#[test]
fn when_the_link_of_whoever_wakes_breaks_the_words_are_about_the_pc_that_was_to_be_woken() {
    let relay = household();
    away(&relay, NOTEBOOK);
    let mut server = waker(&relay, SERVER);
    let mut http = say(&relay, "включи ноутбук");
    next(&mut server);
    drop(server);
    let words = "Ноутбук: связь прервалась. Возможно, команда выполнилась.";
    assert_eq!(heard(&http.response()), (words.into(), "link-lost".into()));
}

#[test]
fn who_gives_no_sign_of_life_is_not_sent_the_command_and_the_words_are_about_the_pc_too() {
    let relay = household();
    away(&relay, NOTEBOOK);
    let _server = waker(&relay, SERVER);
    // Nothing passes on the line for longer than it counts as alive.
    std::thread::sleep(std::time::Duration::from_millis(2200));
    let words = "Ноутбук: не отвечает, команда не отправлена. Возможно, компьютер спит.";
    assert_eq!(heard(&say(&relay, "включи ноутбук").response()), (words.into(), "unsent".into()));
}

#[test]
fn a_phrase_that_opens_the_skill_wakes_it_and_leaves_and_so_does_one_on_the_owners_page() {
    let relay = owner::start(&[AGENTS]);
    let browser = Browser::with(&relay, &[AGENTS]);
    away(&relay, NOTEBOOK);
    let mut server = waker(&relay, SERVER);
    let mut opening = turn("включи ноутбук");
    opening["session"]["new"] = json!(true);
    let body = opening.to_string();
    let mut http = relay.http();
    let (path, length) = (format!("/alice/webhook/{}", owner::WEBHOOK), body.len());
    http.send(format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}"));
    let command = next(&mut server);
    assert!(command["person"].is_string() && command["session"]["new"] == true, "{command}");
    answer(&mut server, &command, "Бужу.");
    assert_eq!(http.response().json()["response"]["end_session"], true);

    let mut http = browser.begin("Включи ноутбук!");
    let command = next(&mut server);
    assert_eq!((&command["text"], &command["wake"]), (&json!("включи ноутбук"), &json!([MAC])));
    answer(&mut server, &command, "Бужу.");
    assert_eq!(heard(&http.response()).0, "Бужу.");
    let shown = &browser.state()["commands"];
    assert_eq!((&shown[1]["pc"], &shown[1]["how"]), (&json!("Ноутбук"), &json!("answered")));
}

#[test]
fn the_page_shows_the_version_of_an_agent_that_is_there_as_text() {
    let relay = owner::start(&[]);
    let browser = Browser::logged_in(&relay);
    let says = || browser.state()["parts"][3]["says"].as_str().unwrap().to_owned();
    let hello = json!({ "agent": "home-<b>agent</b>\r\n 0.1.0 &{token}" });
    let mut agent = agent(&relay, KEY, &hello);
    assert!(says().ends_with(" Агент: home-<b>agent</b> 0.1.0 &{token}"), "{}", says());
    let page = browser.page().body;
    assert!(page.contains("Агент: home-&lt;b&gt;agent&lt;/b&gt; 0.1.0 &amp;"), "{page}");
    assert!(!page.contains("<b>agent"), "{page}");
    tell(&mut agent, r#"{"agent":"home-alice-agent 7.1","macs":[]}"#);
    assert!(says().ends_with(" Агент: home-alice-agent 7.1"), "{}", says());
    let token = owner::login(&relay, &[], &["--monitor"]);
    assert!(!owner::monitored(&relay, &token).body.contains("7.1"), "a monitor is told no text");
    // Another agent has not said what it is.
    let _other = relay.agent();
    assert!(!says().contains("Агент:"), "{}", says());
}

#[test]
fn what_tells_nothing_of_the_agent_is_odd_as_ever_and_what_tells_much_is_cut() {
    let relay = owner::start(&[AGENTS]);
    let browser = Browser::with(&relay, &[AGENTS]);
    let mut notebook = agent(&relay, NOTEBOOK, &json!({ "agent": "fine" }));
    for odd in [r#"{"x":1}"#, r#"{"agent":5,"macs":"aa:bb:cc:dd:ee:ff"}"#, r#"{"id":5,"macs":[]}"#] {
        tell(&mut notebook, odd);
    }
    relay.line("sent a message that is not {\"id\",\"text\"}: \"its id is missing or no string\"");
    let macs: Vec<_> =
        (0..3000).map(|n| format!("aa:bb:cc:dd:{:02x}:{:02x}", n / 256, n % 256)).collect();
    let mut longest = json!({ "macs": macs, "agent": "" });
    longest["agent"] = json!("x".repeat(64 * 1024 - longest.to_string().len()));
    assert_eq!(longest.to_string().len(), 64 * 1024);
    tell(&mut notebook, &longest.to_string());
    let says = browser.state()["parts"][4]["says"].as_str().unwrap().to_owned();
    assert!(says.ends_with(&format!(" Агент: {}…", "x".repeat(63))), "{says}");
    leave(&relay, notebook);
    let mut server = waker(&relay, SERVER);
    let mut http = browser.begin("включи ноутбук");
    let command = next(&mut server);
    assert_eq!(command["wake"], json!(macs[..8]));
    answer(&mut server, &command, "Бужу.");
    assert_eq!(heard(&http.response()).0, "Бужу.");
}

#[test]
fn an_answer_is_an_answer_whatever_else_it_holds() {
    let relay = household();
    let mut desktop = agent(&relay, KEY, &json!({ "agent": "fine" }));
    let mut http = say(&relay, "громче");
    let command = next(&mut desktop);
    let both = json!({ "id": command["id"], "text": "да", "agent": "x", "macs": [MAC] });
    tell(&mut desktop, &both.to_string());
    assert_eq!(said(&http.response().json()), "да");
    leave(&relay, desktop);
    let _server = waker(&relay, SERVER);
    assert!(relay.say("включи компьютер").contains("адрес сетевой карты пока неизвестен"));
}

fn on() -> Value {
    json!([capability("on_off", "on", json!(true))])
}

#[test]
fn a_tile_that_is_switched_on_wakes_its_pc_and_tells_what_came_of_it() {
    let relay = smart_home::start(&[AGENTS]);
    let yandex = Yandex::linked(&relay);
    assert_eq!(results(&yandex.begin(&on()).response()), ["DEVICE_UNREACHABLE"], "nobody is there");
    let mut server = waker(&relay, SERVER);
    assert_eq!(results(&yandex.begin(&on()).response()), ["DEVICE_UNREACHABLE"], "no address");
    away(&relay, KEY);
    for (more, result) in [
        (json!({ "text": "Бужу." }), "DONE"),
        (json!({ "text": "нет сети", "ok": false }), "INTERNAL_ERROR"),
        (json!({ "text": "Ошибка: нет сети" }), "INTERNAL_ERROR"),
    ] {
        let mut http = yandex.begin(&on());
        let command = next(&mut server);
        assert_eq!((&command["text"], &command["wake"]), (&json!("включи компьютер"), &json!([MAC])));
        assert_eq!(command["action"]["capability"], "devices.capabilities.on_off");
        let mut answer = more;
        answer["id"] = command["id"].clone();
        server.send(answer.to_string());
        assert_eq!(results(&http.response()), [result]);
    }
    relay.line("(компьютер): answered after");
    // Whoever is slow is at work.
    let mut http = yandex.begin(&on());
    next(&mut server);
    assert_eq!(results(&http.response()), ["DONE"]);
    let mut http = yandex.begin(&on());
    next(&mut server);
    drop(server);
    assert_eq!(results(&http.response()), ["DEVICE_UNREACHABLE"]);
    let _desktop = Agent::connect(relay.address(), KEY).unwrap();
    assert_eq!(results(&yandex.begin(&on()).response()), ["DONE"], "it is there");
}

#[test]
fn a_device_with_a_command_for_on_is_woken_when_that_commands_pc_is_its_own_and_away() {
    let path = std::env::temp_dir().join(format!("relay-wake-devices-{}", std::process::id()));
    let devices = json!([
        { "id": "pc", "name": "Компьютер", "type": "other", "on": "доброе утро" },
        { "id": "n", "name": "Ноут", "type": "other", "agent": "ноутбук",
            "on": { "agent": "сервер", "text": "разбуди ноутбук" } },
    ]);
    std::fs::write(&path, devices.to_string()).unwrap();
    let relay = smart_home::start(&[AGENTS, ("SMART_HOME_DEVICES", path.to_str().unwrap())]);
    std::fs::remove_file(path).unwrap();
    let yandex = Yandex::linked(&relay);
    let body = json!({ "payload": { "devices": [{ "id": "n", "capabilities": on() }] } }).to_string();
    let begin = || {
        let mut http = relay.http();
        http.send(yandex.request("POST", "/user/devices/action", &body));
        http
    };
    away(&relay, KEY);
    away(&relay, NOTEBOOK);
    let mut tablet = waker(&relay, TABLET);
    // It is for the server, which is away, and nobody else has that command.
    assert_eq!(results(&begin().response()), ["DEVICE_UNREACHABLE"]);
    let mut server = Agent::connect(relay.address(), SERVER).unwrap();
    let mut http = begin();
    let (id, text) = server.command();
    assert_eq!(text, "разбуди ноутбук");
    server.answer(&id, "бужу");
    assert_eq!(results(&http.response()), ["DONE"]);

    let mut http = yandex.begin(&on());
    let command = next(&mut tablet);
    assert_eq!((&command["text"], &command["wake"]), (&json!("доброе утро"), &json!([MAC])));
    answer(&mut tablet, &command, "бужу");
    assert_eq!(results(&http.response()), ["DONE"]);
    let mut desktop = Agent::connect(relay.address(), KEY).unwrap();
    let mut http = yandex.begin(&on());
    let (id, text) = desktop.command();
    assert_eq!(text, "доброе утро");
    desktop.answer(&id, "доброе");
    assert_eq!(results(&http.response()), ["DONE"]);
}
