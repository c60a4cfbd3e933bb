//! Assembles the relay, and starts and stops it.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crossbeam_channel::{Sender, bounded};

use crate::agents::poller;
use crate::config::Config;
use crate::config::error::ConfigError;
use crate::config::listen::ListenAddr;
use crate::engine::{Engine, Env};
use crate::http::gate::Gate;
use crate::http::receive::LINGER;
use crate::net::listener;
use crate::owner_page::OwnerPage;
use crate::routes::{self, Routes, look};
use crate::runtime::clock;
use crate::runtime::shutdown::{Shutdown, start_vital};
use crate::runtime::watchdog;
use crate::smart_home::perform::ACTION_TIMEOUT;
use crate::smart_home::{SmartHome, devices};
use crate::system::cannot;
use crate::unchecked::{heap, socket_hooks};

/// Why a relay could not start.
#[derive(Debug)]
pub enum StartError {
    /// The address can't be listened on.
    Bind(ListenAddr, io::Error),
    /// The system refuses a thread, a descriptor or random bytes.
    System(io::Error),
    /// The devices of Smart Home are unusable.
    Devices(ConfigError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(address, error) => {
                write!(f, "can't listen on {address} (LISTEN_ADDR): {error}")?;
                match error.kind() {
                    io::ErrorKind::AddrInUse => f.write_str("; another program has this port"),
                    io::ErrorKind::AddrNotAvailable => f.write_str(
                        "; this machine has no such address: name one of its own, or wait until Docker's \
                         network is up",
                    ),
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("; ports below 1024 need a privilege, choose a higher one")
                    }
                    _ => Ok(()),
                }
            }
            Self::System(error) => error.fmt(f),
            Self::Devices(error) => error.fmt(f),
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
    engine: Arc<Engine>,
    /// Dropped to end the watchdog.
    watched: Sender<()>,
}

impl Relay {
    /// Starts listening and serving. Uses `shutdown` if the relay can no longer serve.
    ///
    /// # Errors
    /// The devices of Smart Home are unusable, the address can't be listened on, or the system refuses what is needed.
    pub fn start(config: &Config, shutdown: &Shutdown) -> Result<Self, StartError> {
        let (devices, doubts) = devices::load(&config.smart_home, &config.credentials.agents.names())
            .map_err(StartError::Devices)?;
        let max_descriptors = watchdog::allow_descriptors();
        let listener = listener::bind(&config.listen)
            .map_err(|error| StartError::Bind(config.listen.clone(), error))?;
        let bound = listener
            .local_addr()
            .map_err(|error| cannot("read the listening address (getsockname)", &error))?;
        let address = ListenAddr { port: bound.port(), ..config.listen.clone() };
        let reachable = listener::reachable(bound);

        let (poller, inbox) = poller::channel(poller::MAX_POLLED)?;
        start_vital(shutdown, "poller", move || poller::run(&inbox))?;
        let tiny = Arc::new(OnceLock::<Arc<tiny_http::Server>>::new());
        let wake = {
            let tiny = tiny.clone();
            Box::new(move || tiny.get().into_iter().for_each(|tiny| tiny.unblock()))
        };
        let (engine, woken) = Engine::new(config.clone(), Env { now: Instant::now(), poller, wake })?;
        let engine = Arc::new(engine);
        let accepting = listener
            .try_clone()
            .map_err(|error| cannot("duplicate the listening socket (fcntl)", &error))?;
        // Before tiny_http accepts anything.
        let gate = Arc::new(Gate::new(&accepting, max_descriptors));
        socket_hooks::set(Box::new(gate.clone()));
        let server = tiny_http::Server::from_listener(accepting, None)
            .map_err(|error| cannot("start the HTTP server", &io::Error::other(error)))?;
        let server = tiny.get_or_init(|| Arc::new(server)).clone();
        start_vital(shutdown, "clock", {
            let engine = engine.clone();
            move || {
                clock::run(&woken, |now| engine.run_timers(now));
                Err("nobody needs the clock any more".into())
            }
        })?;

        let secret = config.smart_home.secret.as_ref();
        let smart_home = secret.map(|secret| SmartHome::new(secret, devices));
        let limits = watchdog::Limits::of(max_descriptors);
        let owner_page = OwnerPage::new(&config.credentials, limits);
        let routes = Routes::new(engine.clone(), server, gate, smart_home, owner_page);
        let routes = Arc::new(routes);
        routes::start(&routes, shutdown)?;
        let (watched, stop) = bounded(0);
        start_vital(shutdown, "watchdog", {
            let look = move || look(reachable);
            move || watchdog::run(&stop, watchdog::TIMES, limits, look, heap::trim)
        })?;
        log::info!("Relay started on {address}");
        doubts.iter().for_each(|doubt| log::warn!("{doubt}"));
        Ok(Self { reachable, listener, routes, engine, watched })
    }

    /// Returns the address at which this machine reaches the relay.
    pub fn address(&self) -> SocketAddr {
        self.reachable
    }

    /// Stops: accepts no connection, waits for the responses in flight, and closes the links.
    pub fn stop(self) {
        drop(self.watched);
        self.routes.stopping.store(true, Relaxed);
        listener::close(&self.listener);
        self.engine.drain(self.engine.config.reply_timeout.max(ACTION_TIMEOUT) + LINGER);
        self.engine.registry.stop(Instant::now());
        self.engine.commands.sum_up();
        log::info!("Relay stopped");
    }
}
