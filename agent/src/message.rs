//! The messages between relay and agent, protocol v2 (docs/agents.md). Plain data.

use serde::{Deserialize, Serialize};

use crate::phrases::smart_home::Asked;

/// The subprotocol that is offered.
pub const PROTOCOL: &str = "home-alice.v2";

/// Bytes of a message; the relay sends no longer one.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Characters of an answer: the relay cuts a longer one.
pub const MAX_TEXT: usize = 1024;

/// Characters of a button's title.
const MAX_TITLE: usize = 64;

/// What the relay sends.
#[derive(Debug, Deserialize)]
pub struct Incoming {
    /// The command's id; the relay's time has none.
    pub id: Option<String>,
    #[serde(default)]
    pub text: String,
    /// The relay's time, in Unix milliseconds.
    pub now: Option<i64>,
    pub until: Option<i64>,
    /// The conversation that it belongs to.
    pub session: Option<Session>,
    /// What Smart Home asks for. Whoever asks there is told a failure as soon as the wait is over.
    pub action: Option<Asked>,
    pub wake: Option<Vec<String>>,
}

/// A conversation with Alice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Session {
    pub id: Option<String>,
}

/// A message of which nothing else can be used.
#[derive(Debug, Deserialize)]
pub struct OnlyId {
    pub id: String,
}

/// What becomes of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub ok: bool,
    pub text: String,
    /// What may be said next, where the speaker has a screen.
    pub buttons: Vec<String>,
}

impl Outcome {
    /// It was done.
    pub fn done(text: impl Into<String>) -> Self {
        Self { ok: true, text: text.into(), buttons: Vec::new() }
    }

    /// It was not.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { ok: false, text: text.into(), buttons: Vec::new() }
    }
}

/// Returns the answer to the command with this id.
pub fn answer(id: &str, outcome: &Outcome) -> String {
    #[derive(Serialize)]
    struct Answer<'a> {
        id: &'a str,
        ok: bool,
        text: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        buttons: Vec<Button<'a>>,
    }
    #[derive(Serialize)]
    struct Button<'a> {
        title: &'a str,
        hide: bool,
    }
    let Outcome { ok, text, buttons } = outcome;
    let buttons = buttons.iter().map(|title| Button { title: cut(title, MAX_TITLE), hide: true }).collect();
    json(&Answer { id, ok: *ok, text: cut(text, MAX_TEXT), buttons })
}

/// Returns what an agent says of itself: its version, and its cards.
pub fn hello(macs: &[String]) -> String {
    #[derive(Serialize)]
    struct Hello<'a> {
        agent: &'a str,
        macs: &'a [String],
    }
    json(&Hello { agent: crate::NAME_AND_VERSION, macs })
}

fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("texts and lists of them always serialise")
}

/// Returns the text's first characters, so many at most.
pub fn cut(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_either_format_and_the_time_are_read() {
        let first: Incoming = serde_json::from_str(r#"{"id":"a-1","text":"громче"}"#).unwrap();
        assert_eq!((first.id.as_deref(), &*first.text, first.until), (Some("a-1"), "громче", None));
        let second: Incoming = serde_json::from_str(
            r#"{"id":"a-1","text":"","session":{"id":"s","new":true},"screen":false,"payload":{"a":[1]},
                "action":{"device":"pc","value":30},"nlu":5,"now":1,"until":2,"wake":["aa:bb:cc:dd:ee:ff"]}"#,
        )
        .unwrap();
        assert_eq!((second.now, second.until, second.action.is_some()), (Some(1), Some(2), true));
        assert_eq!(second.wake.unwrap(), ["aa:bb:cc:dd:ee:ff"]);
        let time: Incoming = serde_json::from_str(r#"{"now":7}"#).unwrap();
        assert!(time.id.is_none() && time.now == Some(7));
    }

    #[test]
    fn an_answer_is_cut_to_what_alice_says() {
        assert_eq!(answer("a\"1", &Outcome::failed("Ёлка\n")), r#"{"id":"a\"1","ok":false,"text":"Ёлка\n"}"#);
        let long = answer("a", &Outcome::done("ё".repeat(2_000)));
        assert_eq!(long.matches('ё').count(), MAX_TEXT);
    }
}
