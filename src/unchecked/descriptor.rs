//! Descriptors that belong to somebody else, and what the kernel knows of the connection under one.

use std::mem::size_of_val;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// Runs `look` on a descriptor known only by its number, which must not be negative. Returns what `look`
/// does.
///
/// It may be closed or reused by another thread at any moment, so `look` must do no more than ask or
/// duplicate, and what is to be acted on must be checked again on the duplicate.
pub(crate) fn borrow<T>(number: RawFd, look: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
    // SAFETY: `borrow_raw` asks that the descriptor stays open and that it is not -1. No number here is
    // negative. That one may be closed, or may never have been open, can't break memory safety, since what
    // is done with it is only ever `getpeername`, `getsockname`, `getsockopt`, `fstat`, FIONREAD or a
    // duplication: system calls that change nothing and fail with EBADF or ENOTSOCK.
    look(unsafe { BorrowedFd::borrow_raw(number) })
}

/// Returns how many bytes a TCP connection has received since it was opened, and how long ago the last of
/// them came; none when the kernel doesn't tell.
pub(crate) fn received(fd: BorrowedFd<'_>) -> Option<(u64, Duration)> {
    // `struct tcp_info` of linux/tcp.h, up to tcpi_bytes_received; fields are only ever added behind.
    const LAST_DATA_RECV: usize = 52; // u32, milliseconds
    const BYTES_RECEIVED: usize = 128; // u64, since Linux 4.1
    let mut info = [0u8; BYTES_RECEIVED + 8];
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `info`, which has as many, and the count of
    // those it wrote to `length`. Both live until the call returns.
    let failed = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &mut length,
        )
    };
    if failed != 0 || (length as usize) < info.len() {
        return None;
    }
    let last = u32::from_ne_bytes(info[LAST_DATA_RECV..][..4].try_into().ok()?);
    let bytes = u64::from_ne_bytes(info[BYTES_RECEIVED..][..8].try_into().ok()?);
    Some((bytes, Duration::from_millis(last.into())))
}
