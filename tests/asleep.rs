//! A PC that falls asleep sends no FIN, and carries out what lies in its socket when it wakes. So a command
//! goes only into a line that has just proved itself alive. Here an agent sleeps by not reading.

use std::thread::sleep;
use std::time::Duration;

use crate::support::{Agent, Http, Relay, said, turn};
use serde_json::json;
use tungstenite::Message;

const ASLEEP: &str = "Компьютер не отвечает, команда не отправлена. Возможно, компьютер спит.";
const BUSY: &str = "Компьютер не отвечает, команда не отправлена. Возможно, он занят или спит.";

/// Nothing passes on the line for longer than it counts as alive.
fn silence() {
    sleep(Duration::from_millis(2200));
}

/// Says something without waiting for the reply.
fn say(relay: &Relay, command: &str) -> Http {
    let mut http = relay.http();
    http.send_post(&turn(command).to_string());
    http
}

/// Reads on, as an agent that has woken does, until this command comes. Returns those that came before it.
fn commands_before(agent: &mut Agent, last: &str) -> Vec<String> {
    let mut before = Vec::new();
    loop {
        let (id, text) = agent.command();
        agent.answer(&id, "сделано");
        if text == last {
            return before;
        }
        before.push(text);
    }
}

#[test]
fn what_is_said_to_a_sleeping_pc_is_told_as_not_sent_and_is_never_carried_out() {
    let relay = Relay::start(&[]);
    let mut agent = relay.agent();
    silence();
    // Nobody reads on its side.
    let mut clients: Vec<_> = (0..3).map(|number| say(&relay, &format!("выключи {number}"))).collect();
    for client in &mut clients {
        let response = client.response();
        assert_eq!(said(&response.json()), ASLEEP);
        assert_eq!(response.field("Relay-Outcome"), Some("unsent"));
    }
    assert!(relay.agent_connected(), "the heartbeat alone ends a link");
    // It wakes.
    let last = say(&relay, "ты тут?");
    assert_eq!(commands_before(&mut agent, "ты тут?"), Vec::<String>::new());
    drop(last);
}

#[test]
fn on_a_quiet_line_commands_wait_together_for_a_sign_and_go_in_order() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "30000"), ("LOG_LEVEL", "debug")]);
    let mut agent = relay.agent();
    silence();
    let mut clients = Vec::new();
    for number in 0..5 {
        clients.push(say(&relay, &format!("команда {number}")));
        relay.line("waits for a sign of life from the agent");
    }
    assert!(matches!(agent.read().unwrap(), Message::Ping(_)), "a ping goes first");
    for number in 0..5 {
        let (id, text) = agent.command();
        assert_eq!(text, format!("команда {number}"));
        agent.answer(&id, &text);
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(said(&client.response().json()), format!("команда {number}"));
    }
}

#[test]
fn an_agent_that_answers_no_pings_while_it_works_still_gets_the_next_command() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "6000")]);
    let mut agent = relay.agent();
    let mut first = say(&relay, "думай");
    let (first_id, _) = agent.command();
    silence();
    let mut second = say(&relay, "потом");
    // Longer than a line that has nothing to do would be waited for.
    sleep(Duration::from_millis(1800));
    agent.answer(&first_id, "надумал");
    assert_eq!(said(&first.response().json()), "надумал");
    agent.echo("");
    assert_eq!(said(&second.response().json()), "потом");
}

#[test]
fn while_a_command_is_at_work_the_next_is_withdrawn_at_its_own_deadline() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "2500")]);
    let mut agent = relay.agent();
    let mut first = say(&relay, "думай");
    let (first_id, _) = agent.command();
    silence();
    let mut second = say(&relay, "потом");
    assert_eq!(said(&first.response().json()), "Компьютер ещё выполняет команду. Спросите: «готово?»");
    assert_eq!(said(&second.response().json()), BUSY);
    agent.answer(&first_id, "надумал");
    relay.line("answered late");
    let last = say(&relay, "ты тут?");
    assert_eq!(commands_before(&mut agent, "ты тут?"), Vec::<String>::new());
    drop(last);
}

#[test]
fn a_command_that_waits_for_a_sign_when_the_link_breaks_was_not_sent() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "30000"), ("LOG_LEVEL", "debug")]);
    let mut agent = relay.agent();
    let mut sent = say(&relay, "думай");
    agent.command();
    silence();
    let mut waiting = say(&relay, "потом");
    relay.line("waits for a sign of life from the agent");
    drop(agent);
    let lost = "Связь с компьютером прервалась";
    assert_eq!(said(&sent.response().json()), format!("{lost}. Возможно, команда выполнилась."));
    assert_eq!(said(&waiting.response().json()), format!("{lost}, команда не отправлена."));
}

#[test]
fn no_sentence_about_a_command_that_was_sent_invites_to_say_it_again() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "100")]);
    let mut agent = relay.agent();
    let mut nobodys = turn("считай");
    for name in ["user", "application"] {
        nobodys["session"].as_object_mut().unwrap().remove(name);
    }
    let too_late = said(&relay.turn(&nobodys));
    agent.command();
    let mut lost = relay.http();
    lost.send_post(&json!({ "session": {}, "request": { "command": "считай" } }).to_string());
    agent.command();
    drop(agent);
    for sentence in [too_late, said(&lost.response().json())] {
        assert!(!sentence.contains("овтор") && !sentence.contains("ещё раз"), "{sentence}");
    }
}
