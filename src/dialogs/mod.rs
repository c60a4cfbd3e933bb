//! Yandex Dialogs: parses turns, decides who is let in, and replies.

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
