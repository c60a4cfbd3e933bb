//! Yandex Smart Home: the PC as a device (docs/facts/smart_home.md). Serves everything below `/smart-home`: account
//! linking, the devices, and actions, which become commands for the agent.

pub mod actions;
pub mod devices;
pub mod discovery;
pub mod linking;
pub mod number;
pub mod page;
pub mod perform;
pub mod request_id;

use std::sync::Arc;
use std::time::Instant;

use crate::agents::encoder::Protocol;
use crate::agents::link::Link;
use crate::agents::v2::Context;
use crate::commands::Responder;
use crate::commands::in_flight::NewCommand;
use crate::config::Config;
use crate::config::agents::AgentId;
use crate::dialogs::wake;
use crate::engine::Engine;
use crate::http::exchange::Exchange;
use crate::http::form::Form;
use crate::http::response::Response;
use crate::http::submissions::Submission;
use crate::object::Fields;
use crate::runtime::log_limit::target;
use crate::secret::{Secret, random_bytes};
use crate::smart_home::actions::{CapabilityRequest, Plan, code};
use crate::smart_home::devices::Device;
use crate::smart_home::linking::{CODE_LIFE, Linking, Refused, UsedCodes};
use crate::smart_home::perform::{
    ACTION_PROBE, ACTION_TIMEOUT, ActionPart, PendingAction, Report, answer,
};
use crate::smart_home::request_id::{loggable, request_id};
use crate::sync::{Mutex, lock};
use crate::tokens::code::OneTimeCode;
use crate::tokens::signed::{Kind, client_secret};
use crate::tokens::{field, unix_time};

/// The path below which Smart Home is served.
pub const PATH: &str = "/smart-home";

/// Most devices and capabilities in one request; a real request of 64 KiB has fewer.
pub const MAX_ASKED: usize = 1024;

/// Returns the secrets of `config` and those derived from them, to be kept out of logs and pages.
pub fn secrets(config: &Config) -> Vec<Secret> {
    let secret = config.smart_home.secret.iter();
    let own = secret.flat_map(|secret| [secret.clone(), client_secret(secret)]);
    config.credentials.secrets().into_iter().chain(own).collect()
}

/// A command of an action.
struct AgentCommand {
    /// The PC that it is about.
    agent: AgentId,
    /// The link of that PC, or of the one that wakes it.
    link: Arc<Link>,
    text: String,
    /// The network cards of the PC to wake; empty if it needs no waking.
    wake: Vec<String>,
    /// Whether it switches the PC off.
    is_off: bool,
}

/// Serves Yandex Smart Home.
pub struct SmartHome {
    linking: Linking,
    devices: Vec<Device>,
    pairing: Mutex<OneTimeCode>,
    used: Mutex<UsedCodes>,
}

impl SmartHome {
    /// Offers `devices` to accounts that were linked with `secret`.
    pub fn new(secret: &Secret, devices: Vec<Device>) -> Self {
        let (pairing, used) = (Mutex::default(), Mutex::default());
        Self { linking: Linking::new(secret), devices, pairing, used }
    }

    /// Serves a request that arrived `now`, or leaves it waiting for the agent. Returns the exchange if nothing is at
    /// `path`.
    pub fn serve(
        &self,
        engine: &Engine,
        exchange: Exchange,
        path: &str,
        body: &[u8],
        now: Instant,
    ) -> Option<Exchange> {
        let method = exchange.method().to_owned();
        let is_read = exchange.is_read();
        let below = path.strip_prefix(PATH).unwrap_or_default();
        let api_path =
            below.strip_prefix("/v1.0").filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match below {
            "/authorize" if is_read => self.show_page(exchange),
            "/authorize" if method == "POST" => self.authorize(engine, exchange, body, now),
            "/authorize" => exchange.respond(Response::wrong_method("GET, HEAD, POST")),
            "/token" if method == "POST" => self.tokens(exchange, body),
            "/pair" if method == "POST" => self.pair(exchange, now),
            "/token" | "/pair" => exchange.respond(Response::wrong_method("POST")),
            "/v1.0" | "/v1.0/" if is_read => exchange.respond(Response::json(b"{}".to_vec())),
            _ => {
                return match api_path {
                    Some(path) => self.serve_api(engine, exchange, path, &method, body, now),
                    None => Some(exchange),
                };
            }
        }
        None
    }

    /// Serves the paths that need an access token.
    fn serve_api(
        &self,
        engine: &Engine,
        exchange: Exchange,
        path: &str,
        method: &str,
        body: &[u8],
        now: Instant,
    ) -> Option<Exchange> {
        if !self.linking.admits(exchange.field("Authorization"), unix_time()) {
            log_refusal(
                &exchange,
                "its access token is missing, expired, or signed with another SMART_HOME_SECRET",
            );
            let message = "a valid access token is needed: link the account again";
            exchange.respond(Response::error(401, message).with("WWW-Authenticate", "Bearer"));
            return None;
        }
        let allowed = match path {
            "/user/devices" => "GET",
            "/user/unlink" | "/user/devices/query" | "/user/devices/action" => "POST",
            // GET and HEAD were answered before.
            "" | "/" => "GET",
            _ => return Some(exchange),
        };
        if method != allowed {
            exchange.respond(Response::wrong_method(allowed));
            return None;
        }
        let id = request_id(&exchange);
        let payload = match path {
            "/user/devices" => Some(discovery::describe(&self.devices)),
            "/user/unlink" => None,
            "/user/devices/query" => match self.query(engine, body) {
                Ok(payload) => Some(payload),
                Err(problem) => return bad(exchange, problem),
            },
            _ => match asked(body) {
                Ok(asked) => {
                    self.act(engine, exchange, id, &asked, now);
                    return None;
                }
                Err(problem) => return bad(exchange, problem),
            },
        };
        log::info!(target: target::SMART_HOME, "Smart Home {}: {path}", loggable(&id));
        exchange.respond(answer(&id, payload.as_deref()));
        None
    }

    fn show_page(&self, exchange: Exchange) {
        let query = exchange.target().split_once('?').map_or("", |(_, query)| query);
        let page = match linking::check(Form(query)) {
            Ok(state) => page::ask(&state, false),
            Err(wrong) => page::refuse(wrong),
        };
        exchange.respond(page);
    }

    fn authorize(&self, engine: &Engine, exchange: Exchange, body: &[u8], now: Instant) {
        let form = Form(std::str::from_utf8(body).unwrap_or_default());
        let state = match linking::check(form) {
            Ok(state) => state,
            Err(wrong) => return exchange.respond(page::refuse(wrong)),
        };
        let typed = form.value("pairing_code").ok().flatten().unwrap_or_default();
        // Signed first, so that a failure does not use up the pairing code.
        let Ok(code) = self.linking.signer.sign(Kind::Code, unix_time() + CODE_LIFE) else {
            return exchange.respond(page::fail());
        };
        let submission = Submission::of("/smart-home/authorize", body);
        let code = engine.submissions.once(submission, now, || {
            lock(&self.pairing).take(&typed, now).then(|| {
                log::info!("Smart Home is being linked from {}", exchange.origin());
                code
            })
        });
        let Some(code) = code else {
            log_refusal(&exchange, "its pairing code is wrong, used or too old");
            return exchange.respond(page::ask(&state, true));
        };
        exchange.respond(page::redirect_to_yandex(&code, &state));
    }

    fn tokens(&self, exchange: Exchange, body: &[u8]) {
        let form = Form(std::str::from_utf8(body).unwrap_or_default());
        let authorization = exchange.field("Authorization");
        let tokens = self.linking.tokens(form, authorization, &mut lock(&self.used), unix_time());
        let tokens = match tokens {
            Ok(json) => Response::json(json.into_bytes()),
            Err(refused) => {
                let (status, word) = refused.code();
                log_refusal(&exchange, word);
                let answer = Response::error(status, word);
                match refused {
                    Refused::Client => answer.with("WWW-Authenticate", "Basic realm=\"home-alice\""),
                    _ => answer,
                }
            }
        };
        exchange.respond(tokens.with("Pragma", "no-cache"));
    }

    /// Issues a pairing code to a caller with a valid proof of `SMART_HOME_SECRET`.
    fn pair(&self, exchange: Exchange, now: Instant) {
        let shown = exchange.field(field::PAIR).unwrap_or_default();
        if self.linking.signer.verify(Kind::Pairing, shown, unix_time()).is_none() {
            log_refusal(&exchange, "it asks for a pairing code without this SMART_HOME_SECRET");
            return exchange.respond(Response::error(
                401,
                "a good proof is needed: run `pair` with the relay's own environment",
            ));
        }
        exchange.respond(match random_bytes() {
            Ok(random) => {
                let code = lock(&self.pairing).renew(random, now);
                Response::object(&[("code", &code)])
            }
            Err(_) => Response::error(500, "cannot get random bytes"),
        });
    }

    fn query(&self, engine: &Engine, body: &[u8]) -> Result<String, &'static str> {
        let fields = object(body)?;
        let devices = fields.list("devices").ok_or("the body has no list of `devices`")?;
        if devices.len() > MAX_ASKED {
            return Err("the body asks for too many devices");
        }
        let id = |json| Fields::of(json)?.text("id").map(|id| id.into_owned());
        let ids: Vec<String> = devices.into_iter().filter_map(id).collect();
        let is_connected = |agent| engine.registry.current(agent).is_some();
        Ok(discovery::states(&self.devices, &ids, &is_connected))
    }

    fn act(
        &self,
        engine: &Engine,
        mut exchange: Exchange,
        id: String,
        asked: &[(String, Vec<CapabilityRequest<'_>>)],
        now: Instant,
    ) {
        let guard = engine.drain.guard();
        // The result that stands until the command ends, and the command, if one is needed.
        let planned = |agent, link: Option<(Arc<Link>, Vec<String>)>, text: Option<String>, is_off| {
            match link.filter(|_| guard.is_some()) {
                None => (Err(code::DEVICE_UNREACHABLE), None),
                // The PC is on already.
                Some((_, wake)) if wake.is_empty() && text.is_none() => (Ok(()), None),
                Some((link, wake)) => {
                    let text = text.unwrap_or_else(|| wake::SWITCH_ON.into());
                    let command = AgentCommand { agent, link, text, wake, is_off };
                    (Err(code::INTERNAL_ERROR), Some(command))
                }
            }
        };
        let mut report = Report::default();
        let mut commands = Vec::new();
        for (device_id, capabilities) in asked {
            let device = self.devices.iter().find(|device| device.id == *device_id);
            report.device(device_id.clone(), device.is_some());
            for request in capabilities {
                let unknown = Plan::Refuse(code::DEVICE_UNREACHABLE);
                let (result, command) = match device.map_or(unknown, |device| request.plan(device)) {
                    Plan::Refuse(code) => (Err(code), None),
                    Plan::On { agent, text } => {
                        planned(agent, link_to(engine, agent, true), text, false)
                    }
                    Plan::Say { agent, text, is_off } => {
                        planned(agent, link_to(engine, agent, false), Some(text), is_off)
                    }
                };
                let (kind, instance) = (request.kind.to_string(), request.instance.to_string());
                let place = report.capability(kind, instance, result);
                commands.extend(command.map(|command| (place, command, (device_id, request))));
            }
        }
        guard.into_iter().for_each(|guard| exchange.hold(guard));
        let action = PendingAction::new(exchange, id, report, commands.len(), now);
        let deadline = now + ACTION_TIMEOUT;
        for (place, AgentCommand { agent, link, text, wake, is_off }, (device, request)) in commands {
            let responder: Box<dyn Responder> =
                Box::new(ActionPart { action: action.clone(), place, is_off });
            let new =
                NewCommand { agent, link: link.id, begun: now, deadline, person: None, responder };
            let person = match link.protocol {
                Protocol::V1 => None,
                Protocol::V2 => engine.registry.encoder.pseudonym_of_smart_home(),
            };
            let context = Context {
                person: person.as_deref(),
                action: Some(request.action(device)),
                wake: (!wake.is_empty()).then_some(&*wake),
                ..Context::default()
            };
            engine.dispatch(&link, new, &text, &context, ACTION_PROBE);
        }
        action.begun();
    }
}

/// Returns the link of a PC; if it is away and `may_wake`, the link of the PC that wakes it, and the cards' addresses.
fn link_to(engine: &Engine, agent: AgentId, may_wake: bool) -> Option<(Arc<Link>, Vec<String>)> {
    match engine.registry.current(agent) {
        None if may_wake => engine.registry.wake_route(agent).ok(),
        link => link.map(|link| (link, Vec::new())),
    }
}

fn log_refusal(exchange: &Exchange, why: &str) {
    let origin = exchange.origin();
    log::warn!(
        target: target::SMART_HOME_REFUSED,
        "A Smart Home request from {origin} was refused: {why}"
    );
}

/// Parses the devices of an action request, with the capabilities asked of each. Skips devices without an id, since
/// they cannot be answered.
fn asked(body: &[u8]) -> Result<Vec<(String, Vec<CapabilityRequest<'_>>)>, &'static str> {
    let devices = object(body)?.object("payload").and_then(|payload| payload.list("devices"));
    let devices = devices.ok_or("the body has no `payload` with a list of `devices`")?;
    let mut left = MAX_ASKED;
    let mut all = Vec::new();
    for json in devices {
        let Some(fields) = Fields::of(json) else { continue };
        let Some(id) = fields.text("id") else { continue };
        let capabilities = fields.list("capabilities").unwrap_or_default();
        left = left.checked_sub(1 + capabilities.len()).ok_or("the body asks for too much at once")?;
        all.push((id.into_owned(), capabilities.into_iter().map(CapabilityRequest::read).collect()));
    }
    Ok(all)
}

fn object(body: &[u8]) -> Result<Fields<'_>, &'static str> {
    Fields::of_body(body).ok_or("the body is no JSON object")
}

fn bad(exchange: Exchange, problem: &str) -> Option<Exchange> {
    exchange.respond(Response::error(400, problem));
    None
}
