//! All `unsafe` code; it is denied everywhere else. Each block says why it is sound.
#![allow(unsafe_code)]

pub mod heap;
pub mod socket_hooks;
