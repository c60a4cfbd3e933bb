//! What Alice is to say, made to fit the protocol (docs/facts/alice.md) before anything else sees it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::text::cut;

/// Unicode scalar values of a reply's text or tts (docs/facts/alice.md).
pub const MAX_TEXT: usize = 1024;

/// Unicode scalar values of a button's title (docs/facts/alice.md).
pub const MAX_BUTTON_TITLE: usize = 64;

/// Bytes of a button's payload (docs/facts/alice.md).
pub const MAX_BUTTON_PAYLOAD: usize = 4 * 1024;

/// Stands in for a text that is empty, which the protocol forbids.
pub const DONE: &str = "Готово.";

/// A button under a reply. One without a payload sends its title as a command when it is pressed.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Button {
    /// At most [`MAX_BUTTON_TITLE`] characters; a longer one is cut.
    pub title: String,
    /// Whether the button goes away with the next turn.
    #[serde(default)]
    pub hide: bool,
    /// A page to open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// An object of at most [`MAX_BUTTON_PAYLOAD`] bytes; another is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<RawValue>>,
}

/// What Alice is to say, within every limit of the protocol.
#[derive(Debug, Clone)]
pub struct Speech {
    text: String,
    tts: Option<String>,
    buttons: Vec<Button>,
    end_session: bool,
}

impl Speech {
    /// Makes `text` fit: an empty one becomes «Готово.», a long one is cut.
    pub fn new(text: &str) -> Self {
        let text = if text.trim().is_empty() { DONE } else { text };
        Self { text: cut(text, MAX_TEXT), tts: None, buttons: Vec::new(), end_session: false }
    }

    /// Adds what is spoken when it differs from the text. One without a word says nothing else than the
    /// text does; a long one is cut.
    pub fn with_tts(self, tts: Option<&str>) -> Self {
        let tts = tts.filter(|tts| !tts.trim().is_empty()).map(|tts| cut(tts, MAX_TEXT));
        Self { tts, ..self }
    }

    /// Adds buttons: a long title is cut, a payload that does not fit is left out.
    pub fn with_buttons(self, buttons: Vec<Button>) -> Self {
        Self { buttons: buttons.into_iter().map(fitted).collect(), ..self }
    }

    /// Says whether Alice leaves the skill.
    pub fn with_end_session(self, end_session: bool) -> Self {
        Self { end_session, ..self }
    }

    /// Returns what is shown, and spoken when there is no tts.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what is spoken when it differs from the text.
    pub fn tts(&self) -> Option<&str> {
        self.tts.as_deref()
    }

    /// Returns what is spoken.
    pub fn spoken(&self) -> &str {
        self.tts().unwrap_or(&self.text)
    }

    /// Returns the buttons to show.
    pub fn buttons(&self) -> &[Button] {
        &self.buttons
    }

    /// Whether Alice leaves the skill.
    pub fn end_session(&self) -> bool {
        self.end_session
    }
}

impl From<&str> for Speech {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

fn fitted(button: Button) -> Button {
    let fits = |payload: &RawValue| {
        payload.get().starts_with('{') && payload.get().len() <= MAX_BUTTON_PAYLOAD
    };
    Button {
        title: cut(&button.title, MAX_BUTTON_TITLE),
        payload: button.payload.filter(|payload| fits(payload)),
        ..button
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_keeps_every_limit_of_the_protocol() {
        let button = |payload: String| -> Button {
            let title = "т".repeat(MAX_BUTTON_TITLE + 1);
            serde_json::from_str(&format!(r#"{{"title":"{title}","payload":{payload}}}"#)).unwrap()
        };
        let payload = |length: usize| format!(r#"{{"a":"{}"}}"#, "b".repeat(length - 8));
        let speech = Speech::new(&"т".repeat(MAX_TEXT + 1))
            .with_tts(Some(&"т".repeat(MAX_TEXT)))
            .with_buttons(vec![
                button(payload(MAX_BUTTON_PAYLOAD)),
                button(payload(MAX_BUTTON_PAYLOAD + 1)),
                button("[]".into()),
            ]);
        assert_eq!(speech.text(), "т".repeat(MAX_TEXT - 1) + "…");
        assert_eq!(speech.tts().unwrap(), "т".repeat(MAX_TEXT));
        assert_eq!(speech.buttons()[0].title, "т".repeat(MAX_BUTTON_TITLE - 1) + "…");
        let has_payload: Vec<_> = speech.buttons().iter().map(|b| b.payload.is_some()).collect();
        assert_eq!(has_payload, [true, false, false]);
    }

    #[test]
    fn an_empty_text_becomes_a_short_done_and_an_empty_tts_none() {
        for empty in ["", " \n"] {
            let speech = Speech::new(empty).with_tts(Some(empty));
            assert_eq!((speech.text(), speech.spoken()), (DONE, DONE));
        }
        assert_eq!(Speech::new("замок").with_tts(Some("зам+ок")).spoken(), "зам+ок");
    }
}
