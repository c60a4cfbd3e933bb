//! The relay's locks: the standard library's. With the feature `shuttle` they are shuttle's, under which links, outboxes
//! and commands are tested.

use std::sync::PoisonError;

#[cfg(feature = "shuttle")]
pub use shuttle::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(feature = "shuttle"))]
pub use std::sync::{Mutex, MutexGuard, atomic};

/// Locks `mutex`, even if a holder panicked: a bug must not spread to all later holders.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
