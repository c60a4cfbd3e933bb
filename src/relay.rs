//! The whole relay, put together, started and stopped.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use crate::agents::handshake::Handshake;
use crate::agents::registry::Registry;
use crate::commands::Commands;
use crate::config::Config;
use crate::config::listen::ListenAddr;
use crate::config::secret::random_bytes;
use crate::dialogs::access::Access;
use crate::dialogs::webhook::Webhook;
use crate::http::connections::{Calls, Connections};
use crate::http::lingering::LINGER;
use crate::http::reception::Reception;
use crate::http::sweep::Sweeper;
use crate::net::sockets::Accepted;
use crate::net::{listener, slow};
use crate::routes::{self, Routes};
use crate::upkeep::clock::{self, alarm};
use crate::upkeep::ends::{Ends, start_vital};
use crate::upkeep::log::count_panics_of_tiny_http;
use crate::upkeep::repeats::Repeats;
use crate::upkeep::tally::Tally;
use crate::upkeep::watchdog;

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
    reachable: SocketAddr,
    listener: TcpListener,
    routes: Arc<Routes>,
    commands: Arc<Commands>,
    reply_timeout: Duration,
    /// Closed to end the watchdog.
    watched: Sender<()>,
}

impl Relay {
    /// Starts listening and serving. `ends` is told when the relay can't serve any more.
    ///
    /// # Errors
    /// The address can't be listened on, or the system refuses what is needed.
    pub fn start(config: &Config, ends: &Ends) -> Result<Self, StartError> {
        let max_descriptors = watchdog::allow_descriptors();
        let listener = listener::bind(&config.listen)
            .map_err(|error| StartError::Bind(config.listen.clone(), error))?;
        let bound = listener.local_addr()?;
        let address = ListenAddr { port: bound.port(), ..config.listen.clone() };
        let reachable = listener::reachable(bound);

        let (alarm, rung) = alarm();
        let lines = Arc::new(Tally::new("commands", log::Level::Info, alarm.clone()));
        let repeats = |what| Arc::new(Repeats::new(what, log::Level::Warn, alarm.clone()));
        let (rejected, turned_away) = (repeats("agents rejected"), repeats("turns turned away"));
        let failed = repeats("failures of tiny_http");
        count_panics_of_tiny_http(failed.clone());
        let prefix = random_bytes::<4>()?.map(|byte| format!("{byte:02x}")).concat();
        let commands = Arc::new(Commands::new(prefix, lines.clone(), alarm.clone()));
        let registry = Arc::new(Registry::new(config.heartbeat, commands.clone(), alarm.clone()));

        let (waiter, inbox) = slow::channel(slow::MAX_SLOW)?;
        start_vital(ends, "slow", move || slow::run(&inbox))?;
        let tiny = tiny_http::Server::from_listener(listener.try_clone()?, None)
            .map_err(|error| StartError::System(io::Error::other(error)))?;
        let tiny = Arc::new(tiny);
        let calls = Calls {
            now: Instant::now,
            wake: {
                let tiny = tiny.clone();
                Box::new(move || tiny.unblock())
            },
            before_waiting: {
                let registry = registry.clone();
                Box::new(move || registry.flush())
            },
        };
        let sockets = Box::new(Accepted::on(bound.port()));
        let connections = Arc::new(Connections::new(sockets, waiter, calls));
        let sweeper =
            Arc::new(Sweeper::new(connections.clone(), reachable, max_descriptors, alarm.clone()));
        start_vital(ends, "clock", {
            let (commands, registry, sweeper) = (commands.clone(), registry.clone(), sweeper.clone());
            let (rejected, turned_away) = (rejected.clone(), turned_away.clone());
            move || {
                clock::run(&rung, |now| {
                    let due = [
                        commands.tend(now),
                        registry.tend(now),
                        sweeper.tend(now),
                        lines.tend(now),
                        rejected.tend(now),
                        turned_away.tend(now),
                        failed.tend(now),
                    ];
                    due.into_iter().flatten().min()
                });
                Err("nobody needs the clock any more".into())
            }
        })?;

        let access = Arc::new(Access::new(&config.credentials, turned_away));
        let keys = config.credentials.keys.clone();
        let reply_timeout = config.reply_timeout;
        let routes = Arc::new(Routes {
            reception: Reception::new(tiny, connections, sweeper.clone()),
            webhook: Webhook::new(access.clone(), registry.clone(), commands.clone(), reply_timeout),
            access,
            handshake: Handshake::new(keys, registry.clone(), commands.clone(), rejected),
            registry,
            stopping: AtomicBool::new(false),
        });
        routes::start(&routes, ends)?;
        let (watched, stop) = bounded(0);
        start_vital(ends, "watchdog", move || {
            watchdog::run(&stop, max_descriptors, || routes::look(reachable, &sweeper))
        })?;
        log::info!("Relay started on {address}");
        Ok(Self { reachable, listener, routes, commands, reply_timeout, watched })
    }

    /// Returns where this machine reaches it.
    pub fn address(&self) -> SocketAddr {
        self.reachable
    }

    /// Stops: no new connections, replies to what is under way, a goodbye to the agent.
    pub fn stop(self) {
        drop(self.watched);
        self.routes.stopping.store(true, Relaxed);
        listener::close(&self.listener);
        self.routes.webhook.stop(self.reply_timeout + LINGER);
        self.routes.registry.stop(Instant::now());
        self.commands.sum_up();
        log::info!("Relay stopped");
    }
}
