//! Home Alice Relay: a voice command said to Yandex Alice reaches the speaker's own PC, and the PC's
//! answer is spoken back.

mod agents;
mod commands;
mod config;

mod dialogs;
mod engine;
mod http;
mod net;
mod owner;
mod relay;
mod routes;
mod speech;
mod text;
mod unchecked;
mod upkeep;

#[cfg(test)]
#[path = "../tests/simulation/mod.rs"]
mod simulation;

pub use config::Config;
pub use config::credentials::{AgentKeys, Credentials};
pub use config::error::ConfigError;
pub use config::listen::ListenAddr;
pub use owner::ask::{MAX_WAIT, Said, ask, wait};
pub use owner::healthcheck::healthcheck;
pub use owner::target::{AskError, Target};
pub use relay::{Relay, StartError};
pub use unchecked::heap::one_arena;
pub use upkeep::ends::{End, Ends, start_vital};
pub use upkeep::log::{flush as flush_log, init as start_log};

/// What comes in and goes out, for tests and fuzz targets.
pub mod wire {
    pub use crate::agents::message::{Answer, command};
    pub use crate::dialogs::reply::json as reply;
    pub use crate::dialogs::turn::{Turn, TurnError};
    pub use crate::speech::{Button, MAX_BUTTON_PAYLOAD, MAX_BUTTON_TITLE, MAX_TEXT, Speech};
}

/// What the files of the deployment must agree with, for tests.
pub mod limits {
    pub use crate::config::credentials::PLACEHOLDER;
    pub use crate::upkeep::watchdog::{MAX_DESCRIPTORS, MAX_RESIDENT, MAX_THREADS};
}
