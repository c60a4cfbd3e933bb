//! The relay without threads and sockets: its parts, put together, and what is due at a moment. The threads of
//! [`crate::relay`] drive it, and so does the simulation.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Receiver;

use crate::agents::registry::Registry;
use crate::agents::slow::Waiter;
use crate::agents::telling::Telling;
use crate::commands::Commands;
use crate::config::Config;
use crate::config::secret::random_bytes;
use crate::dialogs::access::Access;
use crate::dialogs::webhook::{self, Webhook};
use crate::http::owed::Owed;
use crate::http::presses::Presses;
use crate::http::workers::{Wake, Workers};
use crate::upkeep::clock::alarm;
use crate::upkeep::repeats::Repeats;
use crate::upkeep::tally::Tally;
use crate::upkeep::way::Way;

/// What the relay stands in.
pub struct Outside {
    /// When the relay starts.
    pub now: Instant,
    /// Waits for agents that read slowly.
    pub waiter: Waiter,
    /// Wakes a worker that waits for a request, since there is other work.
    pub wake: Wake,
}

/// The relay's parts.
pub struct Engine {
    pub workers: Arc<Workers>,
    /// Waits for agents that read slowly.
    pub waiter: Waiter,
    pub access: Arc<Access>,
    pub webhook: Webhook,
    pub commands: Arc<Commands>,
    pub registry: Arc<Registry>,
    /// What is answered before the end.
    pub owed: Arc<Owed>,
    /// What is known of the way.
    pub way: Arc<Way>,
    /// What was given to whoever typed a code into a form.
    pub presses: Arc<Presses>,
    /// Takes what is to be said of strangers at Smart Home.
    pub strangers: Arc<Repeats>,
    /// Takes what is to be said of strangers at the owner's page.
    pub visitors: Arc<Repeats>,
    /// Takes what is to be said of Smart Home's requests.
    pub requests: Arc<Tally>,
    /// Takes what is to be said of agents that are rejected.
    pub rejected: Arc<Repeats>,
    fights: Arc<Repeats>,
    /// Takes what is to be said of agents' messages that can't be used.
    pub odd: Arc<Repeats>,
    /// Writes what agents are told.
    pub telling: Arc<Telling>,
    /// Takes what is to be said of tiny_http's failures.
    pub failed: Arc<Repeats>,
    turned_away: Arc<Repeats>,
    /// Takes what is to be said of connections that bring something else than HTTP.
    pub no_request: Arc<Repeats>,
    lines: Arc<Tally>,
}

impl Engine {
    /// Puts the parts together. Returns also what tells that [`Engine::tend`] should be called.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new(config: &Config, outside: Outside) -> io::Result<(Self, Receiver<()>)> {
        let (alarm, rung) = alarm();
        let repeats = |what| Arc::new(Repeats::new(what, log::Level::Warn, alarm.clone()));
        let turned_away = repeats("turns turned away");
        let lines = Arc::new(Tally::new("commands", log::Level::Info, alarm.clone()));
        let prefix = random_bytes::<4>()?.map(|byte| format!("{byte:02x}")).concat();
        let names = config.credentials.agents.names();
        let keeps = config.keeps_late_answers;
        let commands = Commands::new(prefix, names.clone(), lines.clone(), alarm.clone(), keeps);
        let commands = Arc::new(commands);
        let odd = repeats("odd messages of agents");
        let telling = Arc::new(Telling::new(config.credentials.webhook.as_ref(), odd.clone()));
        let fights = repeats("agents that share a key");
        let registry = Registry::new(
            config.heartbeat,
            names.clone(),
            commands.clone(),
            telling.clone(),
            fights.clone(),
            alarm.clone(),
        );
        let registry = Arc::new(registry);
        let no_request = repeats("connections without a request");
        let Outside { now, waiter, wake } = outside;
        let workers = Arc::new(Workers::new(wake));
        let access = Arc::new(Access::new(&config.credentials, turned_away.clone()));
        let owed = Arc::new(Owed::new());
        let way = Arc::new(Way::new(now));
        let presses = Arc::new(Presses::new(alarm.clone()));
        let parts = webhook::Parts {
            access: access.clone(),
            registry: registry.clone(),
            commands: commands.clone(),
            owed: owed.clone(),
            telling: telling.clone(),
            way: way.clone(),
        };
        let manners = webhook::Manners {
            reply_timeout: config.reply_timeout,
            leaves: config.leaves_after_one_phrase,
            keeps,
        };
        let webhook = Webhook::new(parts, names.clone(), manners);
        let strangers = repeats("Smart Home requests refused");
        let visitors = repeats("requests for the owner's page refused");
        let requests = Arc::new(Tally::new("Smart Home requests", log::Level::Info, alarm.clone()));
        let (rejected, failed) = (repeats("agents rejected"), repeats("failures of tiny_http"));
        let engine = Self {
            workers,
            waiter,
            access,
            webhook,
            commands,
            registry,
            owed,
            way,
            presses,
            strangers,
            visitors,
            requests,
            rejected,
            fights,
            odd,
            telling,
            failed,
            turned_away,
            no_request,
            lines,
        };
        Ok((engine, rung))
    }

    /// Does what is due. Returns when something is again.
    pub fn tend(&self, now: Instant) -> Option<Instant> {
        let due = [
            self.commands.tend(now),
            self.registry.tend(now),
            self.lines.tend(now),
            self.rejected.tend(now),
            self.fights.tend(now),
            self.odd.tend(now),
            self.turned_away.tend(now),
            self.no_request.tend(now),
            self.failed.tend(now),
            self.presses.tend(now),
            self.strangers.tend(now),
            self.visitors.tend(now),
            self.requests.tend(now),
        ];
        due.into_iter().flatten().min()
    }
}
