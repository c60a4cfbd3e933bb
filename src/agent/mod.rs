//! The agent on the PC: who it is, what it says, and the link to it (facts/agent.md).

pub mod handshake;
pub mod link;
pub mod message;
pub mod reader;
pub mod registry;
