//! Several PCs by name: each hears what is said to it and nothing else, and every phrase says which one it is about.

use crate::support::smart_home::{self, Yandex, capability};
use crate::support::{Agent, KEY, Relay, command, said, turn, until};
use serde_json::{Value, json};
use tungstenite::Message;

const NOTEBOOK: &str = "key-of-the-notebook";
const SERVER: &str = "new-key-of-the-server";
const OLD_SERVER: &str = "old-key-of-the-server";
const AGENTS: &str = "ноутбук=key-of-the-notebook;сервер=new-key-of-the-server,old-key-of-the-server";

fn household(settings: &[(&str, &str)]) -> Relay {
    let mut all = vec![("AGENTS", AGENTS)];
    all.extend_from_slice(settings);
    Relay::start(&all)
}

fn agent(relay: &Relay, key: &str) -> Agent {
    Agent::connect(relay.address(), key).unwrap()
}

/// What each PC hears, which answers with its own name.
fn hears(relay: &Relay, phrase: &str, agent: &mut Agent) -> (String, String) {
    let mut http = relay.http();
    http.send_post(&turn(phrase).to_string());
    let (id, text) = agent.command();
    agent.answer(&id, "сделано");
    (text, said(&http.response().json()))
}

#[test]
fn each_pc_hears_what_is_said_to_it_without_its_name() {
    let relay = household(&[]);
    let (mut desktop, mut notebook, mut server) =
        (agent(&relay, KEY), agent(&relay, NOTEBOOK), agent(&relay, OLD_SERVER));
    for (phrase, text) in [
        ("громче", "громче"),
        ("компьютер громче", "громче"),
        ("открой папку ноутбуки", "открой папку ноутбуки"),
        ("выключи ноутбук", "выключи ноутбук"),
    ] {
        assert_eq!(hears(&relay, phrase, &mut desktop), (text.into(), "сделано".into()));
    }
    for phrase in ["ноутбук громче", "на ноутбуке громче", "громче на ноутбуке", "ноутбуку громче"]
    {
        assert_eq!(hears(&relay, phrase, &mut notebook).0, "громче", "{phrase}");
    }
    assert_eq!(hears(&relay, "сервер громче на 10", &mut server).0, "громче на 10");
    relay.line("Agent ноутбук connected from");
    relay.line("Agent сервер connected from 127.0.0.1");
    relay.line("(ноутбук): answered after");
}

#[test]
fn a_name_is_known_by_its_fleeting_vowel_and_by_the_forms_that_are_written_out() {
    let agents =
        "узел=key-of-the-notebook;часы|часов|часах=new-key-of-the-server;третий=key-of-the-third-pc";
    let relay = Relay::start(&[("AGENTS", agents)]);
    let mut pcs = [NOTEBOOK, SERVER, "key-of-the-third-pc"].map(|key| agent(&relay, key));
    for (phrase, pc) in [
        ("громче на узле", 0),
        ("узлу громче", 0),
        ("громче на часах", 1),
        ("часы громче", 1),
        ("громче на третьем", 2),
    ] {
        assert_eq!(hears(&relay, phrase, &mut pcs[pc]).0, "громче", "{phrase}");
    }
}

#[test]
fn a_name_whose_cases_are_unsure_is_warned_of_and_one_that_is_the_relays_own_word_ends_the_start() {
    let relay = Relay::start(&[("AGENTS", "часы=key-of-the-notebook;узел=new-key-of-the-server")]);
    let line = relay.line("The PC часы is heard by no other form of its name than часы:");
    assert!(line.contains("часы|часов|часам"), "{line}");
    let refused = command(&[("AGENTS", "готов=key-of-the-notebook")]).output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2));
    assert!(told.contains("AGENTS has an entry 1") && told.contains("the relay's own"), "{told}");
}

#[test]
fn a_button_without_words_is_never_one_of_another_pc_than_the_first() {
    let relay = household(&[]);
    let fields = [("Sec-WebSocket-Protocol", "home-alice.v2")];
    let mut notebook = Agent::with(relay.address(), &format!("/ws?key={NOTEBOOK}"), &fields).unwrap();
    let mut http = relay.http();
    http.send_post(&turn("ноутбук музыка").to_string());
    let id = loop {
        let Message::Text(text) = notebook.read().unwrap() else { continue };
        let command: Value = serde_json::from_str(&text).unwrap();
        if let Some(id) = command.get("id") {
            break id.clone();
        }
    };
    let buttons = json!([{ "title": "▶", "payload": { "a": 1 } }, { "title": "Дальше" }]);
    let answer = json!({ "id": id, "text": "Музыка.", "buttons": buttons });
    notebook.socket.send(Message::text(answer.to_string())).unwrap();
    let reply = http.response().json();
    assert_eq!(reply["response"]["buttons"].as_array().unwrap().len(), 1, "{reply}");
    // With the first PC away a press says so.
    let mut press = turn("");
    press["request"] =
        json!({ "type": "ButtonPressed", "nlu": { "tokens": [] }, "payload": { "a": 1 } });
    let mut http = relay.http();
    http.send_post(&press.to_string());
    assert_eq!(said(&http.response().json()), "Компьютер: не на связи.");
}

#[test]
fn without_further_agents_no_word_is_looked_at_or_taken_out() {
    let relay = Relay::start(&[("AGENT_NAME", "десктоп")]);
    let mut only = relay.agent();
    for phrase in ["десктоп громче", "громче на десктопе", "компьютер", "на ноутбуке громче"]
    {
        assert_eq!(hears(&relay, phrase, &mut only).0, phrase);
    }
    drop(only);
    until("the agent is gone", || !relay.agent_connected());
    assert_eq!(relay.say("десктоп громче"), "Компьютер не на связи. Проверьте, включён ли он.");
}

#[test]
fn a_pc_that_is_not_there_is_named_and_the_others_go_on() {
    let relay = household(&[("AGENT_NAME", "десктоп")]);
    let mut notebook = agent(&relay, NOTEBOOK);
    assert_eq!(relay.say("громче"), "Десктоп: не на связи.");
    assert_eq!(relay.say("на сервере громче"), "Сервер: не на связи.");
    assert_eq!(hears(&relay, "ноутбук громче", &mut notebook).1, "сделано");
    assert!(relay.agent_connected(), "any is enough");
}

#[test]
fn a_name_alone_asks_whether_the_pc_is_connected_and_for_how_long() {
    let relay = household(&[]);
    assert_eq!(relay.say("ноутбук"), "Ноутбук: не на связи.");
    let _notebook = agent(&relay, NOTEBOOK);
    let told = relay.say("на ноутбуке");
    assert!(told.starts_with("Ноутбук: на связи уже ") && told.contains("секунд"), "{told}");
    let help = relay.say("ноутбук помощь");
    assert!(help.contains("Компьютеры: компьютер, ноутбук, сервер."), "{help}");
}

#[test]
fn the_dialogue_of_the_document_is_what_alice_says() {
    let document = include_str!("../docs/several-pcs.md");
    let lines: Vec<_> = document.lines().filter_map(|line| line.strip_prefix("> — ")).collect();
    let relay = household(&[]);
    let mut notebook = agent(&relay, NOTEBOOK);
    let normalised = |words: &str| words.trim().to_lowercase().replace([',', '.'], "");
    let mut http = relay.http();
    http.send_post(&turn(&normalised(lines[0])).to_string());
    let (id, text) = notebook.command();
    assert_eq!(text, "громче");
    notebook.answer(&id, lines[1].trim());
    assert_eq!(said(&http.response().json()), lines[1].trim());
    assert_eq!(relay.say(&normalised(lines[2])), lines[3].trim());
    let (told, _) = lines[5].split_once("уже ").unwrap();
    assert!(relay.say(&normalised(lines[4])).starts_with(told));
    assert_eq!(lines.len(), 6);
}

#[test]
fn a_link_that_breaks_takes_its_own_commands_along_and_no_others() {
    let relay = household(&[]);
    let (mut desktop, mut notebook) = (agent(&relay, KEY), agent(&relay, NOTEBOOK));
    let mut lost = relay.http();
    lost.send_post(&turn("ноутбук долго").to_string());
    notebook.command();
    let mut kept = relay.http();
    kept.send_post(&turn("долго").to_string());
    let (id, _) = desktop.command();
    drop(notebook);
    let words = "Ноутбук: связь прервалась. Возможно, команда выполнилась.";
    assert_eq!(said(&lost.response().json()), words);
    desktop.answer(&id, "готов");
    assert_eq!(said(&kept.response().json()), "готов");
}

#[test]
fn a_late_answer_tells_whose_it_is_and_blocks_no_other_pc() {
    let relay = household(&[("REPLY_TIMEOUT_MS", "300")]);
    let (mut desktop, mut notebook) = (agent(&relay, KEY), agent(&relay, NOTEBOOK));
    let mut http = relay.http();
    http.send_post(&turn("ноутбук найди билеты").to_string());
    let (id, _) = notebook.command();
    let words = "Ноутбук: команда ещё выполняется. Спросите: «готово?»";
    assert_eq!(said(&http.response().json()), words);
    let told = relay.say("готово");
    assert!(told.starts_with("Ноутбук: команда выполняется уже "), "{told}");
    assert_eq!(hears(&relay, "громче", &mut desktop).1, "сделано");
    notebook.answer(&id, "4200 рублей");
    relay.line("answered late");
    let told = hears(&relay, "тише", &mut desktop).1;
    assert_eq!(told, "Ноутбук: 4200 рублей\nКомпьютер: сделано");
    assert_eq!(relay.say("готово"), "Новых ответов нет.");
}

#[test]
fn each_pc_has_a_link_of_its_own_and_is_replaced_by_its_own_key_alone() {
    let relay = household(&[]);
    let (mut desktop, mut old, mut server) =
        (agent(&relay, KEY), agent(&relay, NOTEBOOK), agent(&relay, SERVER));
    let mut new = agent(&relay, NOTEBOOK);
    assert_eq!(old.closed().map(|(code, _)| code), Some(4001));
    assert_eq!(hears(&relay, "ноутбук громче", &mut new).1, "сделано");
    assert_eq!(hears(&relay, "громче", &mut desktop).1, "сделано");
    assert_eq!(hears(&relay, "сервер громче", &mut server).1, "сделано");
    relay.line("Agent ноутбук disconnected");
    assert!(Agent::connect(relay.address(), "no-key-of-any-pc").is_err());
    relay.line("it must be the relay's API_KEY, or one of its AGENTS");
}

#[test]
fn what_a_pc_answers_in_an_odd_way_is_told_with_its_name() {
    let relay = household(&[]);
    let mut notebook = agent(&relay, NOTEBOOK);
    let mut http = relay.http();
    http.send_post(&turn("ноутбук громче").to_string());
    let (id, _) = notebook.command();
    notebook.send(json!({ "id": id, "text": 5 }).to_string());
    assert_eq!(said(&http.response().json()), "Ноутбук: пришёл непонятный ответ.");
    relay.line("agent ноутбук 127.0.0.1");
}

#[test]
fn the_further_keys_may_be_in_a_file_and_ask_reaches_any_pc() {
    let path = std::env::temp_dir().join(format!("relay-agents-{}", std::process::id()));
    std::fs::write(&path, AGENTS.replace(';', "\r\n") + "\n").unwrap();
    let settings = [("API_KEY", KEY), ("AGENTS_FILE", path.to_str().unwrap())];
    let mut all = settings.to_vec();
    all.push(("LISTEN_ADDR", "127.0.0.1:0"));
    let relay = Relay::spawn(&mut command(&all));
    let server = agent(&relay, OLD_SERVER);
    relay.line("with key 2 of 2");
    let echo = server.echo_for_ever("сервер ответил: ");
    let url = format!("http://{}", relay.address());
    let ask = |phrase: &str| {
        let output = command(&settings).args(["ask", phrase, "--url", &url]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(ask("На сервере: громче!"), (Some(0), "сервер ответил: громче\n".into()));
    assert_eq!(ask("Ноутбук, громче"), (Some(1), "Ноутбук: не на связи.\n".into()));
    drop(relay);
    echo.join().unwrap();
    std::fs::remove_file(path).unwrap();
}

#[test]
fn an_entry_that_can_not_be_used_ends_the_program_with_its_number_and_nothing_of_it() {
    let output = command(&[
        ("API_KEY", KEY),
        ("AGENTS", "ноутбук=key-of-the-notebook;laptop=a-secret-of-mine-1"),
    ])
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.contains("AGENTS has an entry 2 that") && line.contains("Russian letters"), "{line}");
    assert!(!line.contains("laptop") && !line.contains("secret-of"), "{line}");
}

/// What a capability of a device came to.
fn result(yandex: &Yandex<'_>, id: &str, asked: Value) -> (Value, Value) {
    let body = json!({ "payload": { "devices": [{ "id": id, "capabilities": [asked] }] } });
    let answer = yandex.call("POST", "/user/devices/action", &body.to_string()).json();
    let state = &answer["payload"]["devices"][0]["capabilities"][0]["state"]["action_result"];
    (state["status"].clone(), state["error_code"].clone())
}

#[test]
fn in_smart_home_each_pc_is_a_device_and_hears_its_own_actions() {
    let relay = smart_home::start(&[("AGENTS", AGENTS), ("AGENT_NAME", "десктоп")]);
    let yandex = Yandex::linked(&relay);
    let listed = yandex.call("GET", "/user/devices", "").json();
    let devices = listed["payload"]["devices"].as_array().unwrap();
    let names: Vec<_> = devices.iter().map(|device| device["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Десктоп", "Ноутбук", "Сервер"]);
    assert_eq!(devices[0]["id"], "pc", "rooms and scenarios hang on it");
    let notebook_id = devices[1]["id"].as_str().unwrap();

    let notebook = agent(&relay, NOTEBOOK);
    let asked = json!({ "devices": [{ "id": "pc" }, { "id": notebook_id }] });
    let states = yandex.call("POST", "/user/devices/query", &asked.to_string()).json();
    let is_on =
        |place: usize| states["payload"]["devices"][place]["capabilities"][0]["state"]["value"].clone();
    assert_eq!((is_on(0), is_on(1)), (json!(false), json!(true)));

    let echo = notebook.echo_for_ever("");
    let mute = || capability("toggle", "mute", json!(true));
    assert_eq!(result(&yandex, notebook_id, mute()).0, "DONE");
    assert_eq!(result(&yandex, "pc", mute()).1, "DEVICE_UNREACHABLE");
    relay.line("(ноутбук): answered after");
    drop(relay);
    echo.join().unwrap();
}

#[test]
fn a_server_wakes_the_pc_that_sleeps_and_the_device_is_on_when_its_own_agent_is() {
    let path = std::env::temp_dir().join(format!("relay-several-devices-{}", std::process::id()));
    let wakes = json!({ "agent": "сервер", "text": "разбуди ноутбук" });
    let device = json!({ "id": "n", "name": "Ноут", "type": "other", "agent": "ноутбук", "on": wakes, "off": "спи" });
    std::fs::write(&path, json!([device]).to_string()).unwrap();
    let relay =
        smart_home::start(&[("AGENTS", AGENTS), ("SMART_HOME_DEVICES", path.to_str().unwrap())]);
    std::fs::remove_file(path).unwrap();
    let yandex = Yandex::linked(&relay);
    let mut server = agent(&relay, SERVER);
    let on = |value: bool| capability("on_off", "on", json!(value));
    std::thread::scope(|scope| {
        let woken = scope.spawn(|| result(&yandex, "n", on(true)));
        let (id, text) = server.command();
        assert_eq!(text, "разбуди ноутбук");
        server.answer(&id, "бужу");
        assert_eq!(woken.join().unwrap().0, "DONE");
    });
    assert_eq!(result(&yandex, "n", on(false)).1, "DEVICE_UNREACHABLE");
    let asked = json!({ "devices": [{ "id": "n" }] }).to_string();
    let states = yandex.call("POST", "/user/devices/query", &asked).json();
    assert_eq!(states["payload"]["devices"][0]["capabilities"][0]["state"]["value"], false);
}
