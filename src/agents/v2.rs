//! `Protocol::V2`: commands with their context, for agents that offer the WebSocket subprotocol [`SUBPROTOCOL`] (RFC
//! 6455, 1.9), such as those on a language model. Plain data.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::json;
use crate::speech::MAX_BUTTON_PAYLOAD;

/// The subprotocol that an agent offers to get it.
pub const SUBPROTOCOL: &str = "home-alice.v2";

/// Bytes of Yandex's `nlu`; a longer one is left out. A turn has at most 64 KiB, and so has an agent's message.
pub const MAX_NLU: usize = 16 * 1024;

/// Characters of a session's id; a longer one is left out.
pub const MAX_SESSION_ID: usize = 128;

/// The context of a command: who speaks, and how.
#[derive(Debug, Default, Clone, Copy)]
pub struct Context<'a> {
    /// The session's id, and whether this turn opened it.
    pub session: Option<(&'a str, bool)>,
    /// The speaker's pseudonym.
    pub person: Option<&'a str>,
    /// Whether the device has a screen.
    pub screen: bool,
    /// The pressed button's payload.
    pub payload: Option<&'a RawValue>,
    /// The requested action of Smart Home.
    pub action: Option<Action<'a>>,
    /// Yandex's natural language understanding of the words.
    pub nlu: Option<&'a RawValue>,
    /// The addresses of the network cards of a PC to be woken; empty if unknown.
    pub wake: Option<&'a [String]>,
}

/// An action of Smart Home, as requested.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Action<'a> {
    pub device: &'a str,
    pub capability: &'a str,
    pub instance: &'a str,
    pub value: Option<&'a RawValue>,
    pub relative: bool,
}

/// When a command arrived, and its deadline, in Unix milliseconds by the relay's clock.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub now: u64,
    pub until: u64,
}

/// Encodes the message by which an agent learns the offset of its clock: the first of a link, and again with each
/// heartbeat, since a clock may run fast.
pub fn time(now: u64) -> String {
    format!(r#"{{"now":{now}}}"#)
}

/// Encodes one command. Returns also the names of the parts that did not fit and were left out.
pub fn command(
    id: &str,
    text: &str,
    context: &Context<'_>,
    times: Times,
) -> (String, Vec<&'static str>) {
    #[derive(Serialize)]
    struct Session<'a> {
        id: &'a str,
        new: bool,
    }
    #[derive(Serialize)]
    struct Command<'a> {
        id: &'a str,
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        session: Option<Session<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        person: Option<&'a str>,
        screen: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        action: Option<Action<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        nlu: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        wake: Option<&'a [String]>,
        now: u64,
        until: u64,
    }
    let payload = context.payload.filter(|json| json.get().len() <= MAX_BUTTON_PAYLOAD);
    let nlu = context.nlu.filter(|json| json.get().len() <= MAX_NLU);
    let fits = |id: &str| id.chars().count() <= MAX_SESSION_ID;
    let session = context.session.filter(|(id, _)| fits(id)).map(|(id, new)| Session { id, new });
    let lacks = [
        ("payload", payload.is_none() && context.payload.is_some()),
        ("nlu", nlu.is_none() && context.nlu.is_some()),
        ("session", session.is_none() && context.session.is_some()),
    ];
    let left_out = lacks.into_iter().filter(|(_, lacks)| *lacks).map(|(name, _)| name).collect();
    let Context { person, screen, action, wake, .. } = *context;
    let Times { now, until } = times;
    let command = Command { id, text, session, person, screen, payload, action, nlu, wake, now, until };
    (json::of(&command), left_out)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TIMES: Times = Times { now: 1_000, until: 5_000 };

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.into()).unwrap()
    }

    #[test]
    fn what_there_is_not_is_left_out_and_the_times_are_always_there() {
        let (least, left_out) = command("a-1", "громче", &Context::default(), TIMES);
        assert_eq!(least, r#"{"id":"a-1","text":"громче","screen":false,"now":1000,"until":5000}"#);
        assert!(left_out.is_empty());
        assert_eq!(time(7), r#"{"now":7}"#);
    }

    #[test]
    fn everything_that_is_known_goes_along_and_the_nlu_as_it_came() {
        let (payload, nlu, value) = (raw(r#"{"a":1}"#), raw(r#"{"tokens":[ "да" ]}"#), raw("30"));
        let action = Action {
            device: "pc",
            capability: "devices.capabilities.range",
            instance: "volume",
            value: Some(&value),
            relative: true,
        };
        let wake = ["aa:bb:cc:dd:ee:ff".to_owned()];
        let context = Context {
            session: Some(("s", true)),
            person: Some("p"),
            screen: true,
            payload: Some(&payload),
            action: Some(action),
            nlu: Some(&nlu),
            wake: Some(&wake),
        };
        let (whole, left_out) = command("a-1", "да", &context, TIMES);
        assert!(whole.contains(r#""nlu":{"tokens":[ "да" ]}"#) && left_out.is_empty());
        assert_eq!(
            serde_json::from_str::<Value>(&whole).unwrap(),
            json!({
                "id": "a-1", "text": "да", "session": { "id": "s", "new": true }, "person": "p", "screen": true,
                "payload": { "a": 1 }, "nlu": { "tokens": ["да"] }, "now": 1000, "until": 5000,
                "action": { "device": "pc", "capability": "devices.capabilities.range", "instance": "volume",
                            "value": 30, "relative": true },
                "wake": ["aa:bb:cc:dd:ee:ff"],
            })
        );
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_told() {
        let large = |length: usize| raw(&format!("\"{}\"", "x".repeat(length - 2)));
        let (payload, nlu) = (large(MAX_BUTTON_PAYLOAD + 1), large(MAX_NLU + 1));
        let id = "s".repeat(MAX_SESSION_ID + 1);
        let context = Context {
            session: Some((&id, true)),
            payload: Some(&payload),
            nlu: Some(&nlu),
            ..Context::default()
        };
        let (json, left_out) = command("a-1", "да", &context, TIMES);
        assert_eq!(left_out, ["payload", "nlu", "session"]);
        assert_eq!(json, command("a-1", "да", &Context::default(), TIMES).0);
        let (payload, nlu) = (large(MAX_BUTTON_PAYLOAD), large(MAX_NLU));
        let context = Context {
            session: Some((&id[1..], true)),
            payload: Some(&payload),
            nlu: Some(&nlu),
            ..Context::default()
        };
        assert!(command("a-1", "да", &context, TIMES).1.is_empty());
    }
}
