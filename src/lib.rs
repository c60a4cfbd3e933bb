//! Home Alice Relay: a voice command said to Yandex Alice reaches the speaker's own PC, and the PC's
//! answer is spoken back.
//!
//! # The way of a turn
//!
//! ```text
//!  Alice --POST--> http -----> dialogs ----> commands ----> agents --{"id","text"}--> PC
//!                   ^   gate     | webhook     | table        | link, outbox
//!                   |            |             |              v
//!     reply <-------+------------+-------------+<--- agents::reader <--- answer ----- PC
//! ```
//!
//! `http` hands over one sound request of a connection at a time, with its whole body (the gate, below). `dialogs` answers
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
//! **Who keeps time.** The clock's thread alone calls `Engine::run_timers`, which asks every part what is due.
//! Parts are told the time and never ask for it; one that needs an earlier look rings the alarm.
//!
//! **Where channels are, and where not.** Between two threads of which one waits for the other: a request
//! that is handed to a worker (`http::workers`), a slow socket for the thread that waits for it
//! (`agents::slow`), lines for the log (`runtime::log`), the clock's alarm, the program's end, and what is to be
//! waited for at a stop: the readers (`agents::registry`), responses under way (`http::drain`). All are
//! crossbeam's, and bounded. The thread that reads a connection is parked until the answer before is out
//! (`http::guarded`): what it waits for is a state, not a message. A command and its answer are *not* paired by a
//! channel, but in a table under one lock (`commands::table`): a channel of each turn's own would hold a worker until
//! the answer comes, while four things can end a command: an answer, its deadline, a link that breaks, the program's
//! end. Under one lock exactly one of them takes it, and a command whose turn is over changes to the late ones
//! without a moment in which it is in neither or in both.
//!
//! # The gate: tiny_http, held at `accept4` and `recv`
//!
//! tiny_http accepts and reads by itself, hides its sockets, and reads ahead into a queue without a bound. So its two calls
//! are the relay's own. A program may define functions of the C library, and its own are taken, as allocators do with
//! `malloc`: `unchecked::socket_hooks` defines these two, and Rust's standard library calls exactly them for `TcpListener::accept`
//! and `TcpStream::read`. tiny_http stays the listener with its threads. `http::gate` decides what it hears: one sound head
//! of a connection at a time, written anew from what was understood, with the number of its connection in a field. What is
//! not sound is refused before. The body goes past tiny_http to the worker.
//!
//! **If a later Rust calls other functions**, the first request comes without that field, and the program ends with that
//! reason (`http::receiver`): within 2 s of the start, since the watchdog asks, too. Every test that says something to a
//! running relay is such a check, so CI sees it at once.
//!
//! **What else was weighed.** *A front*: a listener of the relay's own and one permanent Unix connection to tiny_http. It
//! defines nothing of libc's, but takes up to a tenth of the turns at 1 and 8 kept connections and a quarter at 64, wants a
//! place for a socket's name that a read-only container has not, and leaves tiny_http a listener in name alone. *A copy of
//! the library, mended*: somebody else's code to keep. *A reader and listener of the relay's own*: then tiny_http, which
//! the relay is to be built on, has no part in it.
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
//! | `agents` | the PCs: joining, handshake, links, messages, which link is whose, waiting for those that read slowly |
//! | `commands` | a command's life under one lock: under way, late, how it ended |
//! | `http` | the gate and what it reads, tiny_http behind it, reception, requests and their answers |
//! | `runtime` | threads that must not die, the clock, the watchdog, the log and its limits |
//! | `net` | listening, ending connections; no HTTP |
//! | `config`, `tokens`, `speech`, `tts`, `declension`, `json`, `object`, `text`, `sync`, `system`, `unchecked` | settings and secrets; codes, cookies and tokens; what Alice is to say, and its length; Russian cases; JSON and text from outside; the locks that are tried under shuttle; what the system refuses; what the compiler can't check |
//!
//! # Words for "over"
//!
//! | word | of what | what happens |
//! | --- | --- | --- |
//! | answer | a request | the client has its answer, and the connection goes on if both sides want it to |
//! | refuse | a request | the gate answers with an error, tiny_http hears nothing; a FIN, then what still comes is thrown away |
//! | finish | a request | it is done with, and its connection does not go on |
//! | cut | a connection, a link | its end at once, both ways, without a word |
//! | forget | a connection | tiny_http never reads it again, and the gate does not know it any more |
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
mod relay;
mod routes;
mod runtime;
mod secret;
mod smart_home;
mod speech;
mod sync;
mod system;
mod text;
mod tokens;
mod tts;
mod unchecked;
mod ws;

#[cfg(test)]
#[path = "../tests/models/seen.rs"]
mod seen;

#[cfg(test)]
#[path = "../tests/simulation/mod.rs"]
mod simulation;

pub use config::Config;
pub use config::credentials::Credentials;
pub use config::error::ConfigError;
pub use config::keys::AgentKeys;
pub use config::listen::ListenAddr;
pub use owner::ask::{MAX_WAIT, Said, ask, wait};
pub use owner::domain::{BadDomain, domain};
pub use owner::healthcheck::healthcheck;
pub use owner::invite::{Invitation, invite};
pub use owner::login::{Pass, login};
pub use owner::pair::pair;
pub use owner::setup::setup;
pub use owner::target::{AskError, RelayAddress};
pub use relay::{Relay, StartError};
pub use runtime::log::{flush as flush_log, init as start_log};
pub use runtime::shutdown::{Shutdown, ShutdownReason, start_vital};
pub use smart_home::secrets;
pub use system::refused;
pub use unchecked::heap::one_arena;

/// What comes in and goes out, for tests and fuzz targets.
pub mod wire {
    pub use crate::agents::hello::{Hello, MAX_MACS, MAX_VERSION};
    pub use crate::agents::message::{AgentReply, command};
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
    pub use crate::runtime::watchdog::{MAX_DESCRIPTORS, MAX_RESIDENT, MAX_THREADS};
}
