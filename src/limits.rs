//! Every bound of the relay in one place, each with its unit and its reason.

use std::time::Duration;

/// Threads that take requests from tiny_http. None of them ever waits for a socket for longer than
/// [`SEND_TIMEOUT`], so a few serve any number of clients.
pub const WORKERS: usize = 4;

/// Bytes of one request body. A turn is 0.9 to 1.6 KB (facts/alice.md); this is forty times that.
pub const MAX_BODY: usize = 64 * 1024;

/// Header fields of one request; nginx sends about a dozen.
pub const MAX_HEADERS: usize = 100;

/// Bytes of one request target.
pub const MAX_TARGET: usize = 8 * 1024;

/// How long one response may wait for its client to take it, before that connection is cut. A reply
/// fits any socket's buffer, so only a client that reads nothing at all comes to feel it (T13).
pub const SEND_TIMEOUT: Duration = Duration::from_millis(100);

/// Requests of one connection that may wait behind an unanswered one (T13). A proxy never pipelines.
pub const MAX_PIPELINED: usize = 64;

/// How long a worker that has run out of work looks for more before it sleeps, leaving the processor to
/// whoever wants it. To be woken on a processor that has gone idle takes 25 µs on a virtual machine, and the
/// agent's socket then wakes another one. Under load this is a fifth of the throughput; at rest
/// workers look on after each look of the watchdog, for 0.01 % of a processor.
pub const LOOK_ON: Duration = Duration::from_micros(150);

/// Requests and bodies on their way to a worker. One connection has at most one.
pub const MAX_READY: usize = 1024;

/// How often the connections are gone through. In the time between, whoever sends one header line
/// without end can't make more than some 25 MB of it (T5).
pub const SWEEP_EVERY: Duration = Duration::from_millis(250);

/// The same while no connection lets us wait: half the idle CPU, for up to 50 MB once.
pub const SWEEP_IDLE: Duration = Duration::from_millis(500);

/// How long a connection may take to bring its first request's head, or any head that it has begun (T6).
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may rest between two requests.
pub const REST_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes that a connection may bring without a request coming of them (T5): a head, of which nginx sends
/// at most 32 KiB, and a body behind it that nobody has begun to read yet.
pub const MAX_HEAD: u64 = 128 * 1024;

/// Bytes that may come on a connection behind a request under way: its body, and pipelined ones.
pub const MAX_BEHIND: u64 = 1024 * 1024;

/// Connections that may wait for their clients; past it those that have waited longest are cut, so that
/// honest requests always find a thread. Fewer where `ulimit -n` is low.
pub const MAX_CONNECTIONS: usize = 512;

/// Descriptors that are not connections, and those of connections that come between two sweeps.
pub const SPARE_DESCRIPTORS: usize = 64;

/// How long a request may take to bring its body (T6).
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long nothing may come on the connection of a refused request, while what comes is thrown away so
/// that the client finds the answer and not a reset. [`BODY_TIMEOUT`] is the limit of it all.
pub const LINGER: Duration = Duration::from_secs(1);

/// Bytes of an unread body that tiny_http may make room for when its request is let go (T4).
pub const MAX_UNREAD: usize = 1024 * 1024;

/// Sockets that may be waited for at once; past it the one that has waited longest is given up.
pub const MAX_SLOW: usize = 256;

/// Connections remembered between two looks of the watchdog before they are gone through at once.
pub const MAX_REMEMBERED: usize = 1024;

/// How long requests of a connection that was cut are still thrown away: tiny_http may have parsed
/// some before it saw the end (T8, T14).
pub const CONDEMNED: Duration = Duration::from_secs(5);

/// Commands under way at once; one more is told to wait.
pub const MAX_UNDER_WAY: usize = 256;

/// Commands at work past their turn, and late answers kept, each.
pub const MAX_LATE: usize = 256;

/// The same for one person.
pub const MAX_LATE_EACH: usize = 16;

/// How long a command may be at work past its turn, and how long its answer is kept.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// Bytes of an account's or a device's id; Yandex's are of 64 (facts/alice.md).
pub const MAX_PERSON_ID: usize = 128;

/// How often `ask --wait` asks again.
pub const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Unicode scalar values of a reply's text or tts (facts/alice.md).
pub const MAX_TEXT: usize = 1024;

/// Unicode scalar values of a button's title (facts/alice.md).
pub const MAX_BUTTON_TITLE: usize = 64;

/// Bytes of a button's payload (facts/alice.md).
pub const MAX_BUTTON_PAYLOAD: usize = 4096;

/// Bytes of one message from the agent; a longer one closes the link with 1009.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Bytes that may wait for the agent's socket before the link counts as stuck.
pub const MAX_OUTBOX: usize = 1024 * 1024;

/// Bytes of commands that go to the agent without waiting for more to go along.
pub const FLUSH_AT: usize = 16 * 1024;

/// tungstenite's read buffer for one link, in bytes; its default of 128 KiB is allocated at once.
pub const READ_BUFFER: usize = 4 * 1024;

/// How long the agent's socket may take no byte while something waits to be sent.
pub const AGENT_SEND_TIMEOUT: Duration = Duration::from_secs(2);

/// What «twice the heartbeat and a bit» adds: the way there and back of the last ping.
pub const HEARTBEAT_GRACE: Duration = Duration::from_secs(1);

/// How long a link may take over its closing handshake before its socket is shut.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Links that may be closing at once; past it the oldest is shut without waiting for the agent.
pub const MAX_CLOSING: usize = 4;

/// Replacements within [`REPLACED_WINDOW`] that mean two agents share one key.
pub const REPLACED_OFTEN: usize = 3;

/// See [`REPLACED_OFTEN`].
pub const REPLACED_WINDOW: Duration = Duration::from_secs(60);

/// When the relay looks for connections that tiny_http's pool left stranded (T2), after the first request
/// of a new one.
pub const KICKS: [Duration; 3] =
    [Duration::from_millis(2), Duration::from_millis(8), Duration::from_millis(30)];

/// How soon it looks again when it has found some; twice as late each time that it finds as many again, up
/// to [`SWEEP_EVERY`], since what kicks don't free is no case of T2.
pub const KICK_AGAIN: Duration = Duration::from_millis(4);

/// Throw-away connections made at one look.
pub const MAX_KICKS: usize = 8;

/// How often the watchdog looks. Three failures, each of at most [`LOOK_TIMEOUT`], end the program within
/// 6 s, so that a supervisor has it back within 10.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How soon it looks again after a failure.
pub const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How long the watchdog waits for its own `/health`.
pub const LOOK_TIMEOUT: Duration = Duration::from_secs(1);

/// Failed looks in a row that end the program.
pub const LOOKS_FAILED: u32 = 3;

/// Threads of this process past which it ends: tiny_http starts one a connection and can lose them
/// for good (T4, T12).
pub const MAX_THREADS: usize = 2560;

/// Open descriptors past which it ends, and never more than nine tenths of `ulimit -n`: tiny_http's
/// accept loop ends for good at the first EMFILE (T3).
pub const MAX_DESCRIPTORS: usize = 6000;

/// Resident bytes past which it ends; the container and the unit allow 128 MB.
pub const MAX_RESIDENT: usize = 96 * 1024 * 1024;

/// How often unused memory is given back. A little of it is soon taken again: after every look of the
/// watchdog, that was 0.01 % of a processor.
pub const TRIM_EVERY: Duration = Duration::from_secs(20);

/// Log lines that may wait to be written; one more is dropped and counted.
pub const LOG_QUEUE: usize = 256;

/// How long the end of the program waits for the log to be written.
pub const LOG_FLUSH: Duration = Duration::from_millis(50);

/// Lines a second that tell of single commands; beyond it a summary does.
pub const COMMAND_LINES: u32 = 10;

/// Lines that are counted one by one while they repeat; further ones are counted together. Behind a
/// proxy one is one address, and so many at once are no longer read one by one.
pub const MAX_REPEATED: usize = 128;

/// How often a line that repeats is said.
pub const REPEATED_EVERY: Duration = Duration::from_secs(60);

/// Characters of outside text that a log line or an error may repeat.
pub const MAX_QUOTED: usize = 120;

/// How long `healthcheck` may take in all.
pub const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What `ask` adds to the largest `REPLY_TIMEOUT_MS` before it gives up.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(32);

/// Bytes of a response that the relay's own HTTP client takes.
pub const MAX_RESPONSE: usize = 64 * 1024;

/// Bytes of a file that holds a secret.
pub const MAX_SECRET_FILE: u64 = 4096;

/// Characters below which a secret is called short. 16 of `[A-Za-z0-9_-]` are 96 bits.
pub const SHORT_SECRET: usize = 16;

/// Keys of the agent: the new one, and the old one while the agent changes over.
pub const MAX_KEYS: usize = 2;

/// Yandex users whose turns count: a household.
pub const MAX_USER_IDS: usize = 32;

/// How long a stopping relay waits for its agent to confirm the close.
pub const STOP_TIMEOUT: Duration = Duration::from_millis(50);
