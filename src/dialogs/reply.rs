//! The reply to a turn: Yandex Dialogs' JSON (docs/facts/alice.md), and two header fields for `ask`.

use serde::Serialize;

use crate::commands::outcome::Outcome;
use crate::http::response::Response;
use crate::speech::{Button, Speech};

/// The header field with the turn's outcome: [`Outcome::name`].
pub const OUTCOME_FIELD: &str = "Relay-Outcome";

/// The header field with the id of the turn's command; in a request of `ask`, the command that it asks about.
pub const COMMAND_FIELD: &str = "Relay-Command";

/// Returns the response to a turn; `version` is the turn's protocol version.
pub fn reply(speech: &Speech, version: &str, outcome: Outcome) -> Response {
    Response::json(json(speech, version)).with(OUTCOME_FIELD, outcome.name())
}

/// Encodes the reply's body; `version` is the turn's protocol version.
pub fn json(speech: &Speech, version: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Reply<'a> {
        response: Body<'a>,
        version: &'a str,
    }
    #[derive(Serialize)]
    struct Body<'a> {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        tts: Option<&'a str>,
        #[serde(skip_serializing_if = "<[Button]>::is_empty")]
        buttons: &'a [Button],
        end_session: bool,
    }
    let response = Body {
        text: speech.text(),
        tts: speech.tts(),
        buttons: speech.buttons(),
        end_session: speech.end_session(),
    };
    serde_json::to_vec(&Reply { response, version })
        .expect("strings, booleans and raw JSON always serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_the_protocols_object_and_leaves_out_what_there_is_not() {
        let text = |speech: &Speech| String::from_utf8(json(speech, "1.0")).unwrap();
        assert_eq!(
            text(&"да".into()),
            r#"{"response":{"text":"да","end_session":false},"version":"1.0"}"#
        );
        let button = Button { title: "ещё".into(), hide: true, url: None, payload: None };
        let whole = Speech::new("замок")
            .with_tts(Some("зам+ок"))
            .with_buttons(vec![button])
            .with_end_session(true);
        assert_eq!(
            text(&whole),
            r#"{"response":{"text":"замок","tts":"зам+ок","buttons":[{"title":"ещё","hide":true}],"end_session":true},"version":"1.0"}"#
        );
    }
}
