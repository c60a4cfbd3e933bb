//! What must hold for every input of the parsers, whatever it is. Used by tests/parsing.rs and by the fuzz
//! targets, so that both hold the relay to the same.

use home_alice_relay::wire::{
    AgentReply, Head, Hello, MAX_BODY, MAX_BUTTON_PAYLOAD, MAX_BUTTON_TITLE, MAX_HEAD, MAX_MACS,
    MAX_TEXT, MAX_VERSION, Reading, Turn, command, is_worth_reading, read, reply,
};
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
    let sent = command("a-1", &turn.command);
    let sent: Command = serde_json::from_str(&sent).expect("the agent gets JSON");
    assert_eq!((sent.id.as_str(), sent.text.as_str()), ("a-1", &*turn.command));
    let text: String = turn.command.chars().take(MAX_TEXT).collect();
    let answer = serde_json::json!({ "id": "a-1", "text": text }).to_string();
    let answer = AgentReply::parse(&answer, None).expect("an answer that is right");
    let told = read_back(&reply(&answer.speech, &turn.version));
    assert_eq!(told.version, turn.version);
    assert!(text.trim().is_empty() || told.response.text == text);
}

/// A text message that came from an agent.
pub fn answer(message: &[u8]) {
    let Ok(message) = std::str::from_utf8(message) else { return };
    let hello = Hello::parse(message);
    if let Some(Hello { version, macs }) = &hello {
        let version = version.as_deref().unwrap_or_default();
        assert!(version.chars().count() <= MAX_VERSION && !version.contains(char::is_control));
        let macs = macs.as_deref().unwrap_or_default();
        assert!(macs.len() <= MAX_MACS && macs.iter().all(|mac| mac.len() == 17));
    }
    let Ok(answer) = AgentReply::parse(message, None) else { return };
    assert_eq!(hello, None, "it is one or the other");
    let told = read_back(&reply(&answer.speech, "1.0"));
    assert_eq!(told.response.text, answer.speech.text());
}

/// Bytes that came on a connection.
pub fn head(bytes: &[u8]) {
    let whole = read(bytes);
    // In however small pieces they come, they are read as the same thing.
    let mut seen = 0;
    let mut in_pieces = Reading::More;
    for length in 1..=bytes.len() {
        if in_pieces == Reading::More && is_worth_reading(&bytes[..length], seen) {
            in_pieces = read(&bytes[..length]);
            seen = length;
        }
    }
    match (&whole, &in_pieces) {
        (Reading::Request(whole), Reading::Request(in_pieces)) => assert_eq!(whole, in_pieces),
        // What is wrong may be seen before its end has come, and more may be wrong then.
        (Reading::Refusal(_), Reading::Refusal(_)) | (Reading::More, Reading::More) => {}
        // The end of a line that came last is looked at with the next byte.
        (Reading::Refusal(_), Reading::More) => {}
        pair => panic!("{pair:?}"),
    }
    let Reading::Request(Head { size, text, length, .. }) = whole else { return };
    assert!(size <= bytes.len() && size <= MAX_HEAD && length <= MAX_BODY);
    // tiny_http hears what stands there: ASCII, whole lines, the same method, target and fields, and nothing of a body.
    assert!(text.is_ascii() && text.ends_with(b"\r\n"));
    let mut fields = ([httparse::EMPTY_HEADER; 101], [httparse::EMPTY_HEADER; 101]);
    let mut said = httparse::Request::new(&mut fields.0);
    let mut heard = httparse::Request::new(&mut fields.1);
    assert!(said.parse(bytes).expect("it is a request").is_complete());
    let text = [&text[..], b"\r\n"].concat();
    assert_eq!(heard.parse(&text), Ok(httparse::Status::Complete(text.len())));
    assert_eq!((said.method, said.path, said.version), (heard.method, heard.path, heard.version));
    let hidden = ["content-length", "expect", "connection", "relay-connection"];
    let kept = |field: &&httparse::Header<'_>| {
        !hidden.iter().any(|name| field.name.eq_ignore_ascii_case(name))
    };
    let ascii = |value: &[u8]| value.iter().map(|b| if b.is_ascii() { *b } else { b'?' }).collect();
    let said: Vec<(&str, Vec<u8>)> =
        said.headers.iter().filter(kept).map(|field| (field.name, ascii(field.value))).collect();
    let heard: Vec<(&str, Vec<u8>)> = heard
        .headers
        .iter()
        .filter(|field| !field.name.eq_ignore_ascii_case("connection"))
        .map(|field| (field.name, field.value.to_vec()))
        .collect();
    assert_eq!(said, heard);
}

/// Reads a reply back, and holds it to the protocol's limits.
fn read_back(bytes: &[u8]) -> Reply {
    let reply: Reply = serde_json::from_slice(bytes).expect("a reply is JSON");
    let Response { text, tts, buttons } = &reply.response;
    assert!((1..=MAX_TEXT).contains(&text.chars().count()) && !text.trim().is_empty());
    assert!(
        tts.as_ref().is_none_or(|tts| {
            (1..=MAX_TEXT).contains(&tts.chars().count()) && !tts.trim().is_empty()
        })
    );
    for Button { title, payload } in buttons {
        assert!(title.chars().count() <= MAX_BUTTON_TITLE);
        assert!(payload.as_ref().is_none_or(|payload| {
            payload.get().starts_with('{') && payload.get().len() <= MAX_BUTTON_PAYLOAD
        }));
    }
    reply
}
