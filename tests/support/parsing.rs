//! What must hold for every input of the parsers, whatever it is. Used by tests/parsing.rs and by the fuzz
//! targets, so that both hold the relay to the same.

use home_alice_relay::agent::message::{self, AgentAnswer};
use home_alice_relay::alice::Turn;
use home_alice_relay::limits::{MAX_BUTTON_PAYLOAD, MAX_BUTTON_TITLE, MAX_TEXT};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Command {
    id: String,
    text: String,
}

#[derive(Deserialize)]
struct Reply {
    response: Response,
    version: String,
}

#[derive(Deserialize)]
struct Response {
    text: String,
    tts: Option<String>,
    #[serde(default)]
    buttons: Vec<Button>,
}

#[derive(Deserialize)]
struct Button {
    title: String,
    payload: Option<Box<RawValue>>,
}

/// A body that came to the webhook.
pub fn turn(body: &[u8]) {
    let Ok(turn) = Turn::parse(body) else { return };
    assert_eq!(turn.command, turn.command.trim());
    // What becomes of it: a message for the agent, and a reply with its version.
    let sent = message::command("a-1", &turn.command);
    let sent: Command = serde_json::from_str(&sent).expect("the agent gets JSON");
    assert_eq!((sent.id.as_str(), sent.text.as_str()), ("a-1", &*turn.command));
    let text: String = turn.command.chars().take(MAX_TEXT).collect();
    let answer = serde_json::json!({ "id": "a-1", "text": text }).to_string();
    let speech = AgentAnswer::parse(&answer).expect("an answer that is right").into_speech();
    let reply = reply(&speech.into_reply(&turn.version));
    assert_eq!(reply.version, turn.version);
    assert!(text.trim().is_empty() || reply.response.text == text);
}

/// A text message that came from an agent.
pub fn answer(message: &[u8]) {
    let Ok(message) = std::str::from_utf8(message) else { return };
    let Ok(answer) = AgentAnswer::parse(message) else { return };
    let said = answer.text.clone();
    let reply = reply(&answer.into_speech().into_reply("1.0"));
    if !said.trim().is_empty() && said.chars().count() <= MAX_TEXT {
        assert_eq!(reply.response.text, said);
    }
}

/// Reads a reply back, and holds it to the protocol's limits.
fn reply(bytes: &[u8]) -> Reply {
    let reply: Reply = serde_json::from_slice(bytes).expect("a reply is JSON");
    let Response { text, tts, buttons } = &reply.response;
    assert!((1..=MAX_TEXT).contains(&text.chars().count()) && !text.trim().is_empty());
    assert!(tts.as_ref().is_none_or(|tts| (1..=MAX_TEXT).contains(&tts.chars().count())));
    for Button { title, payload } in buttons {
        assert!(title.chars().count() <= MAX_BUTTON_TITLE);
        assert!(payload.as_ref().is_none_or(|payload| {
            payload.get().starts_with('{') && payload.get().len() <= MAX_BUTTON_PAYLOAD
        }));
    }
    reply
}
