//! Finding the socket under a tiny_http request (T1): the library gives no access to it, but without
//! it nothing can be cut, timed or sent without waiting.
//!
//! The one place with `unsafe`.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, Shutdown};

/// The numbers of this process's open descriptors, standard streams left out.
///
/// # Errors
/// `/proc` can't be read, or no descriptor is left to read it with.
pub fn descriptors() -> std::io::Result<Vec<RawFd>> {
    let mut numbers = Vec::with_capacity(64);
    for entry in std::fs::read_dir("/proc/self/fd")? {
        if let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok())
            && number > 2
        {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// Duplicates of this process's connections through our `port`, and who is connected. tiny_http holds
/// two descriptors of each; one is enough.
///
/// # Errors
/// As [`descriptors`].
pub fn connections(port: u16) -> std::io::Result<HashMap<SocketAddr, RawFd>> {
    let numbers = descriptors()?.into_iter();
    Ok(numbers.filter_map(|number| Some((peer_of(number, port)?, number))).collect())
}

/// What the kernel knows of what a connection has received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes, since it was opened.
    pub bytes: u64,
    /// How long ago the last of them came.
    pub last: Duration,
    /// How many of them nobody has read yet.
    pub unread: u64,
}

/// Asks the kernel what the connection under this number has received; none when it isn't `peer`'s.
pub fn received(number: RawFd, peer: SocketAddr, port: u16) -> Option<Received> {
    borrow(number, |fd| (remote(fd, port) == Some(peer)).then(|| tcp_info(fd)).flatten())
}

#[allow(unsafe_code)]
fn tcp_info(fd: BorrowedFd<'_>) -> Option<Received> {
    // `struct tcp_info` of linux/tcp.h, up to tcpi_bytes_received; fields are only ever added behind.
    const LAST_DATA_RECV: usize = 52; // u32, milliseconds
    const BYTES_RECEIVED: usize = 128; // u64, since Linux 4.1
    let mut info = [0u8; BYTES_RECEIVED + 8];
    let mut length = info.len() as libc::socklen_t;
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
    let unread = rustix::io::ioctl_fionread(fd).ok()?;
    Some(Received { bytes, last: Duration::from_millis(last.into()), unread })
}

/// Runs `look` on a descriptor known only by its number.
#[allow(unsafe_code)]
fn borrow<T>(number: RawFd, look: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
    // SAFETY: `borrow_raw` asks that the descriptor stays open and that it is not -1. The numbers come
    // from /proc/self/fd, so they are not negative; one may be closed or reused by another thread at
    // any moment. That can't break memory safety here, since what is done with it is only ever
    // `getpeername`, `getsockname`, `getsockopt`, FIONREAD or a duplication: system calls that change
    // nothing and fail with EBADF or ENOTSOCK. What is acted on is checked again on the duplicate, which is our own.
    look(unsafe { BorrowedFd::borrow_raw(number) })
}

fn remote(fd: BorrowedFd<'_>, port: u16) -> Option<SocketAddr> {
    let peer = SocketAddr::try_from(rustix::net::getpeername(fd).ok()??).ok()?;
    let own = SocketAddr::try_from(rustix::net::getsockname(fd).ok()?).ok()?;
    (own.port() == port).then_some(peer)
}

/// Who is connected to our `port` through the descriptor of this number; none when it is no such
/// connection.
pub fn peer_of(number: RawFd, port: u16) -> Option<SocketAddr> {
    borrow(number, |fd| remote(fd, port))
}

/// A duplicate of the socket that connects `peer` to our `port`, and the number it was found under.
/// `hint` is where it was found the last time.
pub fn find(peer: SocketAddr, port: u16, hint: Option<RawFd>) -> Option<(TcpStream, RawFd)> {
    let matching = |number| borrow(number, |fd| duplicate_of(fd, peer, port)).map(|s| (s, number));
    hint.and_then(matching).or_else(|| descriptors().ok()?.into_iter().find_map(matching))
}

fn duplicate_of(fd: BorrowedFd<'_>, peer: SocketAddr, port: u16) -> Option<TcpStream> {
    if remote(fd, port) != Some(peer) {
        return None;
    }
    let own: OwnedFd = fd.try_clone_to_owned().ok()?;
    let stream = TcpStream::from(own);
    (stream.peer_addr().ok()? == peer).then_some(stream)
}

/// Ends a connection both ways and throws away what it had still to tell, so that whoever reads it
/// finds its end at once.
pub fn shut(stream: &TcpStream) {
    // An error means that the connection is over already.
    let _ = rustix::net::shutdown(stream, Shutdown::Both);
    while discard(stream).is_ok_and(|taken| taken > 0) {}
}

/// Whether this connection was not ended by us both ways, nor has died.
pub fn is_open(stream: &TcpStream) -> bool {
    let mut states = [PollFd::new(stream, PollFlags::empty())];
    // What is asked for comes without waiting; the end of a connection is told unasked.
    let found = poll(&mut states, Some(&Timespec::default()));
    found.is_ok() && !states[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
}

/// Throws away what has arrived on a connection; 0 at its end.
///
/// # Errors
/// `WouldBlock` when nothing more has arrived; else what the connection died of.
pub fn discard(stream: &TcpStream) -> rustix::io::Result<usize> {
    let mut nowhere = [0; 4096];
    let (_, taken) = rustix::net::recv(stream, &mut nowhere[..], RecvFlags::DONTWAIT)?;
    Ok(taken)
}
