//! `pair`: requests a pairing code for Smart Home from the running relay.

use crate::owner::proof::Proof;
use crate::owner::target::{AskError, RelayAddress};
use crate::secret::Secret;
use crate::tokens::field;
use crate::tokens::signed::Kind;

/// Requests a pairing code from the running relay; `secret` is its `SMART_HOME_SECRET`. Returns the code, in three
/// groups.
///
/// # Errors
/// The relay is unreachable, has Smart Home off or another secret, or gives no valid response.
pub fn pair(target: RelayAddress, secret: &Secret) -> Result<String, AskError> {
    let proof = Proof { secret, kind: Kind::Pairing, field: field::PAIR, path: "/smart-home/pair" };
    proof.exchange(target, AskError::NotLinkable)
}
