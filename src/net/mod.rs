//! Sockets: listening, ending connections, and waiting for slow ones. Knows no HTTP.

pub mod listener;
pub mod sockets;
