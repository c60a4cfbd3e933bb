//! HTTP: what tiny_http hears, requests and their answers.
//!
//! One request's way: the kernel -> [`receive`] ([`head`]: is it sound?) -> [`gate`] ([`connection`]: is it its turn?) ->
//! tiny_http -> [`reception`] -> whoever serves it -> [`request`] -> the kernel.

pub mod answer;
pub mod client;
pub mod connection;
pub mod form;
pub mod gate;
pub mod guarded;
pub mod head;
pub mod incoming;
pub mod owed;
pub mod page;
pub mod presses;
pub mod receive;
pub mod reception;
pub mod request;
pub mod target;
pub mod workers;
