//! The messages between relay and agent in `Protocol::V1`, and the reply in both protocols. Plain data.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json::{self, Text};
use crate::object::Fields;
use crate::speech::{Button, Speech, not_understood};

/// Encodes one command.
pub fn command(id: &str, text: &str) -> String {
    #[derive(Serialize)]
    struct Command<'a> {
        id: &'a str,
        text: &'a str,
    }
    json::of(&Command { id, text })
}

/// The agent's answer to one command.
#[derive(Debug)]
pub struct AgentReply {
    /// The id of the command.
    pub id: String,
    /// The answer, made to fit Alice.
    pub speech: Speech,
    /// Parts that were left out because they are unusable.
    pub left_out: Vec<&'static str>,
}

/// Why a message is not an answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// It is no JSON object.
    NoObject(serde_json::Error),
    /// Its id is missing or no string, so it belongs to no command.
    NoId,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoObject(error) => write!(f, "it is no JSON object: {error}"),
            Self::NoId => f.write_str("its id is missing or no string"),
        }
    }
}

impl AgentReply {
    /// Parses an answer and makes it fit Alice. A readable id makes a message an answer; unusable parts are left out, and
    /// without a usable text Alice says so. `name` is the agent's, if there are several.
    ///
    /// # Errors
    /// The message belongs to no command.
    pub fn parse(message: &str, name: Option<&str>) -> Result<Self, NoAnswer> {
        let message = message.strip_prefix('\u{feff}').unwrap_or(message);
        let parts: Fields<'_> = serde_json::from_str(message).map_err(NoAnswer::NoObject)?;
        let id = read::<Text<'_>>(parts.get("id")).flatten().ok_or(NoAnswer::NoId)?.0.into_owned();
        let mut left_out = Vec::new();
        let mut may_lack = |name, is_unusable: bool| left_out.extend(is_unusable.then_some(name));
        let text = read::<Text<'_>>(parts.get("text")).flatten();
        may_lack("text", text.is_none());
        let tts = read::<Text<'_>>(parts.get("tts"));
        may_lack("tts", tts.is_none());
        let end_session = read::<bool>(parts.get("end_session"));
        may_lack("end_session", end_session.is_none());
        let ok = read::<bool>(parts.get("ok"));
        may_lack("ok", ok.is_none());
        let listed = read::<Vec<&RawValue>>(parts.get("buttons"));
        may_lack("buttons", listed.is_none());
        let mut buttons = Vec::new();
        for raw in listed.flatten().unwrap_or_default() {
            let (button, is_whole) = button(raw);
            may_lack("a button or a part of one", button.is_none() || !is_whole);
            buttons.extend(button);
        }
        let speech = text
            .as_ref()
            .map_or_else(|| not_understood(name), |text| Speech::new(&text.0))
            .with_tts(tts.flatten().as_ref().filter(|_| text.is_some()).map(|tts| &*tts.0))
            .with_buttons(buttons)
            .with_ok(ok.flatten().unwrap_or(true));
        let speech = match end_session.flatten() {
            Some(end_session) => speech.with_end_session(end_session),
            None => speech,
        };
        Ok(Self { id, speech, left_out })
    }
}

/// Parses an optional part: `Some(None)` if it is missing or `null`, `None` if it is unusable.
fn read<'a, T: Deserialize<'a>>(part: Option<&'a RawValue>) -> Option<Option<T>> {
    part.map(|json| serde_json::from_str(json.get()).ok()).map_or(Some(None), |read| read.map(Some))
}

/// Parses a button, if it has a title. The second value tells whether all of it is usable.
fn button(raw: &RawValue) -> (Option<Button>, bool) {
    let Some(parts) = Fields::of(raw) else { return (None, false) };
    let title = read::<Text<'_>>(parts.get("title")).flatten();
    let (hide, url) = (read::<bool>(parts.get("hide")), read::<Text<'_>>(parts.get("url")));
    let is_whole = hide.is_some() && url.is_some();
    let payload = parts.get("payload").map(ToOwned::to_owned);
    let button = title.map(|title| Button {
        title: title.0.into_owned(),
        hide: hide.flatten().unwrap_or(false),
        url: url.flatten().map(|url| url.0.into_owned()),
        payload,
    });
    (button, is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::NOT_UNDERSTOOD;

    #[test]
    fn a_command_is_the_agreed_object() {
        assert_eq!(command("a-1", "скажи \"да\""), r#"{"id":"a-1","text":"скажи \"да\""}"#);
    }

    fn said(message: &str) -> (String, Vec<&'static str>) {
        let AgentReply { id, speech, left_out } = AgentReply::parse(message, None).unwrap();
        assert_eq!(id, "a-1", "{message}");
        (speech.text().to_owned(), left_out)
    }

    #[test]
    fn an_answer_needs_an_id_and_nothing_else() {
        assert_eq!(said(r#"{"id":"a-1","text":"да","x":[1]}"#), ("да".into(), vec![]));
        assert_eq!(said("\u{feff}{\"id\":\"a-1\",\"text\":\"да\"}"), ("да".into(), vec![]));
        for message in ["", "{}", "[]", r#"{"id":1,"text":""}"#, r#"{"id":null}"#, r#"{"text":"a"}"#] {
            assert!(AgentReply::parse(message, None).is_err(), "{message}");
        }
    }

    #[test]
    fn without_a_text_that_can_be_used_alice_says_so() {
        for text in ["", r#","text":null"#, r#","text":5"#, r#","text":["да"],"tts":"да""#] {
            let message = format!(r#"{{"id":"a-1"{text}}}"#);
            assert_eq!(said(&message), (NOT_UNDERSTOOD.into(), vec!["text"]), "{message}");
            assert_eq!(AgentReply::parse(&message, None).unwrap().speech.spoken(), NOT_UNDERSTOOD);
            let named = AgentReply::parse(&message, Some("ноутбук")).unwrap().speech;
            assert_eq!(named.spoken(), "Ноутбук: пришёл непонятный ответ.");
        }
    }

    #[test]
    fn a_bad_part_is_left_out_and_the_rest_is_said() {
        for (part, left_out) in [
            (r#""tts":5"#, vec!["tts"]),
            (r#""end_session":0"#, vec!["end_session"]),
            (r#""ok":"no""#, vec!["ok"]),
            (r#""buttons":{}"#, vec!["buttons"]),
            (r#""buttons":[5]"#, vec!["a button or a part of one"]),
            (
                r#""buttons":[{"title":null},{"title":"да","hide":1}]"#,
                vec!["a button or a part of one"; 2],
            ),
            (r#""tts":null,"buttons":null,"end_session":null"#, vec![]),
        ] {
            let message = format!(r#"{{"id":"a-1","text":"да",{part}}}"#);
            assert_eq!(said(&message), ("да".into(), left_out), "{message}");
        }
    }

    #[test]
    fn an_agent_may_say_that_its_command_failed() {
        for (rest, failed) in [
            (r#""text":"да""#, false),
            (r#""text":"да","ok":true"#, false),
            (r#""text":"да","ok":null"#, false),
            (r#""text":"да","ok":"false""#, false),
            (r#""text":"нет","ok":false"#, true),
            (r#""text":"Ошибка: нет такого окна""#, true),
            (r#""text":"Ошибка: нет такого окна","ok":true"#, true),
            (r#""text":"Не удалось обработать команду: нет сети""#, true),
            (r#""text":"Ошибка при переключении: нет прав""#, true),
            (r#""text":"Ошибка поиска видео: 500""#, true),
            (r#""text":"Ошибка подключения к браузеру: нет его""#, true),
            (r#""text":"Без ошибки: да""#, false),
            (r#""text":"Готово. Ошибка: нет""#, false),
            (r#""text":"Ошибка исправлена: перезапустил""#, false),
            (r#""text":"Не удалось""#, true),
            (r#""text":"Не удалось.""#, true),
            (r#""text":"Не удалосьбы""#, false),
        ] {
            let message = format!(r#"{{"id":"a-1",{rest}}}"#);
            assert_eq!(AgentReply::parse(&message, None).unwrap().speech.failed(), failed, "{message}");
        }
    }

    #[test]
    fn of_equal_keys_the_last_counts() {
        assert_eq!(said(r#"{"id":5,"text":"нет","text":"да","id":"a-1"}"#), ("да".into(), vec![]));
    }

    #[test]
    fn lone_surrogates_are_replaced_wherever_they_stand() {
        let message = r#"{"id":"a-1","text":"\udcff","tts":"\ud800","buttons":[{"title":"\udcff","payload":{"a":"\udcff"}}]}"#;
        let speech = AgentReply::parse(message, None).unwrap().speech;
        assert_eq!((speech.text(), speech.tts()), ("\u{fffd}", Some("\u{fffd}")));
        assert_eq!(speech.buttons()[0].title, "\u{fffd}");
        assert!(speech.buttons()[0].payload.is_none());
    }
}
