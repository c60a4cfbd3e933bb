//! Gives an agent its PC's key without anybody copying it: `invite` requests a code (`POST /ws/invite`), which the
//! agent exchanges for the key (`POST /ws/join`).

use std::time::Instant;

use crate::config::credentials::{Credentials, LOCK};
use crate::engine::Engine;
use crate::http::exchange::Exchange;
use crate::http::response::Response;
use crate::http::submissions::Submission;
use crate::json;
use crate::object::Fields;
use crate::runtime::log_limit::target::AGENTS_REJECTED;
use crate::secret::{Secret, random_bytes};
use crate::sync::{Mutex, lock};
use crate::tokens::code::OneTimeCode;
use crate::tokens::signed::{Kind, TokenSigner};
use crate::tokens::{field, unix_time};

/// The path at which `invite` requests a code.
pub const INVITE_PATH: &str = "/ws/invite";

/// The path at which an agent exchanges the code for the key.
pub const JOIN_PATH: &str = "/ws/join";

/// A PC that an agent can join.
struct JoinablePc {
    name: String,
    key: Secret,
    signer: TokenSigner,
    code: OneTimeCode,
}

/// All PCs that an agent can join. Plain data.
struct JoinablePcs(Vec<JoinablePc>);

impl JoinablePcs {
    /// Takes the PCs whose key lasts: a random one would be void with the next run.
    fn new(credentials: &Credentials) -> Self {
        let names = credentials.agents.names();
        let pc = |(agent, name): (_, &str)| {
            let key = credentials.lasting_key(agent)?.clone();
            let (name, signer) = (name.to_owned(), TokenSigner::new(&key));
            Some(JoinablePc { name, key, signer, code: OneTimeCode::default() })
        };
        Self(names.all().filter_map(pc).collect())
    }

    /// Returns the PC whose key the proof is made from, if it is valid at this Unix time. Tries every key.
    fn proven(&mut self, proof: &str, unix: u64) -> Option<&mut JoinablePc> {
        self.0.iter_mut().fold(None, |found, pc| {
            if pc.signer.verify(Kind::Invitation, proof, unix).is_some() { Some(pc) } else { found }
        })
    }

    /// Returns the PC of the typed code, and uses the code up. Compares every code, in constant time.
    fn take(&mut self, typed: &str, now: Instant) -> Option<&JoinablePc> {
        self.0.iter_mut().fold(
            None,
            |found, pc| {
                if pc.code.take(typed, now) { Some(&*pc) } else { found }
            },
        )
    }
}

/// Serves invitations.
pub struct Joining {
    /// `None` without `WEBHOOK_SECRET`: joining in one line must not lead to an open webhook.
    pcs: Option<Mutex<JoinablePcs>>,
}

impl Joining {
    /// Offers the newest key of each PC.
    pub fn new(credentials: &Credentials) -> Self {
        let pcs = credentials.webhook.is_some().then(|| Mutex::new(JoinablePcs::new(credentials)));
        Self { pcs }
    }

    /// Issues a code to a caller with a valid proof of a PC's key. It replaces the PC's last code.
    pub fn invite(&self, exchange: Exchange, now: Instant) {
        let Some(pcs) = &self.pcs else { return refuse_at_open_door(exchange) };
        let Ok(random) = random_bytes() else {
            return exchange.respond(Response::error(500, "cannot get random bytes"));
        };
        let proof = exchange.field(field::INVITE).unwrap_or_default();
        let code = lock(pcs).proven(proof, unix_time()).map(|pc| pc.code.renew(random, now));
        match code {
            Some(code) => {
                exchange.respond(Response::object(&[("code", &code)]));
            }
            None => {
                let cure = "a good proof is needed: run `invite` with the relay's own environment";
                refuse(
                    exchange,
                    "it asks for an invitation without a key of this relay's",
                    (401, cure),
                );
            }
        }
    }

    /// Responds with a PC's name and key if the body holds its code.
    pub fn join(&self, engine: &Engine, exchange: Exchange, body: &[u8], now: Instant) {
        let Some(pcs) = &self.pcs else { return refuse_at_open_door(exchange) };
        let Some(typed) = Fields::of_body(body).and_then(|fields| fields.text("code")) else {
            let message = "the body must be a JSON object with the text `code`";
            return refuse(exchange, "its request to join holds no code", (400, message));
        };
        if !exchange.is_over_https() && !exchange.is_at_home() {
            // The code was sent in the clear, so it is void.
            lock(pcs).take(&typed, now);
            let cure = "a key is given over https alone, or at 127.0.0.1 on the relay's own machine, without a proxy: use \
                        https://, let the proxy say so (`X-Forwarded-Proto: https`), and run `invite` again, for this code \
                        counts no more";
            return refuse(exchange, "it wants to join, but not over https", (403, cure));
        }
        let given = engine.submissions.once(Submission::of(JOIN_PATH, body), now, || {
            let mut pcs = lock(pcs);
            let pc = pcs.take(&typed, now)?;
            log::info!("An agent joins from {} as the PC {}", exchange.origin(), pc.name);
            Some(json::texts(&[("name", &pc.name), ("key", pc.key.reveal())]))
        });
        match given {
            Some(json) => exchange.respond(Response::json(json.into_bytes())),
            None => {
                let cure = "the code is wrong, used or too old: it is good once, for 5 minutes; run `invite` again";
                refuse(exchange, "its code to join is wrong, used or too old", (401, cure));
            }
        }
    }
}

fn refuse_at_open_door(exchange: Exchange) {
    let cure = ["WEBHOOK_SECRET is not set, so no agent can join. Where .env is: ", LOCK].concat();
    refuse(exchange, "no agent can join while WEBHOOK_SECRET is not set", (403, &cure));
}

fn refuse(exchange: Exchange, why: &str, (status, cure): (u16, &str)) {
    log::warn!(target: AGENTS_REJECTED, "Agent rejected from {}: {why}", exchange.origin());
    exchange.respond(Response::error(status, cure));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::tokens::code::TYPED_CODE_LIFE;
    use std::time::Duration;

    const UNIX: u64 = 1_700_000_000;

    fn pcs() -> JoinablePcs {
        let config = Config::read(|name| match name {
            "API_KEY" => Some("the-new-key-5d1b9c77e0,the-old-key-aa20e6f413".into()),
            "AGENTS" => Some("ноутбук=key-of-the-notebook".into()),
            _ => None,
        });
        JoinablePcs::new(&config.unwrap().credentials)
    }

    fn code(pcs: &mut JoinablePcs, key: &str, random: u8, now: Instant) -> String {
        let proof =
            TokenSigner::new(&Secret::new(key.into())).sign(Kind::Invitation, UNIX + 1).unwrap();
        pcs.proven(&proof, UNIX).unwrap().code.renew([random; 12], now)
    }

    fn joined(pcs: &mut JoinablePcs, code: &str, now: Instant) -> Option<(String, String)> {
        pcs.take(code, now).map(|pc| (pc.name.clone(), pc.key.reveal().to_owned()))
    }

    #[test]
    fn a_code_is_good_for_five_minutes_and_not_a_moment_longer() {
        let (mut pcs, now) = (pcs(), Instant::now());
        let last = now + TYPED_CODE_LIFE - Duration::from_nanos(1);
        let first = code(&mut pcs, "the-new-key-5d1b9c77e0", 1, now);
        assert_eq!(
            joined(&mut pcs, &first, last),
            Some(("компьютер".into(), "the-new-key-5d1b9c77e0".into()))
        );
        let second = code(&mut pcs, "the-new-key-5d1b9c77e0", 2, now);
        assert_eq!(joined(&mut pcs, &second, now + TYPED_CODE_LIFE), None);
    }

    #[test]
    fn each_pc_has_a_code_of_its_own_and_one_of_all_is_found_wherever_it_stands() {
        let (mut pcs, now) = (pcs(), Instant::now());
        let first = code(&mut pcs, "the-new-key-5d1b9c77e0", 1, now);
        let second = code(&mut pcs, "key-of-the-notebook", 2, now);
        let other = code(&mut pcs, "key-of-the-notebook", 3, now);
        assert_eq!(joined(&mut pcs, &second, now), None, "a new one replaces it");
        assert_eq!(joined(&mut pcs, &first, now).unwrap().0, "компьютер");
        assert_eq!(joined(&mut pcs, &other, now).unwrap().0, "ноутбук");
        assert_eq!(joined(&mut pcs, &first, now).or(joined(&mut pcs, &other, now)), None);
    }

    #[test]
    fn a_proof_is_good_from_a_newest_key_alone_and_in_its_time() {
        let mut pcs = pcs();
        let proof = |key: &str| {
            TokenSigner::new(&Secret::new(key.into())).sign(Kind::Invitation, UNIX + 1).unwrap()
        };
        assert!(pcs.proven(&proof("key-of-the-notebook"), UNIX).is_some_and(|pc| pc.name == "ноутбук"));
        assert!(pcs.proven(&proof("key-of-the-notebook"), UNIX + 1).is_none());
        for wrong in [
            &*proof("the-old-key-aa20e6f413"),
            &proof("another-key-0123456789"),
            "",
            "key-of-the-notebook",
        ] {
            assert!(pcs.proven(wrong, UNIX).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_pc_whose_key_is_random_can_not_be_joined() {
        let agents =
            Config::read(|name| (name == "AGENTS").then(|| "ноутбук=key-of-the-notebook".into()));
        let pcs = JoinablePcs::new(&agents.unwrap().credentials);
        assert_eq!(pcs.0.iter().map(|pc| &*pc.name).collect::<Vec<_>>(), ["ноутбук"]);
    }
}
