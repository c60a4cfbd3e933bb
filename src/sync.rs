//! The locks and atomics of the code that is tested under shuttle: links, outboxes and commands. Without that feature
//! they are the standard library's.

use std::sync::PoisonError;

#[cfg(feature = "shuttle")]
pub use shuttle::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(feature = "shuttle"))]
pub use std::sync::{Mutex, MutexGuard, atomic};

/// Locks `mutex`, even if a holder panicked: a bug must not spread to all later holders.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
