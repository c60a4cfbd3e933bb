//! Requests codes and tokens from the running relay, with a proof that the caller has its secrets.

use std::time::Duration;

use crate::http::client::Client;
use crate::object::Fields;
use crate::owner::target::{AskError, RelayAddress};
use crate::secret::Secret;
use crate::tokens::signed::{Kind, TokenSigner};
use crate::tokens::unix_time;

/// Timeout of the whole request.
pub const PROOF_TIMEOUT: Duration = Duration::from_secs(2);

/// Lifetime of a proof, in seconds: enough to reach the relay on the same machine.
pub const PROOF_LIFE: u64 = 60;

/// A proof, and the request that carries it.
pub struct Proof<'a> {
    /// The secret that it is derived from.
    pub secret: &'a Secret,
    /// Its purpose.
    pub kind: Kind,
    /// The header field that carries it.
    pub field: &'static str,
    /// The path of the request.
    pub path: &'static str,
}

impl Proof<'_> {
    /// Sends the proof. Returns the code or token of the response; `refused` is the error for a proof that the relay
    /// refuses.
    ///
    /// # Errors
    /// The relay is unreachable, refuses the proof, or gives no valid response.
    pub fn exchange(
        &self,
        target: RelayAddress,
        refused: fn(RelayAddress) -> AskError,
    ) -> Result<String, AskError> {
        let proof = TokenSigner::new(self.secret).sign(self.kind, unix_time() + PROOF_LIFE);
        let proof = proof.map_err(AskError::System)?;
        let response = Client::connect(target.0, PROOF_TIMEOUT)
            .and_then(|client| client.post(self.path, &[(self.field, &proof)], "{}"))
            .map_err(|error| AskError::Client(target, error))?;
        let fields = Fields::of_body(&response.body);
        match fields.and_then(|fields| fields.text("code").or_else(|| fields.text("given"))) {
            Some(given) if response.status == 200 => Ok(given.into_owned()),
            _ if matches!(response.status, 401 | 404) => Err(refused(target)),
            // The body may come from anything, and may repeat the proof.
            _ => Err(AskError::Unexpected(target, response.status, String::new())),
        }
    }
}
