//! The agent's link: who is let in, what is sent, and when it counts as over.

use std::io::{Read, Write};
use std::time::Instant;

use crate::support;
use crate::support::{Agent, KEY, PATIENCE, Relay, said, turn};
use serde_json::json;
use tungstenite::Message;

/// The status and body that a handshake was refused with.
fn refusal(result: Result<Agent, Box<tungstenite::Error>>) -> (u16, String) {
    match result.err().map(|error| *error) {
        Some(tungstenite::Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            (response.status().as_u16(), String::from_utf8(body).unwrap())
        }
        other => panic!("not refused by HTTP: {other:?}"),
    }
}

#[test]
fn the_key_is_taken_from_the_query_or_from_the_authorization() {
    let relay = Relay::start(&[]);
    let bearer = format!("Bearer {KEY}");
    assert!(Agent::with(relay.address(), "/ws", &[("Authorization", &bearer)]).is_ok());
    let bearer = format!("bearer  {KEY}");
    assert!(Agent::with(relay.address(), "/ws", &[("Authorization", &bearer)]).is_ok());
    assert!(Agent::connect(relay.address(), KEY).is_ok());
    assert!(Agent::connect(relay.address(), &KEY.replace('0', "%30")).is_ok());
}

#[test]
fn a_wrong_or_missing_key_is_401_before_any_upgrade_and_told_in_the_log() {
    let relay = Relay::start(&[]);
    let _honest = relay.agent();
    for target in ["/ws", "/ws?key=", "/ws?key=wrong", &format!("/ws?key={}", &KEY[1..]), "/ws?xkey=1"]
    {
        let (status, body) = refusal(Agent::with(relay.address(), target, &[]));
        assert_eq!(status, 401, "{target}");
        assert!(body.contains("API_KEY"), "{body}");
    }
    let basic = [("Authorization", KEY)];
    assert_eq!(refusal(Agent::with(relay.address(), "/ws", &basic)).0, 401);
    // Not even a request that is no WebSocket one learns more without the key.
    let response = relay.get("/ws");
    assert_eq!((response.status, response.field("WWW-Authenticate")), (401, Some("Bearer")));
    let line = relay.line("Agent rejected from 127.0.0.1:");
    assert!(line.contains("WARN") && line.contains("wrong or missing key"), "{line}");
    assert!(relay.agent_connected());
}

#[test]
fn what_is_no_websocket_request_is_426_and_names_the_likely_cause() {
    let relay = Relay::start(&[]);
    let response = relay.get(&format!("/ws?key={KEY}"));
    assert_eq!(response.status, 426);
    assert_eq!(response.field("Upgrade"), Some("websocket"));
    assert_eq!(response.field("Connection"), Some("upgrade"));
    assert!(response.json()["error"].as_str().unwrap().contains("Websockets Support"));
    relay.line("Websockets Support");
}

#[test]
fn an_agent_that_knocks_at_another_path_is_told_where_to() {
    let relay = Relay::start(&[]);
    for target in ["/", "/ws/", "/alice/webhook", "/socket?key=wrong"] {
        let (status, _) = refusal(Agent::with(relay.address(), target, &[]));
        assert!([404, 405].contains(&status), "{target}: {status}");
    }
    let line = relay.line("Agent rejected");
    assert!(line.contains("must end in /ws") && !line.contains("wrong"), "{line}");
}

#[test]
fn who_is_behind_a_proxy_is_the_last_that_it_forwards_for_where_it_names_no_other() {
    let relay = Relay::start(&[]);
    let fields = [("X-Forwarded-For", "10.9.9.9, 192.0.2.7")];
    let _ = Agent::with(relay.address(), "/ws", &fields);
    assert!(relay.line("Agent rejected").contains(r#"(claims to be "192.0.2.7")"#));
    let _ = Agent::with(relay.address(), "/ws", &[fields[0], ("X-Real-IP", "192.0.2.8")]);
    assert!(relay.line("Agent rejected").contains(r#"(claims to be "192.0.2.8")"#));
}

#[test]
fn another_version_of_the_protocol_is_426_and_told_which() {
    let relay = Relay::start(&[]);
    let mut http = relay.http();
    http.send(format!(
        "GET /ws?key={KEY} HTTP/1.1\r\nHost: r\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ));
    let response = http.response();
    assert_eq!((response.status, response.field("Sec-WebSocket-Version")), (426, Some("13")));
    let mut http = relay.http();
    http.send(format!(
        "GET /ws?key={KEY} HTTP/1.1\r\nHost: r\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n"
    ));
    assert_eq!(http.response().status, 400);
}

#[test]
fn the_claimed_address_is_logged_as_claimed_and_escaped() {
    let relay = Relay::start(&[]);
    let _ = Agent::with(relay.address(), "/ws", &[("X-Real-IP", "1.2.3.4\tevil \"quoted\"")]);
    let line = relay.line("Agent rejected");
    assert!(line.contains(r#"(claims to be "1.2.3.4\tevil \"quoted\"")"#), "{line}");
}

#[test]
fn ids_begin_with_a_prefix_of_the_process_and_never_come_twice() {
    let first = |relay: &Relay| {
        let mut agent = relay.agent();
        let mut http = relay.http();
        http.send_post(&turn("раз").to_string());
        let (one, _) = agent.command();
        agent.answer(&one, "да");
        http.response();
        http.send_post(&turn("два").to_string());
        let (two, _) = agent.command();
        assert_eq!(one.split_once('-').unwrap().0, two.split_once('-').unwrap().0);
        assert_ne!(one, two);
        one
    };
    let (a, b) = (first(&Relay::start(&[])), first(&Relay::start(&[])));
    assert_ne!(a, b);
}

#[test]
fn an_answer_counts_only_on_the_link_its_command_was_sent_on_and_only_once() {
    let relay = Relay::start(&[("LOG_LEVEL", "debug"), ("REPLY_TIMEOUT_MS", "30000")]);
    let mut agent = relay.agent();
    let mut http = relay.http();
    http.send_post(&turn("считай").to_string());
    let (id, _) = agent.command();
    for wrong in ["", "1", "не тот", &format!("{id}0")] {
        agent.answer(wrong, "подделка");
        relay.line("no command waits for");
    }
    agent.answer(&id, "правда");
    agent.answer(&id, "ещё раз");
    relay.line("no command waits for");
    assert_eq!(said(&http.response().json()), "правда");

    http.send_post(&turn("считай дальше").to_string());
    let (old_id, _) = agent.command();
    let mut newer = relay.agent();
    assert!(said(&http.response().json()).starts_with("Связь"));
    newer.answer(&old_id, "чужой ответ");
    relay.line("no command waits for");
}

#[test]
fn what_is_no_answer_is_warned_of_and_the_link_stays() {
    let relay = Relay::start(&[("LOG_LEVEL", "debug")]);
    let mut agent = relay.agent();
    for garbage in ["", "{}", "[1]", "{\"id\":1}", "не JSON", "{\"text\":5}"] {
        agent.send(garbage);
    }
    agent.send(Message::Binary(vec![1, 2, 0xff].into()));
    // Each kind of fault has its line, and what comes again is counted.
    for problem in ["no JSON object: EOF", "its id is missing", "expected an object", "no UTF-8"] {
        let line = relay.line("is not {\"id\",\"text\"}");
        assert!(line.contains("WARN") && line.contains(problem), "{problem}: {line}");
        if problem == "expected an object" {
            assert!(relay.line("is not {\"id\",\"text\"}").contains("expected value"));
        }
    }
    let mut http = relay.http();
    http.send_post(&turn("ещё тут?").to_string());
    agent.echo("");
    assert_eq!(said(&http.response().json()), "ещё тут?");
    drop(agent);
    relay.line("7 messages that were no answers");
}

/// What Alice says when the agent answers with this, `ID` being the command's id, and what the log says.
fn answered_with(
    relay: &Relay,
    agent: &mut Agent,
    message: impl Fn(&str) -> Message,
) -> serde_json::Value {
    let mut http = relay.http();
    http.send_post(&turn("скажи").to_string());
    let (id, _) = agent.command();
    agent.send(message(&id));
    http.response().json()["response"].clone()
}

#[test]
fn an_answer_whose_id_can_be_read_ends_its_turn_whatever_else_is_wrong_with_it() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "30000")]);
    let mut agent = relay.agent();
    let garbled = "Компьютер прислал непонятный ответ.";
    for (rest, heard) in [
        (r#""text":null"#, garbled),
        (r#""text":5"#, garbled),
        (r#""x":1"#, garbled),
        (r#""text":"да","tts":5"#, "да"),
        (r#""text":"да","end_session":0"#, "да"),
        (r#""text":"да","buttons":"нет""#, "да"),
        (r#""text":"да","buttons":[{"title":5},{"url":"u"},{"title":"ещё","hide":0}]"#, "да"),
        (r#""text":"нет","text":"да""#, "да"),
        (r#""text":"a\udcffb""#, "a\u{fffd}b"),
    ] {
        let text = |id: &str| Message::text(format!(r#"{{"id":"{id}",{rest}}}"#));
        let response = answered_with(&relay, &mut agent, text);
        assert_eq!(response["text"], heard, "{rest}");
        assert_eq!(response["end_session"], false, "{rest}");
        if rest.contains("ещё") {
            assert_eq!(response["buttons"], json!([{ "title": "ещё", "hide": false }]));
        }
        if rest.contains("null") {
            let line = relay.line("with something that can't be used: text");
            assert!(line.contains("answered \""), "{line}");
        }
    }
    let bom = |id: &str| Message::text(format!("\u{feff}{}", json!({ "id": id, "text": "да" })));
    assert_eq!(answered_with(&relay, &mut agent, bom)["text"], "да");
    let binary =
        |id: &str| Message::Binary(json!({ "id": id, "text": "да" }).to_string().into_bytes().into());
    assert_eq!(answered_with(&relay, &mut agent, binary)["text"], "да");
}

#[test]
fn odd_answers_fill_neither_the_log_nor_the_memory() {
    let mut relay = Relay::start(&[]);
    let mut agent = relay.agent();
    for number in 0..10_000 {
        agent.send(format!(r#"{{"id":"{number}","text":5}}"#));
    }
    let mut http = relay.http();
    http.send_post(&turn("ещё тут?").to_string());
    agent.echo("");
    assert_eq!(http.response().status, 200);
    relay.stop();
    assert!(relay.rest_of_log().lines().count() < 150);
}

#[test]
fn a_message_of_64_kib_is_taken_and_a_longer_one_closes_the_link() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    let mut http = relay.http();
    http.send_post(&turn("много").to_string());
    let (id, _) = agent.command();
    let mut message = json!({ "id": id, "text": "да" }).to_string();
    message.insert_str(1, &" ".repeat(64 * 1024 - message.len()));
    agent.send(message.clone());
    assert_eq!(said(&http.response().json()), "да");

    message.insert(1, ' ');
    agent.send(message);
    assert_eq!(agent.closed(), Some((1009, "message too long".into())));
    relay.line("Agent disconnected");
    assert!(!relay.agent_connected());
}

#[test]
fn bytes_that_break_the_protocol_close_the_link_with_its_code() {
    let relay = Relay::start(&[]);
    for (frame, code) in [
        (&b"\x81\x02{}"[..], 1002),                         // not masked
        (&b"\x83\x80\0\0\0\0"[..], 1002),                   // an opcode that does not exist
        (&b"\x81\x82\0\0\0\0\xff\xff"[..], 1007),           // not UTF-8
        (&b"\x81\xff\x7f\0\0\0\0\0\0\0\0\0\0\0"[..], 1009), // 2^63 bytes announced
    ] {
        let mut agent = relay.agent();
        agent.socket.get_mut().write_all(frame).unwrap();
        assert_eq!(agent.closed().map(|(code, _)| code), Some(code), "{frame:?}");
        relay.line("Agent disconnected");
    }
}

#[test]
fn a_newer_connection_replaces_the_older_one_and_its_commands_are_lost() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "30000")]);
    let mut old = relay.agent();
    let mut http = relay.http();
    http.send_post(&turn("считай").to_string());
    old.command();
    let mut new = relay.agent();
    assert!(said(&http.response().json()).starts_with("Связь с компьютером прервалась"));
    assert_eq!(old.closed(), Some((4001, "replaced".into())));
    relay.line("Agent disconnected");
    assert!(relay.agent_connected());
    http.send_post(&turn("кто тут").to_string());
    new.echo("новый: ");
    assert_eq!(said(&http.response().json()), "новый: кто тут");
}

#[test]
fn three_replacements_within_a_minute_are_told_as_two_agents_with_one_key() {
    let relay = Relay::start(&[]);
    let _agents: Vec<_> = (0..4).map(|_| relay.agent()).collect();
    let line = relay.line("share one key");
    assert!(line.contains("WARN"), "{line}");
}

#[test]
fn agents_that_fight_over_one_key_fill_no_log() {
    let mut relay = Relay::start(&[]);
    let connect = || Agent::connect(relay.address(), KEY).unwrap();
    let mut last = connect();
    for _ in 0..300 {
        let next = connect();
        drop(std::mem::replace(&mut last, next));
    }
    drop(last);
    relay.stop();
    let log = relay.rest_of_log();
    assert!(log.contains("share one key"), "{log}");
    assert!(log.contains("connected again, while two share its key"), "{log}");
    assert!(log.lines().count() < 40, "{} lines", log.lines().count());
}

#[test]
fn once_a_fight_is_over_the_log_tells_of_the_one_that_is_left_as_ever() {
    let relay = Relay::start(&[("HEARTBEAT_SECS", "1")]);
    let connect = || Agent::connect(relay.address(), KEY).unwrap();
    let mut agents: Vec<_> = (0..5).map(|_| connect()).collect();
    relay.line("two agents seem to share one key");
    let last = agents.pop();
    drop(last);
    relay.line("its connection ended");
    // It never reads, and so answers no ping.
    let _silent = relay.agent();
    relay.line("nothing came from it for 3 s");
}

#[test]
fn an_agent_that_ignores_its_replacement_is_cut_off() {
    let relay = Relay::start(&[]);
    let mut deaf = relay.agent();
    let _new = relay.agent();
    // It reads, but never closes its side.
    deaf.socket.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
    let mut rest = Vec::new();
    deaf.socket.get_mut().read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"\x88\x0a\x0f\xa1replaced");
}

#[test]
fn the_agents_own_close_and_ping_are_answered() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    agent.send(Message::Ping(vec![7, 7].into()));
    assert_eq!(agent.read().unwrap(), Message::Pong(vec![7, 7].into()));
    agent.socket.close(None).unwrap();
    assert_eq!(agent.closed(), None);
    let line = relay.line("Agent disconnected");
    assert!(line.contains("it closed the link"), "{line}");
}

#[test]
fn a_close_right_behind_the_handshake_is_answered_with_a_close() {
    let relay = Relay::start(&[]);
    for round in 0..300 {
        let mut http = relay.http();
        http.send(
            [
                format!(
                    "GET /ws?key={KEY} HTTP/1.1\r\nHost: r\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                )
                .as_bytes(),
                b"\x88\x82\0\0\0\0\x03\xe8",
            ]
            .concat(),
        );
        let mut all = Vec::new();
        http.stream.read_to_end(&mut all).unwrap();
        assert!(all.starts_with(b"HTTP/1.1 101"), "round {round}");
        assert!(all.ends_with(b"\r\n\r\n\x88\x02\x03\xe8"), "round {round}: {all:?}");
    }
}

#[test]
fn a_ping_comes_with_every_heartbeat_whatever_else_passes() {
    let relay = Relay::start(&[("HEARTBEAT_SECS", "1")]);
    let mut agent = relay.agent();
    let mut pings = 0;
    while pings < 2 {
        match agent.read().unwrap() {
            Message::Ping(_) => pings += 1,
            other => panic!("{other:?}"),
        }
        agent.send("{}");
    }
}

#[test]
fn an_agent_that_has_gone_silent_is_not_connected_any_more() {
    let relay = Relay::start(&[("HEARTBEAT_SECS", "1"), ("REPLY_TIMEOUT_MS", "30000")]);
    let agent = relay.agent();
    let begun = Instant::now();
    let mut http = relay.http();
    http.send_post(&turn("ты где").to_string());
    // Nothing is read on its side: a line that is dead in the middle looks the same.
    assert!(said(&http.response().json()).starts_with("Связь"));
    assert!(begun.elapsed().as_millis() >= 2000, "it has twice the heartbeat");
    let line = relay.line("Agent disconnected");
    assert!(line.contains("nothing came from it for 3 s"), "{line}");
    assert!(!relay.agent_connected());
    drop(agent);
}

/// Has 200 commands of this many bytes go to an agent that takes nothing. Returns why it is disconnected,
/// and how many bytes still reach it after that.
fn deaf_agent(bytes: usize) -> (String, usize) {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "30000")]);
    let mut agent = Agent::with_little_room(relay.address());
    relay.line("Agent connected");
    let turn = json!({ "session": {}, "request": { "command": "a".repeat(bytes) } }).to_string();
    let mut clients: Vec<_> = (0..200).map(|_| relay.http()).collect();
    for client in &mut clients {
        client.send_post(&turn);
        assert_eq!(relay.get("/health").status, 200, "nobody waits for it");
    }
    for client in &mut clients {
        let reply = said(&client.response().json());
        assert!(reply.starts_with("Связь") || reply.starts_with("Компьютер не на связи"), "{reply}");
    }
    assert!(!relay.agent_connected());
    let line = relay.line("Agent disconnected");
    let mut late = Vec::new();
    // What was in its own buffer may come to a reset.
    let _ = agent.socket.get_mut().read_to_end(&mut late);
    (line, late.len())
}

#[test]
fn an_agent_that_takes_nothing_is_closed_and_nobody_waits_for_it() {
    let (line, late) = deaf_agent(12_000);
    assert!(late < 100_000, "{late} bytes of 2,400,000 came after its turns were told that it is lost");
    // How much the system takes in its place differs.
    assert!(line.contains("it took no byte for 2 s") || line.contains("too much waited"), "{line}");
}

#[test]
fn an_agent_for_which_more_than_a_mebibyte_waits_is_closed_at_once() {
    let (line, late) = deaf_agent(60_000);
    assert!(
        late < 100_000,
        "{late} bytes of 12,000,000 came after its turns were told that it is lost"
    );
    assert!(line.contains("too much waited to be sent to it"), "{line}");
}

#[test]
fn agents_leave_nothing_behind() {
    let relay = Relay::start(&[]);
    drop(relay.agent());
    relay.line("Agent disconnected");
    let (threads, descriptors) = (relay.figure("Threads"), relay.descriptors());
    for _ in 0..100 {
        drop(Agent::connect(relay.address(), KEY));
        let _ = Agent::connect(relay.address(), "wrong");
    }
    // tiny_http keeps idle threads for 5 s.
    support::until("threads and descriptors are as before", || {
        relay.figure("Threads") <= threads && relay.descriptors() <= descriptors
    });
}

/// Asks for the link with these fields in place of `Connection` and `Upgrade`. Returns the status.
fn asks_for_a_link(relay: &Relay, fields: &str) -> u16 {
    let mut http = relay.http();
    http.send(format!(
        "GET /ws?key={KEY} HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    ));
    http.head_response().status
}

#[test]
fn upgrade_is_one_list_in_however_many_lines_it_comes() {
    let relay = Relay::start(&[]);
    for fields in [
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
        "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: WebSocket\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade\r\nConnection: keep-alive\r\nUpgrade: websocket\r\n",
        "Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
    ] {
        assert_eq!(asks_for_a_link(&relay, fields), 101, "{fields}");
    }
    for fields in ["Connection: Upgrade\r\n", "Connection: Upgrade\r\nUpgrade: websockets\r\n"] {
        assert_eq!(asks_for_a_link(&relay, fields), 426, "{fields}");
    }
}
