//! Yandex Dialogs: turns in, replies out, and who is let in.

pub mod access;
pub mod names;
pub mod news;
pub mod phrases;
pub mod reply;
pub mod turn;
pub mod waiting;
pub mod wake;
pub mod webhook;
pub mod words;
