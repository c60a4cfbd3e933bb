//! A pairing code for linking Smart Home, from the running relay.

use std::time::Duration;

use serde::Deserialize;

use crate::config::secret::Secret;
use crate::http::client::Client;
use crate::owner::target::{AskError, Target};
use crate::proofs::seal::{Kind, Seals};
use crate::proofs::unix_time;
use crate::smart_home::PAIR_FIELD;

/// How long `pair` may take in all.
pub const PAIR_TIMEOUT: Duration = Duration::from_secs(2);

/// Seconds that its proof is good for: the way to the relay on the same machine.
pub const PROOF_LIFE: u64 = 60;

/// Asks the running relay for a pairing code. `secret` is its `SMART_HOME_SECRET`. Returns the code, in three
/// groups.
///
/// # Errors
/// The relay can't be reached, has Smart Home off or another secret, or doesn't answer as one.
pub fn pair(target: Target, secret: &Secret) -> Result<String, AskError> {
    #[derive(Deserialize)]
    struct Pairing {
        code: String,
    }
    let proof = Seals::new(secret).make(Kind::Pairing, unix_time() + PROOF_LIFE);
    let proof = proof.map_err(AskError::System)?;
    let response = Client::connect(target.0, PAIR_TIMEOUT)
        .and_then(|client| client.post("/smart-home/pair", &[(PAIR_FIELD, &proof)], "{}"))
        .map_err(|error| AskError::Client(target, error))?;
    match serde_json::from_slice::<Pairing>(&response.body) {
        Ok(pairing) if response.status == 200 => Ok(pairing.code),
        _ if matches!(response.status, 401 | 404) => Err(AskError::NotLinkable(target)),
        // What stands there may be anybody's, and may repeat the proof.
        _ => Err(AskError::Unexpected(target, response.status, String::new())),
    }
}
