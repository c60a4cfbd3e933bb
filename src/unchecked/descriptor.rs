//! Descriptors that belong to somebody else.

use std::os::fd::{BorrowedFd, RawFd};

/// Runs `look` on a descriptor known only by its number, which must not be negative. Returns what `look`
/// does.
///
/// It may be closed or reused by another thread at any moment, so `look` must do no more than ask or
/// duplicate, and what is to be acted on must be checked again on the duplicate.
pub(crate) fn borrow<T>(number: RawFd, look: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
    // SAFETY: `borrow_raw` asks that the descriptor stays open and that it is not -1. No number here is
    // negative. That one may be closed, or may never have been open, can't break memory safety, since what
    // is done with it is only ever a duplication: a system call that changes nothing and fails with EBADF.
    look(unsafe { BorrowedFd::borrow_raw(number) })
}
