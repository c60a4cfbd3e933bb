//! Turns: what Alice is told, and when.

use crate::support;
use crate::support::{Relay, said, turn};
use serde_json::json;

/// A whole turn with some of it replaced.
fn turn_with(pointer: &str, value: serde_json::Value) -> serde_json::Value {
    let mut turn = turn("команда");
    *turn.pointer_mut(pointer).unwrap() = value;
    turn
}

#[test]
fn a_command_reaches_the_agent_and_its_answer_comes_back() {
    let relay = Relay::start(&[]);
    let agent = relay.agent().echo_for_ever("Готово: ");
    assert_eq!(relay.say("системная информация"), "Готово: системная информация");
    assert_eq!(relay.say("громче на 10"), "Готово: громче на 10");
    drop(relay);
    agent.join().unwrap();
}

#[test]
fn a_new_session_may_bring_its_command_along() {
    let relay = Relay::start(&[]);
    let _agent = relay.agent().echo_for_ever("");
    assert_eq!(said(&relay.turn(&turn_with("/session/new", json!(true)))), "команда");
}

#[test]
fn the_probe_is_answered_with_and_without_an_agent() {
    let relay = Relay::start(&[]);
    let mut probe = turn("");
    probe["request"]["original_utterance"] = json!("ping");
    assert_eq!(said(&relay.turn(&probe)), "pong");
    let _agent = relay.agent();
    assert_eq!(said(&relay.turn(&probe)), "pong");
}

#[test]
fn a_session_without_a_command_is_greeted_with_an_example() {
    let relay = Relay::start(&[]);
    let mut first = turn("");
    first["session"]["new"] = json!(true);
    assert!(said(&relay.turn(&first)).contains("например: системная информация"));
}

#[test]
fn help_is_given_without_asking_the_agent() {
    let relay = Relay::start(&[]);
    for question in ["помощь", "что ты умеешь"] {
        assert!(relay.say(question).contains("Скажите команду"), "{question}");
    }
}

#[test]
fn an_event_without_a_command_gets_a_polite_sentence() {
    let relay = Relay::start(&[]);
    let _agent = relay.agent();
    let polite = "Я не услышала команды. Скажите, что сделать на компьютере.";
    assert_eq!(relay.say(""), polite);
    for request in [
        json!({ "type": "AudioPlayer.PlaybackStarted" }),
        json!({ "type": "ButtonPressed", "payload": { "a": 1 }, "nlu": { "tokens": [] } }),
        json!({ "type": "Purchase.Confirmation", "nlu": { "tokens": ["да"] } }),
        json!({ "type": "Show.Pull" }),
        json!({ "type": "SimpleUtterance", "command": null, "original_utterance": null }),
        json!({ "type": "SimpleUtterance", "command": "  " }),
    ] {
        assert_eq!(said(&relay.turn(&turn_with("/request", request))), polite);
    }
    let mut linked = turn("");
    let linked_map = linked.as_object_mut().unwrap();
    linked_map.remove("request");
    linked_map.insert("account_linking_complete_event".into(), json!({}));
    assert_eq!(said(&relay.turn(&linked)), polite);
}

#[test]
fn without_an_agent_alice_says_so_at_once() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "30000")]);
    assert!(relay.say("громче").starts_with("Компьютер не на связи"));
}

#[test]
fn the_version_is_echoed_and_1_0_when_absent() {
    let relay = Relay::start(&[]);
    assert_eq!(relay.turn(&turn_with("/version", json!("1.7")))["version"], "1.7");
    let mut without = turn("громче");
    without.as_object_mut().unwrap().remove("version");
    assert_eq!(relay.turn(&without)["version"], "1.0");
}

#[test]
fn speech_buttons_and_the_end_of_the_session_go_along() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    let mut http = relay.http();
    http.send_post(&turn("пока").to_string());
    let (id, _) = agent.command();
    agent.send(
        json!({
            "id": id, "text": "пока", "tts": "пок+а", "end_session": true,
            "buttons": [{ "title": "ещё", "hide": true, "payload": { "a": 1 } }, { "title": "нет" }],
        })
        .to_string(),
    );
    assert_eq!(
        http.response().json(),
        json!({
            "response": {
                "text": "пока", "tts": "пок+а", "end_session": true,
                "buttons": [
                    { "title": "ещё", "hide": true, "payload": { "a": 1 } },
                    { "title": "нет", "hide": false },
                ],
            },
            "version": "1.0",
        })
    );
}

#[test]
fn long_answers_are_cut_to_1024_characters_and_empty_ones_become_done() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    for (answer, heard) in [
        ("я".repeat(1024), "я".repeat(1024)),
        ("я".repeat(1025), "я".repeat(1023) + "…"),
        ("😀".repeat(2000), "😀".repeat(1023) + "…"),
        (String::new(), "Готово.".into()),
    ] {
        let mut http = relay.http();
        http.send_post(&turn("скажи").to_string());
        let (id, _) = agent.command();
        agent.send(json!({ "id": id, "text": answer, "tts": answer }).to_string());
        let reply = http.response().json();
        assert_eq!(said(&reply), heard);
        match answer.is_empty() {
            true => assert!(reply["response"].get("tts").is_none()),
            false => assert_eq!(reply["response"]["tts"], heard),
        }
    }
}

#[test]
fn several_commands_are_under_way_at_once_and_answered_in_any_order() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    let mut clients: Vec<_> = (0..20).map(|_| relay.http()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send_post(&turn(&format!("команда {number}")).to_string());
    }
    let mut commands: Vec<_> = clients.iter().map(|_| agent.command()).collect();
    commands.reverse();
    for (id, text) in &commands {
        agent.answer(id, &format!("ответ на {text}"));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(said(&client.response().json()), format!("ответ на команда {number}"));
    }
}

#[test]
fn a_command_that_is_not_answered_in_time_gets_a_sentence_and_nobodys_late_answer_goes_nowhere() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "100"), ("LOG_LEVEL", "debug")]);
    let mut agent = relay.agent();
    // Without an account or a device there is nobody whom an answer could be kept for.
    let mut nobodys = turn("считай");
    for name in ["user", "application"] {
        nobodys["session"].as_object_mut().unwrap().remove(name);
    }
    let begun = std::time::Instant::now();
    assert!(said(&relay.turn(&nobodys)).starts_with("Компьютер не успел ответить"));
    assert!(begun.elapsed().as_millis() >= 100);
    relay.line("too-late after");
    let (late, _) = agent.command();
    agent.answer(&late, "поздно");
    relay.line("no command waits for");
    let mut http = relay.http();
    http.send_post(&turn("ещё").to_string());
    let (id, _) = agent.command();
    assert_ne!(id, late);
    agent.answer(&id, "вовремя");
    assert_eq!(said(&http.response().json()), "вовремя");
}

#[test]
fn each_command_has_its_own_deadline() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "1000")]);
    let mut agent = relay.agent();
    let (mut first, mut second) = (relay.http(), relay.http());
    first.send_post(&turn("первая").to_string());
    let (first_id, _) = agent.command();
    second.send_post(&turn("вторая").to_string());
    let (second_id, _) = agent.command();
    assert_ne!(first_id, second_id);
    agent.answer(&second_id, "ответ");
    assert_eq!(said(&second.response().json()), "ответ");
    assert!(said(&first.response().json()).starts_with("Компьютер ещё выполняет команду"));
}

#[test]
fn the_257th_command_under_way_is_told_to_wait() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "30000")]);
    let mut agent = relay.agent();
    let mut clients: Vec<_> = (0..256).map(|_| relay.http()).collect();
    let body = turn("считай").to_string();
    clients.iter_mut().for_each(|client| client.send_post(&body));
    let ids: Vec<_> = clients.iter().map(|_| agent.command().0).collect();
    assert!(relay.say("ещё одну").starts_with("Компьютер занят"));
    for id in &ids {
        agent.answer(id, "готово");
    }
    for client in &mut clients {
        assert_eq!(said(&client.response().json()), "готово");
    }
}

#[test]
fn when_the_link_is_lost_its_commands_are_answered_at_once() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "30000")]);
    let mut agent = relay.agent();
    let mut http = relay.http();
    http.send_post(&turn("считай").to_string());
    agent.command();
    drop(agent);
    assert!(said(&http.response().json()).starts_with("Связь с компьютером прервалась"));
    assert!(!relay.agent_connected());
    assert!(relay.say("ещё").starts_with("Компьютер не на связи"));
}

#[test]
fn a_turn_may_begin_with_a_byte_order_mark_and_hold_half_a_character() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    let mut http = relay.http();
    http.send_post("\u{feff}{\"session\":{},\"request\":{\"command\":\"файл \\udcff\"}}");
    let (id, text) = agent.command();
    assert_eq!(text, "файл \u{fffd}");
    agent.answer(&id, "да");
    assert_eq!(said(&http.response().json()), "да");
}

/// What a turn that opens its session with this command is told, and whether Alice leaves the skill.
fn opening(relay: &Relay, command: &str) -> (String, bool) {
    let mut first = turn(command);
    first["session"]["new"] = json!(true);
    let reply = relay.turn(&first);
    (said(&reply), reply["response"]["end_session"].as_bool().unwrap())
}

/// The same, while the agent answers with this.
fn answered(relay: &Relay, agent: &mut support::Agent, answer: serde_json::Value) -> bool {
    std::thread::scope(|scope| {
        let told = scope.spawn(|| opening(relay, "громче"));
        let (id, _) = agent.command();
        let mut message = answer;
        message["id"] = json!(id);
        agent.send(message.to_string());
        told.join().unwrap().1
    })
}

#[test]
fn a_phrase_that_opened_the_skill_ends_it_unless_the_answer_asks_for_something() {
    let relay = Relay::start(&[]);
    assert_eq!(
        opening(&relay, "громче"),
        ("Компьютер не на связи. Проверьте, включён ли он.".into(), true)
    );
    let mut agent = relay.agent();
    for (answer, leaves) in [
        (json!({ "text": "Сделано." }), true),
        (json!({ "text": "Сделано.", "end_session": null }), true),
        (json!({ "text": 5 }), true),
        (json!({ "text": "Какую громкость?" }), false),
        (json!({ "text": "Какую громкость", "tts": "как+ую? " }), false),
        (json!({ "text": "Выберите.", "buttons": [{ "title": "да" }] }), false),
        (json!({ "text": "Сделано.", "end_session": false }), false),
        (json!({ "text": "Какую?", "end_session": true }), true),
    ] {
        assert_eq!(answered(&relay, &mut agent, answer.clone()), leaves, "{answer}");
    }
    for (command, leaves) in [("помощь", false), ("готово", true), ("", false)] {
        assert_eq!(opening(&relay, command).1, leaves, "{command}");
    }
    // In the middle of a session nothing has changed.
    let mut http = relay.http();
    http.send_post(&turn("громче").to_string());
    let (id, _) = agent.command();
    agent.answer(&id, "Сделано.");
    assert_eq!(http.response().json()["response"]["end_session"], false);
}

#[test]
fn a_phrase_that_opened_the_skill_keeps_it_while_there_is_more_to_hear() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "300")]);
    let mut agent = relay.agent();
    let (words, leaves) = opening(&relay, "долго");
    assert!(words.contains("готово?") && !leaves, "{words}");
    let (id, _) = agent.command();
    // So long that the next answer does not fit beside it.
    agent.answer(&id, &"а".repeat(1020));
    relay.line("answered late");
    assert!(!answered(&relay, &mut agent, json!({ "text": "Сделано." })), "an answer is kept");
    assert_eq!(relay.say("готово"), "а".repeat(1020));
    assert!(answered(&relay, &mut agent, json!({ "text": "Сделано." })));
}

#[test]
fn who_wants_the_skill_to_stay_open_says_so() {
    let relay = Relay::start(&[("AFTER_ONE_PHRASE", "stay")]);
    let mut agent = relay.agent();
    assert!(!answered(&relay, &mut agent, json!({ "text": "Сделано." })));
    assert!(answered(&relay, &mut agent, json!({ "text": "Сделано.", "end_session": true })));
}

#[test]
fn a_pressed_button_reaches_the_agent_as_its_words() {
    let relay = Relay::start(&[]);
    let _agent = relay.agent().echo_for_ever("нажато: ");
    let request = json!({ "type": "ButtonPressed", "payload": { "a": 1 }, "nlu": { "tokens": ["да", "конечно"] } });
    assert_eq!(said(&relay.turn(&turn_with("/request", request))), "нажато: да конечно");
}
