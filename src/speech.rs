//! A reply for Alice, made to fit the protocol (docs/facts/alice.md) before anything else uses it.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::json::has_lone_surrogate;
use crate::text::cut;
use crate::tts;

/// Longest text of a reply, in Unicode scalar values; its tts likewise, without `<speaker …>` tags
/// (docs/facts/alice.md).
pub const MAX_TEXT: usize = 1024;

/// Longest title of a button, in Unicode scalar values (docs/facts/alice.md).
pub const MAX_BUTTON_TITLE: usize = 64;

/// Largest payload of a button, in bytes (docs/facts/alice.md).
pub const MAX_BUTTON_PAYLOAD: usize = 4 * 1024;

/// Longest address that a button opens, in bytes (docs/facts/alice.md).
pub const MAX_BUTTON_URL: usize = 1024;

/// Replaces an empty text, which the protocol forbids.
pub const DONE: &str = "Готово.";

/// Replaces an unusable text of an answer.
pub const NOT_UNDERSTOOD: &str = "Компьютер прислал непонятный ответ.";

/// The beginning of the original agent's answer when a command has failed (docs/facts/agent.md).
const FAILURE: &str = "Не удалось";

/// Further beginnings, each followed by a colon somewhere: «Ошибка при переключении: …».
const FAILURES: [&str; 4] = ["Ошибка:", "Ошибка при ", "Ошибка поиска ", "Ошибка подключения "];

/// A button under a reply. Pressing one without a payload sends its title as a command.
#[derive(Debug, Clone, Serialize)]
pub struct Button {
    /// At most [`MAX_BUTTON_TITLE`] characters; a longer one is cut.
    pub title: String,
    /// Whether the button goes away with the next turn.
    pub hide: bool,
    /// A page to open, at most [`MAX_BUTTON_URL`] bytes; a longer one is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// An object of at most [`MAX_BUTTON_PAYLOAD`] bytes; anything else is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<RawValue>>,
}

/// A reply for Alice, within every limit of the protocol.
#[derive(Debug, Clone)]
pub struct Speech {
    text: String,
    tts: Option<String>,
    buttons: Vec<Button>,
    /// The agent's decision, if it made one.
    end_session: Option<bool>,
    failed: bool,
}

impl Speech {
    /// Creates a reply. An empty text becomes «Готово.», a long one is cut.
    pub fn new(text: &str) -> Self {
        let text = if text.trim().is_empty() { DONE } else { text };
        let failed = tells_of_failure(text);
        Self { text: cut(text, MAX_TEXT), tts: None, buttons: Vec::new(), end_session: None, failed }
    }

    /// Sets the TTS text, cut to the limit. Ignores a blank one.
    pub fn with_tts(self, tts: Option<&str>) -> Self {
        let tts = tts.filter(|tts| !tts.trim().is_empty()).map(|tts| tts::cut(tts, MAX_TEXT));
        Self { tts, ..self }
    }

    /// Sets the buttons. Cuts a long title, leaves out a url or payload that does not fit, and a button without a
    /// title.
    pub fn with_buttons(self, buttons: Vec<Button>) -> Self {
        let has_title = |button: &Button| !button.title.trim().is_empty();
        Self { buttons: buttons.into_iter().filter(has_title).map(fitted).collect(), ..self }
    }

    /// Removes buttons whose press would tell nothing: Yandex makes no words of a title like «▶», so only a page to
    /// open counts, or the payload if the agent is told of it. Also returns whether any was removed.
    pub fn without_wordless_buttons(mut self, payloads_are_told: bool) -> (Self, bool) {
        let before = self.buttons.len();
        self.buttons.retain(|button| {
            button.title.contains(char::is_alphanumeric)
                || button.url.is_some()
                || (payloads_are_told && button.payload.is_some())
        });
        let were_any = self.buttons.len() < before;
        (self, were_any)
    }

    /// Decides whether Alice leaves the skill.
    pub fn with_end_session(self, end_session: bool) -> Self {
        Self { end_session: Some(end_session), ..self }
    }

    /// Takes over that decision from another reply.
    pub fn with_end_of(self, other: &Self) -> Self {
        Self { end_session: other.end_session, ..self }
    }

    /// Whether the session may close after this reply: the agent did not decide that, and the reply asks for nothing by
    /// a question or buttons.
    pub fn asks_for_nothing(&self) -> bool {
        let ends_in_a_question = |words: &str| words.trim_end().ends_with('?');
        self.end_session.is_none()
            && self.buttons.is_empty()
            && !ends_in_a_question(&self.text)
            && !ends_in_a_question(self.spoken())
    }

    /// Marks the reply as a failure unless `ok`, which is the agent's verdict.
    pub fn with_ok(self, ok: bool) -> Self {
        Self { failed: self.failed || !ok, ..self }
    }

    /// Whether the command failed, by the agent's verdict or by the original agent's words.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Puts the PC's name before the reply, in the nominative, which avoids declining it.
    pub fn by(self, name: &str) -> Self {
        let named = |words: &str| format!("{}: {words}", title(name));
        let tts = self.tts.as_deref().map(|tts| tts::cut(&named(tts), MAX_TEXT));
        Self { text: cut(&named(&self.text), MAX_TEXT), tts, ..self }
    }

    /// Returns the text to show, and to speak if there is no TTS text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the text to speak, if it differs from the text to show.
    pub fn tts(&self) -> Option<&str> {
        self.tts.as_deref()
    }

    /// Returns the text to speak.
    pub fn spoken(&self) -> &str {
        self.tts().unwrap_or(&self.text)
    }

    /// Returns the buttons to show.
    pub fn buttons(&self) -> &[Button] {
        &self.buttons
    }

    /// Whether Alice leaves the skill.
    pub fn end_session(&self) -> bool {
        self.end_session.unwrap_or(false)
    }
}

impl From<&str> for Speech {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// Returns the reply for an answer with an unusable text; `name` is the PC's, if there are several.
pub fn not_understood(name: Option<&str>) -> Speech {
    match name {
        None => Speech::new(NOT_UNDERSTOOD),
        Some(name) => Speech::new("пришёл непонятный ответ.").by(name),
    }
}

/// Capitalises a PC's name for the beginning of a sentence.
pub fn title(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// Whether the text reports a failure as the original agent does.
fn tells_of_failure(text: &str) -> bool {
    let is_failure = |rest: &str| !rest.starts_with(char::is_alphabetic);
    text.strip_prefix(FAILURE).is_some_and(is_failure)
        || FAILURES.iter().any(|failure| text.starts_with(failure) && text.contains(':'))
}

fn fitted(button: Button) -> Button {
    let fits = |payload: &RawValue| {
        let json = payload.get();
        json.starts_with('{') && json.len() <= MAX_BUTTON_PAYLOAD && !has_lone_surrogate(json)
    };
    Button {
        title: cut(&button.title, MAX_BUTTON_TITLE),
        url: button.url.filter(|url| url.len() <= MAX_BUTTON_URL),
        payload: button.payload.filter(|payload| fits(payload)),
        ..button
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_keeps_every_limit_of_the_protocol() {
        let button = |payload: String| Button {
            title: "т".repeat(MAX_BUTTON_TITLE + 1),
            hide: false,
            url: None,
            payload: Some(RawValue::from_string(payload).unwrap()),
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
    fn a_button_needs_a_title_and_its_url_must_fit() {
        let button = |title: &str, length| Button {
            title: title.into(),
            hide: true,
            url: Some("u".repeat(length)),
            payload: None,
        };
        let buttons = vec![
            button("да", MAX_BUTTON_URL),
            button("нет", MAX_BUTTON_URL + 1),
            button("", 1),
            button(" ", 1),
        ];
        let speech = Speech::new("текст").with_buttons(buttons);
        let fitted: Vec<_> =
            speech.buttons().iter().map(|b| (b.title.as_str(), b.url.is_some(), b.hide)).collect();
        assert_eq!(fitted, [("да", true, true), ("нет", false, true)]);
    }

    #[test]
    fn a_button_without_words_stays_only_if_its_press_tells_something() {
        let button = |title: &str, url: Option<&str>, payload: Option<&str>| Button {
            title: title.into(),
            hide: true,
            url: url.map(Into::into),
            payload: payload.map(|json| RawValue::from_string(json.into()).unwrap()),
        };
        let speech = Speech::new("Играет.").with_buttons(vec![
            button("▶", None, Some("{}")),
            button("▶ дальше", None, Some("{}")),
            button("10", None, None),
            button("🎬", Some("https://a.example"), None),
            button("⏹️", None, None),
        ]);
        let titles = |payloads_are_told| {
            let (speech, were_any) = speech.clone().without_wordless_buttons(payloads_are_told);
            assert!(were_any);
            speech.buttons().iter().map(|button| button.title.clone()).collect::<Vec<_>>()
        };
        assert_eq!(titles(false), ["▶ дальше", "10", "🎬"]);
        assert_eq!(titles(true), ["▶", "▶ дальше", "10", "🎬"]);
        assert!(!Speech::new("Играет.").without_wordless_buttons(false).1);
    }

    #[test]
    fn a_pc_that_is_named_stands_first_in_what_is_shown_and_spoken() {
        let speech = Speech::new("готово").with_tts(Some("гот+ово")).by("ноутбук");
        assert_eq!((speech.text(), speech.spoken()), ("Ноутбук: готово", "Ноутбук: гот+ово"));
        assert_eq!(Speech::new(&"я".repeat(MAX_TEXT)).by("ёж").text().chars().count(), MAX_TEXT);
    }

    #[test]
    fn what_asks_for_something_is_a_question_or_has_buttons_and_who_has_said_it_himself_is_not_asked() {
        let button = Button { title: "да".into(), hide: true, url: None, payload: None };
        assert!(Speech::new("Сделано.").asks_for_nothing());
        for speech in [
            Speech::new("Какую громкость? "),
            Speech::new("Какую").with_tts(Some("как+ую?")),
            Speech::new("Выберите.").with_buttons(vec![button]),
            Speech::new("Сделано.").with_end_session(false),
            Speech::new("Сделано.").with_end_session(true),
        ] {
            assert!(!speech.asks_for_nothing(), "{speech:?}");
        }
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
