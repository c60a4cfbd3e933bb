//! Home Alice Relay: a voice command said to Yandex Alice reaches the speaker's own PC, and the PC's
//! answer is spoken back.
//!
//! ```text
//!  Alice --POST /alice/webhook-->  http  -->  webhook  -->  turns  -->  agent::link  --{"id","text"}-->  PC
//!                                   ^                         |
//!        reply  <-------------------+------ answer, deadline, or loss of the link  <-- agent::reader <-- PC
//! ```
//!
//! Data flows one way. `http` hands over one sound request of a connection at a time, with its whole body.
//! `webhook` answers it, or registers it in `turns` and sends the command on the agent's link. From then
//! on no thread belongs to it: whoever takes it out of `turns` again answers it, be it the agent's
//! reader, the clock, or the registry that lost the link. What the agent answers later than that is kept
//! in `late` for whoever asked.

pub mod access;
pub mod agent;
pub mod alice;
pub mod ask;
pub mod client;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod exchange;
pub mod http;
pub mod late;
pub mod limits;
pub mod logger;
pub mod phrases;
pub mod relay;
pub mod repeats;
pub mod secret;
pub mod server;
pub mod tally;
pub mod text;
pub mod turns;
pub mod unchecked;
pub mod watchdog;
pub mod webhook;
