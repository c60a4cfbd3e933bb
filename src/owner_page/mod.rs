//! The owner's page, `/owner`: the relay's state in a browser. The owner logs in with a code that `login` prints, and
//! stays logged in by a cookie (docs/threats.md).

pub mod greeting;
pub mod json;
pub mod login;
pub mod page;
pub mod session;
pub mod state;
pub mod values;

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::config::credentials::Credentials;
use crate::dialogs::webhook::{self, Utterance};
use crate::dialogs::words;
use crate::engine::Engine;
use crate::http::exchange::Exchange;
use crate::http::form::Form;
use crate::http::response::Response;
use crate::http::submissions::Submission;
use crate::object::Fields;
use crate::owner_page::session::{BrowserSession, COOKIE_LIFE};
use crate::owner_page::state::{PageState, PersonState};
use crate::runtime::log_limit::target::OWNER_REFUSED;
use crate::runtime::watchdog::Limits;
use crate::secret::{Secret, random_bytes};
use crate::sync::{Mutex, lock};
use crate::tokens::code::OneTimeCode;
use crate::tokens::signed::{Kind, TokenSigner};
use crate::tokens::{field, unix_time};

/// The path below which the owner's page is served.
pub const PATH: &str = "/owner";

/// Lifetime of a monitor's token, in seconds: 400 days.
pub const MONITOR_LIFE: u64 = 34_560_000;

/// Longest phrase that the page may submit, in characters.
pub const MAX_SAID: usize = 1024;

/// Serves the owner's page.
pub struct OwnerPage {
    limits: Limits,
    /// When the relay was started, in milliseconds of Unix time.
    started: u64,
    /// `None` without `WEBHOOK_SECRET`.
    auth: Option<Auth>,
}

/// Authenticates browsers and monitors.
struct Auth {
    signer: TokenSigner,
    code: Mutex<OneTimeCode>,
}

impl Auth {
    fn new(secret: &Secret) -> Self {
        Self { signer: TokenSigner::new(secret), code: Mutex::default() }
    }
}

impl OwnerPage {
    /// Creates the page when the relay starts. It shows these `limits`; `credentials` decide who may log in.
    pub fn new(credentials: &Credentials, limits: Limits) -> Self {
        let auth = credentials.owner_secret().as_ref().map(Auth::new);
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let started = u64::try_from(started).unwrap_or_default();
        Self { limits, started, auth }
    }

    /// Serves a request that arrived `now`. Returns the exchange if nothing is at `path`.
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
        let Some(below) = path.strip_prefix(PATH) else { return Some(exchange) };
        engine.reachability.request(|| exchange.is_forwarded());
        let Some(auth) = &self.auth else {
            if below.is_empty() && is_read {
                exchange.respond(login::no_secret());
                return None;
            }
            return Some(exchange);
        };
        let is_post = method == "POST";
        match below {
            "" if is_read => self.show(engine, auth, exchange, now),
            "/enter" if is_post => enter(engine, auth, exchange, body, now),
            "/leave" if is_post => leave(engine, auth, exchange, body),
            "/code" | "/monitor" if is_post => give(auth, exchange, below, now),
            "/state" if is_read => self.tell_state(engine, auth, exchange, now),
            "/page.css" if is_read => exchange.respond(page::style()),
            "/page.js" if is_read => exchange.respond(page::script()),
            "/say" if is_post => say(engine, auth, exchange, body, now),
            "" | "/state" | "/page.css" | "/page.js" => {
                exchange.respond(Response::wrong_method("GET, HEAD"))
            }
            "/enter" | "/leave" | "/code" | "/monitor" | "/say" => {
                exchange.respond(Response::wrong_method("POST"))
            }
            _ => return Some(exchange),
        }
        None
    }

    fn show(&self, engine: &Engine, auth: &Auth, exchange: Exchange, now: Instant) {
        let page = match BrowserSession::of(&exchange, &auth.signer, unix_time()) {
            Some(session) => {
                let domain = values::domain(exchange.field("Host").unwrap_or_default());
                let values = values::values(&engine.config, &domain);
                page::page(
                    &self.state(engine, now),
                    &values,
                    &domain,
                    &session.page_token(&auth.signer),
                )
            }
            None if exchange.target().ends_with("?entered") => login::ask(login::NOT_KEPT),
            None => login::ask(""),
        };
        exchange.respond(page);
    }

    /// Responds with the state: all of it for the page, less for a monitor.
    fn tell_state(&self, engine: &Engine, auth: &Auth, exchange: Exchange, now: Instant) {
        let is_monitor = |token| auth.signer.verify(Kind::Monitor, token, unix_time()).is_some();
        if exchange.bearer().is_some_and(is_monitor) {
            return exchange
                .respond(Response::json(json::for_monitor(&self.state(engine, now)).into_bytes()));
        }
        let Some(session) = BrowserSession::of(&exchange, &auth.signer, unix_time()) else {
            let message = "log in at /owner, or show the token that `login --monitor` prints";
            return exchange.respond(Response::error(401, message).with("WWW-Authenticate", "Bearer"));
        };
        let of_person = PersonState::gather(engine, &session.person(), now);
        let json = json::for_page(&self.state(engine, now), &of_person);
        exchange.respond(Response::json(json.into_bytes()));
    }

    fn state(&self, engine: &Engine, now: Instant) -> PageState {
        PageState::gather(engine, self.limits, self.started, now)
    }
}

/// Sets the cookie if the form holds a valid code.
fn enter(engine: &Engine, auth: &Auth, exchange: Exchange, body: &[u8], now: Instant) {
    let form = Form(std::str::from_utf8(body).unwrap_or_default());
    let typed = form.value("code").ok().flatten().unwrap_or_default();
    let kind = session::kind(&exchange);
    // Signed first, so that a failure does not use up the code.
    let Ok(signed) = auth.signer.sign(kind, unix_time() + COOKIE_LIFE) else {
        return exchange.respond(Response::error(500, "cannot get random bytes"));
    };
    // A repeated submission gets the same cookie, so it is told apart by the cookie's kind, too.
    let submission = Submission::of(&format!("{PATH}/enter {kind:?}"), body);
    let signed = engine.submissions.once(submission, now, || {
        lock(&auth.code).take(&typed, now).then(|| {
            log::info!("Somebody has logged in to the owner's page from {}", exchange.origin());
            signed
        })
    });
    let Some(signed) = signed else {
        log_refusal(&exchange, "its code is wrong, used or too old");
        return exchange.respond(login::ask(login::WRONG));
    };
    exchange.respond(go_to("/owner?entered").with("Set-Cookie", session::cookie(kind, &signed)));
}

/// Removes the cookie, if the form holds the page's CSRF token.
fn leave(engine: &Engine, auth: &Auth, exchange: Exchange, body: &[u8]) {
    let form = Form(std::str::from_utf8(body).unwrap_or_default());
    let token = form.value("token").ok().flatten().unwrap_or_default();
    let session = BrowserSession::of(&exchange, &auth.signer, unix_time());
    if !session.is_some_and(|session| session.is_of_page(&auth.signer, &token)) {
        return exchange.respond(go_to(PATH));
    }
    // Or a repeated submission of the code would log in again.
    engine.submissions.forget();
    let kind = session::kind(&exchange);
    exchange.respond(go_to(PATH).with("Set-Cookie", session::no_cookie(kind)));
}

/// Submits a phrase on behalf of this browser; responds like the webhook.
fn say(engine: &Engine, auth: &Auth, exchange: Exchange, body: &[u8], now: Instant) {
    let Some(session) = BrowserSession::of(&exchange, &auth.signer, unix_time()) else {
        return exchange.respond(Response::error(401, "log in at /owner"));
    };
    let fields = Fields::of_body(body);
    let text = |name| fields.as_ref().and_then(|fields| fields.text(name)).unwrap_or_default();
    if !session.is_of_page(&auth.signer, &text("token")) {
        log_refusal(&exchange, "its page is not this browser's");
        return exchange.respond(Response::error(403, "load the page again"));
    }
    if text("text").chars().count() > MAX_SAID {
        return exchange.respond(Response::error(400, "say less at once"));
    }
    let command = words::normalised(&text("text"));
    let person = Some(session.person());
    let utterance =
        Utterance { version: "1.0", command: &command, is_first: false, person, turn: None };
    webhook::hear(engine, exchange, utterance, now);
}

/// Issues a login code or monitor token to a caller with a valid proof.
fn give(auth: &Auth, exchange: Exchange, what: &str, now: Instant) {
    let shown = exchange.field(field::LOGIN).unwrap_or_default();
    if auth.signer.verify(Kind::Login, shown, unix_time()).is_none() {
        log_refusal(&exchange, "it asks for a code without this relay's secrets and ids");
        let message = "a good proof is needed: run `login` with the relay's own environment";
        return exchange.respond(Response::error(401, message));
    }
    let given = match what {
        "/code" => random_bytes().map(|random| lock(&auth.code).renew(random, now)),
        _ => auth.signer.sign(Kind::Monitor, unix_time() + MONITOR_LIFE),
    };
    exchange.respond(match given {
        Ok(given) => Response::object(&[("given", &given)]),
        Err(_) => Response::error(500, "cannot get random bytes"),
    });
}

fn log_refusal(exchange: &Exchange, why: &str) {
    let origin = exchange.origin();
    log::warn!(target: OWNER_REFUSED, "A request for the owner's page from {origin} was refused: {why}");
}

fn go_to(path: &'static str) -> Response {
    Response::new(303, "text/plain", Vec::new())
        .with("Location", path)
        .with("Referrer-Policy", "no-referrer")
}
