//! Everything that stands around tiny_http: the listener, the order and the bounds that the library
//! leaves open (facts/tiny_http.md), and the answers.
//!
//! One request's way: tiny_http -> [`connections`] (its turn) -> [`head`] (is it sound?) -> [`body`]
//! (all of it, without waiting on a thread) -> whoever serves it -> [`answer`] -> [`connections`] (the
//! next one).

pub mod answer;
pub mod body;
pub mod connections;
pub mod head;
pub mod incoming;
pub mod kick;
pub mod lingering;
pub mod listener;
pub mod patience;
pub mod slow;
pub mod socket;
