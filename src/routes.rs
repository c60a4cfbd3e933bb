//! The workers, and where each request goes.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use crate::config::credentials::WEBHOOK_PATH;
use crate::dialogs::{access, webhook};
use crate::engine::Engine;
use crate::http::answer::Answer;
use crate::http::client::Client;
use crate::http::gate::Gate;
use crate::http::incoming::Incoming;
use crate::http::incoming::Work;
use crate::http::reception::Reception;
use crate::http::target;
use crate::owner_page::greeting::{self, is_browser};
use crate::owner_page::{self, OwnerPage};
use crate::runtime::ends::{Ends, fault, start_vital};
use crate::runtime::watchdog::LOOK_TIMEOUT;
use crate::smart_home::{self, SmartHome};
use crate::ws::handshake;
use crate::ws::joining::{INVITE_PATH, JOIN_PATH, Joining};

/// Threads that take requests from tiny_http. A client that takes no answer holds one, or two if it pipelines, for no
/// longer than [`crate::net::listener::SEND_TIMEOUT`] each, so a few serve any number of clients.
pub const WORKERS: usize = 4;

const HEALTH: &str = "/health";

/// What every worker works with.
pub struct Routes {
    /// Whether the relay is stopping, so that the end of accepting is no surprise.
    pub stopping: AtomicBool,
    engine: Arc<Engine>,
    reception: Reception,
    joining: Joining,
    smart_home: Option<SmartHome>,
    owner_page: OwnerPage,
}

/// Starts [`WORKERS`] threads.
///
/// # Errors
/// The system gives no thread.
pub fn start(routes: &Arc<Routes>, ends: &Ends) -> io::Result<()> {
    for number in 1..=WORKERS {
        let routes = routes.clone();
        start_vital(ends, format!("worker {number}"), move || routes.work())?;
    }
    Ok(())
}

/// Asks the relay at `address` for its health, as the watchdog does.
///
/// # Errors
/// It does not answer, or not as it should.
pub fn look(address: SocketAddr) -> Result<(), String> {
    let client = Client::connect(address, LOOK_TIMEOUT).map_err(|error| error.to_string())?;
    match client.get(HEALTH) {
        Ok(response) if response.status == 200 => Ok(()),
        Ok(response) => Err(format!("{HEALTH} answers {}", response.status)),
        Err(error) => Err(error.to_string()),
    }
}

impl Routes {
    /// Serves what `server` hears through `gate`. Smart Home is off without `smart_home`.
    pub fn new(
        engine: Arc<Engine>,
        server: Arc<tiny_http::Server>,
        gate: Arc<Gate>,
        smart_home: Option<SmartHome>,
        owner_page: OwnerPage,
    ) -> Self {
        let reception = Reception::new(server, gate, engine.workers.clone());
        let joining = Joining::new(&engine.config.credentials);
        let stopping = AtomicBool::new(false);
        Self { stopping, engine, reception, joining, smart_home, owner_page }
    }

    /// Serves until tiny_http has nothing more to give. Returns why that must end the program, if it must.
    fn work(&self) -> Result<(), String> {
        loop {
            match self.reception.next() {
                // A bug must cost its own request alone; the panic hook has told of it.
                Ok(Some(work)) => drop(catch_unwind(AssertUnwindSafe(|| self.serve(work)))),
                Ok(None) => {}
                Err(_) if self.stopping.load(Relaxed) => {
                    self.engine.workers.let_others_receive();
                    return Ok(());
                }
                Err(error) => return Err(format!("no request can be received any more: {error}")),
            }
        }
    }

    fn serve(&self, work: Work) {
        match work {
            Work::Request(incoming, body) => self.route(incoming, &body),
            Work::Answer(incoming, answer, is_last) => incoming.answer_and(answer, is_last),
        }
    }

    fn route(&self, incoming: Incoming, body: &[u8]) {
        let engine = &*self.engine;
        let credentials = &engine.config.credentials;
        let (method, is_read) = (incoming.method(), incoming.is_read());
        // What has no path was refused.
        let path = target::path(method, incoming.target()).unwrap_or_default();
        match (path, method) {
            (HEALTH, "GET" | "HEAD") => incoming.answer(self.health()),
            ("/ws", "GET") => handshake::serve(engine, incoming),
            (HEALTH, _) => incoming.answer(Answer::wrong_method("GET, HEAD")),
            ("/ws", _) => incoming.answer(Answer::wrong_method("GET")),
            (JOIN_PATH, "POST") => self.joining.join(engine, incoming, body, Instant::now()),
            (INVITE_PATH, "POST") => self.joining.invite(incoming, Instant::now()),
            (JOIN_PATH | INVITE_PATH, _) => incoming.answer(Answer::wrong_method("POST")),
            (path, method) if credentials.is_webhook(path) => match method {
                "POST" => {
                    // A test's fault must be one of this request's own.
                    fault("turn").unwrap_or_else(|fault| panic!("{fault}"));
                    webhook::serve(engine, incoming, body, Instant::now());
                }
                _ if is_read && is_browser(&incoming) => {
                    incoming.answer(greeting::webhook());
                }
                _ => incoming.answer(Answer::wrong_method("POST")),
            },
            ("/", _) if is_read && is_browser(&incoming) => {
                incoming.answer(greeting::root());
            }
            (path, _) => {
                let path = path.to_owned();
                let incoming = match &self.smart_home {
                    Some(smart_home) if path.starts_with(smart_home::PATH) => {
                        smart_home.serve(engine, incoming, &path, body, Instant::now())
                    }
                    _ if path.starts_with(owner_page::PATH) => {
                        self.owner_page.serve(engine, incoming, &path, body, Instant::now())
                    }
                    _ => Some(incoming),
                };
                let Some(incoming) = incoming else { return };
                if path.starts_with(WEBHOOK_PATH) {
                    access::tell_of_wrong_address(credentials, &incoming.origin());
                }
                if incoming.has_token("Upgrade", "websocket") {
                    handshake::tell_of_wrong_path(&incoming);
                }
                incoming.answer(Answer::error(404, "there is nothing here"));
            }
        }
    }

    fn health(&self) -> Answer {
        let connected = self.engine.registry.is_connected();
        Answer::json(format!(r#"{{"status":"ok","agent_connected":{connected}}}"#).into_bytes())
    }
}
