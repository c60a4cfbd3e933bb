//! The line that joins a PC's agent, with a code from the running relay.

use crate::agents::joining::{INVITE_FIELD, INVITE_PATH};
use crate::config::agents::AgentId;
use crate::config::credentials::{Credentials, LOCK};
use crate::owner::proof::Proof;
use crate::owner::target::{AskError, Target};
use crate::proofs::seal::Kind;
use crate::text::quoted;

/// What lets one PC's agent join.
#[derive(Debug)]
pub struct Invitation {
    /// The command for that PC, in one line. It holds the code.
    pub line: String,
    /// What the PC is called.
    pub pc: String,
}

/// Asks the running relay, which has these `credentials`, for an invitation of the PC that is called `pc`, in any form of
/// its name; without one, of that of `API_KEY`. The agent is to find the relay at `domain`, or without one where this
/// machine does.
///
/// # Errors
/// There is no such PC, its key or the webhook's secret is not set, or without a `domain` the relay is not reached by this
/// machine's own address. The relay can't be reached, has another key, or doesn't answer as one.
pub fn invite(
    target: Target,
    credentials: &Credentials,
    domain: Option<&str>,
    pc: Option<&str>,
) -> Result<Invitation, AskError> {
    if credentials.webhook.is_none() {
        return Err(AskError::Address(format!(
            "WEBHOOK_SECRET is not set, so whoever finds the webhook's address commands the PC, and no agent is invited. \
             Where .env is: {LOCK}, start the relay again, and run invite with the relay's own environment"
        )));
    }
    let names = credentials.agents.names();
    let agent = match pc {
        None => AgentId::DEFAULT,
        Some(pc) => names.find(pc).ok_or_else(|| {
            let all: Vec<_> = names.all().map(|(_, name)| name).collect();
            let all = all.join(", ");
            AskError::Address(format!("no PC is called {}: there is {all}", quoted(pc)))
        })?,
    };
    let Some(secret) = credentials.lasting_key(agent) else {
        let problem = "API_KEY is not set, so each run of the relay has another key, and an agent that joins would be lost \
                       with the next: set it to the output of `openssl rand -hex 32`, start the relay again, and run \
                       invite with the relay's own environment";
        return Err(AskError::Address(problem.into()));
    };
    let place = match domain {
        Some(domain) => domain.to_owned(),
        None if target.0.ip().is_loopback() => format!("ws://{}/ws", target.0),
        None => {
            let problem = format!(
                "the relay is at {}, and gives no key to another machine over plain HTTP: say where the proxy is, with \
                 --domain your-domain.com",
                target.0
            );
            return Err(AskError::Address(problem));
        }
    };
    let proof = Proof { secret, kind: Kind::Invitation, field: INVITE_FIELD, path: INVITE_PATH };
    let code = proof.show(target, AskError::NotItsKey).map_err(|error| match error {
        AskError::Unexpected(target, 403, _) => AskError::DoorOpen(target),
        error => error,
    })?;
    let line = ["home-alice-agent join ", &place, " ", &code].concat();
    Ok(Invitation { line, pc: names.of(agent).to_owned() })
}
