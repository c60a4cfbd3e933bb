//! What the system refuses.

use std::io;

/// Returns an error that says `what` the system refuses: what it is needed for, and by which call, so that whoever
/// reads it finds out who forbids that.
pub fn refused(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
