//! Joining: a code in, this PC's key out (docs/agents.md, "Joining"), and into the config.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::config::{self, Config, ConfigError, Key};
use crate::link::Link;
use crate::link::dial;
use crate::link::trouble::Trouble;
use crate::system::{self, Places, write_private};

/// Characters of a PC's name.
const MAX_NAME: usize = 64;

/// Why this PC has not joined.
pub enum JoinError {
    /// The config that is there can't be used, so its own commands would be lost.
    Config(ConfigError),
    /// The relay can't be asked.
    Trouble(Trouble),
    /// The code does not count.
    Code,
    /// The relay does not see that the request came over TLS, or its webhook stands open.
    Refused,
    /// What came is no answer of a relay's.
    Answer(u16),
    /// A file can't be written.
    Files(io::Error),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}. Исправьте их и повторите: код ещё действует"),
            Self::Trouble(trouble) => trouble.fmt(f),
            Self::Code => f.write_str(
                "код неверный, уже использован или старше пяти минут. Получите на сервере новую строку командой \
                 invite",
            ),
            Self::Refused => f.write_str(
                "сервер не выдаёт ключ: он не видит, что запрос пришёл по https, либо на нём не задан \
                 WEBHOOK_SECRET. Что исправить, напишет на сервере команда invite и его журнал",
            ),
            Self::Answer(404 | 405) => f.write_str(
                "home-alice-relay на сервере не знает команды join: обновите его, либо пропустите /ws/join в прокси",
            ),
            Self::Answer(status @ 502..=504) => Trouble::RelayDown(*status).fmt(f),
            Self::Answer(status) => write!(f, "сервер ответил непонятно (код {status}). Проверьте адрес"),
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
    let content = |key: &Key, name: &str| config::joined(before.as_deref(), server, key, name);
    // Before the code is used up: whatever stands in the config must be usable behind its new head.
    let any_key = Key::new("-").expect("a dash is visible");
    Config::parse(&content(&any_key, "")).map_err(JoinError::Config)?;
    places.make().map_err(JoinError::Files)?;

    let (key, name) = ask(server, code)?;
    write_private(&places.config, &content(&key, &name)).map_err(JoinError::Files)?;
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
    let random = || RandomState::new().build_hasher().finish();
    let request = Request { code, id: format!("{:016x}{:016x}", random(), random()) };
    let body = serde_json::to_string(&request).expect("two texts always serialise");
    let path = format!("{}/join", server.path.trim_end_matches('/'));
    let (status, body) = dial::post(server, &path, &body).map_err(JoinError::Trouble)?;
    match status {
        200 => {}
        400 | 401 => return Err(JoinError::Code),
        403 => return Err(JoinError::Refused),
        300..=399 => return Err(JoinError::Trouble(Trouble::Redirect("https://".into()))),
        _ => return Err(JoinError::Answer(status)),
    }
    let given: Given = serde_json::from_slice(&body).map_err(|_| JoinError::Answer(status))?;
    let key = Key::new(&given.key).ok_or(JoinError::Answer(status))?;
    let is_name =
        given.name.chars().count() <= MAX_NAME && given.name.chars().all(char::is_alphanumeric);
    Ok((key, if is_name { given.name } else { String::new() }))
}
