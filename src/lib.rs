//! Home Alice Relay: a voice command said to Yandex Alice reaches the speaker's own PC, and the PC's
//! answer is spoken back.
//!
//! # The way of a turn
//!
//! ```text
//!  Alice --POST--> http -----> dialogs ----> commands ----> agents --{"id","text"}--> PC
//!                   ^   order    | webhook     | table        | link, outbox
//!                   |            |             |              v
//!     reply <-------+------------+-------------+<--- agents::reader <--- answer ----- PC
//! ```
//!
//! `http` hands over one sound request of a connection at a time, with its whole body. `dialogs` answers
//! it, or registers a command in `commands` and puts it into the outbox of the agent's link. From then on
//! no thread belongs to the turn: whoever takes its command out of the table tells the one who waits, and
//! that one knows how to tell Alice. It is the agent's reader (an answer), the clock (the deadline), or
//! whoever finds that the link is over.
//!
//! **When a command leaves.** Where it is written: whoever finds nobody sending on the link sends there and
//! then, without a lock (`agents::outbox`). What other threads have for the agent meanwhile is put behind it, and goes
//! in the next packet of the thread that is sending; so nobody waits for another's send, and commands that come
//! together go together. To put them off until a worker had nothing else to do gave up to a tenth more turns a
//! second at 8 clients, for an arrow from `http` to `agents` that no signature showed.
//!
//! **When a link is over.** First its probe takes no command any more, then all that were registered for it
//! are told (`Registry::lose`). So a command for a link that leaves at the same moment is told by one of the two,
//! and none waits on a link that nobody looks at.
//!
//! **Who keeps time.** The clock's thread alone calls `Engine::tend`, which asks every part what is due.
//! Parts are told the time and never ask for it; one that needs an earlier look rings the alarm.
//!
//! **Where channels are, and where not.** Between two threads of which one waits for the other: a request
//! that is ready for a worker (`http::connections`), a slow socket for the thread that waits for it
//! (`net::slow`), lines for the log (`upkeep::log`), the clock's alarm, the program's end, and what is to be
//! waited for at a stop: the readers (`agents::registry`), answers that are owed (`http::owed`). All are
//! crossbeam's, and bounded. A command and its answer are *not* paired by a channel, but in a table under one
//! lock (`commands::table`): a channel of each turn's own would hold a worker until the answer comes, while
//! four things can end a command: an answer, its deadline, a link that breaks, the program's end. Under one
//! lock exactly one of them takes it, and a command whose turn is over changes to the late ones without a
//! moment in which it is in neither or in both.
//!
//! # The rooms
//!
//! Each uses only those below it.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `main`, [`Relay`] | the command line; threads and sockets, started and stopped; `routes`: which request goes where |
//! | `owner` | what the owner asks from the server: `healthcheck`, `ask`, `invite`, `login`, `pair`, `setup` |
//! | `owner_page` | what the owner sees in a browser: logging in, the state, a field to say something |
//! | `engine` | the parts without threads and sockets: what the simulation drives |
//! | `smart_home` | Yandex Smart Home: account linking, devices, actions |
//! | `dialogs` | Yandex Dialogs: turns in, replies out, phrases, who is let in |
//! | `agents` | the PCs: joining, handshake, links, messages, which link is whose |
//! | `commands` | a command's life under one lock: under way, late, how it ended |
//! | `http` | tiny_http and what stands around it: order, reception, sweep, head, body, answer |
//! | `upkeep` | threads that must not die, the clock, the watchdog, the log and its limits |
//! | `net` | listening, finding sockets, waiting for slow ones; no HTTP |
//! | `config`, `proofs`, `speech`, `tts`, `declension`, `json`, `object`, `text`, `sync`, `system`, `unchecked` | settings and secrets; codes, cookies and tokens; what Alice is to say, and its length; Russian cases; JSON and text from outside; the locks that are tried under shuttle; what the system refuses; what the compiler can't check |
//!
//! # Words for "over"
//!
//! | word | of what | what happens |
//! | --- | --- | --- |
//! | answer | a request | the client has its answer, and the connection goes on |
//! | refuse | a request | the client has an error; a FIN follows once what still comes was thrown away |
//! | cut | a connection, a link | a FIN or reset at once, without a word |
//! | let go | a request | tiny_http has its thread and memory back; nobody is answered |
//! | finish | a request | its connection's next one has its turn |
//! | condemn | a connection | nothing that still comes from it counts; it is about to be cut |
//! | tell | a command | whoever waits hears how it ended |
//! | lose | a link's commands | they are told, or kept to be told, that the link broke |
//! | close | a link | a Close frame, and a moment for the agent to confirm it |
//! | leave | a link | its reader has come to the end; it is nobody's any more |
//! | time out | a slow socket | it has been waited for long enough |
//! | end | the program | in order when asked to; else for its supervisor to start it again |

mod agents;
mod commands;
mod config;
mod declension;

mod dialogs;
mod engine;
mod http;
mod json;
mod net;
mod object;
mod owner;
mod owner_page;
mod proofs;
mod relay;
mod routes;
mod smart_home;
mod speech;
mod sync;
mod system;
mod text;
mod tts;
mod unchecked;
mod upkeep;

#[cfg(test)]
#[path = "../tests/models/seen.rs"]
mod seen;

#[cfg(test)]
#[path = "../tests/simulation/mod.rs"]
mod simulation;

pub use config::Config;
pub use config::credentials::{AgentKeys, Credentials};
pub use config::error::ConfigError;
pub use config::listen::ListenAddr;
pub use owner::ask::{MAX_WAIT, Said, ask, wait};
pub use owner::check_agent::{COME_TIMEOUT, Desk, check_agent};
pub use owner::domain::{BadDomain, domain};
pub use owner::healthcheck::healthcheck;
pub use owner::invite::{Invitation, invite};
pub use owner::login::{Pass, login};
pub use owner::pair::pair;
pub use owner::setup::setup;
pub use owner::target::{AskError, Target};
pub use relay::{Relay, StartError};
pub use smart_home::secrets;
pub use system::refused;
pub use unchecked::heap::one_arena;
pub use upkeep::ends::{End, Ends, start_vital};
pub use upkeep::log::{flush as flush_log, init as start_log};

/// What comes in and goes out, for tests and fuzz targets.
pub mod wire {
    pub use crate::agents::hello::{Hello, MAX_MACS, MAX_VERSION};
    pub use crate::agents::message::{Answer, command};
    pub use crate::dialogs::reply::json as reply;
    pub use crate::dialogs::turn::{Turn, TurnError};
    pub use crate::http::head::{Head, MAX_BODY, MAX_HEAD, Reading, is_worth_reading, read};
    pub use crate::speech::{
        Button, MAX_BUTTON_PAYLOAD, MAX_BUTTON_TITLE, MAX_BUTTON_URL, MAX_TEXT, Speech,
    };
}

/// What the files of the deployment must agree with, for tests.
pub mod limits {
    pub use crate::config::credentials::PLACEHOLDER;
    pub use crate::upkeep::watchdog::{MAX_DESCRIPTORS, MAX_RESIDENT, MAX_THREADS};
}
