//! Adds context to failed system calls.

use std::io;

/// Adds `what` to an error: what the refused call is needed for, and its name, so that the reader finds out what
/// forbids it.
pub fn refused(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
