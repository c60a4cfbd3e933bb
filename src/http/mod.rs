//! HTTP: what tiny_http hears, requests and their answers.
//!
//! One request's way: the kernel -> [`receive`] ([`head`]: is it sound?) -> [`gate`] ([`connection`]: is it its turn?) ->
//! tiny_http -> [`receiver`] -> whoever serves it -> [`request`] -> the kernel.

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
