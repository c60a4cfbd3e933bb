//! Errors of the operating system, with what the relay needed.

use std::io;

/// Returns the error of an `action` that failed. The action names the system call, so that a reader finds out who forbids
/// it.
pub fn cannot(action: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {action}: {error}"))
}
