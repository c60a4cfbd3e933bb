//! The whole relay, put together, started and stopped.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use crate::access::Access;
use crate::agent::handshake::Handshake;
use crate::agent::registry::Registry;
use crate::clock::{self, alarm};
use crate::config::{Config, ListenAddr};
use crate::http::connections::Connections;
use crate::http::kick::Kicks;
use crate::http::patience::Sweeper;
use crate::http::{listener, slow};
use crate::limits::LINGER;
use crate::repeats::Repeats;
use crate::secret::random_bytes;
use crate::server::{self, Server};
use crate::tally::Tally;
use crate::turns::Turns;
use crate::watchdog;
use crate::webhook::Webhook;

/// Why a relay ends.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// Somebody asked for it.
    Asked,
    /// It can't serve any more; the cause.
    Failed(String),
}

/// Why a relay could not start.
#[derive(Debug)]
pub enum StartError {
    /// The address can't be listened on.
    Bind(ListenAddr, io::Error),
    /// The system gives no thread, descriptor or random bytes.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(address, error) => {
                write!(f, "can't listen on {address} (LISTEN_ADDR): {error}")?;
                match error.kind() {
                    io::ErrorKind::AddrInUse => f.write_str("; another program has this port"),
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("; ports below 1024 need a privilege, choose a higher one")
                    }
                    _ => Ok(()),
                }
            }
            Self::System(error) => write!(f, "the system refuses: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// A running relay.
pub struct Relay {
    address: ListenAddr,
    reachable: SocketAddr,
    listener: TcpListener,
    server: Arc<Server>,
    turns: Arc<Turns>,
    reply_timeout: Duration,
    /// Closed to end the watchdog.
    _watchdog: Sender<()>,
}

impl Relay {
    /// Starts listening and serving. `ends` is told when the relay can't serve any more.
    ///
    /// # Errors
    /// The address can't be listened on, or the system refuses what is needed.
    pub fn start(config: &Config, ends: Sender<End>) -> Result<Self, StartError> {
        let max_descriptors = watchdog::allow_descriptors();
        let listener = listener::bind(&config.listen)
            .map_err(|error| StartError::Bind(config.listen.clone(), error))?;
        let bound = listener.local_addr()?;
        let address = ListenAddr { port: bound.port(), ..config.listen.clone() };
        let reachable = listener::reachable(bound);

        let (alarm, rung) = alarm();
        let commands = Arc::new(Tally::new("commands", log::Level::Info, alarm.clone()));
        let repeats = |what| Arc::new(Repeats::new(what, log::Level::Warn, alarm.clone()));
        let (rejected, turned_away) = (repeats("agents rejected"), repeats("turns turned away"));
        let prefix = random_bytes::<4>()?.map(|byte| format!("{byte:02x}")).concat();
        let turns = Arc::new(Turns::new(prefix, config.reply_timeout, commands.clone(), alarm.clone()));
        let registry = Arc::new(Registry::new(config.heartbeat, turns.clone(), alarm.clone()));
        let kicks = Kicks::new(reachable, alarm.clone());
        let (waiter, inbox) = slow::channel()?;
        slow::start(inbox)?;
        let tiny = tiny_http::Server::from_listener(listener.try_clone()?, None)
            .map_err(|error| StartError::System(io::Error::other(error)))?;
        let flush = {
            let registry = registry.clone();
            move || registry.flush()
        };
        let connections = Arc::new(Connections::new(tiny, bound.port(), waiter, kicks, flush));
        let mut sweeper = Sweeper::new(connections.clone(), max_descriptors);
        clock::start(rung, {
            let (turns, registry, connections) = (turns.clone(), registry.clone(), connections.clone());
            let (rejected, turned_away) = (rejected.clone(), turned_away.clone());
            move |now| {
                let due = [
                    turns.tend(now),
                    registry.tend(now),
                    connections.free_stranded(now),
                    Some(sweeper.tend(now)),
                    commands.tend(now),
                    rejected.tend(now),
                    turned_away.tend(now),
                ];
                due.into_iter().flatten().min()
            }
        })?;

        let access = Arc::new(Access::new(&config.credentials, turned_away));
        let keys = config.credentials.keys.clone();
        let server = Arc::new(Server {
            connections: connections.clone(),
            webhook: Webhook::new(access.clone(), registry.clone(), turns.clone()),
            access,
            handshake: Handshake::new(keys, registry.clone(), turns.clone(), rejected),
            registry,
            ends: ends.clone(),
            stopping: AtomicBool::new(false),
        });
        server::start(&server)?;
        let (guard, stop) = bounded(0);
        watchdog::start(reachable, connections, max_descriptors, ends, stop)?;
        log::info!("Relay started on {address}");
        let reply_timeout = config.reply_timeout;
        Ok(Self { address, reachable, listener, server, turns, reply_timeout, _watchdog: guard })
    }

    /// Where it listens, as configured but with the port that was picked.
    pub fn listens_on(&self) -> &ListenAddr {
        &self.address
    }

    /// Where this machine reaches it.
    pub fn address(&self) -> SocketAddr {
        self.reachable
    }

    /// Stops: no new connections, replies to what is under way, a goodbye to the agent.
    pub fn stop(self) {
        self.server.stopping.store(true, Relaxed);
        listener::close(&self.listener);
        self.server.webhook.stop(self.reply_timeout + LINGER);
        self.server.registry.stop();
        self.turns.sum_up();
        log::info!("Relay stopped");
    }
}
