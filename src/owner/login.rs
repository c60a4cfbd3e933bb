//! A code for the owner's page, or a monitor's token, from the running relay.

use crate::owner::proof::Proof;
use crate::owner::target::{AskError, RelayAddress};
use crate::secret::Secret;
use crate::tokens::field;
use crate::tokens::signed::Kind;

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
pub fn login(target: RelayAddress, secret: &Secret, pass: Pass) -> Result<String, AskError> {
    let path = match pass {
        Pass::Code => "/owner/code",
        Pass::Monitor => "/owner/monitor",
    };
    let proof = Proof { secret, kind: Kind::Login, field: field::LOGIN, path };
    proof.show(target, AskError::NotTheOwner)
}
