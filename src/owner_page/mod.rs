//! The owner's page, `/owner`: what is going on, in a browser. Who may see it proves that by a code that `login`
//! prints, and from then on by a cookie (SECURITY.md, The owner's page).

pub mod greeting;
pub mod json;
pub mod login;
pub mod page;
pub mod state;
pub mod values;
pub mod session;

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::config::credentials::Credentials;
use crate::dialogs::webhook::{self, Utterance};
use crate::dialogs::words;
use crate::engine::Engine;
use crate::http::answer::Answer;
use crate::http::form::Form;
use crate::http::incoming::Incoming;
use crate::http::presses::Press;
use crate::object::Fields;
use crate::owner_page::state::{PersonState, State};
use crate::owner_page::session::{COOKIE_LIFE, BrowserSession};
use crate::tokens::code::OneTimeCode;
use crate::tokens::signed::{Kind, TokenSigner};
use crate::tokens::{field, unix_time};
use crate::runtime::log_limit::target::OWNER_REFUSED;
use crate::runtime::watchdog::Limits;
use crate::secret::{Secret, random_bytes};
use crate::sync::{Mutex, lock};

/// Where everything of it is.
pub const PATH: &str = "/owner";

/// Seconds that a monitor's token is good for: 400 days.
pub const MONITOR_LIFE: u64 = 34_560_000;

/// Characters that may be said at once on the page.
pub const MAX_SAID: usize = 1024;

/// What serves the owner's page.
pub struct OwnerPage {
    limits: Limits,
    /// When the relay was started, in milliseconds of Unix time.
    started: u64,
    /// None without `WEBHOOK_SECRET`.
    auth: Option<Auth>,
}

/// What lets the owner in.
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
    /// Shows what is going on in a relay with these `limits` to whom these `credentials` let in. Called when the relay starts.
    pub fn new(credentials: &Credentials, limits: Limits) -> Self {
        let auth = credentials.owner_secret().as_ref().map(Auth::new);
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let started = u64::try_from(started).unwrap_or_default();
        Self { limits, started, auth }
    }

    /// Answers a request for `path`, which came in `now` with this body. Returns it when there is nothing at
    /// its path.
    pub fn serve(
        &self,
        engine: &Engine,
        incoming: Incoming,
        path: &str,
        body: &[u8],
        now: Instant,
    ) -> Option<Incoming> {
        let method = incoming.method().to_owned();
        let is_read = incoming.is_read();
        let Some(below) = path.strip_prefix(PATH) else { return Some(incoming) };
        engine.way.request(|| incoming.is_forwarded());
        let Some(auth) = &self.auth else {
            if below.is_empty() && is_read {
                incoming.answer(login::no_secret());
                return None;
            }
            return Some(incoming);
        };
        let is_post = method == "POST";
        match below {
            "" if is_read => self.show(engine, auth, incoming, now),
            "/enter" if is_post => enter(engine, auth, incoming, body, now),
            "/leave" if is_post => leave(engine, auth, incoming, body),
            "/code" | "/monitor" if is_post => give(auth, incoming, below, now),
            "/state" if is_read => self.tell_state(engine, auth, incoming, now),
            "/page.css" if is_read => incoming.answer(page::style()),
            "/page.js" if is_read => incoming.answer(page::script()),
            "/say" if is_post => say(engine, auth, incoming, body, now),
            "" | "/state" | "/page.css" | "/page.js" => {
                incoming.answer(Answer::wrong_method("GET, HEAD"))
            }
            "/enter" | "/leave" | "/code" | "/monitor" | "/say" => {
                incoming.answer(Answer::wrong_method("POST"))
            }
            _ => return Some(incoming),
        }
        None
    }

    fn show(&self, engine: &Engine, auth: &Auth, incoming: Incoming, now: Instant) {
        let page = match BrowserSession::of(&incoming, &auth.signer, unix_time()) {
            Some(session) => {
                let domain = values::domain(incoming.field("Host").unwrap_or_default());
                let values = values::values(&engine.config, &domain);
                page::page(&self.state(engine, now), &values, &domain, &session.page_token(&auth.signer))
            }
            None if incoming.target().ends_with("?entered") => login::ask(login::NOT_KEPT),
            None => login::ask(""),
        };
        incoming.answer(page);
    }

    /// Tells what is going on: the page all, a monitor less of it.
    fn tell_state(&self, engine: &Engine, auth: &Auth, incoming: Incoming, now: Instant) {
        let is_monitor = |token| auth.signer.verify(Kind::Monitor, token, unix_time()).is_some();
        if incoming.bearer().is_some_and(is_monitor) {
            return incoming
                .answer(Answer::json(json::for_monitor(&self.state(engine, now)).into_bytes()));
        }
        let Some(session) = BrowserSession::of(&incoming, &auth.signer, unix_time()) else {
            let message = "log in at /owner, or show the token that `login --monitor` prints";
            return incoming.answer(Answer::error(401, message).with("WWW-Authenticate", "Bearer"));
        };
        let of_person = PersonState::gather(engine, &session.person(), now);
        let json = json::for_page(&self.state(engine, now), &of_person);
        incoming.answer(Answer::json(json.into_bytes()));
    }

    fn state(&self, engine: &Engine, now: Instant) -> State {
        State::gather(engine, self.limits, self.started, now)
    }
}

/// Gives a cookie to whoever typed in the code.
fn enter(engine: &Engine, auth: &Auth, incoming: Incoming, body: &[u8], now: Instant) {
    let form = Form(std::str::from_utf8(body).unwrap_or_default());
    let typed = form.value("code").ok().flatten().unwrap_or_default();
    let kind = session::kind(&incoming);
    // Made first: a code that was typed is not used up by a system that fails.
    let Ok(signed) = auth.signer.sign(kind, unix_time() + COOKIE_LIFE) else {
        return incoming.answer(Answer::error(500, "the system gives no random bytes"));
    };
    // An equal press has an equal cookie, which is of this kind.
    let press = Press::of(&format!("{PATH}/enter {kind:?}"), body);
    let signed = engine.presses.once(press, now, || {
        lock(&auth.code).take(&typed, now).then(|| {
            log::info!("Somebody has logged in to the owner's page from {}", incoming.origin());
            signed
        })
    });
    let Some(signed) = signed else {
        tell_of_stranger(&incoming, "its code is wrong, used or too old");
        return incoming.answer(login::ask(login::WRONG));
    };
    incoming.answer(go_to("/owner?entered").with("Set-Cookie", session::cookie(kind, &signed)));
}

/// Takes the cookie back from whoever asks for it on the page.
fn leave(engine: &Engine, auth: &Auth, incoming: Incoming, body: &[u8]) {
    let form = Form(std::str::from_utf8(body).unwrap_or_default());
    let token = form.value("token").ok().flatten().unwrap_or_default();
    let session = BrowserSession::of(&incoming, &auth.signer, unix_time());
    if !session.is_some_and(|session| session.is_of_page(&auth.signer, &token)) {
        return incoming.answer(go_to(PATH));
    }
    // Nor shall an equal press log it in again.
    engine.presses.forget();
    let kind = session::kind(&incoming);
    incoming.answer(go_to(PATH).with("Set-Cookie", session::no_cookie(kind)));
}

/// Says something as the person that this browser is. The answer is that of a turn.
fn say(engine: &Engine, auth: &Auth, incoming: Incoming, body: &[u8], now: Instant) {
    let Some(session) = BrowserSession::of(&incoming, &auth.signer, unix_time()) else {
        return incoming.answer(Answer::error(401, "log in at /owner"));
    };
    let fields = Fields::of_body(body);
    let text = |name| fields.as_ref().and_then(|fields| fields.text(name)).unwrap_or_default();
    if !session.is_of_page(&auth.signer, &text("token")) {
        tell_of_stranger(&incoming, "its page is not this browser's");
        return incoming.answer(Answer::error(403, "load the page again"));
    }
    if text("text").chars().count() > MAX_SAID {
        return incoming.answer(Answer::error(400, "say less at once"));
    }
    let command = words::normalised(&text("text"));
    let person = Some(session.person());
    let utterance = Utterance { version: "1.0", command: &command, is_first: false, person, turn: None };
    webhook::hear(engine, incoming, utterance, now);
}

/// Gives a code or a monitor's token to whoever has all that the page's secret is made of.
fn give(auth: &Auth, incoming: Incoming, what: &str, now: Instant) {
    let shown = incoming.field(field::LOGIN).unwrap_or_default();
    if auth.signer.verify(Kind::Login, shown, unix_time()).is_none() {
        tell_of_stranger(&incoming, "it asks for a code without this relay's secrets and ids");
        let message = "a good proof is needed: run `login` with the relay's own environment";
        return incoming.answer(Answer::error(401, message));
    }
    let given = match what {
        "/code" => random_bytes().map(|random| lock(&auth.code).renew(random, now)),
        _ => auth.signer.sign(Kind::Monitor, unix_time() + MONITOR_LIFE),
    };
    incoming.answer(match given {
        Ok(given) => Answer::object(&[("given", &given)]),
        Err(_) => Answer::error(500, "the system gives no random bytes"),
    });
}

fn tell_of_stranger(incoming: &Incoming, why: &str) {
    let origin = incoming.origin();
    log::warn!(target: OWNER_REFUSED, "A request for the owner's page from {origin} was refused: {why}");
}

fn go_to(path: &'static str) -> Answer {
    Answer::new(303, "text/plain", Vec::new())
        .with("Location", path)
        .with("Referrer-Policy", "no-referrer")
}
