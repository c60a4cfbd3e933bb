//! Properties of everything that parses what comes from outside, and the corpus that the fuzz targets in
//! fuzz/ have found. The query's key has its own beside its parser (src/agent/handshake.rs).

use std::path::Path;

use crate::support::parsing;
use home_alice_relay::ListenAddr;
use home_alice_relay::wire::{AgentReply, MAX_TEXT, Turn, command};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

/// As many cases as take a second or two. What fails is printed, and kept by writing a test of it.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() }
}

/// JSON of every shape, nested a little.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((any::<String>(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// JSON text in which each value stands where a turn or an answer has something, and often fits.
fn nearly(keys: &'static [&'static str]) -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any_json().boxed(),
        any::<String>().prop_map(Value::from).boxed(),
        Just(json!({})).boxed(),
        vec((proptest::sample::select(keys), any_json()), 0..4)
            .prop_map(|pairs| Value::Object(
                pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
            ))
            .boxed(),
    ];
    vec((proptest::sample::select(keys), value), 0..6).prop_map(|pairs| {
        // By hand, so that a key can come twice.
        let fields: Vec<_> =
            pairs.iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
        format!("{{{}}}", fields.join(","))
    })
}

/// Lines of which a head may be made, sound and not.
const HEAD_LINES: &[&str] = &[
    "GET /health HTTP/1.1\r\n",
    "POST /alice/webhook?a=b HTTP/1.0\r\n",
    "HEAD http://relay:80/ HTTP/1.1\r\n",
    "PRI * HTTP/2.0\r\n",
    "GET / HTTP/1.1 more\r\n",
    "Host: relay\r\n",
    "Host: a b\r\n",
    "Content-Length: 2\r\n",
    "Content-Length: +2\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "Expect: something\r\n",
    "Connection: keep-alive, Upgrade\r\n",
    "Connection: close\r\n",
    "Relay-Connection: 1\r\n",
    "X-Name: Иван\r\n",
    "X: \ta \t b \t\r\n",
    " folded: yes\r\n",
    "a\n",
    "X : y\r\n",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "{}",
];

const TURN_KEYS: &[&str] = &[
    "session",
    "request",
    "version",
    "new",
    "skill_id",
    "user",
    "user_id",
    "command",
    "original_utterance",
    "account_linking_complete_event",
];
const ANSWER_KEYS: &[&str] = &[
    "id",
    "text",
    "tts",
    "buttons",
    "end_session",
    "title",
    "hide",
    "url",
    "payload",
    "agent",
    "macs",
];

/// The same text with every character outside of ASCII, and every control character, escaped.
fn escaped(json: &str) -> String {
    let escape = |c: char| match c {
        ' '..='~' => c.to_string(),
        _ => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    json.chars().map(escape).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in vec(any::<u8>(), 0..2000)) {
        parsing::turn(&bytes);
        parsing::answer(&bytes);
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in any::<String>()) {
        parsing::turn(text.as_bytes());
        parsing::answer(text.as_bytes());
        let _ = text.parse::<ListenAddr>();
    }

    #[test]
    fn what_is_nearly_a_turn_is_one_or_none(body in nearly(TURN_KEYS), cut in any::<proptest::sample::Index>()) {
        parsing::turn(body.as_bytes());
        // Cut short it is no JSON any more.
        let end = cut.index(body.len());
        prop_assert!(Turn::parse(&body.as_bytes()[..end]).is_err());
    }

    #[test]
    fn what_is_nearly_an_answer_is_one_or_none(message in nearly(ANSWER_KEYS)) {
        parsing::answer(message.as_bytes());
    }

    #[test]
    fn a_turn_says_what_was_put_in(
        command in any::<String>(),
        utterance in any::<String>(),
        version in any::<String>(),
        ids in any::<(Option<String>, Option<String>)>(),
        new in any::<bool>(),
        besides in any_json(),
    ) {
        let body = json!({
            "meta": besides,
            "session": { "new": new, "skill_id": ids.0, "user": { "user_id": ids.1, "x": besides }, "x": besides },
            "request": { "command": command, "original_utterance": utterance, "nlu": besides },
            "version": version,
            "state": besides,
        }).to_string();
        for body in [escaped(&body), body] {
            let turn = Turn::parse(body.as_bytes()).unwrap();
            prop_assert_eq!(&*turn.command, command.trim());
            prop_assert_eq!(&*turn.version, &version);
            prop_assert_eq!(turn.new_session, new);
            prop_assert_eq!(turn.skill_id.as_deref(), ids.0.as_deref());
            prop_assert_eq!(turn.user_id.as_deref(), ids.1.as_deref());
            prop_assert_eq!(turn.is_ping, utterance == "ping");
        }
    }

    #[test]
    fn a_command_reaches_the_agent_as_it_is(id in any::<String>(), text in any::<String>()) {
        let sent: Value = serde_json::from_str(&command(&id, &text)).unwrap();
        prop_assert_eq!(sent, json!({ "id": id, "text": text }));
    }

    #[test]
    fn an_answer_says_what_was_put_in(
        id in any::<String>(),
        text in any::<String>(),
        tts in any::<Option<String>>(),
        end_session in any::<Option<bool>>(),
        titles in any::<Option<Vec<String>>>(),
        besides in any_json(),
    ) {
        let buttons = titles.as_ref().map(|titles| {
            titles.iter().map(|title| json!({ "title": title, "payload": { "x": besides } })).collect::<Vec<_>>()
        });
        let message = json!({
            "id": id, "text": text, "tts": tts, "end_session": end_session, "buttons": buttons, "x": besides,
        }).to_string();
        for message in [escaped(&message), message] {
            let AgentReply { id: found, speech, .. } = AgentReply::parse(&message, None).unwrap();
            prop_assert_eq!(&found, &id);
            // What is too long or empty has tests of its own.
            let is_whole = |text: &str| !text.trim().is_empty() && text.chars().count() <= MAX_TEXT;
            prop_assert!(!is_whole(&text) || speech.text() == text);
            let spoken = tts.as_deref().filter(|tts| !tts.trim().is_empty());
            prop_assert_eq!(speech.tts(), spoken);
            prop_assert_eq!(speech.end_session(), end_session.unwrap_or(false));
            let found: Vec<_> = speech.buttons().iter().map(|button| button.title.clone()).collect();
            let titles = titles.iter().flatten().filter(|title| !title.trim().is_empty());
            prop_assert_eq!(found, titles.cloned().collect::<Vec<_>>());
            parsing::answer(message.as_bytes());
        }
    }

    #[test]
    fn what_comes_on_a_connection_is_read_the_same_in_one_piece_and_in_many(
        lines in vec(proptest::sample::select(HEAD_LINES), 0..8),
        junk in vec(any::<u8>(), 0..4),
        place in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = lines.concat().into_bytes();
        parsing::head(&bytes);
        let place = place.index(bytes.len() + 1);
        bytes.splice(place..place, junk);
        parsing::head(&bytes);
    }

    #[test]
    fn a_listen_address_is_read_as_it_is_written(host in any::<Option<std::net::IpAddr>>(), port in any::<u16>()) {
        let listen = ListenAddr { host, port };
        prop_assert_eq!(listen.to_string().parse::<ListenAddr>(), Ok(listen));
    }

    #[test]
    fn what_is_nearly_a_listen_address_is_one_or_is_named_in_the_error(text in "[\\[\\]:.0-9a-fl%+ -]{0,24}") {
        match text.parse::<ListenAddr>() {
            Ok(listen) => prop_assert_eq!(listen.to_string().parse::<ListenAddr>(), Ok(listen)),
            Err(error) => prop_assert!(error.to_string().starts_with("LISTEN_ADDR")),
        }
    }
}

/// Every file under tests/corpus/`name`.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let files = std::fs::read_dir(folder).expect("the corpus is there");
    let inputs: Vec<_> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(inputs.len() >= 10, "only {} files", inputs.len());
    inputs
}

#[test]
fn the_corpus_of_heads_holds() {
    corpus("head").iter().for_each(|bytes| parsing::head(bytes));
}

#[test]
fn the_corpus_of_turns_holds() {
    corpus("turn").iter().for_each(|body| parsing::turn(body));
}

#[test]
fn the_corpus_of_answers_holds() {
    corpus("agent").iter().for_each(|message| parsing::answer(message));
}
