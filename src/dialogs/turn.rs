//! Parses turns of Yandex Dialogs, protocol "1.0" (docs/facts/alice.md). Plain data.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::{Object, Text, without_bom};

/// The version to echo when a turn names none.
const DEFAULT_VERSION: &str = "1.0";

/// A user's turn, as far as the relay needs it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Turn<'a> {
    /// Echoed in the reply.
    pub version: Cow<'a, str>,
    /// Whether this is the session's first turn.
    pub new_session: bool,
    /// The session's id.
    pub session_id: Option<Cow<'a, str>>,
    /// The skill's id.
    pub skill_id: Option<Cow<'a, str>>,
    /// The Yandex account; `None` if the user is not logged in.
    pub user_id: Option<Cow<'a, str>>,
    /// The id of the device or app.
    pub device_id: Option<Cow<'a, str>>,
    /// The phrase, normalised by Yandex, or the words of the pressed button; may be empty.
    pub command: Cow<'a, str>,
    /// Whether this is the platform's availability probe.
    pub is_ping: bool,
    /// Yandex' analysis of the words, as JSON.
    pub nlu: Option<&'a str>,
    /// Whether a button was pressed.
    pub is_press: bool,
    /// The pressed button's payload, as JSON.
    pub payload: Option<&'a str>,
    /// The device's properties, as JSON.
    pub meta: Option<&'a str>,
}

/// Why a body is not a turn.
#[derive(Debug)]
pub enum TurnError {
    /// It is not JSON at all.
    NotJson(serde_json::Error),
    /// It is JSON, but not a Yandex Dialogs turn.
    NotATurn(serde_json::Error),
    /// It has neither `request` nor `account_linking_complete_event`.
    NoRequest,
}

impl std::fmt::Display for TurnError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotJson(error) => write!(f, "the body is not JSON: {error}"),
            Self::NotATurn(error) => write!(f, "the body is not a Yandex Dialogs turn: {error}"),
            Self::NoRequest => {
                f.write_str("the body is not a Yandex Dialogs turn: it has no `request`")
            }
        }
    }
}

impl std::error::Error for TurnError {}

#[derive(Deserialize)]
struct RawTurn<'a> {
    #[serde(borrow)]
    version: Option<Text<'a>>,
    #[serde(borrow)]
    session: Object<RawSession<'a>>,
    #[serde(borrow)]
    request: Option<Object<RawRequest<'a>>>,
    account_linking_complete_event: Option<serde::de::IgnoredAny>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawSession<'a> {
    new: Option<bool>,
    #[serde(borrow)]
    session_id: Option<&'a RawValue>,
    #[serde(borrow)]
    skill_id: Option<Text<'a>>,
    #[serde(borrow)]
    user: Option<Object<RawUser<'a>>>,
    #[serde(borrow)]
    application: Option<Object<RawApplication<'a>>>,
    /// The device's id under its older name.
    #[serde(borrow)]
    user_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct RawApplication<'a> {
    #[serde(borrow)]
    application_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct RawUser<'a> {
    #[serde(borrow)]
    user_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct RawRequest<'a> {
    #[serde(borrow)]
    command: Option<Text<'a>>,
    #[serde(borrow)]
    original_utterance: Option<Text<'a>>,
    /// Parsed only if a button was pressed, so that nothing else in it can break the turn.
    #[serde(borrow)]
    nlu: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawNlu<'a> {
    #[serde(borrow)]
    tokens: Vec<Text<'a>>,
}

impl<'a> RawRequest<'a> {
    fn is_press(&self) -> bool {
        self.kind.is_some_and(|kind| kind.get() == "\"ButtonPressed\"")
    }

    /// Returns the words of the pressed button; such a turn has no command.
    fn words_pressed(&self) -> Option<String> {
        let Object(nlu) = serde_json::from_str::<Object<RawNlu<'a>>>(self.nlu?.get()).ok()?;
        let words: Vec<_> = nlu.tokens.iter().map(|token| token.0.trim()).collect();
        Some(words.join(" ").trim().to_owned())
    }
}

impl<'a> Turn<'a> {
    /// Parses a request body. Ignores unknown fields, and missing ones that the relay can do without.
    ///
    /// # Errors
    /// The body is not JSON, or not a turn.
    pub fn parse(body: &'a [u8]) -> Result<Self, TurnError> {
        let raw = serde_json::from_slice::<Object<RawTurn<'_>>>(without_bom(body));
        let Object(raw) = raw.map_err(|error| match error.classify() {
            serde_json::error::Category::Data => TurnError::NotATurn(error),
            _ => TurnError::NotJson(error),
        })?;
        if raw.request.is_none() && raw.account_linking_complete_event.is_none() {
            return Err(TurnError::NoRequest);
        }
        let Object(session) = raw.session;
        let text = |json: Option<&'a RawValue>| json.map(RawValue::get);
        let (mut command, mut utterance, mut nlu, mut payload) = (None, None, None, None);
        let mut is_press = false;
        if let Some(Object(request)) = raw.request {
            (nlu, payload) = (text(request.nlu), text(request.payload));
            is_press = request.is_press();
            command = is_press.then(|| request.words_pressed()).flatten().map(Cow::Owned);
            command = command.or(request.command.map(|text| trimmed(text.0)));
            utterance = request.original_utterance;
        }
        let session_id =
            text(session.session_id).and_then(|json| serde_json::from_str::<Text<'a>>(json).ok());
        Ok(Self {
            version: raw.version.map_or(Cow::Borrowed(DEFAULT_VERSION), Cow::from),
            new_session: session.new.unwrap_or(false),
            session_id: session_id.map(Cow::from),
            skill_id: session.skill_id.map(Cow::from),
            user_id: session.user.and_then(|user| user.0.user_id).map(Cow::from),
            device_id: session
                .application
                .and_then(|application| application.0.application_id)
                .or(session.user_id)
                .map(Cow::from),
            command: command.unwrap_or_default(),
            is_ping: utterance.is_some_and(|utterance| utterance.0 == "ping"),
            nlu,
            is_press,
            payload,
            meta: text(raw.meta),
        })
    }

    /// Whether the user's device has a screen.
    pub fn has_screen(&self) -> bool {
        #[derive(Deserialize)]
        struct Meta<'a> {
            #[serde(borrow)]
            interfaces: Object<Interfaces<'a>>,
        }
        #[derive(Deserialize)]
        struct Interfaces<'a> {
            #[serde(borrow)]
            screen: Option<&'a RawValue>,
        }
        let meta = self.meta.and_then(|json| serde_json::from_str::<Object<Meta<'_>>>(json).ok());
        meta.is_some_and(|Object(meta)| meta.interfaces.0.screen.is_some())
    }
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(body: &str) -> Turn<'_> {
        Turn::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn a_turn_needs_a_session_and_a_request_and_nothing_else() {
        let least = turn(r#"{"session":{},"request":{}}"#);
        assert_eq!(least, Turn { version: "1.0".into(), ..Turn::default() });
        assert!(matches!(Turn::parse(b"{}"), Err(TurnError::NotATurn(_))));
        assert!(matches!(Turn::parse(br#"{"session":{}}"#), Err(TurnError::NoRequest)));
        assert!(matches!(Turn::parse(b"{"), Err(TurnError::NotJson(_))));
        assert!(matches!(Turn::parse(b"\xff"), Err(TurnError::NotJson(_))));
        turn(r#"{"session":{"new":null},"account_linking_complete_event":{}}"#);
    }

    #[test]
    fn the_command_is_the_normalised_phrase_raw_or_escaped() {
        let body = r#"{"session":{"new":true},"request":{"command":" громче "},"version":"1.1"}"#;
        assert_eq!(turn(body).command, "громче");
        assert_eq!(turn(body).version, "1.1");
        assert!(turn(body).new_session);
        let escaped = r#"{"session":{},"request":{"command":"\u0433\u0440\u043e\u043c\u0447\u0435"}}"#;
        assert_eq!(turn(escaped).command, "громче");
    }

    #[test]
    fn a_user_is_the_account_that_is_logged_in_and_no_device() {
        let ids = |session: &str| {
            let body = format!(r#"{{"session":{session},"request":{{}}}}"#);
            let turn = Turn::parse(body.as_bytes()).unwrap();
            (turn.skill_id.map(Cow::into_owned), turn.user_id.map(Cow::into_owned))
        };
        let whole = r#"{"skill_id":"s","user_id":"d","user":{"user_id":"u"},"application":{"application_id":"d"}}"#;
        assert_eq!(ids(whole), (Some("s".into()), Some("u".into())));
        for session in [
            "{}",
            r#"{"user_id":"d"}"#,
            r#"{"user":null}"#,
            r#"{"user":{}}"#,
            r#"{"user":{"user_id":null}}"#,
        ] {
            assert_eq!(ids(session), (None, None), "{session}");
        }
        let twice = br#"{"session":{"user":{"user_id":"a"},"user":{"user_id":"b"}},"request":{}}"#;
        assert!(Turn::parse(twice).is_err(), "which of the two it is would be anyone's guess");
    }

    #[test]
    fn what_has_no_escapes_is_not_copied() {
        let turn = turn(
            r#"{"session":{"skill_id":"s","user":{"user_id":"u"}},"request":{"command":"c"},"version":"1.0"}"#,
        );
        for text in [&turn.command, &turn.version, &turn.skill_id.unwrap(), &turn.user_id.unwrap()] {
            assert!(matches!(text, Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn a_pressed_button_is_a_command_of_its_words() {
        let command = |request: &str| {
            let body = format!(r#"{{"session":{{}},"request":{request}}}"#);
            Turn::parse(body.as_bytes()).unwrap().command.into_owned()
        };
        for (request, words) in [
            (
                r#"{"type":"ButtonPressed","nlu":{"tokens":["да","конечно"]},"payload":{"a":1}}"#,
                "да конечно",
            ),
            (r#"{"type":"ButtonPressed","command":"нет","nlu":{"tokens":["\u0434\u0430"]}}"#, "да"),
            (r#"{"type":"ButtonPressed","nlu":{"tokens":[]}}"#, ""),
            (r#"{"type":"ButtonPressed","nlu":{"tokens":[5]}}"#, ""),
            (r#"{"type":"ButtonPressed","nlu":5,"command":"да"}"#, "да"),
            (r#"{"type":"ButtonPressed"}"#, ""),
            (r#"{"type":"Purchase.Confirmation","nlu":{"tokens":["да"]}}"#, ""),
            (r#"{"type":5,"nlu":{"tokens":["да"]},"command":"нет"}"#, "нет"),
        ] {
            assert_eq!(command(request), words, "{request}");
        }
    }

    #[test]
    fn only_the_exact_probe_is_a_ping() {
        let is_ping = |said: &str| {
            let body = format!(r#"{{"session":{{}},"request":{{"original_utterance":"{said}"}}}}"#);
            Turn::parse(body.as_bytes()).unwrap().is_ping
        };
        assert!(is_ping("ping"));
        assert!(!is_ping("ping ya.ru"));
        assert!(!is_ping(""));
    }
}
