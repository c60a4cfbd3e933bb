//! The messages between relay and agent: `{"id","text"}` both ways. Plain data.

use serde::{Deserialize, Serialize};

use crate::speech::{Button, Speech};

/// Returns the relay's message: one command, as JSON.
pub fn command(id: &str, text: &str) -> String {
    #[derive(Serialize)]
    struct Command<'a> {
        id: &'a str,
        text: &'a str,
    }
    serde_json::to_string(&Command { id, text }).expect("two strings always serialise")
}

/// The agent's message: the answer to one command.
#[derive(Debug)]
pub struct Answer {
    /// The id of the command.
    pub id: String,
    /// What Alice is to say.
    pub speech: Speech,
}

/// An answer as it comes. Unknown keys are passed over.
#[derive(Deserialize)]
struct Raw {
    id: String,
    text: String,
    tts: Option<String>,
    buttons: Option<Vec<Button>>,
    end_session: Option<bool>,
}

impl Answer {
    /// Reads an answer, and makes it fit.
    ///
    /// # Errors
    /// The message is not such an object.
    pub fn parse(message: &str) -> serde_json::Result<Self> {
        let Raw { id, text, tts, buttons, end_session } = serde_json::from_str(message)?;
        let speech = Speech::new(&text)
            .with_tts(tts.as_deref())
            .with_buttons(buttons.unwrap_or_default())
            .with_end_session(end_session.unwrap_or(false));
        Ok(Self { id, speech })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_the_agreed_object() {
        assert_eq!(command("a-1", "скажи \"да\""), r#"{"id":"a-1","text":"скажи \"да\""}"#);
    }

    #[test]
    fn an_answer_needs_an_id_and_a_text_and_nothing_else() {
        let Answer { id, speech } = Answer::parse(r#"{"id":"a-1","text":"да","x":[1]}"#).unwrap();
        assert_eq!((id.as_str(), speech.text(), speech.end_session()), ("a-1", "да", false));
        for message in ["", "{}", "[]", r#"{"id":1,"text":""}"#, r#"{"id":"a"}"#, r#"{"text":"a"}"#] {
            assert!(Answer::parse(message).is_err(), "{message}");
        }
    }
}
