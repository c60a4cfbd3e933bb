//! Everything that stands around tiny_http: the order of requests and the bounds that the library leaves
//! open (docs/facts/tiny_http.md), and the answers.
//!
//! One request's way: tiny_http -> [`reception`] -> [`order`] (its turn) -> [`head`] (is it sound?) ->
//! [`body`] (all of it, without waiting on a thread) -> whoever serves it -> [`answer`] -> [`order`] (the
//! next one).

pub mod answer;
pub mod body;
pub mod client;
pub mod connections;
pub mod form;
pub mod head;
pub mod incoming;
pub mod kicks;
pub mod lingering;
pub mod order;
pub mod owed;
pub mod page;
pub mod patience;
pub mod presses;
pub mod reception;
pub mod request;
pub mod sweep;
pub mod target;
