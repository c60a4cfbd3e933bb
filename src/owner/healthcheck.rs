//! `healthcheck`: checks the running relay.

use std::time::Duration;

use crate::http::client::Client;
use crate::owner::target::{AskError, RelayAddress};

/// Timeout of the whole `healthcheck`.
pub const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Checks that the relay is healthy.
///
/// # Errors
/// The relay is unhealthy, or unreachable within 2 s.
pub fn healthcheck(target: RelayAddress) -> Result<(), AskError> {
    let response =
        Client::connect(target.0, HEALTHCHECK_TIMEOUT).and_then(|client| client.get("/health"));
    match response {
        Ok(response) if response.status == 200 && response.body.starts_with(br#"{"status":"ok""#) => {
            Ok(())
        }
        Ok(response) => {
            let body = String::from_utf8_lossy(&response.body).into();
            Err(AskError::Unexpected(target, response.status, body))
        }
        Err(error) => Err(AskError::Client(target, error)),
    }
}
