//! The owner's page, `/owner`: what is going on, in a browser. Who may see it proves that by a code that `login`
//! prints, and from then on by a cookie (SECURITY.md, The owner's page).

pub mod greeting;
pub mod login;
pub mod visit;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tiny_http::Method;

use crate::config::Config;
use crate::config::secret::{Secret, random_bytes};
use crate::http::answer::Answer;
use crate::http::form::Form;
use crate::http::reception::Incoming;
use crate::owner_page::visit::{COOKIE_LIFE, Visit};
use crate::proofs::code::OneTimeCode;
use crate::proofs::seal::{Kind, Seals};
use crate::proofs::unix_time;
use crate::text::origin;
use crate::upkeep::repeats::Repeats;

/// Where everything of it is.
pub const PATH: &str = "/owner";

/// The header field in which `login` shows its proof.
pub const LOGIN_FIELD: &str = "Relay-Login";

/// Seconds that a monitor's token is good for: 400 days.
pub const MONITOR_LIFE: u64 = 34_560_000;

/// What serves the owner's page.
pub struct OwnerPage {
    /// None without `WEBHOOK_SECRET`.
    door: Option<Door>,
    /// Takes what is to be said of strangers.
    strangers: Arc<Repeats>,
}

/// What lets the owner in.
struct Door {
    seals: Seals,
    code: Mutex<OneTimeCode>,
}

impl Door {
    fn new(secret: &Secret) -> Self {
        Self { seals: Seals::new(secret), code: Mutex::default() }
    }
}

impl OwnerPage {
    /// Lets in whom this `config` lets in; tells `strangers` of the others.
    pub fn new(config: &Config, strangers: Arc<Repeats>) -> Self {
        let door = config.credentials.owner_secret().as_ref().map(Door::new);
        Self { door, strangers }
    }

    /// Answers a request for `path`, which came in `now` with this body. Returns it when there is nothing at
    /// its path.
    pub fn serve(&self, incoming: Incoming, path: &str, body: &[u8], now: Instant) -> Option<Incoming> {
        let method = incoming.request().method().clone();
        let is_read = matches!(method, Method::Get | Method::Head);
        let below = path.strip_prefix(PATH)?;
        let Some(door) = &self.door else {
            if below.is_empty() && is_read {
                incoming.answer(login::no_secret());
                return None;
            }
            return Some(incoming);
        };
        let is_post = method == Method::Post;
        match below {
            "" if is_read => self.show(door, incoming),
            "/enter" if is_post => self.enter(door, incoming, body, now),
            "/leave" if is_post => self.leave(door, incoming, body),
            "/code" | "/monitor" if is_post => self.give(door, incoming, below, now),
            "" => incoming.answer(Answer::wrong_method("GET, HEAD")),
            "/enter" | "/leave" | "/code" | "/monitor" => incoming.answer(Answer::wrong_method("POST")),
            _ => return Some(incoming),
        }
        None
    }

    fn show(&self, door: &Door, incoming: Incoming) {
        let page = match Visit::of(&incoming, &door.seals, unix_time()) {
            Some(visit) => login::entered(&visit.page_token(&door.seals)),
            None if incoming.request().url().ends_with("?entered") => login::ask(login::NOT_KEPT),
            None => login::ask(""),
        };
        incoming.answer(page);
    }

    /// Gives a cookie to whoever typed in the code.
    fn enter(&self, door: &Door, incoming: Incoming, body: &[u8], now: Instant) {
        let form = Form(std::str::from_utf8(body).unwrap_or_default());
        let typed = form.value("code").ok().flatten().unwrap_or_default();
        let kind = visit::kind(&incoming);
        // Made first: a code that was typed is not used up by a system that fails.
        let Ok(seal) = door.seals.make(kind, unix_time() + COOKIE_LIFE) else {
            return incoming.answer(Answer::error(500, "the system gives no random bytes"));
        };
        if !lock(&door.code).take(&typed, now) {
            self.tell_of_stranger(&incoming, "its code is wrong, used or too old");
            return incoming.answer(login::ask(login::WRONG));
        }
        log::info!("Somebody has logged in to the owner's page from {}", origin_of(&incoming));
        incoming.answer(go_to("/owner?entered").with("Set-Cookie", visit::cookie(kind, &seal)));
    }

    /// Takes the cookie back from whoever asks for it on the page.
    fn leave(&self, door: &Door, incoming: Incoming, body: &[u8]) {
        let form = Form(std::str::from_utf8(body).unwrap_or_default());
        let token = form.value("token").ok().flatten().unwrap_or_default();
        let visit = Visit::of(&incoming, &door.seals, unix_time());
        if !visit.is_some_and(|visit| visit.is_of_page(&door.seals, &token)) {
            return incoming.answer(go_to(PATH));
        }
        let kind = visit::kind(&incoming);
        incoming.answer(go_to(PATH).with("Set-Cookie", visit::no_cookie(kind)));
    }

    /// Gives a code or a monitor's token to whoever has all that the page's secret is made of.
    fn give(&self, door: &Door, incoming: Incoming, what: &str, now: Instant) {
        let shown = incoming.field(LOGIN_FIELD).unwrap_or_default();
        if door.seals.check(Kind::Login, shown, unix_time()).is_none() {
            self.tell_of_stranger(&incoming, "it asks for a code without this relay's secrets and ids");
            let message = "a good proof is needed: run `login` with the relay's own environment";
            return incoming.answer(Answer::error(401, message));
        }
        let given = match what {
            "/code" => random_bytes().map(|random| lock(&door.code).renew(random, now)),
            _ => door.seals.make(Kind::Monitor, unix_time() + MONITOR_LIFE),
        };
        incoming.answer(match given {
            Ok(given) => Answer::json([r#"{"given":""#, &given, r#""}"#].concat().into_bytes()),
            Err(_) => Answer::error(500, "the system gives no random bytes"),
        });
    }

    fn tell_of_stranger(&self, incoming: &Incoming, why: &str) {
        let origin = origin_of(incoming);
        self.strangers.say(format!("A request for the owner's page from {origin} was refused: {why}"));
    }
}

fn go_to(path: &'static str) -> Answer {
    Answer::new(303, "text/plain", Vec::new())
        .with("Location", path)
        .with("Referrer-Policy", "no-referrer")
}

fn origin_of(incoming: &Incoming) -> String {
    origin(incoming.peer().ip(), incoming.claimed())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
