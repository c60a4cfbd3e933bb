//! `accept4` and `recv` of the C library, defined here: Rust's standard library calls exactly these for tiny_http's
//! `accept` and `read`, so a [`SocketHooks`] in safe code decides what tiny_http accepts and reads. A program may
//! define the C library's functions itself, as allocators do with `malloc`.

use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::{io, slice};

use libc::{c_int, c_void, size_t, sockaddr, socklen_t, ssize_t};
use rustix::io::Errno;

/// A buffer to write to.
pub type Buffer = [MaybeUninit<u8>];

/// Controls the connections of one listener.
pub trait SocketHooks: Send + Sync {
    /// Whether the hooks control this listener.
    fn is_listener(&self, listener: BorrowedFd<'_>) -> bool;

    /// Called with an accepted connection. Returns it if tiny_http may have it.
    fn accepted(&self, socket: OwnedFd) -> Option<OwnedFd>;

    /// Called when accepting fails. Returns whether to try again.
    fn failed(&self, error: &io::Error) -> bool;

    /// Reads from a socket: writes bytes to the start of `buffer` and returns their number, or an error. `None` if the
    /// hooks don't control this connection.
    fn read(&self, socket: BorrowedFd<'_>, buffer: &mut [MaybeUninit<u8>])
    -> Option<io::Result<usize>>;
}

static HOOKS: OnceLock<Box<dyn SocketHooks>> = OnceLock::new();

/// Installs the hooks. Only the first call of a process has an effect.
pub fn set(hooks: Box<dyn SocketHooks>) {
    let _ = HOOKS.set(hooks);
    // References both, so that the linker takes them instead of libc's.
    std::hint::black_box((accept4 as *const (), recv as *const ()));
}

/// As accept4(2).
///
/// # Safety
/// `address` and `length` are null, or `length` points to the size of what `address` points to.
#[unsafe(no_mangle)]
unsafe extern "C" fn accept4(
    listener: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller promises of the pointers what the kernel demands.
    let accept =
        || unsafe { libc::syscall(libc::SYS_accept4, listener, address, length, flags) as c_int };
    let Some(hooks) = HOOKS.get() else { return accept() };
    if listener < 0 || !hooks.is_listener(borrow(listener)) {
        return accept();
    }
    // SAFETY: the caller promises that it points to a length, unless it is null. The kernel overwrites it even for a
    // refused connection, so it is reset for the next one.
    let room = if length.is_null() { 0 } else { unsafe { *length } };
    let admit = || loop {
        let number = accept();
        let error = io::Error::last_os_error();
        if number >= 0 {
            // SAFETY: the kernel has just opened it, and nothing else owns it.
            if let Some(socket) = hooks.accepted(unsafe { OwnedFd::from_raw_fd(number) }) {
                return Ok(socket.into_raw_fd());
            }
        } else if !hooks.failed(&error) {
            return Err(error);
        }
        if !length.is_null() {
            // SAFETY: as above.
            unsafe { *length = room };
        }
    };
    guarded(admit).unwrap_or(-1)
}

/// As recv(2).
///
/// # Safety
/// `buffer` points to `most` bytes that may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn recv(number: c_int, buffer: *mut c_void, most: size_t, flags: c_int) -> ssize_t {
    let is_meant = (flags, number >= 0, buffer.is_null()) == (0, true, false);
    if let Some(hooks) = HOOKS.get().filter(|_| is_meant) {
        // SAFETY: as the caller promises; bytes that may be uninitialised are all that is claimed.
        let into = unsafe { slice::from_raw_parts_mut(buffer.cast(), most.min(isize::MAX as usize)) };
        match guarded(|| hooks.read(borrow(number), into).transpose()) {
            Some(None) => {}
            // A slice is no longer than `isize::MAX`.
            Some(Some(taken)) => return taken as ssize_t,
            None => return -1,
        }
    }
    // SAFETY: as the caller promises. No address is requested.
    unsafe {
        let none = std::ptr::null_mut::<c_void>();
        libc::syscall(libc::SYS_recvfrom, number, buffer, most, flags, none, none) as ssize_t
    }
}

/// Returns the result of `run`. Sets `errno` on an error, and on a panic, which must not unwind into a caller in C.
fn guarded<T>(run: impl FnOnce() -> io::Result<T>) -> Option<T> {
    let result =
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
    result
        .map_err(|error| {
            // SAFETY: it is this thread's own, and always there.
            unsafe { *libc::__errno_location() = error.raw_os_error().unwrap_or(libc::EIO) };
        })
        .ok()
}

/// Duplicates a descriptor by number. Another thread may have closed it, and the number may be another file's by now;
/// the duplicate shows which.
///
/// # Errors
/// The number is no open descriptor, or no descriptor is left.
pub fn duplicate(number: RawFd) -> Result<OwnedFd, Errno> {
    let known = if number < 0 { return Err(Errno::BADF) } else { borrow(number) };
    rustix::io::fcntl_dupfd_cloexec(known, 0)
}

fn borrow<'a>(number: c_int) -> BorrowedFd<'a> {
    // SAFETY: it is not negative. The callers of `accept4` and `recv` hold it until these return. Duplicating one that
    // nobody holds fails with EBADF, or duplicates another file, neither of which breaks memory safety.
    unsafe { BorrowedFd::borrow_raw(number) }
}
