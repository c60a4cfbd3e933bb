//! Finding the sockets under tiny_http's requests (T1): the library gives no access to them, but without
//! it no connection can be cut, timed, told from another, or sent to without waiting.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::time::Duration;

use rustix::net::{RecvFlags, Shutdown};

use crate::unchecked::descriptor;

/// A socket of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// Where it was found; another socket may stand there by now.
    pub descriptor: RawFd,
    /// What tells it from every other socket that is open, even one of the same peer.
    pub inode: u64,
}

impl Socket {
    /// Whether it stands under this descriptor, and is still connected to this peer.
    fn is_under(&self, fd: BorrowedFd<'_>, peer: SocketAddr) -> bool {
        inode_of(fd) == Some(self.inode) && remote_of(fd) == Some(peer)
    }
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

/// A connection that is open.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    pub peer: SocketAddr,
    pub socket: Socket,
    /// None when the kernel does not tell.
    pub received: Option<Received>,
}

/// The connections of one port.
pub trait Sockets: Send + Sync {
    /// Returns those that are open; none when that can't be found out. tiny_http holds two descriptors of
    /// each, so one may come twice.
    fn live(&self) -> Option<Vec<Live>>;

    /// Returns the socket of the open connection of this peer. `hint` is where it was the last time.
    fn find(&self, peer: SocketAddr, hint: Option<Socket>) -> Option<Socket>;

    /// Returns a duplicate of this socket of the peer's; of any, when none is known.
    fn duplicate(&self, peer: SocketAddr, socket: Option<Socket>) -> Option<TcpStream>;

    /// Ends this connection of the peer's at once; whichever it is, when no socket of it is known.
    fn shut(&self, peer: SocketAddr, socket: Option<Socket>) {
        if let Some(socket) = self.duplicate(peer, socket) {
            shut(&socket);
        }
    }
}

/// The connections that this process has accepted on a port.
pub struct Accepted {
    port: u16,
    /// The highest descriptor that was such a connection so far.
    highest: AtomicI32,
}

impl Accepted {
    /// Those of this `port`.
    pub fn on(port: u16) -> Self {
        Self { port, highest: AtomicI32::new(2) }
    }

    /// Returns what `look` finds at the first descriptor at which it finds something: at one that was used
    /// before, since the system gives out the lowest that is free, or at any. To read /proc/self/fd takes
    /// ten times as long as to try the numbers.
    fn search<T>(&self, look: impl Fn(RawFd) -> Option<T>) -> Option<T> {
        (3..=self.highest.load(Relaxed)).find_map(&look).or_else(|| {
            let (number, found) = descriptors().ok()?.into_iter().find_map(|n| Some((n, look(n)?)))?;
            self.highest.fetch_max(number, Relaxed);
            Some(found)
        })
    }
}

impl Sockets for Accepted {
    fn live(&self) -> Option<Vec<Live>> {
        let mut live: Vec<Live> = Vec::new();
        for number in descriptors().ok()? {
            let known = live.last().map(|last| last.socket.inode);
            let look = |fd: BorrowedFd<'_>| {
                let peer = peer_of(fd, self.port)?;
                if inode_of(fd) == known {
                    return None;
                }
                Some((peer, received(fd)))
            };
            if let Some((socket, (peer, received))) = one_and_the_same(number, look) {
                let found = Live { peer, socket, received };
                self.highest.fetch_max(number, Relaxed);
                live.push(found);
            }
        }
        Some(live)
    }

    fn find(&self, peer: SocketAddr, hint: Option<Socket>) -> Option<Socket> {
        let is_still =
            |hint: &Socket| descriptor::borrow(hint.descriptor, |fd| hint.is_under(fd, peer));
        let look = |fd: BorrowedFd<'_>| (peer_of(fd, self.port)? == peer).then_some(());
        hint.filter(is_still).or_else(|| self.search(|number| Some(one_and_the_same(number, look)?.0)))
    }

    fn duplicate(&self, peer: SocketAddr, socket: Option<Socket>) -> Option<TcpStream> {
        let is_it = |fd: BorrowedFd<'_>| match socket {
            Some(socket) => socket.is_under(fd, peer),
            None => peer_of(fd, self.port) == Some(peer),
        };
        // Another socket may have got the number between a look and the duplication.
        let own = |number| {
            let own: OwnedFd = descriptor::borrow(number, |fd| fd.try_clone_to_owned().ok())?;
            is_it(own.as_fd()).then(|| TcpStream::from(own))
        };
        let look = |number| descriptor::borrow(number, is_it).then(|| own(number)).flatten();
        socket.and_then(|socket| own(socket.descriptor)).or_else(|| self.search(look))
    }
}

/// Returns the numbers of this process's open descriptors, standard streams left out.
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

/// Returns what `look` finds at a descriptor, and which socket that is: another one may get the number at any
/// moment, and nothing of two sockets must be taken for one.
fn one_and_the_same<T>(
    number: RawFd,
    look: impl FnOnce(BorrowedFd<'_>) -> Option<T>,
) -> Option<(Socket, T)> {
    descriptor::borrow(number, |fd| {
        let inode = inode_of(fd)?;
        let found = look(fd)?;
        (inode_of(fd) == Some(inode)).then_some((Socket { descriptor: number, inode }, found))
    })
}

/// Returns who is connected to our `port` through this descriptor; none when it is no such connection.
fn peer_of(fd: BorrowedFd<'_>, port: u16) -> Option<SocketAddr> {
    let peer = remote_of(fd)?;
    let own = SocketAddr::try_from(rustix::net::getsockname(fd).ok()?).ok()?;
    (own.port() == port).then_some(peer)
}

fn remote_of(fd: BorrowedFd<'_>) -> Option<SocketAddr> {
    SocketAddr::try_from(rustix::net::getpeername(fd).ok()??).ok()
}

fn inode_of(fd: BorrowedFd<'_>) -> Option<u64> {
    rustix::fs::fstat(fd).ok().map(|status| status.st_ino)
}

fn received(fd: BorrowedFd<'_>) -> Option<Received> {
    let (bytes, last) = descriptor::received(fd)?;
    Some(Received { bytes, last, unread: rustix::io::ioctl_fionread(fd).ok()? })
}

/// Ends a connection both ways and throws away what it had still to tell, so that whoever reads it
/// finds its end at once.
pub fn shut(stream: &TcpStream) {
    // An error means that the connection is over already.
    let _ = rustix::net::shutdown(stream, Shutdown::Both);
    while discard(stream).is_ok_and(|taken| taken > 0) {}
}

/// Ends a connection both ways, and throws away also what has been written to it and not yet delivered: a
/// plain shutdown would keep that, and it could arrive minutes later (docs/facts/agent.md).
pub fn throw_away(stream: &TcpStream) {
    // Whoever reads it finds its end. Linux 6.4 to 6.7 refuse to disconnect while somebody reads.
    shut(stream);
    for _ in 0..DISCONNECT_TRIES {
        match rustix::net::connect_unspec(stream) {
            Err(rustix::io::Errno::BUSY) => std::thread::yield_now(),
            _ => return,
        }
    }
}

/// How often a connection that somebody still reads is tried to be disconnected.
const DISCONNECT_TRIES: usize = 100;

/// Throws away what has arrived on a connection. Returns how many bytes; 0 at its end.
///
/// # Errors
/// `WouldBlock` when nothing more has arrived; else what the connection died of.
pub fn discard(stream: &TcpStream) -> rustix::io::Result<usize> {
    let mut nowhere = [0; 4096];
    let (_, taken) = rustix::net::recv(stream, &mut nowhere[..], RecvFlags::DONTWAIT)?;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// A connection to a listener of its own: this end, the accepted end, and what finds the latter.
    fn connection() -> (TcpStream, TcpStream, Accepted) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        (client, accepted, Accepted::on(address.port()))
    }

    #[test]
    fn an_accepted_connection_is_found_by_its_peer_and_ended() {
        let (mut client, mut accepted, sockets) = connection();
        let peer = client.local_addr().unwrap();
        let found = sockets.find(peer, None).unwrap();
        assert_eq!(sockets.find(peer, Some(found)), Some(found));
        assert_eq!(sockets.find(accepted.local_addr().unwrap(), None), None);
        client.write_all(b"unread").unwrap();
        accepted.peek(&mut [0; 6]).unwrap();
        let live = sockets.live().unwrap();
        assert_eq!((live.len(), live[0].peer, live[0].socket.inode), (1, peer, found.inode));
        assert_eq!(live[0].received.map(|r| (r.bytes, r.unread)), Some((6, 6)));
        sockets.shut(peer, Some(found));
        assert_eq!(accepted.read(&mut [0; 6]).unwrap(), 0, "what it had to tell is thrown away");
        assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
    }

    #[test]
    fn another_socket_of_the_same_peer_is_left_alone() {
        let (mut client, mut accepted, sockets) = connection();
        let peer = client.local_addr().unwrap();
        let found = sockets.find(peer, None).unwrap();
        let old = Socket { inode: found.inode + 1, ..found };
        assert!(sockets.duplicate(peer, Some(old)).is_none());
        sockets.shut(peer, Some(old));
        client.write_all(b"a").unwrap();
        assert_eq!(accepted.read(&mut [0]).unwrap(), 1, "it is still open");
    }
}
