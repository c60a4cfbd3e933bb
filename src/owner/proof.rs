//! What the running relay gives to whoever proves to have its secrets: codes and tokens.

use std::time::Duration;

use crate::http::client::Client;
use crate::object::Fields;
use crate::owner::target::{AskError, RelayAddress};
use crate::secret::Secret;
use crate::tokens::signed::{Kind, TokenSigner};
use crate::tokens::unix_time;

/// How long it may take in all.
pub const PROOF_TIMEOUT: Duration = Duration::from_secs(2);

/// Seconds that a proof is good for: the way to the relay on the same machine.
pub const PROOF_LIFE: u64 = 60;

/// A proof, and where it is shown.
pub struct Proof<'a> {
    /// What it is made from.
    pub secret: &'a Secret,
    /// What it is for.
    pub kind: Kind,
    /// The header field that carries it.
    pub field: &'static str,
    /// Whom it is shown to.
    pub path: &'static str,
}

impl Proof<'_> {
    /// Shows it to the relay. Returns the code or token that comes back; `refused` says what it means when it is not
    /// good there.
    ///
    /// # Errors
    /// The relay can't be reached, refuses, or doesn't answer as one.
    pub fn show(
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
            // What stands there may be anybody's, and may repeat the proof.
            _ => Err(AskError::Unexpected(target, response.status, String::new())),
        }
    }
}
