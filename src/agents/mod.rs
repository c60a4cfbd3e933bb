//! The agents on the PCs: their links, the two protocols, and which link is whose (docs/facts/agent.md).

pub mod encoder;
pub mod hello;
pub mod household;
pub mod link;
pub mod message;
pub mod outbox;
pub mod poller;
pub mod probe;
pub mod pseudonym;
pub mod reader;
pub mod registry;
pub mod roster;
pub mod v2;
pub mod wire;
