//! Finding the socket under a tiny_http request (T1): the library gives no access to it, but without
//! it nothing can be cut, timed or sent without waiting.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, Shutdown};

use crate::unchecked::descriptor;

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
    descriptor::borrow(number, |fd| (remote(fd, port) == Some(peer)).then(|| told(fd)).flatten())
}

fn told(fd: BorrowedFd<'_>) -> Option<Received> {
    let (bytes, last) = descriptor::received(fd)?;
    Some(Received { bytes, last, unread: rustix::io::ioctl_fionread(fd).ok()? })
}

fn remote(fd: BorrowedFd<'_>, port: u16) -> Option<SocketAddr> {
    let peer = SocketAddr::try_from(rustix::net::getpeername(fd).ok()??).ok()?;
    let own = SocketAddr::try_from(rustix::net::getsockname(fd).ok()?).ok()?;
    (own.port() == port).then_some(peer)
}

/// Who is connected to our `port` through the descriptor of this number; none when it is no such
/// connection.
pub fn peer_of(number: RawFd, port: u16) -> Option<SocketAddr> {
    descriptor::borrow(number, |fd| remote(fd, port))
}

/// A duplicate of the socket that connects `peer` to our `port`, and the number it was found under.
/// `hint` is where it was found the last time.
pub fn find(peer: SocketAddr, port: u16, hint: Option<RawFd>) -> Option<(TcpStream, RawFd)> {
    let matching =
        |number| descriptor::borrow(number, |fd| duplicate_of(fd, peer, port)).map(|s| (s, number));
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
