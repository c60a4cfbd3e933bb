//! The locks and atomics of what is tried under shuttle, schedule by schedule: the links, what is sent on them, and the
//! commands. Without that feature they are the standard library's.

use std::sync::PoisonError;

#[cfg(feature = "shuttle")]
pub use shuttle::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(feature = "shuttle"))]
pub use std::sync::{Mutex, MutexGuard, atomic};

/// Locks `mutex`, also one whose last holder has panicked: a bug must not spread to all who come after it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
