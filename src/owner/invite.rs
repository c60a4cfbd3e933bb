//! `invite`: creates the line that joins a PC's agent, with a code from the running relay.

use crate::config::agents::AgentId;
use crate::config::credentials::{Credentials, LOCK};
use crate::owner::proof::Proof;
use crate::owner::target::{AskError, RelayAddress};
use crate::text::quoted;
use crate::tokens::field;
use crate::tokens::signed::Kind;
use crate::ws::joining::INVITE_PATH;

/// The fix for a missing setting.
const AGAIN: &str = ". Start the relay again, and run invite with the relay's own environment";

/// An invitation for one PC's agent.
#[derive(Debug)]
pub struct Invitation {
    /// The command to run on that PC, in one line. It holds the code.
    pub line: String,
    /// The PC's name.
    pub pc: String,
}

/// Requests an invitation for `pc`, given by any form of its name, or else for the PC of `API_KEY`. `credentials` are
/// the relay's own. The agent will reach the relay at `domain`, or without one at `target`.
///
/// # Errors
/// There is no such PC, its key or the webhook's secret is not set, the key is not visible ASCII, or `domain` is
/// missing and `target` is no loopback address. The relay is unreachable, has another key, or gives no valid response.
pub fn invite(
    target: RelayAddress,
    credentials: &Credentials,
    domain: Option<&str>,
    pc: Option<&str>,
) -> Result<Invitation, AskError> {
    let wrong = |parts: &[&str]| Err(AskError::Address(parts.concat()));
    if credentials.webhook.is_none() {
        return wrong(&[
            "WEBHOOK_SECRET is not set, so no agent can join. Where .env is: ",
            LOCK,
            AGAIN,
        ]);
    }
    let names = credentials.agents.names();
    let Some(agent) = pc.map_or(Some(AgentId::DEFAULT), |pc| names.find(pc)) else {
        let all: Vec<_> = names.all().map(|(_, name)| name).collect();
        return wrong(&[
            "no PC is called ",
            &quoted(pc.unwrap_or_default()),
            ": there is ",
            &all.join(", "),
        ]);
    };
    let Some(secret) = credentials.lasting_key(agent) else {
        return wrong(&[
            "API_KEY is not set, and the random one is good for one run. Set it to the output of `openssl rand -hex 32`",
            AGAIN,
        ]);
    };
    if !secret.reveal().bytes().all(|b| b.is_ascii_graphic()) {
        return wrong(&[
            "API_KEY holds what no header field can: set it to the output of `openssl rand -hex 32`",
            AGAIN,
        ]);
    }
    let address = target.0.to_string();
    if domain.is_none() && !target.0.ip().is_loopback() {
        return wrong(&[
            "no key is given over plain HTTP to ",
            &address,
            ": add --domain your-domain.com",
        ]);
    }
    let place = domain.map_or_else(|| ["ws://", &address, "/ws"].concat(), ToOwned::to_owned);
    let proof = Proof { secret, kind: Kind::Invitation, field: field::INVITE, path: INVITE_PATH };
    let code = proof.exchange(target, AskError::NotItsKey).map_err(|error| match error {
        AskError::Unexpected(target, 403, _) => AskError::DoorOpen(target),
        error => error,
    })?;
    let line = ["home-alice-agent join ", &place, " ", &code].concat();
    Ok(Invitation { line, pc: names.of(agent).to_owned() })
}
