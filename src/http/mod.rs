//! HTTP: the gate, requests and responses.
//!
//! The way of a request: kernel -> [`receive`] ([`head`]: is it well-formed?) -> [`gate`] ([`connection`]: is it its turn?)
//! -> tiny_http -> [`receiver`] -> a handler -> [`request`] -> kernel.

pub mod client;
pub mod connection;
pub mod drain;
pub mod exchange;
pub mod form;
pub mod gate;
pub mod guarded;
pub mod head;
pub mod page;
pub mod receive;
pub mod receiver;
pub mod request;
pub mod response;
pub mod submissions;
pub mod target;
pub mod workers;
