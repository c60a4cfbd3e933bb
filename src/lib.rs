//! Home Alice Relay: sends a voice command from Yandex Alice to the speaker's own PC, and speaks the PC's answer.
//!
//! docs/how-it-works.md follows a turn through the program, and says which thread does what. This is the map:
//! each room uses only those below it, and tests/map.rs holds it to that. `main` is the command line.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `relay` | threads and sockets, started and stopped |
//! | `routes` | the workers, and each request's handler |
//! | `owner_page` | the owner's page: login, the relay's state, a field to submit a phrase |
//! | `owner` | the owner's commands to the running relay: `healthcheck`, `ask`, `invite`, `login`, `pair`, `setup` |
//! | `smart_home` | Yandex Smart Home: account linking, devices, actions |
//! | `dialogs` | Yandex Dialogs: turns in, replies out, phrases, who is let in |
//! | `ws` | how agents connect: the WebSocket handshake, joining with a code |
//! | `engine` | the state of all handlers; the relay without threads and sockets, as the simulation drives it |
//! | `agents` | the PCs: links, the two protocols, which link is whose, waiting for those that read slowly |
//! | `commands` | a command's life under one lock: in flight, late, its outcome; knows no HTTP, Alice or socket |
//! | `http` | the gate in front of tiny_http, requests and responses, forms, pages, the relay's own client |
//! | `runtime` | threads that must not die, the clock, the watchdog, the log and its limits |
//! | `net` | listening, ending connections; no HTTP |
//! | `config` | the environment, read once; every error names the variable and the cure |
//! | `tokens` | signed tokens and one-time codes |
//! | `secret` | keys that are never printed; random bytes |
//! | `speech` | a reply for Alice, within the protocol's limits |
//! | `tts` | TTS text, measured and cut |
//! | `declension` | the cases of a PC's name |
//! | `object` | JSON objects from outside, parsed one at a time |
//! | `json` | JSON texts from and for the outside |
//! | `text` | text from outside, cut or escaped for a place |
//! | `sync` | locks, which shuttle can replace in tests |
//! | `system` | context for failed system calls |
//! | `unchecked` | all `unsafe` code: the functions of libc that the gate defines, the heap |

mod agents;
mod commands;
mod config;
mod declension;
mod dialogs;
mod engine;
mod http;
mod json;
mod net;
mod object;
mod owner;
mod owner_page;
mod relay;
mod routes;
mod runtime;
mod secret;
mod smart_home;
mod speech;
mod sync;
mod system;
mod text;
mod tokens;
mod tts;
mod unchecked;
mod ws;

#[cfg(test)]
#[path = "../tests/models/seen.rs"]
mod seen;

#[cfg(test)]
#[path = "../tests/simulation/mod.rs"]
mod simulation;

pub use config::Config;
pub use config::credentials::Credentials;
pub use config::error::ConfigError;
pub use config::keys::AgentKeys;
pub use config::listen::ListenAddr;
pub use owner::ask::{MAX_WAIT, Said, ask, wait};
pub use owner::domain::{BadDomain, domain};
pub use owner::healthcheck::healthcheck;
pub use owner::invite::{Invitation, invite};
pub use owner::login::{Pass, login};
pub use owner::pair::pair;
pub use owner::setup::setup;
pub use owner::target::{AskError, RelayAddress};
pub use relay::{Relay, StartError};
pub use runtime::log::{flush as flush_log, init as start_log};
pub use runtime::shutdown::{Shutdown, ShutdownReason, start_vital};
pub use smart_home::secrets;
pub use system::cannot;
pub use unchecked::heap::one_arena;

/// Messages and their limits, for tests and fuzz targets.
pub mod wire {
    pub use crate::agents::hello::{Hello, MAX_MACS, MAX_VERSION};
    pub use crate::agents::message::{AgentReply, command};
    pub use crate::dialogs::reply::json as reply;
    pub use crate::dialogs::turn::{Turn, TurnError};
    pub use crate::http::head::{Head, MAX_BODY, MAX_HEAD, Reading, is_worth_reading, read};
    pub use crate::speech::{
        Button, MAX_BUTTON_PAYLOAD, MAX_BUTTON_TITLE, MAX_BUTTON_URL, MAX_TEXT, Speech,
    };
}

/// Limits and the placeholder that the deployment's files must agree with, for tests.
pub mod limits {
    pub use crate::config::credentials::PLACEHOLDER;
    pub use crate::runtime::watchdog::{MAX_DESCRIPTORS, MAX_RESIDENT, MAX_THREADS};
}
