//! The owner's commands to the running relay on the same machine.

pub mod ask;
pub mod domain;
pub mod healthcheck;
pub mod invite;
pub mod login;
pub mod pair;
pub mod proof;
pub mod setup;
pub mod target;
