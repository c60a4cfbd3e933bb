//! Joining: a code in, this PC's key out (docs/agents.md, "Joining"), and into the config.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use notify::{RecursiveMode, Watcher};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::config::{self, Config, ConfigError, Key};
use crate::link::Link;
use crate::link::dial::{self, Response};
use crate::link::trouble::Trouble;
use crate::status::{self, Told};
use crate::system::{self, Places, write_private};

/// Characters of a PC's name.
const MAX_NAME: usize = 64;

/// How long an agent that runs has to take a new key up.
const AGENT_TIMEOUT: Duration = Duration::from_secs(15);

/// Why this PC has not joined.
pub enum JoinError {
    /// The config that is there can't be used, so its own commands would be lost.
    Config(ConfigError),
    Trouble(Trouble),
    Code,
    /// The relay does not see that the request came over TLS, or its webhook stands open.
    Refused,
    /// What came with this status is no key.
    NoKey(u16),
    Files(io::Error),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}. Исправьте их и повторите: код ещё действует"),
            Self::Trouble(trouble) => f.write_str(trouble.told().trim_end_matches('.')),
            Self::Code => f.write_str(
                "код неверный, уже использован или старше пяти минут. Получите на сервере новую строку командой \
                 invite",
            ),
            Self::Refused => f.write_str(
                "сервер не выдаёт ключ: он не видит, что запрос пришёл по https, либо на нём не задан \
                 WEBHOOK_SECRET. Что исправить, напишет на сервере команда invite и его журнал",
            ),
            Self::NoKey(status) => {
                write!(f, "home-alice-relay ответил непонятно (код {status}): обновите его и получите новую строку")
            }
            Self::Files(error) => write!(f, "настройки не записываются: {error}"),
        }
    }
}

/// Trades `code` for this PC's key at `server`, and writes the config. Returns the PC's name.
///
/// # Errors
/// Why there is no key, or no config.
pub fn join(server: &Address, code: &str, places: &Places) -> Result<String, JoinError> {
    let before = match config::read(&places.config) {
        Ok(text) => Some(text),
        Err(ConfigError::Missing) => None,
        Err(error) => return Err(JoinError::Config(error)),
    };
    let content =
        |key: &Key, name: &str| config::joined(before.as_deref(), server, key, name).map_err(JoinError::Config);
    // Before the code is used up: what stands in the config must be usable behind its new head, and the disk take it.
    let any_key = Key::new("-").expect("a dash is visible");
    let tried = content(&any_key, "")?;
    Config::parse(&tried).map_err(JoinError::Config)?;
    places.make().and_then(|()| system::try_to_write(&places.config, &tried)).map_err(JoinError::Files)?;

    let (key, name) = ask(server, code)?;
    write_private(&places.config, &content(&key, &name)?).map_err(JoinError::Files)?;
    Ok(name)
}

/// Connects once with what the config says.
///
/// # Errors
/// There is no relay that lets this PC in.
pub fn try_link(config: Config) -> Result<(), Trouble> {
    let link = Link::new(config.server, config.key, system::uptime, system::cards);
    let (link, _mail) = link.map_err(|error| Trouble::Broken(error.to_string()))?;
    link.try_once()
}

/// Waits until the agent that is this process has told something new, which it does soon behind a new config.
pub fn await_agent(places: &Places, process: u32, before: Option<Told>) {
    let has_told = || status::read(&places.status, process).is_some_and(|told| before.as_ref() != Some(&told));
    await_status(places, has_told);
}

/// Waits until an agent that was started has a link, or says why not.
#[cfg(windows)]
pub fn await_start(places: &Places) {
    let told = || system::holder(&places.lock).and_then(|process| status::read(&places.status, process));
    await_status(places, || told().is_some_and(|told| told.linked.is_some() || told.trouble != status::CONNECTING));
}

/// Waits until something holds, looking again whenever the file of the status changes, but not for ever.
fn await_status(places: &Places, holds: impl Fn() -> bool) {
    let (changed, changes) = std::sync::mpsc::channel();
    let watcher = notify::recommended_watcher(move |_| _ = changed.send(()));
    let folder = places.status.parent().unwrap_or(Path::new("/"));
    let watched = watcher.and_then(|mut watcher| watcher.watch(folder, RecursiveMode::NonRecursive).map(|()| watcher));
    let until = Instant::now() + AGENT_TIMEOUT;
    while !holds() {
        let left = until.saturating_duration_since(Instant::now());
        if watched.is_err() || changes.recv_timeout(left).is_err() {
            return;
        }
    }
}

fn ask(server: &Address, code: &str) -> Result<(Key, String), JoinError> {
    #[derive(Serialize)]
    struct Request<'a> {
        code: &'a str,
        /// So that nobody who has read the code over a shoulder can make an equal request.
        id: String,
    }
    #[derive(Deserialize)]
    struct Given {
        key: String,
        #[serde(default)]
        name: String,
    }
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(rename = "error")]
        _error: String,
    }
    let random = || RandomState::new().build_hasher().finish();
    let request = Request { code, id: format!("{:016x}{:016x}", random(), random()) };
    let body = serde_json::to_string(&request).expect("two texts always serialise");
    let path = format!("{}/join", server.path.trim_end_matches('/'));
    let mut response = dial::post(server, &path, &body);
    // An equal request within 10 s hears the same (docs/agents.md, "Joining").
    if matches!(response, Err(Trouble::Broken(_) | Trouble::NotHttp)) {
        response = dial::post(server, &path, &body);
    }
    let Response { status, location, body } = response.map_err(JoinError::Trouble)?;
    if let (200, Ok(given)) = (status, serde_json::from_slice::<Given>(&body)) {
        let key = Key::new(&given.key).ok_or(JoinError::NoKey(status))?;
        let is_name = given.name.chars().count() <= MAX_NAME && given.name.chars().all(char::is_alphanumeric);
        return Ok((key, if is_name { given.name } else { String::new() }));
    }
    let is_relays = serde_json::from_slice::<Refusal>(&body).is_ok();
    Err(match status {
        400 | 401 if is_relays => JoinError::Code,
        403 if is_relays => JoinError::Refused,
        200 => JoinError::NoKey(status),
        404 | 405 if is_relays => JoinError::Trouble(Trouble::OldRelay),
        // As nginx answers what comes to a port of TLS in the clear.
        400 if !server.is_tls => JoinError::Trouble(Trouble::NotHttp),
        _ => JoinError::Trouble(Trouble::of_status(status, location.as_deref())),
    })
}
