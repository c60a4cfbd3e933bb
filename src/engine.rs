//! The relay without threads and sockets: its parts, and what is due at a moment. The threads of [`crate::relay`] drive
//! it, and so does the simulation. Every handler borrows it.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use data_encoding::HEXLOWER;

use crate::agents::encoder::CommandEncoder;
use crate::agents::link::Link;
use crate::agents::poller::Poller;
use crate::agents::probe::QueuedCommand;
use crate::agents::registry::Registry;
use crate::agents::v2::Context;
use crate::commands::in_flight::NewCommand;
use crate::commands::{Commands, Responder};
use crate::config::Config;
use crate::config::agents::Names;
use crate::http::drain::Drain;
use crate::http::exchange::Workers;
use crate::http::submissions::Submissions;
use crate::http::workers::Wake;
use crate::runtime::clock::waker;
use crate::runtime::reachability::Reachability;
use crate::secret::random_bytes;

/// The engine's environment.
pub struct Env {
    /// The time at which the relay starts.
    pub now: Instant,
    /// Waits for agents that read slowly.
    pub poller: Poller,
    /// Wakes the worker that waits for a request.
    pub wake: Wake,
}

/// The ids of the first turn behind `WEBHOOK_SECRET`, where none is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenIds {
    /// For `ALICE_SKILL_ID`.
    pub skill: Option<String>,
    /// For `ALICE_USER_IDS`.
    pub user: Option<String>,
}

/// The relay's parts.
pub struct Engine {
    pub config: Config,
    /// The PCs' names.
    pub names: Names,
    pub workers: Arc<Workers>,
    /// Waits for agents that read slowly.
    pub poller: Poller,
    pub commands: Arc<Commands>,
    pub registry: Arc<Registry>,
    /// Counts the responses that a stopping relay waits for.
    pub drain: Drain,
    pub reachability: Reachability,
    /// Answers to forms that may be sent twice.
    pub submissions: Submissions,
    /// Set once the log has named them.
    pub seen_ids: OnceLock<SeenIds>,
}

impl Engine {
    /// Puts the parts together. Returns also the wake-ups for whoever calls [`Engine::run_timers`].
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new(config: Config, env: Env) -> io::Result<(Self, Receiver<()>)> {
        let (waker, woken) = waker();
        let Env { now, poller, wake } = env;
        let prefix = HEXLOWER.encode(&random_bytes::<4>()?);
        let names = config.credentials.agents.names();
        let commands = Arc::new(Commands::new(prefix, names.clone(), waker.clone()));
        let encoder = CommandEncoder::new(config.credentials.webhook.as_ref());
        let registry = Registry::new(config.heartbeat, commands.clone(), encoder, waker.clone());
        let engine = Self {
            config,
            names,
            workers: Arc::new(Workers::new(wake)),
            poller,
            commands,
            registry: Arc::new(registry),
            drain: Drain::new(),
            reachability: Reachability::new(now),
            submissions: Submissions::new(waker),
            seen_ids: OnceLock::new(),
        };
        Ok((engine, woken))
    }

    /// Registers a command and sends it on `link`, with its context to an agent of [`Protocol::V2`]. It is withdrawn if
    /// the agent gives no sign of life within `patience`, or until the deadline while it is busy.
    ///
    /// [`Protocol::V2`]: crate::agents::encoder::Protocol::V2
    pub fn dispatch(
        &self,
        link: &Link,
        new: NewCommand<Box<dyn Responder>>,
        text: &str,
        context: &Context<'_>,
        patience: Duration,
    ) {
        let (begun, deadline) = (new.begun, new.deadline);
        if let Some(id) = self.commands.begin(new) {
            let message =
                self.registry.encoder.command(link.protocol, (&id, text), context, (begun, deadline));
            self.registry.send(
                link,
                QueuedCommand { id, message, since: begun, patience, deadline },
                begun,
            );
        }
    }

    /// Runs expired timers. Returns the next deadline.
    pub fn run_timers(&self, now: Instant) -> Option<Instant> {
        let due = [
            self.commands.run_timers(now),
            self.registry.run_timers(now),
            self.submissions.run_timers(now),
        ];
        due.into_iter().flatten().min()
    }

    /// Takes no more commands, and waits until those in flight have their replies, at most for `longest`.
    pub fn drain(&self, longest: Duration) {
        self.drain.close();
        self.commands.close();
        self.drain.wait(longest);
    }
}
