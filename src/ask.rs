//! The questions a person asks the running relay: is it healthy, and what would Alice say?

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::client::{Client, ClientError};
use crate::config::{ConfigError, ListenAddr};
use crate::credentials::{ASK_FIELD, Credentials};
use crate::http::listener::reachable;
use crate::limits::{ASK_AGAIN, ASK_TIMEOUT, HEALTHCHECK_TIMEOUT};
use crate::phrases::NEWS_COMMANDS;
use crate::secret::{hide, random_bytes};
use crate::text::quoted;
use crate::turns::Outcome;

/// Where the running relay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target(SocketAddr);

/// Why there is nothing to tell.
#[derive(Debug)]
pub enum AskError {
    /// The address is of no use; the problem and the cure.
    Address(String),
    /// The relay can't be reached, or broke off.
    Client(Target, ClientError),
    /// It answers, but there is no webhook where these credentials have it.
    WrongAddress(Target),
    /// It answers, but not as a relay does.
    Unexpected(Target, u16, String),
    /// The system gives no random bytes.
    System(std::io::Error),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(problem) => f.write_str(problem),
            Self::Client(target, error @ ClientError::Unreachable(_)) => write!(
                f,
                "the relay at {} can't be reached: {error}. Is it running, and is this its LISTEN_ADDR?",
                target.0
            ),
            Self::Client(target, error) => write!(f, "the relay at {}: {error}", target.0),
            Self::WrongAddress(target) => write!(
                f,
                "what answers at {} has no webhook for this WEBHOOK_SECRET. Run ask with the relay's own \
                 environment",
                target.0
            ),
            Self::Unexpected(target, status, body) => {
                write!(f, "what answers at {} is not the relay: {status} {}", target.0, quoted(body))
            }
            Self::System(error) => write!(f, "the system refuses: {error}"),
        }
    }
}

impl std::error::Error for AskError {}

impl From<ConfigError> for AskError {
    fn from(error: ConfigError) -> Self {
        Self::Address(error.to_string())
    }
}

impl Target {
    /// The relay that listens on `listen`, seen from its own machine.
    ///
    /// # Errors
    /// The port is 0: nobody knows which one was picked.
    pub fn of_listener(listen: &ListenAddr) -> Result<Self, AskError> {
        if listen.port == 0 {
            let problem = "LISTEN_ADDR has port 0, which the relay replaced by a free one: \
                           name it with --url http://127.0.0.1:PORT";
            return Err(AskError::Address(problem.into()));
        }
        let address = SocketAddr::new(listen.host.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), listen.port);
        Ok(Self(reachable(address)))
    }

    /// The relay at `url`, `http://host:port`.
    ///
    /// # Errors
    /// The URL is not of this form.
    pub fn of_url(url: &str) -> Result<Self, AskError> {
        let bad = || {
            let url = quoted(url);
            AskError::Address(format!(
                "--url is {url}: it may be http://host:port, the host being an address or localhost"
            ))
        };
        let rest = url.strip_prefix("http://").ok_or_else(bad)?;
        let host = rest.strip_suffix('/').unwrap_or(rest);
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let listen: ListenAddr = host.parse().map_err(|_| bad())?;
        Ok(Self(SocketAddr::new(listen.host.ok_or_else(bad)?, listen.port)))
    }
}

/// Asks whether the relay is healthy.
///
/// # Errors
/// It is not, or can't be reached within [`HEALTHCHECK_TIMEOUT`].
pub fn healthcheck(target: Target) -> Result<(), AskError> {
    let response =
        Client::connect(target.0, HEALTHCHECK_TIMEOUT).and_then(|client| client.get("/health"));
    match response {
        Ok(response) if response.status == 200 && response.body.starts_with(br#"{"status":"ok""#) => {
            Ok(())
        }
        Ok(response) => {
            let body = String::from_utf8_lossy(&response.body).into();
            Err(AskError::Unexpected(target, response.status, body))
        }
        Err(error) => Err(AskError::Client(target, error)),
    }
}

/// What Alice would say, and how the relay came to it.
#[derive(Debug)]
pub struct Said {
    /// The text.
    pub text: String,
    /// The relay's word for how the turn ended; none from a relay of another version.
    pub outcome: Option<String>,
}

impl Said {
    /// Whether the agent answered, in time or late.
    pub fn by_agent(&self) -> bool {
        let by_agent = [Outcome::Answered.name(), Outcome::News.name()];
        self.outcome.as_deref().is_some_and(|outcome| by_agent.contains(&outcome))
    }

    /// Whether the agent may still answer.
    pub fn is_late(&self) -> bool {
        self.outcome.as_deref() == Some(Outcome::TooLate.name())
    }
}

/// Sends a turn like Alice's, in nobody's name: `credentials`, the relay's own, let it in.
///
/// # Errors
/// The relay can't be reached, or doesn't answer as one.
pub fn ask(target: Target, credentials: &Credentials, phrase: &str) -> Result<Said, AskError> {
    let id = random_bytes::<8>().map_err(AskError::System)?.map(|b| format!("{b:02x}")).concat();
    let command = phrase.to_lowercase();
    let session_id = format!("ask-{id}");
    let turn = AskedTurn {
        session: AskedSession { new: false, message_id: 1, session_id: &session_id, user_id: "ask" },
        request: AskedRequest {
            command: command.trim(),
            original_utterance: phrase,
            r#type: "SimpleUtterance",
        },
        version: "1.0",
    };
    let turn = serde_json::to_string(&turn).expect("strings, a number and a boolean always serialise");
    let (path, token) = (credentials.webhook_path(), credentials.ask_token());
    let response = Client::connect(target.0, ASK_TIMEOUT)
        .and_then(|client| client.post(&path, (ASK_FIELD, token.reveal()), &turn))
        .map_err(|error| AskError::Client(target, error))?;
    match serde_json::from_slice::<Reply>(&response.body) {
        Ok(reply) if response.status == 200 => {
            Ok(Said { text: reply.response.text, outcome: response.outcome })
        }
        _ if response.status == 404 => Err(AskError::WrongAddress(target)),
        _ => {
            // Whatever answers there may repeat the path.
            let body = hide(String::from_utf8_lossy(&response.body).into(), &credentials.secrets());
            Err(AskError::Unexpected(target, response.status, body))
        }
    }
}

/// Asks for the late answer again and again, until it is there, there is none to come, or `patience` is
/// over; the last that Alice would say.
///
/// # Errors
/// As [`ask`].
pub fn wait(target: Target, credentials: &Credentials, patience: Duration) -> Result<Said, AskError> {
    let end = Instant::now() + patience;
    loop {
        let said = ask(target, credentials, NEWS_COMMANDS[0])?;
        let at_work = said.outcome.as_deref() == Some(Outcome::AtWork.name());
        if !at_work || Instant::now() + ASK_AGAIN > end {
            return Ok(said);
        }
        // The relay can't call back; that is the very reason for late answers.
        std::thread::sleep(ASK_AGAIN);
    }
}

/// A turn like Alice's, as far as the relay looks at one.
#[derive(Serialize)]
struct AskedTurn<'a> {
    session: AskedSession<'a>,
    request: AskedRequest<'a>,
    version: &'a str,
}

#[derive(Serialize)]
struct AskedSession<'a> {
    new: bool,
    message_id: u32,
    session_id: &'a str,
    user_id: &'a str,
}

#[derive(Serialize)]
struct AskedRequest<'a> {
    command: &'a str,
    original_utterance: &'a str,
    r#type: &'a str,
}

#[derive(Deserialize)]
struct Reply {
    response: ReplyText,
}

#[derive(Deserialize)]
struct ReplyText {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str) -> Result<String, String> {
        let listen = address.parse().unwrap();
        Target::of_listener(&listen).map(|t| t.0.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_relay_on_every_interface_is_reached_on_the_loopback() {
        assert_eq!(listener(":8080").unwrap(), "127.0.0.1:8080");
        assert_eq!(listener("0.0.0.0:81").unwrap(), "127.0.0.1:81");
        assert_eq!(listener("[::1]:8080").unwrap(), "[::1]:8080");
        assert!(listener("127.0.0.1:0").unwrap_err().contains("--url"));
    }

    #[test]
    fn a_url_is_plain_http_and_has_no_path() {
        let host = |url: &str| Target::of_url(url).map(|t| t.0.to_string()).map_err(|e| e.to_string());
        assert_eq!(host("http://127.0.0.1:8080/").unwrap(), "127.0.0.1:8080");
        assert_eq!(host("http://localhost").unwrap(), "127.0.0.1:80");
        for url in ["https://localhost", "::1:80", "http://", "http://[::1]:1/health", "http://:80"] {
            assert!(host(url).unwrap_err().contains("http://host:port"), "{url}");
        }
    }
}
