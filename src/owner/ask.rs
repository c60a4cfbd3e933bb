//! `ask`: sends a turn like Alice's, authenticated by the relay's own secrets.

use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;

use crate::commands::REMEMBERED_FOR;
use crate::commands::outcome::Outcome;
use crate::config::credentials::{ASK_FIELD, Credentials};
use crate::dialogs::reply::{COMMAND_FIELD, OUTCOME_FIELD};
use crate::dialogs::words;
use crate::http::client::Client;
use crate::json;
use crate::object::Fields;
use crate::owner::target::{AskError, RelayAddress};
use crate::secret::{hide, random_bytes};

/// How long `ask` waits for a reply: 2 s more than the largest `REPLY_TIMEOUT_MS`.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(32);

/// How often `ask --wait` polls.
pub const ASK_AGAIN: Duration = Duration::from_millis(500);

/// The most that `ask --wait` may wait: as long as an answer is kept.
pub const MAX_WAIT: Duration = REMEMBERED_FOR;

/// A reply, and how the relay came to it.
#[derive(Debug)]
pub struct Said {
    /// What Alice would say.
    pub text: String,
    /// The name of the turn's outcome; `None` from a relay of another version.
    pub outcome: Option<String>,
    /// The id of the command, if there is one to ask about.
    pub command: Option<String>,
}

impl Said {
    /// Whether the agent answered, in time or late.
    pub fn by_agent(&self) -> bool {
        let by_agent = [Outcome::Answered.name(), Outcome::News.name()];
        self.outcome.as_deref().is_some_and(|outcome| by_agent.contains(&outcome))
    }

    /// Whether the relay will keep the late answer.
    pub fn will_be_kept(&self) -> bool {
        self.outcome.as_deref() == Some(Outcome::TooLate.name()) && self.command.is_some()
    }
}

/// Sends a turn like Alice's, in nobody's name; `credentials` are the relay's own.
///
/// # Errors
/// The relay is unreachable, or gives no valid response.
pub fn ask(target: RelayAddress, credentials: &Credentials, phrase: &str) -> Result<Said, AskError> {
    turn(target, credentials, phrase, None)
}

/// Sends a turn. One that asks for late answers is about `command`.
fn turn(
    target: RelayAddress,
    credentials: &Credentials,
    phrase: &str,
    command: Option<&str>,
) -> Result<Said, AskError> {
    let id = HEXLOWER.encode(&random_bytes::<8>().map_err(AskError::System)?);
    let (words, phrase) = (json::of(&words::normalised(phrase)), json::of(&phrase));
    let asked = format!(
        r#"{{"session":{{"new":false,"message_id":1,"session_id":"ask-{id}","user_id":"ask"}},"request":{{"command":{words},"original_utterance":{phrase},"type":"SimpleUtterance"}},"version":"1.0"}}"#
    );
    let (path, token) = (credentials.webhook_path(), credentials.ask_token());
    let mut fields = vec![(ASK_FIELD, token.reveal())];
    fields.extend(command.map(|id| (COMMAND_FIELD, id)));
    let response = Client::connect(target.0, ASK_TIMEOUT)
        .and_then(|client| client.post(&path, &fields, &asked))
        .map_err(|error| AskError::Client(target, error))?;
    let reply = Fields::of_body(&response.body).and_then(|fields| fields.object("response"));
    match reply.and_then(|reply| reply.text("text")) {
        Some(text) if response.status == 200 => {
            let field = |name| response.field(name).map(str::to_owned);
            let (outcome, command) = (field(OUTCOME_FIELD), field(COMMAND_FIELD));
            Ok(Said { text: text.into_owned(), outcome, command })
        }
        _ if response.status == 404 => Err(AskError::WrongAddress(target)),
        _ => {
            // The response may repeat the path, and so the secret.
            let body = hide(String::from_utf8_lossy(&response.body).into(), &credentials.secrets());
            Err(AskError::Unexpected(target, response.status, body))
        }
    }
}

/// Polls for the late answer to the command of `late`, until it is there, none will come, or `patience` is over.
/// Returns the last reply.
///
/// # Errors
/// As [`ask`].
pub fn wait(
    target: RelayAddress,
    credentials: &Credentials,
    late: &Said,
    patience: Duration,
) -> Result<Said, AskError> {
    let end = Instant::now() + patience.min(MAX_WAIT);
    loop {
        let said = turn(target, credentials, words::news(), late.command.as_deref())?;
        let at_work = said.outcome.as_deref() == Some(Outcome::AtWork.name());
        if !at_work || Instant::now() + ASK_AGAIN > end {
            return Ok(said);
        }
        // Polls, since the relay can't call back.
        std::thread::sleep(ASK_AGAIN);
    }
}
