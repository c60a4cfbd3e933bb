//! Sockets: listening and closing connections. Knows no HTTP.

pub mod listener;
pub mod sockets;
