//! The workers that take requests from tiny_http, and the routes.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crossbeam_channel::Sender;
use tiny_http::Method;

use crate::access::Access;
use crate::agent::handshake::Handshake;
use crate::agent::registry::Registry;
use crate::credentials::WEBHOOK_PATH;
use crate::http::answer::Answer;
use crate::http::connections::{Connections, Work};
use crate::http::incoming::Incoming;
use crate::http::{body, head};
use crate::limits::WORKERS;
use crate::relay::End;
use crate::text::origin;
use crate::webhook::Webhook;

/// What every worker works with.
pub struct Server {
    /// Where requests come from.
    pub connections: Arc<Connections>,
    /// Knows where the webhook is.
    pub access: Arc<Access>,
    /// Answers turns.
    pub webhook: Webhook,
    /// Lets agents in.
    pub handshake: Handshake,
    /// Knows the agent.
    pub registry: Arc<Registry>,
    /// Told when nothing can be served any more.
    pub ends: Sender<End>,
    /// Whether the relay is stopping, so that the end of accepting is no surprise.
    pub stopping: AtomicBool,
}

/// Starts [`WORKERS`] threads. Each ends when tiny_http has nothing more to give.
///
/// # Errors
/// The system gives no thread.
pub fn start(server: &Arc<Server>) -> io::Result<()> {
    for number in 1..=WORKERS {
        let server = server.clone();
        std::thread::Builder::new().name(format!("worker {number}")).spawn(move || server.work())?;
    }
    Ok(())
}

impl Server {
    fn work(&self) {
        loop {
            match self.connections.next() {
                // A bug must cost its own request alone; the panic hook has told of it.
                Ok(Some(work)) => drop(catch_unwind(AssertUnwindSafe(|| self.serve(work)))),
                Ok(None) => {}
                Err(error) => {
                    self.connections.let_others_receive();
                    if !self.stopping.load(Relaxed) {
                        let cause = format!("no connection can be accepted any more: {error}");
                        let _ = self.ends.try_send(End::Failed(cause));
                    }
                    return;
                }
            }
        }
    }

    fn serve(&self, work: Work) {
        match work {
            Work::Request(incoming) => match head::check(incoming.request()) {
                Ok(head) => {
                    if let Some((incoming, body)) = body::read(incoming, head) {
                        self.route(incoming, &body);
                    }
                }
                Err(refusal) => incoming.refuse(refusal),
            },
            Work::Body(incoming, body) => self.route(incoming, &body),
            Work::Answer(incoming, answer) => incoming.answer(answer),
        }
    }

    fn route(&self, incoming: Incoming, body: &[u8]) {
        let request = incoming.request();
        let path = request.url().split('?').next().unwrap_or_default();
        match (path, request.method()) {
            ("/health", Method::Get | Method::Head) => incoming.answer(self.health()),
            ("/ws", Method::Get) => self.handshake.serve(incoming),
            ("/health", _) => incoming.answer(wrong_method("GET, HEAD")),
            ("/ws", _) => incoming.answer(wrong_method("GET")),
            (path, method) if self.access.is_webhook(path) => match method {
                Method::Post => self.webhook.serve(incoming, body),
                _ => incoming.answer(wrong_method("POST")),
            },
            (path, _) => {
                if path.starts_with(WEBHOOK_PATH) {
                    let origin = origin(incoming.peer().ip(), incoming.field("X-Real-IP"));
                    self.access.tell_of_wrong_address(&origin);
                }
                incoming.answer(Answer::error(404, "there is nothing here"));
            }
        }
    }

    fn health(&self) -> Answer {
        let connected = self.registry.is_connected();
        Answer::json(format!(r#"{{"status":"ok","agent_connected":{connected}}}"#).into_bytes())
    }
}

fn wrong_method(allow: &'static str) -> Answer {
    Answer::error(405, &format!("use {allow} here")).with("Allow", allow)
}
