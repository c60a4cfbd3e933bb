//! The worker threads, and the handler of each request.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use crate::config::credentials::WEBHOOK_PATH;
use crate::dialogs::{access, webhook};
use crate::engine::Engine;
use crate::http::client::Client;
use crate::http::exchange::{Exchange, Job};
use crate::http::gate::Gate;
use crate::http::receiver::RequestReceiver;
use crate::http::response::Response;
use crate::http::target;
use crate::owner_page::greeting::{self, is_browser};
use crate::owner_page::{self, OwnerPage};
use crate::runtime::shutdown::{Shutdown, fault, start_vital};
use crate::runtime::watchdog::LOOK_TIMEOUT;
use crate::smart_home::{self, SmartHome};
use crate::ws::handshake;
use crate::ws::joining::{INVITE_PATH, JOIN_PATH, Joining};

/// Threads that take requests from tiny_http. A client that takes no response blocks one, or two if it pipelines, for
/// at most [`crate::net::listener::SEND_TIMEOUT`] each, so a few threads serve any number of clients.
pub const WORKERS: usize = 4;

const HEALTH: &str = "/health";

/// State shared by the workers.
pub struct Routes {
    /// Whether the relay is stopping, so that the end of accepting is expected.
    pub stopping: AtomicBool,
    engine: Arc<Engine>,
    receiver: RequestReceiver,
    joining: Joining,
    smart_home: Option<SmartHome>,
    owner_page: OwnerPage,
}

/// Starts [`WORKERS`] threads.
///
/// # Errors
/// The system refuses a thread.
pub fn start(routes: &Arc<Routes>, shutdown: &Shutdown) -> io::Result<()> {
    for number in 1..=WORKERS {
        let routes = routes.clone();
        start_vital(shutdown, format!("worker {number}"), move || routes.work())?;
    }
    Ok(())
}

/// Checks the health of the relay at `address`, for the watchdog.
///
/// # Errors
/// There is no response, or not a healthy one.
pub fn look(address: SocketAddr) -> Result<(), String> {
    let client = Client::connect(address, LOOK_TIMEOUT).map_err(|error| error.to_string())?;
    match client.get(HEALTH) {
        Ok(response) if response.status == 200 => Ok(()),
        Ok(response) => Err(format!("{HEALTH} answers {}", response.status)),
        Err(error) => Err(error.to_string()),
    }
}

impl Routes {
    /// Serves the requests of `server` behind `gate`. `None` for `smart_home` switches Smart Home off.
    pub fn new(
        engine: Arc<Engine>,
        server: Arc<tiny_http::Server>,
        gate: Arc<Gate>,
        smart_home: Option<SmartHome>,
        owner_page: OwnerPage,
    ) -> Self {
        let receiver = RequestReceiver::new(server, gate, engine.workers.clone());
        let joining = Joining::new(&engine.config.credentials);
        let stopping = AtomicBool::new(false);
        Self { stopping, engine, receiver, joining, smart_home, owner_page }
    }

    /// Serves until tiny_http ends. Returns an error if that must end the program.
    fn work(&self) -> Result<(), String> {
        loop {
            match self.receiver.next() {
                // A bug must fail its own request only; the panic hook has logged it.
                Ok(Some(work)) => drop(catch_unwind(AssertUnwindSafe(|| self.serve(work)))),
                Ok(None) => {}
                Err(_) if self.stopping.load(Relaxed) => {
                    self.engine.workers.release();
                    return Ok(());
                }
                Err(error) => return Err(format!("no request can be received any more: {error}")),
            }
        }
    }

    fn serve(&self, work: Job) {
        match work {
            Job::Request(exchange, body) => self.route(exchange, &body),
            Job::Response(exchange, answer, is_last) => exchange.respond_and(answer, is_last),
        }
    }

    fn route(&self, exchange: Exchange, body: &[u8]) {
        let engine = &*self.engine;
        let credentials = &engine.config.credentials;
        let (method, is_read) = (exchange.method(), exchange.is_read());
        // A request without a path was refused before.
        let path = target::path(method, exchange.target()).unwrap_or_default();
        match (path, method) {
            (HEALTH, "GET" | "HEAD") => exchange.respond(self.health()),
            ("/ws", "GET") => handshake::serve(engine, exchange),
            (HEALTH, _) => exchange.respond(Response::wrong_method("GET, HEAD")),
            ("/ws", _) => exchange.respond(Response::wrong_method("GET")),
            (JOIN_PATH, "POST") => self.joining.join(engine, exchange, body, Instant::now()),
            (INVITE_PATH, "POST") => self.joining.invite(exchange, Instant::now()),
            (JOIN_PATH | INVITE_PATH, _) => exchange.respond(Response::wrong_method("POST")),
            (path, method) if credentials.is_webhook(path) => match method {
                "POST" => {
                    // A test's fault must hit this request only.
                    fault("turn").unwrap_or_else(|fault| panic!("{fault}"));
                    webhook::serve(engine, exchange, body, Instant::now());
                }
                _ if is_read && is_browser(&exchange) => {
                    exchange.respond(greeting::webhook());
                }
                _ => exchange.respond(Response::wrong_method("POST")),
            },
            ("/", _) if is_read && is_browser(&exchange) => {
                exchange.respond(greeting::root());
            }
            (path, _) => {
                let path = path.to_owned();
                let exchange = match &self.smart_home {
                    Some(smart_home) if path.starts_with(smart_home::PATH) => {
                        smart_home.serve(engine, exchange, &path, body, Instant::now())
                    }
                    _ if path.starts_with(owner_page::PATH) => {
                        self.owner_page.serve(engine, exchange, &path, body, Instant::now())
                    }
                    _ => Some(exchange),
                };
                let Some(exchange) = exchange else { return };
                if path.starts_with(WEBHOOK_PATH) {
                    access::tell_of_wrong_address(credentials, &exchange.origin());
                }
                if exchange.has_token("Upgrade", "websocket") {
                    handshake::tell_of_wrong_path(&exchange);
                }
                exchange.respond(Response::error(404, "there is nothing here"));
            }
        }
    }

    fn health(&self) -> Response {
        let connected = self.engine.registry.is_connected();
        Response::json(format!(r#"{{"status":"ok","agent_connected":{connected}}}"#).into_bytes())
    }
}
