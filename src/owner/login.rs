//! A code for the owner's page, or a monitor's token, from the running relay.

use std::time::Duration;

use serde::Deserialize;

use crate::config::secret::Secret;
use crate::http::client::Client;
use crate::owner::pair::PROOF_LIFE;
use crate::owner::target::{AskError, Target};
use crate::owner_page::LOGIN_FIELD;
use crate::proofs::seal::{Kind, Seals};
use crate::proofs::unix_time;

/// How long `login` may take in all.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(2);

/// What `login` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// A code to be typed into the page.
    Code,
    /// A token that lets a monitor read the state.
    Monitor,
}

/// Asks the running relay for a pass to the owner's page. `secret` is its [`owner_secret`]. Returns the code, in
/// three groups, or the token.
///
/// [`owner_secret`]: crate::Credentials::owner_secret
///
/// # Errors
/// The relay can't be reached, has other secrets or ids, or doesn't answer as one.
pub fn login(target: Target, secret: &Secret, pass: Pass) -> Result<String, AskError> {
    #[derive(Deserialize)]
    struct Given {
        given: String,
    }
    let proof = Seals::new(secret).make(Kind::Login, unix_time() + PROOF_LIFE);
    let proof = proof.map_err(AskError::System)?;
    let path = match pass {
        Pass::Code => "/owner/code",
        Pass::Monitor => "/owner/monitor",
    };
    let response = Client::connect(target.0, LOGIN_TIMEOUT)
        .and_then(|client| client.post(path, &[(LOGIN_FIELD, &proof)], "{}"))
        .map_err(|error| AskError::Client(target, error))?;
    match serde_json::from_slice::<Given>(&response.body) {
        Ok(given) if response.status == 200 => Ok(given.given),
        _ if matches!(response.status, 401 | 404) => Err(AskError::NotTheOwner(target)),
        // What stands there may be anybody's, and may repeat the proof.
        _ => Err(AskError::Unexpected(target, response.status, String::new())),
    }
}
