//! How agents connect: the WebSocket handshake, and joining with a code.

pub mod handshake;
pub mod joining;
