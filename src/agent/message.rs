//! The messages between relay and agent: `{"id","text"}` both ways. Pure data.

use serde::{Deserialize, Serialize};

use crate::alice::{Button, Speech};

/// The relay's message: one command. The JSON of it.
pub fn command(id: &str, text: &str) -> String {
    #[derive(Serialize)]
    struct Command<'a> {
        id: &'a str,
        text: &'a str,
    }
    serde_json::to_string(&Command { id, text }).expect("two strings always serialise")
}

/// The agent's message: the answer to one command. Unknown keys are passed over.
#[derive(Debug, Deserialize)]
pub struct AgentAnswer {
    /// The id of the command.
    pub id: String,
    /// What Alice shows and says.
    pub text: String,
    /// What Alice says, when it differs.
    pub tts: Option<String>,
    /// Buttons to show.
    pub buttons: Option<Vec<Button>>,
    /// Whether Alice leaves the skill; not unless it says so.
    pub end_session: Option<bool>,
}

impl AgentAnswer {
    /// Reads an answer.
    ///
    /// # Errors
    /// The message is not such an object.
    pub fn parse(message: &str) -> serde_json::Result<Self> {
        serde_json::from_str(message)
    }

    /// What Alice is to say.
    pub fn into_speech(self) -> Speech {
        Speech {
            text: self.text,
            tts: self.tts,
            buttons: self.buttons.unwrap_or_default(),
            end_session: self.end_session.unwrap_or(false),
        }
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
        let speech = AgentAnswer::parse(r#"{"id":"a-1","text":"да","x":[1]}"#).unwrap().into_speech();
        assert_eq!((speech.text.as_str(), speech.end_session), ("да", false));
        for message in ["", "{}", "[]", r#"{"id":1,"text":""}"#, r#"{"id":"a"}"#, r#"{"text":"a"}"#] {
            assert!(AgentAnswer::parse(message).is_err(), "{message}");
        }
    }
}
