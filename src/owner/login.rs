//! `login`: requests a code for the owner's page, or a monitor's token, from the running relay.

use crate::owner::proof::Proof;
use crate::owner::target::{AskError, RelayAddress};
use crate::secret::Secret;
use crate::tokens::field;
use crate::tokens::signed::Kind;

/// The kinds of pass to the owner's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// A code to type into the page.
    Code,
    /// A token that lets a monitor read the state.
    Monitor,
}

/// Requests a pass from the running relay; `secret` is its [`owner_secret`]. Returns the code, in three groups, or the
/// token.
///
/// [`owner_secret`]: crate::Credentials::owner_secret
///
/// # Errors
/// The relay is unreachable, has other secrets or ids, or gives no valid response.
pub fn login(target: RelayAddress, secret: &Secret, pass: Pass) -> Result<String, AskError> {
    let path = match pass {
        Pass::Code => "/owner/code",
        Pass::Monitor => "/owner/monitor",
    };
    let proof = Proof { secret, kind: Kind::Login, field: field::LOGIN, path };
    proof.exchange(target, AskError::NotTheOwner)
}
