//! Sockets: listening, finding those that tiny_http holds, and waiting for slow ones. Knows no HTTP.

pub mod listener;
pub mod sockets;
